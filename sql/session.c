/* sql/session.h: the connection, and the way of a statement through it.
 *
 *     text -> split -> :'variables' -> the dialect's own statements (dialect.c) -> unknown tables (resolve.c) -> SQLite
 *
 * What the dialect does not know goes to SQLite as it was written. An error that our tables caused comes back from provider->last_error with its
 * class and hint; SQLite itself would keep one line of text. */
#include "sql/session_impl.h"

#include <limits.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/aggregate/aggregate_sqlite.h"
#include "sql/functions.h"
#include "sql/live/group_table.h"
#include "sql/live/grouped.h"
#include "sql/live/live.h"
#include "sql/live/matview.h"
#include "sql/live/row_store.h"
#include "sql/live/subscribe.h"
#include "sql/live/time_join.h"
#include "sql/window_rewrite.h"
#include "sql/window_table.h"
#include "sql/memory.h"
#include "sql/metadata.h"
#include "sql/pending.h"
#include "sql/persist.h"

enum {
	PROGRESS_OPS = 1000,                 /* virtual machine steps between two looks at the cancel flag: about 10 us */
	MAX_VALUE_BYTES = 256 << 20,         /* one string or blob */
	MAX_SQL_BYTES = 100 << 20,
};

struct query {
	struct session *s;
	struct statement st;
	sqlite3_stmt *stmt;
	int64_t base;                        /* offset of the SQL in the user's text, -1 = rewritten */
	bool started, done;
	char *table;
	struct live *live;                   /* SELECT .. EMIT: stmt is not used then */
};

void statement_finish(struct statement *st)
{
	if (st->free_data)
		st->free_data(st->data);
	window_tables_free(st->windows);
	time_joins_free(st->joins);
	buf_finish(&st->sql);
	free(st->table);
	free(st->written);
	*st = (struct statement){.sql = BUF_INIT};
}

/* ---- the connection ---- */

static int on_progress(void *arg)
{
	struct session *s = arg;
	return cancel_requested(&s->catalog->cancel);
}

/* --safe: nothing that reaches outside the database file and the cluster. */
static int authorize_safe(void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
	static const char *const functions[] = {"load_extension", "writefile", "readfile", "edit", "fts3_tokenizer", "sqlite_readint32"};
	(void)arg, (void)a, (void)c, (void)d;
	if (action == SQLITE_ATTACH)
		return SQLITE_DENY;
	if (action == SQLITE_FUNCTION && b)
		for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
			if (sqlite3_stricmp(b, functions[i]) == 0)
				return SQLITE_DENY;
	if (action == SQLITE_PRAGMA && a && (sqlite3_stricmp(a, "writable_schema") == 0 || sqlite3_stricmp(a, "temp_store_directory") == 0))
		return SQLITE_DENY;
	return SQLITE_OK;
}

static bool open_db(struct session *s, const struct session_options *o, struct err *err)
{
	const char *path = o->db_path ? o->db_path : ":memory:";
	memory_install();
	int rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		err_set(err, s->db ? ERR_STATE : ERR_MEMORY, "%s: %s", path, s->db ? sqlite3_errmsg(s->db) : "out of memory");
		return false;
	}
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, 2000);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES);
	sqlite3_limit(s->db, SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES);
	sqlite3_progress_handler(s->db, PROGRESS_OPS, on_progress, s);
	/* Reading the schema now makes a file that is no database, or not readable, fail here and not in the first query. */
	if (!session_exec(s, "PRAGMA temp_store=memory; SELECT count(*) FROM sqlite_schema", err)) {
		struct err cause = *err;
		err_set(err, ERR_STATE, "%s: %s", path, cause.msg);
		return false;
	}
	return true;
}

