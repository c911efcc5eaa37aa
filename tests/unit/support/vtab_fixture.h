/* What the tests of vtab/ share: one database on a fake provider, and queries whose rows are compared as text. */
#ifndef WEIR_TESTS_VTAB_FIXTURE_H
#define WEIR_TESTS_VTAB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "vtab/vtab.h"
#include "fake_provider.h"

static struct fake *fake;
static sqlite3 *db;

/* Rows as "a|b c|d"; an error as "error: text". A new statement each time. Caller frees. */
static inline char *query(const char *sql)
{
	struct buf b = BUF_INIT;
	sqlite3_stmt *stmt = NULL;
	fake->provider.statement_n++;
	fake->provider.stats = (struct scan_stats){0};
	fake->open_n = fake->offsets_at_n = fake->bounds_n = 0;
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
		buf_addf(&b, "error: %s", sqlite3_errmsg(db));
		return buf_take(&b);
	}
	int rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (b.len)
			buf_addc(&b, ' ');
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const char *text = (const char *)sqlite3_column_text(stmt, i);
			buf_addf(&b, "%s%s", i ? "|" : "", text ? text : "NULL");
		}
	}
	if (rc != SQLITE_DONE)
		buf_addf(&b, "%serror: %s", b.len ? " " : "", sqlite3_errmsg(db));
	sqlite3_finalize(stmt);
	return buf_take(&b);
}

static inline void expect(const char *sql, const char *rows)
{
	char *got = query(sql);
	if (strcmp(got, rows) != 0)
		fail_msg("%s\n  got  %s\n  want %s", sql, got, rows);
	free(got);
}

/* The rows, and how many messages the broker delivered for them. */
static inline void expect_read(const char *sql, const char *rows, int64_t message_n)
{
	expect(sql, rows);
	if (fake->provider.stats.message_n != message_n)
		fail_msg("%s\n  %lld messages delivered, want %lld", sql, (long long)fake->provider.stats.message_n, (long long)message_n);
}

static inline void expect_error(const char *sql, enum err_id id, const char *part)
{
	char *got = query(sql);
	if (!strstr(got, "error: ") || !strstr(got, part) || fake->provider.last_error.id != id)
		fail_msg("%s\n  got  %s (%d)\n  want error %d with: %s", sql, got, (int)fake->provider.last_error.id, (int)id, part);
	free(got);
	err_clear(&fake->provider.last_error);
}

static inline void run(const char *sql)
{
	char *text = NULL;
	fake->provider.statement_n++;
	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s: %s", sql, text);
}

static int fixture_open(void)
{
	struct err err = ERR_INIT;
	fake = fake_create();
	return sqlite3_open(":memory:", &db) == SQLITE_OK && vtab_register(db, &fake->provider, &err) ? 0 : -1;
}

/* Fails if a statement was left open. */
static int fixture_close(void **state)
{
	int rc = sqlite3_close(db);
	fake_destroy(fake);
	return rc == SQLITE_OK ? 0 : -1;
}

#endif
