"""weir demo: its own broker, the plant's history and troubles as a user finds them, the tour and its document, the examples, live data."""
import csv
import io
import json
import re
from pathlib import Path

import pexpect
import pytest

from pty_weir import Terminal
from weir import weir

ROOT = Path(__file__).resolve().parents[2]
FIXED = ["demo", "-q", "--seed", "1", "--start", "2026-09-01T06:00:00Z"]


def rows(*sql, fixed=FIXED):
    got = weir(*fixed, "--mode", "ndjson", *[x for s in sql for x in ("-c", s)], timeout_s=60).ok()
    return [json.loads(line) for line in got.out.splitlines()]


def test_counts_are_exact_and_nothing_was_dropped():
    got = rows("SELECT topic, partition, low, high FROM weir_partitions ORDER BY topic, partition")
    assert all(r["low"] == 0 for r in got)
    assert [r["high"] for r in got if r["topic"] == "plant.sensors"] == [15263, 10455, 13882, 12743]
    assert len(got) == 14
    assert rows('SELECT count(*) AS n FROM "plant.sensors"') == [{"n": 52343}]


def test_same_seed_same_answers_other_seed_others():
    sql = 'SELECT _partition, _offset, _ts, _key, hex(_value) AS v, _headers FROM "plant.orders" ORDER BY _partition, _offset'
    one = rows(sql)
    assert one == rows(sql) and len(one) > 100
    assert one != rows(sql, fixed=["demo", "-q", "--seed", "2", "--start", "2026-09-01T06:00:00Z"])


S = '"plant.sensors"'


@pytest.mark.parametrize("name, sql, want", [
    ("cut", f"FROM {S} WHERE _error IS NOT NULL AND _value LIKE '{{%' AND _value NOT LIKE '%}}'", 5),
    ("not JSON", f"FROM {S} WHERE _error IS NOT NULL AND _value LIKE 'ERR%'", 4),
    ("NaN", f"FROM {S} WHERE _value LIKE '%:NaN,%' AND value IS NULL AND tag IS NOT NULL", 12),
    ("duplicates", f"FROM {S} WHERE header(_headers, 'mqtt_dup') = '1'", 83),
    ("text numbers and Bad Input", f"FROM {S} WHERE typeof(value) = 'text'", 70),
    ("missing fields", f"FROM {S} WHERE tag IS NOT NULL AND (unit IS NULL OR value IS NULL AND _value NOT LIKE '%NaN%')", 9),
    ("unit mix", f"FROM {S} WHERE unit = 'degF'", 20),
    ("spikes", f"FROM {S} WHERE _key = 'line2/robot2/axis2_current' AND value > 30", 5),
    ("dead sensor", f"FROM {S} WHERE _key = 'line2/oven2/fan_speed' AND _ts >= ts('2026-09-01T06:30:00Z')", 0),
    ("flood", "FROM \"plant.events\" WHERE active AND _ts >= ts('2026-09-01T06:40:00Z') AND _ts < ts('2026-09-01T06:40:30Z')"
              " AND (alarm = 'MOTOR_OVERLOAD' OR alarm LIKE '%AIR%' OR alarm LIKE '%VACUUM%')", 40),
    ("tombstone", "FROM \"plant.machines\" WHERE _value IS NULL AND _key = 'robot4'", 1),
    ("Latin-1", "FROM \"plant.orders\" WHERE _error IS NOT NULL", 1),
    ("late by a link loss", f"FROM (SELECT line, _ts, max(_ts) OVER (PARTITION BY _partition ORDER BY _offset) AS newest FROM {S}) WHERE newest - _ts > 60000", None),
])
def test_nuisance(name, sql, want):
    n = rows(f"SELECT count(*) AS n {sql}")[0]["n"]
    assert n == want if want is not None else n > 50


