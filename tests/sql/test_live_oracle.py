"""Windows and joins by time against DuckDB: 100,000 messages of 4 partitions with late and duplicate ones, the same questions, equal rows.

What differs by design is in the questions: DuckDB has no lateness, so the expectation for GRACE computes it with window functions over partition and offset, as
docs/live.md states the rule."""
import json
import random
from pathlib import Path

import duckdb
import pytest

from embedded import Embedded
from weir import weir

N, PARTITIONS = 100_000, 4
STREAM = "create stream t (k text, v real, s integer) from topic 't' with (format = 'json'); create stream u (k text, w real) from topic 'u' with (format = 'json'); "


def records():
    """(partition, offset, ts, key, value, state): mostly in order, 5 % late by up to a minute, 2 % twice."""
    rng, clock, next_offset, out = random.Random(7), 1_700_000_000_000, [0] * PARTITIONS, []
    while len(out) < N:
        clock += rng.randrange(0, 40)
        ts = clock - (rng.randrange(0, 60_000) if rng.random() < 0.05 else 0)
        k = f"k{rng.randrange(50)}"
        v = None if rng.random() < 0.01 else round(rng.uniform(-100, 100), rng.randrange(4))
        s = rng.randrange(3) if rng.random() < 0.1 else None
        for _ in range(2 if rng.random() < 0.02 else 1):
            p = rng.randrange(PARTITIONS)
            out.append((p, next_offset[p], ts, k, v, s))
            next_offset[p] += 1
    return out[:N]


def hexed(text):
    return text.encode().hex()


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    t = records()
    # k, v and s as short as they can be: the embedded broker keeps 5 MiB a partition.
    lines = [f"topic t {PARTITIONS} lz4"] + [f"{p} {ts} - {hexed(json.dumps({'k': k, 'v': v, 's': s}, separators=(',', ':')))} -" for p, _, ts, k, v, s in t]
    rng, u = random.Random(8), []
    offset = [0] * PARTITIONS
    for i in range(20_000):
        p = rng.randrange(PARTITIONS)
        u.append((p, offset[p], 1_700_000_000_000 + rng.randrange(0, 2_000_000), f"k{rng.randrange(60)}", i / 4))
        offset[p] += 1
    lines += [f"topic u {PARTITIONS} lz4"] + [f"{p} {ts} - {hexed(json.dumps({'k': k, 'w': w}, separators=(',', ':')))} -" for p, _, ts, k, w in u]
    file = folder / "records"
    file.write_text("\n".join(lines) + "\n")
    db = duckdb.connect()
    (folder / "t.csv").write_text("p,o,ts,k,v,s\n" + "".join(f"{p},{o},{ts},{k},{'' if v is None else v},{'' if s is None else s}\n" for p, o, ts, k, v, s in t))
    (folder / "u.csv").write_text("p,o,ts,k,w\n" + "".join(f"{p},{o},{ts},{k},{w}\n" for p, o, ts, k, w in u))
    db.execute(f"create table t as select * from read_csv('{folder}/t.csv', columns={{p:'INTEGER', o:'BIGINT', ts:'BIGINT', k:'VARCHAR', v:'DOUBLE', s:'INTEGER'}})")
    db.execute(f"create table u as select * from read_csv('{folder}/u.csv', columns={{p:'INTEGER', o:'BIGINT', ts:'BIGINT', k:'VARCHAR', w:'DOUBLE'}})")
    with Embedded([file], timeout_s=60) as broker:
        yield broker.bootstrap, db


def same(plant, ours, theirs, kind="", ordered=False):
    """Rows as text with numbers to 9 digits: REAL sums differ in the last places, and 1.0 is 1 somewhere."""
    bootstrap, db = plant

    def cell(x):
        if x is None or x == "":
            return ""
        try:
            return f"{float(x) + 0.0:.9g}"         # -0.0 is 0
        except ValueError:
            return str(x)

    got = weir("-b", bootstrap, "-q", "--mode", "csv", "-c", STREAM + ours, timeout_s=600)
    assert got.code == 0, got.err
    mine = [tuple(cell(x) for x in line.split(",")) for line in got.out.splitlines()[1:]]
    expected = [tuple(cell(x) for x in row) for row in db.execute(theirs).fetchall()]
    if not ordered:
        mine, expected = sorted(mine), sorted(expected)
    assert len(mine) == len(expected), f"{kind}: {len(mine)} rows, {len(expected)} expected; first: {mine[:2]} {expected[:2]}"
    for i, (a, b) in enumerate(zip(mine, expected)):
        assert a == b, f"{kind}: row {i}: {a}, expected {b}"
    assert mine, kind


LIVE = " emit final grace '1h' from beginning until end"
TUMBLE = "select window_start, k, count(*) as n, sum(v) as s, avg(v) as a, min(v) as lo, max(v) as hi, count(distinct v) as d from tumble(t, size => '10s') group by window_start, k"
TUMBLE_DB = "select ts // 10000 * 10000 as w, k, count(*), sum(v), avg(v), min(v), max(v), count(distinct v) from t group by 1, 2 order by 1, 2"


