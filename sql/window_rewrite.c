/* sql/window_rewrite.h
 *
 *   FROM tumble(t, size => '1m') x        ->  FROM t AS x JOIN weir_windows('..', x._ts) AS weir_w1         x.window_start -> weir_w1.window_start
 *   FROM session(t, gap => '5m') x        ->  FROM temp.weir_windowed_7 AS x                                with WHERE applied to the rows before windows are made
 *   FROM t WINDOW TUMBLING (..) GROUP BY k ->  FROM tumble(..) .. GROUP BY window_start, k */
#include "sql/window_rewrite.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "sql/live/derived.h"
#include "sql/window_table.h"

enum { WINDOWS_MAX = 64 };

struct window_tables {
	struct window_table *list[WINDOWS_MAX];
	size_t n;
};

void window_tables_free(struct window_tables *t)
{
	for (size_t i = 0; t && i < t->n; i++)
		window_table_destroy(t->list[i]);
	free(t);
}

/* The first SELECT from `at` on that has a window in its FROM. */
struct found {
	struct select select;
	size_t item;
	bool ksql;
};

static bool find(const struct buf *text, struct found *ret)
{
	struct lex l = lex_begin(text->data, text->len);
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		struct select sel;
		if (!token_is_word(&t, "select") || !select_parse(text->data, (size_t)(t.text - text->data), text->len, &sel))
			continue;
		for (size_t i = 0; i < sel.from_n; i++) {
			struct window_spec w;
			struct span table;
			struct err ignored = ERR_INIT;
			bool is = false, ok = window_from_call(text->data, &sel.from[i], &is, &w, &table, &ignored);
			if (ok && is)
				window_spec_finish(&w);
			if (!ok || is) {
				*ret = (struct found){sel, i, false};
				return true;
			}
		}
		if (!span_empty(sel.ksql_window) && sel.from_n) {
			*ret = (struct found){sel, 0, true};
			return true;
		}
		select_finish(&sel);
	}
	return false;
}

/* alias.window_start -> name.window_start, all over the text. */
static void requalify(struct buf *text, const char *alias, const char *name)
{
	struct buf out = BUF_INIT;
	struct lex l = lex_begin(text->data, text->len);
	size_t copied = 0;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		struct lex ahead = l;
		struct token dot = lex_next_solid(&ahead), column = lex_next_solid(&ahead);
		struct buf b = BUF_INIT;
		if ((t.kind != TOKEN_WORD && t.kind != TOKEN_QUOTED) || !token_is_op(&dot, ".") || !(token_is_word(&column, "window_start") || token_is_word(&column, "window_end")))
			continue;
		token_unquote(&t, &b);
		if (strcasecmp(b.data, alias) == 0) {
			buf_add(&out, text->data + copied, (size_t)(t.text - text->data) - copied);
			buf_adds(&out, name);
			copied = (size_t)(t.text - text->data) + t.len;
		}
		buf_finish(&b);
	}
	buf_add(&out, text->data + copied, text->len - copied);
	buf_finish(text);
	*text = out;
}

/* Event time: what the function names, else the stream's column, else _ts. */
static void add_event_time(struct buf *to, const struct window_spec *w, const struct from_stream *f, const char *quoted_alias)
{
	const char *ts = w->ts ? w->ts : f->event_time;
	if (ts)
		buf_addf(to, "weir_event_time(%s)", ts);
	else
		buf_addf(to, "%s._ts", quoted_alias);
}

static bool rewrite_grid(struct buf *text, const struct from_item *item, struct from_stream *f, const char *alias, int number, struct err *err)
{
	struct buf sql = BUF_INIT, quoted = BUF_INIT, window = BUF_INIT;
	bool outer = item->join == JOIN_LEFT || item->join == JOIN_RIGHT || item->join == JOIN_FULL;
	if (outer) {
		err_set(err, ERR_NOT_BUILT, "a window on one side of an outer join is not built yet");
		err_hint(err, "put it into a subquery: LEFT JOIN (SELECT * FROM tumble(..)) ON ..");
		return false;
	}
	sql_quote_name(&quoted, alias);
	window_to_text(&f->window, &window);
	span_add(&sql, text->data, f->table);
	buf_addf(&sql, " AS %s JOIN weir_windows('%s', ", quoted.data, window.data);
	add_event_time(&sql, &f->window, f, quoted.data);
	char *name = xasprintf("weir_w%d", number);
	buf_addf(&sql, ") AS %s", name);
	span_replace(text, (struct span){item->table.from, item->alias ? item->alias_span.to : item->table.to}, sql.data);
	requalify(text, alias, name);
	free(name);
	buf_finish(&sql);
	buf_finish(&quoted);
	buf_finish(&window);
	return true;
}