bool session_create(const struct session_options *o, struct session **ret, struct err *err)
{
	struct session *s = xcalloc(1, sizeof *s);
	struct catalog_options co = {.brokers = o->brokers, .properties_file = o->properties_file, .profile = o->profile, .settings = o->settings,
		.notice = o->notice, .confirm_write = o->confirm_write, .arg = o->arg};
	s->safe = o->safe;
	s->persistent = o->db_path && o->db_path[0] && strcmp(o->db_path, ":memory:") != 0;
	if (!catalog_create(&co, &s->catalog, err))
		goto fail;
	s->catalog->safe = o->safe;
	if (!open_db(s, o, err) || !vtab_register(s->db, &s->catalog->provider, err) || !functions_register(s->db, s->catalog, err) || !aggregates_register(s->db, err) ||
	    !metadata_register(s->db, s->catalog, err) || !group_tables_create(s, &s->groups, err) || !matviews_register(s, err) || !window_tables_register(s, err) || !row_stores_register(s, err))
		goto fail;
	if (s->persistent && !persist_load(s, err))
		goto fail;
	if (o->safe)
		sqlite3_set_authorizer(s->db, authorize_safe, s);
	*ret = s;
	return true;
fail:
	session_destroy(s);
	return false;
}

void session_destroy(struct session *s)
{
	if (!s)
		return;
	if (s->db)
		matviews_finish(s);
	group_tables_destroy(s->groups);
	if (s->db && sqlite3_close(s->db) != SQLITE_OK) {
		/* A query outlived its session: a defect of the caller. Finish it rather than leave the file locked. */
		sqlite3_stmt *left;
		while ((left = sqlite3_next_stmt(s->db, NULL)))
			sqlite3_finalize(left);
		sqlite3_close(s->db);
	}
	catalog_destroy(s->catalog);
	variables_finish(s);
	pending_finish(s);
	for (size_t i = 0; i < s->auto_stream_n; i++)
		free(s->auto_streams[i]);
	free(s->auto_streams);
	view_texts_finish(s);
	free(s);
}

sqlite3 *session_db(struct session *s)
{
	pending_make_all(s, NULL);           /* who looks for himself sees every stream */
	return s->db;
}

struct provider *session_provider(struct session *s)
{
	return &s->catalog->provider;
}

void session_cancel(struct session *s, int signal_number)
{
	atomic_store(&s->catalog->cancel.signal_n, signal_number);
	sqlite3_interrupt(s->db);
}

void session_cancel_reset(struct session *s)
{
	atomic_store(&s->catalog->cancel.signal_n, 0);
}

/* ---- errors ---- */

static enum err_id id_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return ERR_MEMORY;
	case SQLITE_INTERNAL: case SQLITE_MISUSE:
		return ERR_INTERNAL;
	case SQLITE_FULL: case SQLITE_IOERR: case SQLITE_CORRUPT: case SQLITE_CANTOPEN: case SQLITE_NOTADB: case SQLITE_BUSY: case SQLITE_LOCKED:
	case SQLITE_READONLY: case SQLITE_PROTOCOL: case SQLITE_PERM: case SQLITE_NOLFS:
		return ERR_STATE;
	default:
		return ERR_SQL;
	}
}

bool session_sqlite_error(struct session *s, int rc, int64_t base, struct err *err)
{
	struct err *ours = &s->catalog->provider.last_error;
	int offset = sqlite3_error_offset(s->db);
	if ((rc & 0xff) == SQLITE_INTERRUPT && !cancel_check(&s->catalog->cancel, err))
		return false;
	if (ours->id != ERR_NONE) {
		if (err)
			*err = *ours;
		err_clear(ours);
		return false;
	}
	if ((rc & 0xff) == SQLITE_INTERRUPT)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	err_set(err, id_of(rc), "%s", (rc & 0xff) == SQLITE_NOMEM ? "out of memory: SQLite reached its limit" : sqlite3_errmsg(s->db));
	if (err && offset >= 0 && base >= 0 && base + offset < INT_MAX)
		err->sql_offset = (int)(base + offset);
	return false;
}

bool session_exec(struct session *s, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK || session_sqlite_error(s, rc, -1, err);
}

/* ---- statements ---- */

