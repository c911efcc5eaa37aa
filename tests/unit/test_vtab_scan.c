/* Topic tables over a provider in memory: what is read for each pushdown, and that a few thousand random queries give the rows that the same data
 * gives when nothing is pushed down. */
#include "support/vtab_fixture.h"
#include "vtab/feed.h"
#include "vtab/table.h"

/* Three partitions of 100 records: partition p, offset o has ts 1000*o + p, key k<n>, and every tenth offset of partition 2 is missing. */
static int setup(void **state)
{
	if (fixture_open() != 0)
		return -1;
	struct fake_topic *t = fake_topic_add(fake, "lines", 3);
	for (int32_t p = 0; p < 3; p++) {
		for (int64_t o = 0; o < 100; o++) {
			if (p == 2 && o % 10 == 9)
				continue;
			char key[16], value[128];
			snprintf(key, sizeof key, "k%d", (int)(o % 5));
			snprintf(value, sizeof value, "{\"id\": %d, \"line\": \"L%d\", \"v\": %d.5}", (int)(p * 1000 + o), (int)(o % 4), (int)o);
			fake_add(t, p, o, 1000 * o + p, key, value);
		}
		t->partitions[p].end = 100;
	}
	run("CREATE VIRTUAL TABLE lines USING kafka('lines', format = 'json', id INTEGER, line TEXT, v REAL)");
	return 0;
}

static void test_full_scan(void **state)
{
	expect_read("SELECT count(*) FROM lines", "290", 290);
	assert_int_equal(fake->last_need, 0);
	assert_int_equal(fake->open_n, 1);
	expect_read("SELECT sum(id), sum(v) FROM lines", "294310|14455.0", 290);
	assert_int_equal(fake->last_need, SCAN_NEED_VALUE);
	expect("SELECT _topic, _partition, _offset, _ts, _time, _ts_type, _key, _value, _headers, _size, _schema_id, _error, _index, ROWTIME, ROWPARTITION, ROWOFFSET, rowid FROM lines WHERE rowid = 281474976710658",
		"lines|1|2|2001|1970-01-01T00:00:02.001Z|create|k2|{\"id\": 1002, \"line\": \"L2\", \"v\": 2.5}|[]|38|NULL|NULL|0|2001|1|2|281474976710658");
	expect("SELECT * FROM lines WHERE _partition = 0 AND _offset = 3", "3|L3|3.5");
}

static void test_offsets(void **state)
{
	expect_read("SELECT count(*) FROM lines WHERE _partition = 1", "100", 100);
	expect_read("SELECT count(*) FROM lines WHERE _partition IN (0, 2)", "190", 190);
	expect_read("SELECT count(*) FROM lines WHERE _partition = '1'", "100", 100);
	expect_read("SELECT count(*) FROM lines WHERE _partition = 'x'", "0", 0);
	expect_read("SELECT count(*) FROM lines WHERE _partition = NULL", "0", 0);
	expect_read("SELECT count(*) FROM lines WHERE _partition > 0.5 AND _partition <= 1", "100", 100);
	expect_read("SELECT id FROM lines WHERE _partition = 1 AND _offset = 7", "1007", 1);
	expect_read("SELECT id FROM lines WHERE _partition = 1 AND _offset BETWEEN 7 AND 9", "1007 1008 1009", 3);
	expect_read("SELECT count(*) FROM lines WHERE _offset >= 95", "14", 14);
	expect_read("SELECT count(*) FROM lines WHERE _offset IN (1, 90)", "6", 6);
	expect_read("SELECT id FROM lines WHERE rowid = (1 << 48) + 5", "1005", 1);
	expect_read("SELECT count(*) FROM lines WHERE rowid >= (1 << 48) + 95 AND rowid < (2 << 48) + 5", "10", 10);
	/* While the topic's size is not known (it is larger than a few seeks). */
	run("CREATE VIRTUAL TABLE unseen USING kafka('lines', format = 'json', id INTEGER)");
	expect_read("SELECT id FROM unseen WHERE (_partition = 0 AND _offset = 5) OR (_partition = 1 AND _offset = 6) ORDER BY id", "5 1006", 2);
	expect_read("SELECT count(*) FROM lines WHERE ROWPARTITION = 0 AND ROWOFFSET < 10", "10", 10);
}

