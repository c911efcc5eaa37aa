#!/usr/bin/env python3
"""A storm over the mount: eight tools at once on a topic that grows, on a real Kafka whose broker is stopped, killed and paused again and again.

    tests/bench/storm.py [--seconds 600] [--rate 2000] [--every 60] [--binary build-release/weir]

Three tools follow from the first message to the last one (tail -f, tail -F, cat follow); five read again and again what is there (grep -r, wc, cmp of two copies,
a Python mmap, head -c and tac of the live window). While the broker is away an open may fail with EIO; anything else is a fault: a lost, repeated, changed or
torn line, a NUL byte, a tool that hangs, a daemon that ends. Prints the counts; exit 1 if there is one fault.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
EIO = re.compile(rb"Input/output error")
HANG_S = 60
PARTITIONS = 2


class Faults:
    def __init__(self):
        self.lines, self.lock = [], threading.Lock()

    def add(self, what):
        with self.lock:
            self.lines.append(what)
            if len(self.lines) <= 20:
                print(f"FAULT {what}", flush=True)


class Follower:
    """Lines of one tool: each partition's offsets one after the other from the first one it shows, values as they were made."""

    def __init__(self, name, command, faults):
        self.name, self.faults, self.next, self.n = name, faults, {}, 0
        self.p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.p.stdout:
            try:
                row = json.loads(line)
                p, o = row["partition"], row["offset"]
                if o != self.next.get(p, o):
                    self.faults.add(f"{self.name}: partition {p}: offset {o} where {self.next[p]} was due")
                if row["value"] != {"n": o}:
                    self.faults.add(f"{self.name}: {line[:200]!r}")
                self.next[p] = o + 1
                self.n += 1
            except (ValueError, KeyError, TypeError):
                self.faults.add(f"{self.name}: a torn line: {line[:200]!r}")