static bool not_built(const char *what, size_t at, struct err *err)
{
	err_set(err, ERR_NOT_BUILT, "%s are not built yet", what);
	err_hint(err, "docs/limits.md lists what is missing");
	err->sql_offset = (int)at;
	return false;
}

/* SELECT .. EMIT. text: the statement without its ';', variables put in. */
static bool prepare_live(struct session *s, struct query *q, const struct buf *text, size_t emit_at, struct err *err)
{
	struct parse p = parse_begin(text->data, 0, text->len);
	if (!parse_is(&p, "select") && !parse_is(&p, "with"))
		return not_built("EMIT in this statement", emit_at, err);
	return live_create(s, text->data, text->len, emit_at, &q->live, err);
}

/* A new table or view of the user's takes the name back from a topic that was registered by itself (temp tables hide others). */
static void free_name_for_create(struct session *s, const char *text, size_t len)
{
	struct parse p = parse_begin(text, 0, len);
	struct err ignored = ERR_INIT;
	char *name = NULL;
	if (!s->auto_stream_n || !parse_word(&p, "create"))
		return;
	if (!parse_word(&p, "temp"))
		parse_word(&p, "temporary");
	parse_word(&p, "virtual");
	if (!parse_word(&p, "table") && !parse_word(&p, "view"))
		return;
	bool if_not_exists = parse_words(&p, "if not exists");
	if (if_not_exists || !parse_name(&p, "a name", &name, &ignored))
		return;
	if (parse_op(&p, ".")) {
		free(name);
		name = NULL;
		if (!parse_name(&p, "a name", &name, &ignored))
			return;
	}
	resolve_drop_auto(s, name);
	free(name);
}

/* The first name after FROM, INTO or UPDATE. */
static char *first_table(const char *text, size_t len)
{
	struct parse p = parse_begin(text, 0, len);
	struct err ignored = ERR_INIT;
	char *name = NULL;
	while (!parse_at_end(&p)) {
		if (!parse_word(&p, "from") && !parse_word(&p, "into") && !parse_word(&p, "update")) {
			parse_next(&p);
			continue;
		}
		if (!token_is_name(&p.token))
			continue;
		parse_name(&p, "", &name, &ignored);
		if (token_is_op(&p.token, ".")) {
			parse_next(&p);
			if (token_is_name(&p.token)) {
				free(name);
				parse_name(&p, "", &name, &ignored);
			}
		}
		return name;
	}
	return NULL;
}