static void test_times(void **state)
{
	/* CreateTime: the lower bound seeks, the upper one is checked. */
	expect_read("SELECT count(*) FROM lines WHERE _ts >= 95000", "14", 14);
	expect_read("SELECT count(*) FROM lines WHERE _ts >= 95000 AND _ts < 96001", "4", 14);
	expect_read("SELECT count(*) FROM lines WHERE _ts BETWEEN 95000 AND 95001", "2", 14);
	fake->provider.time_slack_ms = 1000;
	expect_read("SELECT count(*) FROM lines WHERE _ts BETWEEN 95000 AND 95001", "2", 5);
	fake->provider.time_slack_ms = -1;
	fake->topics[0].info.ts_type = TS_TYPE_APPEND;
	expect_read("SELECT count(*) FROM lines WHERE _ts BETWEEN 95000 AND 95001", "2", 2);
	expect_read("SELECT count(*) FROM lines WHERE _time >= '1970-01-01T00:01:35' AND _time < '1970-01-01T00:01:36'", "3", 3);
	expect_read("SELECT _ts FROM lines ORDER BY _ts DESC LIMIT 3", "99001 99000 98002", 8);
	fake->topics[0].info.ts_type = TS_TYPE_CREATE;
	expect_read("SELECT _ts FROM lines ORDER BY _ts DESC LIMIT 3", "99001 99000 98002", 290);
	assert_non_null(strstr(fake->last_notice, "whole range"));
	char *got = query("SELECT count(*) FROM lines WHERE _ts > '2026-01-01'");
	assert_non_null(strstr(got, "error: _ts of lines is compared with the text"));
	assert_int_equal(fake->provider.last_error.id, ERR_TYPE);
	assert_non_null(strstr(fake->provider.last_error.hint, "ts('2026-01-01')"));
	free(got);
	expect_read("SELECT count(*) FROM lines WHERE _ts >= '95000'", "14", 14);
	fake->provider.from = (struct position){.kind = POSITION_TIME, .ts_ms = 95000};
	fake->provider.until = (struct position){.kind = POSITION_TIME, .ts_ms = 97000};
	expect_read("SELECT count(*) FROM lines", "6", 6);
	fake->topics[0].info.time_seek = false;
	expect("SELECT count(*) FROM lines", "6");
	fake->topics[0].info.time_seek = true;
	fake->provider.from = fake->provider.until = (struct position){.kind = POSITION_NONE};
}

static void test_order(void **state)
{
	expect_read("SELECT _partition, _offset FROM lines ORDER BY _offset DESC LIMIT 2", "0|99 1|99", 5);
	expect_read("SELECT _offset FROM lines WHERE _partition = 1 ORDER BY _offset DESC LIMIT 3", "99 98 97", 3);
	expect_read("SELECT _partition, _offset FROM lines ORDER BY rowid DESC LIMIT 2", "2|98 2|97", 9);
	expect_read("SELECT _partition, _offset FROM lines ORDER BY _partition DESC, _offset LIMIT 2", "2|0 2|1", 2);
	expect("SELECT _partition, _offset FROM lines ORDER BY _partition, _offset LIMIT 2", "0|0 0|1");
	expect("SELECT group_concat(_offset) FROM (SELECT _offset FROM lines WHERE _partition = 2 ORDER BY _offset DESC LIMIT 12)", "98,97,96,95,94,93,92,91,90,88,87,86");
	expect("SELECT max(_offset) FROM lines WHERE _partition = 2", "98");
	assert_true(fake->provider.stats.message_n < 16);
	expect("SELECT min(_offset) FROM lines WHERE _partition = 2", "0");
	/* Holes: the last 1000 offsets hold nothing. */
	fake->topics[0].partitions[0].end = 1100;
	expect("SELECT max(_offset) FROM lines WHERE _partition = 0", "99");
	expect("SELECT _offset FROM lines WHERE _partition = 0 ORDER BY _offset DESC LIMIT 2", "99 98");
	fake->topics[0].partitions[0].end = 100;
}

