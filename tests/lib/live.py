"""weir-live (tests/tools/live.c) in the background: the endless reader alone.

    live = Live(kafka.bootstrap, "topic", "from=end")
    live.wait("0 5 text")                # a line that begins so: PARTITION OFFSET VALUE, at end: .., notice: .., error N: ..
    live.end()                           # interrupts it; end(4): it ends by itself, with exit code 4
"""
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from net import die_with_parent, wait_until
from weir import binary


class Live:
    """weir-live in the background; its lines with the time of each."""

    def __init__(self, bootstrap, topic, *args):
        tool = Path(os.environ.get("WEIR_TEST_BROKER") or binary().parent / "tests" / "x").parent / "weir-live"
        self.process = subprocess.Popen([tool, bootstrap, topic, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.lines, self.times = [], []
        threading.Thread(target=self._read, daemon=True).start()
        self.wait("open")

    def _read(self):
        for line in self.process.stdout:
            self.times.append(time.monotonic())
            self.lines.append(line.rstrip("\n"))

    def find(self, pattern, after=0):
        return next((i for i, line in enumerate(self.lines) if i >= after and re.match(pattern, line)), None)

    def wait(self, pattern, timeout_s=15, after=0):
        """-> the first line from number `after` on that begins with the pattern."""
        try:
            wait_until(lambda: self.find(pattern, after) is not None, timeout_s, f"{pattern!r}")
        except BaseException:
            self.process.kill()
            raise AssertionError(f"no {pattern!r} in {self.lines[-20:]}") from None
        return self.lines[self.find(pattern, after)]

    def records(self):
        return [tuple(line.split(" ", 2)) for line in self.lines if line[:1].isdigit()]

    def end(self, code=None):
        """Ends it, or waits for its own end; checks that giving up was fast. -> offsets lost"""
        if code is None:
            self.process.send_signal(signal.SIGINT)
        assert self.process.wait(15) == (130 if code is None else code), self.lines[-10:]
        took, lost = re.match(r"destroyed in (\d+) us, lost (\d+)", self.wait("destroyed")).groups()
        assert int(took) < 50_000, took
        return int(lost)