static bool prepare(struct session *s, const char *sql, const struct split *sp, struct query *q, size_t *used, struct err *err)
{
	struct statement *st = &q->st;
	struct buf text = BUF_INIT;
	bool ours = false, ok = false;
	char *written = NULL;
	q->base = (int64_t)sp->start;
	if (sp->has_substitute) {
		if (!variables_substitute(s, sql + sp->start, sp->text_end - sp->start, &text, err)) {
			if (err->sql_offset >= 0)
				err->sql_offset += (int)sp->start;
			goto out;
		}
		q->base = -1;
	} else {
		buf_add(&text, sql + sp->start, sp->text_end - sp->start);
	}
	if (!pending_before(s, text.data, text.len, err)) {
		err->sql_offset = -1;
		goto out;
	}
	if (!matviews_before(s, &text, err)) {
		err->sql_offset = -1;
		goto out;
	}
	if (is_subscribe(text.data, text.len)) {
		if (!subscribe_rewrite(s, &text, err))
			goto located;
		q->base = -1;
	}
	if (view_expand_joins(s, &text))
		q->base = -1;
	size_t live_at;
	if (!grouped_live_at(s, text.data, text.len, &live_at, err))
		goto located;
	if (live_at != SIZE_MAX && !dialect_takes_emit(text.data, text.len)) {
		ok = prepare_live(s, q, &text, live_at, err);
		if (!ok && err->sql_offset >= 0)
			err->sql_offset = q->base >= 0 ? err->sql_offset + (int)q->base : -1;
		goto out;
	}
	bool windows = false, joins = false, early = dialect_reads_windows(text.data, text.len);
	written = xstrndup(text.data, text.len);
	if (!early && !time_joins_rewrite(s, &text, false, &joins, &st->joins, err))
		goto located;
	if (joins)
		q->base = -1;
	if (!grouped_statement(s, text.data, text.len, st, &ours, err))
		goto located;
	if (early && !dialect_statement(s, text.data, text.len, st, &ours, err))
		goto located;
	if (!ours && !windows_rewrite(s, &text, &windows, &st->windows, err))
		goto located;
	if (windows)
		q->base = -1;
	if (windows || joins) {
		st->written = written;
		written = NULL;
	}
	if (!ours && !early && !dialect_statement(s, text.data, text.len, st, &ours, err))
		goto located;
	if (!ours) {
		free_name_for_create(s, text.data, text.len);
		st->sql = text;
		text = (struct buf)BUF_INIT;
		st->resolve = true;
	}
	if (st->rewritten)
		q->base = -1;
	if (!st->sql.len || st->run) {
		ok = true;                       /* an action: SQLite's part, if any, is prepared after it ran */
		goto out;
	}
	size_t sqlite_used = 0;
	size_t sent = st->sql.len;
	if (!resolve_prepare(s, st, &q->stmt, &sqlite_used, err)) {
		if (err->sql_offset >= 0)
			err->sql_offset = q->base >= 0 && !st->rewritten ? err->sql_offset + (int)q->base : -1;
		goto out;
	}
	if (!variables_bind(s, q->stmt, err)) {
		if (err->sql_offset >= 0)
			err->sql_offset = -1;
		goto out;
	}
	/* SQLite's grammar has the last word on where a statement ends. */
	if (!ours && !st->rewritten && q->base >= 0 && sqlite_used < sent && sqlite_used)
		*used = sp->start + sqlite_used;
	ok = true;
	goto out;
located:                                     /* the error's offset is in `text` */
	if (err->sql_offset >= 0)
		err->sql_offset = q->base >= 0 ? err->sql_offset + (int)q->base : -1;
out:
	buf_finish(&text);
	free(written);
	return ok;
}

bool session_prepare(struct session *s, const char *sql, size_t len, size_t *ret_used, struct query **ret, struct err *err)
{
	struct split sp;
	struct err unused = ERR_INIT;
	if (!err)
		err = &unused;
	err_clear(&s->catalog->provider.last_error);
	catalog_prepare_begin(s->catalog);
	split_statement(sql, len, &sp);
	if (sp.blank) {
		*ret_used = sp.end;
		*ret = NULL;
		return true;
	}
	if (sp.nul_at != SIZE_MAX) {
		int line, column;
		sql_position(sql, len, sp.nul_at, &line, &column);
		err_set(err, ERR_SQL, "a NUL byte in the SQL text (line %d, column %d)", line, column);
		err->sql_offset = (int)sp.nul_at;
		return false;
	}
	size_t used = sp.end;
	struct query *q = xcalloc(1, sizeof *q);
	q->s = s;
	q->st = (struct statement){.sql = BUF_INIT};
	if (!prepare(s, sql, &sp, q, &used, err)) {
		query_destroy(q);
		return false;
	}
	if (q->live)
		q->table = first_table(sql + sp.start, sp.text_end - sp.start);
	else
		q->table = q->st.table ? xstrdup(q->st.table) : first_table(q->st.sql.data, q->st.sql.len);
	*ret_used = used;
	*ret = q;
	return true;
}

static enum query_step first_step(struct query *q, struct err *err)
{
	catalog_statement_begin(q->s->catalog);
	q->started = true;
	if (!q->st.run)
		return QUERY_ROW;
	if (!q->st.run(q->s, &q->st, err))
		return QUERY_FAILED;
	if (q->st.sql.len && !q->stmt && q->st.resolve) {
		size_t used;
		if (!resolve_prepare(q->s, &q->st, &q->stmt, &used, err))
			return QUERY_FAILED;
	}
	return QUERY_ROW;
}

