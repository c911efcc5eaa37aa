/* shell/mount_query.h */
#include "shell/mount_query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "fuse/render.h"
#include "sql/lex.h"
#include "sql/live/live.h"

bool mount_names(struct session *s, const char *sql, char ***ret, size_t *ret_n, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	char **names = NULL;
	size_t n = 0;
	if (sqlite3_prepare_v2(session_db(s), sql, -1, &stmt, NULL) != SQLITE_OK)
		return err_set(err, ERR_SQL, "%s", sqlite3_errmsg(session_db(s)));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		names = xreallocarray(names, n + 1, sizeof(char *));
		names[n++] = xstrdup((const char *)sqlite3_column_text(stmt, 0));
	}
	sqlite3_finalize(stmt);
	*ret = names;
	*ret_n = n;
	return true;
}

bool mount_query_names(struct mount_access *a, char ***ret, size_t *ret_n, struct err *err)
{
	return mount_names(((struct access *)a)->session, "SELECT name FROM sqlite_schema WHERE type = 'view' UNION SELECT name FROM sqlite_temp_schema WHERE type = 'view' ORDER BY 1",
		ret, ret_n, err);
}

static void add_value(struct buf *to, sqlite3_stmt *stmt, int i, bool csv)
{
	struct bytes v;
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_NULL:
		if (!csv)
			buf_adds(to, "null");
		break;
	case SQLITE_INTEGER:
		buf_addf(to, "%" PRId64, (int64_t)sqlite3_column_int64(stmt, i));
		break;
	case SQLITE_FLOAT:
		render_real(to, sqlite3_column_double(stmt, i));
		break;
	case SQLITE_BLOB:
		v = bytes_of(sqlite3_column_blob(stmt, i), (size_t)sqlite3_column_bytes(stmt, i));
		if (!csv)
			buf_addc(to, '"');
		if (v.data)
			render_base64(to, v);
		if (!csv)
			buf_addc(to, '"');
		break;
	default:
		v = bytes_of(sqlite3_column_text(stmt, i), (size_t)sqlite3_column_bytes(stmt, i));
		if (csv)
			render_csv_text(to, v);
		else
			render_json_string(to, v.data, v.len);
	}
}

static void add_row(struct buf *to, sqlite3_stmt *stmt, bool csv, bool names)
{
	int n = sqlite3_column_count(stmt);
	if (!csv)
		buf_addc(to, '{');
	for (int i = 0; i < n; i++) {
		if (i)
			buf_addc(to, ',');
		if (!csv) {
			render_json_string(to, sqlite3_column_name(stmt, i), strlen(sqlite3_column_name(stmt, i)));
			buf_addc(to, ':');
		}
		if (names)
			render_csv_text(to, bytes_str(sqlite3_column_name(stmt, i)));
		else
			add_value(to, stmt, i, csv);
	}
	buf_adds(to, csv ? "\n" : "}\n");
}

bool mount_query_run(struct mount_access *base, const char *name, bool csv, bool (*put)(void *arg, const void *data, size_t len), void *arg, struct err *err)
{
	struct access *a = (struct access *)base;
	struct buf sql = BUF_INIT, line = BUF_INIT;
	struct query *q = NULL;
	size_t used = 0;
	buf_adds(&sql, "SELECT * FROM ");
	sql_quote_name(&sql, name);
	bool ok = session_prepare(a->session, sql.data, sql.len, &used, &q, err);
	if (ok && !q)
		ok = err_set(err, ERR_INTERNAL, "nothing to run");
	bool first = true;
	while (ok) {
		enum query_step step = query_step(q, err);
		if (step == QUERY_FAILED)
			ok = false;
		if (ok && first && csv && query_stmt(q)) {
			add_row(&line, query_stmt(q), true, true);
			ok = put(arg, line.data, line.len);
			buf_clear(&line);
		}
		first = false;
		if (step != QUERY_ROW)
			break;
		if (ok) {
			add_row(&line, query_stmt(q), csv, false);
			ok = put(arg, line.data, line.len);
			buf_clear(&line);
		}
	}
	query_destroy(q);
	buf_finish(&line);
	buf_finish(&sql);
	return ok;
}

/* ---- live views ---- */

