/* The module `kafka`: creating, connecting and dropping tables, passing errors, and what is kept per statement.
 * A `module` lives as long as its registration; tables and cursors point at it. One thread: the connection's. */
#include "vtab/scan.h"
#include "vtab/update.h"

#include <stdlib.h>
#include <strings.h>
#include "codec/infer.h"
#include "core/alloc.h"
#include "core/time.h"
#include "vtab/changelog.h"
#include "vtab/cursor.h"
#include "vtab/feed.h"
#include "vtab/follow.h"
#include "vtab/path_functions.h"
#include "vtab/plan.h"

enum { SAMPLE_N = 200 };                 /* messages looked at to find out columns */

const char *const hidden_names[HIDDEN_N] = {
	[HIDDEN_TOPIC] = "_topic", [HIDDEN_PARTITION] = "_partition", [HIDDEN_OFFSET] = "_offset", [HIDDEN_TS] = "_ts", [HIDDEN_TIME] = "_time",
	[HIDDEN_TS_TYPE] = "_ts_type", [HIDDEN_KEY] = "_key", [HIDDEN_VALUE] = "_value", [HIDDEN_HEADERS] = "_headers", [HIDDEN_SIZE] = "_size",
	[HIDDEN_SCHEMA_ID] = "_schema_id", [HIDDEN_ERROR] = "_error", [HIDDEN_INDEX] = "_index", [HIDDEN_ROWTIME] = "ROWTIME",
	[HIDDEN_ROWPARTITION] = "ROWPARTITION", [HIDDEN_ROWOFFSET] = "ROWOFFSET",
};

static const char *const hidden_types[HIDDEN_N] = {
	[HIDDEN_TOPIC] = "TEXT", [HIDDEN_PARTITION] = "INTEGER", [HIDDEN_OFFSET] = "INTEGER", [HIDDEN_TS] = "TIMESTAMP_MS", [HIDDEN_TIME] = "TEXT",
	[HIDDEN_TS_TYPE] = "TEXT", [HIDDEN_KEY] = "TEXT", [HIDDEN_VALUE] = "TEXT", [HIDDEN_HEADERS] = "TEXT", [HIDDEN_SIZE] = "INTEGER",
	[HIDDEN_SCHEMA_ID] = "INTEGER", [HIDDEN_ERROR] = "TEXT", [HIDDEN_INDEX] = "INTEGER", [HIDDEN_ROWTIME] = "TIMESTAMP_MS",
	[HIDDEN_ROWPARTITION] = "INTEGER", [HIDDEN_ROWOFFSET] = "INTEGER",
};

bool hidden_name_known(const char *name)
{
	for (int i = 0; i < HIDDEN_N; i++)
		if (strcasecmp(hidden_names[i], name) == 0)
			return true;
	return false;
}

