/* sql/live/matview.h */
#include "sql/live/matview.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "sql/dialect.h"
#include "sql/live/live_impl.h"
#include "sql/live/matview_impl.h"
#include "sql/metadata_impl.h"
#include "sql/persist.h"

enum {
	STEP_WAIT_MS = 20,
	QUIET_MS = 400,                      /* of silence, at a place that is said to be the end of what can be read: it is */
	QUIET_STEPS = QUIET_MS / STEP_WAIT_MS,       /* .. in which was looked that often: a machine may stand still for longer */
};

static struct matview *find(struct session *s, const char *name)
{
	for (struct matview *v = s->matviews; v; v = v->next)
		if (strcasecmp(v->name, name) == 0)
			return v;
	return NULL;
}

const char *matview_name_at(struct session *s, size_t i)
{
	const struct matview *v = s->matviews;
	while (v && i--)
		v = v->next;
	return v ? v->name : NULL;
}

const char *matview_select(struct session *s, const char *name)
{
	struct matview *v = find(s, name);
	return v ? v->text : NULL;
}

static void destroy(struct session *s, struct matview *v)
{
	struct matview **p = &s->matviews;
	matview_unmake(s, v);
	while (*p != v)
		p = &(*p)->next;
	*p = v->next;
	free(v->name);
	free(v->text);
	free(v);
}

void matviews_finish(struct session *s)
{
	while (s->matviews)
		destroy(s, s->matviews);
}

/* ---- keeping it up to date ---- */

static bool take_row(struct session *s, struct matview *v, struct err *err)
{
	sqlite3_stmt *out = live_stmt(v->live);
	int n = sqlite3_column_count(out);
	for (int i = 0; i < n; i++)
		sqlite3_bind_value(v->insert, i + 1, sqlite3_column_value(out, i));
	int rc = sqlite3_step(v->insert);
	sqlite3_reset(v->insert);
	return rc == SQLITE_DONE || session_sqlite_error(s, rc, -1, err);
}

static void stopped(struct session *s, struct matview *v, const struct err *err)
{
	if (err->id == ERR_INTERRUPTED || err->id == ERR_TIMEOUT)
		return;
	v->failed = *err;
	catalog_notice(s->catalog, NOTICE_WARNING, "materialized view %s stopped: %s (REFRESH MATERIALIZED VIEW starts it anew)", v->name, err->msg);
}

/* One step. */
static enum live_step step(struct session *s, struct matview *v, int wait_ms, struct err *err)
{
	enum live_step what = live_step(v->live, wait_ms, err);
	if (what == LIVE_ROW && !take_row(s, v, err))
		what = LIVE_FAILED;
	if (what == LIVE_FAILED)
		stopped(s, v, err);
	return what;
}

static bool runs(const struct matview *v)
{
	return v->live && !v->paused && v->failed.id == ERR_NONE;
}

/* Until it has nothing to do; true: it still has. */
static bool pump(struct session *s, struct matview *v, int64_t until_mono_ms)
{
	struct err err = ERR_INIT;
	enum live_step what = LIVE_ROW;
	while (runs(v) && what != LIVE_IDLE && what != LIVE_END && what != LIVE_FAILED && time_mono_ms() < until_mono_ms)
		what = step(s, v, 0, &err);
	return runs(v) && what == LIVE_ROW;
}

static void pump_others(struct session *s, const struct matview *except)
{
	enum { EACH_MS = 20 };
	for (struct matview *v = s->matviews; v; v = v->next)
		if (v != except)
			pump(s, v, time_mono_ms() + EACH_MS);
}

/* All together, so that those over one topic share its reader from the start. */
static void open_all(struct session *s)
{
	for (struct matview *v = s->matviews; v; v = v->next) {
		struct err err = ERR_INIT;
		if (runs(v) && !live_open(v->live, &err))
			stopped(s, v, &err);
	}
}

bool matviews_pump(struct session *s, int budget_ms)
{
	int64_t until = time_mono_ms() + budget_ms;
	bool more = false;
	if (!s->matviews || !sqlite3_get_autocommit(s->db))
		return false;
	/* The last statement's Ctrl-C and deadline are not meant for them. */
	session_cancel_reset(s);
	atomic_store(&s->catalog->cancel.deadline_ms, 0);
	open_all(s);
	for (struct matview *v = s->matviews; v; v = v->next)
		more |= pump(s, v, until);
	return more;
}

