"""What a bad disk leaves in a segment: a scan must end and name the place, or step over it and say so. Never a hang, never a silent loss."""
import re
import struct
import time

import pytest

from kafka import rec
from live import Live
from segment import RECORDS_AT, RECORDS_N_AT, batches, damage, rewrite

BATCHES_N = 6


@pytest.fixture
def topic(kafka, name):
    """Six batches of ten records; -> a function that makes them with a compression."""
    made = []

    def make(codec="none"):
        for attempt in range(8):             # on a busy machine a producer may send the first record alone
            made.append(f"{name}_{attempt}")
            kafka.create_topic(made[-1])
            for i in range(BATCHES_N):
                kafka.produce(made[-1], [rec(f"{i * 10 + j:04}-" + "x" * 50) for j in range(10)], compression_type=codec, linger_ms=1000, batch_num_messages=10)
            got = [(b.offset, b.records_n) for b in batches(kafka, made[-1])]
            if got == [(10 * i, 10) for i in range(BATCHES_N)]:
                return made[-1]
        raise AssertionError(f"no batches of ten: {got}")

    yield make
    kafka.delete_topic(*made)


def count(weir, kafka, name, *args, where="1", declare=True):
    declared = ["-c", f"create stream s (v text) from topic '{name}' with (format = 'text')"] if declare else []
    return weir("-b", kafka.bootstrap, "--mode", "csv", *args, *declared,
                "-c", f"select count(*) n, min(_offset) lo, max(_offset) hi from {'s' if declare else name} where length(_value) > 0 and {where}", timeout_s=60)


def bad_codec(data):
    data[RECORDS_AT:] = b"A" * (len(data) - RECORDS_AT)


def unknown_codec(data):
    data[22] = data[22] & ~7 | 6


DAMAGES = {"crc": None, "gzip": bad_codec, "zstd": bad_codec, "lz4": bad_codec, "snappy": bad_codec, "unknown": unknown_codec}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_batch(kafka, topic, weir, kind):
    t = topic(kind if DAMAGES[kind] is bad_codec else "none")
    rewrite(kafka, t, 15, DAMAGES[kind]) if DAMAGES[kind] else damage(kafka, t, 15)
    for declare in (True, False):
        got = count(weir, kafka, t, declare=declare)
        assert got.code == 4 and got.took_s < 5, (got.code, got.took_s, got.err)
        assert "offset 10 of partition 0" in got.err and t in got.err, got.err
    # What lies elsewhere is there for whoever asks for it.
    assert count(weir, kafka, t, where="_offset < 10").ok().rows == [{"n": "10", "lo": "0", "hi": "9"}]
    assert count(weir, kafka, t, where="_offset >= 20").ok().rows == [{"n": "40", "lo": "20", "hi": "59"}]
    # Its end has to be found, and nothing else is lost.
    got = count(weir, kafka, t, "--skip-bad-batch").ok()
    assert got.rows == [{"n": "50", "lo": "0", "hi": "59"}]
    assert "offsets 10..19 of partition 0" in got.err, got.err


def test_damaged_tail(kafka, topic, weir):
    t = topic()
    damage(kafka, t, 59)
    got = count(weir, kafka, t)
    assert got.code == 4 and "offset 50 of partition 0" in got.err, got.err
    for _ in range(20):         # the client library may lock itself out for good when it is closed here
        got = count(weir, kafka, t, "--skip-bad-batch").ok()
        assert got.took_s < 5
    assert got.rows == [{"n": "50", "lo": "0", "hi": "49"}] and "offsets 50..59 of partition 0" in got.err, (got.out, got.err)


