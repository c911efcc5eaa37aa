"""The body of ./check: build, run the tiers, count, say it in one line.

A tier is a function that returns a Result. Nothing is registered twice: unit tests are found by meson, pytest finds the rest in
tests/TIER. Each tier has a time limit of its own, after which its whole process group is killed and the tier has failed, so one
hang cannot stall the run; the limits are ten times what a quiet machine needs. Under --strict a test or a tier that did not run is a
failure, except the parts listed in PENDING.

The counts come from what the runners write (meson's testlog.json, junit xml), never from what they print.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JOBS = str(max(2, os.cpu_count() or 2))

# Parts of the design that are not written. A tier named here may be skipped under --strict; take it out with the part's first test.
PENDING = {
    "torture": "the checkpoints of live queries that write, which this tier kills, are not written yet",
}

RED, BOLD, OFF = ("\033[31m", "\033[1m", "\033[0m") if sys.stdout.isatty() or os.environ.get("CI") else ("", "", "")


class Result:
    """What a tier came to. `why` says why it did not run, if it did not."""

    def __init__(self, passed=0, failed=0, skipped=0, why=None):
        self.passed, self.failed, self.skipped, self.why = passed, failed, skipped, why

    def add(self, other):
        """Takes in another's counts; a reason is kept only while nothing ran."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.why = self.why or other.why
        return self


def say(text=""):
    print(text, flush=True)


def red(text):
    say(f"{RED}{text}{OFF}")


def run(argv, limit_s, env=None, quiet=False):
    """Runs argv from the root of the tree without stdin. -> exit status, or None if it had to be killed after limit_s.
    With quiet its output is shown only when it fails."""
    full = dict(os.environ, **(env or {}))
    out = subprocess.PIPE if quiet else None
    proc = subprocess.Popen([str(a) for a in argv], cwd=ROOT, env=full, stdin=subprocess.DEVNULL, stdout=out,
                            stderr=subprocess.STDOUT if quiet else None, text=True, errors="replace", start_new_session=True)
    text = ""
    try:
        text, _ = proc.communicate(timeout=limit_s)
        status = proc.returncode
    except subprocess.TimeoutExpired:
        status = None
        red(f"killed after {limit_s} s: {' '.join(str(a) for a in argv)}")
        os.kill(proc.pid, signal.SIGINT)      # pytest then says what failed so far, and stops its brokers
        for kill in (signal.SIGTERM, signal.SIGKILL):
            try:
                text, _ = proc.communicate(timeout=20)
                break
            except subprocess.TimeoutExpired:
                os.killpg(proc.pid, kill)
        else:
            text, _ = proc.communicate()
    except BaseException:
        os.killpg(proc.pid, signal.SIGKILL)
        raise
    if quiet and status != 0 and text:
        lines = text.splitlines()
        wrong = [l for l in lines[:-40] if re.search(r"\berror\b|^FAILED", l, re.IGNORECASE)]
        say("\n".join(wrong[:20] + lines[-40:]))
    return status


# ---- building

def build(folder, setup_args=(), env=None, limit_s=900):
    """Configures (again, so that new files are found) and builds. -> bool"""
    setup = ["meson", "setup", folder, *setup_args]
    if (ROOT / folder / "build.ninja").exists():
        setup.insert(2, "--reconfigure")
    elif (ROOT / folder).exists() and (ROOT / folder / "meson-private").exists():
        shutil.rmtree(ROOT / folder)          # a configuration that was cut short
    if run(setup, 180, env, quiet=True) != 0:
        return False
    return run(["ninja", "-C", folder, "-j", JOBS], limit_s, env, quiet=True) == 0


# ---- runners

CMOCKA = re.compile(r"\[\s+(PASSED|FAILED|SKIPPED)\s+\]\s+(\d+) test\(s\)")


def meson_tests(folder, limit_s, env=None, wrapper=None):
    """Runs the suite 'unit' of a build folder. A cmocka program counts as many tests as it says it ran."""
    log = ROOT / folder / "meson-logs" / (f"testlog-{wrapper.split()[0]}.json" if wrapper else "testlog.json")
    log.unlink(missing_ok=True)
    argv = ["meson", "test", "-C", folder, "--suite", "unit", "--no-rebuild", "--print-errorlogs", "--num-processes", JOBS]
    if wrapper:
        argv += ["--wrapper", wrapper]
    status = run(argv, limit_s, env)
    result = Result()
    tests = [json.loads(line) for line in log.read_text(errors="replace").splitlines()] if log.exists() else []
    for test in tests:
        said = {kind: int(n) for kind, n in CMOCKA.findall((test.get("stdout") or "") + (test.get("stderr") or ""))}
        outcome = test["result"]
        if outcome in ("OK", "EXPECTEDFAIL"):
            result.passed += said.get("PASSED", 1)
            result.skipped += said.get("SKIPPED", 0)
        elif outcome == "SKIP":
            result.skipped += 1
        else:
            result.passed += said.get("PASSED", 0)
            result.failed += max(1, said.get("FAILED", 0))
    if status != 0 and result.failed == 0:    # killed, or the runner itself broke
        result.failed = 1
    absent = {p.stem for p in (ROOT / "tests/unit").glob("test_*.c")} - {t["name"].split(" / ")[-1] for t in tests}
    if status == 0 and absent:                # cmocka was not found when the folder was configured, say
        red(f"not built: {', '.join(sorted(absent))}")
        result.failed += len(absent)
    return result