bool same_name(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

void notice(struct module *m, enum notice_level level, const char *fmt, ...)
{
	if (!m->provider->impl->notice)
		return;
	struct buf b = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	m->provider->impl->notice(m->provider, level, b.data);
	buf_finish(&b);
}

int err_sqlite_code(const struct err *err)
{
	switch (err->id) {
	case ERR_INTERRUPTED:
	case ERR_TIMEOUT:
		return SQLITE_INTERRUPT;
	case ERR_MEMORY:
		return SQLITE_NOMEM;
	default:
		return SQLITE_ERROR;
	}
}

void module_fail(struct module *m, const struct err *err, char **ret_text)
{
	m->provider->last_error = *err;
	sqlite3_free(*ret_text);
	*ret_text = sqlite3_mprintf("%s", err->msg);
}

int table_fail(struct table *t, const struct err *err)
{
	module_fail(t->module, err, &t->base.zErrMsg);
	return err_sqlite_code(err);
}

static void module_forget_statement(struct module *m)
{
	while (m->frozen) {
		struct frozen *f = m->frozen;
		m->frozen = f->next;
		frozen_destroy(f);
	}
	for (struct table *t = m->tables; t; t = t->next) {
		changelog_unref(t->changelog);
		t->changelog = NULL;
		held_clear(&t->held);
		changelog_unref(t->changelog_part);
		t->changelog_part = NULL;
	}
}

void module_enter_statement(struct module *m)
{
	bool counted = m->provider->statement_n != 0;
	if (counted ? m->statement_n != m->provider->statement_n : m->open_cursor_n == 0) {
		module_forget_statement(m);
		m->statement_n = m->provider->statement_n;
	}
}

/* ---- declaring ---- */

static void declare_columns(const struct stream *s, bool as_of, struct buf *to)
{
	buf_adds(to, "CREATE TABLE x(");
	for (int i = 0; i < HIDDEN_N; i++)
		buf_addf(to, "%s%s %s HIDDEN", i ? ", " : "", hidden_names[i], hidden_types[i]);
	for (size_t i = 0; i < s->column_n; i++) {
		const struct column *c = &s->columns[i];
		buf_adds(to, ", \"");
		for (const char *p = c->name; *p; p++) {
			if (*p == '"')
				buf_addc(to, '"');
			buf_addc(to, *p);
		}
		buf_addf(to, "\" %s", column_type_name(c->type));
	}
	buf_adds(to, as_of ? ", _as_of TIMESTAMP_MS HIDDEN)" : ")");
}

/* Fills in what the declaration left open, by looking at messages. */
static bool complete_stream(struct module *m, struct stream *s, struct err *err)
{
	bool resolved = strcmp(s->format, "auto") != 0 && strcmp(s->key_format, "auto") != 0 && s->column_n > 0;
	if (!resolved) {
		struct buf report = BUF_INIT;
		bool ok = stream_infer(m->provider, s, SAMPLE_N, &report, err);
		if (ok && report.len)
			notice(m, NOTICE_INFO, "%s: %s", s->topic, report.data);
		buf_finish(&report);
		if (!ok)
			return false;
		stream_default_paths(s);
	}
	if (s->timestamp && stream_find_column(s, s->timestamp) < 0)
		return err_set(err, ERR_OPTION, "timestamp = '%s' names no column", s->timestamp);
	return true;
}

/* Takes s, also on failure. */
static bool table_create(struct module *m, struct stream *s, bool as_of, struct table **ret, struct err *err)
{
	struct buf declaration = BUF_INIT;
	declare_columns(s, as_of, &declaration);
	int rc = sqlite3_declare_vtab(m->db, declaration.data);
	buf_finish(&declaration);
	if (rc != SQLITE_OK) {
		err_set(err, ERR_OPTION, "the columns of \"%s\" cannot be declared: %s", s->name, sqlite3_errmsg(m->db));
		stream_destroy(s);
		return false;
	}
	/* A topic is read over the network: a view or trigger of a foreign database file must not reach it. */
	sqlite3_vtab_config(m->db, SQLITE_VTAB_DIRECTONLY);
	struct table *t = xcalloc(1, sizeof *t);
	t->module = m;
	t->stream = s;
	t->row_estimate = -1;
	t->held = HELD_NONE;
	t->partition_estimate = 1;
	codec_known(s->format, &t->multi_row);
	t->multi_row = t->multi_row || s->explode;
	t->next = m->tables;
	t->prev = &m->tables;
	if (m->tables)
		m->tables->prev = &t->next;
	m->tables = t;
	*ret = t;
	return true;
}

static int module_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	struct module *m = aux;
	struct err err = ERR_INIT;
	struct table *t = NULL;
	struct stream *s = NULL;
	bool ok = stream_from_args(argv[2], argc - 3, argv + 3, &s, &err);
	if (ok && !complete_stream(m, s, &err)) {
		stream_destroy(s);
		ok = false;
	}
	if (!ok || !table_create(m, s, false, &t, &err)) {
		module_fail(m, &err, ret_text);
		return err_sqlite_code(&err);
	}
	*ret = &t->base;
	return SQLITE_OK;
}

/* A function of its own: with the same pointer for xCreate and xConnect the module would be usable without CREATE. */
static int module_create(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	return module_connect(db, aux, argc, argv, ret, ret_text);
}

static int module_disconnect(sqlite3_vtab *base)
{
	struct table *t = (struct table *)base;
	for (size_t i = 0; i < SPARE_DECODER_N; i++) {
		decoder_destroy(t->spares[i].decoder);
		free(t->spares[i].wanted);
	}
	feed_table_unref(t->feed);
	follow_unref(t->versions);
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	writer_destroy(t->writer);
	changelog_unref(t->changelog);
	changelog_unref(t->changelog_part);
	held_clear(&t->held);
	stream_destroy(t->stream);
	free(t);
	return SQLITE_OK;
}