static void test_keys_and_bytes(void **state)
{
	expect_read("SELECT count(*) FROM lines WHERE _key = 'k1'", "60", 290);
	expect_read("SELECT count(*) FROM lines WHERE _key IN ('k1', 'k2', NULL)", "120", 290);
	expect("SELECT count(*) FROM lines WHERE line = 'L1'", "70");
	assert_int_equal(fake->provider.stats.filtered_n, 220);
	expect("SELECT count(*) FROM lines WHERE line IN ('L1', 'L0')", "145");
	assert_int_equal(fake->provider.stats.filtered_n, 145);
	expect("SELECT count(*) FROM lines WHERE line LIKE 'l1%'", "70");
	assert_int_equal(fake->provider.stats.filtered_n, 220);
	expect("SELECT count(*) FROM lines WHERE line GLOB 'L1*'", "70");
	expect("SELECT count(*) FROM lines WHERE id = '7'", "1");
}

static void test_self_join(void **state)
{
	expect("SELECT count(*) FROM lines a JOIN lines b ON a.id = b.id", "290");
	assert_true(fake->open_n <= 4);
	assert_int_equal(fake->bounds_n, 1);
	expect("SELECT count(*) FROM lines p WHERE EXISTS (SELECT 1 FROM lines q WHERE q.id = p.id + 1)", "278");
	if (fake->open_n > 4)
		fail_msg("%lld scans", (long long)fake->open_n);
	expect("SELECT count(*) FROM lines p WHERE (SELECT count(*) FROM lines q WHERE q.line = p.line AND q._partition = 0) = 25", "290");
	expect("SELECT count(*) FROM lines a JOIN lines b ON a._partition = b._partition AND a._offset = b._offset + 1 WHERE a._partition = 0 AND a._offset < 5", "4");
}

static void test_path_functions(void **state)
{
	/* Everything that is not a message of ours is SQLite's. */
	static const char *const own[] = {
		"'{\"a\": [1, {\"b\": null}]}' -> 'a'", "'{\"a\": [1, {\"b\": null}]}' ->> '$.a[1].b'", "'{\"a\": [1, 2]}' -> 'a' ->> 1", "json_extract('{\"a\": \"x\"}', '$.a')", "json_extract('[1]', '$[#-1]')",
		"json_array(json_extract('{\"a\": [1]}', '$.a'), '[1]' -> 0, '[[1]]' ->> 0)", "json_extract(NULL, '$.a')", "'[1]' -> NULL", "json_extract('{}', '$.a', '$.b')", "typeof('[1.5]' ->> 0)", "json_extract('x', '$')", "json_extract('{}', 'a')", "x'00' ->> 'a'",
	};
	sqlite3 *plain = NULL, *ours = db;
	assert_int_equal(sqlite3_open(":memory:", &plain), SQLITE_OK);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		char sql[200];
		snprintf(sql, sizeof sql, "SELECT quote(%s)", own[i]);
		char *a = query(sql);
		db = plain;
		char *b = query(sql);
		db = ours;
		assert_string_equal(a, b);
		free(a);
		free(b);
	}
	sqlite3_close(plain);
	expect("SELECT sum(_value ->> '$.id'), count(_value ->> 'line'), sum(json_extract(_value, '$.v')) FROM lines", "294310|290|14455.0");
	expect("SELECT _value -> 'line', _value ->> 'line', typeof(_value ->> 'v') FROM lines WHERE _partition = 0 AND _offset < 3", "\"L0\"|L0|real \"L1\"|L1|real \"L2\"|L2|real");
	/* Messages, by the decoder and by SQLite. */
	struct fake_topic *t = fake_topic_add(fake, "json", 1);
	static const char *const values[] = {
		"{\"a\": 1}", "{\"a\": -0}", "{\"a\": 1E2}", "{\"a\": 0.10}", "{\"a\": \"x\\u00e9y\"}", "{\"a\": \"é\"}", "{\"a\": [1, {\"b\" : \" , \\\" \"}]}", "{\"a\": true}", "{\"a\": null}", "{}", "[1]", "7", "{\"a\": 9223372036854775808}",
		"{\"a\": \"\"}", "{\"a\": {\"b\": 5}}", "{\"a\": \"12345678901234567890\"}", "{\"a\" : false, \"b\": 1}",
	};
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		fake_add(t, 0, -1, 0, NULL, values[i]);
	run("CREATE VIRTUAL TABLE json USING kafka('json', format = 'json', a)");
	run("CREATE TABLE copy AS SELECT _offset AS o, _value AS v FROM json");
	static const char *const paths[] = {"'$.a'", "'$.a.b'", "'a'", "'$.a[1].b'", "'$'", "0", "'$[0]'", "'$.a[#-1]'", "'$.\"a\"'"};
	static const char *const forms[] = {"@ -> %s", "@ ->> %s", "json_extract(@, %s)", "json_array(@ -> %s)"};
	for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
		for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
			char form[100], sql[300];
			snprintf(form, sizeof form, forms[k], paths[p]);
			snprintf(sql, sizeof sql, "SELECT group_concat(quote(%s)) FROM json", form);
			char *at = strchr(sql, '@');
			memmove(at + 6, at + 1, strlen(at));
			memcpy(at, "_value", 6);
			char *a = query(sql);
			snprintf(sql, sizeof sql, "SELECT group_concat(quote(%s)) FROM copy", form);
			*strchr(sql, '@') = 'v';
			char *b = query(sql);
			if (strcmp(a, b) != 0)
				fail_msg("%s\n  topic  %s\n  SQLite %s", form, a, b);
			free(a);
			free(b);
		}
	}
}

