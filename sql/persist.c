/* sql/persist.h
 *
 *     weir_catalog(kind, name, profile, brokers, sql): kind 'version' (name = format number), 'cluster', 'view', 'materialized view'
 *
 * A database file can be a stranger's. So a cluster kept in it is a profile's name, or bare addresses that are contacted without any credentials,
 * only when a statement names that cluster, and never as the current one; no client setting is read from it. A view is run only if it is one
 * CREATE TEMP VIEW statement. */
#include "sql/persist.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "sql/live/matview.h"

enum { FORMAT = 1 };

static const char make[] =
	"CREATE TABLE IF NOT EXISTS main.weir_catalog(kind TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, profile TEXT, brokers TEXT, sql TEXT, PRIMARY KEY(kind, name));"
	"INSERT OR IGNORE INTO main.weir_catalog(kind, name) VALUES ('version', '1')";

static bool has_catalog(struct session *s)
{
	return sqlite3_table_column_metadata(s->db, "main", "weir_catalog", "kind", NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

static bool put(struct session *s, const char *kind, const char *name, const char *profile, const char *brokers, const char *sql, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	if (!s->persistent)
		return true;
	if (!has_catalog(s) && !session_exec(s, make, err))
		return false;
	int rc = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO main.weir_catalog(kind, name, profile, brokers, sql) VALUES (?1, ?2, ?3, ?4, ?5)", -1, &stmt, NULL);
	if (rc == SQLITE_OK) {
		const char *values[] = {kind, name, profile, brokers, sql};
		for (int i = 0; i < 5; i++)
			sqlite3_bind_text(stmt, i + 1, values[i], -1, SQLITE_STATIC);
		rc = sqlite3_step(stmt);
	}
	bool ok = rc == SQLITE_DONE || session_sqlite_error(s, rc, -1, err);
	sqlite3_finalize(stmt);
	return ok;
}

bool persist_cluster(struct session *s, const char *name, const char *brokers, const char *profile, struct err *err)
{
	return put(s, "cluster", name, profile, brokers, NULL, err);
}

bool persist_view(struct session *s, const char *name, const char *sql, const char *written, struct err *err)
{
	return put(s, "view", name, NULL, NULL, sql, err) && (!written || !s->persistent || put(s, "view text", name, NULL, NULL, written, err));
}

bool persist_matview(struct session *s, const char *name, const char *select, struct err *err)
{
	return put(s, "materialized view", name, NULL, NULL, select, err);
}

bool persist_forget(struct session *s, const char *kind, const char *name, struct err *err)
{
	if (!s->persistent || !has_catalog(s))
		return true;
	struct buf sql = BUF_INIT;
	buf_adds(&sql, "DELETE FROM main.weir_catalog WHERE kind = ");
	sql_quote_text(&sql, kind);
	buf_adds(&sql, " AND name = ");
	sql_quote_text(&sql, name);
	bool ok = session_exec(s, sql.data, err);
	buf_finish(&sql);
	return ok;
}

static void load_cluster(struct session *s, const char *name, const char *profile, const char *brokers)
{
	struct err err = ERR_INIT;
	struct attach_request r = {.name = name, .profile = profile, .brokers = profile ? NULL : brokers, .from_file = true};
	if (profile && !*profile)
		profile = r.profile = NULL;
	r.brokers = profile ? NULL : brokers;
	for (size_t i = 0; i < s->catalog->cluster_n; i++)
		if (sqlite3_stricmp(s->catalog->clusters[i]->name, name) == 0)
			return;                      /* the command line goes first */
	if (!catalog_attach(s->catalog, &r, &err)) {
		catalog_notice(s->catalog, NOTICE_WARNING, "cluster %s of the database file is not attached: %s", name, err.msg);
		return;
	}
	if (!s->catalog->current && profile)
		catalog_use(s->catalog, name, &err);
}

static void load_view(struct session *s, const char *name, const char *sql)
{
	struct split sp;
	struct err err = ERR_INIT;
	split_statement(sql, strlen(sql), &sp);
	struct parse p = parse_begin(sql, sp.start, sp.text_end);
	bool one = sp.end == strlen(sql) && parse_words(&p, "create temp view");
	if (!one)
		err_set(&err, ERR_SQL, "its text is not one CREATE TEMP VIEW statement");
	if (!one || !session_exec(s, sql, &err))
		catalog_notice(s->catalog, NOTICE_WARNING, "view %s of the database file is left out: %s", name, err.msg);
}

static bool is_one_select(const char *sql)
{
	struct split sp;
	split_statement(sql, strlen(sql), &sp);
	struct parse p = parse_begin(sql, sp.start, sp.text_end);
	return sp.end == strlen(sql) && (parse_is(&p, "select") || parse_is(&p, "with"));
}

/* Its text is run when it is first named, as the SELECT that it must be. */
static void load_matview(struct session *s, const char *name, const char *sql)
{
	if (is_one_select(sql))
		matview_restore(s, name, sql);
	else
		catalog_notice(s->catalog, NOTICE_WARNING, "materialized view %s of the database file is left out: its text is not one SELECT", name);
}

bool persist_load(struct session *s, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	if (!has_catalog(s))
		return true;
	int rc = sqlite3_prepare_v2(s->db, "SELECT kind, name, profile, brokers, sql FROM main.weir_catalog ORDER BY rowid", -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return session_sqlite_error(s, rc, -1, err);
	bool ok = true;
	while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *v[5];
		for (int i = 0; i < 5; i++)
			v[i] = (const char *)sqlite3_column_text(stmt, i);
		if (!v[0] || !v[1])
			continue;
		if (strcmp(v[0], "version") == 0 && atoi(v[1]) > FORMAT)
			ok = err_set(err, ERR_STATE, "the database file was written by a newer weir (catalogue format %s, this one knows %d)", v[1], FORMAT);
		else if (strcmp(v[0], "cluster") == 0)
			load_cluster(s, v[1], v[2], v[3]);
		else if (strcmp(v[0], "view") == 0 && v[4])
			load_view(s, v[1], v[4]);
		else if (strcmp(v[0], "view text") == 0 && v[4] && is_one_select(v[4]))
			view_keep_written(s, v[1], v[4]);
		else if (strcmp(v[0], "materialized view") == 0 && v[4])
			load_matview(s, v[1], v[4]);
	}
	if (ok && rc != SQLITE_DONE)
		ok = session_sqlite_error(s, rc, -1, err);
	sqlite3_finalize(stmt);
	return ok;
}
