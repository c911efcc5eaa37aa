/* A session in front of the embedded broker: errors keep their class and place, cancelling ends waits, completion knows topics and columns,
 * registering many streams asks no broker. Rows and texts of statements are proved by tests/sql/dialect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <unistd.h>
#include <pthread.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/embedded.h"
#include "sql/session.h"
#include "vtab/follow.h"

static struct embedded *broker;
static struct buf notices;
static int asked, answer;

static void on_notice(void *arg, enum notice_level level, const char *text)
{
	(void)arg, (void)level;
	buf_addf(&notices, "%s\n", text);
}

static bool on_confirm(void *arg, const char *cluster, const char *topic)
{
	(void)arg, (void)cluster, (void)topic;
	asked++;
	return answer;
}

static int setup(void **state)
{
	struct err err = ERR_INIT;
	struct sink *sink = NULL;
	(void)state;
	setenv("WEIR_CONFIG", "/nonexistent/weir", 1);
	unsetenv("WEIR_BROKERS");
	broker = embedded_create(1, &err);
	assert_non_null(broker);
	assert_true(embedded_create_topic(broker, "plant", 2, &err));
	assert_true(embedded_create_topic(broker, "press-07.data", 1, &err));
	static const char *const topics[] = {"plant", "press-07.data"};
	for (size_t t = 0; t < 2; t++) {
		assert_true(embedded_open_sink(broker, topics[t], PARTITIONER_MURMUR2, &sink, &err));
		for (int i = 0; i < 10; i++) {
			char value[64];
			snprintf(value, sizeof value, "{\"line\":\"A\",\"n\":%d}", i);
			struct sink_record r = {.key = bytes_str("k"), .value = bytes_str(value), .ts_ms = 1700000000000 + i, .partition = t == 0 ? i % 2 : 0};
			assert_true(sink->impl->put(sink, &r, &err));
		}
		assert_true(sink->impl->flush(sink, &err));
		sink->impl->destroy(sink);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	embedded_destroy(broker);
	buf_finish(&notices);
	return 0;
}

static struct session *open_session(const char *brokers)
{
	struct session_options o = {.brokers = brokers, .notice = on_notice, .confirm_write = on_confirm};
	struct session *s = NULL;
	struct err err = ERR_INIT;
	if (!session_create(&o, &s, &err))
		fail_msg("%s", err.msg);
	buf_clear(&notices);
	return s;
}

/* Runs one statement; rows as "a|b\n". False with err. */
static bool run(struct session *s, const char *sql, struct buf *rows, struct err *err)
{
	struct query *q = NULL;
	size_t used = 0;
	err_clear(err);
	if (!session_prepare(s, sql, strlen(sql), &used, &q, err))
		return false;
	assert_int_equal(used, strlen(sql));
	enum query_step step;
	while ((step = query_step(q, err)) == QUERY_ROW)
		for (int c = 0; c < sqlite3_column_count(query_stmt(q)); c++)
			buf_addf(rows, "%s%s", (const char *)sqlite3_column_text(query_stmt(q), c), c + 1 < sqlite3_column_count(query_stmt(q)) ? "|" : "\n");
	query_destroy(q);
	return step == QUERY_DONE;
}

static void test_rows(void **state)
{
	struct session *s = open_session(embedded_bootstrap(broker));
	struct buf rows = BUF_INIT;
	struct err err = ERR_INIT;
	(void)state;
	assert_true(run(s, "select line, sum(n) from plant group by 1", &rows, &err));
	assert_string_equal(rows.data, "A|45\n");
	assert_non_null(strstr(notices.data, "CREATE STREAM \"plant\""));
	assert_int_equal(session_provider(s)->stats.message_n, 10);
	buf_clear(&rows);
	assert_true(run(s, "select 1", &rows, &err));
	assert_int_equal(session_provider(s)->stats.message_n, 0);
	buf_finish(&rows);
	session_destroy(s);
}

