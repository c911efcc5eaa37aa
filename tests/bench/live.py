#!/usr/bin/env python3
"""Live queries beside pipes, on a real Kafka, every answer checked: windows (W3), joins with a table (W4), latency from produce to a printed row (W8), many
queries on one topic (W10).

    tests/bench/live.py [--messages N] [--runs N] [--brokers HOST:PORT] [--only W3,W4,W8,W10] [--rate 100,1000] [--seconds 20] [--step MS] [--flink]

--step: milliseconds of event time between two messages (10: each device has one message in each 10 s window, 1: ten). --flink: a real Flink beside it in W3.

Never passes or fails by time: a wrong answer is the only failure. The peers: count(*) of the same program, tuned kcat into awk (which does nothing but the one
aggregation), kcat | DuckDB, kcat -u.
"""
import argparse
import os
import select
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import BUILD, KCAT, START_MS, STEP_MS, TUNED, WEIR, Row, duckdb, fill, number, show, weir  # noqa: E402  (also puts tests/lib on the path)

READ_ALL = "read_json('/dev/stdin', format='newline_delimited', columns={ts:'BIGINT', line:'VARCHAR', device:'VARCHAR', value:'DOUBLE'})"


def windows(b, topic, n):
    """Rows of 10 s windows per device, and their sum of counts, as the generator made them (one message each STEP_MS, devices at random)."""
    return lambda out: sum(int(line.split(",")[2]) for line in out.splitlines()[1:] if line.count(",") >= 3) == n


def w3(b, topic, n, runs):
    live = f"select window_start, device, count(*) as n, avg(value) as a from tumble({topic}, size => '10s') group by window_start, device"
    tail = "emit final grace '1m' from beginning until end"
    awk = "'{match($0,/\"device\":\"[^\"]*\"/); d=substr($0,RSTART+10,RLENGTH-11); match($0,/\"value\":[-0-9.]+/); v=substr($0,RSTART+8,RLENGTH-8); k=int($1/10000) \",\" d; c[k]++; s[k]+=v} END {for (k in c) print k \",\" c[k] \",\" s[k]/c[k]}'"
    return show(f"W3 tumbling 10 s average per device, {n} messages", [
        Row("weir, EMIT FINAL", weir(b, f"{live} {tail}"), windows(b, topic, n)),
        Row("weir, bounded", weir(b, live), windows(b, topic, n)),
        Row("weir, SET aggregate = sqlite", weir(b, f"set aggregate = sqlite; {live}"), windows(b, topic, n)),
        Row("weir count(*)", weir(b, f"select count(*) from {topic}"), lambda o: number(o, n)),
        Row("kcat tuned \\| mawk", f"{KCAT} -b {b} -C -t {topic} -e -q -o beginning -f '%T %s\\n' {TUNED} | mawk {awk} | (echo header; cat)", windows(b, topic, n)),
    ], runs)


def w3_flink(b, topic, n, runs):
    """The same windows in a warm Flink: one job manager, one task manager, its rows thrown away. A job's start is a second of it, its processor time is what counts."""
    from flink import Flink
    print(f"\n### W3 in Flink SQL 2.2, warm, {n} messages\n\n| program | median s | min s | CPU s of the task manager | answer |\n|---|---|---|---|---|", flush=True)
    with Flink() as f:
        f.run(f"""CREATE TABLE t (ts STRING, line STRING, device STRING, `value` DOUBLE, rt TIMESTAMP_LTZ(3) METADATA FROM 'timestamp', WATERMARK FOR rt AS rt - INTERVAL '60' SECOND)
            WITH ('connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{b}', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'json')""")
        f.run("CREATE TABLE nowhere (a TIMESTAMP(3), d STRING, n BIGINT, v DOUBLE) WITH ('connector' = 'blackhole')")
        f.run("SET 'table.dml-sync' = 'true'")
        windows = "SELECT window_start, device, COUNT(*) AS n, AVG(`value`) AS a FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(rt), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, device"
        total = int(f.rows(f"SELECT SUM(n) FROM ({windows})")[-1][0])
        wall, cpu = [], []
        for i in range(runs + 1):
            began, before = time.perf_counter(), f.cpu_s()
            f.run(f"INSERT INTO nowhere {windows}")
            if i:
                wall.append(time.perf_counter() - began)
                cpu.append(f.cpu_s() - before)
    answer = "checked" if total == n else f"WRONG: {total}"
    print(f"| Flink SQL, blackhole sink | {statistics.median(wall):.3g} | {min(wall):.3g} | {statistics.median(cpu):.3g} | {answer} |", flush=True)
    return [] if total == n else [f"Flink: {total}"]


