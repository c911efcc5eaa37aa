"""A real Flink SQL: job manager, task manager and SQL gateway as processes of this machine, for comparing answers.

    with Flink() as f:
        f.run("CREATE TABLE ..")                     # a statement without rows of its own
        f.rows("SELECT ..")                          # list of lists, when the query has ended
        f.cpu_s()                                    # processor seconds of the task manager so far

The jars come from PyPI (apache-flink-libraries: the cluster) and Maven (SQL gateway, Kafka connector), once, into the cache folder (fetched.py)."""
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from fetched import NotToBeHad, fetched, maven, patiently
from net import die_with_parent, free_port

VERSION, CONNECTOR = "2.2.0", "4.0.1-2.0"
_OPENS = [f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in ("java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text", "java.time", "java.util",
                                                              "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks")]


NoFlink = NotToBeHad


def jars():
    """-> folder of the jars."""
    def make(folder):
        maven(folder, [("org.apache.flink", "flink-sql-gateway", VERSION), ("org.apache.flink", "flink-sql-connector-kafka", CONNECTOR)], alone=True)
        with tempfile.TemporaryDirectory() as tmp:
            patiently([sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"apache-flink-libraries=={VERSION}"], tmp)
            with zipfile.ZipFile(next(Path(tmp).glob("*.whl"))) as wheel:
                for name in wheel.namelist():
                    if name.startswith("pyflink/lib/") and name.endswith(".jar"):
                        (folder / Path(name).name).write_bytes(wheel.read(name))
    return fetched(f"flink-{VERSION}", make)


class Flink:
    def __init__(self):
        self.jars = jars()
        self.folder = tempfile.TemporaryDirectory(prefix="weir-flink-")
        self.rest, self.gateway, rpc = free_port(), free_port(), free_port()
        home = Path(self.folder.name)
        (home / "tmp").mkdir()
        sizes = {"jobmanager.memory.process.size": "800m", "taskmanager.memory.process.size": "1280m", "taskmanager.memory.task.heap.size": "256m", "taskmanager.memory.task.off-heap.size": "0b",
                 "taskmanager.memory.framework.heap.size": "128m", "taskmanager.memory.framework.off-heap.size": "128m", "taskmanager.memory.network.min": "64m",
                 "taskmanager.memory.network.max": "64m", "taskmanager.memory.managed.size": "256m", "taskmanager.memory.jvm-metaspace.size": "256m",
                 "taskmanager.memory.jvm-overhead.min": "192m", "taskmanager.memory.jvm-overhead.max": "192m"}
        places = {"jobmanager.rpc.address": "127.0.0.1", "jobmanager.rpc.port": rpc, "jobmanager.bind-host": "127.0.0.1", "taskmanager.host": "127.0.0.1", "taskmanager.bind-host": "127.0.0.1",
                  "rest.address": "127.0.0.1", "rest.bind-address": "127.0.0.1", "rest.port": self.rest, "sql-gateway.endpoint.rest.address": "127.0.0.1",
                  "sql-gateway.endpoint.rest.port": self.gateway, "taskmanager.numberOfTaskSlots": 4, "taskmanager.cpu.cores": 2, "taskmanager.resource-id": "t1", "parallelism.default": 1,
                  "io.tmp.dirs": home / "tmp", "execution.target": "remote", "execution.runtime-mode": "streaming", "table.local-time-zone": "UTC"}
        (home / "config.yaml").write_text("".join(f"{k}: {v}\n" for k, v in {**sizes, **places}.items()))
        (home / "log4j.properties").write_text("rootLogger.level = WARN\nrootLogger.appenderRef.c.ref = C\nappender.c.type = Console\nappender.c.name = C\n"
                                               "appender.c.layout.type = PatternLayout\nappender.c.layout.pattern = %d %-5p %c - %m%n\n")
        self.home, self.processes, self.session = home, {}, None

    def __enter__(self):
        try:
            self._start("jobmanager", "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "-Xmx400m", "--configDir", self.home)
            self._start("taskmanager", "org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "-Xmx512m", "--configDir", self.home)
            self._start("gateway", "org.apache.flink.table.gateway.SqlGateway", "-Xmx400m")
            end = time.monotonic() + 180
            while True:
                try:
                    if self._get(self.rest, "/overview")["taskmanagers"] == 1 and self._get(self.gateway, "/v1/info"):
                        break
                except (OSError, ValueError):
                    pass
                gone = [n for n, p in self.processes.items() if p.poll() is not None]
                if gone or time.monotonic() > end:
                    raise NoFlink(f"{gone or 'Flink'} did not start: " + self.log(gone[0] if gone else "jobmanager"))
                time.sleep(0.3)
            self.session = self._post("/v1/sessions", {})["sessionHandle"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for p in self.processes.values():
            p.kill()
            p.wait()
        self.folder.cleanup()

    def _start(self, name, main, heap, *args):
        env = dict(os.environ, FLINK_CONF_DIR=str(self.home))
        with open(self.home / f"{name}.log", "w") as log:
            self.processes[name] = subprocess.Popen(["java", heap, "-XX:MaxDirectMemorySize=300m", "-XX:+UseSerialGC", f"-Dlog4j.configurationFile={self.home}/log4j.properties", *_OPENS, "-cp",
                                                     f"{self.jars}/*", main, *map(str, args)], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)

    def log(self, name):
        return (self.home / f"{name}.log").read_text(errors="replace")[-2000:]

    def _get(self, port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as r:
            return json.load(r)

    def _post(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.gateway}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as r:
            return json.load(r)

    def run(self, sql):
        return self.rows(sql)

    def rows(self, sql, timeout_s=300):
        operation = self._post(f"/v1/sessions/{self.session}/statements", {"statement": sql})["operationHandle"]
        path, rows, end = f"/v1/sessions/{self.session}/operations/{operation}/result/0?rowFormat=JSON", [], time.monotonic() + timeout_s
        while path:
            try:
                got = self._get(self.gateway, path)
            except urllib.error.HTTPError as e:
                raise AssertionError(f"{sql}\n{_cause(e.read().decode(errors='replace'))}") from None
            rows += [row["fields"] for row in got.get("results", {}).get("data", [])]
            if got["resultType"] == "EOS":
                break
            if got["resultType"] == "NOT_READY" or not got["results"]["data"]:
                assert time.monotonic() < end, f"{sql}\ndid not end within {timeout_s} s"
                time.sleep(0.05)
            path = got.get("nextResultUri", path)
        return rows

    def cpu_s(self):
        fields = Path(f"/proc/{self.processes['taskmanager'].pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cause(text):
    causes = [line for line in text.replace("\\n", "\n").splitlines() if "Caused by" in line or "Exception" in line]
    return "\n".join(causes[-4:]) or text[-2000:]