static void test_errors(void **state)
{
	static const struct {
		const char *sql;
		enum err_id id;
		int offset;
		const char *part;
	} rows[] = {
		{"select * from plnt", ERR_TOPIC_UNKNOWN, 14, "plnt"},
		{"  select * from plnt", ERR_TOPIC_UNKNOWN, 16, "plnt"},
		{"select 1 frm x", ERR_SQL, 13, "syntax error"},
		{"/* c */ select nope from plant", ERR_SQL, 15, "nope"},
		{"select * from other.plant", ERR_SQL, -1, "other.plant"},
		{"use nowhere", ERR_CLUSTER_UNKNOWN, -1, "nowhere"},
		{"attach cluster 'x y!' as z", ERR_SQL, -1, "addresses"},
		{"create stream s from topic 'nope'", ERR_TOPIC_UNKNOWN, -1, "nope"},
		{"create stream s (a int) from topic 'plant' with (format 'json')", ERR_SQL, 56, "="},
		{"create stream s as select 1", ERR_NOT_BUILT, 16, "continuous"},
		{"create materialized view v as select 1", ERR_SQL, -1, "no topic"},
		{"select * from session", ERR_TOPIC_UNKNOWN, 14, "session"},
		{"select line, count(*) from plant emit sometimes", ERR_SQL, -1, "syntax"},
		{"select count(*) from plant order by 1 emit final", ERR_SQL, -1, "final"},
		{"print plant limit x", ERR_SQL, 18, "number"},
		{"show topics like", ERR_SQL, 16, "pattern"},
		{"set strict = maybe", ERR_SQL, -1, "maybe"},
		{"explain scan delete from plant", ERR_SQL, 13, "SELECT"},
		{"select ts('x')", ERR_SQL, -1, "not a time"},
		{"select * from weir_brokers where cluster = 'none'", ERR_CLUSTER_UNKNOWN, -1, "none"},
		{"select 'a' regexp '('", ERR_SQL, -1, "regexp"},
		{"drop table plant2", ERR_SQL, -1, "no such table"},
	};
	struct session *s = open_session(embedded_bootstrap(broker));
	struct buf out = BUF_INIT;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = ERR_INIT;
		if (run(s, rows[i].sql, &out, &err))
			fail_msg("%s: no error", rows[i].sql);
		if (err.id != rows[i].id || !strstr(err.msg, rows[i].part) || (rows[i].offset >= 0 && err.sql_offset != rows[i].offset))
			fail_msg("%s: %d @%d %s", rows[i].sql, (int)err.id, err.sql_offset, err.msg);
	}
	buf_finish(&out);
	session_destroy(s);
}

static void test_no_cluster(void **state)
{
	struct session *s = open_session(NULL);
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	(void)state;
	assert_true(run(s, "create table a(x)", &out, &err));
	assert_false(run(s, "select * from plant", &out, &err));
	assert_int_equal(err.id, ERR_SQL);
	assert_non_null(strstr(err.hint, "-b"));
	assert_false(run(s, "show topics", &out, &err));
	assert_int_equal(err.id, ERR_NO_CLUSTER);
	assert_string_equal(session_cluster(s), "");
	buf_finish(&out);
	session_destroy(s);
}

/* Lazy: a thousand streams on a broker that is not there, and no more than a few ms each even on a loaded machine. */
static void test_register_many(void **state)
{
	struct session *s = open_session("127.0.0.1:1");
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	(void)state;
	for (int i = 0; i < 1000; i++) {
		char sql[128];
		snprintf(sql, sizeof sql, "create stream s%d (a int, b text) from topic 't%d'", i, i);
		assert_true(run(s, sql, &out, &err));
	}
	/* They exist for everyone who looks, in any spelling. */
	assert_false(run(s, "create stream S7 (a int) from topic 'x'", &out, &err));
	assert_int_equal(err.id, ERR_NAME_TAKEN);
	assert_true(run(s, "create stream if not exists s8 (a int) from topic 'x'", &out, &err));
	assert_false(run(s, "create table s9(a)", &out, &err));
	assert_true(run(s, "select count(*) from weir_streams", &out, &err));
	assert_string_equal(out.data, "1000\n");
	assert_false(run(s, "create stream bad (_ts int) from topic 'x'", &out, &err));
	buf_clear(&out);
	assert_true(run(s, "select sum(value) from weir_stats where name = 'session_requests'", &out, &err));
	assert_string_equal(out.data, "0\n");
	buf_finish(&out);
	session_destroy(s);
}

