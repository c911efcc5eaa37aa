"""Files that grow, and streams: real tools on them while messages come, gently and at 20,000 lines a second."""
import os
import select
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from conftest import line_of, lines_of
from machine import Stopwatch
from mounted import Mounted
from net import wait_until


class Grow(threading.Thread):
    """Fills a topic beside what the test does."""

    def __init__(self, cluster, topic, start, end, rate=0, wait_s=0.0):
        super().__init__(daemon=True)
        self.how = (cluster, topic, start, end, rate, wait_s)
        self.error = None
        self.start()

    def run(self):
        cluster, topic, start, end, rate, wait_s = self.how
        time.sleep(wait_s)
        try:
            cluster.fill(topic, start, end, rate=rate)
        except BaseException as e:
            self.error = e

    def join(self, timeout=60):
        super().join(timeout)
        assert not self.is_alive() and self.error is None, self.error


def check(data, topic, start, end):
    """data holds exactly the messages start..end of both partitions, whole, in order within each."""
    assert b"\0" not in data
    assert data.endswith(b"\n") or not data
    per = {0: [], 1: []}
    for line in data.decode().splitlines(keepends=True):
        per[0 if line.startswith('{"topic":"%s","partition":0,' % topic) else 1].append(line)
    for p in (0, 1):
        assert "".join(per[p]).encode() == lines_of(p, start, end, topic), f"partition {p}: {len(per[p])} lines for {end - start}"


class Reader:
    """A tool at work; what it wrote so far, and when each piece came."""

    def __init__(self, mount, line):
        self.mount, self.proc = mount, mount.spawn(line)
        self.data, self.times = b"", []
        self.poll = select.poll()                        # select() ends at descriptor 1023
        self.poll.register(self.proc.stdout, select.POLLIN)
        os.set_blocking(self.proc.stdout.fileno(), False)

    def has_open(self, name):
        """The tool's open of this file of the mount has returned; @status counts it from when it was asked for."""
        fds = f"/proc/{self.proc.pid}/fd"
        try:
            return self.mount.path(name) in [os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)]
        except FileNotFoundError:
            return False

    def until(self, lines, timeout_s=60):
        end = time.monotonic() + timeout_s
        while self.data.count(b"\n") < lines and time.monotonic() < end:
            if self.poll.poll(100):
                got = os.read(self.proc.stdout.fileno(), 1 << 20)
                if not got:
                    break
                self.data += got
                self.times.append(time.monotonic())
        return self.data

    def end(self, sig=signal.SIGTERM):
        watch = Stopwatch()
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        self.proc.wait(5)
        self.err = self.proc.stderr.read()
        self.proc.stdout.close()
        self.proc.stderr.close()
        return watch.took()


@pytest.mark.parametrize("tool", ["tail -n 0 -f", "tail -n 0 -F", "tail -n 0 -s 0.1 -f", "busybox tail -n 0 -f"])
def test_tail_f(mount, cluster, tool):
    topic = cluster.topic()
    wait_until(lambda: os.path.exists(mount.path(topic)), 10, "the topic")
    mount.run(f"cat $M/{topic}/tail.ndjson").ok()
    reader = Reader(mount, f"{tool} $M/{topic}/tail.ndjson")
    time.sleep(0.5)
    grow = Grow(cluster, topic, 0, 50, rate=60)
    reader.until(100)
    grow.join()
    reader.end()
    assert reader.err == b""
    check(reader.data, topic, 0, 50)


@pytest.mark.parametrize("tool", ["tail -n +1 -s 0.1 -f $M/{t}/tail.ndjson", "tail -n +1 -s 0.1 -F $M/{t}/tail.ndjson", "cat $M/{t}/follow",
                                  "tail -n +1 -s 0.1 -f $M/{t}/log/0/00000000000000000000.ndjson $M/{t}/log/1/00000000000000000000.ndjson"])
def test_growth_at_full_speed(cluster, tool):
    """A developer sees no torn line at 50 lines a second; at 20,000 they all show."""
    topic, total = cluster.topic(), 20000
    with Mounted(cluster.bootstrap, "segment=100000") as mount:
        wait_until(lambda: os.path.exists(mount.path(topic)), 10, "the topic")
        first = 0
        if "/log/" in tool:
            first = 10
            cluster.fill(topic, 0, first)
            wait_until(lambda: os.path.exists(mount.path(topic + "/log/1/00000000000000000000.ndjson")), 10, "the segment")
        reader = Reader(mount, tool.format(t=topic))
        time.sleep(0.7)
        grow = Grow(cluster, topic, first, total, rate=20000)
        headers = 2 * total + 2 if "/log/" in tool else 0
        torn = 0
        while grow.is_alive():
            reader.until(reader.data.count(b"\n") + 1, timeout_s=0.5)
            seen = open(mount.path(topic + "/tail.ndjson"), "rb").read()       # cat, over and over
            torn += seen.count(b"\0") + (1 if seen and not seen.endswith(b"\n") else 0)
        grow.join()
        reader.until(2 * total + (2 if "/log/" in tool else 0), timeout_s=15)
        if headers:                                      # tail prints which file each piece is from
            time.sleep(1)
            reader.until(1 << 60, timeout_s=1)
        reader.end()
        assert reader.err == b"" and torn == 0
        data = reader.data
        if headers:
            data = b"".join(line for line in data.splitlines(keepends=True) if line.startswith(b"{"))
        check(data, topic, 0, total)


