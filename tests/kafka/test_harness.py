"""Proves the harness itself: if these fail, no other result of this tier means anything."""
import time

import confluent_kafka as ck
import pytest

from kafka import USERS, rec
from net import wait_until


def values(rows):
    return [r["value"] for r in rows]


def test_produce_and_consume(kafka, name):
    kafka.create_topic(name, partitions=2)
    sent = [rec(f"v{i}", key=f"k{i}", ts=1700000000000 + i, partition=i % 2, headers=[("n", b"\x00\xff"), ("n", None)]) for i in range(10)]
    assert kafka.produce(name, sent) == [(i % 2, i // 2) for i in range(10)]
    kafka.produce(name, [rec(None, key="k0", ts=1700000001000, partition=1)])
    got = kafka.consume(name)
    assert [r["offset"] for r in got] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5]
    assert [{k: v for k, v in r.items() if k != "offset"} for r in got[:5]] == sent[0::2]
    assert got[-1]["value"] is None and got[-1]["key"] == b"k0"


def test_time_index(kafka, name):
    kafka.create_topic(name)
    kafka.produce(name, [rec("x", ts=1700000000000 + 1000 * i) for i in range(100)])
    assert kafka.offsets(name, 1700000000000 + 49_500) == {0: 50}


def test_delete_records(kafka, name):
    kafka.create_topic(name)
    kafka.produce(name, [rec(str(i)) for i in range(20)])
    assert kafka.delete_records(name, {0: 15}) == {0: 15}
    assert kafka.offsets(name, "earliest") == {0: 15}
    assert values(kafka.consume(name)) == [b"15", b"16", b"17", b"18", b"19"]


def test_transactions(kafka, name):
    kafka.create_topic(name)
    kafka.transaction(name, [rec("a"), rec("b")])
    kafka.transaction(name, [rec("gone")], end="abort")
    left = kafka.transaction(name, [rec("open")], end="open")
    kafka.produce(name, [rec("after")])
    assert kafka.offsets(name, isolation="read_committed") == {0: 5}      # a b marker gone marker | open after
    assert kafka.offsets(name) == {0: 7}
    assert values(kafka.consume(name)) == [b"a", b"b"]
    assert values(kafka.consume(name, "read_uncommitted")) == [b"a", b"b", b"gone", b"open", b"after"]
    left.commit_transaction(30)
    wait_until(lambda: values(kafka.consume(name)) == [b"a", b"b", b"open", b"after"], 10, "the commit to show")


def test_compaction(kafka, name):
    kafka.create_topic(name, configs={"cleanup.policy": "compact", "segment.ms": 100, "min.cleanable.dirty.ratio": 0.01, "delete.retention.ms": 100})
    kafka.produce(name, [rec(str(i), key="same") for i in range(50)])

    def compacted():
        kafka.produce(name, [rec("tick", key="tick")])     # a new record rolls the segment, only closed ones are compacted
        rows = kafka.consume(name)
        return sum(r["key"] == b"same" for r in rows) == 1 and rows
    rows = wait_until(compacted, 30, "compaction", every_s=0.3)
    assert rows[0]["offset"] == 49 and rows[0]["value"] == b"49"


def test_recreate_and_grow(kafka, name):
    kafka.create_topic(name)
    kafka.produce(name, [rec("old")])
    kafka.delete_topic(name)
    kafka.create_topic(name, partitions=1)
    kafka.produce(name, [rec("new")])
    kafka.add_partitions(name, 3)
    kafka.produce(name, [rec("newer", partition=2)])
    assert values(kafka.consume(name)) == [b"new", b"newer"]


def test_limits_of_a_topic_can_be_changed(kafka, name):
    kafka.create_topic(name)
    kafka.alter_configs(name, {"max.message.bytes": 1000})
    with pytest.raises(AssertionError, match="MSG_SIZE_TOO_LARGE"):
        wait_until(lambda: kafka.produce(name, [rec("x" * 5000)]) is None, 5, "the limit to hold", every_s=0.2)
    kafka.alter_configs(name, {"max.message.bytes": None})
    wait_until(lambda: not _refused(kafka, name), 5, "the limit to go", every_s=0.2)


def _refused(kafka, name):
    try:
        kafka.produce(name, [rec("x" * 5000)])
    except AssertionError:
        return True
    return False


def test_proxy_faults(kafka, name):
    kafka.create_topic(name)
    kafka.produce(name, [rec("x" * 1000)])
    proxy = kafka.proxy()

    def through(seconds=3):
        began = time.monotonic()
        consumer = ck.Consumer({"bootstrap.servers": kafka.proxied, "group.id": "g", "log_level": 0, "enable.auto.commit": False})
        try:
            consumer.assign([ck.TopicPartition(name, 0, 0)])
            m = consumer.poll(seconds)
            return (m is not None and not m.error()), time.monotonic() - began
        finally:
            consumer.close()

    try:
        before = proxy.down_bytes
        got, quick_s = through()
        assert got and proxy.down_bytes - before > 1000        # it did go through the proxy
        proxy.delay_s = 0.1
        got, slow_s = through()
        assert got and slow_s > quick_s + 0.2
        proxy.heal()
        proxy.bytes_per_s = 10
        assert not through(1)[0]
        proxy.heal()
        proxy.stalled = True
        assert not through(1)[0]
        proxy.heal()
        proxy.refusing = True
        proxy.cut()
        assert not through(1)[0]
        proxy.heal()
        assert through()[0]
    finally:
        proxy.heal()


def test_paused_killed_and_started_again(name):
    from conftest import _cluster
    cluster = _cluster()
    k = next(cluster)
    try:
        k.create_topic(name)
        k.produce(name, [rec("kept")], acks="all")
        node = k.nodes[0]
        node.pause()
        with pytest.raises(ck.KafkaException):
            k.metadata(timeout_s=1)
        node.resume()
        k.wait_ready()
        node.kill()
        with pytest.raises(ck.KafkaException):
            k.metadata(timeout_s=1)
        node.start()
        assert values(k.consume(name)) == [b"kept"]
    finally:
        cluster.close()
        k.stop()


def test_old_kafka(kafka39, name):
    kafka39.create_topic(name)
    kafka39.transaction(name, [rec("a")])
    kafka39.transaction(name, [rec("b")], end="abort")
    assert values(kafka39.consume(name)) == [b"a"]
    assert kafka39.delete_records(name, {0: 1}) == {0: 1}


def reads(bootstrap, topic, **conf):
    """-> value of the topic's first record, or the text of the error, as a client with these settings sees it."""
    errors = []
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "log_level": 0, "enable.auto.commit": False,
                            "error_cb": lambda e: errors.append(e.str()), **{k.replace("_", "."): v for k, v in conf.items()}})
    try:
        try:
            refused = consumer.list_topics(topic, timeout=2).topics[topic].error
        except ck.KafkaException as e:
            consumer.poll(0)
            return errors[0] if errors else str(e)
        if refused:
            return refused.str()
        consumer.assign([ck.TopicPartition(topic, 0, 0)])
        end = time.monotonic() + 8
        while time.monotonic() < end:
            m = consumer.poll(0.2)
            # Nobody gave the group to these users; a client that reads without it may still ask for its coordinator.
            if m is not None and not (m.error() and "Group" in m.error().str()):
                return m.error().str() if m.error() else m.value()
        return f"nothing; {errors}"
    finally:
        consumer.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_sasl_and_acl(kafka_secure, name, mechanism):
    k = kafka_secure
    k.create_topic(name)
    k.produce(name, [rec("secret")])
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism, "sasl_username": "alice"}
    assert "uthentication failed" in reads(k.sasl_bootstrap, name, **login, sasl_password="wrong")
    login["sasl_password"] = USERS["alice"]
    assert "uthorization" in reads(k.sasl_bootstrap, name, **login)
    k.allow("alice", "READ", name=name)
    assert reads(k.sasl_bootstrap, name, **login) == b"secret"
    k.forbid_all("alice")
    wait_until(lambda: "uthorization" in str(reads(k.sasl_bootstrap, name, **login)), 20, "the ACL to go")