/* A declared stream waits for its first use; every way to it finds it. */
static void test_waiting_streams(void **state)
{
	static const char *const uses[] = {
		"select count(n) from W", "select (select count(n) from \"w\")", "with q as (select n from [w]) select count(*) from q", "select count(*) from pragma_table_info('w') where name = 'n' having count(*) = 1",
		"explain query plan select * from w", "describe w", "print w limit 1", "select stream from weir_streams where stream = 'w'", "select name from sqlite_schema where name = 'w'",
		"create view v as select n from w", "drop stream w", "drop table w", "begin", "create or replace stream w (line text) from topic 'plant'", "show streams", "pragma table_info(w)",
		"create table x as select n from w", "explain scan select n from w", "select n from main.w",
	};
	(void)state;
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
		struct session *s = open_session(embedded_bootstrap(broker));
		struct buf out = BUF_INIT;
		struct err err = ERR_INIT;
		assert_true(run(s, "create stream w (n int) from topic 'plant'", &out, &err));
		if (!run(s, uses[i], &out, &err))
			fail_msg("%s: %s", uses[i], err.msg);
		buf_finish(&out);
		session_destroy(s);
	}
}

static void test_confirm(void **state)
{
	struct session *s = open_session(embedded_bootstrap(broker));
	struct provider *p = session_provider(s);
	struct sink *sink = NULL;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	(void)state;
	assert_false(p->impl->open_sink(p, NULL, "plant", PARTITIONER_NONE, &sink, &err));
	assert_int_equal(err.id, ERR_WRITE_OFF);
	asked = answer = 0;
	assert_true(run(s, "set write = on", &out, &err));
	assert_false(p->impl->open_sink(p, NULL, "plant", PARTITIONER_NONE, &sink, &err));
	assert_int_equal(err.id, ERR_WRITE_OFF);
	assert_int_equal(asked, 1);
	answer = 1;
	for (int i = 0; i < 2; i++) {
		assert_true(p->impl->open_sink(p, NULL, "plant", PARTITIONER_NONE, &sink, &err));
		sink->impl->destroy(sink);
	}
	assert_int_equal(asked, 2);              /* a yes is kept for that topic */
	assert_true(run(s, "set write = off", &out, &err));
	assert_false(p->impl->open_sink(p, NULL, "plant", PARTITIONER_NONE, &sink, &err));
	buf_finish(&out);
	session_destroy(s);
}

static void *cancel_soon(void *arg)
{
	usleep(100 * 1000);
	session_cancel(arg, SIGINT);
	return NULL;
}

static void cancelled_within(const char *brokers, const char *sql)
{
	struct session *s = open_session(brokers);
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	pthread_t thread;
	int64_t began = time_mono_ms();
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, s), 0);
	assert_false(run(s, sql, &out, &err));
	int64_t took = time_mono_ms() - began;
	pthread_join(thread, NULL);
	if (err.id != ERR_INTERRUPTED || took > 3000)
		fail_msg("%s: %d %s after %lld ms", sql, (int)err.id, err.msg, (long long)took);
	session_cancel_reset(s);
	buf_clear(&out);
	assert_true(run(s, "select 7", &out, &err));
	assert_string_equal(out.data, "7\n");
	buf_finish(&out);
	session_destroy(s);
}

