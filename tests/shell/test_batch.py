"""-c, -f, standard input: exit codes, signals, errors with their place, variables."""
import os
import signal
import subprocess
import time

import pytest

from machine import Stopwatch
from weir import binary, clean_env, start, weir

ROWS = "with recursive c(n) as (select 1 union all select n+1 from c) select n from c"
ENDLESS = "with recursive c(n) as (select 1 union all select n+1 from c) select count(*) from c"


def test_default_in_a_pipe_is_tsv_with_a_header():
    got = weir("-c", "select 1 a, null b, '' c, 'x' || char(9) || 'y' d").ok()
    assert got.out == 'a\tb\tc\td\n1\t\t""\t"x\ty"\n'
    assert got.err == ""


def test_c_and_f_in_their_order(tmp_path):
    (tmp_path / "a.sql").write_text("select 'a';\n")
    got = weir("--no-header", "-c", "select 1", "-f", tmp_path / "a.sql", "-c", "select 2; select 3", "-f", "-", stdin="select 'stdin'").ok()
    assert got.out.split() == ["1", "a", "2", "3", "stdin"]


def test_shebang_bom_and_crlf(tmp_path):
    script = tmp_path / "s"
    script.write_bytes(b"#!/usr/bin/env -S weir -f\r\n\xef\xbb\xbf"[:27] + b"select 1;\r\nselect 2\r\n")
    assert weir("--no-header", "-f", script).ok().out.split() == ["1", "2"]
    assert weir("--no-header", stdin=b"\xef\xbb\xbfselect 5;\r\n.print done\r\n").ok().out.split() == ["5", "done"]


@pytest.mark.parametrize("args, code, text", [
    (["--no-such"], 1, "unknown option --no-such"),
    (["--mod", "csv"], 1, "did you mean --mode?"),
    (["--mode", "jsn"], 1, "did you mean json?"),
    (["--timeout", "soon"], 1, "duration"),
    (["db", "select 1"], 1, "after -c"),
    (["-c"], 1, "-c wants SQL"),
    (["run", "x.db"], 1, "not available"),
    (["mount", "/no/such/folder"], 1, "/no/such/folder: No such file"),
    (["-f", "/no/such/file"], 1, "No such file"),
    (["-f", "/tmp"], 1, "directory"),
    (["/no/such/folder/x.db", "-c", "create table t(a)"], 5, "/no/such/folder/x.db"),
    (["-c", "selec 1"], 3, "-c:1:1: near \"selec\""),
    (["-c", "\\nope"], 3, "no command"),
    (["-c", "\\assert select 1 = 2"], 4, "assertion failed"),
    (["-c", "\\if maybe"], 3, "neither true nor false"),
    (["-c", "\\if true"], 3, "without \\endif"),
    (["explain", "WEIR-1"], 1, "no error"),
])
def test_exit_codes(args, code, text):
    got = weir(*args)
    assert (got.code, got.out) == (code, ""), got.err
    assert text in got.err
    assert got.err.count("\n") == 1, "one line: " + got.err


def test_help_version_explain_go_to_stdout():
    assert "--brokers" in weir("--help").ok().out
    out = weir("--version").ok().out
    for name in ("weir ", "librdkafka ", "gzip", "SQLite 3.", "jansson 2", "readline "):
        assert name in out
    assert "No such topic" in weir("explain", "WEIR-3002").ok().out
    assert weir("--help").err == weir("--version").err == ""


def test_error_place_and_stop(tmp_path):
    (tmp_path / "s.sql").write_text("select 1;\n\nselect 2,\n   nöpe, nope2\n;\nselect 3;\n")
    got = weir("--no-header", "-f", "s.sql", cwd=tmp_path)
    assert got.code == 3
    assert got.out.split() == ["1"]
    assert got.err.startswith("weir: s.sql:4:4: no such column: nöpe"), got.err
    got = weir("--no-header", "--keep-going", "-f", "s.sql", cwd=tmp_path)
    assert got.code == 3 and got.out.split() == ["1", "3"]


@pytest.mark.parametrize("script, place", [
    ("select 1;\n  select 'abc", "stdin:2:10"),
    ("select \"abc\n\n", "stdin:1:8"),
    ("select 1 /* abc\n", "stdin:1:10"),
    ("select 1;\nsel\0ect;", "stdin:2:4"),
    ("select 1; select 2; selec 3;", "stdin:1:21"),
])
def test_places(script, place):
    got = weir("--no-header", stdin=script)
    assert got.code == 3
    assert place + ":" in got.err, got.err


