/* A sink is given the same rows as SQLite would be, and only of statements that are plain scans. */
#include "support/vtab_fixture.h"
#include "vtab/sink.h"
#include "vtab/table.h"

static const char *const values[] = {
	"{\"i\":1,\"r\":1.5,\"s\":\"x\",\"b\":true,\"o\":{\"a\":[1,2]}}", "{\"i\":9223372036854775807,\"r\":-0.0,\"s\":\"\\u00e4\\u0000y\",\"b\":false}", "{\"i\":null}", "{}", "not json", "",
	"{\"i\":\"text\",\"r\":1e400,\"s\":12,\"b\":\"yes\",\"o\":\"\"}", "{\"i\":1.5,\"r\":3,\"s\":[],\"b\":2}",
};
enum { VALUE_N = sizeof values / sizeof *values };

static int setup(void **state)
{
	if (fixture_open() != 0)
		return -1;
	struct fake_topic *t = fake_topic_add(fake, "t", 2);
	for (int i = 0; i < 3 * VALUE_N; i++)
		fake_add(t, i % 2, -1, 1000 + i, i % 5 ? (i % 7 ? "key" : "\xff\xfe") : NULL, values[i % VALUE_N]);
	fake_add(t, 0, -1, TIME_NONE, "k", NULL);
	run("CREATE VIRTUAL TABLE t USING kafka('t', format = 'json', i INTEGER, r REAL, s TEXT, b BOOLEAN, o JSON)");
	return 0;
}

static void show(struct buf *to, const struct field *f)
{
	switch (f->type) {
	case FIELD_INTEGER:
	case FIELD_BOOLEAN:
		buf_addf(to, "|i%lld", (long long)f->u.i);
		return;
	case FIELD_REAL:
		buf_addf(to, "|r%.17g", f->u.d);
		return;
	case FIELD_TEXT:
	case FIELD_JSON:
	case FIELD_BLOB:
		buf_addf(to, "|%c%zu:", f->type == FIELD_BLOB ? 'b' : 't', f->bytes.len);
		if (f->bytes.len)
			buf_add(to, f->bytes.data, f->bytes.len);
		return;
	default:
		buf_adds(to, "|-");
	}
}

static struct field of_sqlite(sqlite3_stmt *stmt, int i)
{
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		return (struct field){.type = FIELD_INTEGER, .u.i = sqlite3_column_int64(stmt, i)};
	case SQLITE_FLOAT:
		return (struct field){.type = FIELD_REAL, .u.d = sqlite3_column_double(stmt, i)};
	case SQLITE_TEXT:
	case SQLITE_BLOB: {
		bool text = sqlite3_column_type(stmt, i) == SQLITE_TEXT;
		const void *data = text ? (const void *)sqlite3_column_text(stmt, i) : sqlite3_column_blob(stmt, i);
		return (struct field){.type = text ? FIELD_TEXT : FIELD_BLOB, .bytes = bytes_of(data, (size_t)sqlite3_column_bytes(stmt, i))};
	}
	default:
		return (struct field){.type = FIELD_NULL};
	}
}

struct taken {
	struct buf text;
	int n, row_n, fail_at;
};

static bool take(void *arg, const struct field *fields, struct err *err)
{
	struct taken *t = arg;
	if (++t->row_n == t->fail_at)
		return err_set(err, ERR_LIMIT, "enough");
	for (int i = 0; i < t->n; i++)
		show(&t->text, &fields[i]);
	buf_addc(&t->text, '\n');
	return true;
}

static sqlite3_stmt *prepare(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	return stmt;
}