def pytest(folder, name, limit_s, args, env=None, each_s=120, wrapper=""):
    """Runs the tests of one folder; counts from its junit file."""
    files = [p for p in (ROOT / folder).rglob("test_*.py")] if (ROOT / folder).is_dir() else []
    if not files:
        return Result(skipped=1, why="not built yet")
    junit = ROOT / "build" / f"junit-{name}.xml"
    junit.parent.mkdir(exist_ok=True)
    junit.unlink(missing_ok=True)
    status = run([*wrapper.split(), sys.executable, "-m", "pytest", folder, "-q", "-ra", "--tb=short", "--color=auto", f"--timeout={each_s}",
                  f"--junitxml={junit}", "-p", "no:cacheprovider", *args], limit_s, env)
    result = Result()
    if junit.exists():
        for case in ET.parse(junit).getroot().iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                result.failed += 1
            elif "skipped" in kinds:
                result.skipped += 1
            else:
                result.passed += 1
    if status == 5 and not junit_cases(result):
        return Result(skipped=1, why="not built yet")
    if status != 0 and result.failed == 0:
        result.failed = 1
    return result


def junit_cases(result):
    return result.passed + result.failed + result.skipped


# ---- tiers

ASAN = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:strict_string_checks=1:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "LSAN_OPTIONS": f"suppressions={ROOT}/tests/deps/lsan.supp:print_suppressions=0",
        "WEIR_PROPERTY_CASES": "500"}           # the plain build runs all 10,000
TSAN = {"WEIR_PROPERTY_CASES": "200", "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tests/deps/tsan.supp"}


def binary(folder):
    return {"WEIR": str(ROOT / folder / "weir"), "WEIR_TEST_BROKER": str(ROOT / folder / "tests" / "weir-test-broker")}


def tier_unit(opt):
    return meson_tests("build", 900)


def tier_sql(opt):
    return pytest("tests/sql", "sql", 900, opt.pytest, binary("build"), each_s=180)


def tier_shell(opt):
    return pytest("tests/shell", "shell", 900, opt.pytest, binary("build"), each_s=180)


def tier_mount(opt):
    return pytest("tests/mount", "mount", 1200, opt.pytest, binary("build"), each_s=180)


def tier_kafka(opt):
    return pytest("tests/kafka", "kafka", 2400, opt.pytest, binary("build"), each_s=400)


def tier_torture(opt):
    return pytest("tests/torture", "torture", 600, opt.pytest, binary("build"), each_s=300)


def tier_flink(opt):
    return pytest("tests/flink", "flink", 1800, opt.pytest, binary("build"), each_s=600)


def build_asan():
    return build("build-asan", ["-Db_sanitize=address,undefined", "-Db_lundef=false"], {"CC": "clang"})


def build_tsan():
    return build("build-tsan", ["-Db_sanitize=thread", "-Db_lundef=false"])


def steady():
    """Without address randomisation: on kernels with much of it TSan's shadow does not fit. None: it cannot be had."""
    return "setarch -R" if subprocess.run(["setarch", "-R", "true"], capture_output=True).returncode == 0 else None


def tier_sanitizers(opt):
    """ASan + UBSan (clang, so that both compilers see the tree): units and SQL cases. TSan (gcc): units."""
    result = Result()
    say("-- address and undefined behaviour")
    if build_asan():
        result.add(meson_tests("build-asan", 1200, ASAN))
        result.add(pytest("tests/sql", "sql-asan", 1200, opt.pytest, {**binary("build-asan"), **ASAN}, each_s=240))
    else:
        red("the ASan build failed")
        result.failed += 1
    say("-- threads")
    if build_tsan():
        result.add(meson_tests("build-tsan", 1200, TSAN, steady()))
    else:
        red("the TSan build failed")
        result.failed += 1
    return result


def tier_threads(opt):
    """What runs for long and in many threads, whole: the mount and live queries, under ASan + UBSan and under TSan."""
    result = Result()
    for folder, made, env, wrapper in (("build-asan", build_asan(), ASAN, ""), ("build-tsan", build_tsan(), {**TSAN, "TSAN_OPTIONS": TSAN["TSAN_OPTIONS"] + ":exitcode=66"}, steady() or "")):
        if not made:
            red(f"{folder} failed")
            result.failed += 1
            continue
        for tests, args in (("tests/mount", []), ("tests/sql", ["-k", "live"])):
            result.add(pytest(tests, f"{Path(tests).name}-{folder}", 2400, [*args, *opt.pytest], {**binary(folder), **env}, 400, wrapper))
    return result


