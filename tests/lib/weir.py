"""Runs the program under test.

    got = weir("-b", kafka.bootstrap, "-c", "select 1", stdin="", timeout_s=20)
    got.code, got.out, got.err          # text; got.out_bytes, got.err_bytes as they came
    got.rows                            # stdout as rows of a CSV with a header: list of dict
    weir(..).ok()                       # fails the test, showing stderr, unless the exit code is 0; returns itself

The environment variable WEIR names the binary (default build/weir). The child gets a home of its own, UTC, a UTF-8 locale and no
WEIR_* or terminal variables from outside; env={..} adds to that, a value of None takes away.
"""
import csv
import io
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from machine import Stopwatch
from net import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
_home = tempfile.TemporaryDirectory(prefix="weir-home-")
_KEPT = ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "ASAN_SYMBOLIZER_PATH")


def binary():
    return Path(os.environ.get("WEIR") or ROOT / "build" / "weir")


def clean_env(extra=None):
    env = {k: os.environ[k] for k in _KEPT if k in os.environ}
    env.update(HOME=_home.name, TZ="UTC", LC_ALL="C.UTF-8", TERM="dumb")
    for key, value in (extra or {}).items():
        if value is None:
            env.pop(key, None)
        else:
            env[key] = value
    return env


@dataclass
class Ran:
    argv: list
    code: int           # negative: killed by that signal; 124 and timed_out: by us
    out_bytes: bytes
    err_bytes: bytes
    took_s: float
    timed_out: bool = False

    @property
    def out(self):
        return self.out_bytes.decode("utf-8", "replace")

    @property
    def err(self):
        return self.err_bytes.decode("utf-8", "replace")

    @property
    def rows(self):
        return list(csv.DictReader(io.StringIO(self.out)))

    def ok(self):
        assert self.code == 0, f"exit {self.code} after {self.took_s:.1f} s: {self.argv}\n--- stderr\n{self.err[-4000:]}\n--- stdout\n{self.out[-1000:]}"
        return self


def start(*args, env=None, cwd=None, **popen):
    """Starts weir and returns the Popen (pipes for all three unless given otherwise)."""
    for name in ("stdin", "stdout", "stderr"):
        popen.setdefault(name, subprocess.PIPE)
    assert binary().exists(), f"{binary()} is not built"
    return subprocess.Popen([str(binary()), *map(str, args)], env=clean_env(env), cwd=cwd, preexec_fn=die_with_parent, **popen)


def weir(*args, stdin=b"", env=None, cwd=None, timeout_s=90):
    """Runs weir to its end, or kills it after timeout_s."""
    watch = Stopwatch()
    proc = start(*args, env=env, cwd=cwd)
    data = stdin.encode() if isinstance(stdin, str) else stdin
    late = False
    try:
        out, err = proc.communicate(data, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        late = True
        proc.kill()
        out, err = proc.communicate()
    return Ran(proc.args, proc.returncode, out, err, watch.took(), late)
