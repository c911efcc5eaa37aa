"""The shell over topics of an embedded broker: summaries, limits, completion, the question before the first write."""
import pytest

from embedded import Embedded
from pty_weir import Terminal
from weir import weir


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    path = tmp_path_factory.mktemp("topics") / "records"
    lines = ["topic plant.press-1 2 none"]
    for i in range(20000):
        value = '{"line":' if i % 5000 == 7 else '{"line":"L%d","value":%d.5}' % (i % 3, i)
        lines.append(f"{i % 2} {1700000000000 + i} - {value.encode().hex()} -")
    lines.append("topic empty 1 none")
    path.write_text("\n".join(lines) + "\n")
    with Embedded([path]) as b:
        yield b.bootstrap


def test_undecodable_messages_are_summed_up_in_one_line(broker):
    got = weir("-b", broker, "-c", 'select count(value) as n from "plant.press-1"').ok()
    assert got.out == "n\n19996\n"
    assert got.err.count("4 of 20,000 messages could not be decoded (SELECT * FROM weir_errors)") == 1
    assert weir("-b", broker, "--strict", "-c", 'select count(value) from "plant.press-1"').code == 4


def test_guard_rail(broker):
    got = weir("-b", broker, "--max-bytes", "100k", "-c", 'select count(a.value + b.value) from "plant.press-1" a, "plant.press-1" b')
    assert got.code == 6 and "--max-bytes" in got.err


def test_no_rows_is_a_header_and_exit_0(broker):
    assert weir("-b", broker, "-q", "--mode", "csv", "-c", "select _partition, _offset from empty").ok().out == "_partition,_offset\n"


def test_broken_pipe_ends_the_scan(broker):
    import subprocess
    from weir import binary, clean_env
    done = subprocess.run(["bash", "-c", f'"{binary()}" -q -b {broker} -c \'select * from "plant.press-1" a, "plant.press-1" b\' | head -1; echo ${{PIPESTATUS[0]}}'],
                          env=clean_env(), capture_output=True, text=True, timeout=20)
    assert done.stdout.split()[-1] == "141" and done.stderr == ""


def test_unreachable_broker_is_2_and_soon():
    got = weir("-b", "127.0.0.1:1", "-c", "select * from t")
    assert got.code == 2 and got.took_s < 8


def test_topics_are_completed_in_quotes_and_written_only_when_asked(broker):
    with Terminal("-b", broker, columns=140) as t:
        t.prompt()
        t.send("select value from plant.p\t")
        t.wait('from "plant.press-1"')
        t.send(" limit 1;\r")
        t.wait("(1 row)")
        t.line("set write = on;")
        t.prompt()
        t.line("insert into \"plant.press-1\"(line, value) values ('asked', 1.5);")
        t.wait('Write to topic "plant.press-1"')
        t.line("n")
        t.wait("was not confirmed")
        t.line("insert into \"plant.press-1\"(line, value) values ('asked', 2.5);")
        t.wait('Write to topic "plant.press-1"', count=2)
        t.line("y")
        t.prompt()
        t.line("select value from \"plant.press-1\" where line = 'asked';")
        t.wait("│   2.5 │")


def test_ctrl_c_ends_a_scan_and_progress_shows_offsets(broker):
    with Terminal("-b", broker, columns=140) as t:
        t.prompt()
        t.line('select count(*) from "plant.press-1" a, "plant.press-1" b where a.value > b.value;')
        t.wait("messages  ").wait("rows")
        t.send("\x03")
        t.wait("interrupted").prompt()
