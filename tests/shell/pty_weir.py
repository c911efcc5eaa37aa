"""weir on a terminal: a pty, and a terminal emulator that says what a person would see.

    with Terminal("-q", columns=80, rows=24) as t:
        t.line("select 1;")
        t.wait("(1 row)")             # until the screen (or what scrolled off it) shows the text; fails with the screen after 10 s
        t.screen                      # list of lines, right-stripped
        t.raw                         # every byte that weir wrote
"""
import os
import signal
import time

import pexpect
import pyte

from weir import binary, clean_env


class Terminal:
    def __init__(self, *args, columns=100, rows=30, env=None, term="xterm", cwd=None):
        extra = {"TERM": term, "COLUMNS": None, "LINES": None}
        extra.update(env or {})
        self._argv = [str(a) for a in args]
        self._size = (rows, columns)
        self._env = clean_env(extra)
        self._cwd = cwd
        self.raw = b""

    def __enter__(self):
        rows, columns = self._size
        self._emulator = pyte.HistoryScreen(columns, rows, history=5000, ratio=0.5)
        self._stream = pyte.ByteStream(self._emulator)
        self.child = pexpect.spawn(str(binary()), self._argv, env=self._env, dimensions=self._size, cwd=self._cwd, timeout=10)
        self.child.delaybeforesend = None
        return self

    def __exit__(self, *_):
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
        self.child.close(force=True)

    def read(self, wait_s=0.02):
        try:
            data = self.child.read_nonblocking(65536, timeout=wait_s)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        self.raw += data
        self._stream.feed(data)
        return True

    @property
    def screen(self):
        return [line.rstrip() for line in self._emulator.display]

    @property
    def scrolled(self):
        return ["".join(line[i].data for i in range(self._emulator.columns)).rstrip() for line in self._emulator.history.top]

    @property
    def text(self):
        return "\n".join(self.scrolled + self.screen)

    def wait(self, what, timeout_s=10, count=1):
        until = time.monotonic() + timeout_s
        while self.text.count(what) < count:
            if not self.read(0.05) and time.monotonic() > until:
                raise AssertionError(f"{what!r} did not come (x{count}); the screen:\n{self.text}")
        return self

    def gone(self, what, timeout_s=5):
        until = time.monotonic() + timeout_s
        while what in self.text:
            if not self.read(0.05) and time.monotonic() > until:
                raise AssertionError(f"{what!r} stayed; the screen:\n{self.text}")

    def send(self, text):
        self.child.send(text)

    def line(self, text):
        self.child.send(text + "\r")

    def prompt(self):
        """Until the last line is an empty prompt."""
        until = time.monotonic() + 10
        while not [s for s in self.screen if s] or not [s for s in self.screen if s][-1].endswith("=>"):
            if not self.read(0.05) and time.monotonic() > until:
                raise AssertionError(f"no prompt; the screen:\n{self.text}")
        return self

    def resize(self, columns, rows):
        self._emulator.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def end(self, timeout_s=5):
        """Waits for the end; the exit code, or -signal."""
        until = time.monotonic() + timeout_s
        while self.child.isalive() and time.monotonic() < until:
            self.read(0.05)
        assert not self.child.isalive(), f"weir did not end; the screen:\n{self.text}"
        while self.read(0.01):
            pass
        return self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus


def history_env(folder, **more):
    env = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
    env.update(more)
    return env


def read_history(folder):
    path = folder / "state" / "weir" / "history"
    return path.read_text() if path.exists() else "", oct(os.stat(path).st_mode & 0o777) if path.exists() else None
