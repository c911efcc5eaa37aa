/* What one chunk of a live query costs below the engine: push a batch into a feed table, step a prepared statement over it, reset, clear.
 *     build/tests/weir-bench-feed */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "core/alloc.h"
#include "core/time.h"
#include "tests/unit/support/fake_provider.h"
#include "vtab/feed.h"
#include "vtab/follow.h"
#include "vtab/vtab.h"

static struct batch_pool *pool;

static struct batch *make(int n)
{
	struct batch *b = batch_create(pool, 0, 0);
	for (int i = 0; i < n; i++) {
		char value[256], key[16];
		int len = snprintf(value, sizeof value, "{\"id\":%d,\"line\":\"L%d\",\"machine\":\"press-%02d\",\"ts\":\"2026-09-01T04:00:00.%03dZ\",\"value\":%d.%d,\"unit\":\"bar\"}", i, i % 12, i % 40, i % 1000, i % 90, i % 10);
		int k = snprintf(key, sizeof key, "press-%02d", i % 40);
		struct record meta = {.offset = i, .ts_ms = 1700000000000 + i, .ts_type = TS_TYPE_CREATE, .size = (uint32_t)(len + k)};
		batch_add(b, &meta, bytes_of(key, (size_t)k), bytes_of(value, (size_t)len), bytes_of(NULL, 0));
	}
	batch_seal(b);
	return b;
}

static void measure(sqlite3 *db, struct feed_table *f, int chunk, int chunks, const char *sql)
{
	struct batch *b = make(chunk);
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
		printf("%s: %s\n", sql, sqlite3_errmsg(db));
		return;
	}
	int64_t best = INT64_MAX;
	for (int turn = 0; turn < 4; turn++) {
		struct timespec from, to;
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (int i = 0; i < chunks; i++) {
			feed_table_add(f, b, 0, b->record_n);
			while (sqlite3_step(stmt) == SQLITE_ROW)
				sqlite3_column_int64(stmt, 0);
			sqlite3_reset(stmt);
			feed_table_clear(f);
		}
		clock_gettime(CLOCK_MONOTONIC, &to);
		int64_t ns = (to.tv_sec - from.tv_sec) * 1000000000 + (to.tv_nsec - from.tv_nsec);
		best = ns < best ? ns : best;
	}
	printf("%5d a chunk  %8.2f us/chunk  %7.1f ns/message  %s\n", chunk, (double)best / 1000 / chunks, (double)best / chunks / chunk, sql);
	sqlite3_finalize(stmt);
	batch_unref(b);
}

int main(void)
{
	static const char *const statements[] = {
		"SELECT _offset FROM e", "SELECT value FROM e", "SELECT line, value, _ts FROM e WHERE value > 30", "SELECT _value ->> '$.value' FROM e",
		"SELECT e.value, m.vendor FROM e JOIN machines m USING (machine)",
		"SELECT e.value, c.vendor FROM e JOIN changelog c USING (machine)",
		"SELECT e.value, v.vendor FROM e LEFT JOIN versions v ON v.machine = e.machine AND v._as_of = e._ts",
	};
	if (sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
		return 1;
	struct fake *fake = fake_create();
	fake->provider.statement_n = 1;
	struct fake_topic *machines = fake_topic_add(fake, "machines", 1);
	for (int i = 0; i < 4000; i++) {
		char key[16];
		snprintf(key, sizeof key, "press-%02d", i % 2000);
		fake_add(machines, 0, -1, 1600000000000 + i, key, "{\"vendor\": \"KUKA\"}");
	}
	struct follow *follow = NULL, *versions = NULL;
	struct err err = ERR_INIT;
	sqlite3 *db = NULL;
	struct feed_table *f = NULL;
	pool = batch_pool_create(1000, 1 << 20, 4);
	struct stream *s = stream_create("e", "events");
	free(s->format);
	s->format = xstrdup("json");
	stream_add_column(s, "id", COLUMN_INTEGER, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "line", COLUMN_TEXT, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "machine", COLUMN_TEXT, COLUMN_FROM_VALUE, NULL);
	stream_add_column(s, "value", COLUMN_REAL, COLUMN_FROM_VALUE, NULL);
	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    !vtab_register(db, &fake->provider, &err) || !feed_table_create(db, "e", s, &f, &err)) {
		printf("%s\n", err.msg);
		return 1;
	}
	sqlite3_exec(db, "CREATE TABLE machines (machine TEXT PRIMARY KEY, vendor TEXT); WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 39) INSERT INTO machines SELECT printf('press-%02d', i), 'KUKA' FROM n", NULL, NULL, NULL);
	if (sqlite3_exec(db, "CREATE VIRTUAL TABLE changelog USING kafka('machines', format = 'json', machine TEXT PRIMARY KEY, vendor TEXT)", NULL, NULL, NULL) != SQLITE_OK ||
	    !vtab_changelog_follow(db, "changelog", &follow, &err) || !vtab_changelog_versions(db, "changelog", "versions", &versions, &err)) {
		printf("%s %s\n", sqlite3_errmsg(db), err.msg);
		return 1;
	}
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
		measure(db, f, 1, 100000, statements[i]);
		measure(db, f, 1000, 300, statements[i]);
	}
	stream_destroy(s);
	feed_table_destroy(f);
	vtab_changelog_unfollow(versions);
	vtab_changelog_unfollow(follow);
	sqlite3_close(db);
	fake_destroy(fake);
	batch_pool_unref(pool);
	return 0;
}