def tier_fuzz(opt):
    """Each libFuzzer target for a minute (--seconds changes that). What it finds is left in build-fuzz/found."""
    targets = sorted(p.stem for p in (ROOT / "tests/fuzz").glob("fuzz_*.c"))
    if not targets:
        return Result(skipped=1, why="not built yet")
    if not build("build-fuzz", ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"], {"CC": "clang"}):
        red("the fuzz build failed")
        return Result(failed=1)
    found = ROOT / "build-fuzz" / "found"
    found.mkdir(exist_ok=True)
    result = Result()
    for target in targets:
        corpus = ROOT / "tests/fuzz/corpus" / target.removeprefix("fuzz_")
        fresh = ROOT / "build-fuzz" / "corpus" / target      # inputs found on the way stay out of the tree
        fresh.mkdir(parents=True, exist_ok=True)
        say(f"-- {target}, {opt.seconds} s")
        status = run([ROOT / "build-fuzz" / "tests" / target, fresh, *([corpus] if corpus.is_dir() else []),
                      f"-max_total_time={opt.seconds}", "-timeout=10", "-rss_limit_mb=2048", f"-artifact_prefix={found}/{target}-",
                      "-print_final_stats=1"], opt.seconds + 60, ASAN, quiet=True)
        result.add(Result(passed=1) if status == 0 else Result(failed=1))
    return result


TIERS = {  # name: (function, in the full run, in --quick, what it is)
    "unit": (tier_unit, True, True, "C units, folder DAG, fuzz corpora replayed"),
    "sql": (tier_sql, True, True, "SQL cases as data on the embedded broker"),
    "shell": (tier_shell, True, False, "the prompt under a terminal emulator"),
    "mount": (tier_mount, True, False, "real tools on a real mount"),
    "kafka": (tier_kafka, True, False, "a real Apache Kafka, 4.3.1 and 3.9.1"),
    "torture": (tier_torture, True, False, "kill -9 with an independent oracle"),
    "sanitizers": (tier_sanitizers, True, False, "units and SQL cases under ASan + UBSan, units under TSan"),
    "threads": (tier_threads, False, False, "the mount and live queries under ASan + UBSan and under TSan; on demand"),
    "fuzz": (tier_fuzz, False, False, "each libFuzzer target for --seconds (60); on demand"),
    "flink": (tier_flink, False, False, "the same queries on a real Flink; on demand"),
}


def options():
    table = "\n".join(f"  {name:11} {'' if full else '(on demand) '}{text}" for name, (_, full, _, text) in TIERS.items())
    parser = argparse.ArgumentParser(prog="./check", description="Build weir and prove it.", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog=f"tiers:\n{table}\n\nExtra arguments after -- go to pytest, e.g. ./check sql -- -k tombstone --update")
    parser.add_argument("--strict", action="store_true", help="what cannot run is a failure")
    parser.add_argument("--quick", action="store_true", help="units and SQL cases only")
    parser.add_argument("--seconds", type=int, default=60, help="how long each fuzz target runs")
    parser.add_argument("tiers", nargs="*", metavar="tier", help="run only these")
    argv, rest = sys.argv[1:], []
    if "--" in argv:
        argv, rest = argv[:argv.index("--")], argv[argv.index("--") + 1:]
    opt = parser.parse_args(argv)
    unknown = [t for t in opt.tiers if t not in TIERS]
    if unknown:
        parser.error(f"no tier '{unknown[0]}'; there are: {', '.join(TIERS)}")
    opt.pytest = rest
    return opt


def main():
    opt = options()
    names = opt.tiers or [n for n, (_, full, quick, _) in TIERS.items() if (quick if opt.quick else full)]
    if opt.strict:
        os.environ["WEIR_STRICT"] = "1"
    started = time.monotonic()
    total, table = Result(), []

    say(f"{BOLD}== build{OFF}")
    if not build("build"):
        red("the build failed")
        say("0 passed, 1 failed, 0 skipped")
        return 1
    say(f"   {time.monotonic() - started:.0f} s")

    for name in names:
        function, _, _, text = TIERS[name]
        say(f"\n{BOLD}== {name}: {text}{OFF}")
        began = time.monotonic()
        result = function(opt)
        if result.why and not result.passed and not result.failed:
            red(f"SKIPPED {name}: {PENDING.get(name, result.why)}")
        elif name in PENDING:
            red(f"{name} has tests now: take it out of PENDING in tests/lib/check.py")
        if opt.strict and result.skipped and not (name in PENDING and result.why):
            red(f"{name}: {result.skipped} skipped; under --strict that is a failure")
            result.failed += result.skipped
            result.skipped = 0
        took = time.monotonic() - began
        say(f"   {name}: {result.passed} passed, {result.failed} failed, {result.skipped} skipped in {took:.0f} s")
        table.append((name, result, took))
        total.add(result)

    say(f"\n{BOLD}== all of it, {time.monotonic() - started:.0f} s{OFF}")
    for name, result, took in table:
        mark = f"{RED}FAILED{OFF}" if result.failed else f"{RED}skipped{OFF}" if result.skipped else "ok"
        say(f"   {name:11} {result.passed:5} {result.failed:5} {result.skipped:5}  {took:4.0f} s  {mark}")
    say(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