/* ---- property: a topic table and a plain table give the same rows ---- */

static uint64_t seed = 88172645463325252u;

static uint32_t rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % n;
}

static const char *pick(const char *const *list, size_t n)
{
	return list[rnd((uint32_t)n)];
}
#define PICK(list) pick(list, sizeof list / sizeof *list)

static void random_topic(void)
{
	static const char *const lines[] = {"\"L1\"", "\"L2\"", "\"l1\"", "\"L\\u0031\"", "\"12\"", "12", "1.2e1", "null", "true", "[1, 2]", "{\"a\": \"L1\"}", "\"\\u00fcber/Stra\\u00dfe\"", "\"über/Straße\"", "\"\"", "0.5", "\"x\\\"y\"", "\"12.0\""};
	static const char *const keys[] = {"a", "b", "7", "07", "7.0", "", NULL, "\xff\xfe", "ü"};
	struct fake_topic *t = fake_topic_add(fake, "random", 3);
	for (int32_t p = 0; p < 3; p++) {
		int64_t o = 0;
		for (int i = 0; i < 60; i++) {
			char value[160];
			o += 1 + (rnd(5) == 0 ? rnd(40) : 0);
			snprintf(value, sizeof value, "{\"line\": %s, \"n\": %s, \"deep\": {\"x\": %d}}", PICK(lines), PICK(lines), (int)rnd(5));
			uint32_t shape = rnd(20);
			const char *text = shape == 0 ? NULL : shape == 1 ? "{\"line\": " : shape == 2 ? "" : value;
			fake_add(t, p, o, rnd(15) == 0 ? TIME_NONE : 1000 + (int64_t)i * 10 + rnd(60), PICK(keys), text);
		}
		t->partitions[p].end = o + 1 + rnd(30);
		t->partitions[p].low = rnd(2) ? t->partitions[p].records[0].offset : 0;
	}
}

