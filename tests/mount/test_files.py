"""Files that do not move: real tools read segments, bytes compared."""
import json
import os
import signal
import subprocess
import time

import pytest

from conftest import lines_of
from mounted import Mounted, mounts
from net import free_port, wait_until
from weir import weir

SEG = "$M/t/log/0/00000000000000000000.ndjson"
SEG2 = "$M/t/log/1/00000000000000010000.ndjson"
LIVE = "$M/t/log/0/00000000000000020000.ndjson"
REF = lines_of(0, 0, 10000)


def test_listing(mount):
    names = mount.run("ls -A $M").ok().text.split()
    assert {"@README", "@status", "t", "nothing"} <= set(names)
    assert mount.run("ls -A $M/t").ok().text.split() == ["log", "meta.json", "tail.ndjson"]
    assert mount.run("ls $M/t/log").ok().text.split() == ["0", "1"]
    assert mount.run("ls $M/t/log/0").ok().text.split() == [f"{o:020}.ndjson" for o in (0, 10000, 20000)]


def test_meta(mount):
    meta = json.loads(mount.run("cat $M/t/meta.json").ok().text)
    assert meta["topic"] == "t" and meta["segment"] == 10000
    assert [(p["partition"], p["leader"] >= 0, p["low"], p["end"]) for p in meta["partitions"]] == [(0, True, 0, 25000), (1, True, 0, 25000)]
    wait_until(lambda: [p.get("high") for p in json.loads(mount.run("cat $M/t/meta.json").ok().text)["partitions"]] == [25000, 25000], 10, "the high watermarks")


@pytest.mark.parametrize("line, want", [
    (f"cat {SEG}", REF),
    (f"head -n5 {SEG}", lines_of(0, 0, 5)),
    (f"tail -n100 {SEG}", lines_of(0, 9900, 10000)),
    (f"tail -c500 {SEG}", REF[-500:]),
    (f"tail -n +9990 {SEG}", lines_of(0, 9989, 10000)),
    (f"tac {SEG} | head -1 || true", lines_of(0, 9999, 10000)),
    (f"cat {SEG2}", lines_of(1, 10000, 20000)),
    (f"cat {LIVE}", lines_of(0, 20000, 25000)),
    (f"cp {SEG} x && cat x", REF),
    (f"cp --sparse=always {SEG} x && cat x", REF),
    (f"rsync {SEG} x && cat x", REF),
    (f"tar -cf - -C $M/t/log/0 00000000000000000000.ndjson | tar -xO", REF),
    (f"dd if={SEG} bs=1 count=5000", REF[:5000]),
    (f"dd if={SEG} bs=1M", REF),
    (f"split -n l/4 {SEG} y && cat y*", REF),
    (f"gzip -c {SEG} | gzip -dc", REF),
    (f"""python3 -c 'import mmap; f = open("'{SEG}'", "rb"); import sys; sys.stdout.buffer.write(mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[:])'""", REF),
    (f"sqlite3 :memory: \"select length(readfile('{SEG}'))\"", b"%d\n" % len(REF)),
    (f"""python3 -c 'print(len(open("'{SEG}'").read()))'""", b"%d\n" % len(REF)),
    (f"busybox tail -n3 {SEG}", lines_of(0, 9997, 10000)),
    (f"wc -l < {SEG}", b"10000\n"),
    (f"gawk 'END{{print NR}}' {SEG}", b"10000\n"),
    (f"mawk 'END{{print NR}}' {SEG}", b"10000\n"),
    (f"sed -n '$=' {SEG}", b"10000\n"),
    (f"jq -c .offset {SEG} | wc -l", b"10000\n"),
    (f"sort -r {SEG} | wc -l", b"10000\n"),
    (f"grep -c ERROR {SEG}", b"10\n"),
    (f"grep -m1 ERROR {SEG}", lines_of(0, 0, 1)),
    (f"rg -c ERROR {SEG}", b"10\n"),
    (f"rg --mmap -c ERROR {SEG}", b"10\n"),
    (f"rg --no-mmap -c ERROR {SEG}", b"10\n"),
    (f"grep -c ERROR {LIVE}", b"5\n"),
    (f"rg --mmap -c ERROR {LIVE}", b"5\n"),
    (f"wc -l < {SEG.replace('.ndjson', '.csv')}", b"10001\n"),
    (f"wc -l < {SEG.replace('.ndjson', '.txt')}", b"10000\n"),
    (f"head -2 {SEG.replace('.ndjson', '.rows.csv')}", b"p,n,s\n0,0,ERROR\n"),
    (f"tail -1 {SEG.replace('.ndjson', '.rows.ndjson')}", b'{"p":0,"n":9999,"s":"ok"}\n'),
    ("wc -l < $M/t/tail.ndjson", b"1000\n"),
    ("wc -l < $M/t/key/k7.ndjson", b"500\n"),
    ("wc -l < $M/t/time/2023-11-14/22.ndjson", b"50000\n"),
    ("wc -c < $M/nothing/tail.ndjson", b"0\n"),
])
def test_tool(mount, line, want):
    """Each in a fresh mount, where sizes were never exact yet."""
    got = mount.run(line).ok()
    if "dd " not in line:
        assert got.err == b"", got.err
    assert got.out == want, f"{len(got.out)} bytes for {len(want)}; begins {got.out[:200]!r}"


