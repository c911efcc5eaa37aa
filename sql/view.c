/* CREATE VIEW over topics. SQLite ties a view in the file to the file's own tables and refuses tables that reach the network there (a stranger's file
 * must not read topics because someone selects from a view). So a view that names a stream, a topic or anything in temp becomes a TEMP view;
 * with a database file its text is kept in weir_catalog and it is made again when the file is opened. Other views are SQLite's. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/hash.h"
#include "sql/dialect.h"
#include "sql/live/body.h"
#include "sql/live/time_join.h"
#include "sql/persist.h"

/* A view's SELECT as the user wrote it. It holds while the schema has the view that it was written for. */
struct view_text {
	char *name, *select;
	uint64_t schema_hash;
};

struct view {
	char *name;
	char *written;                       /* its SELECT, NULL = as in sql */
	char *sql;                           /* the statement to run */
	bool exists_ok, keep;
};

static void view_free(void *data)
{
	struct view *v = data;
	free(v->name);
	free(v->sql);
	free(v->written);
	free(v);
}

/* 0: there is no such view. */
static uint64_t schema_hash(struct session *s, const char *name)
{
	char *columns, *body = body_of_view(s, name, &columns);
	uint64_t hash = body ? hash_bytes(body, strlen(body)) | 1 : 0;
	free(columns);
	free(body);
	return hash;
}

static struct view_text *text_of(struct session *s, const char *name)
{
	for (size_t i = 0; i < s->view_text_n; i++)
		if (strcasecmp(s->view_texts[i].name, name) == 0)
			return &s->view_texts[i];
	return NULL;
}

const char *view_written(struct session *s, const char *name)
{
	const struct view_text *t = text_of(s, name);
	return t && t->schema_hash == schema_hash(s, name) ? t->select : NULL;
}

char *session_view_definition(struct session *s, const char *name)
{
	const char *written = view_written(s, name);
	char *columns = NULL, *body = written ? body_of_view(s, name, &columns) : NULL;
	struct buf b = BUF_INIT;
	if (body) {
		sql_quote_name(&b, name);
		buf_addf(&b, "%s%s AS %s", columns ? " " : "", columns ? columns : "", written);
	}
	bool found = body != NULL;
	free(columns);
	free(body);
	return found ? buf_take(&b) : NULL;
}

void view_keep_written(struct session *s, const char *name, const char *select)
{
	struct view_text *t = text_of(s, name);
	if (!t) {
		s->view_texts = xreallocarray(s->view_texts, s->view_text_n + 1, sizeof *s->view_texts);
		t = &s->view_texts[s->view_text_n++];
		*t = (struct view_text){.name = xstrdup(name)};
	}
	free(t->select);
	t->select = xstrdup(select);
	t->schema_hash = schema_hash(s, name);
}

void view_texts_finish(struct session *s)
{
	for (size_t i = 0; i < s->view_text_n; i++) {
		free(s->view_texts[i].name);
		free(s->view_texts[i].select);
	}
	free(s->view_texts);
}

/* The written SELECT of a view with a join by time, and without names for its columns; NULL = it is none. What SQLite has of such a view reads stores that
 * were gone with the statement that made it. */
static const char *view_by_time(struct session *s, const char *name)
{
	const char *written = view_written(s, name);
	char *columns = NULL;
	if (!written || !time_joins_in(written, strlen(written)))
		return NULL;
	free(body_of_view(s, name, &columns));
	bool named = columns != NULL;
	free(columns);
	return named ? NULL : written;
}

/* Puts the first such view that FROM names, by itself or as the table of a window, in its place. */
static bool expand_in(struct session *s, struct buf *text, const struct select *sel)
{
	for (size_t i = 0; i < sel->from_n; i++) {
		struct span at = body_name_in(&sel->from[i]);
		char *name = span_column_name(text->data, at);
		const char *written = name && text_of(s, name) && !body_named_by_with(text->data, text->len, name) ? view_by_time(s, name) : NULL;
		free(name);
		if (written) {
			body_put_in_place(text, &sel->from[i], at, written);
			return true;
		}
	}
	return false;
}

static bool expand_one(struct session *s, struct buf *text)
{
	struct lex l = lex_begin(text->data, text->len);
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		struct select sel;
		if (!token_is_word(&t, "select") || !select_parse(text->data, (size_t)(t.text - text->data), text->len, &sel))
			continue;
		bool expanded = expand_in(s, text, &sel);
		select_finish(&sel);
		if (expanded)
			return true;                 /* the tokens are of the text that was */
	}
	return false;
}

bool view_expand_joins(struct session *s, struct buf *text)
{
	enum { EXPANDED_MAX = 64 };          /* a view may name itself */
	int n = 0;
	while (s->view_text_n && n < EXPANDED_MAX && expand_one(s, text))
		n++;
	return n > 0;
}