/* The text that a query has for a view's name, else NULL; the caller frees. */
static char *text_for(struct session *s, const char *sql, const char *name)
{
	sqlite3_stmt *stmt = NULL;
	char *text = NULL;
	if (sqlite3_prepare_v2(session_db(s), sql, -1, &stmt, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0))
		text = xstrdup((const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return text;
}

/* The live query of a view: windows when they are final, else each change. What does not fit a view is refused by the session, so they are tried in turn. */
static bool prepare_live(struct session *s, const char *name, const char *since, struct query **ret, struct err *err)
{
	static const char *const plain[] = {" EMIT FINAL", " EMIT CHANGES"}, *const own[] = {"", " EMIT CHANGES"};
	char *query = text_for(s, "SELECT query FROM weir_queries WHERE name = ?1 COLLATE NOCASE", name);       /* a materialized view's own */
	bool ok = false;
	struct err first = ERR_INIT;
	for (int i = 0; i < 2 && !ok; i++) {
		struct buf sql = BUF_INIT;
		size_t used = 0;
		if (query) {
			buf_addf(&sql, "%s%s", query, own[i]);
		} else {
			buf_adds(&sql, "SELECT * FROM ");
			sql_quote_name(&sql, name);
			buf_adds(&sql, plain[i]);
		}
		buf_adds(&sql, " FROM ");
		sql_quote_text(&sql, since);
		err_clear(err);
		ok = session_prepare(s, sql.data, sql.len, &used, ret, err);
		if (ok && (!*ret || !query_stmt(*ret))) {
			query_destroy(*ret);
			*ret = NULL;
			ok = err_set(err, ERR_SQL, "%s has no rows that could be followed", name);
		}
		if (!ok && i == 0)
			first = *err;
		buf_finish(&sql);
	}
	if (!ok && first.id != ERR_SQL)
		*err = first;                        /* the brokers, not the view */
	free(query);
	return ok;
}

static struct view_fact *fact_of(struct access *a, const char *name)
{
	for (size_t i = 0; i < a->fact_n; i++)
		if (strcmp(a->facts[i].name, name) == 0)
			return &a->facts[i];
	a->facts = xreallocarray(a->facts, a->fact_n + 1, sizeof *a->facts);
	a->facts[a->fact_n] = (struct view_fact){.name = xstrdup(name)};
	return &a->facts[a->fact_n++];
}

/* Is it live? Found out once for each text of a view; asked again while the brokers do not answer. */
static bool is_live(struct access *a, const char *name)
{
	struct view_fact *f = fact_of(a, name);
	char *sql = text_for(a->session, "SELECT sql FROM sqlite_temp_schema WHERE type = 'view' AND name = ?1 UNION ALL SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = ?1", name);
	if (f->sql && sql && strcmp(f->sql, sql) == 0) {
		free(sql);
		return f->live;
	}
	struct query *q = NULL;
	struct err err = ERR_INIT;
	f->live = prepare_live(a->session, name, "now", &q, &err);
	query_destroy(q);
	bool certain = f->live || err.id == ERR_SQL || err.id == ERR_NOT_BUILT;
	free(f->sql);
	f->sql = certain ? sql : NULL;
	if (!certain)
		free(sql);
	return f->live;
}

bool mount_view_names(struct mount_access *base, char ***ret, size_t *ret_n, struct err *err)
{
	struct access *a = (struct access *)base;
	char **names = NULL;
	size_t n = 0, kept = 0;
	if (!mount_query_names(base, &names, &n, err))
		return false;
	for (size_t i = 0; i < n; i++)
		if (is_live(a, names[i]))
			names[kept++] = names[i];
		else
			free(names[i]);
	*ret = names;
	*ret_n = kept;
	return true;
}

bool mount_view_follow(struct mount_access *base, const char *name, bool csv, const char *since, mount_put_fn *put, void *arg, struct err *err)
{
	enum { QUIET_STEPS = 4 };
	struct access *a = (struct access *)base;
	struct buf lines = BUF_INIT;
	struct query *q = NULL;
	struct live_target *target = NULL;
	int idle_n = 0;
	bool there = false, ok = prepare_live(a->session, name, since, &q, err), more;
	if (ok) {
		target = query_target_now(q, err);
		ok = target != NULL;
	}
	for (more = ok; more;) {
		enum query_step step = query_step(q, err);
		idle_n = step == QUERY_IDLE ? idle_n + 1 : 0;
		if (step == QUERY_ROW) {
			add_row(&lines, query_stmt(q), csv, false);
			more = put(arg, lines.data, lines.len, there);
			buf_clear(&lines);
		} else if (step == QUERY_IDLE) {
			there = there || query_reached(q, target, idle_n >= QUIET_STEPS);
			more = put(arg, NULL, 0, there);
		} else {
			ok = step != QUERY_FAILED;
			more = false;
		}
	}
	live_target_destroy(target);
	query_destroy(q);
	buf_finish(&lines);
	return ok;
}

void mount_view_names_forget(struct access *a)
{
	for (size_t i = 0; i < a->fact_n; i++) {
		free(a->facts[i].name);
		free(a->facts[i].sql);
	}
	free(a->facts);
}
