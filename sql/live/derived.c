/* sql/live/derived.h */
#include "sql/live/derived.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "sql/aggregate/aggregate.h"
#include "sql/live/body.h"

enum { DEPTH_MAX = 32 };

struct derived {
	char *text;
	struct select select;                /* of text */
	size_t item;                         /* of its FROM: what it is derived from */
	char *alias;                         /* how the select names that */
	struct derived *inner;               /* NULL: that is the topic */
	struct from_stream stream;           /* of the topic */
	char **follows;                      /* with those of inner */
	size_t follow_n;
};

struct finder {
	struct session *s;
	int depth;                           /* a view may be defined by itself */
};

static bool find(struct finder *fi, const char *what, char *body, const struct scope *outer, struct derived **ret, struct err *err);

/* ---- shape ---- */

static bool calls_aggregate(const char *text, struct span s, bool *ret_over)
{
	struct lex l = {.sql = text, .len = s.to, .at = s.from};
	bool found = false;
	int depth = 0;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		struct lex ahead = l;
		struct token next = lex_next_solid(&ahead), after = lex_next_solid(&ahead);
		if (token_is_op(&t, "(") && (depth || token_is_word(&next, "select")))
			depth++;                         /* a subquery's own */
		else if (token_is_op(&t, ")") && depth)
			depth--;
		else if (!depth && token_is_word(&t, "over"))
			*ret_over = true;
		else if (!depth && t.kind == TOKEN_WORD && token_is_op(&next, "(")) {
			const struct aggregate *a = aggregate_find(t.text, t.len, -1);
			struct parse p = parse_begin(text, (size_t)(next.text - text), s.to);
			struct span args = body_inside(text, &p, s.to), *list = NULL;
			size_t n = 0;
			span_split(text, args, &list, &n);
			free(list);
			found = found || aggregate_is_sqlites(t.text, t.len) || (a && aggregate_find(t.text, t.len, token_is_op(&after, "*") ? 0 : (int)n));
		}
	}
	return found;
}

const char *derived_obstacle(const char *text, const struct select *sel)
{
	bool over = false;
	if (sel->compound)
		return "UNION, EXCEPT or INTERSECT";
	if (sel->distinct)
		return "DISTINCT";
	if (sel->group_n || calls_aggregate(text, sel->items_span, &over))
		return over ? "a window function (OVER)" : "aggregates";
	if (over)
		return "a window function (OVER)";
	if (!span_empty(sel->order_by))
		return "ORDER BY";
	if (!span_empty(sel->limit))
		return "LIMIT";
	return NULL;
}

static bool refuse(const char *what, const char *why, struct err *err)
{
	bool view = strcmp(why, "aggregates") == 0;
	err_set(err, ERR_SQL, "%s cannot be read row by row from its topic: it has %s", what, why);
	err_hint(err, view ? "a live query can choose among its rows, compute columns and join tables to them, no more; keep it as a MATERIALIZED VIEW and read that, or put it all into the live query itself"
			   : "a live query reads a subquery, WITH table or view of one topic that chooses rows and computes columns");
	return false;
}

/* ---- finding ---- */

static void add_follow(struct derived *d, const char *name)
{
	d->follows = xreallocarray(d->follows, d->follow_n + 1, sizeof *d->follows);
	d->follows[d->follow_n++] = xstrdup(name);
}

/* What FROM names: a WITH table, a view or a subquery. */
static bool find_table(struct finder *fi, const char *text, struct span table, const struct scope *scope, struct derived **ret, struct err *err)
{
	struct lex l = {.sql = text, .len = table.to, .at = table.from};
	struct token t = lex_next_solid(&l);
	*ret = NULL;
	if (token_is_op(&t, "("))
		return find(fi, "the subquery", span_text(text, (struct span){table.from + 1, table.to - 1}), scope, ret, err);
	char *body, *columns = NULL, *name = span_column_name(text, table);
	if (!name)
		return true;
	scope = body_of_with(scope, name, &body, &columns);
	if (!scope)
		body = body_of_view(fi->s, name, &columns);
	char *what = xasprintf("\"%s\"", name);
	bool ok = !body || find(fi, what, body, scope, ret, err);
	if (ok && *ret && columns) {
		derived_free(*ret);
		*ret = NULL;
		ok = refuse(what, "a list of column names: name them with AS", err);
	}
	free(what);
	free(name);
	free(columns);
	return ok;
}