@pytest.mark.parametrize("tail", ["", LIVE, "sqlite"])
def test_tumble(plant, tail):
    same(plant, ("set aggregate = sqlite; " if tail == "sqlite" else "") + TUMBLE + (" order by 1, 2" if tail == "sqlite" else tail), TUMBLE_DB, tail, ordered=True)


@pytest.mark.parametrize("grace_ms", [0, 5000])
def test_tumble_with_late_rows(plant, grace_ms):
    q = f"select window_start, count(*) as n, sum(v) as s from tumble(t, size => '10s') group by window_start emit final grace '{grace_ms}ms' from beginning until end"
    theirs = f"""with seen as (select *, max(ts) over (partition by p order by o rows between unbounded preceding and 1 preceding) as m from t)
                 select ts // 10000 * 10000 as w, count(*), sum(v) from seen where m is null or w + 10000 > m - {grace_ms} group by 1 order by 1"""
    same(plant, q, theirs, f"grace {grace_ms}", ordered=True)
    late = plant[1].execute(f"""with seen as (select *, max(ts) over (partition by p order by o rows between unbounded preceding and 1 preceding) as m from t)
                                select count(*) from seen where ts // 10000 * 10000 + 10000 <= m - {grace_ms}""").fetchone()[0]
    got = weir("-b", plant[0], "--mode", "csv", "-c", STREAM + q, timeout_s=120)
    assert late > 100 and f"{late} rows came after their window had closed" in got.err, (late, got.err)


@pytest.mark.parametrize("tail", ["", LIVE])
def test_hop(plant, tail):
    same(plant, "select window_start, window_end, count(*) as n, sum(v) as s from hop(t, size => '30s', slide => '10s') group by window_start, window_end" + tail,
         "select ts // 10000 * 10000 - i * 10000, ts // 10000 * 10000 - i * 10000 + 30000, count(*), sum(v) from t, range(3) r(i) group by 1, 2", tail)


@pytest.mark.parametrize("tail", ["", LIVE])
def test_session(plant, tail):
    same(plant, "select k, window_start, window_end, count(*) as n, sum(v) as s from session(t, gap => '3s') group by window_start, window_end, k" + tail,
         """with a as (select *, ts - lag(ts) over (partition by k order by ts, p, o) > 3000 as fresh from t),
                 b as (select *, sum(coalesce(fresh, true)::int) over (partition by k order by ts, p, o rows unbounded preceding) as id from a)
            select k, min(ts), max(ts), count(*), sum(v) from b group by k, id""", tail)


@pytest.mark.parametrize("tail", ["", LIVE])
def test_statistics(plant, tail):
    same(plant, "select window_start, stddev_samp(v), var_pop(v), percentile_cont(v, 0.9), median(v), corr(v, s), first(v), last(v), arg_max(k, v), count(*) filter (where v > 0)"
         " from tumble(t, size => '1m') group by window_start" + tail,
         """select ts // 60000 * 60000 as w, stddev_samp(v), var_pop(v), quantile_cont(v, 0.9), median(v), corr(v, s), first(v order by ts, p, o) filter (where v is not null),
                   last(v order by ts, p, o) filter (where v is not null), first(k order by v desc, ts, p, o) filter (where v is not null), count(*) filter (where v > 0) from t group by 1""", tail)


def test_asof(plant):
    same(plant, "select u.k, u.w, t.v, t._ts as at from u asof left join t on t.k = u.k and t._ts <= u._ts tolerance '20s' where u.w < 1000",
         """select u.k, u.w, case when u.ts - t.ts <= 20000 then t.v end, case when u.ts - t.ts <= 20000 then t.ts end from u left join lateral
              (select v, ts from t where t.k = u.k and t.ts <= u.ts order by ts desc, p desc, o desc limit 1) t on true where u.w < 1000""", "asof")


@pytest.mark.parametrize("join, where", [("join", ""), ("left join", ""), ("full join", "")])
@pytest.mark.parametrize("tail", ["", " emit changes grace '1h' from beginning until end"])
def test_within(plant, join, where, tail):
    same(plant, f"select u.k as a, u.w as b, t.k as c, t.v as d, t._ts as e from u {join} t within ('500ms', '2s') on t.k = u.k" + tail,
         f"select u.k, u.w, t.k, t.v, t.ts from u {join} t on t.k = u.k and t.ts between u.ts - 500 and u.ts + 2000", join + tail)


def test_group_by_without_windows(plant):
    same(plant, "select k, s, count(*), sum(v), total(v), group_concat(distinct s) from t group by k, s", "select k, s, count(*), sum(v), coalesce(sum(v), 0), max(s) from t group by k, s", "group by")
