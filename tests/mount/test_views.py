"""@view: files that grow with live views."""
import json
import os
import subprocess

from mounted import Mounted
from net import wait_until
from test_live import Reader

SETUP = """
create stream {s} (n integer, what text from '$.s') with (topic = '{t}', format = 'json');
create view errors as select _partition as p, n, _ts from {s} where what = 'ERROR';
create view "per 10 s" as select window_start, what, count(*) as n from tumble({s}, size => '10s') group by window_start, what;
create view big as select window_start, n from "per 10 s" where n > 1 and what = 'ok';
create view counts as select _partition as p, count(*) as n from {s} group by 1;
create view sorted as select n from {s} order by n desc;
create view no_topic as select 1 as one;
create materialized view minutes as select window_start, count(*) as n from tumble({s}, size => '1m') group by window_start emit final;
"""


def rows(mount, name):
    return [json.loads(line) for line in mount.run(f"cat $M/@view/{name}.ndjson").ok().text.splitlines()]


def test_views_grow(cluster):
    topic = cluster.topic()
    cluster.fill(topic, 0, 3000)                     # 30 s of event time in each of 2 partitions
    with Mounted(cluster.bootstrap, "since=beginning", "-c", SETUP.format(s="lines", t=topic)) as m:
        wait_until(lambda: os.path.exists(m.path("@view")), 10, "@view")
        assert m.run("ls $M/@view").ok().text.split() == ["big.ndjson", "counts.ndjson", "errors.ndjson", "minutes.ndjson", "per%2010%20s.ndjson"]
        assert not os.path.exists(m.path("@view/sorted.ndjson")) and not os.path.exists(m.path("@view/no_topic.ndjson"))
        # The first open has all there is.
        assert sorted((r["p"], r["n"]) for r in rows(m, "errors")) == [(p, n) for p in (0, 1) for n in (0, 1000, 2000)]
        last = {}
        for r in rows(m, "counts"):
            assert r["n"] == last.get(r["p"], 0) + 1     # each change is a line
            last[r["p"]] = r["n"]
        assert last == {0: 3000, 1: 3000}
        windows = rows(m, "per%2010%20s")
        assert [(r["what"], r["n"]) for r in windows] == [("ERROR", 2), ("ok", 1998)] * 2        # the third is still open
        assert [r["n"] for r in rows(m, "big")] == [1998, 1998]
        assert rows(m, "minutes") == []
        assert m.run("tail -n 1 $M/@view/errors.csv").ok().text.split(",")[1] == "2000"
        # What comes later is added to files that are open, and to those that wait.
        tail, follow = Reader(m, "tail -n 0 -s 0.1 -f $M/@view/errors.ndjson"), Reader(m, "head -n 3 $M/@view/big.follow")
        wait_until(lambda: tail.has_open("@view/errors.ndjson") and follow.has_open("@view/big.follow"), 10, "both to be open")
        cluster.fill(topic, 3000, 7001)
        got = [json.loads(line) for line in tail.until(2 * 5).splitlines()]
        assert sorted((r["p"], r["n"]) for r in got) == [(p, n) for p in (0, 1) for n in range(3000, 8000, 1000)]
        assert [json.loads(line)["n"] for line in follow.until(3).splitlines()] == [1998] * 3
        tail.end()
        follow.end()
        assert m.run("wc -l < $M/@view/errors.ndjson").ok().text.strip() == "16"
        assert [r["n"] for r in rows(m, "minutes")] == [8000]           # T0 is 20 s into its minute
        assert "live" in m.run("grep -F @view $M/@README").ok().text


def test_a_view_that_fails_and_comes_back(kafka_cluster):
    topic = kafka_cluster.topic()
    kafka_cluster.fill(topic, 0, 10)
    with Mounted(kafka_cluster.bootstrap, "since=beginning", "-c", SETUP.format(s="lines", t=topic)) as m:
        wait_until(lambda: os.path.exists(m.path("@view/errors.ndjson")), 10, "the view")
        assert len(rows(m, "errors")) == 2
        follow = subprocess.Popen(["cat", m.path("@view/errors.follow")], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: '"handles":1' in m.run("cat $M/@status").ok().text, 10, "the reader")
        kafka_cluster.kafka.delete_topic(topic)
        assert follow.wait(60) == 0 and follow.stdout.read() == ""
        assert "last_error" in m.run("head -1 $M/@status").ok().text


def test_no_views_no_folder(embedded_cluster):
    with Mounted(embedded_cluster.bootstrap, None, "-c", "create temp view one as select 1 as n") as m:
        wait_until(lambda: os.path.exists(m.path("@query")), 10, "@query")
        assert "@view" not in m.run("ls $M").ok().text and not os.path.exists(m.path("@view"))