/* Up to what the brokers hold now. */
static bool refresh(struct session *s, struct matview *v, struct err *err)
{
	if (v->failed.id != ERR_NONE)
		return *err = v->failed, false;
	if (!v->live && !matview_make(s, v, err))
		return false;
	if (v->paused || !sqlite3_get_autocommit(s->db))
		return true;
	open_all(s);
	enum live_step what = step(s, v, 0, err);
	struct live_target *target = live_target_now(v->live, err);
	int64_t heard = time_mono_ms(), read = v->live->row_in_n;
	int idle_n = 0;
	bool ok = target != NULL && what != LIVE_FAILED;
	while (ok && what != LIVE_END && !live_reached(v->live, target, idle_n >= QUIET_STEPS && time_mono_ms() - heard > QUIET_MS)) {
		what = step(s, v, STEP_WAIT_MS, err);
		ok = what != LIVE_FAILED && cancel_check(&s->catalog->cancel, err);
		if (v->live->row_in_n != read) {
			read = v->live->row_in_n;
			heard = time_mono_ms();
			idle_n = 0;
		}
		idle_n += what == LIVE_IDLE;
		if (what == LIVE_IDLE)
			pump_others(s, v);           /* they may hold up the reader that it shares with them */
	}
	while (ok && what == LIVE_ROW) {             /* what is being given out */
		what = step(s, v, 0, err);
		ok = what != LIVE_FAILED;
	}
	live_target_destroy(target);
	return ok;
}

/* ---- statements that name them ---- */

static struct matview *named(struct session *s, const struct token *t)
{
	struct buf b = BUF_INIT;
	struct matview *v = NULL;
	if (t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED) {
		token_unquote(t, &b);
		v = find(s, b.data);
		buf_finish(&b);
	}
	return v;
}

bool matviews_before(struct session *s, struct buf *text, struct err *err)
{
	if (!s->matviews)
		return true;
	struct parse p = parse_begin(text->data, 0, text->len);
	if (parse_is(&p, "drop") || parse_is(&p, "create") || parse_is(&p, "pause") || parse_is(&p, "resume") || parse_is(&p, "terminate") || parse_is(&p, "refresh") || parse_is(&p, "subscribe"))
		return true;
	struct lex l = lex_begin(text->data, text->len);
	struct buf out = BUF_INIT;
	size_t copied = 0;
	bool ok = true;
	for (struct token t = lex_next_solid(&l); ok && t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		struct lex ahead = l;
		struct token open = lex_next_solid(&ahead), inner = lex_next_solid(&ahead), close = lex_next_solid(&ahead);
		struct matview *v = named(s, &t);
		bool late = token_is_word(&t, "late");
		if (v) {
			ok = refresh(s, v, err);
		} else if ((late || token_is_word(&t, "absent")) && token_is_op(&open, "(") && token_is_op(&close, ")") && (v = named(s, &inner))) {
			buf_add(&out, text->data + copied, (size_t)(t.text - text->data) - copied);
			ok = refresh(s, v, err) && matview_add_function(v, late, &out, err);
			copied = l.at = ahead.at;
		}
	}
	if (ok && copied) {
		buf_add(&out, text->data + copied, text->len - copied);
		buf_finish(text);
		*text = out;
		return true;
	}
	buf_finish(&out);
	return ok;
}

struct view_args {
	char *name, *text;
	bool replace, if_exists;
	enum { VIEW_PAUSE, VIEW_RESUME, VIEW_TERMINATE } what;
};

static void args_free(void *data)
{
	struct view_args *a = data;
	free(a->name);
	free(a->text);
	free(a);
}

static struct view_args *args_of(struct statement *st)
{
	struct view_args *a = xcalloc(1, sizeof *a);
	st->data = a;
	st->free_data = args_free;
	return a;
}

static struct matview *add(struct session *s, const char *name, const char *text)
{
	struct matview *v = xcalloc(1, sizeof *v), **p = &s->matviews;
	v->id = ++s->matview_n;
	v->name = xstrdup(name);
	v->text = xstrdup(text);
	v->failed = (struct err)ERR_INIT;
	while (*p)
		p = &(*p)->next;
	return *p = v;
}

void matview_restore(struct session *s, const char *name, const char *text)
{
	if (!find(s, name))
		add(s, name, text);
}

static bool run_create(struct session *s, struct statement *st, struct err *err)
{
	struct view_args *a = st->data;
	struct matview *v = find(s, a->name);
	if (v && a->if_exists)
		return true;
	if (v && !a->replace)
		return err_set(err, ERR_NAME_TAKEN, "materialized view \"%s\" already exists", a->name);
	if (v)
		destroy(s, v);
	resolve_drop_auto(s, a->name);
	if (resolve_table_exists(s, a->name))
		return err_set(err, ERR_NAME_TAKEN, "\"%s\" already exists", a->name);
	if (!sqlite3_get_autocommit(s->db))
		return err_set(err, ERR_SQL, "CREATE MATERIALIZED VIEW inside a transaction");
	v = add(s, a->name, a->text);
	if (!matview_make(s, v, err)) {
		destroy(s, v);
		return false;
	}
	return persist_matview(s, a->name, a->text, err);
}

bool matview_create_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	(void)s;
	parse_word(&p, "create");
	bool replace = parse_words(&p, "or replace");
	*ret_ours = parse_words(&p, "materialized view");
	if (!*ret_ours)
		return true;
	struct view_args *a = args_of(st);
	a->replace = replace;
	a->if_exists = parse_words(&p, "if not exists");
	if (!parse_name(&p, "a name", &a->name, err) || !parse_want(&p, "as", err))
		return false;
	if (!parse_is(&p, "select") && !parse_is(&p, "with"))
		return parse_fail(&p, err, "a SELECT");
	size_t from = parse_offset(&p);
	a->text = xstrndup(text + from, len - from);
	st->run = run_create;
	return true;
}

