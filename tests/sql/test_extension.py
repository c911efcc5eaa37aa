"""weir.so in a program that is not weir: the sqlite3 shell and Python's sqlite3."""
import os
import subprocess

import pytest

from embedded import Embedded
from sqlcase import Case
from weir import binary, clean_env

TOPIC = """--- topic plant partitions=2
k="a" v={"line":"A","value":$i} p=* n=10
--- exit 0
"""


@pytest.fixture
def broker(tmp_path):
    (tmp_path / "x.case").write_text(TOPIC)
    (tmp_path / "records").write_text(Case(tmp_path / "x.case").topics[0].plain())
    with Embedded([tmp_path / "records"]) as running:
        yield running.bootstrap


def sqlite3(script, bootstrap, tmp_path):
    module = binary().parent / "weir.so"
    assert module.exists(), f"{module} is not built"
    return subprocess.run(["sqlite3", "-batch", "-bail", "-csv", ":memory:"], input=f".load {module}\n{script}", capture_output=True, text=True, cwd=tmp_path, timeout=60,
                          env=clean_env({"WEIR_BROKERS": bootstrap, "HOME": str(tmp_path)}))


if "ASAN_OPTIONS" not in os.environ:      # a sanitized module would need a sanitized host
    def test_in_the_sqlite3_shell(broker, tmp_path):
        got = sqlite3("create virtual table p using kafka('plant', format = 'json');\n"
                      "select line, count(*), sum(value) from p group by line;\nselect _partition, max(_offset) from p group by 1;\n"
                      "create table local(line, name); insert into local values ('A', 'press line'); select distinct name from p join local using (line);\n", broker, tmp_path)
        assert got.returncode == 0, got.stderr
        assert got.stdout.replace("\r", "").splitlines() == ["A,10,45", "0,4", "1,4", '"press line"']

    def test_table_arguments_name_no_servers(broker, tmp_path):
        """A database file of somebody else's must not make us connect to where it says."""
        got = sqlite3("create virtual table p using kafka('plant', format = 'json', bootstrap.servers = '10.0.0.1:9092');\n", broker, tmp_path)
        assert got.returncode != 0 and got.stderr.strip()