/* Random conditions over the hidden and payload columns, with values of every type. */
static void random_term(struct buf *to)
{
	static const char *const columns[] = {"_partition", "_offset", "_ts", "_time", "_key", "line", "n", "x", "kk", "k", "rowid", "_offset", "_partition", "_ts"};
	static const char *const ops[] = {"=", "<", "<=", ">", ">=", "=", "IS", "<>"};
	static const char *const numbers[] = {"0", "1", "2", "7", "20", "45", "1200", "1300.5", "0.5", "-1", "1e300", "-1e300", "NULL", "'1'", "'20'", "' 2 '", "281474976710676", "x'61'", "1.0", "9223372036854775807"};
	static const char *const texts[] = {"'L1'", "'l1'", "'12'", "12", "'12.0'", "12.0", "'über/Straße'", "'[1, 2]'", "''", "NULL", "'7'", "7", "'a'", "'\xC3\xBC'", "x'fffe'", "x'61'", "1", "'x\"y'", "'1970-01-01T00:00:01.3'", "'1970'", "'z'"};
	static const char *const likes[] = {"'L%'", "'%1%'", "'l1'", "'%str%'", "'%/S%'", "'1_'", "'%12.0%'", "'%'", "NULL", "'x\"%'", "'_7'", "'%BER%'", "12"};
	static const char *const globs[] = {"'L*'", "'*[0-9]'", "'*x*'", "'L?'", "'[Ll]1'"};
	const char *column = PICK(columns);
	bool number = column[0] == '_' ? strcmp(column, "_time") != 0 && strcmp(column, "_key") != 0 : strcmp(column, "rowid") == 0 || strcmp(column, "x") == 0;
	/* _ts with a text that is no number is an error by intent; numbers[] has none. */
	switch (rnd(number ? 4 : 7)) {
	case 0:
		buf_addf(to, "%s IN (", column);
		for (uint32_t i = 0, n = 1 + rnd(3); i < n; i++)
			buf_addf(to, "%s%s", i ? ", " : "", number ? PICK(numbers) : PICK(texts));
		buf_adds(to, ")");
		return;
	case 1:
		buf_addf(to, "%s BETWEEN %s AND %s", column, number ? PICK(numbers) : PICK(texts), number ? PICK(numbers) : PICK(texts));
		return;
	case 4:
		buf_addf(to, "%s LIKE %s", column, PICK(likes));
		return;
	case 5:
		buf_addf(to, "%s GLOB %s", column, PICK(globs));
		return;
	default:
		buf_addf(to, "%s %s %s", column, PICK(ops), number ? PICK(numbers) : PICK(texts));
	}
}

static void random_where(struct buf *to)
{
	uint32_t n = rnd(4);
	for (uint32_t i = 0; i < n; i++) {
		buf_adds(to, i == 0 ? " WHERE " : rnd(4) == 0 ? " OR " : " AND ");
		random_term(to);
	}
}

/* The same rows with the same types and affinities, and nothing pushed down: LIMIT keeps SQLite from looking through the subquery. */
static const char reference[] = "(SELECT rowid AS rowid, _partition, _offset, _ts, _time, _key, line, n, x, kk, k, _index FROM r LIMIT -1)";

static char *rows_of(const char *sql, const char *table)
{
	struct buf b = BUF_INIT;
	const char *mark = strstr(sql, "@");
	buf_addf(&b, "%.*s%s%s", (int)(mark - sql), sql, table, mark + 1);
	char *got = query(b.data);
	buf_finish(&b);
	return got;
}

/* The share of n that WEIR_PROPERTY_CASES (of 10,000) leaves to a build that runs slowly. */
static int share_of(int n)
{
	const char *cases = getenv("WEIR_PROPERTY_CASES");
	long share = cases ? atol(cases) * n / 10000 : n;
	return share < 20 ? 20 : (int)share;
}

