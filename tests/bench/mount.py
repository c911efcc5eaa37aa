#!/usr/bin/env python3
"""Prints the mount beside kcat and a plain file on tmpfs, on a real Kafka; every count checked. Never passes or fails by time.

    tests/bench/mount.py [--messages N] [--runs N] [--brokers HOST:PORT]

cold: a fresh mount for each run, nothing rendered. again: the same files a second time. Medians of wall seconds; programs take turns.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
TUNED = "-X queued.min.messages=10000000 -X fetch.wait.max.ms=10 -X fetch.error.backoff.ms=0"


def seconds(line, want, env):
    began = time.perf_counter()
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, env=env, timeout=600)
    took = time.perf_counter() - began
    got = done.stdout.decode().strip()
    if done.returncode or (want is not None and got != str(want)):
        print(f"WRONG: {line}: exit {done.returncode}, {got[:80]!r} for {want!r} {done.stderr.decode()[-200:]}")
    return took


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--messages", type=int, default=500000)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--brokers")
    opt = p.parse_args()
    os.environ.setdefault("WEIR", str(ROOT / "build" / "weir"))
    import confluent_kafka as ck
    from confluent_kafka.admin import AdminClient, NewTopic
    from kafka import RealKafka
    from mounted import Mounted
    with (nullcontext() if opt.brokers else RealKafka()) as k:
        brokers = opt.brokers or k.bootstrap
        topic = f"bench{os.getpid()}"
        admin = AdminClient({"bootstrap.servers": brokers})
        admin.create_topics([NewTopic(topic, 1)])[topic].result(30)
        producer = ck.Producer({"bootstrap.servers": brokers, "linger.ms": 20, "queue.buffering.max.messages": 1000000})
        for o in range(opt.messages):
            value = '{"line":"A","machine":"press-%d","n":%d,"state":"%s","temperature":%.2f,"pad":"%s"}' % (o % 7, o, "ERROR" if o % 1000 == 0 else "ok", o % 300 / 7, "x" * 60)
            producer.produce(topic, value, key=f"press-{o % 7}")
            if o % 10000 == 0:
                producer.poll(0)
        producer.flush(60)
        errors = (opt.messages + 999) // 1000
        kcat = f"kcat -C -b {brokers} -t {topic} -o beginning -e -q"
        rows = {}

        def add(name, took):
            rows.setdefault(name, []).append(took)

        shm = Path(tempfile.mkdtemp(dir="/dev/shm"))
        size = 0
        try:
            for turn in range(opt.runs + 1):
                env = dict(os.environ, X=str(shm))
                for name, tool, want in (("cat", "cat", None), ("grep", "grep -c ERROR", errors), ("wc -l", "wc -l", opt.messages)):
                    with Mounted(brokers, "cache=1G") as m:
                        env["F"] = m.path(f"{topic}/log/0/*")
                        run = {"cat": "cat $F > $X/out" if turn == 0 else "cat $F > /dev/null", "grep": "cat $F | grep -c ERROR", "wc -l": "cat $F | wc -l"}[name]
                        cold, again = seconds(run, want, env), seconds(run, want, env)
                        if name == "cat" and turn == 0:
                            size = (shm / "out").stat().st_size
                    default = seconds(f"{kcat} {'> /dev/null' if name == 'cat' else '| ' + tool}", want, env)
                    tuned = seconds(f"{kcat} {TUNED} {'> /dev/null' if name == 'cat' else '| ' + tool}", want, env)
                    plain = seconds({"cat": "cat $X/out > /dev/null", "grep": "cat $X/out | grep -c ERROR", "wc -l": "cat $X/out | wc -l"}[name], want, env)
                    if turn:
                        for what, took in (("mount, cold", cold), ("mount, again", again), ("kcat", default), ("kcat tuned", tuned), ("plain file", plain)):
                            add(f"{name}: {what}", took)
            with Mounted(brokers) as m:
                seconds(f"head -c0 {m.path(topic)}/follow", None, dict(os.environ))
                with open(m.path(f"{topic}/follow"), "rb", buffering=0) as f:
                    time.sleep(1)
                    late = []
                    quick = ck.Producer({"bootstrap.servers": brokers, "linger.ms": 0})
                    for _ in range(300):
                        acked = []
                        sent = time.perf_counter()
                        quick.produce(topic, "x", on_delivery=lambda *_: acked.append(time.perf_counter()))
                        quick.poll(0)
                        f.read(65536)
                        late.append(time.perf_counter() - sent)
                        quick.flush(5)
                        time.sleep(0.005)
                late.sort()
        finally:
            shutil.rmtree(shm)
            admin.delete_topics([topic])[topic].result(30)
    mib = size / (1 << 20)
    print(f"{opt.messages} messages, {mib:.0f} MiB as lines of JSON\n\n| program | median s | MB/s of lines |\n|---|---|---|")
    for name, took in rows.items():
        m = statistics.median(took)
        print(f"| {name} | {m:.3f} | {mib * 1.048576 / m:.0f} |")
    print(f"\nproduce to line read from follow: p50 {late[150] * 1e3:.2f} ms, p99 {late[297] * 1e3:.2f} ms, most {late[-1] * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
