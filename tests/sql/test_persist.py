"""What a database file keeps between two runs, and what a stranger's file must not be able to do."""
import sqlite3

from embedded import Embedded
from weir import weir

RECORDS = "topic t 1 none\n" + "".join(f"0 {1700000000000 + i} - {b'{%22a%22:%d}'.replace(b'%22', bytes([34])).replace(b'%d', str(i).encode()).hex()} -\n" for i in range(3))


def broker(tmp_path):
    topics = tmp_path / "topics"
    topics.write_text(RECORDS)
    return Embedded([topics])


def test_streams_views_and_clusters_are_kept(tmp_path):
    db = tmp_path / "keep.db"
    with broker(tmp_path) as b:
        weir(db, "-b", b.bootstrap, "-c", "create stream s (a integer) from topic 't'", "-c", "create view v as select sum(a) as n from s", "-c", "create table local(x)",
             "-c", f"attach cluster '{b.bootstrap}' as plant", "-c", "create view w as select a from plant.t").ok()
        again = weir(db, "-b", b.bootstrap, "--mode", "csv", "-c", "select n from v", "-c", "select count(a) c from s", "-c", "select count(*) c from plant.t", "-c", "select max(a) m from w").ok()
        assert again.out == "n\n3\nc\n3\nc\n3\nm\n2\n"
        assert "without any credentials" in again.err
        # The view names "plant.t" in one word; its stream was a temp table of the first run.
        alone = weir(db, "-b", b.bootstrap, "--mode", "csv", "-c", "select max(a) m from w").ok()
        assert alone.out == "m\n2\n"
        weir(db, "-b", b.bootstrap, "-c", "drop view v", "-c", "drop stream s", "-c", "detach cluster plant").ok()
        gone = weir(db, "-b", b.bootstrap, "--mode", "csv", "-c", "select count(*) c from weir_streams", "-c", "select kind, name from weir_catalog where kind <> 'version'").ok()
        assert gone.out == "c\n0\nkind,name\nview,w\n"


def test_a_view_over_windows_can_be_followed_in_the_next_run(tmp_path):
    db = tmp_path / "keep.db"
    follow = "select n from v where n > 1 emit final grace '1h' from beginning until end"
    with broker(tmp_path) as b:
        weir(db, "-b", b.bootstrap, "-c", "create view v(w, n) as select window_start, count(*) from tumble(t, size => '1m') group by window_start").ok()
        assert weir(db, "-b", b.bootstrap, "--mode", "csv", "-c", follow).ok().out == "n\n3\n"
        weir(db, "-b", b.bootstrap, "-c", "drop view v", "-c", "create view v as select 5 as n").ok()
        got = weir(db, "-b", b.bootstrap, "-c", follow)
        assert got.code == 3 and "no topic" in got.err
        weir(db, "-b", b.bootstrap, "-c", "drop view v", "-c", "create view v as select window_start, count(*) as n from tumble(t, size => '1m') group by window_start").ok()
        explain = "explain select n from v emit final"
        assert weir(db, "-b", b.bootstrap, "-c", explain).code == 0
        with sqlite3.connect(db) as c:            # a stranger's text, which the mount of a session would run as a script: it is not taken
            c.execute("update weir_catalog set sql = sql || '; drop table x' where kind = 'view text'")
        assert weir(db, "-b", b.bootstrap, "-c", explain).code == 3
        weir(db, "-b", b.bootstrap, "-c", "drop view v").ok()
        assert weir(db, "-c", "select count(*) c from weir_catalog where kind = 'view text'", "--mode", "csv").ok().out == "c\n0\n"


def test_a_strangers_file_names_no_addresses_or_settings(tmp_path):
    db = tmp_path / "foreign.db"
    with sqlite3.connect(db) as c:
        c.execute("pragma writable_schema=on")
        c.execute("insert into sqlite_schema values ('table','evil','evil',0,'CREATE VIRTUAL TABLE evil USING kafka(''t'', ''bootstrap.servers''=''10.255.255.1:9092'', format=''json'', a INT)')")
        c.execute("create table weir_catalog(kind, name, profile, brokers, sql, primary key(kind, name))")
        c.execute("insert into weir_catalog values ('version','1',null,null,null), ('cluster','c','','10.255.255.1:9092',null), ('view','v',null,null,'create temp view v as select 1; drop table x')")
    (tmp_path / "config").write_text("[default]\nbootstrap.servers=127.0.0.1:1\nsasl.username=me\nsasl.password=secret\n")
    (tmp_path / "config").chmod(0o600)
    got = weir(db, "-c", "select * from evil", env={"WEIR_CONFIG": str(tmp_path / "config")}, timeout_s=20)
    assert got.code == 3 and "secret" not in got.err, got.err
    assert "view v of the database file is left out" in got.err
    safe = weir(db, "--safe", "-c", "select * from c.t", env={"WEIR_CONFIG": str(tmp_path / "config")}, timeout_s=20)
    assert safe.code == 3 and "--safe" in safe.err, safe.err


def test_credentials_do_not_follow_an_address_from_sql(tmp_path):
    (tmp_path / "config").write_text("[line1]\nbootstrap.servers=127.0.0.1:1\nsasl.mechanism=PLAIN\nsecurity.protocol=SASL_PLAINTEXT\nsasl.username=me\nsasl.password=secret\n")
    (tmp_path / "config").chmod(0o600)
    env = {"WEIR_CONFIG": str(tmp_path / "config")}
    got = weir("-c", "attach cluster '10.255.255.1:9092' as x with (profile = 'line1')", env=env)
    assert got.code == 3 and "WEIR-3005" in got.err and "secret" not in got.err, got.err
    weir("-c", "attach cluster '127.0.0.1:1' as x with (profile = 'line1')", "-c", "attach cluster line1", "-c", "select brokers from weir_clusters where cluster = 'line1'", env=env).ok()


def test_a_newer_catalogue_is_refused(tmp_path):
    db = tmp_path / "newer.db"
    with sqlite3.connect(db) as c:
        c.execute("create table weir_catalog(kind, name, profile, brokers, sql, primary key(kind, name))")
        c.execute("insert into weir_catalog(kind, name) values ('version', '99')")
    got = weir(db, "-c", "select 1")
    assert got.code == 5 and "newer" in got.err, got.err


def test_not_a_database(tmp_path):
    (tmp_path / "x.db").write_bytes(b"this is no database at all, but a long enough text" * 20)
    got = weir(tmp_path / "x.db", "-c", "select 1")
    assert got.code == 5 and "x.db" in got.err, got.err
