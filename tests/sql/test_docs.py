"""The documentation is true: what it shows runs, what it names exists, and what it lists is all there is.

    ```sql                  runs against the demo's plant and must succeed; the fences of a page share one session, with --write
    ```sql error 3          must fail with this exit code; ```sql error WEIR-3006 with this error
    ```console              `$ weir demo --start ..` is run and must print what stands below it; of other weir commands the options must exist
"""
import os
import re
import shlex
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

import errors_page
from weir import ROOT, binary, clean_env, weir

DEMO = ["demo", "-q", "--seed", "1", "--start", "2026-09-01T06:00:00Z", "--write", "--no-rc"]
PAGES = [ROOT / "README.md", ROOT / "examples/README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)[ ]*([^\n]*)\n(.*?)^```$", re.M | re.S)
EMPTY = {"docs/sql.md": 1, "docs/tour.md": 1, "docs/configuration.md": 1}      # results without rows: no groups, the last hour by the clock, no profiles
NOT_WRITTEN = ("tests/torture/",)      # tests/lib/check.py, PENDING


def relative(path):
    return str(path.relative_to(ROOT))


def fences(page, language):
    text = page.read_text(encoding="utf-8")
    return [(text[:m.start()].count("\n") + 2, m[2].strip(), m[3]) for m in FENCE.finditer(text) if m[1] == language]


WITH_SQL = [p for p in PAGES if any(not info for _, info, _ in fences(p, "sql"))]
ERRORS = [(p, line, info, sql) for p in PAGES for line, info, sql in fences(p, "sql") if info]
COMMANDS = [(p, line, text) for p in PAGES for line, _, text in fences(p, "console")]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", WITH_SQL, ids=relative)
def test_sql_of_a_page_runs(page, tmp_path):
    # Lines stay where they are in the page, so that an error names the page's line.
    script, at = [], 1
    for line, info, sql in fences(page, "sql"):
        if not info:
            script.append("\n" * (line - at) + sql)
            at = line + sql.count("\n")
    path = tmp_path / page.name
    path.write_text("".join(script), encoding="utf-8")
    got = weir(*DEMO, "-e", "--mode", "json", "-f", path, cwd=tmp_path, timeout_s=150)
    assert got.code == 0, f"{relative(page)}: exit {got.code}\n{got.err[-2000:]}"
    assert len(re.findall(r"^\[\]$", got.out, re.M)) == EMPTY.get(relative(page), 0), f"{relative(page)}: results without rows"


@pytest.mark.parametrize("page, line, info, sql", ERRORS, ids=[f"{relative(p)}:{line}" for p, line, _, _ in ERRORS])
def test_sql_error_of_a_page(page, line, info, sql, tmp_path):
    words = info.split()
    assert len(words) == 2 and words[0] == "error", f"{relative(page)}:{line}: ```sql {info}"
    got = weir(*[a for a in DEMO if a != "--write"], "-c", sql, cwd=tmp_path, timeout_s=60)
    if words[1].startswith("WEIR-"):
        assert words[1] in got.err and got.code != 0, f"{relative(page)}:{line}: exit {got.code}\n{got.err}"
    else:
        assert got.code == int(words[1]), f"{relative(page)}:{line}: exit {got.code}\n{got.err}"


# ---- commands

def test_errors_advise_what_exists():
    for _, _, _, advice in errors_page.entries():
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", advice):
            assert option in known_options(), advice


@lru_cache
def known_options():
    text = weir("--help").ok().out
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", text)) | set(re.findall(r"^  (-\w)\b", text, re.M))


def commands(text):
    """(command, output below it) of the lines that begin with `$ `; a line that ends in a backslash goes on."""
    found = []
    for line in text.splitlines():
        if found and found[-1][0].endswith("\\"):
            found[-1][0] = found[-1][0][:-1] + line.lstrip("> ")
        elif line.startswith("$ "):
            found.append([line[2:], []])
        elif found:
            found[-1][1].append(line)
    return found


@pytest.mark.parametrize("page, line, text", COMMANDS, ids=[f"{relative(p)}:{line}" for p, line, _ in COMMANDS])
def test_commands_of_a_page(page, line, text, tmp_path):
    for command, below in commands(text):
        words = shlex.split(command.split(" | ")[0], comments=True)
        if not words or words[0] not in ("weir", "./run", "build/weir"):
            continue
        for word in words[1:]:
            if re.fullmatch(r"--[a-z][a-z-]*(=.*)?|-[a-zA-Z]", word):
                assert word.split("=")[0] in known_options(), f"{relative(page)}:{line}: weir has no option {word}"
        if words[:2] == ["weir", "demo"] and "--start" in words:
            same(page, line, below, weir(*words[1:], cwd=ROOT, timeout_s=60).ok())


def comparable(lines):
    """Without what differs from run to run: the broker's port, row counts, and the bytes and seconds that EXPLAIN SCAN expects."""
    kept, estimates = [], False
    for line in lines:
        line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", line)
        estimates = line.endswith("│ seconds │") or (estimates and not line.startswith("└"))
        if estimates and line.startswith("│"):
            line = "│".join(line.split("│")[:6])
        if line.strip() and not re.match(r"[┌├└]|\(\d+ rows?\)$", line):
            kept.append(line)
    return kept


def same(page, line, shown, got):
    """What the page shows is what came; what it shows of stderr is among what came."""
    kept, said = comparable(shown), comparable(got.out.splitlines())
    assert said == [l for l in kept if not l.startswith("weir: ")], f"{relative(page)}:{line}"
    for notice in kept:
        assert not notice.startswith("weir: ") or notice in re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", got.err), f"{relative(page)}:{line}: {notice}"


