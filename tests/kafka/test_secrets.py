"""Secrets stay secret, whatever is asked or goes wrong; the files that hold them are looked at before they are believed."""
import os

import pytest

from kafka import rec
from test_security import reader, refused, sasl

PASSWORD = "alice-pw"


@pytest.fixture
def topic(kafka_secure, name):
    kafka_secure.create_topic(name)
    kafka_secure.produce(name, [rec("x")])
    for user in ("alice", "dave", "ANONYMOUS"):
        kafka_secure.allow(user, "READ", name=name)
    return name


@pytest.fixture
def read(weir, tmp_path, topic):
    return reader(weir, tmp_path, topic)


def test_unsecured_token(kafka_secure, read):
    token = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=OAUTHBEARER", "enable.sasl.oauthbearer.unsecure.jwt=true"]
    assert read(kafka_secure.sasl_bootstrap, [*token, "sasl.oauthbearer.config=principal=dave"]).ok().rows == [{"_value": "x"}]
    refused(read(kafka_secure.sasl_bootstrap, [*token, "sasl.oauthbearer.config=principal=eve"]), "authoriz", "no topic")


def test_nothing_shows_the_password(kafka_secure, read, topic):
    sql = f"""\\conninfo
        show clusters; select * from weir_clusters; select * from weir_configs where value like '%pw%'; select * from weir_stats;
        explain scan select * from "{topic}"; describe extended "{topic}"; select * from weir_errors; .show
        \\set
        select nonsense;"""
    for args in ((), ("--echo",), ("--keep-going", "-X", "debug=all")):
        got = read(kafka_secure.sasl_bootstrap, sasl("PLAIN"), sql, args)
        assert got.out or got.err
        assert PASSWORD not in got.out + got.err, args


def test_no_secrets_on_the_command_line(kafka_secure, weir, topic):
    for setting in ("sasl.password=hunter2", "ssl.key.password=hunter2", "sasl.oauthbearer.client.secret=hunter2",
                    'sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="hunter2";'):
        got = weir("-b", kafka_secure.sasl_bootstrap, "-X", setting, "-c", f'select * from "{topic}"')
        assert got.code == 1 and setting.split("=")[0] in got.err and "hunter2" not in got.err + got.out, (setting, got.code, got.err)


@pytest.mark.parametrize("setting", ["plugin.library.paths=/tmp/x.so", "test.mock.num.brokers=3", "sasl.kerberos.kinit.cmd=touch /tmp/x", "ssl.engine.location=/tmp/x.so", "no.such.setting=1", "fetch.max.bytes=many"])
def test_settings_that_are_refused(weir, setting):
    got = weir("-b", "127.0.0.1:1", "-X", setting, "--timeout", "5s", "-c", "show topics")
    assert got.code == 1 and setting.split("=")[0] in got.err and got.took_s < 2, (got.code, got.err)


def test_files_of_secrets(weir, tmp_path):
    good = tmp_path / "good"
    good.write_text("bootstrap.servers=127.0.0.1:1\nsasl.password=hunter2\n")
    good.chmod(0o600)
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "fifo", 0o600)
    huge = tmp_path / "huge"
    huge.write_text("# " + "x" * 20_000_000)
    huge.chmod(0o600)
    group = tmp_path / "group"
    group.write_text(good.read_text())
    group.chmod(0o640)
    for what in ("dir", "fifo", "huge", "group", "absent"):
        got = weir("-F", tmp_path / what, "--timeout", "5s", "-c", "show topics")
        assert got.code == 1 and str(tmp_path / what) in got.err and got.took_s < 2, (what, got.code, got.err)
        assert "hunter2" not in got.err


def test_files_of_certificates(kafka_secure, read, tmp_path):
    k = kafka_secure
    tls = ["security.protocol=SSL"]
    noise = tmp_path / "noise.pem"
    noise.write_text("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n")
    noise.chmod(0o600)
    for line in (f"ssl.ca.location={tmp_path}/absent.pem", f"ssl.ca.location={noise}"):
        got = read(k.tls_bootstrap, [*tls, line])
        assert got.code == 2 and line.split("=")[1] in got.err and got.took_s < 5, (line, got.code, got.err)
    mine = k.pki.issue("mine")
    got = read(k.tls_bootstrap, [*tls, f"ssl.ca.location={k.pki.ca}", f"ssl.certificate.location={mine.cert}", f"ssl.key.location={tmp_path}/absent.key"])
    assert got.code == 2 and "absent.key" in got.err, (got.code, got.err)


def test_a_database_file_names_no_servers(kafka_secure, weir, tmp_path):
    """A database file of somebody else must not make weir connect to where it says, nor carry credentials."""
    import sqlite3
    db = tmp_path / "foreign.db"
    con = sqlite3.connect(db)
    con.execute("pragma writable_schema = on")
    con.execute("""insert into sqlite_master(type, name, tbl_name, rootpage, sql) values ('table', 't', 't', 0,
                   'CREATE VIRTUAL TABLE t USING kafka(''x'', bootstrap.servers = ''127.0.0.1:1'')')""")
    con.commit()
    con.close()
    got = weir(db, "--timeout", "5s", "-c", "select * from t")
    assert got.code in (1, 2, 3) and "bootstrap.servers" in got.err and got.took_s < 3, (got.code, got.err)
