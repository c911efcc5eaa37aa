"""Brokers that go away and come back, retention, compaction and topics made anew under an open mount. On the real Kafka."""
import os
import time

import pytest

from conftest import Cluster, line_of, lines_of
from mounted import Mounted
from net import wait_until
from test_live import Reader, check


@pytest.fixture
def wire(kafka):
    """A proxy in front of the broker that is healed afterwards."""
    proxy = kafka.proxy()
    proxy.heal()
    yield proxy
    proxy.heal()


def take_down(proxy):
    proxy.refusing = True
    proxy.cut()


def test_broker_away(kafka, kafka_cluster, wire):
    topic = kafka_cluster.topic()
    with Mounted(kafka.proxied, "timeout=3") as m:
        seg = "$M/t/log/0/00000000000000000000.ndjson"
        m.run(f"cat {seg} > /dev/null").ok()
        wait_until(lambda: os.path.exists(m.path(topic)), 10, "the topic")
        tail, follow = Reader(m, f"tail -n 0 -s 0.1 -f $M/{topic}/tail.ndjson"), Reader(m, f"cat $M/{topic}/follow")
        wait_until(lambda: tail.has_open(f"{topic}/tail.ndjson") and follow.has_open(f"{topic}/follow"), 10, "both to be open")
        take_down(wire)
        began = time.monotonic()
        got = m.run("cat $M/t/log/1/00000000000000010000.ndjson")
        assert time.monotonic() - began > 2
        assert got.code == 1 and b"Input/output error" in got.err and got.took_s < 6, (got.took_s, got.err)
        assert m.run(f"cat {seg}").ok().out == lines_of(0, 0, 10000)
        assert m.run("ls $M/t").ok().took_s < 0.5
        wire.heal()
        kafka_cluster.fill(topic, 0, 50)
        for reader in (tail, follow):
            reader.until(100, timeout_s=30)
            reader.end()
            assert reader.err == b""
            check(reader.data, topic, 0, 50)
        wait_until(lambda: m.status()[1][0]["state"] == "up", 15, "the cluster to be up again")
        assert m.run("cat $M/t/log/1/00000000000000010000.ndjson").ok().out == lines_of(1, 10000, 20000)


def test_retention_and_recreation(kafka, kafka_cluster):
    topic = kafka_cluster.topic()
    kafka_cluster.fill(topic, 0, 3000)
    with Mounted(kafka.bootstrap, "segment=1000") as m:
        log = f"$M/{topic}/log/0"
        wait_until(lambda: m.run(f"ls {log} | wc -l").text.strip() == "3", 10, "the segments")
        held = open(m.path(f"{topic}/log/0/00000000000000000000.ndjson"), "rb")
        kafka.delete_records(topic, {0: 1500})
        wait_until(lambda: m.run(f"ls {log} | wc -l").text.strip() == "2", 10, "the first segment to go")
        assert held.read() == lines_of(0, 0, 1000, topic)
        held.close()
        assert m.run(f"cat {log}/*").ok().out == lines_of(0, 1500, 3000, topic)
        kafka.delete_topic(topic)
        wait_until(lambda: not os.path.exists(m.path(topic)), 20, "the topic to go")
        kafka.create_topic(topic, partitions=2)
        kafka_cluster.fill(topic, 0, 5)
        wait_until(lambda: os.path.exists(m.path(topic + "/log/1/00000000000000000000.ndjson")), 20, "the new topic")
        assert m.run(f"cat $M/{topic}/log/1/*").ok().out == lines_of(1, 0, 5, topic)


def test_transactions(kafka, kafka_cluster):
    """Read committed: what was aborted or is still open is not there, and the files end before it."""
    from kafka import rec
    topic = kafka_cluster.topic()
    kafka.transaction(topic, [rec(value="1", partition=0), rec(value="2", partition=0)])
    kafka.transaction(topic, [rec(value="3", partition=0)], end="abort")
    kafka.transaction(topic, [rec(value="4", partition=0)])
    with Mounted(kafka.bootstrap) as m:
        wait_until(lambda: os.path.exists(m.path(topic + "/tail.ndjson")), 10, "the topic")
        assert m.run(f"jq -c .value $M/{topic}/log/0/*").ok().text.split() == ["1", "2", "4"]
        assert m.run(f"jq -c .value $M/{topic}/tail.ndjson").ok().text.split() == ["1", "2", "4"]
        reader = Reader(m, f"cat $M/{topic}/follow")
        wait_until(lambda: reader.has_open(f"{topic}/follow"), 20, "it to be open")
        kafka.transaction(topic, [rec(value="5", partition=0)], end="abort")
        kafka.transaction(topic, [rec(value="6", partition=0)])
        reader.until(1)
        reader.end()
        assert reader.data.count(b"\n") == 1 and b'"value":6}' in reader.data
