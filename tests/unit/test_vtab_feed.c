/* Feed tables: rows are what was pushed in, for as many steps of a prepared statement as come; what is dropped before decoding, what is counted
 * and how often; and that SQLite puts a feed into the outer loop whatever it is joined with. */
#include "support/vtab_fixture.h"
#include "codec/codec.h"
#include "vtab/feed.h"
#include "vtab/follow.h"
#include "vtab/table.h"

static struct feed_table *feed;

static struct stream *stream_of(const char *topic)
{
	struct stream *s = stream_create("events", topic);
	free(s->format);
	s->format = xstrdup("json");
	stream_add_column(s, "id", COLUMN_INTEGER, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "line", COLUMN_TEXT, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "v", COLUMN_REAL, COLUMN_FROM_VALUE, NULL);
	return s;
}

static void push(int32_t partition, int64_t first, int n)
{
	struct batch *b = batch_create(fake->pool, partition, 4096);
	for (int i = 0; i < n; i++) {
		char key[16], value[128];
		int64_t o = first + i;
		int k = snprintf(key, sizeof key, "k%d", (int)(o % 5));
		int len = snprintf(value, sizeof value, "{\"id\": %d, \"line\": \"L%d\", \"v\": %d.5}", (int)o, (int)(o % 4), (int)o);
		struct record meta = {.offset = o, .ts_ms = 1000 * o, .ts_type = TS_TYPE_CREATE, .size = (uint32_t)(k + len)};
		assert_true(batch_add(b, &meta, bytes_of(key, (size_t)k), bytes_of(value, (size_t)len), bytes_of(NULL, 0)));
	}
	batch_seal(b);
	feed_table_add(feed, b, 0, b->record_n);
	batch_unref(b);
}

static void push_value(const char *key, const char *value, bool too_large)
{
	struct batch *b = batch_create(fake->pool, 0, 4096);
	struct record meta = {.offset = (int64_t)feed_table_record_n(feed), .ts_ms = TIME_NONE, .size = 99, .too_large = too_large};
	assert_true(batch_add(b, &meta, bytes_str(key), bytes_str(value), bytes_of(NULL, 0)));
	batch_seal(b);
	feed_table_add(feed, b, 0, 1);
	batch_unref(b);
}

static int setup(void **state)
{
	if (fixture_open() != 0)
		return -1;
	struct err err = ERR_INIT;
	struct stream *s = stream_of("lines");
	bool ok = feed_table_create(db, "events", s, &feed, &err);
	stream_destroy(s);
	return ok ? 0 : -1;
}

static int teardown(void **state)
{
	feed_table_destroy(feed);
	return fixture_close(state);
}

static void test_rows(void **state)
{
	expect("SELECT count(*) FROM events", "0");
	push(1, 10, 3);
	push(0, 7, 2);
	expect("SELECT _partition, _offset, id, line, v, _key, _ts FROM events", "1|10|10|L2|10.5|k0|10000 1|11|11|L3|11.5|k1|11000 1|12|12|L0|12.5|k2|12000 0|7|7|L3|7.5|k2|7000 0|8|8|L0|8.5|k3|8000");
	expect("SELECT _topic, _time, _ts_type, _value, _headers, _size, _schema_id, _error, _index, ROWTIME, ROWPARTITION, ROWOFFSET, rowid FROM events WHERE rowid = 7",
		"lines|1970-01-01T00:00:07.000Z|create|{\"id\": 7, \"line\": \"L3\", \"v\": 7.5}|[]|35|NULL|NULL|0|7000|0|7|7");
	expect("SELECT a.id, b.id FROM events a JOIN events b ON a.id = b.id + 1", "11|10 12|11 8|7");
	/* Constraints that ranges answer for a topic. */
	expect("SELECT id FROM events WHERE _partition = 0", "7 8");
	expect("SELECT id FROM events WHERE _partition IN (1, 5) AND _offset > 10", "11 12");
	expect("SELECT id FROM events WHERE _offset IN (8, 12) AND rowid < 1000", "8");
	expect("SELECT id FROM events WHERE _ts >= 11000", "11 12");
	expect("SELECT id FROM events WHERE _ts IN (7000, 12000)", "12 7");
	expect("SELECT id FROM events WHERE _time < '1970-01-01T00:00:08'", "7");
	expect("SELECT id FROM events WHERE _key IN ('k2', 'k0')", "10 12 7");
	expect("SELECT id FROM events WHERE _partition = NULL", "");
	/* Orders that a topic claims are SQLite's here. */
	expect("SELECT id FROM events ORDER BY _partition DESC, _offset DESC", "12 11 10 8 7");
	expect("SELECT id FROM events ORDER BY rowid LIMIT 2", "7 8");
	expect("SELECT id FROM events ORDER BY _ts DESC LIMIT 1 OFFSET 1", "11");
	expect("SELECT max(_offset) FROM events", "12");
	expect_error("SELECT id FROM events WHERE _ts > '2026-01-01'", ERR_TYPE, "compared with the text");
	feed_table_clear(feed);
	expect("SELECT count(*) FROM events", "0");
	assert_int_equal(fake->open_n, 0);
	assert_int_equal(fake->bounds_n, 0);
}

