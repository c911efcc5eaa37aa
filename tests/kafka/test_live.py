"""Live queries on a real Kafka: rows as they are produced, transactions, new partitions, brokers that go and come, how a query ends, views."""
import csv
import io
import signal
import time

import pytest

from kafka import rec
from machine import Stopwatch
from net import wait_until
from weir import start


class Live:
    """A weir that runs on, and the lines it has printed."""

    def __init__(self, bootstrap, *args):
        self.proc = start("-b", bootstrap, "--mode", "csv", "--no-header", *args)
        import os
        os.set_blocking(self.proc.stdout.fileno(), False)
        os.set_blocking(self.proc.stderr.fileno(), False)
        self.out, self.err = b"", b""

    def read(self):
        for pipe, name in ((self.proc.stdout, "out"), (self.proc.stderr, "err")):
            data = pipe.read()
            if data:
                setattr(self, name, getattr(self, name) + data)
        return self.out.decode().splitlines()

    def wait(self, n, timeout_s=15):
        """-> the first n lines."""
        end = time.monotonic() + timeout_s
        while len(self.read()) < n:
            assert time.monotonic() < end and self.proc.poll() is None, f"{len(self.read())} of {n} lines\n{self.out.decode()}\n{self.err.decode()}"
            time.sleep(0.01)
        return self.read()[:n]

    def started(self):
        """A query that begins now has asked for the ends when it says so."""
        wait_until(lambda: self.read() is not None and b"from now on" in self.err, 15)
        time.sleep(0.3)
        return self

    def end(self, signal_number=signal.SIGINT):
        if self.proc.poll() is None:
            self.proc.send_signal(signal_number)
        code = self.proc.wait(10)
        self.read()
        return code


def sql(name, text):
    return f"create stream s (k text, v integer) from topic '{name}' with (format = 'json'); {text}"


def test_rows_as_they_are_produced(kafka, name):
    kafka.create_topic(name, partitions=2)
    kafka.produce(name, [rec('{"k":"old","v":0}')])
    live = Live(kafka.bootstrap, "-c", sql(name, "select k, v * 2 as d from s where v > 0 emit changes")).started()
    for i in range(1, 6):
        kafka.produce(name, [rec('{"k":"a","v":%d}' % i, partition=i % 2)])
        assert live.wait(i, 5)[-1] == f"a,{2 * i}"
    watch = Stopwatch()
    assert live.end() == 130 and watch.took() < 2


@pytest.mark.parametrize("args, code", [(["--timeout", "2s"], 124), (["--limit", "2"], 0)])
def test_how_it_ends(kafka, name, args, code):
    kafka.create_topic(name)
    kafka.produce(name, [rec('{"k":"a","v":%d}' % i) for i in range(5)])
    live = Live(kafka.bootstrap, *args, "-c", sql(name, "select v from s emit changes from beginning"))
    assert live.proc.wait(10) == code, live.err
    live.read()
    assert live.out.decode().split() == (["0", "1"] if code == 0 else ["0", "1", "2", "3", "4"])


def test_windows_close_by_event_time_and_by_silence(kafka, name):
    kafka.create_topic(name, partitions=2)
    q = "select window_start, k, count(*) as n from tumble(s, size => '10s') group by window_start, k emit final idle '2s'"
    live = Live(kafka.bootstrap, "-c", sql(name, q)).started()
    base = 1_700_000_000_000
    kafka.produce(name, [rec('{"k":"a","v":1}', ts=base, partition=0), rec('{"k":"a","v":1}', ts=base + 1, partition=1), rec('{"k":"b","v":1}', ts=base + 12_000, partition=0)])
    # Partition 1 holds the watermark back until it is idle; then the window of b waits for ten seconds of silence.
    assert live.wait(1, 8) == [f"{base},a,2"]
    assert live.wait(2, 20)[1] == f"{base + 10_000},b,1"
    live.end()


def test_from_a_time_and_from_offsets(kafka, name, weir):
    kafka.create_topic(name, partitions=2)
    base = int(time.time() * 1000) - 10_000
    kafka.produce(name, [rec('{"k":"a","v":%d}' % i, ts=base + i * 1000, partition=i % 2) for i in range(10)])
    def values(tail):
        got = weir("-b", kafka.bootstrap, "-q", "--mode", "csv", "-c", sql(name, f"select v from s emit changes {tail}")).ok()
        return sorted(int(r["v"]) for r in csv.DictReader(io.StringIO(got.out)))
    assert values("from '-6s' until end") == [v for v in range(10) if base + v * 1000 >= base + 4000] or len(values("from '-6s' until end")) in (5, 6)
    assert values("from offsets '0:3' until end") == [6, 8]
    assert values("from offsets '0:3,1:0' until end") == [1, 3, 5, 6, 7, 8, 9]
    assert values("from beginning until offsets '0:1,1:2'") == [0, 1, 3]
    got = weir("-b", kafka.bootstrap, "-q", "--mode", "csv", "--from", "-1h", "-c", sql(name, "select count(*) as n from s emit final until end")).ok()
    assert got.rows == [{"n": "10"}]


