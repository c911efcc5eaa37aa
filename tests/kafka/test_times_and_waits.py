"""Odd timestamps and bounds on them, transactions, waits for brokers that do not answer, names, records too large; and the short list on 3.9.1."""
import signal
import subprocess
import time

import pytest

from kafka import rec
from machine import Stopwatch
from test_scan import Slow, big, healed, q, query, values  # noqa: F401 (healed is a fixture)
from weir import start


def test_names_that_sql_does_not_like(kafka, weir):
    long = "a" * 120 + "." + "B-" * 64                # 249 bytes, the longest there is
    assert len(long) == 249
    try:
        kafka.create_topic(long)
        kafka.produce(long, [rec("x")])
        assert values(weir, kafka, long) == ["x"]
    finally:
        kafka.delete_topic(long)
    listed = query(weir, kafka, "show topics").ok().out
    assert "__consumer_offsets" not in listed
    for bad in ("../x", "a" * 250, "a\nb", "."):
        got = query(weir, kafka, f"select * from {q(bad)}")
        assert got.code == 3 and got.took_s < 5, (bad, got.code, got.err)


# ---- brokers that do not answer

def test_broker_hangs_under_the_scan(kafka_own, name, weir):
    slow = Slow(kafka_own, big(kafka_own, name), "--timeout", "4s")
    kafka_own.nodes[0].pause()
    try:
        slow.proxy.heal()
        watch = Stopwatch()
        code, _, err = slow.end(15)
        assert code in (2, 124) and err.strip() and watch.took() < 8, (code, err)
    finally:
        kafka_own.nodes[0].resume()
        kafka_own.wait_ready()


def test_four_ways_not_to_connect(kafka, name, weir):
    """Refused, no such host, no answer, and an advertised address out of reach are four different messages."""
    import socket
    kafka.create_topic(name)
    mute = socket.socket()
    mute.bind(("127.0.0.1", 0))
    mute.listen(5)
    silent = f"127.0.0.1:{mute.getsockname()[1]}"
    texts = []
    try:
        for address, word in [("127.0.0.1:1", "refused"), ("no-such-host.invalid:9092", "resolve"), (silent, silent), (kafka.lost_bootstrap, "advertise")]:
            got = query(weir, kafka, f"select * from {q(name)}", "--timeout", "12s", bootstrap=address)
            assert got.code == 2 and word in got.err, (address, got.code, got.err)
            assert got.took_s < 11, (address, got.took_s)
            texts.append(got.err.replace(address, "ADDRESS"))
    finally:
        mute.close()
    assert len(set(texts)) == 4, texts


@pytest.mark.parametrize("what", ["select * from {}", "show topics", "select max(_offset) from {}"])
def test_interrupt_while_nobody_answers(kafka, name, weir, what):
    import socket
    mute = socket.socket()
    mute.bind(("127.0.0.1", 0))
    mute.listen(5)
    try:
        process = start("-b", f"127.0.0.1:{mute.getsockname()[1]}", "-c", what.format(q(name)), stdin=subprocess.DEVNULL)
        mute.accept()[0]                    # it has connected, and waits
        time.sleep(0.1)
        watch = Stopwatch()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == 130 and watch.took() < 1
    finally:
        mute.close()
        process.kill()


# ---- records

def test_record_too_large(kafka, name, weir):
    kafka.create_topic(name, configs={"max.message.bytes": 8_000_000})
    kafka.produce(name, [rec("small"), rec("L" * 3_000_000, key="k"), rec("after")], message_max_bytes=8_000_000)
    sql = f"select _offset, length(_value) n, _error is not null bad from {q(name)} order by 1"
    assert [tuple(r.values()) for r in query(weir, kafka, sql).ok().rows] == [("0", "5", "0"), ("1", "3000000", "0"), ("2", "5", "0")]
    got = query(weir, kafka, f"{sql}; select _offset, error from weir_errors", "--max-message", "1M").ok()
    lines = got.out.split()
    assert lines[1] == "0,5,0" and lines[2].startswith("1,") and lines[2].endswith(",1") and lines[3] == "2,5,0", got.out
    assert "1 message is larger than --max-message" in got.err, got.err
    got = query(weir, kafka, sql, "--max-message", "1M", "--strict")
    assert got.code == 4 and "offset 1" in got.err, (got.code, got.err)


def test_odd_timestamps(kafka, name, weir):
    kafka.create_topic(name, configs={"message.timestamp.before.max.ms": 2**63 - 1, "message.timestamp.after.max.ms": 2**63 - 1})
    odd = [-1, 1, 253402300799000, 4102444800000, 1700000000000]
    kafka.produce(name, [rec(str(i), ts=ts) for i, ts in enumerate(odd)])
    got = query(weir, kafka, f"select _offset, _ts, _time, _ts_type from {q(name)} order by 1").ok().rows
    assert [r["_ts"] for r in got] == ["", "1", "253402300799000", "4102444800000", "1700000000000"], got
    assert [r["_time"] for r in got] == ["", "1970-01-01T00:00:00.001Z", "9999-12-31T23:59:59.000Z", "2100-01-01T00:00:00.000Z", "2023-11-14T22:13:20.000Z"]
    for where, want in [("_ts > 0", 4), ("_ts is null", 1), ("_ts < 100", 1), ("_ts >= 4102444800000", 2), ("_time < '2024'", 2), ("_ts <= 1700000000000", 2)]:
        assert query(weir, kafka, f"select count(*) n from {q(name)} where {where}").ok().rows == [{"n": str(want)}], where