static void test_pieces(void **state)
{
	struct batch *b = batch_create(fake->pool, 3, 4096);
	for (int i = 0; i < 10; i++) {
		struct record meta = {.offset = i, .ts_ms = i};
		batch_add(b, &meta, bytes_of(NULL, 0), bytes_str("{}"), bytes_of(NULL, 0));
	}
	batch_seal(b);
	feed_table_add(feed, b, 8, 10);
	feed_table_add(feed, b, 4, 4);
	feed_table_add(feed, b, 0, 2);
	batch_unref(b);
	assert_int_equal(feed_table_record_n(feed), 4);
	expect("SELECT _offset FROM events", "8 9 0 1");
	feed_table_clear(feed);
}

/* One prepared statement over many chunks; the decoder is made once. */
static void test_steps(void **state)
{
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT sum(v), sum(_value ->> '$.id'), count(*) FROM events WHERE line = 'L1'", -1, &stmt, NULL), SQLITE_OK);
	struct module *m = module_of(db);
	assert_non_null(m);
	uint64_t cursors_and_decoders = 0;
	for (int i = 0; i < 20; i++) {
		push(0, i * 100, 100);
		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		int64_t ids = 25 * (100 * i + 49);
		assert_int_equal(sqlite3_column_int64(stmt, 1), ids);
		assert_true(sqlite3_column_double(stmt, 0) == (double)ids + 12.5);
		assert_int_equal(sqlite3_column_int64(stmt, 2), 25);
		assert_int_equal(sqlite3_reset(stmt), SQLITE_OK);
		feed_table_clear(feed);
		if (i == 0)
			cursors_and_decoders = m->cursor_id;
	}
	/* Cursors are counted with decoders: one each step, and no further decoder. */
	assert_int_equal(m->cursor_id - cursors_and_decoders, 19);
	sqlite3_finalize(stmt);
}

static void test_filters(void **state)
{
	push(0, 0, 100);
	expect("SELECT count(*) FROM events WHERE line = 'L1'", "25");
	assert_int_equal(fake->provider.stats.outside_n, 75);
	assert_int_equal(fake->provider.stats.row_n, 25);
	expect("SELECT count(*) FROM events WHERE line LIKE 'l1%'", "25");
	assert_int_equal(fake->provider.stats.outside_n, 75);
	expect("SELECT count(*) FROM events WHERE id >= 90", "10");
	assert_int_equal(fake->provider.stats.row_n, 10);
	expect("SELECT count(*) FROM events WHERE _key = 'k1' AND id < 50 AND line = 'L1'", "3");
	assert_int_equal(fake->provider.stats.outside_n, 95);
	feed_table_clear(feed);
}

static void test_trouble_is_counted_once(void **state)
{
	push_value("a", "{\"id\": 1}", false);
	push_value("b", "{\"id\": ", false);
	push_value("c", NULL, true);
	push_value("d", NULL, false);
	fake->bad_n = 0;
	expect("SELECT _key, id, substr(_error, 1, 9) FROM events", "a|1|NULL b|NULL|JSON: une c|NULL|a message d|NULL|NULL");
	assert_int_equal(fake->provider.stats.decode_error_n, 1);
	assert_int_equal(fake->provider.stats.too_large_n, 1);
	assert_int_equal(fake->bad_n, 2);
	/* A second statement over the same chunk, and the inner loop of a join, say nothing new. */
	expect("SELECT count(id) FROM events", "1");
	expect("SELECT count(a.id) FROM events a, events b WHERE b.id IS NULL", "3");
	assert_int_equal(fake->bad_n, 2);
	feed_table_clear(feed);
	push_value("b", "{\"id\": ", false);
	expect("SELECT id FROM events a, events b", "error: ambiguous column name: id");
	expect("SELECT a.id FROM events a, events b", "NULL");
	assert_int_equal(fake->bad_n, 3);
	fake->provider.strict = true;
	expect_error("SELECT id FROM events", ERR_DECODE, "lines partition 0 offset 0");
	fake->provider.strict = false;
	feed_table_clear(feed);
}