def test_transactions(kafka, name):
    kafka.create_topic(name)
    live = Live(kafka.bootstrap, "-c", sql(name, "select v from s emit changes")).started()
    kafka.transaction(name, [rec('{"v":1}')], end="abort")
    kafka.transaction(name, [rec('{"v":2}'), rec('{"v":3}')], end="commit")
    assert live.wait(2) == ["2", "3"]
    live.end()


def test_a_new_partition_and_a_vanished_topic(kafka, name):
    kafka.create_topic(name)
    live = Live(kafka.bootstrap, "-c", sql(name, "select _partition, v from s emit changes")).started()
    kafka.produce(name, [rec('{"v":1}')])
    live.wait(1)
    kafka.add_partitions(name, 2)
    wait_until(lambda: len(kafka.offsets(name)) == 2, 10)
    kafka.produce(name, [rec('{"v":2}', partition=1)])
    assert live.wait(2, 30)[1] == "1,2"
    kafka.delete_topic(name)
    assert live.proc.wait(40) == 4
    live.read()
    assert name in live.err.decode()


def test_brokers_go_and_come_back(kafka_own, name):
    kafka_own.create_topic(name)
    live = Live(kafka_own.bootstrap, "-c", sql(name, "select v from s emit changes")).started()
    kafka_own.produce(name, [rec('{"v":1}')])
    live.wait(1)
    kafka_own.nodes[0].kill()
    time.sleep(3)
    kafka_own.nodes[0].start()
    kafka_own.wait_ready()
    kafka_own.produce(name, [rec('{"v":2}')])
    assert live.wait(2, 30) == ["1", "2"]
    assert live.end() == 130


def test_a_table_follows(kafka, name):
    stream, table = name, name + "_t"
    for topic in (stream, table):
        kafka.create_topic(topic)
    kafka.produce(table, [rec('{"site":"north"}', key="a")])
    live = Live(kafka.bootstrap, "-c", f"create table sites (k text primary key, site text) from topic '{table}'; " + sql(stream, "select v, site from s left join sites using (k) emit changes")).started()
    kafka.produce(stream, [rec('{"k":"a","v":1}')])
    assert live.wait(1) == ["1,north"]
    kafka.produce(table, [rec('{"site":"south"}', key="a")])
    time.sleep(1)
    kafka.produce(stream, [rec('{"k":"a","v":2}')])
    assert live.wait(2)[1] == "2,south"
    kafka.produce(table, [rec(None, key="a")])
    time.sleep(1)
    kafka.produce(stream, [rec('{"k":"a","v":3}')])
    assert live.wait(3)[2] == "3,"
    live.end()


def test_a_bad_message_and_a_bad_clock(kafka, name, weir):
    kafka.create_topic(name, configs={"message.timestamp.after.max.ms": 9_223_372_036_854_775_807})
    now = int(time.time() * 1000)
    kafka.produce(name, [rec('{"k":"a","v":1}', ts=now - 60_000), rec("not json", ts=now - 59_000), rec('{"k":"a","v":2}', ts=4_070_908_800_000), rec('{"k":"a","v":"x"}', ts=now - 50_000),
                         rec('{"k":"a","v":NaN}', ts=now - 49_000), rec(None, ts=now - 48_000), rec('{"k":"a","v":4}', ts=now)])
    got = weir("-b", kafka.bootstrap, "--mode", "csv", "-c", sql(name, "select window_end > 4000000000000 as future, count(*) as n, count(_error) as bad from tumble(s, size => '100d') "
                                                               "group by window_start, window_end emit final grace '10d' from beginning until end"))
    rows = {r["future"]: r for r in got.ok().rows}
    assert rows["1"]["n"] == "1" and sum(int(r["n"]) for f, r in rows.items() if f == "0") == 6, got.out
    assert "did not move the watermark" in got.err and "2 of 7 messages could not be decoded" in got.err, got.err


def test_rows_come_while_more_are_produced(kafka, name):
    """Steady input leaves no pause: what is there is written out all the same."""
    kafka.create_topic(name, partitions=1)
    live = Live(kafka.bootstrap, "-c", sql(name, "select v from s emit changes")).started()
    seen = 0
    for i in range(400):
        kafka.produce(name, [rec('{"v":%d}' % i)])
        time.sleep(0.005)
        seen = max(seen, len(live.read()) - i // 2) if i > 100 else seen
    assert seen > 0, "half of what was produced had not been printed at any time"
    assert live.wait(400) == [str(i) for i in range(400)]
    assert live.end() == 130


def test_many_views_share_a_reader(kafka, name):
    kafka.create_topic(name, partitions=3)
    kafka.produce(name, [rec('{"k":"%s","v":1}' % (i % 7), partition=i % 3) for i in range(20000)])
    views = 24
    script = sql(name, "".join(f"create materialized view m{i} as select k, count(*) as n from s where v + {i} > 0 group by k; " for i in range(views)))
    total = " union all ".join(f"select sum(n) as n from m{i}" for i in range(views))
    p = start("-b", kafka.bootstrap, "--mode", "csv", "--no-header", "-c", script + f"select count(*), min(n), max(n) from ({total}); select count(*), sum(rows_in) from weir_queries")
    out, err = p.communicate(timeout=60)
    assert out.decode().splitlines() == [f"{views},20000,20000", f"{views},{views * 20000}"], err
