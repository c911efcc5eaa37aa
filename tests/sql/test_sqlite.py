"""SQLite's SQL stays SQLite's: every block of sqlite/*.sql must give the rows that the sqlite3 shell gives.

A block begins with `-- case: NAME`. It is run in an empty database, without a broker, by both programs (`--mode csv` and `-csv`; no headers,
since sqlite3 leaves them out where there are no rows). The rows are compared as CSV, since the two may quote a field differently, and real
numbers as numbers, since sqlite3 prints 15 digits. Files named error_*.sql hold statements that must fail in both, one case a line.
"""
import csv
import io
import math
import re
import subprocess
from pathlib import Path

import pytest

from weir import binary, clean_env

HERE = Path(__file__).parent / "sqlite"


def blocks():
    for path in sorted(HERE.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        if path.stem.startswith("error_"):
            for i, line in enumerate(text.splitlines(), 1):
                if line.strip() and not line.startswith("--"):
                    yield pytest.param(line, True, id=f"{path.stem}-{i}")
            continue
        parts = re.split(r"^-- case: (.*)$", text, flags=re.MULTILINE)
        for name, body in zip(parts[1::2], parts[2::2]):
            yield pytest.param(body, False, id=f"{path.stem}-{name.strip().replace(' ', '_')}")


def rows(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8", "backslashreplace").replace("\r\n", "\n"))))


def same(ours, theirs):
    if ours == theirs:
        return True
    try:
        a, b = float(ours), float(theirs)
    except ValueError:
        return False
    return ("." in theirs or "e" in theirs) and math.isclose(a, b, rel_tol=1e-14)


def equal(ours, theirs):
    return len(ours) == len(theirs) and all(len(a) == len(b) and all(map(same, a, b)) for a, b in zip(ours, theirs))


def run(argv, script, folder):
    folder.mkdir()
    return subprocess.run(argv, input=script.encode(), capture_output=True, cwd=folder, env=clean_env({"HOME": str(folder)}), timeout=60)


if binary().exists():
    @pytest.mark.parametrize("script, fails", list(blocks()))
    def test_as_in_sqlite3(script, fails, tmp_path):
        theirs = run(["sqlite3", "-batch", "-bail", "-csv", "-noheader", ":memory:"], script, tmp_path / "sqlite3")
        assert (theirs.returncode != 0) == fails, f"the corpus is wrong: sqlite3 says {theirs.stderr.decode()}"
        ours = run([str(binary()), "--mode", "csv"], ".headers off\n" + script, tmp_path / "weir")
        said = f"\nscript:\n{script}\nstderr:\n{ours.stderr.decode(errors='replace')}"
        if fails:
            assert ours.returncode == 3, f"exit {ours.returncode}, expected 3 (SQL error){said}"
            assert ours.stderr.strip(), f"no message{said}"
        else:
            assert ours.returncode == 0, f"exit {ours.returncode}{said}"
            assert equal(rows(ours.stdout), rows(theirs.stdout)), f"weir: {rows(ours.stdout)}\nsqlite3: {rows(theirs.stdout)}{said}"
