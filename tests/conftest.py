"""Fixtures of every tier. The helpers themselves are in tests/lib."""
import os
import re
import signal
import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lib"))

# Under nohup, or in the background of a script, these are ignored, and children inherit that (weir respects it). A handler is not inherited:
# this process goes on ignoring them, its children begin as those of a terminal do.
for _signal in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, lambda *_: None)


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="write what weir said into the expectations of the cases (tests/sql, tests/kafka/cases)")


def _cluster(**how):
    """Yields a RealKafka. Where none can run the tests are skipped; under ./check --strict that is a failure."""
    from kafka import NoKafka, RealKafka
    try:
        cluster = RealKafka(**how).__enter__()
    except NoKafka as e:
        if os.environ.get("WEIR_STRICT"):
            pytest.fail(f"no Kafka: {e}")
        pytest.skip(f"no Kafka: {e}")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def kafka():
    """Apache Kafka 4.3.1, one node. Shared by the whole run: leave it as you found it; faults belong on a proxy or a cluster of your own."""
    yield from _cluster()


@pytest.fixture(scope="session")
def kafka39():
    """Apache Kafka 3.9.1, one node."""
    yield from _cluster(version="3.9.1")


@pytest.fixture(scope="module")
def kafka_secure():
    """4.3.1 with SASL, TLS and ACLs."""
    yield from _cluster(sasl=True, tls=True, acl=True)


@pytest.fixture(scope="module")
def kafka39_secure():
    """3.9.1 with SASL, TLS and ACLs: the last Kafka that Debian 12's librdkafka can do SCRAM with."""
    yield from _cluster(version="3.9.1", sasl=True, tls=True, acl=True)


@pytest.fixture(scope="module")
def kafka_own():
    """4.3.1, one node, for tests that stop it, start it and damage its files, one after the other."""
    yield from _cluster()


@pytest.fixture(scope="module")
def kafka3():
    """4.3.1, three nodes."""
    yield from _cluster(nodes=3)


@pytest.fixture
def name(request):
    """A topic name that no other test has, with the test's name in it."""
    return re.sub(r"[^A-Za-z0-9_]", "_", request.node.name)[:60].strip("_") + "_" + uuid.uuid4().hex[:6]


@pytest.fixture
def weir():
    from weir import weir as run
    return run