def test_follow_tools(mount, cluster):
    topic = cluster.topic()
    wait_until(lambda: os.path.exists(mount.path(topic)), 10, "the topic")
    f = f"$M/{topic}/follow"
    forever = [f"cat {f}", f"grep --line-buffered topic {f}", f"rg --line-buffered topic {f}", f"sed -u '' {f}", f"jq --unbuffered -c . {f}",
               f"""python3 -uc 'for l in open("'{f}'"): print(l, end="")'"""]
    ending = [f"head -n3 {f}", f"grep -m1 topic {f}"]
    readers = [Reader(mount, line) for line in forever + ending]
    wait_until(lambda: all(r.has_open(f"{topic}/follow") for r in readers), 20, "all to be open")
    cluster.fill(topic, 0, 5)
    for reader, line in zip(readers, forever):
        reader.until(10)
        reader.end()
        assert reader.data.count(b"\n") == 10, line
        if "jq" not in line:
            check(reader.data, topic, 0, 5)
    for reader, lines in zip(readers[len(forever):], (3, 1)):
        reader.until(lines)
        assert reader.proc.wait(5) == 0
        reader.end()
        assert reader.data.count(b"\n") == lines


def test_follow_latency(mount, cluster):
    topic = cluster.topic()
    wait_until(lambda: os.path.exists(mount.path(topic)), 10, "the topic")
    reader = Reader(mount, f"cat $M/{topic}/follow")
    wait_until(lambda: reader.has_open(f"{topic}/follow"), 20, "it to be open")
    late = []
    for o in range(10):
        cluster.fill(topic, o, o + 1, partitions=(0,))
        sent = time.monotonic()
        reader.until(o + 1)
        late.append(reader.times[-1] - sent)
        time.sleep(0.05)
    reader.end()
    assert sorted(late)[5] < (0.1 if cluster.kafka else 0.7), late


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_end_readers(mount, cluster, sig):
    for _ in range(3):
        reader = Reader(mount, "cat $M/t/follow")
        stat = Path(f"/proc/{reader.proc.pid}/stat")
        wait_until(lambda: reader.has_open("t/follow"), 20, "it to be open")
        wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "S", 10, "cat to sleep in a read that a signal ends")
        assert mount.run("ls $M").ok().took_s < 2
        assert reader.end(sig) < 1


def test_many_followers(mount, cluster):
    topic = cluster.topic()
    wait_until(lambda: os.path.exists(mount.path(topic)), 10, "the topic")
    fds = [os.open(mount.path(topic + "/follow"), os.O_RDONLY) for _ in range(950)]
    try:
        readers = [Reader(mount, f"cat $M/{topic}/follow") for _ in range(50)]
        wait_until(lambda: all(r.has_open(f"{topic}/follow") for r in readers), 40, "all to be open")
        assert mount.run("ls $M").ok().took_s < 1
        assert mount.run("cat $M/t/log/0/00000000000000000000.ndjson").ok().out == lines_of(0, 0, 10000)
        cluster.fill(topic, 0, 100)
        for reader in readers:
            reader.until(200)
            reader.end()
            check(reader.data, topic, 0, 100)
        for fd in fds:
            data = b""
            while data.count(b"\n") < 200:
                data += os.read(fd, 1 << 20)
            check(data, topic, 0, 100)
        rss = int(next(line for line in open(f"/proc/{mount.daemon.pid}/status") if line.startswith("VmRSS")).split()[1])
        assert rss < (400 << 10 if "san" in str(os.environ.get("WEIR", "")) else 100 << 10), f"{rss} kB"
    finally:
        for fd in fds:
            os.close(fd)


