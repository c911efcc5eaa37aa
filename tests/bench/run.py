#!/usr/bin/env python3
"""Prints weir beside kcat, kcat | jq, kcat | DuckDB and a bare librdkafka counter, on a real Kafka, every answer checked.

    tests/bench/run.py [--messages N] [--runs N] [--brokers HOST:PORT] [--only W1,W2,...]

Never passes or fails by time: a wrong answer is the only failure. Each workload runs its programs in turn (A B C A B C ...) after one
warm-up each, because machines drift: read the ratios. Figures are wall seconds (median, minimum), CPU seconds and peak RSS of the largest process.
Without --brokers it starts its own Kafka (tests/lib/kafka.py) and fills it from a fixed seed.
"""
import argparse
import json
import os
import resource
import shlex
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
BUILD = Path(os.environ.get("WEIR_BUILD", ROOT / "build-release"))
WEIR = BUILD / "weir"
KCAT = "kcat"
TUNED = "-X queued.min.messages=10000000 -X fetch.wait.max.ms=10"
START_MS, STEP_MS = 1788235200000, 10


def timed(command, first_byte=False):
    """-> (seconds, cpu seconds, peak RSS MB, stdout). first_byte: seconds until the first byte of stdout."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    with tempfile.TemporaryFile() as err:
        p = subprocess.Popen(["/usr/bin/time", "-f", "%M", "bash", "-c", "set -o pipefail; " + command], stdout=subprocess.PIPE, stderr=err)
        head = os.read(p.stdout.fileno(), 1) if first_byte else b""
        first = time.perf_counter() - start
        out = head + p.stdout.read()
        p.wait()
        wall = time.perf_counter() - start
        err.seek(0)
        err_text = err.read().decode(errors="replace")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    last = err_text.strip().splitlines()[-1] if err_text.strip() else "0"
    rss = int(last) / 1024 if last.isdigit() else 0.0
    return first if first_byte else wall, cpu, rss, out.decode(errors="replace"), err_text


class Row:
    def __init__(self, name, command, check=None, first_byte=False):
        self.name, self.command, self.check, self.first_byte = name, command, check, first_byte
        self.wall, self.cpu, self.rss, self.bad = [], [], [], None

    def run(self, count):
        wall, cpu, rss, out, err = timed(self.command, self.first_byte)
        if self.check and not self.check(out):
            self.bad = f"got {out.strip()[:80]!r} {err.strip()[-300:]!r}"
        if count:
            self.wall.append(wall)
            self.cpu.append(cpu)
            self.rss.append(rss)


def show(title, rows, runs, unit="s"):
    for row in rows:
        row.run(False)
    for _ in range(runs):
        for row in rows:
            row.run(True)
    scale = 1000 if unit == "ms" else 1
    base = statistics.median(rows[0].wall)
    print(f"\n### {title}\n\n| program | median {unit} | min {unit} | CPU s | peak RSS MB | times weir | answer |\n|---|---|---|---|---|---|---|")
    for row in rows:
        m = statistics.median(row.wall)
        print(f"| {row.name} | {m * scale:.3g} | {min(row.wall) * scale:.3g} | {statistics.median(row.cpu):.3f} | {statistics.median(row.rss):.1f} "
              f"| {m / base:.2f} | {'WRONG: ' + row.bad if row.bad else 'checked' if row.check else '-'} |", flush=True)
    return [row.bad for row in rows if row.bad]


def weir(brokers, sql, extra=""):
    return f"{WEIR} -q -b {brokers} --mode csv {extra} -c {shlex.quote(sql)}"


def number(out, want, tolerance=0.0):
    last = out.strip().splitlines()[-1] if out.strip() else ""
    try:
        return abs(float(last.split(",")[-1]) - want) <= tolerance
    except ValueError:
        return False


def lines_ok(truth):
    """CSV or JSON-free text with line, count, avg per row, checked against the generator's own sums."""
    def check(out):
        found = {}
        for row in out.splitlines():
            part = row.replace("|", ",").split(",")
            if part[0].strip('"') in truth["lines"]:
                found[part[0].strip('"')] = (int(part[1]), float(part[2]))
        return all(k in found and found[k][0] == n and abs(found[k][1] - s / n) < 1e-6 for k, (n, s) in truth["lines"].items())
    return check


def duckdb(sql):
    program = "import duckdb; print(*duckdb.sql(%r).fetchall(), sep='\\n')" % sql
    cli = shutil.which("duckdb")
    if cli:
        return f"{cli} -csv -noheader -c {shlex.quote(sql)}"
    return f"{sys.executable} -c {shlex.quote(program)}"


