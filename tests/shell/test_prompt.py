"""The prompt on a terminal."""
import signal
import time

from pty_weir import Terminal, history_env, read_history

ENDLESS = "with recursive c(n) as (select 1 union all select n+1 from c) select count(*) from c;"
HUNDRED = "with recursive c(n) as (select 1 union all select n+1 from c limit 100) select n, n*n from c;"


def test_starts_without_a_cluster_and_says_how_to_connect():
    with Terminal() as t:
        t.wait("weir -b host:9092").wait("weir demo").prompt()
        t.line("select 40+2 as answer;")
        t.wait("42").wait("(1 row)")
        t.line("\\q")
        assert t.end() == 0


def test_a_statement_over_several_lines():
    with Terminal("-q") as t:
        t.prompt()
        t.line("select 1 as a,")
        t.wait("->")
        t.line("'it''s")
        t.wait("'>")
        t.line("two lines' as b")
        t.wait("->", count=2)
        t.line(";")
        t.wait("it's\\ntwo lines")


def test_box_null_and_row_count():
    with Terminal() as t:
        t.prompt()
        t.line("select 1 a, null b, 'x' c union all select 2, 'y', null;")
        t.wait("(2 rows)")
        assert "│ 1 │ NULL │ x    │" in t.screen
        assert b"\x1b[2mNULL\x1b[0m" in t.raw, "NULL is dimmed"


def test_ctrl_c_at_the_prompt_drops_the_line():
    with Terminal("-q") as t:
        t.prompt()
        t.line("select 'unfinished'")
        t.wait("->")
        t.send("more")
        t.wait("more")
        t.send("\x03")
        t.wait("^C").prompt()
        t.line("select 'after';")
        t.wait("│ after")


def test_ctrl_c_cancels_the_query_within_200_ms_and_keeps_the_prompt():
    with Terminal("-q") as t:
        took_s = []
        for _ in range(5):                       # a machine may stand still once
            t.prompt()
            t.line("\\! clear")
            t.prompt()
            t.line(ENDLESS)
            time.sleep(0.3)
            before = time.monotonic()
            t.send("\x03")
            t.wait("interrupted")
            took_s.append(time.monotonic() - before)
            if took_s[-1] < 0.2 + 0.1:           # the screen is polled every 50 ms
                break
        assert min(took_s) < 0.2 + 0.1, took_s
        t.prompt()
        t.line("select 'alive' as state;")
        t.wait("│ alive │")
        t.send("\x04")
        assert t.end() == 0


def test_progress_line_comes_after_300_ms_and_goes():
    with Terminal() as t:
        t.prompt()
        t.line(ENDLESS)
        t.wait("running ", timeout_s=3)
        t.send("\x03")
        t.wait("interrupted")
        t.gone("running")


def test_ctrl_d_leaves():
    with Terminal("-q") as t:
        t.prompt()
        t.send("\x04")
        assert t.end() == 0


def test_the_pager_shows_more_than_a_screen(tmp_path):
    with Terminal("-q", rows=20, env={"PAGER": f"cat > {tmp_path}/paged"}) as t:
        t.prompt()
        t.line("select 'short';")
        t.wait("│ short")
        assert not (tmp_path / "paged").exists()
        t.line(HUNDRED)
        t.prompt()
        deadline = time.monotonic() + 5
        while "10000" not in ((tmp_path / "paged").read_text() if (tmp_path / "paged").exists() else "") and time.monotonic() < deadline:
            t.read()
        assert "10000" in (tmp_path / "paged").read_text()
        assert "10000" not in t.text


def test_less_and_leaving_it_early():
    with Terminal("-q", rows=20, env={"PAGER": "less -SFRX"}) as t:
        t.prompt()
        t.line(HUNDRED)
        t.wait("│   9 │    81 │")
        assert "10000" not in t.text
        t.send("q")
        t.prompt()
        t.line("select 'here';")
        t.wait("│ here")


def test_history_keeps_statements_but_no_secrets(tmp_path):
    env = history_env(tmp_path)
    with Terminal("-q", env=env) as t:
        t.prompt()
        t.line("select 'first';")
        t.wait("│ first")
        t.line("select 1,")
        t.wait("->")
        t.line("  'second';")
        t.wait("│ second")
        t.line(" select 'space';")
        t.wait("│ space")
        t.line("select 'sasl.password' = 'hunter2';")
        t.wait("'sasl.password'", count=2)
        t.line("\\set token abc")
        t.prompt()
        t.send("\x04")
        t.end()
    text, mode = read_history(tmp_path)
    assert text == "select 'first';\nselect 1,\x01  'second';\n"
    assert mode == "0o600"
    with Terminal("-q", env=env) as t:
        t.prompt()
        t.send("\x1b[A\x1b[A")        # up, up
        t.wait("select 'first';")
        t.send("\r")
        t.wait("│ first")


def test_history_that_cannot_be_written_is_said_once(tmp_path):
    (tmp_path / "state").write_text("a file, not a folder")
    with Terminal(env=history_env(tmp_path)) as t:
        t.wait("history is not kept").prompt()
        t.line("select 'works';")
        t.wait("│ works")
        assert t.text.count("history is not kept") == 1


