"""Proves weir-test-broker: another client reads exactly the records that a case has."""
import confluent_kafka as ck
import pytest

from embedded import Embedded, broker_binary
from net import wait_until
from sqlcase import Case

RECORDS = '''--- topic t partitions=2 compression=%s
k="a" v={"x": [1, 2]} h=[["n","v"],["e",""],["0",null],["b","hex:00ff"]]
v=null p=1 ts=5
k="" v=""
k=hex:00ff v="é"
v=rep:300000:abc p=1
--- exit 0
'''


def consume(bootstrap, topic, partitions):
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "g", "enable.partition.eof": True, "enable.auto.commit": False, "log_level": 0})
    consumer.assign([ck.TopicPartition(topic, p, 0) for p in range(partitions)])
    rows, todo = [], set(range(partitions))
    try:
        while todo:
            m = consumer.poll(10)
            assert m is not None, f"partitions {todo} did not end"
            if m.error():
                todo.discard(m.partition())
            else:
                rows.append((m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers() or []))
    finally:
        consumer.close()
    return sorted(rows)


def plain(tmp_path, text):
    (tmp_path / "x.case").write_text(text, encoding="utf-8")
    files = []
    for i, topic in enumerate(Case(tmp_path / "x.case").topics):
        files.append(tmp_path / f"{i}.records")
        files[-1].write_text(topic.plain())
    return files


if broker_binary().exists():
    @pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
    def test_records_as_written(tmp_path, codec):
        with Embedded(plain(tmp_path, RECORDS % codec)) as broker:
            assert consume(broker.bootstrap, "t", 2) == [
                (0, 0, 1700000000000, b"a", b'{"x": [1, 2]}', [("n", b"v"), ("e", b""), ("0", None), ("b", b"\x00\xff")]),
                (0, 1, 1005, b"", b"", []),
                (0, 2, 2005, b"\x00\xff", "é".encode(), []),
                (1, 0, 5, None, None, []),
                (1, 1, 3005, None, b"abc" * 300000, [])]

    def test_two_topics_and_more_records_later(tmp_path):
        a, b = plain(tmp_path, '--- topic a\nv="1"\n--- topic b\nv="2"\n--- exit 0\n')
        with Embedded([a, b]) as broker:
            broker.tell(f"load {a}")
            assert [r[4] for r in consume(broker.bootstrap, "a", 1)] == [b"1", b"1"]
            assert [r[4] for r in consume(broker.bootstrap, "b", 1)] == [b"2"]

    def test_broker_goes_down_and_comes_back(tmp_path):
        with Embedded(plain(tmp_path, '--- topic a\nv="1"\n--- exit 0\n')) as broker:
            broker.tell("down 1")
            with pytest.raises(ck.KafkaException):
                ck.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "log_level": 0}).list_topics(timeout=0.5)
            broker.tell("up 1")
            wait_until(lambda: consume(broker.bootstrap, "a", 1), 10, "the broker")

    @pytest.mark.parametrize("text", ["topic t 1 none\n1 1 61 - -\n", "topic t 1 none\n0 1 6 - -\n", "topic t 1 none\n0 1 61 -\n", "0 1 61 - -\n", "topic t 1 nonesuch\n",
                                      "topic t 1x none\n", "topic t 0 none\n", "topic t 1 none\nx 1 61 - -\n", "topic t 1 none\n0 1.5 61 - -\n", "topic t 1 none\n0 99999999999999999999 61 - -\n"])
    def test_wrong_records_are_refused(tmp_path, text):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(RuntimeError):
            Embedded([tmp_path / "bad"], timeout_s=5).__enter__()

    @pytest.mark.parametrize("command", ["down x", "down", "rtt 1", "rtt 1 2ms", "topic t 99999999999", "topic t -1", "fail 1 2 3 4", "nonesuch"])
    def test_wrong_commands_are_refused(tmp_path, command):
        with Embedded() as broker:
            with pytest.raises(RuntimeError, match="error"):
                broker.tell(command)