MMAP = r"""
import mmap, os, sys, glob
names = sorted(glob.glob(sys.argv[1] + "/log/0/*.ndjson"))[:-1][-3:]     # what grows bypasses the page cache and cannot be mapped
for name in names:
    with open(name, "rb") as f:
        if os.fstat(f.fileno()).st_size == 0:
            continue
        m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
        data = m[:]
        if b"\0" in data or data[-1:] != b"\n":
            sys.exit("NUL or torn: " + name)
"""


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--seconds", type=int, default=600)
    a.add_argument("--rate", type=int, default=2000, help="messages a second over all partitions")
    a.add_argument("--every", type=int, default=60, help="seconds from one outage to the next")
    a.add_argument("--binary", default=str(ROOT / "build-release" / "weir"))
    o = a.parse_args()
    os.environ["WEIR"] = o.binary
    import confluent_kafka as ck
    from kafka import RealKafka
    from mounted import Mounted
    faults, counts, stop = Faults(), {}, threading.Event()
    with RealKafka() as kafka:
        kafka.create_topic("t", partitions=PARTITIONS)
        producer = ck.Producer({"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 300000, "log_level": 0})
        made = [0] * PARTITIONS
        lost = []

        def produce():
            began, n = time.monotonic(), 0
            while not stop.is_set():
                due = int((time.monotonic() - began) * o.rate)
                while n < due:
                    p = n % PARTITIONS
                    try:
                        producer.produce("t", b'{"n":%d}' % made[p], key=b"k%d" % (n % 100), partition=p, on_delivery=lambda e, m: e and lost.append(str(e)))
                    except BufferError:
                        producer.poll(0.05)
                        continue
                    made[p] += 1
                    n += 1
                producer.poll(0.005)
            producer.flush(120)

        for _ in range(2000):                # something is there when the tools come
            for p in range(PARTITIONS):
                producer.produce("t", b'{"n":%d}' % made[p], partition=p)
                made[p] += 1
        producer.flush(30)
        with Mounted(kafka.bootstrap, "timeout=5,window=100") as m:
            t = m.path("t")
            followers = [Follower("tail -f", ["tail", "-n", "+1", "-s", "0.1", "-f", f"{t}/tail.ndjson"], faults),
                         Follower("tail -F", ["tail", "-n", "+1", "-s", "0.1", "-F", f"{t}/tail.ndjson"], faults),
                         Follower("cat follow@beginning", ["cat", f"{t}/follow@beginning"], faults)]
            time.sleep(2)
            producing = threading.Thread(target=produce)
            producing.start()
            tools = {"grep -r": f"grep -rc '\"n\":' {t}/log > /dev/null", "wc": f"wc -l {t}/log/*/* > /dev/null",
                     "cmp": f"f=$(ls {t}/log/0/* | head -1); cmp $f <(cat $f)", "mmap": f"python3 -c '{MMAP}' {t}",
                     "head, tac": f"head -c 100000 {t}/tail.ndjson | tac | tail -n 1 > /dev/null"}

            def again(name, command):
                ok = away = 0
                while not stop.is_set():
                    try:
                        got = subprocess.run(["bash", "-c", command], capture_output=True, timeout=HANG_S)
                        if got.returncode == 0:
                            ok += 1
                        elif EIO.search(got.stderr) or b"Stale" in got.stderr:
                            away += 1
                        else:
                            faults.add(f"{name}: exit {got.returncode}: {got.stderr[:300]!r}")
                    except subprocess.TimeoutExpired:
                        faults.add(f"{name}: did not end within {HANG_S} s")
                    time.sleep(0.2)
                counts[name] = (ok, away)

            threads = [threading.Thread(target=again, args=item) for item in tools.items()]
            for thread in threads:
                thread.start()
            end, outage, node = time.monotonic() + o.seconds, 0, kafka.nodes[0]
            while time.monotonic() + o.every / 2 < end:
                time.sleep(min(o.every, max(0, end - time.monotonic())) * 0.75)
                kind = ("stopped", "killed", "paused")[outage % 3]
                outage += 1
                print(f"{time.strftime('%H:%M:%S')} broker {kind}; {sum(made)} messages, {[f.n for f in followers]} lines", flush=True)
                if kind == "paused":
                    node.pause()
                    time.sleep(10)
                    node.resume()
                else:
                    node.stop() if kind == "stopped" else node.kill()
                    time.sleep(3)
                    node.start()
                time.sleep(o.every * 0.1)
            time.sleep(max(0, end - time.monotonic()))
            stop.set()
            producing.join()
            for thread in threads:
                thread.join()
            limit = time.monotonic() + 90
            while time.monotonic() < limit and any([f.next.get(p) for p in range(PARTITIONS)] != made for f in followers):
                time.sleep(0.5)
            for f in followers:
                got = [f.next.get(p) for p in range(PARTITIONS)]
                if got != made:
                    faults.add(f"{f.name}: is at {got}, the topic at {made}; {'ended: ' + f.p.stderr.read().decode()[:300] if f.p.poll() is not None else 'still runs'}")
                f.p.kill()
            if lost:
                faults.add(f"the producer lost {len(lost)}: {lost[0]}")
            status = m.status()[0]
            rss = next(int(line.split()[1]) // 1024 for line in Path(f"/proc/{m.daemon.pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    print(f"\n{o.seconds} s, {sum(made)} messages at {o.rate}/s, {outage} outages; mount: {rss} MB, last error: {status['last_error'] or 'none'}\n\n| tool | lines or runs | while the broker was away |\n|---|---|---|")
    for f in followers:
        print(f"| {f.name} | {f.n} lines | - |")
    for name, (ok, away) in counts.items():
        print(f"| {name} | {ok} runs | {away} failed with EIO |")
    print(f"\n{len(faults.lines)} faults")
    return 1 if faults.lines else 0


if __name__ == "__main__":
    sys.exit(main())