def test_weirrc_runs_at_start(tmp_path):
    (tmp_path / "config" / "weir").mkdir(parents=True)
    (tmp_path / "config" / "weir" / "weirrc").write_text(".mode csv\n")
    with Terminal("-q", env=history_env(tmp_path)) as t:
        t.prompt()
        t.line("select 1 a, 2 b;")
        t.wait("a,b").wait("1,2")
    with Terminal("-q", "--no-rc", env=history_env(tmp_path)) as t:
        t.prompt()
        t.line("select 1 a, 2 b;")
        t.wait("│ 1 │ 2 │")


def test_tab_completes_commands_keywords_tables_and_files(tmp_path):
    (tmp_path / "script_of_mine.sql").write_text("select 'from file';\n")
    with Terminal(cwd=str(tmp_path)) as t:
        t.prompt()
        t.send("\\tim\t")
        t.wait("\\timing")
        t.send("\r")
        t.wait("Timing is on")
        t.line("create table machines(line text, speed real);")
        t.prompt()
        t.send("select * from mach\t")
        t.wait("from machines")
        t.send(";\r")
        t.wait("line │ speed")
        t.send("\\i script_o\t\r")
        t.wait("│ from file")
        t.send(".mode nd\t")
        t.wait(".mode ndjson")


def test_resize_changes_the_tables_width():
    wide = "select 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxEND' as w;"
    with Terminal("-q", columns=120) as t:
        t.prompt()
        t.line(wide)
        t.wait("xEND │")
        t.resize(40, 30)
        t.line("select 1;")
        t.prompt()
        before = len(t.raw)
        t.line("select substr(hex(zeroblob(60)),1,90) || 'END' as w;")
        t.wait("…")
        assert b"0END" not in t.raw[before:].split(b"\r\n", 1)[1]


def test_terminal_never_gets_what_a_payload_would_do_to_it():
    bad = "char(27)||']52;c;aGk='||char(7)||char(0x202e)||char(0x9b)||'31m'||char(8)||char(13)||'x'"
    with Terminal("-q", columns=160, rows=50) as t:
        t.prompt()
        for mode in "box table column line expanded csv tsv json ndjson markdown html insert list quote raw".split():
            t.line(f".mode {mode}")
            t.prompt()
            start = len(t.raw)
            t.line(f"select {bad} as v;")
            until = time.monotonic() + 20
            # The echo and a new prompt behind it: a prompt alone may be the one before.
            while b"=>" not in t.raw[start:].partition(b"as v;")[2] and time.monotonic() < until:
                t.read(0.05)
            out = t.raw[start:].split(b"as v;", 1)[1]
            for danger in (b"\x1b]52", b"\x07", "\u202e".encode(), "\x9b".encode(), b"\x08"):
                assert danger not in out, f"{mode}: {danger!r} reached the terminal: {out!r}"


def test_raw_lets_it_through():
    with Terminal("-q", "--raw", "--mode", "csv") as t:
        t.prompt()
        t.line("select char(7) || 'bell';")
        t.wait("bell", count=3)
        assert b"\x07bell" in t.raw


def test_errors_show_the_line_with_a_caret():
    with Terminal("-q") as t:
        t.prompt()
        t.line("select 1, nope from (select 2);")
        t.wait("no such column: nope").wait("WEIR-3001")
        lines = t.screen
        at = next(i for i, s in enumerate(lines) if s.strip() == "^")
        assert lines[at].index("^") == lines[at - 1].index("nope")


def test_unknown_command_suggests():
    with Terminal("-q") as t:
        t.prompt()
        t.line("\\timng")
        t.wait("did you mean \\timing?")
        t.line(".tabels")
        t.wait("did you mean .tables?")
        t.line(".x")
        t.wait("did you mean \\x?")


def test_expanded_gx_watch_and_edit(tmp_path):
    editor = tmp_path / "ed"
    editor.write_text("#!/bin/sh\necho \"select 'edited' as how;\" > \"$1\"\n")
    editor.chmod(0o755)
    with Terminal("-q", env={"EDITOR": str(editor)}) as t:
        t.prompt()
        t.line("select 1 a, 2 b \\gx")
        t.wait("-[ RECORD 1 ]").wait("a | 1")
        t.line("select 7 as seven;")
        t.wait("│     7 │")
        t.line("\\watch 0.2")
        t.wait("Ctrl-C ends")
        t.send("\x03")
        t.prompt()
        t.line("\\e")
        t.wait("│ edited │")


def test_wide_results_become_expanded():
    with Terminal("-q", columns=60) as t:
        t.prompt()
        t.line("select " + ", ".join(f"'value number {i}' as column_{i}" for i in range(12)) + ";")
        t.wait("-[ RECORD 1 ]").wait("column_11 | value number 11")


def test_dumb_terminal_is_plain():
    with Terminal("-q", term="dumb") as t:
        t.wait("=>")
        t.line("select 1 a, null b;")
        t.wait("| 1 | NULL |")
        assert b"\x1b[" not in t.raw


def test_sigterm_and_sighup_end_the_prompt():
    for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        with Terminal("-q") as t:
            t.prompt()
            t.child.kill(number)
            assert t.end() == code
