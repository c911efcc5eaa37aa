/* What goes wrong or is out of the ordinary: errors of the source, cancel, undecodable and oversized messages, odd keys, headers and times, inference,
 * detected partitioners, EXPLAIN SCAN, and row sets. */
#include "support/vtab_fixture.h"
#include "vtab/rowset.h"

static int setup(void **state)
{
	if (fixture_open() != 0)
		return -1;
	struct fake_topic *t = fake_topic_add(fake, "t", 2);
	for (int i = 0; i < 50; i++) {
		char value[64], key[16];
		snprintf(value, sizeof value, "{\"a\": %d}", i);
		snprintf(key, sizeof key, "k%d", i);
		fake_add(t, i % 2, -1, 1000 + i, key, value);
	}
	run("CREATE VIRTUAL TABLE t USING kafka('t', format = 'json', a INTEGER)");
	return 0;
}

static void test_source_error(void **state)
{
	fake->fail_after = 20;
	expect_error("SELECT sum(a) FROM t", ERR_BROKER, "the fake broker fails");
	expect_error("SELECT a FROM t ORDER BY _offset DESC", ERR_BROKER, "the fake broker fails");
	expect_error("SELECT count(*) FROM t a JOIN t b ON a.a = b.a", ERR_BROKER, "the fake broker fails");
	fake->fail_after = 0;
	expect("SELECT count(*) FROM t", "50");
	expect_error("CREATE VIRTUAL TABLE u USING kafka('nowhere')", ERR_TOPIC_UNKNOWN, "no topic \"nowhere\"");
	run("CREATE VIRTUAL TABLE gone USING kafka('nowhere', format = 'json', a INTEGER)");
	expect_error("SELECT * FROM gone", ERR_TOPIC_UNKNOWN, "no topic");
}

static void test_cancel(void **state)
{
	atomic_store(&fake->cancel.signal_n, 2);
	expect_error("SELECT count(*) FROM t a, t b, t c", ERR_INTERRUPTED, "interrupted");
	atomic_store(&fake->cancel.signal_n, 0);
	atomic_store(&fake->cancel.deadline_ms, 1);
	expect_error("SELECT count(*) FROM t a, t b, t c, t d", ERR_TIMEOUT, "time limit");
	atomic_store(&fake->cancel.deadline_ms, 0);
}

static void test_bad_messages(void **state)
{
	struct fake_topic *t = fake_topic_add(fake, "bad", 1);
	static const char *const values[] = {"{\"a\": 1}", "{\"a\": ", "not json", NULL, "", "{\"a\": 1e400, \"b\": \"kept\"}", "{\"a\": 2}"};
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		fake_add(t, 0, -1, 1000, NULL, values[i]);
	run("CREATE VIRTUAL TABLE bad USING kafka('bad', format = 'json', a REAL, b TEXT)");
	expect("SELECT count(*), count(a), count(b) FROM bad", "7|2|1");
	assert_int_equal(fake->provider.stats.decode_error_n, 3);
	assert_int_equal(fake->bad_n, 3);
	expect("SELECT _offset, _error IS NOT NULL, _value IS NULL, b FROM bad", "0|0|0|NULL 1|1|0|NULL 2|1|0|NULL 3|0|1|NULL 4|0|0|NULL 5|1|0|kept 6|0|0|NULL");
	assert_int_equal(fake->provider.stats.decode_error_n, 3);
	/* Nothing is decoded, nothing is wrong. */
	expect("SELECT count(*) FROM bad", "7");
	assert_int_equal(fake->provider.stats.decode_error_n, 0);
	/* A message that is no JSON does not end a query that looks into it. */
	expect("SELECT group_concat(v) FROM (SELECT quote(_value ->> 'a') AS v FROM bad WHERE _offset < 3 ORDER BY _offset)", "1,NULL,NULL");
	expect("SELECT sum(_value ->> 'a'), count(json_extract(_value, '$.b')) FROM bad WHERE _offset <> 5", "3|0");
	fake->provider.strict = true;
	expect_error("SELECT a FROM bad", ERR_DECODE, "bad partition 0 offset 1");
	expect("SELECT count(*) FROM bad", "7");
	fake->provider.strict = false;
	fake->provider.max_message_bytes = 10;
	expect("SELECT _offset, a, _value, _error FROM bad WHERE _offset IN (0, 5)", "0|1|{\"a\": 1}|NULL 5|NULL|NULL|a message of 25 bytes is larger than allowed");
	assert_true(strstr(fake->last_bad, "larger") != NULL);
}