@pytest.mark.parametrize("page, line, text", [c for c in COMMANDS if "=> " in c[2]], ids=lambda v: relative(v) if isinstance(v, Path) else None)
def test_recorded_session(page, line, text):
    """Lines `host:port=> statement` and `-> more of it`, and what came."""
    statements, shown = [], []
    for l in text.splitlines():
        if re.match(r"\S+=> ", l):
            statements.append(l.split("=> ", 1)[1])
        elif re.match(r" +-> ", l):
            statements[-1] += "\n" + l.split("-> ", 1)[1]
        elif statements:
            shown.append(l)
    got = weir(*[a for a in DEMO if a != "-q"], "--mode", "box", *[x for s in statements for x in ("-c", s)], cwd=ROOT, timeout_s=60).ok()
    same(page, line, shown, got)


# ---- names

def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        to = (page.parent / name).resolve() if name else page
        assert to.exists(), f"{relative(page)}: {target}"
        if anchor:
            there = to.read_text(encoding="utf-8")
            heads = [slug(h) for h in re.findall(r"^#+ (.*)$", FENCE.sub("", there), re.M)] + re.findall(r'<a id="([^"]+)"', there)
            assert anchor in heads, f"{relative(page)}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_named_files_exist(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"(?<![\w/.@-])((?:core|codec|kafka|vtab|sql|fuse|shell|tests|docs|examples)/[\w./*-]*[\w/*])", text):
        if re.search(r"[A-Z]{4,}", path) or path.startswith(NOT_WRITTEN):      # tests/unit/test_NAME.c
            continue
        assert list(ROOT.glob(path.rstrip("/"))), f"{relative(page)}: {path}"


# ---- completeness

def page_text(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_errors_page_is_fresh():
    assert page_text("errors.md") == errors_page.page(), "python3 tests/lib/errors_page.py > docs/errors.md"


def test_errors_page_agrees_with_explain():
    listed = weir("explain", "all").ok().out
    for number, code, title, _ in errors_page.entries():
        assert re.search(rf"^WEIR-{number}\s+exit {errors_page.exit_codes()[code]}\s+{re.escape(title)}$", listed, re.M), number


def test_every_page_can_be_reached():
    index = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in index, f"README.md does not name docs/{page.name}"


def rows(sql):
    return weir(*DEMO, "--mode", "csv", "-c", sql, timeout_s=60).ok().rows


def test_sql_reference_is_complete():
    text = page_text("sql.md")
    for r in rows("SELECT name FROM weir_functions WHERE origin = 'weir'"):
        assert f"`{r['name']}(" in text or f" {r['name'].upper()} " in text, f"docs/sql.md lacks function {r['name']}"
    for r in rows("SELECT name FROM weir_settings"):
        assert f"`{r['name']}`" in text, f"docs/sql.md lacks setting {r['name']}"
    columns = rows("SELECT m.name AS t, x.name AS c FROM pragma_module_list AS m, pragma_table_xinfo(m.name) AS x WHERE m.name LIKE 'weir\\_%' ESCAPE '\\'")
    assert len({r["t"] for r in columns}) >= 13
    for r in columns:
        # Columns are looked for in the lines that name their table.
        about = "\n".join(l for l in text.splitlines() if f"`{r['t']}`" in l)
        assert f"`{r['c']}`" in about, f"docs/sql.md, {r['t']}: no column {r['c']}"


def test_hidden_columns_are_listed():
    text = page_text("sql.md")
    found = weir(*DEMO, "--mode", "csv", "-c", "CREATE STREAM s (a TEXT) FROM TOPIC 'plant.events'", "-c", "SELECT count(a) FROM s", "-c",
                 "SELECT name, type FROM pragma_table_xinfo('s') WHERE hidden = 1", timeout_s=60).ok().out
    names = re.findall(r"^(\w+),(\w+)$", found.split("name,type\n")[1], re.M)
    assert len(names) >= 16
    for name, _ in names:
        assert f"`{name}`" in text, f"docs/sql.md lacks hidden column {name}"


def test_every_option_of_a_stream_is_documented():
    source = (ROOT / "sql/stream_ddl.c").read_text(encoding="utf-8")
    keys = re.findall(r'\{"([a-z_.-]+)", on_\w+\}', source)
    assert len(keys) > 30
    text = page_text("sql.md") + page_text("from-ksqldb.md") + page_text("from-flink.md")
    missing = [k for k in keys if f"`{k}`" not in text]
    assert not missing, missing


def test_settings_of_weir_are_documented():
    text = page_text("configuration.md")
    for path in (ROOT / "kafka").glob("*.c"):
        for key in re.findall(r'"(weir\.[a-z.]+)"', path.read_text(encoding="utf-8")):
            assert f"`{key}`" in text, f"docs/configuration.md lacks {key} ({path.name})"


def test_examples_are_listed_and_can_be_started():
    text = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    for path in (ROOT / "examples").glob("*.sql"):
        assert f"`examples/{path.name}`" in text, f"examples/README.md lacks {path.name}"
        assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env -S weir -f\n") and os.access(path, os.X_OK), path


def test_health_check_fails_on_bad_data(tmp_path):
    script = (ROOT / "examples/health.sql").read_text(encoding="utf-8").replace("0.001", "0.00001")
    (tmp_path / "health.sql").write_text(script)
    assert weir(*DEMO, "-f", tmp_path / "health.sql", timeout_s=60).code == 4


def test_example_as_a_program(tmp_path):
    """Through its first line, as the kernel starts it. Without a cluster it can only say so."""
    (tmp_path / "weir").symlink_to(binary())
    env = clean_env({"PATH": f"{tmp_path}:/usr/bin:/bin"})
    got = subprocess.run([ROOT / "examples/topics.sql"], env=env, capture_output=True, text=True, timeout=30)
    assert got.returncode == 2 and "WEIR-2007" in got.stderr, got
