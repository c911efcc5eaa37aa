"""A clock that leaves out the time in which the machine stood still.

    watch = Stopwatch()
    watch.took()        # seconds since then, without what the machine lost meanwhile

A virtual machine may stand still for half a second, and a test of promptness is not about that. A thread sleeps 5 ms at a time and
writes down how much later it woke; each such loss is taken off twice, because the program and the test that waits for it stood still
one after the other."""
import threading
import time

_NAP_S = 0.005
_losses = []            # (when it woke, how much too late), only those over 2 ms


def _watch():
    while True:
        before = time.monotonic()
        time.sleep(_NAP_S)
        woke = time.monotonic()
        late = woke - before - _NAP_S
        if late > 0.002:
            _losses.append((woke, late))
            del _losses[:-10000]


class Stopwatch:
    def __init__(self):
        global _thread
        if _thread is None:
            _thread = threading.Thread(target=_watch, daemon=True)
            _thread.start()
        self.began = time.monotonic()

    def took(self):
        now = time.monotonic()
        lost = sum(late for woke, late in _losses if woke > self.began)
        return max(0.0, now - self.began - 2 * lost)


_thread = None
