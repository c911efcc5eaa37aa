/* Nanoseconds a row of the topic table itself: everything but the broker. One million messages of about 160 bytes from a source in memory that
 * gives sealed batches again and again. Prints a table; never fails on a figure.
 *     build/tests/weir-bench-vtab [rows [statement ..]]     (the table is t) */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "vtab/vtab.h"
#include "core/alloc.h"
#include "core/time.h"

enum { BATCH_RECORDS = 1000 };

struct bench_source {
	struct source base;
	struct batch *batch;                     /* the same one each time: what is measured is the reader of it */
	int64_t left;
	struct scan_filter filter;
};

static int64_t row_n = 1000000;
static struct batch_pool *pool;
static struct batch *full;

static void fill(void)
{
	pool = batch_pool_create(BATCH_RECORDS, 1 << 20, 4);
	full = batch_create(pool, 0, 0);
	for (int i = 0; i < BATCH_RECORDS; i++) {
		char value[256], key[16];
		int n = snprintf(value, sizeof value, "{\"id\":%d,\"line\":\"L%d\",\"machine\":\"press-%02d\",\"ts\":\"2026-09-01T04:00:00.%03dZ\",\"value\":%d.%d,\"unit\":\"bar\",\"quality\":\"GOOD\",\"shift\":2,\"ok\":true}", i, i % 12, i % 40, i % 1000, i % 90, i % 10);
		int k = snprintf(key, sizeof key, "press-%02d", i % 40);
		struct record meta = {.offset = i, .ts_ms = 1700000000000 + i, .ts_type = TS_TYPE_CREATE, .size = (uint32_t)(n + k)};
		batch_add(full, &meta, bytes_of(key, (size_t)k), bytes_of(value, (size_t)n), bytes_of(NULL, 0));
	}
	batch_seal(full);
}

static enum source_status bench_next(struct source *source, int wait_ms, struct batch **ret, struct err *err)
{
	struct bench_source *s = (struct bench_source *)source;
	if (s->left <= 0)
		return SOURCE_END;
	s->left -= BATCH_RECORDS;
	s->base.stats.message_n += BATCH_RECORDS;
	*ret = batch_ref(full);
	return SOURCE_BATCH;
}

static void bench_destroy(struct source *source)
{
	free(source);
}

static const struct source_impl bench_source_impl = {.next = bench_next, .destroy = bench_destroy};

static bool bench_info(struct provider *p, const char *cluster, const char *topic, unsigned ask, struct topic_info *ret, struct err *err)
{
	*ret = (struct topic_info){.partition_n = 1, .time_seek = false};
	return true;
}

static bool bench_bounds(struct provider *p, const char *cluster, const char *topic, int32_t partition_n, struct partition_bounds *ret, struct err *err)
{
	ret[0] = (struct partition_bounds){0, -1, 0, row_n};
	return true;
}

static bool bench_open(struct provider *p, const char *cluster, const struct scan_request *request, struct source **ret, struct err *err)
{
	struct bench_source *s = xcalloc(1, sizeof *s);
	*s = (struct bench_source){.base.impl = &bench_source_impl, .left = row_n, .filter = request->filter};
	*ret = &s->base;
	return true;
}

static const struct provider_impl impl = {.topic_info = bench_info, .topic_bounds = bench_bounds, .open_scan = bench_open};

static void measure(sqlite3 *db, struct provider *p, const char *sql)
{
	int64_t best = INT64_MAX;
	char result[64] = "";
	for (int i = 0; i < 4; i++) {
		sqlite3_stmt *stmt = NULL;
		p->statement_n++;
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
			printf("%s: %s\n", sql, sqlite3_errmsg(db));
			return;
		}
		while (sqlite3_step(stmt) == SQLITE_ROW)
			if (!result[0] && sqlite3_column_text(stmt, 0))
				snprintf(result, sizeof result, "%s", sqlite3_column_text(stmt, 0));
		sqlite3_finalize(stmt);
		clock_gettime(CLOCK_MONOTONIC, &b);
		int64_t ns = (b.tv_sec - a.tv_sec) * 1000000000 + (b.tv_nsec - a.tv_nsec);
		best = ns < best ? ns : best;
	}
	printf("%7.1f ns/row  %s  -> %s\n", (double)best / (double)row_n, sql, result);
}

int main(int argc, char **argv)
{
	static const char *const statements[] = {
		"SELECT count(*) FROM t",
		"SELECT sum(_offset) FROM t",
		"SELECT count(*) FROM t WHERE _ts >= 0",
		"SELECT sum(value) FROM t",
		"SELECT sum(value), max(line) FROM t",
		"SELECT line, avg(value) FROM t GROUP BY line",
		"SELECT sum(value) FROM t WHERE line = 'L3'",
		"SELECT count(_value) FROM t",
		"SELECT sum(_value ->> '$.value') FROM t",
		"SELECT count(*) FROM t WHERE _key = 'press-07'",
	};
	struct cancel cancel = {0};
	struct provider p = {.impl = &impl, .cancel = &cancel, .time_slack_ms = -1, .statement_n = 1};
	struct err err = ERR_INIT;
	sqlite3 *db = NULL;
	if (argc > 1)
		row_n = atoll(argv[1]);
	fill();
	if (sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK || sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK || !vtab_register(db, &p, &err))
		return 1;
	if (sqlite3_exec(db, "CREATE VIRTUAL TABLE t USING kafka('t', format = 'json', id INTEGER, line TEXT, machine TEXT, ts TEXT, value REAL, unit TEXT, quality TEXT, shift INTEGER, ok BOOLEAN)", NULL, NULL, NULL) != SQLITE_OK) {
		printf("%s\n", sqlite3_errmsg(db));
		return 1;
	}
	for (int i = 2; i < argc; i++)
		measure(db, &p, argv[i]);
	for (size_t i = 0; argc < 3 && i < sizeof statements / sizeof *statements; i++)
		measure(db, &p, statements[i]);
	sqlite3_close(db);
	batch_unref(full);
	batch_pool_unref(pool);
	return 0;
}