static void test_explode(void **state)
{
	struct err err = ERR_INIT;
	struct stream *s = stream_create("x", "lists");
	free(s->format);
	s->format = xstrdup("json");
	s->explode = xstrdup("$.values[*]");
	stream_add_column(s, "n", COLUMN_INTEGER, COLUMN_FROM_VALUE, "@");
	struct feed_table *events = feed;
	assert_true(feed_table_create(db, "it's \"x\"", s, &feed, &err));
	stream_destroy(s);
	push_value("a", "{\"values\": [5, 6, 7]}", false);
	push_value("b", "{\"values\": [8]}", false);
	expect("SELECT _key, _index, n FROM \"it's \"\"x\"\"\"", "a|0|5 a|1|6 a|2|7 b|0|8");
	expect("SELECT count(*) FROM \"it's \"\"x\"\"\" WHERE n >= 6", "3");
	feed_table_destroy(feed);
	feed = events;
	expect("SELECT * FROM \"it's \"\"x\"\"\"", "error: no such table: it's \"x\"");
}

/* The table that EXPLAIN QUERY PLAN names first. */
static void expect_outer(const char *sql, const char *table)
{
	char text[512], want[80];
	snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sql);
	char *plan = query(text);
	snprintf(want, sizeof want, "SCAN %s", table);
	const char *first = strstr(plan, "SCAN ");
	const char *search = strstr(plan, "SEARCH ");
	if (!first || strncmp(first, want, strlen(want)) != 0 || (search && search < first))
		fail_msg("%s\n  %s is not the outer loop: %s", sql, table, plan);
	free(plan);
}

static void test_outer_loop(void **state)
{
	fake_topic_add(fake, "machines", 2);
	for (int i = 0; i < 30; i++) {
		char key[16];
		snprintf(key, sizeof key, "k%d", i);
		fake_add(&fake->topics[0], i % 2, -1, 1000, key, "{\"vendor\": \"KUKA\", \"line\": \"L1\"}");
	}
	run("CREATE VIRTUAL TABLE machines USING kafka('machines', format = 'json', machine TEXT PRIMARY KEY, vendor TEXT, line TEXT)");
	run("CREATE VIRTUAL TABLE lines USING kafka('machines', format = 'json', vendor TEXT, line TEXT)");
	run("CREATE TABLE plain (line TEXT, boss TEXT)");
	run("CREATE TABLE keyed (line TEXT PRIMARY KEY, boss TEXT) WITHOUT ROWID");
	run("CREATE TABLE small (line TEXT, n INTEGER)");
	run("CREATE INDEX keyed_boss ON keyed (boss)");
	run("INSERT INTO keyed VALUES ('L1', 'Anna'), ('L2', 'Bert')");
	run("INSERT INTO plain SELECT * FROM keyed");
	run("INSERT INTO small VALUES ('L1', 1), ('L2', 2), ('L3', 3)");
	run("ANALYZE");
	static const char *const joins[] = {
		"SELECT * FROM events e JOIN plain USING (line)", "SELECT * FROM plain JOIN events e USING (line)",
		"SELECT * FROM keyed JOIN events e USING (line)", "SELECT * FROM keyed JOIN events e USING (line) WHERE boss > 'A'",
		"SELECT * FROM small s JOIN events e ON s.n < e.id", "SELECT * FROM small s, events e",
		"SELECT * FROM machines m JOIN events e ON e._key = m.machine", "SELECT * FROM machines m JOIN events e ON e.line = m.line",
		"SELECT * FROM machines m JOIN events e ON e._key = m._key WHERE m.vendor = 'KUKA'", "SELECT * FROM lines m JOIN events e ON e._key = m._key",
		"SELECT m.vendor, count(*) FROM machines m JOIN plain USING (line) JOIN events e ON e._key = m.machine GROUP BY m.vendor",
		"SELECT * FROM machines m JOIN events e ON e._key = m.machine ORDER BY m.machine",
	};
	for (int loaded = 0; loaded < 2; loaded++) {
		for (size_t i = 0; i < sizeof joins / sizeof *joins; i++)
			expect_outer(joins[i], "e ");
		expect("SELECT count(*) FROM machines", "30");
	}
	push(0, 0, 20);
	expect("SELECT e.id, boss FROM keyed JOIN events e USING (line) WHERE e.id < 3", "1|Anna 2|Bert");
	expect("SELECT count(*) FROM machines m JOIN events e ON e._key = m.machine", "20");
	expect("SELECT count(*) FROM plain LEFT JOIN events e USING (line)", "10");
	feed_table_clear(feed);
}

