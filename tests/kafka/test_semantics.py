"""Faults of a cluster that a bounded scan can meet, beside those of test_scan.py and test_damage.py; clusters that are hurt here are this file's own."""

import pytest

from kafka import USERS, RealKafka, rec
from machine import Stopwatch
from net import wait_until
from test_scan import Slow, big, q, query


@pytest.fixture(autouse=True)
def healed(request):
    yield
    if "kafka" in request.fixturenames:
        request.getfixturevalue("kafka").proxy().heal()


def test_ten_megabytes(kafka, name, weir):
    kafka.create_topic(name, configs={"max.message.bytes": 20_000_000})
    kafka.produce(name, [rec("a"), rec("b" * 10_000_000), rec("c"), rec("d" * 17_500_000), rec("e")], message_max_bytes=20_000_000)
    sql = f"select _offset, _size, length(_value) n, _error is not null bad from {q(name)}"
    got = query(weir, kafka, sql).ok().rows
    assert [tuple(r.values()) for r in got] == [("0", "1", "1", "0"), ("1", "10000000", "10000000", "0"), ("2", "1", "1", "0"), ("3", "17500000", "", "1"), ("4", "1", "1", "0")]
    got = query(weir, kafka, sql, "--max-message", "1M").ok().rows
    assert [r["bad"] for r in got] == ["0", "1", "0", "1", "0"]
    got = query(weir, kafka, sql, "--max-message", "18M").ok().rows
    assert [r["n"] for r in got] == ["1", "10000000", "1", "17500000", "1"]
    kafka.delete_topic(name)


def test_topic_created_again_under_the_scan(kafka, name, weir):
    slow = Slow(kafka, big(kafka, name))
    slow.proxy.stalled = True
    kafka.delete_topic(name)
    kafka.create_topic(name)
    kafka.produce(name, [rec("another topic's record") for _ in range(5)])
    slow.proxy.heal()
    code, _, err = slow.end()
    assert code == 4 and name in err and ("created again" in err or "vanished" in err), (code, err)


def test_partitions_added_under_the_scan(kafka, name, weir):
    slow = Slow(kafka, big(kafka, name))
    kafka.add_partitions(name, 3)
    kafka.produce(name, [rec("new", partition=2) for _ in range(5)])
    slow.proxy.heal()
    code, out, err = slow.end()
    assert code == 0 and out.split("\n")[1] == "400,0,399", (out, err)


@pytest.mark.parametrize("where, n", [("_offset >= 1000", "0"), ("_offset >= 20", "0"), ("_offset >= 19", "1"), ("_offset between 5 and 4", "0"), ("_offset < 0", "0"), ("_offset >= 9223372036854775807", "0"),
                                      ("_partition = 7", "0"), ("_offset > -5", "20")])
def test_offsets_beyond_the_ends(kafka, name, weir, where, n):
    kafka.create_topic(name)
    kafka.produce(name, [rec(str(i)) for i in range(20)])
    got = query(weir, kafka, f"select count(*) n from {q(name)} where {where} and length(_value) > 0").ok()
    assert got.rows == [{"n": n}] and got.took_s < 5


def test_one_byte_a_second(kafka, name, weir):
    kafka.create_topic(name)
    kafka.produce(name, [rec("x" * 10_000)])
    kafka.proxy().bytes_per_s = 1
    got = query(weir, kafka, f"select * from {q(name)}", "--timeout", "2s", bootstrap=kafka.proxied)
    assert got.code in (2, 124) and got.took_s < 4 and got.err.strip(), (got.code, got.took_s, got.err)


def test_hundreds_of_partitions(kafka, name, weir):
    kafka.create_topic(name, partitions=300)
    kafka.produce(name, [rec(str(p), partition=p) for p in range(300)])
    got = query(weir, kafka, f"select count(*) n, count(distinct _partition) p, sum(cast(_value as int)) s from {q(name)} where length(_value) > 0").ok()
    assert got.rows == [{"n": "300", "p": "300", "s": str(300 * 299 // 2)}] and got.took_s < 5
    kafka.delete_topic(name)


def test_restart_under_the_scan(name, weir):
    with RealKafka() as k:
        slow = Slow(k, big(k, name))
        k.nodes[0].kill()
        slow.proxy.heal()
        k.nodes[0].start()
        code, out, err = slow.end()
        assert code == 0 and out.split("\n")[1] == "400,0,399", (code, out, err)


def test_no_leader(kafka3, name, weir):
    """One copy, and its broker is gone: say which partition, and that it has no leader; other topics go on."""
    k = kafka3
    k.create_topic(name, partitions=3, replication=1, configs={"min.insync.replicas": 1})
    k.create_topic(name + "_safe")
    k.produce(name, [rec(str(p), partition=p) for p in range(3)])
    k.produce(name + "_safe", [rec("safe")])
    lost = k.leader(name, 1)
    node = k.nodes[lost - 1]
    others = ",".join(f"127.0.0.1:{n.ports['PLAINTEXT']}" for n in k.nodes if n is not node)
    node.kill()
    try:
        import confluent_kafka.admin as cka
        left = cka.AdminClient({"bootstrap.servers": others, "log_level": 0})
        wait_until(lambda: left.list_topics(name, timeout=5).topics[name].partitions[1].leader == -1, 30, "the loss to be known")
        wait_until(lambda: left.list_topics(name + "_safe", timeout=5).topics[name + "_safe"].partitions[0].leader not in (-1, lost), 30, "another leader")
        got = query(weir, k, f"select * from {q(name)}", "-X", "weir.request.timeout.ms=3000", bootstrap=others)
        assert got.code == 2 and "partition 1" in got.err and "no leader" in got.err and got.took_s < 8, (got.code, got.took_s, got.err)
        assert query(weir, k, f"select _value from {q(name + '_safe')}", bootstrap=others).ok().rows == [{"_value": "safe"}]
    finally:
        node.start()


def test_right_taken_away_under_the_scan(name, weir, tmp_path):
    """The proxied listener asks for a login here, so that what comes over the slow wire has a user."""
    jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required " + " ".join(f'user_{u}="{pw}"' for u, pw in USERS.items()) + ";"
    k = RealKafka(sasl=True, acl=True, properties={"listener.name.proxy.plain.sasl.jaas.config": jaas})
    k._protocols["PROXY"] = "SASL_PLAINTEXT"
    k._extra["listener.name.proxy.sasl.enabled.mechanisms"] = "PLAIN"
    with k:
        conf = tmp_path / "alice.properties"
        conf.write_text(f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=alice\nsasl.password={USERS['alice']}\n")
        conf.chmod(0o600)
        big(k, name)
        k.allow("alice", "READ", name=name)
        slow = Slow(k, name, "-F", conf)
        k.allow("alice", "READ", name=name, deny=True)
        slow.proxy.heal()
        watch = Stopwatch()
        code, _, err = slow.end()
        assert code == 2 and "authorized" in err and name in err and watch.took() < 15, (code, err)
        assert USERS["alice"] not in err