/* Queries over the topic table and over the same rows with nothing pushed down. */
static void compare(const char *table, const char *plain, int query_n, const char *setting)
{
	for (int i = 0, n = share_of(query_n); i < n; i++) {
		struct buf sql = BUF_INIT;
		static const char *const shapes[] = {
			"SELECT _partition, _offset, line, n, x, quote(_key), quote(k), _ts FROM @", "SELECT count(*), min(_offset), max(_offset) FROM @", "SELECT max(_offset) FROM @", "SELECT min(_offset) FROM @",
			"SELECT count(*) FROM @", "SELECT quote(kk), count(*) FROM @", "SELECT max(rowid), count(x) FROM @",
		};
		static const char *const orders[] = {" ORDER BY _partition, _offset, _index", " ORDER BY _partition DESC, _offset DESC, _index", " ORDER BY _partition, _offset DESC, _index", " ORDER BY _offset DESC, _partition, _index",
			" ORDER BY _offset, _partition, _index", " ORDER BY rowid", " ORDER BY rowid DESC"};
		uint32_t shape = rnd(7);
		buf_adds(&sql, shapes[shape]);
		random_where(&sql);
		if (shape == 0) {
			buf_adds(&sql, PICK(orders));
			if (rnd(2)) {
				buf_addf(&sql, " LIMIT %d", (int)rnd(12) - 1);
				if (rnd(2))
					buf_addf(&sql, " OFFSET %d", (int)rnd(5));
			}
		} else if (shape == 5) {
			buf_adds(&sql, " GROUP BY kk ORDER BY 1");
		}
		char *a = rows_of(sql.data, table);
		char *b = rows_of(sql.data, plain);
		if (strcmp(a, b) != 0)
			fail_msg("%s, %s: query %d differs: %s\n  topic %s\n  plain %s", table, setting, i, sql.data, a, b);
		free(a);
		free(b);
		buf_finish(&sql);
	}
}

static void test_property(void **state)
{
	random_topic();
	run("CREATE VIRTUAL TABLE r USING kafka('random', format = 'json', line TEXT, n, x INTEGER FROM '$.deep.x', kk TEXT FROM KEY, k FROM KEY)");
	compare("r", reference, 2500, "plain");
	/* A range of the command, with and without the broker's time index. */
	fake->provider.from = (struct position){.kind = POSITION_TIME, .ts_ms = 1100};
	fake->provider.until = (struct position){.kind = POSITION_TIME, .ts_ms = 1500};
	compare("r", reference, 500, "from and until");
	fake_topic_find(fake, "random")->info.time_seek = false;
	compare("r", reference, 500, "from and until without time index");
	fake->provider.from = fake->provider.until = (struct position){.kind = POSITION_NONE};
	compare("r", reference, 500, "without time index");
	fake_topic_find(fake, "random")->info.time_seek = true;
	/* Times are at most 60 ms out of order. */
	fake->provider.time_slack_ms = 60;
	compare("r", reference, 1000, "time_slack");
}

/* Where the broker sets the times they rise, so they order rows and stop scans. */
/* The same messages pushed into a feed table, as batches of a source and in two pieces each. */
static void test_property_feed(void **state)
{
	struct err err = ERR_INIT;
	struct feed_table *feed = NULL;
	random_topic();
	run("CREATE VIRTUAL TABLE r USING kafka('random', format = 'json', line TEXT, n, x INTEGER FROM '$.deep.x', kk TEXT FROM KEY, k FROM KEY)");
	struct fake_topic *t = fake_topic_find(fake, "random");
	struct source *source = NULL;
	struct batch *b = NULL;
	for (struct table *r = module_of(db)->tables; r && !feed; r = r->next)
		if (strcmp(r->stream->name, "r") == 0)
			assert_true(feed_table_create(db, "pushed", r->stream, &feed, &err));
	assert_non_null(feed);
	struct scan_range ranges[3];
	for (int32_t p = 0; p < 3; p++)
		ranges[p] = (struct scan_range){p, t->partitions[p].low, t->partitions[p].end};
	struct scan_request request = {.topic = "random", .ranges = ranges, .range_n = 3, .need = SCAN_NEED_KEY | SCAN_NEED_VALUE | SCAN_NEED_HEADERS, .cancel = &fake->cancel};
	assert_true(fake->provider.impl->open_scan(&fake->provider, NULL, &request, &source, &err));
	while (source_next(source, 0, &b, &err) == SOURCE_BATCH) {
		size_t middle = b->record_n / 2;
		feed_table_add(feed, b, 0, middle);
		feed_table_add(feed, b, middle, b->record_n);
		batch_unref(b);
	}
	source_destroy(source);
	compare("pushed", reference, 2500, "feed");
	feed_table_destroy(feed);
}

