"""The endless reader below live queries, alone (build/tests/weir-live): what it does while brokers, topics and partitions come and go."""
import re
import time

import pytest

from kafka import rec
from live import Live
from net import wait_until


@pytest.mark.parametrize("wait", ["fd", "ms"])
def test_records_come_at_once(kafka, name, wait):
    kafka.create_topic(name, partitions=2)
    kafka.produce(name, [rec("old 0", partition=0), rec("old 1", partition=0)])
    live = Live(kafka.bootstrap, name, f"wait={wait}")
    assert live.wait("at end: ") == "at end: 0:2/2 1:0/0"
    producer, late = kafka.producer(linger_ms=0), []
    for i in range(30):
        kafka.send(producer, name, [rec(f"new {i}", partition=i % 2)])
        acked = time.monotonic()
        live.wait(rf"{i % 2} \d+ new {i}$")
        late.append(live.times[live.find(rf"{i % 2} \d+ new {i}$")] - acked)
        time.sleep(0.02)
    assert sorted(late)[15] < 0.02, late
    live.wait("at end: 0:17/17 1:15/15")
    assert live.end() == 0
    assert len(live.records()) == 32


def test_a_long_silence(kafka, name):
    kafka.create_topic(name)
    live = Live(kafka.bootstrap, name)
    live.wait("at end: 0:0/0")
    time.sleep(7)
    kafka.produce(name, [rec("x")])
    live.wait("0 0 x", 1)
    assert not any(line.startswith("notice") for line in live.lines), live.lines
    live.end()


def test_bounded_and_endless_ranges(kafka, name):
    kafka.create_topic(name, partitions=2)
    kafka.produce(name, [rec(f"{p}.{i}", partition=p) for p in (0, 1) for i in range(5)])
    live = Live(kafka.bootstrap, name, "end=0:3")
    live.wait("at end: 0:3/5 1:5/5")
    kafka.produce(name, [rec("late 0", partition=0), rec("late 1", partition=1)])
    live.wait("1 5 late 1")
    assert [r[2] for r in live.records() if r[0] == "0"] == ["0.0", "0.1", "0.2"]
    live.end()
    ending = Live(kafka.bootstrap, name, "end=0:3", "end=1:2")
    ending.wait("end$")
    ending.end(0)


def test_new_partitions(kafka, name):
    kafka.create_topic(name)
    live = Live(kafka.bootstrap, name)
    only = Live(kafka.bootstrap, name, "only=0")
    live.wait("at end")
    kafka.add_partitions(name, 3)
    kafka.produce(name, [rec("first", partition=2), rec("second", partition=2), rec("other", partition=1)])
    live.wait("2 0 first", 10)
    live.wait("2 1 second", 10)
    live.wait("1 0 other", 10)
    assert re.search("has 3 partitions now", live.wait("notice"))
    live.wait("at end: 0:0/0 1:1/1 2:2/2")
    kafka.produce(name, [rec("zero", partition=0), rec("third", partition=2)])
    live.wait("0 0 zero", 2)
    live.wait("2 2 third", 2)
    only.wait("0 0 zero")
    assert len(only.records()) == 1
    live.end()
    only.end()


def test_topic_vanishes(kafka, name):
    kafka.create_topic(name)
    kafka.produce(name, [rec("x")])
    live = Live(kafka.bootstrap, name)
    live.wait("0 0 x")
    kafka.delete_topic(name)
    assert "vanished" in live.wait("error 4", 15)
    live.end(4)


def test_broker_down_and_back(kafka_own, name):
    kafka_own.create_topic(name)
    kafka_own.produce(name, [rec("before")])
    live = Live(kafka_own.bootstrap, name)
    live.wait("0 0 before")
    kafka_own.nodes[0].kill()
    said = live.wait("notice: waiting for the brokers", 15)
    assert "refused" in said or "isconnect" in said, said
    time.sleep(7)
    assert sum("waiting for the brokers" in line for line in live.lines) in (2, 3), live.lines
    kafka_own.nodes[0].start()
    kafka_own.produce(name, [rec("after")])
    live.wait("0 1 after", 10)
    live.wait("notice: the brokers of cluster main answer again after", 10)
    n = len(live.lines)
    time.sleep(6)
    assert not [line for line in live.lines[n:] if line.startswith("notice")], live.lines[n:]
    assert live.end() == 0