READ_STDIN = "read_json('/dev/stdin', format='newline_delimited', columns={line:'VARCHAR', device:'VARCHAR', value:'DOUBLE'})"


def w1(b, topic, truth, runs):
    n = truth["count"]
    return show(f"W1 count(*), {n} messages", [
        Row("weir", weir(b, f"select count(*) from {topic}"), lambda o: number(o, n)),
        Row("bare librdkafka counter", f"{BUILD}/tests/weir-bare-counter {b} {topic}", lambda o: number(o, n)),
        Row("kcat tuned \\| wc -l", f"{KCAT} -b {b} -C -t {topic} -e -q -o beginning {TUNED} | wc -l", lambda o: number(o, n)),
        Row("kcat default \\| wc -l", f"{KCAT} -b {b} -C -t {topic} -e -q -o beginning | wc -l", lambda o: number(o, n)),
    ], runs)


def w2(b, topic, truth, runs, size):
    bad = show(f"W2 two of nine fields, 8 % pass ({size} messages)", [
        Row("weir", weir(b, f"select device, value from {topic} where value > 92") + " | wc -l", lambda o: number(o, truth["high"] + 1)),
        Row("kcat tuned \\| DuckDB", f"{KCAT} -b {b} -C -t {topic} -e -q -o beginning {TUNED} | " + duckdb(f"select device, value from {READ_STDIN} where value > 92") + " | wc -l",
            lambda o: number(o, truth["high"])),
        Row("kcat tuned \\| jq", f"{KCAT} -b {b} -C -t {topic} -e -q -o beginning {TUNED} | jq -r 'select(.value > 92) | [.device, .value] | @csv' | wc -l", lambda o: number(o, truth["high"])),
        Row("kcat default \\| jq", f"{KCAT} -b {b} -C -t {topic} -e -q -o beginning | jq -r 'select(.value > 92) | [.device, .value] | @csv' | wc -l", lambda o: number(o, truth["high"])),
    ], runs)
    return bad + show(f"W2b average by line over all ({size} messages)", [
        Row("weir", weir(b, f"select line, count(*), avg(value) from {topic} group by line"), lines_ok(truth)),
        Row("kcat tuned \\| DuckDB", f"{KCAT} -b {b} -C -t {topic} -e -q -o beginning {TUNED} | " + duckdb(f"select line || ',' || count(*) || ',' || avg(value) from {READ_STDIN} group by line")
            + " | tr -d \"()'\\\"\"", lines_ok(truth)),
    ], runs)


def w5(b, topic, small_topic, truth, runs):
    bad = []
    middle = START_MS + truth["count"] // 2 * STEP_MS
    for name, t in (("full topic", topic), ("1/100 of it", small_topic)):
        bad += show(f"W5 last 10 of a partition ({name})", [
            Row("weir", weir(b, f"select _offset, value from {t} where _partition = 0 order by _offset desc limit 10"), lambda o: len(o.splitlines()) == 11, True),
            Row("kcat tuned", f"{KCAT} -b {b} -C -t {t} -p 0 -o -10 -e -q {TUNED}", lambda o: len(o.splitlines()) == 10, True),
        ], runs, "ms")
    bad += show("W5 one offset", [
        Row("weir", weir(b, f"select value from {topic} where _partition = 1 and _offset = 1000"), lambda o: len(o.splitlines()) == 2),
        Row("kcat tuned", f"{KCAT} -b {b} -C -t {topic} -p 1 -o 1000 -c 1 -q {TUNED}", lambda o: len(o.splitlines()) == 1),
    ], runs, "ms")
    if truth["count"] > 12000:
        window = f"_ts >= {middle} and _ts < {middle + 60000}"
        bad += show("W5 60 s of time, 6,000 rows, time_slack 10 min", [
            Row("weir", weir(b, f"set time_slack = '10m'; select count(*) from {topic} where {window}"), lambda o: number(o, 6000)),
            Row("kcat tuned -o s@ -o e@", f"{KCAT} -b {b} -C -t {topic} -o s@{middle} -o e@{middle + 60000} -e -q {TUNED} | wc -l", lambda o: number(o, 6000)),
        ], runs, "ms")
    return bad + show("W5 one key, partition not given", [
        Row("weir", weir(b, f"select count(*) from {topic} where _key = 'dev-00007'"), lambda o: number(o, truth["key7"])),
        Row("kcat tuned \\| grep", f"{KCAT} -b {b} -C -t {topic} -e -q -o beginning -f '%k\\n' {TUNED} | grep -c '^dev-00007$'", lambda o: number(o, truth["key7"])),
    ], runs, "ms")