def test_clock_steps_back_and_stuck_sensor():
    back = rows(f"SELECT count(*) AS n FROM (SELECT _ts, _ts - lag(_ts) OVER (PARTITION BY _key ORDER BY _partition, _offset) AS step FROM {S} WHERE machine = 'robot3')"
                " WHERE step < -45000 AND _ts >= ts('2026-09-01T06:32:00Z') AND _ts < ts('2026-09-01T06:32:15Z')")
    assert back == [{"n": 4}]
    stuck = rows(f"SELECT count(*) AS n, count(DISTINCT value) AS shown FROM {S} WHERE _key = 'line3/oven3/zone2_temp'"
                 " AND _ts >= ts('2026-09-01T06:20:00Z') AND _ts < ts('2026-09-01T06:45:00Z')")
    assert stuck == [{"n": 300, "shown": 1}]


def test_the_tour_answers_itself_without_a_terminal():
    got = weir("demo", stdin="", timeout_s=60).ok()
    titles = re.findall(r"^(\d+)\. (.+\?)$", got.out, re.M)
    assert [int(n) for n, _ in titles] == list(range(1, 11))
    parts = re.split(r"^\d+\. .+\?$", got.out, flags=re.M)[1:]
    for part in parts:
        assert "┌" in part and "└" in part
    want = ["52343", "line", "1 of 4 partitions", "mean", "not JSON", "line2/oven2/fan_speed", "compressor1", "Schuler", "hinge-B", "press2"]
    for part, text in zip(parts, want):
        assert text in part
    assert "stuck for" in parts[5]
    # The cause of the flood is in the first row.
    assert "MOTOR_OVERLOAD" in [line for line in parts[6].splitlines() if line.startswith("│")][1]


def test_every_query_of_the_document_gives_rows():
    text = (ROOT / "docs/tour.md").read_text()
    queries = re.findall(r"```sql\n(.*?)```", text, re.S)
    assert len(queries) == 10
    for query in queries:
        got = weir("demo", "-q", "--no-live", "--mode", "csv", "-c", query, timeout_s=60).ok()
        assert len(list(csv.reader(io.StringIO(got.out)))) > 1, query


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.sql")), ids=lambda p: p.name)
def test_example(path):
    got = weir(*FIXED, "--mode", "ndjson", "-f", path, timeout_s=60).ok()
    found = [json.loads(line) for line in got.out.splitlines()]
    assert found, path
    if path.name == "oee.sql":
        assert {r["line"] for r in found} == {"line1", "line2", "line3"} and all(20 < r["oee"] < 100 for r in found)
    if path.name == "spikes.sql":
        assert {r["tag"] for r in found} == {"line2/robot2/axis2_current"}


def test_live_data_follows_and_the_process_ends():
    with_live = rows(f"SELECT max(_offset) AS o FROM {S} WHERE _partition = 0", r"\! sleep 2.5", f"SELECT max(_offset) AS o FROM {S} WHERE _partition = 0",
                     fixed=["demo", "-q"])
    assert with_live[1]["o"] > with_live[0]["o"] >= 15262
    fixed = rows(f"SELECT max(_offset) AS o FROM {S} WHERE _partition = 0", r"\! sleep 1.5", f"SELECT max(_offset) AS o FROM {S} WHERE _partition = 0")
    assert fixed[1] == fixed[0] == {"o": 15262}


@pytest.mark.parametrize("args, text", [
    (["-b", "localhost:9092"], "its own broker"),
    (["--start", "soon"], "not a time"),
    (["--start", "1969-01-01"], "out of range"),
    (["--live", "--no-live"], "exclude"),
    (["--seed", "x"], "--seed"),
    (["a", "b"], "unexpected operand"),
])
def test_bad_options(args, text):
    got = weir("demo", *args, stdin="", timeout_s=30)
    assert got.code == 1
    assert text in got.err


def test_prompt_offers_the_tour():
    with Terminal("demo", columns=140, rows=50) as t:
        t.wait("\\tour")
        t.line("\\tour 3")
        t.wait("1 of 4 partitions")
        t.line("\\q")
        t.child.expect(pexpect.EOF, timeout=10)