def w4(b, topic, n, runs, folder):
    rows = []
    for size in (1000, 100000):
        table = Path(folder, f"devices_{size}.sql")
        table.write_text("create table devices(device text primary key, site text);\nwith recursive i(n) as (select 0 union all select n + 1 from i where n < %d) "
                         "insert into devices select printf('dev-%%05d', n), 'site ' || (n %% 10) from i;\n" % (size - 1))
        q = f"select count(*) as n, count(site) as m from {topic} t left join devices d on d.device = t.device"
        rows.append(Row(f"weir, EMIT, table of {size}", f"{WEIR} -q -b {b} --mode csv -f {table} -c {shlex.quote(q + ' emit final from beginning until end')}", lambda o: number(o, n)))
        rows.append(Row(f"weir, bounded, table of {size}", f"{WEIR} -q -b {b} --mode csv -f {table} -c {shlex.quote(q)}", lambda o: number(o, n)))
    rows.append(Row("weir count(*)", weir(b, f"select count(*) from {topic}"), lambda o: number(o, n)))
    return show(f"W4 stream joined with a table, {n} messages", rows, runs)


def latency(command, b, topic, rate, seconds):
    """ms from send() to the line's arrival, for each message. The producer's own acknowledgement is measured, too."""
    from confluent_kafka import Producer
    with tempfile.TemporaryFile() as err:
        p = subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, stderr=err, bufsize=0)
        sent, got, acked = {}, {}, {}

        def read():
            rest = b""
            while True:
                data = os.read(p.stdout.fileno(), 65536)
                if not data:
                    return
                now = time.perf_counter()
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    at = line.rfind(b"#")
                    if at >= 0:
                        got.setdefault(int(line[at + 1:].split(b'"')[0]), now)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        producer = Producer({"bootstrap.servers": b, "linger.ms": 0, "socket.nagle.disable": True})
        time.sleep(1.5)
        start = time.perf_counter()
        for i in range(rate * seconds):
            wait = start + i / rate - time.perf_counter()
            if wait > 0:
                time.sleep(wait)          # spinning would take the interpreter from the reading thread
            sent[i] = time.perf_counter()
            producer.produce(topic, ('{"v":"#%d"}' % i).encode(), on_delivery=lambda e, m, i=i: acked.setdefault(i, time.perf_counter()))
            producer.poll(0)
        producer.flush(10)
        deadline = time.time() + 5
        while len(got) < len(sent) and time.time() < deadline:
            time.sleep(0.05)
        p.terminate()
        p.wait()
    warm = rate  # the first second
    return [1000 * (got[i] - sent[i]) for i in sent if i in got and i >= warm], [1000 * (acked[i] - sent[i]) for i in sent if i in acked and i >= warm], len(sent) - len(got)


