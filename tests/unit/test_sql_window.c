/* Which windows a row falls into: the grids against their definition, days across clock changes, and the windows that follow rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/zone.h"
#include "sql/window.h"

enum { MINUTE = 60000, HOUR = 3600000, DAY = 86400000 };

/* select * from <call>: the window it says. */
static struct window_spec spec(const char *call)
{
	struct buf sql = BUF_INIT;
	struct select s = {0};
	struct window_spec w = {0};
	struct span table;
	struct err err = ERR_INIT;
	bool is = false;
	buf_addf(&sql, "select * from %s", call);
	assert_true(select_parse(sql.data, 0, sql.len, &s));
	if (!window_from_call(sql.data, &s.from[0], &is, &w, &table, &err) || !is)
		fail_msg("%s: %s", call, err.msg);
	select_finish(&s);
	buf_finish(&sql);
	return w;
}

static void refused(const char *call)
{
	struct buf sql = BUF_INIT;
	struct select s = {0};
	struct window_spec w = {0};
	struct span table;
	struct err err = ERR_INIT;
	bool is = false;
	buf_addf(&sql, "select * from %s", call);
	assert_true(select_parse(sql.data, 0, sql.len, &s));
	if (window_from_call(sql.data, &s.from[0], &is, &w, &table, &err))
		fail_msg("%s was taken", call);
	assert_int_equal(err.id, ERR_SQL);
	window_spec_finish(&w);
	err_clear(&err);
	select_finish(&s);
	buf_finish(&sql);
}

static int64_t at(int64_t year, int month, int day, int hour, int minute)
{
	return civil_days(year, month, day) * DAY + hour * (int64_t)HOUR + minute * (int64_t)MINUTE;
}

static void assert_windows(const char *call, int64_t ts, size_t n, int64_t (*want)[2])
{
	struct window_spec w = spec(call);
	struct window_bounds b[64];
	size_t got = 64;
	assert_true(window_assign(&w, ts, b, &got));
	assert_int_equal(got, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(b[i].start_ms, want[i][0]);
		assert_int_equal(b[i].end_ms, want[i][1]);
	}
	window_spec_finish(&w);
}

static void test_grids(void **state)
{
	(void)state;
	assert_windows("tumble(t, size => '10s')", 12345, 1, (int64_t[][2]){{10000, 20000}});
	assert_windows("tumble(t, size => '10s')", 20000, 1, (int64_t[][2]){{20000, 30000}});
	assert_windows("tumble(t, size => '10s')", -1, 1, (int64_t[][2]){{-10000, 0}});
	assert_windows("hop(t, size => '1m', slide => '20s')", 65000, 3, (int64_t[][2]){{20000, 80000}, {40000, 100000}, {60000, 120000}});
	assert_windows("cumulate(t, step => '20s', size => '1m')", 65000, 3, (int64_t[][2]){{60000, 80000}, {60000, 100000}, {60000, 120000}});
	assert_windows("cumulate(t, step => '20s', size => '1m')", 45000, 1, (int64_t[][2]){{0, 60000}});
}

/* A window of the grid holds the row, its neighbours do not overlap (tumble), and each row is in size/slide windows (hop). */
static void test_grid_laws(void **state)
{
	struct window_spec t = spec("tumble(t, size => '7s')"), h = spec("hop(t, size => '21s', slide => '7s')");
	(void)state;
	for (int64_t ts = -100000; ts < 100000; ts += 333) {
		struct window_bounds b[8], next;
		size_t n = 8;
		assert_true(window_assign(&t, ts, b, &n));
		assert_int_equal(n, 1);
		assert_true(b[0].start_ms <= ts && ts < b[0].end_ms && b[0].end_ms - b[0].start_ms == 7000);
		next = window_next(&t, b[0]);
		assert_int_equal(next.start_ms, b[0].end_ms);
		n = 8;
		assert_true(window_assign(&h, ts, b, &n));
		assert_int_equal(n, 3);
		for (size_t i = 0; i < n; i++)
			assert_true(b[i].start_ms <= ts && ts < b[i].end_ms && b[i].end_ms - b[i].start_ms == 21000);
	}
	size_t n = 8;
	struct window_bounds b[8];
	assert_true(window_assign(&t, INT64_MAX - 5, b, &n));
	assert_int_equal(n, 0);                  /* no bounds in 64 bits */
	n = 1;
	assert_false(window_assign(&h, 0, b, &n));
	window_spec_finish(&t);
	window_spec_finish(&h);
}