enum { LIVE_WAIT_MS = 50 };                  /* how long a step of a live query waits for something to happen */

static enum query_step step_live(struct query *q, struct err *err)
{
	switch (live_step(q->live, LIVE_WAIT_MS, err)) {
	case LIVE_ROW:
		return QUERY_ROW;
	case LIVE_IDLE:
		return QUERY_IDLE;
	case LIVE_FRAME:
		return QUERY_FRAME;
	case LIVE_END:
		q->done = true;
		return QUERY_DONE;
	case LIVE_FAILED:
		break;
	}
	q->done = true;
	return QUERY_FAILED;
}

int session_pump(struct session *s, int budget_ms)
{
	enum { PUMP_AGAIN_MS = 50 };
	return !s->matviews ? -1 : matviews_pump(s, budget_ms) ? 0 : PUMP_AGAIN_MS;
}

bool query_set_frames(struct query *q, bool on, int interval_ms)
{
	return q->live && live_set_frames(q->live, on, interval_ms);
}

bool query_live_status(struct query *q, struct live_status *ret)
{
	if (q->live)
		live_status(q->live, ret);
	return q->live != NULL;
}

struct live_target *query_target_now(struct query *q, struct err *err)
{
	return q->live ? live_target_now(q->live, err) : NULL;
}

bool query_reached(struct query *q, const struct live_target *t, bool quiet)
{
	return live_reached(q->live, t, quiet);
}

enum query_step query_step(struct query *q, struct err *err)
{
	struct session *s = q->s;
	if (q->done)
		return QUERY_DONE;
	if (!q->started && first_step(q, err) == QUERY_FAILED) {
		q->done = true;
		return QUERY_FAILED;
	}
	if (q->live)
		return step_live(q, err);
	int rc = q->stmt ? sqlite3_step(q->stmt) : SQLITE_DONE;
	if (rc == SQLITE_ROW)
		return QUERY_ROW;
	q->done = true;
	if (rc == SQLITE_DONE)
		return QUERY_DONE;
	session_sqlite_error(s, rc, q->base, err);
	return QUERY_FAILED;
}

sqlite3_stmt *query_stmt(struct query *q)
{
	if (q->live)
		return live_stmt(q->live);
	return q->stmt && sqlite3_column_count(q->stmt) > 0 ? q->stmt : NULL;
}

const char *query_rewritten(const struct query *q)
{
	if (q->live)
		return live_sql(q->live);
	return q->st.sql.data;
}

const char *query_table(const struct query *q)
{
	return q->table ? q->table : "table";
}

void query_destroy(struct query *q)
{
	if (!q)
		return;
	sqlite3_finalize(q->stmt);
	live_destroy(q->live);
	statement_finish(&q->st);
	free(q->table);
	free(q);
}

/* ---- clusters ---- */

bool session_attach_cluster(struct session *s, const char *name, const char *brokers_or_profile, struct err *err)
{
	struct buf profiles = BUF_INIT;
	catalog_profiles(s->catalog, &profiles);
	bool is_profile = false;
	for (const char *p = profiles.data; *p;) {
		size_t n = strcspn(p, "\n");
		is_profile |= strlen(brokers_or_profile) == n && strncmp(p, brokers_or_profile, n) == 0;
		p += n + (p[n] == '\n');
	}
	buf_finish(&profiles);
	struct attach_request r = {.name = name, .brokers = is_profile ? NULL : brokers_or_profile, .profile = is_profile ? brokers_or_profile : NULL};
	return catalog_attach(s->catalog, &r, err);
}

bool session_use_cluster(struct session *s, const char *name, struct err *err)
{
	if (!catalog_use(s->catalog, name, err))
		return false;
	resolve_forget_auto(s);
	return true;
}

const char *session_cluster(struct session *s)
{
	return s->catalog->current ? s->catalog->current->shown : "";
}