def w8(b, admin, cka, rates, seconds):
    print("\n### W8 produce to printed row\n\n| program | messages/s | p50 ms | p99 ms | max ms | lost | producer's ack p50 ms |\n|---|---|---|---|---|---|---|")
    bad = []
    for rate in rates:
        for name in ("weir EMIT CHANGES", "kcat -u"):
            topic = f"bench_w8_{os.getpid()}_{rate}_{name[:4]}"
            for f in admin.create_topics([cka.NewTopic(topic, 1, 1)]).values():
                f.result(30)
            command = (f"exec {WEIR} -q -b {b} --mode csv -c {shlex.quote(f'create stream s (v text) from topic {chr(39)}{topic}{chr(39)} with (format = {chr(39)}json{chr(39)}); select v from s emit changes')}"
                       if name.startswith("weir") else f"exec {KCAT} -b {b} -C -t {topic} -o end -q -u")
            ms, ack, lost = latency(command, b, topic, rate, seconds)
            ms.sort()
            pick = lambda v, p: sorted(v)[min(len(v) - 1, int(len(v) * p))] if v else float("nan")
            print(f"| {name} | {rate} | {pick(ms, .5):.2f} | {pick(ms, .99):.2f} | {pick(ms, 1):.2f} | {lost} | {pick(ack, .5):.2f} |", flush=True)
            if lost:
                bad.append(f"{name}: {lost} lost")
            for f in admin.delete_topics([topic]).values():
                f.result(30)
    return bad


def w10(b, topic, n, runs, folder):
    rows = []
    for count in (1, 8, 32):
        script = Path(folder, f"views_{count}.sql")
        script.write_text("".join(f"create materialized view v{i} as select line, count(*) as n, avg(value) as a from {topic} group by line;\n" for i in range(count))
                          + "select min(n), max(n) from (" + " union all ".join(f"select sum(n) as n from v{i}" for i in range(count)) + ");\n")
        rows.append(Row(f"weir, {count} views", f"{WEIR} -q -b {b} --mode csv -f {script}", lambda o: o.splitlines()[1:] == [f"{n},{n}"]))
    return show(f"W10 views on one topic, brought up to date, {n} messages", rows, runs)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--messages", type=int, default=1_000_000)
    a.add_argument("--runs", type=int, default=5)
    a.add_argument("--brokers")
    a.add_argument("--only", default="W3,W4,W8,W10")
    a.add_argument("--rate", default="100,1000")
    a.add_argument("--seconds", type=int, default=20)
    a.add_argument("--step", type=int, default=STEP_MS)
    a.add_argument("--flink", action="store_true")
    o = a.parse_args()
    if not WEIR.exists():
        subprocess.run(["meson", "setup", "--buildtype=release", str(BUILD), str(Path(__file__).resolve().parents[2])], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(BUILD), "weir", "tests/weir-generate", "tests/weir-bare-counter"], check=True, stdout=subprocess.DEVNULL)
    only = set(o.only.split(","))
    from kafka import RealKafka
    import confluent_kafka.admin as cka
    bad = []
    with (nullcontext() if o.brokers else RealKafka()) as k, tempfile.TemporaryDirectory() as folder:
        b = o.brokers or k.bootstrap
        admin = cka.AdminClient({"bootstrap.servers": b})
        topic = f"bench_live_{os.getpid()}"
        for f in admin.create_topics([cka.NewTopic(topic, 4, 1)]).values():
            f.result(30)
        print(f"weir live bench: {o.messages} messages in 4 partitions, lz4, {o.runs} runs each, {os.cpu_count()} cores, broker on the same machine", flush=True)
        try:
            if only & {"W3", "W4", "W10"}:
                fill(b, topic, o.messages, "--step", str(o.step))
            if "W3" in only:
                bad += w3(b, topic, o.messages, o.runs)
                bad += w3_flink(b, topic, o.messages, o.runs) if o.flink else []
            if "W4" in only:
                bad += w4(b, topic, o.messages, o.runs, folder)
            if "W8" in only:
                bad += w8(b, admin, cka, [int(r) for r in o.rate.split(",")], o.seconds)
            if "W10" in only:
                bad += w10(b, topic, o.messages, min(o.runs, 3), folder)
        finally:
            for f in admin.delete_topics([topic]).values():
                f.result(30)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
