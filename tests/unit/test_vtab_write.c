/* Writing: INSERT into a log, INSERT, UPDATE and DELETE on a changelog, what is refused; and reading a changelog. */
#include "support/vtab_fixture.h"

static int setup(void **state)
{
	if (fixture_open() != 0)
		return -1;
	fake_topic_add(fake, "log", 2);
	struct fake_topic *t = fake_topic_add(fake, "machines", 2);
	static const struct {
		int32_t partition;
		const char *key, *value;
	} rows[] = {
		{0, "m1", "{\"name\": \"press\", \"line\": 1}"}, {1, "m2", "{\"name\": \"oven\", \"line\": 1}"}, {0, "m3", "{\"name\": \"robot\", \"line\": 2}"}, {0, "m1", "{\"name\": \"press\", \"line\": 3}"},
		{0, "m3", NULL}, {0, NULL, "{\"name\": \"nobody\"}"}, {1, "m4", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		fake_add(t, rows[i].partition, -1, 1000 + (int64_t)i, rows[i].key, rows[i].value);
	run("CREATE VIRTUAL TABLE log USING kafka('log', format = 'json', a INTEGER, b TEXT, \"deep.c\" REAL FROM '$.deep.c', h TEXT FROM HEADER 'hh')");
	run("CREATE VIRTUAL TABLE machines USING kafka('machines', format = 'json', id TEXT PRIMARY KEY, name TEXT, line INTEGER)");
	return 0;
}

static void test_write_off(void **state)
{
	expect_error("INSERT INTO log(a) VALUES (1)", ERR_WRITE_OFF, "off");
	assert_int_equal(fake->sink_open_n, 0);
}

static void test_insert(void **state)
{
	fake->provider.write_allowed = true;
	expect("INSERT INTO log(a, b) VALUES (1, 'x'), (2, NULL)", "");
	assert_int_equal(fake->put_n, 2);
	assert_int_equal(fake->flush_n, 1);
	expect("SELECT _value FROM log ORDER BY a", "{\"a\":1,\"b\":\"x\"} {\"a\":2,\"b\":null}");
	expect("INSERT INTO log(_key, a, \"deep.c\", h, _ts, _partition, _headers) VALUES ('k', 3, 1.5, 'hv', 77, 1, '[[\"x\",null],[\"y\",{\"hex\":\"00ff\"}],[\"z\",\"t\"]]')", "");
	expect("SELECT _key, _value, _ts, _partition, _headers, h FROM log WHERE a = 3", "k|{\"a\":3,\"deep\":{\"c\":1.5}}|77|1|[[\"x\",null],[\"y\",{\"hex\":\"00ff\"}],[\"z\",\"t\"],[\"hh\",\"hv\"]]|hv");
	expect("INSERT INTO log(a, _headers) VALUES (9, '{\"x\":\"t\",\"y\":null,\"z\":{\"hex\":\"00ff\"}}')", "");
	expect("SELECT _headers FROM log WHERE a = 9", "[[\"x\",\"t\"],[\"y\",null],[\"z\",{\"hex\":\"00ff\"}]]");
	expect("INSERT INTO log VALUES (4, 'all', 2.5, 'q')", "");
	expect("SELECT a, b, \"deep.c\", h FROM log WHERE a = 4", "4|all|2.5|q");
	expect("INSERT INTO log(_key, _value) VALUES ('t', NULL), ('e', ''), ('raw', x'00ff')", "");
	expect("SELECT _key, typeof(_value), hex(_value) FROM log WHERE _key IN ('t', 'e', 'raw') ORDER BY _key", "e|text| raw|blob|00FF t|null|");
	expect("INSERT INTO log(a, _time) SELECT 10 + a, '1970-01-01T00:00:05Z' FROM log WHERE a < 3", "");
	expect("SELECT a, _ts FROM log WHERE a > 10 ORDER BY a", "11|5000 12|5000");
	assert_int_equal(fake->sink_open_n, 1);
	run("BEGIN");
	run("INSERT INTO log(a) VALUES (100)");
	int64_t flushed = fake->flush_n;
	run("COMMIT");
	assert_int_equal(fake->flush_n, flushed + 1);
	run("CREATE TABLE source(a, b)");
	run("CREATE TEMP TRIGGER tr AFTER INSERT ON source BEGIN SELECT 1; END");
	run("INSERT INTO source VALUES (200, 'from table')");
	expect("INSERT INTO main.\"log\" (b, a) SELECT b, a FROM source", "");
	expect("SELECT _value FROM log WHERE a = 200", "{\"a\":200,\"b\":\"from table\"}");
}

static void test_insert_refused(void **state)
{
	fake->provider.write_allowed = true;
	expect_error("INSERT INTO log(a, _ts) VALUES (1, '2026-01-01')", ERR_TYPE, "_ts takes milliseconds");
	expect_error("INSERT INTO log(a, _offset) VALUES (1, 5)", ERR_TYPE, "_offset cannot be set");
	expect_error("INSERT INTO log(a, _partition) VALUES (1, 7)", ERR_TYPE, "partitions 0 to 1");
	expect_error("INSERT INTO log(a, _value) VALUES (1, 'x')", ERR_TYPE, "beside it");
	expect_error("INSERT INTO log(a, _headers) VALUES (1, 'x')", ERR_TYPE, "_headers is not");
	expect_error("INSERT INTO log(a) VALUES (x'00')", ERR_TYPE, "");
	expect_error("DELETE FROM log WHERE a = 1", ERR_UNSUPPORTED, "log");
	expect_error("UPDATE log SET a = 1", ERR_UNSUPPORTED, "log");
	assert_int_equal(fake->open_n, 0);
	assert_int_equal(fake->put_n, 0);
	fake->fail_flush = true;
	expect_error("INSERT INTO log(a) VALUES (1)", ERR_DELIVERY, "not delivered");
}

static void test_changelog_read(void **state)
{
	expect_read("SELECT id, name, line FROM machines ORDER BY id", "m1|press|3 m2|oven|1 m4|NULL|NULL", 7);
	assert_non_null(strstr(fake->last_notice, "without a key"));
	expect("SELECT count(*) FROM machines", "3");
	expect("SELECT line FROM machines WHERE id = 'm1'", "3");
	expect("SELECT line FROM machines WHERE id = 'm3'", "");
	expect("SELECT line FROM machines WHERE _key = 'm2'", "1");
	/* A condition on time or place does not change which value is the last. */
	expect("SELECT id FROM machines WHERE _ts < 1002", "m2");
	expect("SELECT id FROM machines WHERE _offset = 0", "m2");
	expect("SELECT id FROM machines WHERE line = 1", "m2");
	expect_error("SELECT id FROM machines WHERE _ts < 'x'", ERR_TYPE, "_ts");
}

static void test_changelog_join(void **state)
{
	fake->provider.write_allowed = true;
	for (int i = 0; i < 50; i++) {
		char sql[80];
		snprintf(sql, sizeof sql, "INSERT INTO log(a, b) VALUES (%d, 'm%d')", i, i % 5);
		run(sql);
	}
	expect("SELECT m.id, count(*) FROM log JOIN machines m ON m.id = log.b GROUP BY 1 ORDER BY 1", "m1|10 m2|10 m4|10");
	assert_int_equal(fake->provider.stats.message_n, 50 + 7);
	assert_int_equal(fake->bounds_n, 2);
}

static void test_changelog_write(void **state)
{
	fake->provider.write_allowed = true;
	expect("DELETE FROM machines WHERE id = 'm1'", "");
	expect("SELECT id FROM machines ORDER BY id", "m2 m4");
	expect("UPDATE machines SET line = line + 10 WHERE id = 'm2'", "");
	expect("SELECT id, name, line FROM machines WHERE id = 'm2'", "m2|oven|11");
	expect("INSERT INTO machines(id, name, line) VALUES ('m9', 'saw', 5)", "");
	expect("SELECT id, name, line FROM machines WHERE id = 'm9'", "m9|saw|5");
	expect_error("UPDATE machines SET id = 'x' WHERE id = 'm9'", ERR_UNSUPPORTED, "key");
	expect_error("INSERT INTO machines(name) VALUES ('x')", ERR_TYPE, "needs a key");
	expect("DELETE FROM machines", "");
	expect("SELECT count(*) FROM machines", "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write_off, setup, fixture_close), cmocka_unit_test_setup_teardown(test_insert, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_insert_refused, setup, fixture_close), cmocka_unit_test_setup_teardown(test_changelog_read, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_changelog_join, setup, fixture_close), cmocka_unit_test_setup_teardown(test_changelog_write, setup, fixture_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
