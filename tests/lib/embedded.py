"""The embedded broker as a process of its own, filled with records: build/tests/weir-test-broker.

    with Embedded([topic_file, ...], flags=[]) as broker:
        broker.bootstrap
        broker.tell("down 1")                   # faults: down ID | up ID | rtt ID MS | leader TOPIC PARTITION ID | fail API_KEY CODE COUNT
        broker.tell("load FILE")                # more records, as for the files of the start; or topic NAME PARTITIONS

The program is called with the files (their form: tests/sql/README.md, "What the broker reads"), answers with the line
`bootstrap=127.0.0.1:PORT` on stdout when all records can be read, and ends when its stdin does. WEIR_TEST_BROKER names it
(default: tests/weir-test-broker beside the weir that is tested).
"""
import os
import select
import subprocess
import time
from pathlib import Path

from net import die_with_parent
from weir import binary, clean_env


def broker_binary():
    return Path(os.environ.get("WEIR_TEST_BROKER") or binary().parent / "tests" / "weir-test-broker")


class Embedded:
    def __init__(self, files=(), flags=(), timeout_s=20):
        self._argv = [str(broker_binary()), *map(str, flags), *map(str, files)]
        self._timeout_s = timeout_s
        self._proc = None

    def __enter__(self):
        self._proc = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_env(),
                                      preexec_fn=die_with_parent)
        line = self._line()
        if not line.startswith("bootstrap="):
            self._proc.kill()
            _, err = self._proc.communicate()
            raise RuntimeError(f"{' '.join(self._argv)}: no bootstrap address within {self._timeout_s} s, but {line!r}\n{err.decode(errors='replace')[-2000:]}")
        self.bootstrap = line.removeprefix("bootstrap=").strip()
        return self

    def __exit__(self, *_):
        self._proc.kill()            # there is nothing to save, and a clean end takes librdkafka up to a second
        self._proc.communicate()

    def tell(self, command):
        """Gives the broker a command and waits until it is carried out."""
        self._proc.stdin.write(command.encode() + b"\n")
        self._proc.stdin.flush()
        answer = self._line()
        if answer != "ok":
            raise RuntimeError(f"{command!r}: {answer!r}")

    def _line(self):
        end, data = time.monotonic() + self._timeout_s, b""
        fd = self._proc.stdout.fileno()
        while b"\n" not in data:
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                break
            got = os.read(fd, 4096)
            if not got:
                break
            data += got
        return data.decode(errors="replace").split("\n")[0]