/* Does the body name a kafka table or anything that lives in temp? */
static bool names_a_stream(struct session *s, const char *text, size_t len)
{
	sqlite3_stmt *stmt = NULL;
	struct lex l = lex_begin(text, len);
	bool found = false;
	if (sqlite3_prepare_v2(s->db, "SELECT 1 FROM sqlite_temp_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')"
		" UNION ALL SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND sql LIKE 'create virtual table%using kafka%'", -1, &stmt, NULL) != SQLITE_OK)
		return false;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END && !found; t = lex_next_solid(&l)) {
		if (t.kind != TOKEN_WORD && t.kind != TOKEN_QUOTED)
			continue;
		struct buf name = BUF_INIT;
		token_unquote(&t, &name);
		sqlite3_bind_text(stmt, 1, name.data, (int)name.len, SQLITE_TRANSIENT);
		found = sqlite3_step(stmt) == SQLITE_ROW;
		sqlite3_reset(stmt);
		buf_finish(&name);
	}
	sqlite3_finalize(stmt);
	return found;
}

static bool run_view(struct session *s, struct statement *st, struct err *err)
{
	struct view *v = st->data;
	bool existed = resolve_table_exists(s, v->name);
	if (!session_exec(s, v->sql, err))
		return false;
	if (existed)
		return true;
	if (v->written)
		view_keep_written(s, v->name, v->written);
	return !v->keep || persist_view(s, v->name, v->sql, v->written, err);
}

static char *select_written(const struct statement *st)
{
	if (!st->written)
		return NULL;
	struct parse p = parse_begin(st->written, 0, strlen(st->written));
	while (!parse_at_end(&p) && !parse_is(&p, "as"))
		parse_next(&p);
	return parse_word(&p, "as") ? xstrdup(st->written + parse_offset(&p)) : NULL;
}

bool view_create_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	char *name = NULL;
	*ret_ours = false;
	parse_word(&p, "create");
	bool temp = parse_word(&p, "temp") || parse_word(&p, "temporary");
	if (!parse_word(&p, "view"))
		return true;
	bool if_not_exists = parse_words(&p, "if not exists");
	size_t name_at = parse_offset(&p);
	struct err ignored = ERR_INIT;
	if (!parse_name(&p, "a name", &name, &ignored))
		return true;                     /* SQLite explains syntax errors */
	if (token_is_op(&p.token, ".")) {
		free(name);                      /* schema.name: as written */
		return true;
	}
	size_t head_end = 0;
	while (!parse_at_end(&p) && !parse_is(&p, "as"))
		parse_next(&p);
	parse_word(&p, "as");
	head_end = parse_offset(&p);
	/* Preparing the body registers the topics it names, and rewrites cluster."topic". */
	struct statement body = {.sql = BUF_INIT, .resolve = true};
	sqlite3_stmt *stmt = NULL;
	size_t used;
	buf_add(&body.sql, text + head_end, len - head_end);
	bool ok = resolve_prepare(s, &body, &stmt, &used, &ignored);
	sqlite3_finalize(stmt);
	/* A body that does not prepare is legal in SQLite (the table may come later); only errors about topics and brokers are worth stopping for. */
	if (!ok && ignored.id != ERR_SQL && ignored.id != ERR_TOPIC_UNKNOWN) {
		*err = ignored;
		err->sql_offset = -1;
		statement_finish(&body);
		free(name);
		return false;
	}
	if (ok && names_a_stream(s, body.sql.data, body.sql.len)) {
		struct view *v = xcalloc(1, sizeof *v);
		struct buf sql = BUF_INIT;
		buf_adds(&sql, if_not_exists ? "CREATE TEMP VIEW IF NOT EXISTS " : "CREATE TEMP VIEW ");
		buf_add(&sql, text + name_at, head_end - name_at);
		buf_add(&sql, body.sql.data, body.sql.len);
		v->sql = buf_take(&sql);
		v->name = name;
		v->keep = !temp;
		v->written = select_written(st);
		name = NULL;
		st->run = run_view;
		st->data = v;
		st->free_data = view_free;
		st->rewritten = true;
		resolve_drop_auto(s, v->name);
		*ret_ours = true;
	}
	statement_finish(&body);
	free(name);
	return true;
}

static bool run_drop_view(struct session *s, struct statement *st, struct err *err)
{
	struct view *v = st->data;
	return session_exec(s, v->sql, err) && persist_forget(s, "view", v->name, err) && persist_forget(s, "view text", v->name, err);
}

bool view_drop_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct err ignored = ERR_INIT;
	char *name = NULL;
	*ret_ours = false;
	parse_words(&p, "drop view");
	parse_words(&p, "if exists");
	if (!s->persistent || !parse_name(&p, "a view", &name, &ignored) || !parse_at_end(&p)) {
		free(name);
		return true;
	}
	struct view *v = xcalloc(1, sizeof *v);
	v->name = name;
	v->sql = xstrndup(text, len);
	st->run = run_drop_view;
	st->data = v;
	st->free_data = view_free;
	*ret_ours = true;
	return true;
}