static void test_property_append_time(void **state)
{
	struct fake_topic *t = fake_topic_add(fake, "random", 3);
	t->info.ts_type = TS_TYPE_APPEND;
	for (int32_t p = 0; p < 3; p++) {
		int64_t ts = 1000, o = 0;
		for (int i = 0; i < 80; i++) {
			ts += rnd(3) ? rnd(20) : 0;
			o += 1 + (rnd(4) == 0 ? rnd(50) : 0);
			fake_add(t, p, o, ts, "a", "{\"line\": \"L1\", \"n\": 7, \"deep\": {\"x\": 1}}");
		}
		t->partitions[p].end = o + rnd(40);
	}
	run("CREATE VIRTUAL TABLE r USING kafka('random', format = 'json', line TEXT, n, x INTEGER FROM '$.deep.x', kk TEXT FROM KEY, k FROM KEY)");
	compare("r", reference, 1500, "append time");
	int64_t read = 0;
	for (int i = 0; i < 500; i++) {
		static const char *const orders[] = {"_ts DESC", "_ts", "_time DESC", "_time"};
		struct buf sql = BUF_INIT;
		buf_adds(&sql, "SELECT _ts, _time FROM @");
		if (rnd(2))
			buf_addf(&sql, " WHERE _ts BETWEEN %d AND %d", 1000 + (int)rnd(400), 1200 + (int)rnd(400));
		buf_addf(&sql, " ORDER BY %s LIMIT %d", PICK(orders), 1 + (int)rnd(10));
		char *a = rows_of(sql.data, "r");
		read += fake->provider.stats.message_n;
		char *b = rows_of(sql.data, reference);
		if (strcmp(a, b) != 0)
			fail_msg("%s\n  topic %s\n  plain %s", sql.data, a, b);
		free(a);
		free(b);
		buf_finish(&sql);
	}
	assert_true(read < 500 * 60);
}

/* Several rows a message: rowids stay unique, and all of the above holds. */
static void test_property_explode(void **state)
{
	struct fake_topic *t = fake_topic_add(fake, "random", 3);
	static const char *const keys[] = {"a", "b", "7", NULL};
	for (int32_t p = 0; p < 3; p++) {
		for (int i = 0; i < 40; i++) {
			struct buf value = BUF_INIT;
			buf_addf(&value, "{\"n\": %d, \"rows\": [", (int)rnd(3));
			for (uint32_t k = 0, n = rnd(4); k < n; k++)
				buf_addf(&value, "%s{\"line\": \"L%d\", \"x\": %d}", k ? "," : "", (int)rnd(3), (int)rnd(5));
			buf_adds(&value, "]}");
			fake_add(t, p, -1, 1000 + i * 10, PICK(keys), rnd(15) ? value.data : NULL);
			buf_finish(&value);
		}
	}
	run("CREATE VIRTUAL TABLE r USING kafka('random', format = 'json', explode = '$.rows[*]', line TEXT FROM '@.line', n FROM '$.n', x INTEGER FROM '@.x', kk TEXT FROM KEY, k FROM KEY)");
	char *rows = query("SELECT count(*) = count(DISTINCT rowid), count(*) > 120, max(_index) FROM r");
	assert_string_equal(rows, "1|1|2");
	free(rows);
	compare("r", reference, 1200, "explode");
}