def test_nonblocking_and_poll(mount, cluster):
    topic = cluster.topic()
    wait_until(lambda: os.path.exists(mount.path(topic)), 10, "the topic")
    got = mount.run(f"dd if=$M/{topic}/follow iflag=nonblock")
    assert got.code != 0 and b"Resource temporarily unavailable" in got.err
    fd = os.open(mount.path(topic + "/follow"), os.O_RDONLY | os.O_NONBLOCK)
    try:
        ep = select.epoll()
        ep.register(fd, select.EPOLLIN)
        assert not select.select([fd], [], [], 0.1)[0] and not ep.poll(0.1)
        with pytest.raises(BlockingIOError):
            os.read(fd, 100)
        cluster.fill(topic, 0, 1)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(5000) and ep.poll(5) and select.select([fd], [], [], 5)[0]
        assert os.read(fd, 1 << 20).startswith(b'{"topic"')
        ep.close()
    finally:
        os.close(fd)


def test_follow_from(mount):
    mount.run("head -c0 $M/t/follow@-10").ok()
    assert mount.run("timeout 2 cat $M/t/follow@-10 | wc -l || true").text.strip() == "10"
    assert mount.run("head -n 50000 $M/t/follow@beginning | wc -l").text.strip() == "50000"
    got = mount.run("timeout 2 cat $M/t/follow@2023-11-14T22:17:29.900Z || true").out
    assert sorted(got.splitlines(keepends=True)) == sorted((lines_of(0, 24990, 25000) + lines_of(1, 24990, 25000)).splitlines(keepends=True))


def test_across_a_segment_end(cluster):
    topic = cluster.topic()
    cluster.fill(topic, 0, 700)
    with Mounted(cluster.bootstrap, "segment=1000") as m:
        live = f"{topic}/log/0/00000000000000000000.ndjson"
        wait_until(lambda: os.path.exists(m.path(live)), 10, "the segment")
        reader = Reader(m, f"tail -n +1 -s 0.1 -f $M/{live}")
        reader.until(700)
        cluster.fill(topic, 700, 1500)
        reader.until(1000)
        wait_until(lambda: len(os.listdir(m.path(f"{topic}/log/0"))) == 2, 10, "the next segment")
        time.sleep(0.5)
        reader.until(1001, timeout_s=0.5)
        reader.end()
        assert reader.data == lines_of(0, 0, 1000, topic) and reader.err == b""
        assert m.run(f"cat $M/{topic}/log/0/*").out == lines_of(0, 0, 1500, topic)
        assert m.run(f"cat $M/{topic}/log/1/*").out == lines_of(1, 0, 1500, topic)


def test_empty_topic_then_one(mount, cluster):
    topic = cluster.topic()
    wait_until(lambda: os.path.exists(mount.path(topic)), 10, "the topic")
    assert mount.run(f"wc -c < $M/{topic}/tail.ndjson").ok().text.strip() == "0"
    assert mount.run(f"ls $M/{topic}/log/0").ok().text == ""
    reader = Reader(mount, f"tail -s 0.1 -f $M/{topic}/tail.ndjson")
    time.sleep(0.3)
    cluster.fill(topic, 0, 1, partitions=(1,))
    reader.until(1)
    reader.end()
    assert reader.data == line_of(1, 0, topic).encode() and reader.err == b""


def test_no_inotify(mount, cluster):
    """Growth comes from the daemon: the kernel tells no watcher. tail -f polls, so it does not mind."""
    topic = cluster.topic()
    wait_until(lambda: os.path.exists(mount.path(topic)), 10, "the topic")
    watcher = Reader(mount, f"inotifywait -q -m -e modify $M/{topic}")
    time.sleep(0.5)
    cluster.fill(topic, 0, 10)
    watcher.until(1, timeout_s=1.5)
    watcher.end()
    assert watcher.data == b""


def test_less_follows(mount, cluster):
    import pexpect
    topic = cluster.topic()
    cluster.fill(topic, 0, 20)
    wait_until(lambda: os.path.exists(mount.path(topic + "/tail.ndjson")), 10, "the topic")
    child = pexpect.spawn("less", ["+F", mount.path(topic + "/tail.ndjson")], env={**os.environ, "TERM": "xterm", "LESS": ""}, dimensions=(60, 200), timeout=10)
    try:
        child.expect('"offset":19,')
        cluster.fill(topic, 20, 25)
        child.expect('"offset":24,')
        child.sendintr()
        child.send("q")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def test_end_with_readers(cluster):
    """SIGTERM: streams end as files do, the daemon is gone within 2 s, no mount is left (Mounted sees to that)."""
    with Mounted(cluster.bootstrap) as m:
        readers = [Reader(m, "cat $M/t/follow") for _ in range(5)]
        wait_until(lambda: all(r.has_open("t/follow") for r in readers), 20, "all to be open")
        watch = Stopwatch()
        assert m.end() == 0 and watch.took() < 2
        for reader in readers:
            code = reader.proc.wait(3)
            reader.end()
            assert (code, reader.err) == (0, b"")