static void test_odd_records(void **state)
{
	struct fake_topic *t = fake_topic_add(fake, "odd", 1);
	struct buf headers = BUF_INIT;
	headers_add(&headers, bytes_str("h"), bytes_str("1"));
	headers_add(&headers, bytes_str("h"), bytes_of(NULL, 0));
	headers_add(&headers, bytes_str(""), bytes_of("\xff\x00", 2));
	headers_add(&headers, bytes_str("q\"\n"), bytes_str("ü"));
	headers_add(&headers, bytes_str("h"), bytes_str("last"));
	fake_add_bytes(t, 0, 5, TIME_NONE, bytes_of("", 0), bytes_of("a\0b", 3), bytes_of(headers.data, headers.len));
	fake_add_bytes(t, 0, 6, 0, bytes_of("\xff\xfe", 2), bytes_of("\xc3\x28", 2), bytes_of(NULL, 0));
	fake_add_bytes(t, 0, 1000000000000, 9223372036854775807, bytes_of(NULL, 0), bytes_of("\0\0\0\1\2body", 9), bytes_of(NULL, 0));
	fake_add_bytes(t, 0, 9223372036854775000, -5, bytes_str("k"), bytes_of(NULL, 0), bytes_of(NULL, 0));
	buf_finish(&headers);
	run("CREATE VIRTUAL TABLE odd USING kafka('odd', format = 'raw', h TEXT FROM HEADER 'h')");
	expect("SELECT _offset, quote(_key), typeof(_value), length(CAST(_value AS BLOB)), _ts, _time FROM odd",
		"5|''|text|3|NULL|NULL 6|X'FFFE'|blob|2|0|1970-01-01T00:00:00.000Z 1000000000000|NULL|text|9|9223372036854775807|+292278994-08-17T07:12:55.807Z 9223372036854775000|'k'|null|NULL|-5|1969-12-31T23:59:59.995Z");
	expect("SELECT _headers, h, json_valid(_headers), json_array_length(_headers) FROM odd WHERE _offset = 5", "[[\"h\",\"1\"],[\"h\",null],[\"\",{\"hex\":\"ff00\"}],[\"q\\\"\\u000a\",\"ü\"],[\"h\",\"last\"]]|last|1|5");
	expect("SELECT _schema_id FROM odd ORDER BY _offset", "NULL NULL 258 NULL");
	expect_read("SELECT _offset FROM odd ORDER BY _offset DESC LIMIT 2", "9223372036854775000 1000000000000", 4);
	expect("SELECT count(DISTINCT rowid), sum(rowid < 0) FROM odd", "4|1");
	expect("SELECT max(_offset), min(_offset) FROM odd", "9223372036854775000|5");
	expect_read("SELECT count(*) FROM odd WHERE _offset > 1000000000000", "1", 1);
	expect("SELECT count(*) FROM odd WHERE _value IS NULL", "1");
	expect("SELECT count(*) FROM odd WHERE _key = ''", "1");
	expect("SELECT count(*) FROM odd WHERE _key = x'fffe'", "1");
	expect("SELECT count(*) FROM odd WHERE _key IS NULL", "1");
	expect("SELECT max(_value), _offset FROM odd WHERE typeof(_value) = 'text'", "a|5");
	expect("SELECT _offset FROM odd WHERE _time < '1970' ORDER BY _offset", "1000000000000 9223372036854775000");
}

static void test_inference(void **state)
{
	run("CREATE VIRTUAL TABLE seen USING kafka('t')");
	expect("SELECT sum(a), count(*) FROM seen", "1225|50");
	assert_non_null(strstr(fake->last_notice, "json"));
	fake_topic_add(fake, "empty", 3);
	run("CREATE VIRTUAL TABLE empty USING kafka('empty')");
	expect("SELECT count(*), max(_offset) FROM empty", "0|NULL");
	expect("SELECT * FROM empty ORDER BY _offset DESC LIMIT 3", "");
}

static void test_detected_partitioner(void **state)
{
	static const enum partitioner made[] = {PARTITIONER_MURMUR2, PARTITIONER_CONSISTENT, PARTITIONER_NONE};
	static const char *const names[] = {"murmur", "consistent", "nohash"};
	for (int k = 0; k < 3; k++) {
		struct fake_topic *t = fake_topic_add(fake, names[k], 4);
		for (int i = 0; i < 2000; i++) {
			char key[16];
			snprintf(key, sizeof key, "key%d", i % 100);
			int32_t p = made[k] == PARTITIONER_NONE ? i % 4 : hash_partition(made[k], bytes_str(key), 4);
			fake_add(t, p, -1, 1000 + i, key, "x");
		}
		char sql[200];
		snprintf(sql, sizeof sql, "CREATE VIRTUAL TABLE %s USING kafka('%s', format = 'text', value TEXT, k TEXT FROM KEY)", names[k], names[k]);
		run(sql);
		snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE _key = 'key7'", names[k]);
		int64_t notices = fake->notice_n;
		expect(sql, "20");
		expect(sql, "20");
		int32_t p = hash_partition(made[k], bytes_str("key7"), 4);
		int64_t want = p < 0 ? 2000 : (int64_t)t->partitions[p].n;
		assert_int_equal(fake->provider.stats.message_n, want);
		assert_int_equal(fake->notice_n - notices, p >= 0);
		snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE k = 'key7'", names[k]);
		expect(sql, "20");
		assert_int_equal(fake->provider.stats.message_n, want);
	}
}

