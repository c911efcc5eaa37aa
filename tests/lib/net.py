"""Free ports, waiting for a condition, and processes that do not outlive the tests."""
import ctypes
import random
import signal
import socket
import time

from machine import Stopwatch

# Below Linux's default range for outgoing connections (32768...), so that no client of ours takes a port before its server does.
_PORTS = range(15000, 31000)
_given = set()


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on and that this process was not given before."""
    for _ in range(500):
        port = random.choice(_PORTS)
        if port in _given:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free port")


def wait_until(condition, timeout_s=20, what="the condition", every_s=0.05):
    """Polls until condition() is true and returns what it gave; AssertionError after timeout_s, naming `what`."""
    watch = Stopwatch()
    while True:
        got = condition()
        if got:
            return got
        if watch.took() > timeout_s:
            raise AssertionError(f"waited {timeout_s} s for {what}; last: {got!r}")
        time.sleep(every_s)


_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def die_with_parent():
    """For Popen(preexec_fn=...): the child is killed when this process ends, however it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