/* A changelog against SQLite's own idea of it: the last record of each key by time and place, without tombstones. */
static void test_property_changelog(void **state)
{
	struct fake_topic *t = fake_topic_add(fake, "random", 3);
	for (int i = 0; i < 400; i++) {
		char key[8], value[100];
		snprintf(key, sizeof key, "k%d", (int)rnd(40));
		snprintf(value, sizeof value, "{\"line\": \"L%d\", \"n\": %d, \"deep\": {\"x\": %d}}", (int)rnd(3), i, (int)rnd(5));
		fake_add(t, hash_partition(PARTITIONER_MURMUR2, bytes_str(key), 3), -1, 1000 + i * 10, key, rnd(5) ? value : NULL);
	}
	static const char *const options[] = {"partitioner = 'none'", "partitioner = 'murmur2'", "format = 'json'"};
	run("CREATE VIRTUAL TABLE log USING kafka('random', format = 'json', line TEXT, n, x INTEGER FROM '$.deep.x', k FROM KEY)");
	run("CREATE TABLE kept AS SELECT * FROM (SELECT rowid AS rid, _key AS k2, _value AS v, row_number() OVER (PARTITION BY _key ORDER BY _offset DESC) AS age FROM log) WHERE age = 1 AND v IS NOT NULL");
	for (size_t i = 0; i < 3; i++) {
		char sql[300];
		snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE r USING kafka('random', format = 'json', %s, kk TEXT PRIMARY KEY, line TEXT, n, x INTEGER FROM '$.deep.x', k FROM KEY)", options[i]);
		run(sql);
		char *same = query("SELECT (SELECT group_concat(rid) FROM (SELECT rid FROM kept ORDER BY rid)) = (SELECT group_concat(rowid) FROM (SELECT rowid FROM r ORDER BY rowid))");
		assert_string_equal(same, "1");
		free(same);
		compare("r", reference, 700, options[i]);
		for (int k = 0; k < 45; k++) {
			snprintf(sql, sizeof sql, "SELECT (SELECT n FROM r WHERE kk = 'k%d') IS (SELECT v ->> 'n' FROM kept WHERE k2 = 'k%d')", k, k);
			same = query(sql);
			assert_string_equal(same, "1");
			free(same);
		}
		same = query("SELECT count(*), count(r.kk), (SELECT count(*) FROM kept) FROM kept LEFT JOIN r ON r.kk = kept.k2 AND r.n = kept.v ->> 'n'");
		char *end = strchr(same, '|');
		assert_true(end && strncmp(same, end + 1, (size_t)(end - same)) == 0);
		free(same);
		run("DROP TABLE r");
	}
}

/* The inner table of a join, read again and again with other values. */
static void test_property_join(void **state)
{
	random_topic();
	run("CREATE VIRTUAL TABLE r USING kafka('random', format = 'json', line TEXT, n, x INTEGER FROM '$.deep.x', kk TEXT FROM KEY, k FROM KEY)");
	run("CREATE TABLE probe(a, b)");
	run("INSERT INTO probe VALUES ('L1', 1), ('12', 12), (12, 2), (NULL, NULL), ('a', 0), ('7', 7), (7, 45), ('Ã¼', 1), (x'fffe', 2), ('l1', 1300), ('[1, 2]', -1)");
	static const char *const ons[] = {"a = line", "a = kk", "a = _key", "a = n", "b = _partition", "b = _offset", "b >= _offset AND a = line", "b < _ts", "line LIKE a", "b = r.rowid", "a = k AND b >= _partition", "a IS line"};
	for (size_t i = 0; i < sizeof ons / sizeof *ons; i++) {
		struct buf sql = BUF_INIT;
		buf_addf(&sql, "SELECT count(*), sum(r._offset), sum(probe.rowid) FROM probe CROSS JOIN @ AS r ON %s", ons[i]);
		char *a = rows_of(sql.data, "r");
		int64_t opened = fake->open_n;
		/* The other way round: an inner subquery would be stored, and its values converted to its columns' affinities. */
		buf_clear(&sql);
		buf_addf(&sql, "SELECT count(*), sum(r._offset), sum(probe.rowid) FROM @ AS r CROSS JOIN probe ON %s", ons[i]);
		char *b = rows_of(sql.data, reference);
		if (strcmp(a, b) != 0)
			fail_msg("%s\n  topic %s\n  plain %s", sql.data, a, b);
		assert_true(opened <= 11);
		free(a);
		free(b);
		buf_finish(&sql);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full_scan, setup, fixture_close), cmocka_unit_test_setup_teardown(test_offsets, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_times, setup, fixture_close), cmocka_unit_test_setup_teardown(test_order, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_keys_and_bytes, setup, fixture_close), cmocka_unit_test_setup_teardown(test_self_join, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_path_functions, setup, fixture_close), cmocka_unit_test_setup_teardown(test_property, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_property_feed, setup, fixture_close), cmocka_unit_test_setup_teardown(test_property_append_time, setup, fixture_close), cmocka_unit_test_setup_teardown(test_property_explode, setup, fixture_close), cmocka_unit_test_setup_teardown(test_property_changelog, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_property_join, setup, fixture_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
