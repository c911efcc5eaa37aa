"""weir mount for the tests, and whatever happens no mount and no daemon is left.

    with Mounted(bootstrap, "segment=1000", "-c", "create view ...") as m:
        m.path("t/tail.ndjson"); m.run("wc -l < t/tail.ndjson"); m.status()
        m.daemon                       # Popen of weir mount --foreground

run() executes a line of shell with the mount as $M, and its folder m.scratch as $X and working directory.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from machine import Stopwatch
from net import wait_until
from weir import binary, clean_env, start


def can_mount():
    return os.access("/dev/fuse", os.R_OK | os.W_OK) and shutil.which("fusermount3")


def mounts():
    """Mount points of type fuse.weir."""
    lines = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [line[1] for line in lines if line[2] == "fuse.weir"]


def unmount(where):
    subprocess.run(["fusermount3", "-u", "-z", str(where)], capture_output=True, timeout=10)


class Ran:
    def __init__(self, done, took_s):
        self.code, self.out, self.err, self.took_s = done.returncode, done.stdout, done.stderr, took_s
        self.text = self.out.decode("utf-8", "replace")

    def ok(self):
        assert self.code == 0, f"exit {self.code}: {self.err.decode(errors='replace')}"
        return self


class Mounted:
    def __init__(self, bootstrap, options=None, *args, expect_exit=0):
        if not can_mount():
            if os.environ.get("WEIR_STRICT"):
                pytest.fail("/dev/fuse cannot be opened")
            pytest.skip("/dev/fuse cannot be opened")
        self.bootstrap, self.options, self.args = bootstrap, options, args
        self.expect_exit = expect_exit
        self.folder = Path(tempfile.mkdtemp(prefix=f"weir-mount-{os.getpid()}-"))
        self.where = self.folder / "m"
        self.scratch = self.folder / "x"
        self.where.mkdir()
        self.scratch.mkdir()
        self.daemon = None

    def argv(self, *more):
        return ["mount", str(self.where), "-b", self.bootstrap, *(["-o", self.options] if self.options else []), *self.args, *more]

    def start(self, *more):
        self.daemon = start(*self.argv("--foreground", *more), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/")
        try:
            wait_until(lambda: self._answers() or self.daemon.poll() is not None, 20, "the mount", every_s=0.005)
            assert self.daemon.poll() is None, self.daemon.stderr.read().decode(errors="replace")
        except BaseException:
            self.__exit__(AssertionError, None, None)
            raise
        return self

    __enter__ = start

    def _answers(self):
        try:
            return str(self.where) in mounts() and self.status()[0]["pid"] == self.daemon.pid      # not the dead mount of a killed one
        except OSError:
            return False

    def end(self):
        """SIGTERM; the exit code, None if it had to be killed."""
        if self.daemon is None:
            return self.expect_exit
        if self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(10)
            code = self.daemon.returncode
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
            code = None
        self.complaint = self.daemon.stderr.read().decode(errors="replace")
        self.daemon.stderr.close()
        self.daemon = None
        return code

    def __exit__(self, kind, *_):
        code = self.end()
        left = str(self.where) in mounts()
        if left:
            unmount(self.where)
        shutil.rmtree(self.scratch, ignore_errors=True)
        for folder in (self.where, self.folder):
            try:
                folder.rmdir()
            except OSError:
                pass
        if kind is None:
            assert code == self.expect_exit, f"weir mount ended with {code}: {self.complaint}"
            assert not left, "the mount was left behind"

    def path(self, name=""):
        return str(self.where / name)

    def _env(self):
        env = clean_env()
        env.update(M=str(self.where), X=str(self.scratch))
        return env

    def run(self, line, timeout_s=90, stdin=subprocess.DEVNULL):
        watch = Stopwatch()
        done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, cwd=self.scratch, env=self._env(), timeout=timeout_s, stdin=stdin)
        return Ran(done, watch.took())

    def spawn(self, line, **popen):
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(["bash", "-c", "exec " + line], cwd=self.scratch, env=self._env(), **popen)

    def status(self):
        lines = [json.loads(line) for line in Path(self.path("@status")).read_text().splitlines()]
        return lines[0], lines[1:]