static void test_cancel(void **state)
{
	(void)state;
	cancelled_within(NULL, "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c");
	/* An address that swallows packets: the wait is in librdkafka, not in SQLite. */
	cancelled_within("192.0.2.1:9092", "select * from plant");
}

static void test_deadline(void **state)
{
	struct session *s = open_session(NULL);
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	(void)state;
	atomic_store(&session_provider(s)->cancel->deadline_ms, time_mono_ms() + 50);
	assert_false(run(s, "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c", &out, &err));
	assert_int_equal(err.id, ERR_TIMEOUT);
	buf_finish(&out);
	session_destroy(s);
}

static void add_name(void *arg, const char *name, const char *note)
{
	(void)note;
	buf_addf(arg, "%s ", name);
}

static void check_completion(struct session *s, const char *before, const char *prefix, const char *want, const char *must_not)
{
	struct buf got = BUF_INIT;
	buf_addc(&got, ' ');
	session_complete(s, before, prefix, add_name, &got);
	char *wanted = xasprintf(" %s ", want);
	if (!strstr(got.data, wanted) || (must_not && strstr(got.data, must_not)))
		fail_msg("after '%s' + '%s': %s", before, prefix, got.data);
	free(wanted);
	buf_finish(&got);
}

static void test_completion(void **state)
{
	struct session *s = open_session(embedded_bootstrap(broker));
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	(void)state;
	assert_true(run(s, "create table local(alpha, beta)", &out, &err));
	assert_true(run(s, "create stream st (gamma int) from topic 'plant'", &out, &err));
	assert_true(run(s, "select 1 from st limit 1", &out, &err));      /* connected: a completion waits 300 ms for topics at most */
	check_completion(s, "select * from pl", "pl", "plant", "local");
	check_completion(s, "select * from ", "", "\"press-07.data\"", NULL);
	check_completion(s, "select * from press", "press", "\"press-07.data\"", NULL);
	check_completion(s, "select * from local l where l.", "", "alpha", "gamma");
	check_completion(s, "select * from st where ga", "ga", "gamma", NULL);
	check_completion(s, "select * from st where _of", "_of", "_offset", NULL);
	check_completion(s, "select time_", "time_", "time_text", NULL);
	check_completion(s, "sh", "sh", "SHOW", NULL);
	check_completion(s, "show to", "to", "TOPICS", NULL);
	check_completion(s, "set wr", "wr", "write", NULL);
	check_completion(s, "select 1; desc", "desc", "DESCRIBE", NULL);
	check_completion(s, "select * from st wh", "wh", "WHERE", NULL);
	check_completion(s, "use d", "d", "\"default\"", NULL);
	check_completion(s, "select * from weir_br", "weir_br", "weir_brokers", NULL);
	check_completion(s, "select * from tu", "tu", "tumble", NULL);
	check_completion(s, "select * from tumble(", "", "local", "tumble");
	check_completion(s, "select * from tumble(st, size => '1m') where ga", "ga", "gamma", NULL);
	check_completion(s, "select * from st emit ", "", "FINAL", "local");
	check_completion(s, "select * from st emit final gr", "gr", "GRACE", NULL);
	check_completion(s, "select approx_p", "approx_p", "approx_percentile", NULL);
	assert_true(run(s, "create materialized view kept as select window_start, count(*) as n from tumble(st, size => '1m') group by window_start", &out, &err));
	check_completion(s, "select * from ke", "ke", "kept", NULL);
	check_completion(s, "select * from ", "", "absent", "weir_");
	check_completion(s, "select * from absent(", "", "kept", NULL);
	buf_finish(&out);
	session_destroy(s);
}

