"""Windows and joins by time against Flink SQL on a real Kafka: 100,000 messages of 3 partitions, late and repeated ones among them. The windows' queries are one text
that both read, Flink's own spelling."""
import json
import os
import random
import re
from datetime import datetime, timezone

import pytest

from flink import Flink, NoFlink
from weir import weir

N, PARTITIONS, T0 = 100_000, 3, 1_700_000_000_000
KEYS = [f"k{i}" for i in range(40)]


def messages(n, seed, late_ms):
    """(partition, event time, key, value, n): times go up on the whole, up to late_ms out of order, one in fifty is there twice."""
    rng, clock, out = random.Random(seed), T0, []
    while len(out) < n:
        clock += rng.randrange(0, 5) * 10
        row = [rng.randrange(PARTITIONS), clock - rng.randrange(0, late_ms // 10) * 10, rng.choice(KEYS), rng.randrange(-1000, 1000), len(out)]
        out += [row] * (2 if rng.random() < 0.02 else 1)
    return out[:n]


@pytest.fixture(scope="module")
def both(kafka, request):
    """Runs SQL in Flink and in weir, over topics t (100,000), u (20,000) and solo (one partition, many rows too late), rates (a changelog)."""
    try:
        flink = Flink().__enter__()
    except NoFlink as e:
        if os.environ.get("WEIR_STRICT"):
            pytest.fail(f"no Flink: {e}")
        pytest.skip(f"no Flink: {e}")
    request.addfinalizer(flink.__exit__)
    from kafka import rec
    topics = {"t": messages(N, 1, 20_000), "u": messages(20_000, 2, 20_000), "solo": [[0, *row[1:]] for row in messages(20_000, 3, 40_000)]}
    streams = ""
    for name, rows in topics.items():
        kafka.create_topic("flink_" + name, partitions=1 if name == "solo" else PARTITIONS)
        kafka.produce("flink_" + name, [rec(json.dumps({"k": k, "v": v, "n": n, "ms": ms}), k, ms, p) for p, ms, k, v, n in rows])
        delay = 5 if name == "solo" else 60
        flink.run(f"""CREATE TABLE {name} (k STRING, v DOUBLE, n BIGINT, ms BIGINT, rt AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR rt AS rt - INTERVAL '{delay}' SECOND)
            WITH ('connector' = 'kafka', 'topic' = 'flink_{name}', 'properties.bootstrap.servers' = '{kafka.bootstrap}', 'scan.startup.mode' = 'earliest-offset',
                  'scan.bounded.mode' = 'latest-offset', 'scan.watermark.emit.strategy' = 'on-event', 'format' = 'json')""")
        streams += f"create stream {name} (k text, v real, n integer, rt integer from '$.ms') from topic 'flink_{name}' with (format = 'json', timestamp = 'rt'); "
    kafka.create_topic("flink_rates", partitions=1)
    rng = random.Random(4)
    kafka.produce("flink_rates", [rec(json.dumps({"rate": i}), rng.choice(KEYS[:30]), T0 + i * 500) for i in range(4000)])
    flink.run(f"""CREATE TABLE rates (k STRING, rate BIGINT, rt TIMESTAMP_LTZ(3) METADATA FROM 'timestamp', WATERMARK FOR rt AS rt, PRIMARY KEY (k) NOT ENFORCED)
        WITH ('connector' = 'upsert-kafka', 'topic' = 'flink_rates', 'properties.bootstrap.servers' = '{kafka.bootstrap}', 'scan.bounded.mode' = 'latest-offset',
              'key.format' = 'raw', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY')""")
    streams += "create table rates (k text primary key, rate integer) from topic 'flink_rates' with (format = 'json'); "

    class Both:
        bootstrap = kafka.bootstrap

        @staticmethod
        def flink(sql):
            return sorted([tuple(plain(v) for v in row) for row in flink.rows(sql)], key=repr)

        @staticmethod
        def weir(sql):
            got = weir("-q", "-b", kafka.bootstrap, "--mode", "json", "-c", streams + sql, timeout_s=120).ok()
            rows = json.loads(got.out)
            return sorted([tuple(plain(v) for v in row.values()) for row in rows], key=repr)

    return Both


def plain(value):
    """Numbers as float, times as ms."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", value):
        return datetime.fromisoformat(value.rstrip("Z").replace(" ", "T")).replace(tzinfo=timezone.utc).timestamp() * 1000
    return float(value) if isinstance(value, (int, float)) else value


def same(a, b):
    if a != b:
        in_a, in_b = set(a), set(b)
        only_a, only_b = [r for r in a if r not in in_b], [r for r in b if r not in in_a]
        raise AssertionError(f"Flink {len(a)} rows, weir {len(b)}; only Flink: {only_a[:5]}; only weir: {only_b[:5]}")
    assert len(a) > 100


WINDOWS = {
    "tumble": "TUMBLE(TABLE {t}, DESCRIPTOR(rt), INTERVAL '10' SECOND)",
    "hop": "HOP(TABLE {t}, DESCRIPTOR(rt), INTERVAL '5' SECOND, INTERVAL '20' SECOND)",
    "cumulate": "CUMULATE(TABLE {t}, DESCRIPTOR(rt), INTERVAL '10' SECOND, INTERVAL '60' SECOND)",
}
LIVE = ["", " EMIT FINAL GRACE '60s' FROM BEGINNING UNTIL END"]


@pytest.mark.parametrize("live", LIVE, ids=["bounded", "live"])
@pytest.mark.parametrize("window", WINDOWS)
def test_windows(both, window, live):
    query = (f"SELECT window_start, window_end, k, COUNT(*) AS n, SUM(v) AS s, MIN(v) AS lo, MAX(v) AS hi, COUNT(DISTINCT n) AS d, AVG(v) AS a FROM TABLE({WINDOWS[window].format(t='t')}) "
             "WHERE v > -900 GROUP BY window_start, window_end, k")
    rounded = lambda rows: [(*row[:-1], round(row[-1], 6)) for row in rows]
    same(rounded(both.flink(query)), rounded(both.weir(query + live)))


@pytest.mark.parametrize("live", LIVE, ids=["bounded", "live"])
def test_sessions(both, live):
    """Flink's session ends a gap behind its last row; weir's window_end is that row's time."""
    query = "SELECT window_start, window_end, k, COUNT(*) AS n, SUM(v) AS s FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(rt), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, k"
    flink = sorted([(start, end - 2000, *rest) for start, end, *rest in both.flink(query)], key=repr)
    same(flink, both.weir(query + live))


def test_filter_and_having(both):
    query = ("SELECT window_start, k, COUNT(*) FILTER (WHERE v > 0) AS up, SUM(v) AS s FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(rt), INTERVAL '30' SECOND)) "
             "GROUP BY window_start, window_end, k HAVING COUNT(*) > 15")
    same(both.flink(query), both.weir(query + LIVE[1]))


def test_late_rows(both):
    """One partition, so both see one order. Disorder is 40 s, the delay 5 s: many rows come after their window. Both drop a row if the watermark is past the end of
    its window."""
    query = "SELECT window_start, window_end, k, COUNT(*) AS n, SUM(v) AS s FROM TABLE(TUMBLE(TABLE solo, DESCRIPTOR(rt), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k"
    flink = both.flink(query)
    assert 2000 < sum(row[3] for row in flink) < 19_000
    same(flink, both.weir(query + " EMIT FINAL GRACE '5s' FROM BEGINNING UNTIL END"))


@pytest.mark.parametrize("kind", ["JOIN", "LEFT JOIN"])
def test_interval_join(both, kind):
    flink = both.flink(f"SELECT a.n AS an, b.n AS bn FROM t a {kind} u b ON a.k = b.k AND a.rt BETWEEN b.rt - INTERVAL '1' SECOND AND b.rt + INTERVAL '1' SECOND WHERE a.v > 500")
    for live in ("", " EMIT CHANGES GRACE '60s' FROM BEGINNING UNTIL END"):
        same(flink, both.weir(f"SELECT a.n AS an, b.n AS bn FROM t a {kind} u b WITHIN '1s' ON a.k = b.k WHERE a.v > 500{live}"))


def test_temporal_join(both):
    """Without tombstones: Flink dates a deletion of upsert-kafka as the row that it deletes, which then was never valid; weir dates it as the tombstone."""
    query = "SELECT t.n, r.rate FROM t {kind} JOIN rates FOR SYSTEM_TIME AS OF t.rt AS r ON t.k = r.k"
    same(both.flink(query.format(kind="LEFT")), both.weir(query.format(kind="LEFT")))