def test_sizes(mount):
    first, counted, last = mount.run(f"stat -c %s {SEG}; wc -c < {SEG}; stat -c %s {SEG}").ok().text.split()
    assert int(first) > 0 and int(counted) == int(last) == len(REF)


def test_names_that_are_not_there(mount):
    requests = mount.status()[0]["broker_requests"]
    for name in ("unknown", "t/log/2", "t/log/0/00000000000000030000.ndjson", "t/log/0/7.ndjson", "t/follow@x", "t/key/%61.ndjson"):
        with pytest.raises(FileNotFoundError):
            os.stat(mount.path(name))
    assert mount.status()[0]["broker_requests"] <= requests + 6        # what the refresher asks by itself


def test_whole_trees(mount):
    counts = mount.run("grep -rc ERROR $M/t/log").ok().text.split()
    assert sum(int(c.rsplit(":", 1)[1]) for c in counts) == 50 and len(counts) == 6
    assert sum(int(c.rsplit(":", 1)[1]) for c in mount.run("rg -c ERROR $M/t/log").ok().text.split()) == 50
    mount.run("find $M -type f -exec head -c1 {} + > /dev/null").ok()
    mount.run("cp -r $M/t x && cat x/log/0/* | wc -l").ok()
    assert mount.run("cat x/log/0/*").out == lines_of(0, 0, 25000)
    mount.run("rsync -a $M/t/log/1 y && cat y/1/* | cmp - <(cat $M/t/log/1/*)").ok()
    mount.run("du -s $M").ok()


def test_read_only(mount):
    for line in ("touch $M/t/x", f"echo > {SEG}", f"rm -f {SEG}", "mkdir $M/d"):
        got = mount.run(line)
        assert got.code != 0 and b"Read-only file system" in got.err
    what = mount.run("mount | grep $M").ok().text
    assert "type fuse.weir" in what and all(o in what for o in ("ro", "nosuid", "nodev", "noexec"))


