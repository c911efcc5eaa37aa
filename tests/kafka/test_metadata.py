"""The weir_* tables against a real broker: what the embedded one has not (groups with lag, configs, time, transactions)."""
import confluent_kafka as ck

from kafka import rec
from weir import weir


def ask(kafka, *sql):
    args = [a for s in sql for a in ("-c", s)]
    return weir("-b", kafka.bootstrap, "--mode", "csv", *args).ok()


def commit(kafka, group, offsets):
    c = ck.Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})
    c.commit(offsets=[ck.TopicPartition(t, p, o) for t, p, o in offsets], asynchronous=False)
    c.close()


def test_partitions_and_times(kafka, name):
    kafka.create_topic(name, partitions=2)
    kafka.produce(name, [rec("x" * 100, ts=1700000000000 + i * 1000, partition=0) for i in range(10)])
    got = ask(kafka, f"select partition, low, high, lso, first_ts, last_ts, bytes_estimate from weir_partitions where topic = '{name}' order by 1")
    assert got.out == "partition,low,high,lso,first_ts,last_ts,bytes_estimate\n0,0,10,10,1700000000000,1700000009000,1000\n1,0,0,0,,,\n"


def test_open_transaction_shows_in_lso(kafka, name):
    kafka.create_topic(name)
    kafka.produce(name, [rec("a")])
    left = kafka.transaction(name, [rec("open")], end="open")
    try:
        rows = ask(kafka, f"select high, lso from weir_partitions where topic = '{name}'").rows
        assert rows == [{"high": "2", "lso": "1"}]
    finally:
        left.abort_transaction(30)


def test_group_lag(kafka, name):
    kafka.create_topic(name, partitions=2)
    kafka.produce(name, [rec(str(i), partition=i % 2) for i in range(20)])
    group = "g-" + name
    commit(kafka, group, [(name, 0, 4), (name, 1, 10)])
    kafka.delete_records(name, {0: 6})
    got = ask(kafka, f'select partition, "offset", "end", lag, lost from weir_group_offsets where "group" = \'{group}\' order by 1',
              f'select state from weir_groups where "group" = \'{group}\'')
    assert got.out == "partition,offset,end,lag,lost\n0,4,10,4,2\n1,10,10,0,0\nstate\nEmpty\n"


def test_configs(kafka, name):
    kafka.create_topic(name, configs={"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"})
    got = ask(kafka, f"select name, value, is_default from weir_configs where topic = '{name}' and name in ('cleanup.policy', 'message.timestamp.type') order by 1",
              "select count(*) > 20 as many from weir_configs where broker is not null", f"show configs for '{name}' like 'cleanup%'")
    assert got.out.startswith("name,value,is_default\ncleanup.policy,compact,0\nmessage.timestamp.type,LogAppendTime,0\nmany\n1\n"), got.out
    wide = ask(kafka, f"describe extended \"{name}\"").out
    assert "LogAppendTime" in wide and "compacted,yes" in wide


def test_topics_hide_internal_ones(kafka, name):
    kafka.create_topic(name)
    commit(kafka, "g-" + name, [(name, 0, 0)])
    assert "__consumer_offsets" not in ask(kafka, "show topics").out
    assert "__consumer_offsets" in ask(kafka, "show all topics").out
    assert ask(kafka, "select count(*) n, sum(controller) c from weir_brokers").rows == [{"n": "1", "c": "1"}]


def test_print_by_time(kafka, name):
    kafka.create_topic(name)
    kafka.produce(name, [rec(str(i), ts=1700000000000 + i * 1000) for i in range(10)])
    rows = ask(kafka, f"print '{name}' from '2023-11-14T22:13:27Z'").rows
    assert [r["_value"] for r in rows] == ["7", "8", "9"]
    assert [r["_value"] for r in ask(kafka, f"print '{name}' limit 2").rows] == ["8", "9"]