static bool take_item(struct finder *fi, struct derived *d, size_t i, const struct scope *scope, const char *what, struct err *err)
{
	const struct from_item *f = &d->select.from[i];
	struct from_stream st = {0};
	struct derived *inner = NULL;
	char *body = NULL, *columns = NULL;
	bool of_with = f->name && !f->schema && !f->is_call && body_of_with(scope, f->name, &body, &columns), ok = true;
	free(body);
	free(columns);
	if (!of_with && !from_stream(fi->s, d->text, &d->select, i, &st, err))
		return false;
	if (st.stream && st.stream->kind == STREAM_CHANGELOG && !st.is_window)
		add_follow(d, st.name);
	else if (st.is_window)
		ok = refuse(what, "a window", err);
	else if (!st.stream)
		ok = find_table(fi, d->text, f->table, scope, &inner, err);
	bool topic = ok && (inner || (st.stream && st.stream->kind != STREAM_CHANGELOG));
	if (topic && d->alias)
		ok = topic = refuse(what, "a join of topics", err);
	if (!topic) {
		from_stream_finish(&st);
		derived_free(inner);
		return ok;
	}
	d->item = i;
	d->alias = xstrdup(f->alias ? f->alias : f->name ? f->name : "weir_rows");
	d->inner = inner;
	d->stream = st;
	for (size_t k = 0; inner && k < inner->follow_n; k++)
		add_follow(d, inner->follows[k]);
	return true;
}

/* body is taken over. */
static bool find(struct finder *fi, const char *what, char *body, const struct scope *outer, struct derived **ret, struct err *err)
{
	struct derived *d = xcalloc(1, sizeof *d);
	d->text = body;
	*ret = NULL;
	/* Text that is no SELECT is VALUES, or what SQLite will refuse. */
	bool ok = true, read = fi->depth < DEPTH_MAX && select_parse(body, 0, strlen(body), &d->select);
	struct scope scope = {body, d->select.with, outer};
	fi->depth++;
	for (size_t i = 0; ok && read && i < d->select.from_n; i++)
		ok = take_item(fi, d, i, &scope, what, err);
	fi->depth--;
	const char *why = ok && d->alias ? derived_obstacle(body, &d->select) : NULL;
	if (why)
		ok = refuse(what, why, err);
	if (ok && d->alias)
		*ret = d;
	else
		derived_free(d);
	return ok;
}

bool derived_find(struct session *s, const char *text, const struct select *sel, struct span table, struct derived **ret, struct err *err)
{
	struct scope scope = {text, sel->with, NULL};
	struct finder fi = {s, 0};
	return find_table(&fi, text, table, &scope, ret, err);
}

void derived_free(struct derived *d)
{
	if (!d)
		return;
	derived_free(d->inner);
	from_stream_finish(&d->stream);
	select_finish(&d->select);
	for (size_t i = 0; i < d->follow_n; i++)
		free(d->follows[i]);
	free(d->follows);
	free(d->alias);
	free(d->text);
	free(d);
}

/* ---- what it says ---- */

struct from_stream *derived_stream(struct derived *d)
{
	return d->inner ? derived_stream(d->inner) : &d->stream;
}

const char *derived_follow(const struct derived *d, size_t i)
{
	return i < d->follow_n ? d->follows[i] : NULL;
}

enum derived_time derived_time(const struct derived *d)
{
	for (size_t i = 0; i < d->select.item_n; i++) {
		const struct select_item *item = &d->select.items[i];
		char *column = span_column_name(d->text, item->expr);
		bool raw = column && strcasecmp(column, "_ts") == 0;
		free(column);
		if (select_item_named(d->text, item, "_ts"))
			return !raw ? DERIVED_OWN_TIME : d->inner ? derived_time(d->inner) : DERIVED_RECORD_TIME;
		struct lex l = {.sql = d->text, .len = item->expr.to, .at = item->expr.from};
		struct token t = lex_next_solid(&l), last = t;
		for (; t.kind != TOKEN_END; t = lex_next_solid(&l))
			last = t;
		if (token_is_op(&last, "*") && d->inner && derived_time(d->inner) != DERIVED_NO_TIME)
			return derived_time(d->inner);       /* SELECT *, x.*: of a derived table the column is not hidden */
	}
	return DERIVED_NO_TIME;
}

bool derived_no_time(struct err *err)
{
	err_set(err, ERR_SQL, "the subquery, WITH table or view has no event time");
	err_hint(err, "add _ts to its columns; in a window you may name one: tumble(.., ts => column)");
	return false;
}

void derived_sql(const struct derived *d, const char *feed, bool places, struct buf *to)
{
	const struct select *sel = &d->select;
	const struct from_item *f = &sel->from[d->item];
	buf_addc(to, '(');
	buf_add(to, d->text, sel->items_span.from);
	if (places) {
		static const char *const columns[] = {"_partition", "_offset", "_index"};
		for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
			buf_addc(to, ' ');
			sql_quote_name(to, d->alias);
			buf_addf(to, ".%s,", columns[i]);
		}
		buf_addc(to, ' ');
	}
	buf_add(to, d->text + sel->items_span.from, f->table.from - sel->items_span.from);
	if (d->inner)
		derived_sql(d->inner, feed, places, to);
	else
		buf_adds(to, feed);
	buf_adds(to, " AS ");
	sql_quote_name(to, d->alias);
	size_t behind = f->alias ? f->alias_span.to : f->table.to;
	if (span_empty(sel->where)) {
		buf_add(to, d->text + behind, sel->whole.to - behind);
	} else {
		buf_add(to, d->text + behind, sel->where.from - behind);
		span_add_ordered_where(to, d->text, sel->where);
		buf_add(to, d->text + sel->where.to, sel->whole.to - sel->where.to);
	}
	buf_addc(to, ')');
}
