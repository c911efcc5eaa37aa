/* sql/live/outer.h */
#include "sql/live/outer.h"

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "sql/live/body.h"
#include "sql/live/derived.h"
#include "sql/live/from.h"

enum { DEPTH_MAX = 32 };

/* The SELECT that the item of FROM names, as a statement of its own: with the WITH tables that it may use; and the column names that were given to it, NULL = none.
 * NULL = none, or not one that can be cut out. */
static char *body_of(struct session *s, const char *text, const struct select *sel, const struct from_item *f, char **ret_columns)
{
	struct scope scope = {text, sel->with, NULL};
	char *body = NULL, *with = NULL;
	*ret_columns = NULL;
	if (f->is_call)
		return NULL;
	if (f->is_query) {
		if (!span_empty(sel->with))
			return NULL;
		return span_text(text, (struct span){f->table.from + 1, f->table.to - 1});
	}
	if (f->schema)
		return NULL;
	if (body_of_with(&scope, f->name, &body, ret_columns)) {
		with = body_with_before(&scope, f->name);
		struct parse p = parse_begin(body, 0, strlen(body));
		char *whole = with && !(*with && parse_is(&p, "with")) ? xasprintf("%s %s", with, body) : NULL;
		free(with);
		free(body);
		return whole;
	}
	body = body_of_view(s, f->name, ret_columns);
	const char *written = body ? view_written(s, f->name) : NULL;
	if (!written)
		return body;
	free(body);
	return xstrdup(written);
}

/* What stands around it asks one thing of each row: no groups, no order, no window of its own. */
static bool is_plain(const char *text, const struct select *sel)
{
	return !derived_obstacle(text, sel) && span_empty(sel->group_whole) && span_empty(sel->having) && span_empty(sel->tail) && span_empty(sel->fill_whole) && span_empty(sel->ksql_window) &&
	       span_empty(sel->windows);
}

/* The item that is to be unfolded; SIZE_MAX = none. The others are tables; those that follow a topic are added to o. */
static bool pick(struct session *s, const char *text, const struct select *sel, struct outer *o, size_t *ret, char **ret_body, char **ret_columns, struct err *err)
{
	*ret = SIZE_MAX;
	for (size_t i = 0; i < sel->from_n; i++) {
		const struct from_item *f = &sel->from[i];
		struct scope scope = {text, sel->with, NULL};
		struct from_stream st = {0};
		char *body = NULL, *columns = NULL;
		bool of_with = f->name && !f->schema && !f->is_call && body_of_with(&scope, f->name, &body, &columns);
		free(body);
		free(columns);
		if (f->asof || !span_empty(f->as_of_whole) || !span_empty(f->within_whole))
			return *ret = SIZE_MAX, true;        /* a join by time is between topics */
		if (!of_with && !from_stream(s, text, sel, i, &st, err))
			return false;
		bool table = st.stream && st.stream->kind == STREAM_CHANGELOG && !st.is_window, topic = st.stream && !table;
		if (table) {
			o->tables = xreallocarray(o->tables, o->table_n + 1, sizeof *o->tables);
			o->tables[o->table_n++] = xstrdup(st.name);
		}
		from_stream_finish(&st);
		if (topic)
			return *ret = SIZE_MAX, true;        /* a topic's row, not a result's */
		struct derived *d = NULL;
		struct err why = ERR_INIT;
		if (table || derived_find(s, text, sel, f->table, &d, &why)) {
			bool rows = d != NULL;
			derived_free(d);
			if (rows)
				return *ret = SIZE_MAX, true;
			continue;
		}
		if (*ret != SIZE_MAX)
			return *ret = SIZE_MAX, true;        /* two of them */
		*ret_body = body_of(s, text, sel, f, ret_columns);
		if (!*ret_body)
			return true;
		*ret = i;
	}
	return true;
}

/* Column names are given by a WITH table of the item's name, which hides whatever else has it. */
static void surround(struct outer *o, const char *text, const struct select *sel, const struct from_item *f, const char *columns)
{
	size_t from = span_empty(sel->with) ? sel->whole.from : sel->with.to, behind = f->alias ? f->alias_span.to : f->table.to;
	struct buf after = BUF_INIT;
	if (columns) {
		buf_adds(&o->before, "WITH ");
		sql_quote_name(&o->before, f->name);
		buf_addf(&o->before, "%s AS (", columns);
		buf_adds(&after, ") ");
		buf_add(&after, text + from, sel->whole.to - from);
		buf_add(&after, o->after.data, o->after.len);
		buf_finish(&o->after);
		o->after = after;
		return;
	}
	buf_add(&o->before, text + from, f->table.from - from);
	buf_addc(&o->before, '(');
	buf_adds(&after, ") AS ");
	sql_quote_name(&after, f->alias ? f->alias : f->name ? f->name : "weir_rows");
	buf_add(&after, text + behind, sel->whole.to - behind);
	buf_add(&after, o->after.data, o->after.len);
	buf_finish(&o->after);
	o->after = after;
}

bool outer_unfold(struct session *s, struct buf *text, size_t *io_emit_at, struct outer *o, struct err *err)
{
	bool ok = true, more = true;
	for (int depth = 0; ok && more && depth < DEPTH_MAX; depth++) {
		struct select sel;
		size_t item = SIZE_MAX;
		char *body = NULL, *columns = NULL;
		more = select_parse(text->data, 0, *io_emit_at, &sel);
		if (!more)
			break;
		size_t table_n = o->table_n;
		more = is_plain(text->data, &sel);
		ok = !more || pick(s, text->data, &sel, o, &item, &body, &columns, err);
		more = ok && item != SIZE_MAX;
		if (more) {
			struct buf inner = BUF_INIT;
			surround(o, text->data, &sel, &sel.from[item], columns);
			buf_adds(&inner, body);
			buf_addc(&inner, ' ');
			size_t emit_at = inner.len;
			buf_add(&inner, text->data + *io_emit_at, text->len - *io_emit_at);
			buf_finish(text);
			*text = inner;
			*io_emit_at = emit_at;
		}
		for (; !more && o->table_n > table_n; o->table_n--)
			free(o->tables[o->table_n - 1]);
		free(body);
		free(columns);
		select_finish(&sel);
	}
	return ok;
}

void outer_wrap(const struct outer *o, struct buf *sql)
{
	if (!o->before.len)
		return;
	struct buf whole = BUF_INIT;
	buf_add(&whole, o->before.data, o->before.len);
	buf_add(&whole, sql->data, sql->len);
	buf_add(&whole, o->after.data, o->after.len);
	buf_finish(sql);
	*sql = whole;
}

void outer_finish(struct outer *o)
{
	for (size_t i = 0; i < o->table_n; i++)
		free(o->tables[i]);
	free(o->tables);
	buf_finish(&o->before);
	buf_finish(&o->after);
}