/* SQLite drops what it knows of the schema and connects the table again. */
static void test_connected_again(void **state)
{
	push(0, 5, 1);
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT id FROM events", -1, &stmt, NULL), SQLITE_OK);
	run("VACUUM");
	run("CREATE TABLE again (x)");
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(stmt, 0), 5);
	sqlite3_finalize(stmt);
	expect("CREATE VIRTUAL TABLE temp.mine USING kafka_feed", "error: \"mine\" is no feed: a live query makes its own");
	struct err err = ERR_INIT;
	struct stream *s = stream_of("lines");
	struct feed_table *second = NULL;
	assert_false(feed_table_create(db, "events", s, &second, &err));
	assert_int_equal(err.id, ERR_OPTION);
	assert_non_null(strstr(err.msg, "already exists"));
	free(s->format);
	s->format = xstrdup("auto");
	err_clear(&err);
	assert_false(feed_table_create(db, "other", s, &second, &err));
	stream_destroy(s);
	expect("SELECT id FROM events", "5");
	feed_table_clear(feed);
}

/* One poll ends after a while, however much is left. -> the updates applied */
static size_t poll_all(void)
{
	struct err err = ERR_INIT;
	size_t sum = 0, applied;
	do {
		if (!vtab_changelog_poll(db, 0, &applied, &err))
			fail_msg("%s", err.msg);
		sum += applied;
	} while (applied > 0);
	return sum;
}