def test_two_damaged_batches(kafka, topic, weir):
    t = topic()
    for offset in (15, 25, 45):
        damage(kafka, t, offset)
    got = count(weir, kafka, t, "--skip-bad-batch").ok()
    assert got.rows == [{"n": "30", "lo": "0", "hi": "59"}], (got.out, got.err)
    told = [(int(a), int(b)) for a, b in re.findall(r"offsets (\d+)\.\.(\d+) of partition 0", got.err)]
    assert sorted(o for a, b in told for o in range(a, b + 1)) == [*range(10, 30), *range(40, 50)], got.err


def test_rows_before_the_damage_are_printed(kafka, topic, weir):
    t = topic()
    damage(kafka, t, 35)
    got = weir("-b", kafka.bootstrap, "--mode", "csv", "-c", f"create stream s (v text) from topic '{t}' with (format = 'text')", "-c", "select _offset from s")
    assert got.code == 4 and [r["_offset"] for r in got.rows] == [str(i) for i in range(30)]


def test_record_that_does_not_parse(kafka, topic, weir):
    """The CRC is right, the record's length is not: librdkafka 2.0.2 fetches such a batch for ever and reports nothing."""
    t = topic()

    def wrong_length(data):
        data[RECORDS_AT:RECORDS_AT + 3] = b"\xff\xff\x7f"
    rewrite(kafka, t, 15, wrong_length)
    got = count(weir, kafka, t)
    assert got.code == 4 and got.took_s < 12 and "offset 10 of partition 0" in got.err, (got.code, got.took_s, got.err)
    got = count(weir, kafka, t, "--skip-bad-batch").ok()
    assert got.rows == [{"n": "50", "lo": "0", "hi": "59"}] and "offsets 10..19 of partition 0" in got.err, (got.out, got.err)


@pytest.mark.parametrize("skip", [False, True])
def test_record_that_does_not_parse_in_an_endless_read(kafka, name, skip):
    """Found although another partition has messages all the time."""
    kafka.create_topic(name, partitions=2)
    for i in range(3):
        kafka.produce(name, [rec(f"{i * 10 + j:04}-" + "x" * 50) for j in range(10)], linger_ms=1000, batch_num_messages=10)

    def wrong_length(data):
        data[RECORDS_AT:RECORDS_AT + 3] = b"\xff\xff\x7f"
    rewrite(kafka, name, 15, wrong_length)
    live = Live(kafka.bootstrap, name, f"weir.skip.bad.batch={'true' if skip else 'false'}")
    producer, began, wanted = kafka.producer(linger_ms=0), time.monotonic(), "notice: offsets 10..19 of partition 0" if skip else "error 4: the batch at offset 10 of partition 0"
    while live.find(wanted) is None and time.monotonic() - began < 25:
        kafka.send(producer, name, [rec("busy", partition=1)])
        time.sleep(0.05)
    live.wait(wanted, 1)
    if skip:
        live.wait("0 29 0029")
        assert [int(r[1]) for r in live.records() if r[0] == "0"] == [*range(10), *range(20, 30)]
        assert live.end() == 10
    else:
        live.end(4)
    kafka.delete_topic(name)


def test_wrong_record_count(kafka, topic, weir):
    t = topic()
    rewrite(kafka, t, 15, lambda data: struct.pack_into(">i", data, RECORDS_N_AT, 1000))
    assert count(weir, kafka, t).ok().rows == [{"n": "60", "lo": "0", "hi": "59"}]


def test_same_offsets_twice(kafka, topic, weir):
    """A batch that claims offsets which were read already: dropped and counted, so that no row comes twice."""
    t = topic()
    rewrite(kafka, t, 15, lambda data: struct.pack_into(">q", data, 0, 0))
    got = weir("-b", kafka.bootstrap, "--mode", "csv", "-c", f"create stream s (v text) from topic '{t}' with (format = 'text')",
               "-c", r"\stats on", "-c", "select count(*) n, count(distinct _offset) d from s where length(_value) > 0").ok()
    assert got.out.split("\n")[1] == "50,50"
    assert re.search(r"duplicates dropped\W+10\b", got.out + got.err), got.out + got.err