def test_log_append_time_stops_at_the_upper_bound(kafka, name, weir):
    kafka.create_topic(name, configs={"message.timestamp.type": "LogAppendTime"})
    kafka.produce(name, [rec(f"old{i}", ts=1) for i in range(50)])
    time.sleep(0.05)
    cut = int(time.time() * 1000)
    time.sleep(0.05)
    kafka.produce(name, [rec(f"new{i}", ts=1) for i in range(3000)])
    got = query(weir, kafka, f"select count(*) n, sum(_ts_type = 'append') a from {q(name)} where _ts < {cut} and _value like 'old%'").ok()
    assert got.rows == [{"n": "50", "a": "50"}]
    plan = query(weir, kafka, f"explain scan select _value from {q(name)} where _ts < {cut}").ok().rows
    assert [r["plan"] for r in plan if r["what"] == "partition 0"] == ["0..50"], plan


def test_create_time_reads_to_the_end_unless_told(kafka, name, weir):
    kafka.create_topic(name)
    base = 1700000000000
    late = [rec(f"{i}", ts=base + 1000 * i) for i in range(100)] + [rec("late", ts=base + 500)]
    kafka.produce(name, late)
    sql = f"select count(*) n from {q(name)} where _ts <= {base + 1000}"
    assert query(weir, kafka, sql).ok().rows == [{"n": "3"}]                      # 0, 1 and the late one
    assert query(weir, kafka, f"set time_slack = '10s'; {sql}").ok().rows == [{"n": "2"}]     # told so: that one is out of reach


def test_tombstones_and_empty_values(kafka, name, weir):
    kafka.create_topic(name)
    kafka.produce(name, [rec(None, key="gone"), rec("", key=""), rec("x", key=None)])
    got = query(weir, kafka, f"select typeof(_key) k, typeof(_value) v, _value is null t from {q(name)} order by _offset").ok().rows
    assert [tuple(r.values()) for r in got] == [("text", "null", "1"), ("text", "text", "0"), ("null", "text", "0")]


def test_read_committed_across_many_transactions(kafka, name, weir):
    kafka.create_topic(name, partitions=2)
    want = 0
    for i in range(6):
        end = "abort" if i % 3 == 1 else "commit"
        kafka.transaction(name, [rec(f"{end}{i}", partition=p) for p in (0, 1) for _ in range(20)], end=end)
        want += 40 if end == "commit" else 0
    got = query(weir, kafka, f"select count(*) n, sum(_value like 'abort%') bad from {q(name)} where length(_value) > 0").ok().rows
    assert got == [{"n": str(want), "bad": "0"}]
    # The newest that is there, where the partition's end is nothing but markers.
    assert len(query(weir, kafka, f"select _value from {q(name)} order by _offset desc limit 3").ok().rows) == 3


def test_open_transaction_on_one_partition_of_two(kafka, name, weir):
    kafka.create_topic(name, partitions=2)
    kafka.produce(name, [rec("a", partition=0), rec("b", partition=1)])
    kafka.transaction(name, [rec("open", partition=1) for _ in range(3)], end="open", timeout_ms=20000)
    got = query(weir, kafka, f"select _value from {q(name)} order by 1").ok()
    assert [r["_value"] for r in got.rows] == ["a", "b"]
    assert "3 offsets behind an open transaction on p1" in got.err and "on p0" not in got.err, got.err


# ---- 3.9.1, the short list

def test_old_kafka_deletes_under_the_scan(kafka39, name, weir):
    slow = Slow(kafka39, big(kafka39, name))
    kafka39.delete_records(name, {0: 390})
    slow.proxy.heal()
    code, _, err = slow.end()
    assert code == 4 and name in err and "deleted" in err, (code, err)


def test_old_kafka_open_transaction(kafka39, name, weir):
    kafka39.create_topic(name)
    kafka39.produce(name, [rec("a")])
    kafka39.transaction(name, [rec("open")], end="open", timeout_ms=10000)
    got = query(weir, kafka39, f"select _value from {q(name)}").ok()
    assert [r["_value"] for r in got.rows] == ["a"] and "open transaction" in got.err


def test_old_kafka_writing(kafka39, name, weir):
    kafka39.create_topic(name)
    query(weir, kafka39, f"insert into {q(name)}(_key, _value) values ('k', 'v')", "--write").ok()
    assert [(r["key"], r["value"]) for r in kafka39.consume(name)] == [(b"k", b"v")]