static bool rewrite_tracked(struct session *s, struct buf *text, const struct select *sel, const struct from_item *item, struct from_stream *f, const char *alias, struct window_tables *tables,
	struct err *err)
{
	struct buf from = BUF_INIT, quoted = BUF_INIT, ts = BUF_INIT, name = BUF_INIT;
	struct window_table *t = NULL;
	bool ok = f->stream != NULL;
	if (!ok) {
		err_set(err, ERR_NOT_BUILT, "%s over anything but a topic is not built yet", item->name);
		goto out;
	}
	sql_quote_name(&quoted, alias);
	span_add(&from, text->data, f->table);
	buf_addf(&from, " AS %s", quoted.data);
	/* Alone in its FROM, the rows are chosen before windows are made. */
	struct lex l = {.sql = text->data, .len = sel->where.to, .at = sel->where.from};
	bool own = sel->from_n == 1 && !span_empty(sel->where);
	for (struct token k = lex_next_solid(&l); own && k.kind != TOKEN_END; k = lex_next_solid(&l))
		own = !token_is_word(&k, "window_start") && !token_is_word(&k, "window_end");
	if (own) {
		buf_adds(&from, " WHERE ");
		span_add(&from, text->data, sel->where);
	}
	const char *time = f->window.ts ? f->window.ts : f->event_time;
	if (time)
		buf_adds(&ts, time);
	else
		buf_addf(&ts, "%s._ts", quoted.data);
	ok = ok && window_table_create(s, f->stream, &f->window, ts.data, from.data, &t, err);
	if (ok) {
		tables->list[tables->n++] = t;
		buf_addf(&name, "%s AS %s", window_table_name(t), quoted.data);
		if (own)
			span_replace(text, sel->where, "1");
		span_replace(text, (struct span){item->table.from, item->alias ? item->alias_span.to : item->table.to}, name.data);
	}
out:
	buf_finish(&from);
	buf_finish(&quoted);
	buf_finish(&ts);
	buf_finish(&name);
	return ok;
}

/* ksqlDB's clause goes, and its window joins GROUP BY. The table becomes a call that the next round rewrites. */
static bool rewrite_ksql(struct buf *text, const struct select *sel, struct err *err)
{
	struct window_spec w;
	struct buf call = BUF_INIT;
	const struct from_item *f = &sel->from[0];
	if (!window_from_ksql(text->data, sel->ksql_window, &w, err))
		return false;
	if (f->is_call || f->is_query)
		return err_set(err, ERR_SQL, "WINDOW goes with a stream behind FROM");
	buf_adds(&call, w.kind == WINDOW_TUMBLE ? "tumble(" : w.kind == WINDOW_HOP ? "hop(" : "session(");
	span_add(&call, text->data, f->table);
	if (w.kind == WINDOW_SESSION)
		buf_addf(&call, ", gap => '%lldms'", (long long)w.gap_ms);
	else
		buf_addf(&call, ", size => '%lldms'", (long long)w.size_ms);
	if (w.kind == WINDOW_HOP)
		buf_addf(&call, ", slide => '%lldms'", (long long)w.slide_ms);
	if (w.kind == WINDOW_SESSION && sel->group_n) {
		buf_adds(&call, ", key => ");
		span_add(&call, text->data, sel->groups[0]);
	}
	buf_addc(&call, ')');
	/* From the back, so that the spans in front stay right. */
	if (sel->group_n)
		span_replace(text, (struct span){sel->group_by.from, sel->group_by.from}, "window_start, window_end, ");
	span_replace(text, sel->ksql_window, "");
	span_replace(text, f->table, call.data);
	buf_finish(&call);
	window_spec_finish(&w);
	return true;
}

static bool rewrite_one(struct session *s, struct buf *text, struct found *found, struct window_tables *tables, int number, struct err *err)
{
	const struct from_item *item = &found->select.from[found->item];
	struct from_stream f;
	if (found->ksql)
		return rewrite_ksql(text, &found->select, err);
	if (!from_stream(s, text->data, &found->select, found->item, &f, err))
		return false;
	if (!f.stream && !f.window.ts) {             /* else SQLite's message would speak of a name that nobody wrote */
		struct derived *d = NULL;
		struct err ignored = ERR_INIT;
		bool timeless = derived_find(s, text->data, &found->select, f.table, &d, &ignored) && d && derived_time(d) == DERIVED_NO_TIME;
		derived_free(d);
		if (timeless) {
			from_stream_finish(&f);
			return derived_no_time(err);
		}
	}
	char *alias = item->alias ? xstrdup(item->alias) : span_column_name(text->data, f.table);
	if (!alias)
		alias = xasprintf("weir_t%d", number);
	if (f.window.positional_hop)
		catalog_notice(s->catalog, NOTICE_WARNING, "hop(t, a, b) takes the size first, Flink's HOP the slide: name them, size => and slide =>");
	bool ok = window_is_stateful(&f.window) ? rewrite_tracked(s, text, &found->select, item, &f, alias, tables, err) : rewrite_grid(text, item, &f, alias, number, err);
	free(alias);
	from_stream_finish(&f);
	return ok;
}

bool windows_rewrite(struct session *s, struct buf *io_text, bool *ret_changed, struct window_tables **ret_tables, struct err *err)
{
	struct window_tables *tables = xcalloc(1, sizeof *tables);
	struct found found;
	bool ok = true;
	*ret_changed = false;
	*ret_tables = NULL;
	for (int i = 0; ok && find(io_text, &found); i++) {
		ok = i < WINDOWS_MAX || err_set(err, ERR_SQL, "more than %d windows in one statement", WINDOWS_MAX);
		ok = ok && rewrite_one(s, io_text, &found, tables, i + 1, err);
		select_finish(&found.select);
		if (ok)
			*ret_changed = true;
		else if (*ret_changed)
			err->sql_offset = -1;            /* of a text that is no longer the user's */
	}
	if (!ok) {
		window_tables_free(tables);
		return false;
	}
	*ret_tables = tables;
	return true;
}