/* Updates are seen by the steps after them; nothing is loaded again. */
static void test_followed_table(void **state)
{
	struct fake_topic *t = fake_topic_add(fake, "plants", 2);
	struct err err = ERR_INIT;
	struct follow *f = NULL, *again = NULL;
	for (int i = 0; i < 40; i++) {
		char key[16];
		snprintf(key, sizeof key, "k%d", i % 20);
		fake_add(t, i % 2, -1, 1000 + i, key, i < 20 ? "{\"vendor\": \"old\"}" : "{\"vendor\": \"KUKA\"}");
	}
	run("CREATE VIRTUAL TABLE plants USING kafka('plants', format = 'json', plant TEXT PRIMARY KEY, vendor TEXT)");
	assert_false(vtab_changelog_follow(db, "events", &f, &err));
	assert_int_equal(err.id, ERR_OPTION);
	err_clear(&err);
	assert_true(vtab_changelog_follow(db, "plants", &f, &err));
	assert_true(vtab_changelog_follow(db, "Plants", &again, &err));
	assert_ptr_equal(f, again);
	vtab_changelog_unfollow(again);
	int64_t read = 40;
	size_t applied = 7;
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT p.vendor FROM events e LEFT JOIN plants p ON p.plant = e._key", -1, &stmt, NULL), SQLITE_OK);
	static const struct {
		const char *key, *value, *seen;          /* key NULL: no change */
	} steps[] = {{NULL, NULL, "KUKA"}, {"k0", "{\"vendor\": \"ABB\"}", "ABB"}, {"k0", NULL, NULL}, {"k1", "{}", NULL}, {"k0", "{\"vendor\": \"new\"}", "new"}};
	int64_t opens = fake->open_n;
	fake->provider.stats = (struct scan_stats){0};
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (steps[i].key) {
			fake_add(t, 0, -1, 5000 + (int64_t)i, steps[i].key, steps[i].value);
			read++;
		}
		fake->provider.statement_n++;            /* other statements come and go */
		assert_true(vtab_changelog_poll(db, 0, &applied, &err));
		assert_int_equal(applied, steps[i].key != NULL);
		push_value("k0", "{}", false);
		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		const char *vendor = (const char *)sqlite3_column_text(stmt, 0);
		assert_true(vendor ? steps[i].seen && strcmp(vendor, steps[i].seen) == 0 : !steps[i].seen);
		/* A table in use waits. */
		fake_add(t, 1, -1, 6000, "other", "{}");
		assert_true(vtab_changelog_poll(db, 0, &applied, &err));
		assert_int_equal(applied, 0);
		assert_int_equal(sqlite3_reset(stmt), SQLITE_OK);
		assert_true(vtab_changelog_poll(db, 0, &applied, &err));
		feed_table_clear(feed);
		read++;
	}
	sqlite3_finalize(stmt);
	assert_int_equal(fake->provider.stats.message_n, read - 40);
	assert_int_equal(fake->open_n, opens);
	expect("SELECT count(*), count(vendor) FROM plants", "21|19");
	assert_int_equal(fake->open_n, 0);
	/* Much churn: every key stays findable. */
	uint32_t x = 7;
	bool alive[300] = {false};
	for (int i = 0; i < 20000; i++) {
		char key[16];
		x = x * 1664525 + 1013904223;
		int k = (int)(x >> 16) % 300;
		alive[k] = x >> 8 & 1;
		snprintf(key, sizeof key, "churn%d", k);
		fake_add(t, k % 2, -1, 9000 + i, key, alive[k] ? "{\"vendor\": \"x\"}" : NULL);
	}
	assert_int_equal(poll_all(), 20000);
	int n = 21;
	for (int k = 0; k < 300; k++) {
		char sql[80];
		snprintf(sql, sizeof sql, "SELECT count(*) FROM plants WHERE plant = 'churn%d'", k);
		expect(sql, alive[k] ? "1" : "0");
		n += alive[k];
	}
	char count[16];
	snprintf(count, sizeof count, "%d", n);
	expect("SELECT count(*) FROM plants", count);
	/* A bad value is told once, not at each step. */
	fake_add(t, 0, -1, 99999, "k5", "{\"vendor\": ");
	assert_true(vtab_changelog_poll(db, 0, &applied, &err));
	int64_t bad = fake->bad_n;
	expect("SELECT vendor FROM plants WHERE plant = 'k5'", "NULL");
	expect("SELECT vendor FROM plants WHERE plant = 'k5'", "NULL");
	assert_int_equal(fake->bad_n, bad + 1);
	fake->fail_after = 1;
	fake_add(t, 0, -1, 99999, "k5", "{}");
	assert_false(vtab_changelog_poll(db, 0, &applied, &err));
	assert_int_equal(err.id, ERR_BROKER);
	assert_null(vtab_changelog_source(f));
	err_clear(&err);
	assert_false(vtab_changelog_poll(db, 0, &applied, &err));
	fake->fail_after = 0;
	vtab_changelog_unfollow(f);
	expect("SELECT count(*) FROM plants", count);
	assert_int_equal(fake->open_n, 1);
}