def test_tls(kafka_secure, name):
    k = kafka_secure
    k.create_topic(name)
    k.produce(name, [rec("secret")])
    for user in ("ANONYMOUS", "alice"):
        k.allow(user, "READ", name=name)
    tls = {"security_protocol": "SSL", "ssl_ca_location": str(k.pki.ca)}
    assert reads(k.tls_bootstrap, name, **tls) == b"secret"
    assert "ertificate" in reads(k.tls_bootstrap, name, security_protocol="SSL")             # a CA that the client does not know
    assert "ertificate" in reads(k.expired_bootstrap, name, **tls)
    assert "ertificate" in reads(k.other_host_bootstrap, name, **tls)
    assert reads(k.other_host_bootstrap, name, **tls, ssl_endpoint_identification_algorithm="none") == b"secret"
    mine = k.pki.issue("carol")
    assert "uthorization" in reads(k.tls_bootstrap, name, **tls, ssl_certificate_location=str(mine.cert), ssl_key_location=str(mine.key))
    old = k.pki.issue("late", days=-1)
    assert reads(k.tls_bootstrap, name, **tls, ssl_certificate_location=str(old.cert), ssl_key_location=str(old.key)) != b"secret"
    both = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "alice", "sasl_password": USERS["alice"]}
    assert reads(k.sasl_tls_bootstrap, name, **both, ssl_ca_location=str(k.pki.ca)) == b"secret"


def test_unsecured_token(kafka_secure, name):
    k = kafka_secure
    k.create_topic(name)
    k.produce(name, [rec("secret")])
    k.allow("dave", "READ", name=name)
    assert reads(k.sasl_bootstrap, name, security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER", enable_sasl_oauthbearer_unsecure_jwt=True,
                 sasl_oauthbearer_config="principal=dave") == b"secret"


def test_advertised_address_where_nobody_listens(kafka):
    def addresses():
        """None: the client had left the bootstrap address for the advertised one before it asked, so nobody answers. Ask with a new one."""
        consumer = ck.Consumer({"bootstrap.servers": kafka.lost_bootstrap, "group.id": "unused", "log_level": 0})
        try:
            return [(b.host, b.port) for b in consumer.list_topics(timeout=2).brokers.values()]
        except ck.KafkaException:
            return None
        finally:
            consumer.close()

    assert wait_until(addresses, 20, "an answer") == [("127.0.0.1", 1)]


def test_three_nodes_and_a_leader_change(kafka3, name):
    k = kafka3
    k.create_topic(name, partitions=3)
    k.produce(name, [rec(f"v{p}", partition=p) for p in range(3)], acks="all")
    lost = k.leader(name)
    k.nodes[lost - 1].kill()
    wait_until(lambda: k.leader(name) not in (lost, -1), 60, "another leader")
    k.produce(name, [rec("more")], acks="all")
    assert sorted(values(k.consume(name))) == [b"more", b"v0", b"v1", b"v2"]
    k.nodes[lost - 1].start()
