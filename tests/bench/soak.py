#!/usr/bin/env python3
"""A long run: live queries of every strategy, views and a mount's follower over one topic that never rests, on a real Kafka. Prints each process's memory over
time, and at the end whether every row came out once.

    tests/bench/soak.py [--seconds 3600] [--rate 1000] [--keys 200] [--brokers HOST:PORT] [--binary build-release/weir]

A lost, repeated or wrong row is a failure; memory is for the reader: the table shows it after each tenth of the time.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

WINDOW_MS = 10_000


class Counter:
    """Reads a process's standard output, line by line, and keeps what `take` makes of it."""

    def __init__(self, name, command, take):
        self.name, self.take, self.rss = name, take, []
        self.err = tempfile.TemporaryFile()
        self.p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.err)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.p.stdout:
            self.take(line.rstrip(b"\n"))

    def memory(self, pid=None):
        try:
            for line in Path(f"/proc/{pid or self.p.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    return int(line.split()[1]) / 1024
        except OSError:
            pass
        return float("nan")

    def stop(self):
        self.p.terminate()
        self.thread.join(20)
        self.p.wait(20)
        self.err.seek(0)
        return self.err.read().decode(errors="replace").strip()


class Sequence:
    """Each number once, in any order: a bit for each."""

    def __init__(self):
        self.seen, self.n, self.again = bytearray(), 0, 0

    def add(self, i):
        if i >= len(self.seen):
            self.seen.extend(bytes(i + 65536 - len(self.seen)))
        if self.seen[i]:
            self.again += 1
        else:
            self.seen[i] = 1
            self.n += 1


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--seconds", type=int, default=3600)
    a.add_argument("--rate", type=int, default=1000)
    a.add_argument("--keys", type=int, default=200)
    a.add_argument("--brokers")
    a.add_argument("--binary", default=str(Path(__file__).resolve().parents[2] / "build-release/weir"))
    o = a.parse_args()
    from confluent_kafka import Producer
    import confluent_kafka.admin as cka
    from kafka import RealKafka
    with (nullcontext() if o.brokers else RealKafka()) as k, tempfile.TemporaryDirectory() as folder:
        b = o.brokers or k.bootstrap
        admin = cka.AdminClient({"bootstrap.servers": b})
        topic = f"soak_{os.getpid()}"
        for f in admin.create_topics([cka.NewTopic(topic, 4, 1, config={"retention.ms": "600000", "segment.ms": "60000", "segment.bytes": "33554432"})]).values():
            f.result(30)
        setup = Path(folder, "setup.sql")
        setup.write_text(f"create stream s (i integer, k integer, v real, line text) from topic '{topic}' with (format = 'json');\n")
        mount = Path(folder, "mnt")
        mount.mkdir()

        def weir(sql):
            return [o.binary, "-q", "-b", b, "--mode", "csv", "-f", str(setup), "-c", sql]

        stateless, follower, windows, changes, pane = Sequence(), Sequence(), {}, {}, {}

        def number(of):
            def take(line):
                at = line.find(b'"i":')
                digits = line[at + 4:].split(b",")[0] if at >= 0 else line
                if digits.isdigit():
                    of.add(int(digits))
            return take

        def window(of):
            def take(line):
                parts = line.split(b",")
                if len(parts) == 3 and parts[0].isdigit():
                    key = (int(parts[0]), parts[1])
                    of[key] = of.get(key, 0) + int(parts[2])
            return take

        def change(line):
            parts = line.split(b",")
            if len(parts) == 2 and parts[0].isdigit():
                changes[int(parts[0])] = int(parts[1])

        subprocess.run([o.binary, "mount", "-b", b, str(mount)], check=True)
        daemon = int(subprocess.run(["pgrep", "-nf", f"mount -b {b} {mount}"], stdout=subprocess.PIPE, text=True).stdout or 0)
        runs = [
            Counter("EMIT CHANGES, rows", weir("select i from s emit changes"), number(stateless)),
            Counter("EMIT FINAL, 10 s windows", weir("select window_start, line, count(*) as n from tumble(s, size => '10s') group by window_start, line emit final"), window(windows)),
            Counter("EMIT CHANGES, by key", weir("select k, count(*) as n from s group by k emit changes"), change),
            Counter("pane, 10 s windows", weir("select window_start, 'all', count(*) over () as n from tumble(s, size => '10s') limit 1 emit final"), window(pane)),
            Counter("mount: cat follow", ["cat", str(mount / topic / "follow")], number(follower)),
        ]
        producer = Producer({"bootstrap.servers": b, "linger.ms": 5, "partitioner": "murmur2_random"})
        time.sleep(3)
        sent, per_key, per_window = 0, {}, {}
        start, next_sample = time.time(), 0.0
        step = o.seconds / 10
        table = []
        while time.time() - start < o.seconds:
            due = int((time.time() - start) * o.rate)
            while sent < due:
                key, line, now = sent * 7919 % o.keys, b"line%d" % (sent % 3), int(time.time() * 1000)
                producer.produce(topic, b'{"i":%d,"k":%d,"v":%d.5,"line":"%s"}' % (sent, key, sent % 1000, line), key=b"%d" % key, timestamp=now)
                per_key[key] = per_key.get(key, 0) + 1
                w = (now // WINDOW_MS * WINDOW_MS, line)
                per_window[w] = per_window.get(w, 0) + 1
                sent += 1
                if sent % 1000 == 0:
                    producer.poll(0)
            producer.poll(0)
            if time.time() - start >= next_sample:
                next_sample += step
                table.append([time.time() - start] + [r.memory() for r in runs[:4]] + [runs[0].memory(daemon) if daemon else float("nan")])
                print(f"{table[-1][0]:7.0f} s  {sent:9d} sent  RSS MB " + "  ".join(f"{r:.1f}" for r in table[-1][1:]), flush=True)
            time.sleep(0.005)
        producer.flush(30)
        end = time.time() + 60                # windows close by the clock when all is silent
        while time.time() < end and (stateless.n < sent or follower.n < sent or sum(windows.values()) < sent or sum(changes.values()) < sent):
            time.sleep(0.2)
        table.append([time.time() - start] + [r.memory() for r in runs[:4]] + [runs[0].memory(daemon) if daemon else float("nan")])
        said = [(r.name, r.stop()) for r in runs]
        subprocess.run(["fusermount3", "-u", "-z", str(mount)])
        for f in admin.delete_topics([topic]).values():
            f.result(30)
    bad = []

    def check(name, ok, what):
        print(f"| {name} | {'right' if ok else 'WRONG'} | {what} |")
        if not ok:
            bad.append(name)

    print(f"\n{sent} messages in {o.seconds} s, {o.keys} keys\n\n| s | " + " | ".join(r.name for r in runs[:4]) + " | weir mount |\n|" + "---|" * 6)
    for row in table:
        print(f"| {row[0]:.0f} | " + " | ".join(f"{r:.1f} MB" for r in row[1:]) + " |")
    print("\n| query | answer | |\n|---|---|---|")
    check("EMIT CHANGES, rows", stateless.n == sent and not stateless.again, f"{stateless.n} of {sent}, {stateless.again} repeated")
    check("mount: cat follow", follower.n == sent and not follower.again, f"{follower.n} of {sent}, {follower.again} repeated")
    check("EMIT FINAL, 10 s windows", windows == per_window, f"{len(windows)} windows and lines, {sum(windows.values())} rows")
    check("EMIT CHANGES, by key", changes == per_key, f"{len(changes)} keys, {sum(changes.values())} rows")
    whole = {}
    for (w, _), n in per_window.items():
        whole[w] = whole.get(w, 0) + n
    check("pane, 10 s windows", {w: n for (w, _), n in pane.items()} == whole, f"{len(pane)} windows, {sum(pane.values())} rows")
    for name, text in said:
        if text:
            print(f"{name}: {text}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