static bool run_drop(struct session *s, struct statement *st, struct err *err)
{
	struct view_args *a = st->data;
	struct matview *v = find(s, a->name);
	if (!v)
		return a->if_exists || err_set(err, ERR_SQL, "no materialized view \"%s\"", a->name);
	destroy(s, v);
	return persist_forget(s, "materialized view", a->name, err);
}

bool matview_drop_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct view_args *a = args_of(st);
	(void)s, (void)ret_ours;
	parse_words(&p, "drop materialized view");
	a->if_exists = parse_words(&p, "if exists");
	st->run = run_drop;
	return parse_name(&p, "a view", &a->name, err) && parse_end(&p, err);
}

static bool run_refresh(struct session *s, struct statement *st, struct err *err)
{
	struct view_args *a = st->data;
	struct matview *v = find(s, a->name);
	if (!v)
		return err_set(err, ERR_SQL, "no materialized view \"%s\"", a->name);
	if (v->failed.id != ERR_NONE) {
		matview_unmake(s, v);
		v->failed = (struct err)ERR_INIT;
	}
	return refresh(s, v, err);
}

bool matview_refresh_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct view_args *a = args_of(st);
	(void)s, (void)ret_ours;
	parse_word(&p, "refresh");
	parse_words(&p, "materialized view");
	st->run = run_refresh;
	return parse_name(&p, "a view", &a->name, err) && parse_end(&p, err);
}

static bool run_pause(struct session *s, struct statement *st, struct err *err)
{
	struct view_args *a = st->data;
	struct matview *v = find(s, a->name);
	for (struct matview *n = s->matviews; n && !v; n = n->next)
		if (n->id == atoi(a->name))
			v = n;
	if (!v) {
		err_set(err, ERR_SQL, "no query \"%s\"", a->name);
		err_hint(err, "SHOW QUERIES lists them");
		return false;
	}
	if (a->what == VIEW_TERMINATE) {
		char *name = xstrdup(v->name);
		destroy(s, v);
		bool ok = persist_forget(s, "materialized view", name, err);
		free(name);
		return ok;
	}
	v->paused = a->what == VIEW_PAUSE;
	return true;
}

bool matview_pause_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct view_args *a = args_of(st);
	(void)s, (void)ret_ours;
	a->what = parse_is(&p, "pause") ? VIEW_PAUSE : parse_is(&p, "resume") ? VIEW_RESUME : VIEW_TERMINATE;
	parse_next(&p);
	parse_word(&p, "query");
	st->run = run_pause;
	if (p.token.kind == TOKEN_NUMBER) {
		a->name = xstrndup(p.token.text, p.token.len);
		parse_next(&p);
		return parse_end(&p, err);
	}
	return parse_name(&p, "a query's id or name", &a->name, err) && parse_end(&p, err);
}

/* ---- weir_queries ---- */

static bool fill_queries(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err)
{
	static const char *const strategies[] = {"stateless", "incremental", "pane"};
	struct session *s = ctx;
	(void)filter, (void)filter_2, (void)err;
	for (const struct matview *v = s->matviews; v; v = v->next) {
		rowset_row(to);
		rowset_int(to, 0, v->id);
		rowset_text(to, 1, v->name);
		rowset_text(to, 2, v->failed.id ? "failed" : v->paused ? "paused" : !v->live ? "not begun" : "running");
		rowset_text(to, 18, v->failed.id ? v->failed.msg : NULL);
		rowset_text(to, 19, v->text);
		if (!v->live)
			continue;
		struct live_status st;
		live_status(v->live, &st);
		rowset_text(to, 3, strategies[st.strategy]);
		rowset_text(to, 4, st.why);
		if (st.watermark_ms != TIME_NONE && st.watermark_ms != WATERMARK_END)
			rowset_int(to, 5, st.watermark_ms);
		rowset_text(to, 6, st.holder[0] ? st.holder : NULL);
		if (st.lag_n >= 0)
			rowset_int(to, 7, st.lag_n);
		const int64_t counts[] = {st.row_in_n, st.row_out_n, st.late_n, st.skewed_n, st.failed_n, st.group_n, st.window_n, st.waiting_n, st.state_bytes};
		for (int i = 0; i < (int)(sizeof counts / sizeof *counts); i++)
			rowset_int(to, 8 + i, counts[i]);
		rowset_text(to, 17, st.state);
	}
	return true;
}

bool matviews_register(struct session *s, struct err *err)
{
	static const struct rowset_def def = {"weir_queries",
		"id INTEGER, name TEXT, status TEXT, strategy TEXT, why TEXT, watermark TIMESTAMP_MS, held_by TEXT, lag INTEGER, rows_in INTEGER, rows_out INTEGER, late INTEGER, future INTEGER,"
		" failed INTEGER, \"groups\" INTEGER, windows INTEGER, waiting INTEGER, state_bytes INTEGER, state TEXT, error TEXT, query TEXT", -1, -1, fill_queries, "live queries of this session"};
	return rowset_register(s->db, &def, s, &s->catalog->provider.last_error, err);
}