static int module_rename(sqlite3_vtab *base, const char *name)
{
	struct table *t = (struct table *)base;
	free(t->stream->name);
	t->stream->name = xstrdup(name);
	return SQLITE_OK;
}

static const sqlite3_module methods = {
	.iVersion = 2,
	.xCreate = module_create,
	.xConnect = module_connect,
	.xBestIndex = plan_best_index,
	.xDisconnect = module_disconnect,
	.xDestroy = module_disconnect,
	.xOpen = cursor_open,
	.xClose = cursor_close,
	.xFilter = cursor_filter,
	.xNext = cursor_next,
	.xEof = cursor_eof,
	.xColumn = cursor_column,
	.xRowid = cursor_rowid,
	.xUpdate = update_row,
	.xBegin = update_begin,
	.xSync = update_sync,
	.xCommit = update_commit,
	.xRollback = update_rollback,
	.xRename = module_rename,
};

/* ---- feed tables and tables of versions ---- */

static int feed_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	struct module *m = aux;
	struct err err = ERR_INIT;
	struct table *t = NULL;
	struct feed_table *f = feed_table_find(m, argv[2]);
	struct follow *versions = f ? NULL : follow_versions(m, argv[2]);
	if (!f && !versions)
		err_set(&err, ERR_UNSUPPORTED, "\"%s\" is no feed: a live query makes its own", argv[2]);
	if ((!f && !versions) || !table_create(m, stream_copy(f ? feed_table_stream(f) : follow_stream(versions)), versions != NULL, &t, &err)) {
		module_fail(m, &err, ret_text);
		return err_sqlite_code(&err);
	}
	t->feed = f ? feed_table_ref(f) : NULL;
	t->versions = versions ? follow_ref(versions) : NULL;
	*ret = &t->base;
	return SQLITE_OK;
}

static int feed_create_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	return feed_connect(db, aux, argc, argv, ret, ret_text);
}

static const sqlite3_module feed_methods = {
	.iVersion = 2,
	.xCreate = feed_create_table,
	.xConnect = feed_connect,
	.xBestIndex = plan_best_index,
	.xDisconnect = module_disconnect,
	.xDestroy = module_disconnect,
	.xOpen = cursor_open,
	.xClose = cursor_close,
	.xFilter = cursor_filter,
	.xNext = cursor_next,
	.xEof = cursor_eof,
	.xColumn = cursor_column,
	.xRowid = cursor_rowid,
};

static void module_destroy(void *arg)
{
	struct module *m = arg;
	module_forget_statement(m);
	detected_destroy(m->detected);
	path_functions_finish(m);
	free(m);
}

/* How a call reaches the module of a connection without a global: SQLite keeps it as a function's user data, and pointers pass through SQL only
 * by sqlite3_bind_pointer. */
static const char module_function[] = "weir_module";
static const char module_pointer[] = "weir module";

static void tell_module(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	struct module **to = sqlite3_value_pointer(argv[0], module_pointer);
	if (to)
		*to = sqlite3_user_data(context);
}

struct module *module_of(sqlite3 *db)
{
	struct module *m = NULL;
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(db, "SELECT weir_module(?)", -1, &stmt, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_bind_pointer(stmt, 1, &m, module_pointer, NULL);
	sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return m;
}

void vtab_collect_plans(sqlite3 *db, struct scan_plan_list *list)
{
	struct module *m = module_of(db);
	if (m)
		m->plans = list;
}

bool vtab_register(sqlite3 *db, struct provider *provider, struct err *err)
{
	struct module *m = xcalloc(1, sizeof *m);
	m->db = db;
	m->provider = provider;
	/* On failure SQLite has called module_destroy already. */
	if (sqlite3_create_module_v2(db, "kafka", &methods, m, module_destroy) != SQLITE_OK || !path_functions_register(m) ||
	    sqlite3_create_module_v2(db, "kafka_feed", &feed_methods, m, NULL) != SQLITE_OK ||
	    sqlite3_create_function(db, module_function, 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, m, tell_module, NULL, NULL) != SQLITE_OK)
		return err_set(err, ERR_INTERNAL, "the module kafka cannot be registered: %s", sqlite3_errmsg(db));
	return true;
}