static void test_same_rows(void **state)
{
	static const char *const plain[] = {
		"SELECT i, r, s, b, o FROM t", "SELECT o FROM t AS x", "SELECT _partition, _offset, _ts, _key, _size, _index, ROWTIME, ROWPARTITION, ROWOFFSET FROM t", "SELECT s, _ts, s, i FROM main.t", "SELECT _ts FROM t",
		"SELECT i AS k, \"r\" FROM t", "SELECT i FROM t WHERE _partition = 0",         /* the cursor answers for it alone */
	};
	(void)state;
	for (size_t q = 0; q < sizeof plain / sizeof *plain; q++) {
		sqlite3_stmt *stmt = prepare(plain[q]);
		struct row_sink sink;
		struct buf want = BUF_INIT;
		if (!row_sink_init(&sink, stmt))
			fail_msg("%s is a plain scan", plain[q]);
		int row_n = 0;
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			row_n++;
			for (int i = 0; i < sqlite3_column_count(stmt); i++) {
				struct field f = of_sqlite(stmt, i);
				show(&want, &f);
			}
			buf_addc(&want, '\n');
		}
		sqlite3_reset(stmt);
		assert_int_equal(row_n, strstr(plain[q], "WHERE") ? 3 * VALUE_N / 2 + 1 : 3 * VALUE_N + 1);
		/* Twice: the second scan finds the columns resolved. */
		for (int pass = 0; pass < 2; pass++) {
			struct taken t = {.n = sink.n};
			sink.row = take;
			sink.arg = &t;
			row_sink_next(db, &sink);
			assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
			sqlite3_reset(stmt);
			assert_int_equal(t.row_n, row_n);
			assert_int_equal(t.text.len, want.len);
			assert_memory_equal(t.text.data, want.data, want.len);
			buf_finish(&t.text);
		}
		/* Without a sink the rows are SQLite's again. */
		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		row_sink_finish(&sink);
		sqlite3_finalize(stmt);
		buf_finish(&want);
	}
}

static void test_not_plain(void **state)
{
	static const char *const others[] = {
		"SELECT i FROM t WHERE i > 1", "SELECT i + 0 FROM t", "SELECT i FROM t ORDER BY i", "SELECT i FROM t LIMIT 3", "SELECT DISTINCT i FROM t", "SELECT count(*) FROM t",
		"SELECT a.i FROM t a JOIN t b", "SELECT i FROM t UNION ALL SELECT i FROM t", "SELECT rowid FROM t", "SELECT 1 FROM t", "SELECT i, 1 FROM t", "SELECT upper(s) FROM t", "SELECT i FROM v", "SELECT i FROM hidden.t",
		"SELECT (SELECT max(i) FROM t) FROM t", "SELECT i FROM plain", "SELECT cast(i AS TEXT) FROM t", "SELECT i OVER () FROM (SELECT count(*) OVER () AS i FROM t)",
	};
	(void)state;
	run("CREATE TEMP VIEW v AS SELECT i FROM t WHERE i > 1");
	run("ATTACH ':memory:' AS hidden");
	run("CREATE VIEW hidden.t AS SELECT 1 AS i");
	run("CREATE TABLE plain(i)");
	for (size_t q = 0; q < sizeof others / sizeof *others; q++) {
		struct row_sink sink;
		sqlite3_stmt *stmt = NULL;
		if (sqlite3_prepare_v2(db, others[q], -1, &stmt, NULL) == SQLITE_OK && row_sink_init(&sink, stmt))
			fail_msg("%s is no plain scan", others[q]);
		sqlite3_finalize(stmt);
	}
}

/* A column that a sink does not know: the rows come through SQLite. */
static void test_unknown_columns(void **state)
{
	sqlite3_stmt *stmt = prepare("SELECT i, _headers FROM t");
	struct row_sink sink;
	struct taken t = {.n = 2};
	(void)state;
	assert_true(row_sink_init(&sink, stmt));
	sink.row = take;
	sink.arg = &t;
	row_sink_next(db, &sink);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(t.row_n, 0);
	row_sink_finish(&sink);
	sqlite3_finalize(stmt);
}

static void test_errors(void **state)
{
	sqlite3_stmt *stmt = prepare("SELECT i FROM t");
	struct row_sink sink;
	struct taken t = {.n = 1, .fail_at = 5};
	(void)state;
	assert_true(row_sink_init(&sink, stmt));
	sink.row = take;
	sink.arg = &t;
	row_sink_next(db, &sink);
	assert_int_not_equal(sqlite3_step(stmt), SQLITE_DONE);
	assert_int_equal(fake->provider.last_error.id, ERR_LIMIT);
	sqlite3_reset(stmt);
	/* A strict scan ends at the first bad message. */
	buf_finish(&t.text);
	t = (struct taken){.n = 1};
	fake->provider.strict = true;
	row_sink_next(db, &sink);
	assert_int_not_equal(sqlite3_step(stmt), SQLITE_DONE);
	assert_int_equal(fake->provider.last_error.id, ERR_DECODE);
	assert_true(t.row_n < VALUE_N);
	sqlite3_reset(stmt);
	buf_finish(&t.text);
	row_sink_finish(&sink);
	sqlite3_finalize(stmt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_rows, setup, fixture_close), cmocka_unit_test_setup_teardown(test_not_plain, setup, fixture_close),
		cmocka_unit_test_setup_teardown(test_unknown_columns, setup, fixture_close), cmocka_unit_test_setup_teardown(test_errors, setup, fixture_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
