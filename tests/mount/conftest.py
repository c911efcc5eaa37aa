"""Clusters for the mount: the embedded broker and a real Kafka, each with topic `t`: 2 partitions, 25,000 messages each, every 1000th an ERROR.

A message's line can be computed (line_of), so what a tool reads is compared byte by byte. Tests that produce make a topic of their own.
"""
import json
import os
import sys
import tempfile
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import NewTopic

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))
from embedded import Embedded          # noqa: E402
from mounted import Mounted, can_mount, mounts, unmount          # noqa: E402

MESSAGES = 25000
TOPICS = 40                            # made in advance, for tests that produce
T0 = 1700000000000


def value_of(p, o):
    return '{"p":%d,"n":%d,"s":"%s"}' % (p, o, "ERROR" if o % 1000 == 0 else "ok")


def ts_of(p, o):
    return T0 + o * 10 + p


def time_of(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (ms % 1000)


def line_of(p, o, topic="t", key=None):
    return '{"topic":"%s","partition":%d,"offset":%d,"timestamp":"%s","key":%s,"value":%s}\n' % (
        topic, p, o, time_of(ts_of(p, o)), json.dumps(key or f"k{o % 100}"), value_of(p, o))


def lines_of(p, start, end, topic="t"):
    return "".join(line_of(p, o, topic) for o in range(start, end)).encode()


class Cluster:
    def __init__(self, bootstrap, kafka, spare):
        self.bootstrap, self.kafka, self._spare = bootstrap, kafka, spare
        self._producer = ck.Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 2, "queue.buffering.max.messages": 500000})
        self._next = {}

    def topic(self):
        """A topic nobody uses."""
        return self._spare.pop(0)

    def fill(self, topic, start, end, partitions=(0, 1), rate=0):
        """Produces messages start..end to each partition (their offsets are the same), at `rate` lines a second if given. Waits until all are there."""
        failed, began, n = [], time.monotonic(), 0
        for o in range(start, end):
            for p in partitions:
                while True:
                    try:
                        self._producer.produce(topic, value=value_of(p, o), key=f"k{o % 100}", partition=p, timestamp=ts_of(p, o),
                                               on_delivery=lambda err, msg: err and failed.append(err))
                        break
                    except BufferError:
                        self._producer.poll(0.05)
                n += 1
            if n % 50 < len(partitions):
                self._producer.poll(0)
                ahead = rate and n / rate - (time.monotonic() - began)
                if ahead and ahead > 0:
                    time.sleep(ahead)
        assert self._producer.flush(30) == 0 and not failed, failed[:1]


@pytest.fixture(scope="session")
def embedded_cluster():
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
        spare = [f"spare{i}" for i in range(TOPICS)]
        f.write("topic t 2 none\ntopic nothing 2 none\n" + "".join(f"topic {s} 2 none\n" for s in spare))
        f.flush()
        with Embedded([f.name]) as broker:
            cluster = Cluster(broker.bootstrap, None, spare)
            cluster.fill("t", 0, MESSAGES)
            yield cluster


@pytest.fixture(scope="session")
def kafka_cluster(kafka):
    if "t" not in kafka.metadata().topics:
        kafka.create_topic("t", partitions=2)
        kafka.create_topic("nothing", partitions=2)
    spare = ["m" + uuid.uuid4().hex[:8] for _ in range(TOPICS)]        # made at once: a mount may need 5 s to see a new one
    for done in kafka.admin.create_topics([NewTopic(s, num_partitions=2) for s in spare]).values():
        done.result(30)
    cluster = Cluster(kafka.bootstrap, kafka, spare)
    cluster.fill("t", 0, MESSAGES)
    return cluster


@pytest.fixture(params=["embedded", "kafka"])
def cluster(request):
    return request.getfixturevalue(request.param + "_cluster")


@pytest.fixture
def mount(cluster):
    with Mounted(cluster.bootstrap) as m:
        yield m


@pytest.fixture(autouse=True, scope="session")
def nothing_left():
    """Whatever the tests do, no mount of theirs survives them."""
    before = set(mounts()) if can_mount() else set()
    yield
    for where in set(mounts()) - before:
        if f"/weir-mount-{os.getpid()}-" in where:     # another run may be under way
            unmount(where)