static void test_memory_limit(void **state)
{
	struct session *s = open_session(NULL);
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	(void)state;
	assert_true(run(s, "set memory_limit = 32M", &out, &err));
	assert_false(run(s, "with recursive c(x) as (select 1 union all select x + 1 from c limit 100000) select count(*) from (select randomblob(2000) b from c order by b)", &out, &err));
	assert_int_equal(err.id, ERR_MEMORY);
	assert_false(run(s, "select length(randomblob(500000000))", &out, &err));
	assert_true(run(s, "set memory_limit = 1G", &out, &err));
	buf_clear(&out);
	assert_true(run(s, "select 1", &out, &err));
	buf_finish(&out);
	session_destroy(s);
}

/* The state of a followed table comes from the broker once, its updates as they are written; also one of which no statement has spoken yet. */
static void test_followed_table(void **state)
{
	struct session *s = open_session(embedded_bootstrap(broker));
	struct buf rows = BUF_INIT;
	struct err err = ERR_INIT;
	struct follow *f = NULL, *versions = NULL;
	struct sink *sink = NULL;
	(void)state;
	assert_true(embedded_create_topic(broker, "machines", 3, &err));
	assert_true(embedded_open_sink(broker, "machines", PARTITIONER_MURMUR2, &sink, &err));
	const char *const vendors[] = {"{\"vendor\":\"old\"}", "{\"vendor\":\"KUKA\"}", NULL, "{\"vendor\":\"ABB\"}"};
	for (int i = 0; i < 2; i++) {
		struct sink_record r = {.key = bytes_str("press"), .value = bytes_str(vendors[i]), .ts_ms = 1000 + i, .partition = SINK_PARTITION_ANY};
		assert_true(sink->impl->put(sink, &r, &err));
	}
	assert_true(sink->impl->flush(sink, &err));
	assert_true(run(s, "create table m (machine text primary key, vendor text) from topic 'machines' with (format = 'json')", &rows, &err));
	if (!vtab_changelog_follow(session_db(s), "m", &f, &err) || !vtab_changelog_versions(session_db(s), "m", "m_versions", &versions, &err))
		fail_msg("%s", err.msg);
	assert_true(run(s, "select vendor from m", &rows, &err));
	assert_string_equal(rows.data, "KUKA\n");
	for (int i = 2; i < 4; i++) {
		struct sink_record r = {.key = bytes_str("press"), .value = vendors[i] ? bytes_str(vendors[i]) : bytes_of(NULL, 0), .ts_ms = 1000 + i, .partition = SINK_PARTITION_ANY};
		assert_true(sink->impl->put(sink, &r, &err));
		assert_true(sink->impl->flush(sink, &err));
		size_t applied = 0, sum = 0;
		for (int64_t until = time_mono_ms() + 3000; sum < 2 && time_mono_ms() < until; sum += applied)
			if (!vtab_changelog_poll(session_db(s), 20, &applied, &err))
				fail_msg("%s", err.msg);
		buf_clear(&rows);
		assert_true(run(s, "select vendor from m", &rows, &err));
		assert_string_equal(rows.len ? rows.data : "", i == 2 ? "" : "ABB\n");
		assert_int_equal(session_provider(s)->stats.message_n, 0);
	}
	buf_clear(&rows);
	assert_true(run(s, "select _as_of, vendor from (select 999 as t union select 1000 union select 1001 union select 1002 union select 1003) left join m_versions on _as_of = t where vendor is not null order by 1", &rows, &err));
	assert_string_equal(rows.data, "1000|old\n1001|KUKA\n1003|ABB\n");
	vtab_changelog_unfollow(f);
	vtab_changelog_unfollow(versions);
	sink->impl->destroy(sink);
	buf_finish(&rows);
	session_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_errors), cmocka_unit_test(test_no_cluster), cmocka_unit_test(test_register_many),
		cmocka_unit_test(test_waiting_streams), cmocka_unit_test(test_confirm), cmocka_unit_test(test_cancel), cmocka_unit_test(test_deadline), cmocka_unit_test(test_completion),
		cmocka_unit_test(test_followed_table), cmocka_unit_test(test_memory_limit),
	};
	buf_init(&notices);
	return cmocka_run_group_tests(tests, setup, teardown);
}