/* FOR SYSTEM_TIME AS OF. */
static void test_versions(void **state)
{
	struct fake_topic *t = fake_topic_add(fake, "rates", 2);
	struct err err = ERR_INIT;
	struct follow *f = NULL;
	size_t applied = 0;
	fake_add(t, 0, -1, 1000, "EUR", "{\"rate\": 1.0}");
	fake_add(t, 1, -1, 1000, "USD", "{\"rate\": 5.0}");
	fake_add(t, 0, -1, 3000, "EUR", "{\"rate\": 3.0}");
	fake_add(t, 0, -1, 2000, "EUR", "{\"rate\": 2.0}");          /* late */
	fake_add(t, 1, -1, 4000, "USD", NULL);
	run("CREATE VIRTUAL TABLE rates USING kafka('rates', format = 'json', currency TEXT PRIMARY KEY, rate REAL)");
	assert_false(vtab_changelog_versions(db, "events", "versions", &f, &err));
	err_clear(&err);
	assert_false(vtab_changelog_versions(db, "rates", "events", &f, &err));
	assert_non_null(strstr(err.msg, "already exists"));
	err_clear(&err);
	assert_true(vtab_changelog_versions(db, "rates", "versions", &f, &err));
	run("CREATE TABLE times (t)");
	run("INSERT INTO times VALUES (999), (1000), (2500), (3000.7), (4000), (9000), (NULL)");
	expect("SELECT t, r.currency, r.rate FROM times LEFT JOIN temp.versions r ON r._as_of = t AND r.currency = 'EUR'", "999|NULL|NULL 1000|EUR|1.0 2500|EUR|2.0 3000.7|EUR|3.0 4000|EUR|3.0 9000|EUR|3.0 NULL|NULL|NULL");
	expect("SELECT t, currency, rate FROM times JOIN temp.versions ON _as_of = t ORDER BY t, currency", "1000|EUR|1.0 1000|USD|5.0 2500|EUR|2.0 2500|USD|5.0 3000.7|EUR|3.0 3000.7|USD|5.0 4000|EUR|3.0 9000|EUR|3.0");
	expect("SELECT currency, _as_of, _ts FROM temp.versions WHERE _as_of = 3500 AND _key IN ('EUR', 'USD', 'CHF') ORDER BY 1", "EUR|3500|3000 USD|3500|1000");
	expect("SELECT * FROM temp.versions WHERE _as_of = 2500 AND rate > 3", "USD|5.0");
	expect_error("SELECT * FROM temp.versions WHERE _as_of = '2026-01-01'", ERR_TYPE, "compared with the text");
	err_clear(&fake->provider.last_error);
	char *got = query("SELECT * FROM temp.versions");
	assert_non_null(strstr(got, "error: no query solution"));
	free(got);
	/* The plain table is what it was, followed or not. */
	expect("SELECT currency, rate FROM rates", "EUR|2.0");
	push(0, 2, 3);                                /* times 2000, 3000, 4000 */
	const char *join = "SELECT e.id, r.rate FROM temp.versions r JOIN events e ON r._as_of = e._ts AND r.currency = 'USD'";
	expect_outer(join, "e ");
	expect(join, "2|5.0 3|5.0");
	fake_add(t, 1, -1, 3500, "USD", "{\"rate\": 6.0}");
	fake_add(t, 1, -1, 4000, "USD", "{\"rate\": 7.0}");
	fake_add(t, 1, -1, 100, "USD", "{\"rate\": 4.0}");
	assert_true(vtab_changelog_poll(db, 0, &applied, &err));
	assert_int_equal(applied, 3);
	expect(join, "2|5.0 3|5.0 4|7.0");
	expect("SELECT rate FROM temp.versions WHERE _as_of = 3999 AND currency = 'USD'", "6.0");
	expect("SELECT rate FROM temp.versions WHERE _as_of = 999 AND currency = 'USD'", "4.0");
	feed_table_clear(feed);
	/* Against the definition, with many keys and values. */
	enum { KEYS = 150, TIMES = 40 };
	static int value[KEYS][TIMES];                /* 0 none yet, -1 a tombstone */
	uint32_t x = 3;
	for (int i = 1; i < 8000; i++) {
		char key[16], text[32];
		x = x * 1664525 + 1013904223;
		int k = (int)(x >> 9) % KEYS, at = (int)(x >> 17) % TIMES;
		bool gone = (x >> 25) % 5 == 0;
		snprintf(key, sizeof key, "p%d", k);
		snprintf(text, sizeof text, "{\"rate\": %d}", i);
		fake_add(t, k % 2, -1, 10000 + at, key, gone ? NULL : text);
		value[k][at] = gone ? -1 : i;
	}
	assert_int_equal(poll_all(), 7999);
	for (int i = 0; i < 1500; i++) {
		char sql[128], want[16] = "";
		x = x * 1664525 + 1013904223;
		int k = (int)(x >> 9) % KEYS, at = (int)(x >> 17) % TIMES, last = at;
		while (last >= 0 && value[k][last] == 0)
			last--;
		if (last >= 0 && value[k][last] > 0)
			snprintf(want, sizeof want, "%d", value[k][last]);
		snprintf(sql, sizeof sql, "SELECT CAST(rate AS INTEGER) FROM temp.versions WHERE _as_of = %d AND currency = 'p%d'", 10000 + at, k);
		expect(sql, want);
	}
	vtab_changelog_unfollow(f);
	expect("SELECT * FROM temp.versions WHERE _as_of = 1", "error: no such table: temp.versions");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_trouble_is_counted_once),
		cmocka_unit_test(test_explode),
		cmocka_unit_test(test_outer_loop),
		cmocka_unit_test(test_followed_table),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_connected_again),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