def w7(b, topic, runs):
    return show("W7 process start to first row", [
        Row("weir, topic not declared", weir(b, f"select _offset, value from {topic} limit 1"), lambda o: len(o.splitlines()) == 2, True),
        Row("weir, PRINT", weir(b, f"print '{topic}' limit 1"), lambda o: len(o.splitlines()) >= 1, True),
        Row("kcat -c 1", f"{KCAT} -b {b} -C -t {topic} -o beginning -c 1 -q", lambda o: len(o.splitlines()) == 1, True),
    ], max(runs * 4, 20), "ms")


def w9(b, topic, truth, big_topic, big_truth, runs):
    rows = [Row(f"weir, {truth['count']}", weir(b, f"select count(*) from {topic} where value > 92"), lambda o: number(o, truth["high"]))]
    if big_topic:
        rows.append(Row(f"weir, {big_truth['count']}", weir(b, f"select count(*) from {big_topic} where value > 92"), lambda o: number(o, big_truth["high"])))
    rows.append(Row("kcat default", f"{KCAT} -b {b} -C -t {topic} -e -q -o beginning > /dev/null"))
    return show("W9 memory of a filtered scan", rows, min(runs, 3))


def w10(b, runs, folder):
    script = Path(folder, "register.sql")
    script.write_text("".join(f"create stream s{i} (a text, b real, c integer) from topic 't{i}' with (format = 'json');\n" for i in range(1000)) + "select 1;\n")
    empty = Path(folder, "empty.sql")
    empty.write_text("select 1;\n")
    return show("W10 register 1,000 topics (the difference to the empty script counts)", [
        Row("weir, 1,000 CREATE STREAM", f"{WEIR} -q -b {b} --mode csv -f {script}", lambda o: number(o, 1)),
        Row("weir, empty script", f"{WEIR} -q -b {b} --mode csv -f {empty}", lambda o: number(o, 1)),
        Row("kcat -L", f"{KCAT} -b {b} -L > /dev/null"),
    ], runs, "ms")


def fill(b, topic, count, *more):
    out = subprocess.run([str(BUILD / "tests" / "weir-generate"), b, topic, str(count), "--step", str(STEP_MS), *more], capture_output=True, text=True, check=True).stdout
    return json.loads(out)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--messages", type=int, default=1_000_000)
    a.add_argument("--big", type=int, default=0, help="a second topic of this size for W9 (10000000)")
    a.add_argument("--runs", type=int, default=5)
    a.add_argument("--brokers")
    a.add_argument("--only", default="W1,W2,W5,W7,W9,W10")
    o = a.parse_args()
    if not WEIR.exists():
        subprocess.run(["meson", "setup", "--buildtype=release", str(BUILD), str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(BUILD), "weir", "tests/weir-generate", "tests/weir-bare-counter"], check=True, stdout=subprocess.DEVNULL)
    only = set(o.only.split(","))
    from kafka import RealKafka
    import confluent_kafka.admin as cka
    with (nullcontext() if o.brokers else RealKafka()) as k, tempfile.TemporaryDirectory() as folder:
        b = o.brokers or k.bootstrap
        admin = cka.AdminClient({"bootstrap.servers": b})
        stamp = f"{os.getpid()}"
        topics = {name: f"bench_{name}_{stamp}" for name in ("s", "m", "tiny", "big")}
        for f in admin.create_topics([cka.NewTopic(t, 4, 1) for t in topics.values()]).values():
            f.result(30)
        print(f"weir bench: {o.messages} messages in 4 partitions, lz4, {o.runs} runs each, {os.cpu_count()} cores, broker on the same machine", flush=True)
        try:
            truth = fill(b, topics["s"], o.messages)
            tiny = fill(b, topics["tiny"], max(o.messages // 100, 1000))
            bad = []
            if "W1" in only:
                bad += w1(b, topics["s"], truth, o.runs)
            if "W2" in only:
                bad += w2(b, topics["s"], truth, o.runs, "190-byte")
                bad += w2(b, topics["m"], fill(b, topics["m"], o.messages // 2, "--size", "large"), o.runs, "1-kB")
            if "W5" in only:
                bad += w5(b, topics["s"], topics["tiny"], truth, o.runs)
            if "W7" in only:
                bad += w7(b, topics["s"], o.runs)
            if "W9" in only:
                big = fill(b, topics["big"], o.big) if o.big else None
                bad += w9(b, topics["s"], truth, topics["big"] if big else None, big, o.runs)
            if "W10" in only:
                bad += w10(b, o.runs, folder)
        finally:
            for f in admin.delete_topics(list(topics.values())).values():
                f.result(30)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