def test_broker_hangs(kafka_own, name):
    kafka_own.create_topic(name)
    live = Live(kafka_own.bootstrap, name)
    live.wait("at end")
    kafka_own.nodes[0].pause()
    try:
        live.wait("notice: waiting for the brokers", 30)
    finally:
        kafka_own.nodes[0].resume()
    kafka_own.wait_ready()
    kafka_own.produce(name, [rec("after")])
    live.wait("0 0 after", 15)
    assert live.end() == 0


def test_leaves_while_brokers_are_away(kafka_own, name):
    kafka_own.create_topic(name)
    live = Live(kafka_own.bootstrap, name)
    live.wait("at end")
    kafka_own.nodes[0].kill()
    try:
        time.sleep(1.5)
        live.end()
    finally:
        kafka_own.nodes[0].start()


def test_open_transaction(kafka, name):
    kafka.create_topic(name)
    kafka.produce(name, [rec("before")])
    live = Live(kafka.bootstrap, name)
    live.wait("at end: 0:1/1")
    producer = kafka.transaction(name, [rec("inside 0"), rec("inside 1")], end="open")
    kafka.produce(name, [rec("behind")])
    time.sleep(1.5)
    assert [r[2] for r in live.records()] == ["before"]
    producer.commit_transaction(30)
    live.wait("0 3 behind", 5)
    assert [r[2] for r in live.records()] == ["before", "inside 0", "inside 1", "behind"]
    # A marker is an offset of its own; the reader stands behind it.
    live.wait("at end: 0:5/5")
    kafka.transaction(name, [rec("never")], end="abort")
    live.wait("at end: 0:7/7")
    assert live.end() == 0
    # What begins under an open transaction is at its end before it.
    producer = kafka.transaction(name, [rec("late")], end="open")
    second = Live(kafka.bootstrap, name)
    second.wait("at end: 0:7/8")
    producer.abort_transaction(30)
    second.wait("at end: 0:9/9")
    second.end()


def test_gap(kafka, name):
    kafka.create_topic(name, configs={"compression.type": "uncompressed"})
    kafka.produce(name, [rec(f"{i:05}" + "x" * 20_000) for i in range(400)], batch_size=100_000)
    proxy = kafka.proxy()
    proxy.heal()
    proxy.bytes_per_s = 1_000_000
    try:
        live = Live(kafka.proxied, name)
        live.wait("0 0 00000", 20)
        kafka.delete_records(name, {0: 390})
        proxy.heal()
        said = live.wait("notice: offsets", 30)
        lost = re.search(r"offsets (\d+)\.\.(\d+) of partition 0 .* \((\d+) lost\); going on after them", said)
        assert lost and int(lost[2]) == 389 and int(lost[3]) == 390 - int(lost[1]), said
        live.wait("0 399 00399")
        kafka.produce(name, [rec("new")])
        live.wait("0 400 new")
        assert live.end() == int(lost[3])
        assert [int(r[1]) for r in live.records()] == [*range(int(lost[1])), *range(390, 401)]
    finally:
        proxy.heal()


def test_topic_made_again(kafka, name):
    """The same name, fewer records: it goes on at the new end, and says so."""
    kafka.create_topic(name)
    kafka.produce(name, [rec(f"old {i}") for i in range(10)])
    live = Live(kafka.bootstrap, name)
    live.wait("0 9 old 9")
    kafka.delete_topic(name)
    kafka.create_topic(name)
    said = live.wait("(notice: partition 0 .* ends at offset 0 now|error)", 20)
    assert "created again" in said or "vanished" in said, live.lines
    if "vanished" in said:
        live.end(4)
        return
    kafka.produce(name, [rec("new")])
    live.wait("0 0 new")
    live.end()


def test_leader_moves(kafka3, name):
    kafka3.create_topic(name, replication=3)
    kafka3.produce(name, [rec("before")], acks="all")
    live = Live(kafka3.bootstrap, name)
    live.wait("0 0 before")
    leader = next(n for n in kafka3.nodes if n.id == kafka3.leader(name))
    leader.kill()
    try:
        # The producer waits for the new leader by itself.
        kafka3.produce(name, [rec("after")], acks="all")
        live.wait("0 1 after", 15)
        assert live.end() == 0
    finally:
        leader.start()