def test_broken_pipe_is_silent_and_at_once():
    watch = Stopwatch()
    done = subprocess.run(["bash", "-c", f'"{binary()}" -c "{ROWS}" | head -1; echo ${{PIPESTATUS[0]}}'], env=clean_env(), capture_output=True, text=True, timeout=20)
    assert done.stdout.split() == ["n", "141"]
    assert done.stderr == ""
    assert watch.took() < 3


def test_reader_gone_while_no_row_comes():
    p = start("-c", "select 1; " + ENDLESS)
    assert p.stdout.readline() == b"1\n"
    p.stdout.close()
    watch = Stopwatch()
    assert p.wait(5) == 141
    assert watch.took() < 1
    assert p.stderr.read() == b""


def test_dev_full():
    with open("/dev/full", "w") as full:
        for sql in ("select 1", ROWS + " limit 1000000"):
            p = start("-c", sql, stdout=full)
            err = p.communicate(timeout=20)[1]
            assert p.returncode == 1
            assert b"write error" in err and err.count(b"\n") == 1, err


def test_closed_standard_files(tmp_path):
    run = lambda tail: subprocess.run(["bash", "-c", f'"{binary().resolve()}" x.db -c "create table if not exists t(a); select 12345678" {tail}'], env=clean_env(),
                                      capture_output=True, text=True, cwd=tmp_path, timeout=20)
    got = run(">&-")
    assert got.returncode == 1 and "write error" in got.stderr
    assert b"12345678" not in (tmp_path / "x.db").read_bytes()
    assert run("2>&- <&-").returncode == 0


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("args", [["-c", ENDLESS], []], ids=["in a query", "waiting for stdin"])
def test_signals(number, code, args):
    p = start(*args)
    time.sleep(0.4)
    watch = Stopwatch()
    p.send_signal(number)
    assert p.wait(5) == code
    assert watch.took() < 0.2


def test_timeout_prints_rows_so_far():
    got = weir("--timeout", "300ms", "-c", ROWS)
    assert got.code == 124
    assert len(got.out.split()) > 1000
    assert "time limit" in got.err or "--timeout" in got.err
    assert got.took_s < 2
    assert weir("--timeout", "0.2", "-c", ENDLESS).code == 124


def test_first_row_and_idle_rows_stream():
    p = start("--no-header", bufsize=0)
    p.stdin.write(b"select 'one';\n")
    assert os.read(p.stdout.fileno(), 100) == b"one\n"
    p.stdin.write(b"select 'two';\n")
    assert os.read(p.stdout.fileno(), 100) == b"two\n"
    p.communicate(timeout=5)


def test_limit():
    assert weir("--limit", "3", "--no-header", "-c", ROWS).ok().out.split() == ["1", "2", "3"]
    assert weir("--limit", "0", "-c", "select 1 a").ok().out == "a\n"


def test_variables():
    got = weir("-v", "x=it's", "--no-header", "--mode", "list", "-c", "select :x, :'x'", "-c", "\\set y 42", "-c", "select :y + 0").ok()
    assert got.out == "it's|it's\n42\n"
    got = weir("--no-header", stdin="select 5 as five, 'a b' as ab \\gset p_\n\\echo :p_five :p_ab\n\\if :p_five\n\\endif\n")
    assert got.out == "5 a b\n" and got.code == 3      # 5 is no boolean, as in psql


def test_if_elif_else():
    script = "\\set a off\n\\if :a\nselect 1;\n\\elif true\nselect 2;\n\\if false\nselect 'x;\n\\endif\n\\else\nselect 3;\n\\endif\nselect 4;\n"
    assert weir("--no-header", stdin=script).ok().out.split() == ["2", "4"]


def test_backslash_commands_end_a_statement():
    got = weir("--no-header", "-c", "select 1 a, 2 b \\gx").ok()
    assert got.out == "1\t2\n", "tsv is not for people: \\x changes nothing"
    got = weir("--mode", "table", "-c", "select 1 a, 2 b \\gx").ok()
    assert "a | 1\nb | 2\n" in got.out
    assert weir("-c", "select '\\x' as v").ok().out == "v\n\\x\n"


