"""The other ways to a mount: \\mount at the prompt, and mount.weir, which mount(8) calls for a line of /etc/fstab."""
import os
import subprocess

import pytest

from mounted import can_mount, mounts, unmount
from weir import binary, clean_env, start

pytestmark = pytest.mark.skipif(not can_mount(), reason="/dev/fuse cannot be opened")


@pytest.fixture
def folder(tmp_path):
    where = tmp_path / "mnt"
    where.mkdir()
    yield where
    if str(where) in mounts():
        unmount(where)


def script(embedded_cluster, text, *args):
    p = start("-b", embedded_cluster.bootstrap, "--mode", "csv", *args, "-f", "-", stdin=subprocess.PIPE)
    out, err = p.communicate(text.encode(), timeout=60)
    return p.returncode, out.decode(), err.decode()


def test_the_sessions_catalogue_as_files(embedded_cluster, folder):
    """Streams, views and materialized views of the session are there; the mount goes with the session."""
    code, out, err = script(embedded_cluster, f"""
        create stream ev (p integer, what text from '$.s') from topic 't' with (format = 'json');
        create view per_partition as select p, count(*) as n from ev group by p;
        create materialized view errors as select p, count(*) as n from ev where what = 'ERROR' group by p;
        create view "of a 'name'" as select 1 as one;
        create view windows as select window_start, what, count(*) as n from tumble(ev, size => '10s') group by 1, 2;
        \\mount {folder} -o segment=5000
        \\! cat {folder}/@query/per_partition.csv {folder}/@query/errors.csv; cat {folder}/@query/of%20a%20%27name%27.ndjson; ls {folder}/t/log/0
        \\! for i in 1 2 3 4 5 6 7 8 9; do ls {folder}/@view >/dev/null 2>&1 && break; sleep 0.2; done; ls {folder}/@view
        \\! head -n 2 {folder}/t/log/0/00000000000000000000.rows.csv
        """)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[:4] + sorted(lines[4:6]) + lines[6:7] == ["p,n", "0,25000", "1,25000", "p,n", "0,25", "1,25", '{"one":1}']
    assert lines[7:12] == [f"{n:020}.ndjson" for n in range(0, 25000, 5000)]
    assert lines[12:15] == ["errors.ndjson", "per_partition.ndjson", "windows.ndjson"]
    assert lines[-2:] == ["p,what", "0,ERROR"]
    assert f"{folder} holds the topics as files" in err
    assert str(folder) not in mounts()


def test_umount_again_and_errors(embedded_cluster, folder):
    code, out, err = script(embedded_cluster, f"""
        \\mount {folder}/nowhere
        \\mount {folder}
        \\mount {folder}
        \\! ls {folder} | grep -c README
        \\umount
        \\! ls -A {folder} | wc -l
        \\umount
        \\mount {folder} -o nonsense=1
        \\mount
        """, "--keep-going")
    assert out.split() == ["1", "0"], (out, err)
    said = [line for line in err.splitlines() if "holds the topics" not in line]
    assert len(said) == 4, err
    assert "nowhere: No such file" in said[0] and "nothing was mounted" in said[1] and "nonsense" in said[2] and "\\mount DIR" in said[3]
    assert code != 0 and str(folder) not in mounts()


def test_fstab_helper(embedded_cluster, folder, tmp_path):
    helper = tmp_path / "mount.weir"
    helper.symlink_to(os.path.realpath(binary()))
    setup = tmp_path / "setup.sql"
    setup.write_text("create view one as select 1 as n;\n")

    def call(*args):
        return subprocess.run([str(helper), *args], env=clean_env({}), capture_output=True, text=True, timeout=30)

    assert call(embedded_cluster.bootstrap, str(folder), "-f", "-o", "rw").returncode == 0
    assert str(folder) not in mounts()
    done = call(embedded_cluster.bootstrap, str(folder), "-o", f"rw,nofail,_netdev,x-systemd.automount,segment=10000,setup={setup}")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(folder)) [:3] == ["@README", "@query", "@status"]
    assert (folder / "@query/one.csv").read_text() == "n\n1\n"
    assert len(os.listdir(folder / "t/log/0")) == 3
    unmount(folder)
    for args, word in (([], "SPEC"), ([embedded_cluster.bootstrap], "SPEC"), (["nobody", str(folder)], "nobody"), ([embedded_cluster.bootstrap, str(folder), "-o", "nonsense"], "nonsense"),
                       ([embedded_cluster.bootstrap, str(folder), "--what"], "--what")):
        done = call(*args)
        assert done.returncode != 0 and word in done.stderr and done.stderr.count("\n") <= 3, (args, done)
    assert str(folder) not in mounts()