static void test_days(void **state)
{
	(void)state;
	/* Berlin: midnight is 23:00Z in winter, 22:00Z in summer. */
	assert_windows("tumble(t, size => '1 day', tz => 'Europe/Berlin')", at(2026, 3, 29, 12, 0), 1, (int64_t[][2]){{at(2026, 3, 28, 23, 0), at(2026, 3, 29, 22, 0)}});        /* 23 h */
	assert_windows("tumble(t, size => '1 day', tz => 'Europe/Berlin')", at(2026, 10, 25, 12, 0), 1, (int64_t[][2]){{at(2026, 10, 24, 22, 0), at(2026, 10, 25, 23, 0)}});     /* 25 h */
	assert_windows("tumble(t, size => '1 month')", at(2028, 2, 29, 23, 59), 1, (int64_t[][2]){{at(2028, 2, 1, 0, 0), at(2028, 3, 1, 0, 0)}});
	assert_windows("tumble(t, size => '1 week')", at(2026, 11, 26, 1, 0), 1, (int64_t[][2]){{at(2026, 11, 23, 0, 0), at(2026, 11, 30, 0, 0)}});                              /* Monday */
	assert_windows("tumble(t, size => '1 year', tz => 'America/New_York')", at(2026, 1, 1, 4, 59), 1, (int64_t[][2]){{at(2025, 1, 1, 5, 0), at(2026, 1, 1, 5, 0)}});
	assert_windows("TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '7' DAYS))", at(2026, 11, 26, 1, 0), 1, (int64_t[][2]){{at(2026, 11, 26, 0, 0), at(2026, 12, 3, 0, 0)}});    /* Thursday, as Flink */
	/* Each day follows the one before, over two years with four changes. */
	struct window_spec w = spec("tumble(t, size => '1 day', tz => 'Europe/Berlin')");
	struct window_bounds b[1];
	size_t n = 1;
	int hours[26] = {0};
	assert_true(window_assign(&w, at(2026, 1, 1, 12, 0), b, &n));
	for (int i = 0; i < 730; i++) {
		struct window_bounds next = window_next(&w, b[0]), again[1];
		n = 1;
		assert_int_equal(next.start_ms, b[0].end_ms);
		assert_true(window_assign(&w, next.start_ms, again, &n));
		assert_memory_equal(&again[0], &next, sizeof next);
		hours[(next.end_ms - next.start_ms) / HOUR]++;
		b[0] = next;
	}
	assert_int_equal(hours[23], 2);
	assert_int_equal(hours[25], 2);
	assert_int_equal(hours[24], 726);
	window_spec_finish(&w);
}

/* weir_windows(text, ts) must mean the same window. */
static void test_text(void **state)
{
	static const char *const calls[] = {"tumble(t, size => '10s')", "hop(t, size => '1h', slide => '5m')", "cumulate(t, step => '1m', size => '1h')", "tumble(t, size => '1 month', tz => 'Europe/Berlin')",
	                                    "tumble(t, size => '1 week', origin => '2026-01-04')"};
	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct window_spec w = spec(calls[i]), again = {0};
		struct buf text = BUF_INIT;
		struct err err = ERR_INIT;
		window_to_text(&w, &text);
		if (!window_from_text(text.data, &again, &err))
			fail_msg("%s: %s", text.data, err.msg);
		for (int64_t ts = at(2026, 3, 1, 0, 0); ts < at(2026, 5, 1, 0, 0); ts += 7 * HOUR + 123) {
			struct window_bounds a[64], b[64];
			size_t n = 64, m = 64;
			assert_true(window_assign(&w, ts, a, &n) && window_assign(&again, ts, b, &m));
			assert_int_equal(n, m);
			assert_memory_equal(a, b, n * sizeof *a);
		}
		buf_finish(&text);
		window_spec_finish(&w);
		window_spec_finish(&again);
	}
}

static void test_refused(void **state)
{
	(void)state;
	refused("tumble(t)");
	refused("tumble(t, size => '0s')");
	refused("tumble(t, size => '-1s')");
	refused("tumble(t, size => 'soon')");
	refused("tumble(t, size => '1 day', tz => 'Mars/Olympus')");
	refused("tumble(t, size => '10s', sise => '1s')");
	refused("hop(t, size => '1m')");
	refused("hop(t, size => '40w', slide => '10ms')");
	refused("session(t)");
	refused("count_window(t, 0)");
}

static void test_session(void **state)
{
	struct window_spec w = spec("session(t, gap => '10s')");
	struct window_tracker t = {0};
	struct window_bounds closed;
	(void)state;
	assert_int_equal(tracker_step(&t, &w, &(struct window_row){.ts_ms = 1000}, &closed), TRACKER_IN);
	assert_int_equal(tracker_step(&t, &w, &(struct window_row){.ts_ms = 9000}, &closed), TRACKER_IN);
	assert_int_equal(tracker_advance(&t, &w, 18999, &closed), 0);
	unsigned effect = tracker_step(&t, &w, &(struct window_row){.ts_ms = 40000}, &closed);
	assert_int_equal(effect, TRACKER_IN | TRACKER_CLOSED_BEFORE);
	assert_int_equal(closed.start_ms, 1000);
	assert_int_equal(closed.end_ms, 9000);
	assert_int_equal(tracker_advance(&t, &w, INT64_MAX, &closed), TRACKER_CLOSED_BEFORE);
	assert_int_equal(closed.start_ms, 40000);
	assert_false(t.open);
	tracker_finish(&t);
	window_spec_finish(&w);
}

static void test_count(void **state)
{
	struct window_spec w = spec("count_window(t, 3)");
	struct window_tracker t = {0};
	struct window_bounds closed;
	int given = 0;
	(void)state;
	for (int i = 0; i < 10; i++)
		given += (tracker_step(&t, &w, &(struct window_row){.ts_ms = i}, &closed) & (TRACKER_CLOSED_AFTER | TRACKER_SHORT_AFTER)) == TRACKER_CLOSED_AFTER;
	assert_int_equal(given, 3);
	assert_true(tracker_advance(&t, &w, INT64_MAX, &closed) & TRACKER_SHORT);          /* one row of three */
	tracker_finish(&t);
	window_spec_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grids), cmocka_unit_test(test_grid_laws), cmocka_unit_test(test_days), cmocka_unit_test(test_text),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_session), cmocka_unit_test(test_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
