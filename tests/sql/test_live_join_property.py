"""Joins WITHIN, live over a recorded range against bounded: random keys, gaps, spans and sizes of fetches, times in order within each partition, so that no row is late.
Live reads in chunks, keeps rows of both sides and forgets them; bounded has all rows at once. Both must give the same rows."""
import json
import os
import random

import pytest

from embedded import Embedded
from weir import weir

PARTITIONS = 3
STREAMS = "create stream a (k text, x integer) from topic 'a' with (format = 'json'); create stream b (k text, y integer) from topic 'b' with (format = 'json'); " \
          "create stream c (k text, z integer) from topic 'c' with (format = 'json'); "
EMIT = {"rows": " emit changes from beginning until end", "groups": " emit final from beginning until end"}


def topic(rng, name, column, n, keys):
    lines, clock = [f"topic {name} {PARTITIONS} lz4"], [1_700_000_000_000] * PARTITIONS
    for i in range(n):
        p = rng.randrange(PARTITIONS)
        clock[p] += rng.choice((0, 1, 40, 400, 4_000, 4_000, 60_000))
        value = json.dumps({"k": f"k{rng.randrange(keys)}", column: i})
        lines.append(f"{p} {clock[p]} - {value.encode().hex()} -")
    return lines


@pytest.mark.parametrize("seed", range(2 if "ASAN_OPTIONS" in os.environ else 8))
def test_live_joins_give_the_rows_of_bounded_ones(tmp_path, seed):
    rng = random.Random(seed)
    file = tmp_path / "records"
    file.write_text("\n".join(topic(rng, "a", "x", 2000, 200) + topic(rng, "b", "y", 2000, 200) + topic(rng, "c", "z", 2000, 200)) + "\n")
    within = rng.choice(("'10m'", "('0s', '20m')", "('5m', '1m')", "('30m', '0s')"))
    size = rng.choice(("1m", "10m", "1h"))
    fetch = rng.choice((1_000, 5_000, 1_000_000))
    queries = [("rows", f"select a.k as ka, x, b.k as kb, y from a {join} join b within {within} on a.k = b.k") for join in ("", "left", "right", "full")]
    queries += [("rows", f"select a.k, x, y from a left join (select k, y, _ts from b where y % 3 = 0) b within {within} on a.k = b.k")]
    queries += [("groups", f"select window_start, a.k, count(*) as n, count(y) as pairs, sum(y) as s from tumble(a, size => '{size}') a {join} join b within {within} on a.k = b.k group by window_start, a.k")
                for join in ("", "left")]
    queries += [("groups", f"select window_start, count(*) as n, sum(x) as s from a join tumble(b, size => '{size}') b within {within} on a.k = b.k group by window_start")]
    queries += [("groups", f"select window_start, count(*) as n, sum(y) as s from tumble((select a.k, x, y, a._ts from a left join b within {within} on a.k = b.k), size => '{size}') where x % 7 < 5 "
                           "group by window_start")]
    further = rng.choice(("'5m'", "('0s', '1m')", "('10m', '0s')"))
    queries += [("rows", f"select a.k as ka, x, y, z from a {one} join b within {within} on a.k = b.k {two} join c within {further} on c.k = {key}.k")
                for one, two, key in (("", "", "b"), ("left", "left", "b"), ("", "left", "a"), ("left", "", "b"))]
    with Embedded([file], timeout_s=60) as broker:
        for kind, query in queries:
            rows = []
            for sql in (query, query + EMIT[kind]):
                got = weir("-b", broker.bootstrap, "-q", "--mode", "csv", "-X", f"fetch.message.max.bytes={fetch}", "-c", STREAMS + sql, timeout_s=300)
                assert got.code == 0 and not got.err, (sql, got.err)
                rows.append(sorted(got.out.splitlines()))
            assert len(rows[0]) > 2, query
            assert rows[1] == rows[0], (query, fetch)


def test_a_join_over_keys_that_never_come_again_stays_small(tmp_path):
    n, lines = 10_000, []
    for name in "ab":
        lines += [f"topic {name} 1 lz4"]
        lines += [f"0 {1_700_000_000_000 + 1000 * i} - {json.dumps({'k': f'order{i}'}).encode().hex()} -" for i in range(n)]
    file = tmp_path / "records"
    file.write_text("\n".join(lines) + "\n")
    script = STREAMS.replace(", x integer", "").replace(", y integer", "") + \
        "create materialized view v as select a.k from a left join b within '10s' on a.k = b.k; select count(*) from v; select waiting, state_bytes from weir_queries"
    with Embedded([file], timeout_s=60) as broker:
        got = weir("-b", broker.bootstrap, "-q", "--mode", "list", "--no-header", "-c", script, timeout_s=300)
    assert got.code == 0, got.err
    pairs, state = got.out.splitlines()
    waiting, held = (int(x) for x in state.split("|"))
    assert int(pairs) == n
    assert waiting < n / 2 and held < 500_000, "10,000 orders of each side take 3 MB; some seconds of them, and what the last chunk brought, do not"
