"""Live queries on a terminal: groups drawn in place, rows that append, Ctrl-C, views that are kept up to date while nobody types."""
import re
import time

from machine import Stopwatch
from pty_weir import Terminal

DEMO = ("demo", "--seed", "1", "--no-rc")


def rows_of(t, word):
    """The numbers of the whole rows that begin with `word`."""
    return [int(m[1]) for line in t.screen if (m := re.match(rf"│ {word} *│ *(\d+) │", line))]


def await_screen(t, holds, seconds=15):
    """Reads until the screen is as asked. A frame reaches the terminal in pieces, so one look may show half of one."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, t.screen
        t.read(0.05)


def test_groups_are_drawn_in_place():
    with Terminal(*DEMO, columns=100, rows=30) as t:
        t.wait("\\q leaves")
        t.line('SELECT line, count(*) AS n FROM "plant.sensors" GROUP BY line EMIT CHANGES;')
        t.wait("Ctrl-C ends", 20)
        await_screen(t, lambda: rows_of(t, "line1") and rows_of(t, "utilities"))   # groups come as the plant sends them

        n = rows_of(t, "line1")[0]
        await_screen(t, lambda: any(more > n for more in rows_of(t, "line1")))
        # One table, however often it was drawn.
        await_screen(t, lambda: sum("┌" in line for line in t.screen) == 1 and any("rows in" in line for line in t.screen))
        assert len(rows_of(t, "line1")) <= 1 and "┌" not in "".join(t.scrolled), t.text
        watch = Stopwatch()
        t.child.sendintr()
        t.wait("interrupted")
        assert watch.took() < 1
        t.line("select 41 + 1;")
        t.wait("42")


def test_rows_append_and_end():
    with Terminal(*DEMO, columns=100, rows=30) as t:
        t.wait("\\q leaves")
        t.line('SELECT tag, value FROM "plant.sensors" EMIT CHANGES LIMIT 3;')
        t.wait("(3 rows)", 20)
        assert sum("│ line" in line or "│ util" in line for line in t.screen) == 3


def test_a_view_goes_on_at_the_prompt():
    with Terminal(*DEMO, columns=110, rows=30) as t:
        t.wait("\\q leaves")
        t.line("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM \"plant.sensors\";")
        time.sleep(4)
        t.line("\\pset footer off")
        # Read without naming the view, which would bring it up to date by itself.
        t.line("SELECT iif(rows_in > 50000, 'view went on', 'view ' || 'stands still') AS said FROM weir_queries;")
        t.wait("│ view went on", 10)
        t.line("SELECT n > 50000 AS many FROM v;")
        t.wait("│    1 │")