def test_output_redirection(tmp_path):
    weir("-c", "\\o one.csv", "-c", ".mode csv", "-c", "select 1 a", "-c", "\\o", "-c", ".once two", "-c", "select 2 b", "-c", "\\o |cat > three", "-c", "select 3 c",
         cwd=tmp_path).ok()
    assert [(tmp_path / n).read_text() for n in ("one.csv", "two", "three")] == ["a\n1\n", "b\n2\n", "c\n3\n"]
    got = weir("-c", "\\o /dev/full", "-c", "select 1")
    assert got.code == 1 and "write error" in got.err


def test_import_and_dump(tmp_path):
    (tmp_path / "d.csv").write_bytes(b'\xef\xbb\xbfname,text\r\na,"x ""y""\nz"\r\nb,\r\nc,""\r\n')
    got = weir("x.db", "-c", ".import d.csv t", "-c", ".mode quote", "-c", "select * from t", cwd=tmp_path).ok()
    assert got.out == "'name','text'\n'a','x \"y\"\nz'\n'b',NULL\n'c',''\n"
    dump = weir("x.db", "-c", ".dump", cwd=tmp_path).ok().out
    assert weir("--mode", "quote", stdin=dump + "select * from t;").ok().out == got.out
    weir("x.db", "-c", "\\copy (select name from t where text is null) to out.csv", cwd=tmp_path).ok()
    assert (tmp_path / "out.csv").read_text() == "name\nb\n"


def test_import_is_all_or_nothing(tmp_path):
    (tmp_path / "d.csv").write_text('1\n2\n"open\n')
    got = weir("-c", "create table t(a)", "-c", ".import d.csv t", cwd=tmp_path)
    assert got.code == 3 and "line 3" in got.err
    got = weir("--keep-going", "--no-header", "-c", "create table t(a)", "-c", ".import d.csv t", "-c", "select count(*) from t", cwd=tmp_path)
    assert got.out == "0\n"


def test_changes_echo_eqp_rewrite():
    got = weir("-c", ".changes on", "-c", "create table t(a); insert into t values (1),(2)").ok()
    assert "changes: 2   total_changes: 2" in got.err and got.out == ""
    assert "select 1 as x" in weir("--echo", "-c", "select 1 as x").ok().err
    assert "-- select 1 as x" in weir("-c", ".rewrite on", "-c", "select 1 as x").ok().err
    assert "SCAN t" in weir("-c", "create table t(a)", "-c", ".eqp on", "-c", "select * from t").ok().out


def test_safe_refuses_files_and_programs(tmp_path):
    for command in ("\\! id", ".shell id", "\\o x", "\\g x", ".read x", ".import x y", "\\e", "\\copy t to x"):
        got = weir("--safe", "-c", command, cwd=tmp_path)
        assert got.code == 3 and "--safe" in got.err, (command, got.err)
    assert list(tmp_path.iterdir()) == []


def test_nested_scripts_end(tmp_path):
    (tmp_path / "loop.sql").write_text("\\ir loop.sql\n")
    got = weir("-f", tmp_path / "loop.sql")
    assert got.code == 3 and "nested" in got.err


def test_dry_run_runs_nothing(tmp_path):
    got = weir("x.db", "--dry-run", "-c", "create table t(a); insert into t values (1); select * from t; select * from nope", cwd=tmp_path)
    assert got.code == 3 and "nope" in got.err and got.out == ""
    assert weir("x.db", "-c", ".tables", cwd=tmp_path).ok().out == ""


def test_long_statement_and_many_statements():
    script = "create table t(a);\n" + "insert into t values (1);\n" * 20000 + "select sum(a) from t"
    got = weir("--no-header", "-c", "begin", "-f", "-", "-c", "commit", stdin=script, timeout_s=60).ok()
    assert got.out == "20000\n"
    assert weir("--no-header", stdin="select length('" + "x" * 10_000_000 + "\n');").ok().out == "10000001\n"


def test_the_docs_list_every_command_and_option():
    text = (binary().parent.parent / "docs" / "shell.md").read_text() if (binary().parent.parent / "docs").exists() else ""
    if not text:
        pytest.skip("not in a source tree")
    for listing in (weir("-c", "\\?").ok().out, weir("-c", ".help").ok().out):
        for line in listing.splitlines():
            if line.startswith("  "):
                assert line in text, "docs/shell.md is old: " + line
    for line in weir("--help").ok().out.split("options:")[1].split("exit codes:")[0].splitlines():
        assert line in text, "docs/shell.md is old: " + line