static void test_explain(void **state)
{
	struct scan_plan_list list = {0};
	fake->provider.statement_n++;
	vtab_collect_plans(db, &list);
	char *rows = query("SELECT a FROM t WHERE _partition = 1 AND _offset >= 20 AND _ts < 1040");
	vtab_collect_plans(db, NULL);
	assert_string_equal(rows, "");
	free(rows);
	/* The scan itself is not opened; the average message's size comes from a sample, twice at most (newest, oldest), without keys or values. */
	assert_in_range(fake->open_n, 1, 2);
	assert_in_range(fake->provider.stats.message_n, 1, 64);
	assert_int_equal(list.n, 1);
	assert_true(list.plans[0].bytes_estimate > 0);
	assert_int_equal(list.plans[0].range_n, 1);
	assert_int_equal(list.plans[0].ranges[0].partition, 1);
	assert_int_equal(list.plans[0].ranges[0].start, 20);
	assert_int_equal(list.plans[0].ranges[0].end, 25);
	assert_int_equal(list.plans[0].bounds[0].start, 0);
	assert_non_null(strstr(list.plans[0].pushed, "_offset >= 20"));
	assert_non_null(strstr(list.plans[0].not_pushed, "_ts <= 1039"));
	assert_string_equal(list.plans[0].cluster, "fake");
	scan_plan_list_finish(&list);
	expect("SELECT count(*) FROM t", "50");
}

static int64_t fills;

static bool fill(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	fills++;
	if (filter && strcmp(filter, "boom") == 0)
		return err_set(err, ERR_CONNECT, "no broker");
	for (int i = 0; i < 3; i++) {
		char name[8];
		snprintf(name, sizeof name, "n%d", i);
		if (filter && strcmp(filter, name) != 0)
			continue;
		rowset_row(to);
		rowset_text(to, 0, name);
		rowset_int(to, 1, i);
		if (i)
			rowset_real(to, 2, i / 2.0);
		rowset_bytes(to, 3, "\xff", 1, true);
	}
	return true;
}

static void test_rowset(void **state)
{
	static const struct rowset_def def = {.name = "weir_names", .columns = "name TEXT, n INTEGER, half REAL, raw, hid TEXT HIDDEN", .filter_column = 0, .filter_column_2 = -1, .fill = fill};
	struct err last = ERR_INIT, err = ERR_INIT;
	assert_true(rowset_register(db, &def, NULL, &last, &err));
	expect("SELECT name, n, half, quote(raw), hid FROM weir_names", "n0|0|NULL|X'FF'|NULL n1|1|0.5|X'FF'|NULL n2|2|1.0|X'FF'|NULL");
	expect("SELECT n FROM weir_names WHERE name = 'n2'", "2");
	expect("SELECT n FROM weir_names WHERE name = NULL", "");
	expect("SELECT a.n, b.n FROM weir_names a JOIN weir_names b ON a.name = b.name ORDER BY 1", "0|0 1|1 2|2");
	char *got = query("SELECT n FROM weir_names WHERE name = 'boom'");
	assert_string_equal(got, "error: no broker");
	assert_int_equal(last.id, ERR_CONNECT);
	free(got);
	got = query("CREATE VIRTUAL TABLE x USING weir_names");
	assert_true(strncmp(got, "error", 5) == 0);
	free(got);
}

/* A database file that somebody else made must not read topics through its views. */
static void test_direct_only(void **state)
{
	run("CREATE VIEW v AS SELECT count(*) FROM t");
	char *got = query("SELECT * FROM v");
	assert_non_null(strstr(got, "unsafe use of virtual table"));
	free(got);
	run("CREATE TEMP VIEW own AS SELECT count(*) FROM t");
	expect("SELECT * FROM own", "50");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_source_error, setup, fixture_close), cmocka_unit_test_setup_teardown(test_cancel, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_bad_messages, setup, fixture_close), cmocka_unit_test_setup_teardown(test_odd_records, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_inference, setup, fixture_close), cmocka_unit_test_setup_teardown(test_detected_partitioner, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_explain, setup, fixture_close), cmocka_unit_test_setup_teardown(test_rowset, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_direct_only, setup, fixture_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
