"""Proves the runner of the SQL cases: that it reads the record form, and that a wrong answer does fail a case.

The program it runs here is not weir but a few lines of sh, so these hold whatever weir does.
"""
from contextlib import contextmanager

import pytest

import sqlcase

ECHO = """#!/bin/sh
# Repeats its arguments and standard input; the last argument may be an exit code.
echo "args: $*"
cat
echo "note: $PWD" >&2
case "${1:-}" in fail) exit 3;; esac
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    fake = tmp_path / "fake"
    fake.write_text(ECHO)
    fake.chmod(0o755)
    monkeypatch.setenv("WEIR", str(fake))
    seen = []

    @contextmanager
    def cluster(name, topics, folder):
        seen.append((name, [t.plain() for t in topics]))
        yield f"host-{name}:1"

    def run(text, update=False):
        path = tmp_path / "a.case"
        path.write_text(text)
        seen.clear()
        sqlcase.run_case(path, cluster, update)
        return path.read_text() if update else list(seen)
    return run


def plain(run, records, options=""):
    return run(f"--- topic t {options}\n{records}\n--- exit 0\n")[0][1][0].splitlines()


def test_records(run):
    assert plain(run, 'k="a" v={"x": [1, "}\\""]} h=[["n","v"],["e",""],["0",null],["b","hex:00ff"]]\nv=1.5 p=1\n# comment\n\nk=hex:00 ts=+5', "partitions=2 compression=lz4") == [
        "topic t 2 lz4",
        "0 1700000000000 61 " + b'{"x": [1, "}\\""]}'.hex() + " 6e:76,65:.,30:-,62:00ff",
        "1 1700000001000 - " + b"1.5".hex() + " -",
        "0 1700000001005 00 - -"]


def test_null_empty_and_bad_json(run):
    assert [l.split()[3] for l in plain(run, 'v=null\nv=""\nv="null"\nv="\\"q\\""\nv=text:{"x": \nv=rep:3:ab\nv="\\u00e9"')[1:]] == [
        "-", ".", b"null".hex(), b'"q"'.hex(), b'{"x":'.hex(), b"ababab".hex(), "é".encode().hex()]


def test_many(run):
    lines = plain(run, 'k="k$i" v={"i":$i} p=* ts=+100 n=3\nv=last ts=5', "partitions=2")
    assert lines[1:] == ["0 1700000000000 6b30 " + b'{"i":0}'.hex() + " -", "1 1700000000100 6b31 " + b'{"i":1}'.hex() + " -",
                         "0 1700000000200 6b32 " + b'{"i":2}'.hex() + " -", "0 5 - " + b"last".hex() + " -"]


@pytest.mark.parametrize("record", ["x=1", "v={", 'v="a" v="b"', "p=2", "p=-1", "v=hex:0", 'h=[1]', "ts=soon"])
def test_wrong_records_are_refused(run, record):
    with pytest.raises(sqlcase.CaseError, match=r"a\.case:2: "):
        run(f"--- topic t partitions=2\n{record}\n--- exit 0\n")


@pytest.mark.parametrize("text", ["--- script\nx\n", "--- nonsense\n", "--- exit 0\n--- exit 0\n", "--- stdout sometimes\nx\n"])
def test_wrong_cases_are_refused(run, text):
    with pytest.raises(sqlcase.CaseError):
        run(text)


def test_words_go_in_and_come_out(run):
    seen = run("--- broker\n--- broker b\n--- args\n'{bootstrap:b}' {dir}\n--- script\nselect '{bootstrap}', '{other}';\n"
               "--- stdout\nargs: -b {bootstrap} {bootstrap:b} {dir}\nselect '{bootstrap}', '{other}';\n--- stderr\nnote: {dir}\n")
    assert [name for name, _ in seen] == ["b", "main"]


@pytest.mark.parametrize("expect", ["--- stdout\nargs: \nx\n", "--- stdout unordered\nx\nargs: \n", "--- stdout lines\nargs\n~^x$\n!y\n", "--- stderr lines\nnote\n", "--- exit 0\n"])
def test_right_answers_pass(run, expect):
    run(f"--- script\nx\n{expect}")


@pytest.mark.parametrize("expect", ["--- stdout\nargs: \ny\n", "--- stdout\nargs: \nx\nx\n", "--- stdout unordered\ny\nargs: \n", "--- stdout unordered header\nx\nargs: \n",
                                    "--- stdout lines\nz\n", "--- stdout lines\n~^y\n", "--- stdout lines\n!x\n", "--- stderr\nnote\n", "--- exit 1\n"])
def test_wrong_answers_fail(run, expect):
    with pytest.raises(AssertionError):
        run(f"--- script\nx\n{expect}")


def test_unexpected_failure_fails(run):
    with pytest.raises(AssertionError, match="exit code 3, expected 0"):
        run("--- argv\nfail\n--- stdout lines\nargs\n")


def test_xfail(run):
    run("--- script\nx\n--- xfail not yet\n--- stdout\ny\n")
    with pytest.raises(AssertionError, match="passes now"):
        run("--- script\nx\n--- xfail not yet\n--- stdout lines\nx\n")


def test_update(run):
    got = run("# why\n--- argv\nfail\n--- script\n--- exit 9\n\n--- stdout\nold\n\n--- stderr lines\nnote\n", update=True)
    assert got == "# why\n--- argv\nfail\n--- script\n--- exit 3\n\n--- stdout\nargs: fail\n\n--- stderr lines\nnote\n"
    again = run(got, update=True)
    assert again == got


def test_update_does_not_bless_a_missing_line(run):
    with pytest.raises(AssertionError):
        run("--- script\nx\n--- stdout lines\ny\n", update=True)