def test_less(mount):
    import pexpect
    child = pexpect.spawn("less", [mount.path("t/log/0/00000000000000000000.ndjson")], env={**os.environ, "TERM": "xterm", "LESS": ""}, dimensions=(24, 200), timeout=10)
    try:
        child.expect('"offset":0,')
        child.send("G")
        child.expect('"offset":9999,')
        child.send("?ERROR\n")
        child.expect('"offset":9000,')
        child.send("q")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def test_many_entries(cluster):
    with Mounted(cluster.bootstrap, "segment=1") as m:
        counts = [-1]
        wait_until(lambda: counts.append(m.status()[0]["broker_requests"]) or counts[-1] == counts[-2], 10, "the mount to know its topics", every_s=0.3)
        requests = counts[-1]
        plain, long = m.run("ls -f $M/t/log/0 | wc -l").ok(), m.run("ls -l $M/t/log/0 | wc -l").ok()
        assert plain.text.strip() == "25002" and long.text.strip() == "25001"
        assert plain.took_s < 0.5 * 4 and long.took_s < 2 * 4, (plain.took_s, long.took_s)      # four times what a quiet machine needs
        assert m.status()[0]["broker_requests"] <= requests + 20


def test_views_and_streams(cluster):
    sql = ("create stream lines (n integer, state text from '$.s') with (topic = 't', format = 'json');"
           "create temp view errors as select _partition, n from lines where state = 'ERROR' order by 1, 2;")
    with Mounted(cluster.bootstrap, None, "-c", sql) as m:
        assert m.run("ls $M/@query").ok().text.split() == ["errors.csv", "errors.ndjson"]
        got = m.run("cat $M/@query/errors.csv").ok().text.splitlines()
        assert got[0] == "_partition,n" and got[1] == "0,0" and len(got) == 51
        assert m.run("tail -1 $M/@query/errors.ndjson").ok().text == '{"_partition":1,"n":24000}\n'
        assert m.run(f"head -2 {SEG.replace('.ndjson', '.rows.csv')}").ok().text == "n,state\n0,ERROR\n"


def test_background_start_and_umount(cluster):
    """As a daemon: its clients are made after the fork."""
    m = Mounted(cluster.bootstrap)
    try:
        weir(*m.argv(), timeout_s=20).ok()
        assert m.run(f"cat {SEG}").ok().out == REF
        pid = m.status()[0]["pid"]
        assert weir(*m.argv()).code != 0                     # a second one
        again = weir(*m.argv("--replace")).ok()
        assert again.code == 0 and m.status()[0]["pid"] != pid
        assert m.run(f"cat {SEG}").ok().out == REF
        pid = m.status()[0]["pid"]
        weir("umount", m.path()).ok()
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 5, "the daemon's end")
        assert m.path() not in mounts() and weir("umount", m.path()).code != 0
    finally:
        weir("umount", "--force", m.path())
        m.__exit__(None)


def test_killed_daemon(cluster):
    with Mounted(cluster.bootstrap) as m:
        m.run(f"cat {SEG} > /dev/null").ok()
        m.daemon.send_signal(signal.SIGKILL)
        m.daemon.wait()
        assert b"Transport endpoint" in m.run("ls $M").err
        m.daemon.stderr.close()
        m.start()
        assert m.run(f"cat {SEG}").ok().out == REF


def test_starts_that_fail(embedded_cluster):
    m = Mounted(embedded_cluster.bootstrap)
    wrong = Mounted(f"127.0.0.1:{free_port()}", "timeout=1")
    try:
        def fails(*argv):
            got = weir(*argv, timeout_s=20)
            assert got.code not in (0, 124) and got.err.startswith("weir:") and not got.timed_out, got
            return got.err
        fails(*wrong.argv())
        (m.folder / "file").write_text("x")
        assert "not a directory" in fails("mount", str(m.folder / "file"), "-b", m.bootstrap)
        assert "No such file" in fails("mount", str(m.folder / "absent"), "-b", m.bootstrap)
        assert "not empty" in fails("mount", str(m.folder), "-b", m.bootstrap)
        assert "since" in fails(*m.argv("-o", "since=soonish"))
        assert "unknown mount option" in fails(*m.argv("-o", "allow_root"))
        assert "something else" in fails("mount", "/proc", "-b", m.bootstrap)
        assert not {str(m.where), str(wrong.where)} & set(mounts())
        (m.folder / "file").unlink()
    finally:
        m.__exit__(None)
        wrong.__exit__(None)
