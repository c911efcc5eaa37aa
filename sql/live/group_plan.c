/* sql/live/group_plan.h. Expressions are rewritten token by token: a call of an aggregate becomes a column, a grouped expression becomes a column, all else
 * stays. Whatever is left and is no column of the groups makes SQLite refuse the output, and that is the test for "neither grouped nor aggregated". */
#include "sql/live/group_plan.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"

struct make {
	const struct group_plan_request *r;
	const char *text;
	const struct select *sel;
	struct group_plan *p;
	const char *why;
	struct span *inputs;                 /* expressions of the input behind AT_N and tracker columns, in the user's text */
	size_t input_n;
	int input_from;                      /* column number of inputs[0] */
	struct span *having_too;             /* conjuncts of WHERE on window columns */
	size_t having_too_n;
	struct span *where;
	size_t where_n;
};

static bool no(struct make *m, const char *why)
{
	m->why = why;
	return false;
}

static struct lex lex_at(const char *text, struct span s)
{
	return (struct lex){.sql = text, .len = s.to, .at = s.from};
}

static size_t offset_of(const struct make *m, const struct token *t)
{
	return (size_t)(t->text - m->text);
}

/* ---- names ---- */

static bool is_window_name(const struct token *t, bool *ret_end)
{
	struct buf b = BUF_INIT;
	if (t->kind != TOKEN_WORD && t->kind != TOKEN_QUOTED)
		return false;
	token_unquote(t, &b);
	bool start = strcasecmp(b.data, "window_start") == 0 || strcasecmp(b.data, "windowstart") == 0;
	*ret_end = strcasecmp(b.data, "window_end") == 0 || strcasecmp(b.data, "windowend") == 0;
	buf_finish(&b);
	return start || *ret_end;
}

/* window_start or x.window_start, alone. */
static bool span_is_window(const char *text, struct span s, bool *ret_end)
{
	struct lex l = lex_at(text, s);
	struct token t = lex_next_solid(&l), next = lex_next_solid(&l);
	if (token_is_op(&next, ".")) {
		t = lex_next_solid(&l);
		next = lex_next_solid(&l);
	}
	return next.kind == TOKEN_END && is_window_name(&t, ret_end);
}

static bool mentions_window(const char *text, struct span s)
{
	struct lex l = lex_at(text, s);
	bool end;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l))
		if (is_window_name(&t, &end))
			return true;
	return false;
}

/* ---- the input's columns ---- */

static int add_input(struct make *m, struct span s)
{
	for (size_t i = 0; i < m->input_n; i++)
		if (span_equal(m->text, m->inputs[i], m->text, s))
			return m->input_from + (int)i;
	m->inputs = xreallocarray(m->inputs, m->input_n + 1, sizeof *m->inputs);
	m->inputs[m->input_n] = s;
	return m->input_from + (int)m->input_n++;
}

/* Arguments of one call lie side by side, so nothing is shared unless there is one of them. */
static int add_inputs(struct make *m, const struct span *list, size_t n)
{
	if (n == 1)
		return add_input(m, list[0]);
	int first = m->input_from + (int)m->input_n;
	for (size_t i = 0; i < n; i++) {
		m->inputs = xreallocarray(m->inputs, m->input_n + 1, sizeof *m->inputs);
		m->inputs[m->input_n++] = list[i];
	}
	return first;
}

/* ---- aggregate calls ---- */

static bool close_group(struct lex *l, struct token *ret)
{
	int depth = 1;
	for (;;) {
		struct token t = lex_next_solid(l);
		if (t.kind == TOKEN_END)
			return false;
		if (token_is_op(&t, "("))
			depth++;
		else if (token_is_op(&t, ")") && --depth == 0) {
			*ret = t;
			return true;
		}
	}
}

static bool has_aggregate(const char *text, struct span s)
{
	struct lex l = lex_at(text, s);
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		struct lex ahead = l;
		struct token next = lex_next_solid(&ahead);
		if (t.kind == TOKEN_WORD && token_is_op(&next, "(") && aggregate_find(t.text, t.len, -1)) {
			struct token close;
			struct span inner = {(size_t)(next.text - text) + 1, 0};
			struct span *args = NULL;
			size_t n = 0;
			if (!close_group(&ahead, &close))
				return true;
			inner.to = (size_t)(close.text - text);
			span_split(text, inner, &args, &n);
			free(args);
			if (aggregate_find(t.text, t.len, (int)n))
				return true;
		}
	}
	return false;
}

enum call_parse { CALL_NOT, CALL_OK, CALL_BAD };

/* The token `name` (just read from l) may begin an aggregate call. On CALL_OK l stands behind it, *ret is its number. */
static enum call_parse parse_call(struct make *m, const struct token *name, struct lex *l, size_t *ret)
{
	struct lex ahead = *l;
	struct token open = lex_next_solid(&ahead), close;
	if (name->kind != TOKEN_WORD || !token_is_op(&open, "(") || !aggregate_find(name->text, name->len, -1))
		return CALL_NOT;
	struct group_call call = {.filter = -1, .text = {offset_of(m, name), 0}};
	struct span inner = {offset_of(m, &open) + 1, 0};
	if (!close_group(&ahead, &close))
		return no(m, "an unclosed parenthesis"), CALL_BAD;
	inner.to = offset_of(m, &close);
	call.text.to = inner.to + 1;
	struct lex in = lex_at(m->text, inner);
	struct token first = lex_next_solid(&in);
	if (token_is_word(&first, "distinct")) {
		call.distinct = true;
		inner.from = offset_of(m, &first) + first.len;
	}
	struct span *args = NULL;
	size_t n = 0;
	bool star = token_is_op(&first, "*");
	if (!star)
		span_split(m->text, inner, &args, &n);
	call.def = aggregate_find(name->text, name->len, (int)n);
	enum call_parse result = CALL_NOT;
	struct lex behind = ahead;
	struct token next = lex_next_solid(&behind), filter_open = {.kind = TOKEN_END};
	if (!call.def)
		goto out;
	result = CALL_BAD;
	if (token_is_word(&next, "filter")) {
		filter_open = lex_next_solid(&behind);
		struct token where = lex_next_solid(&behind);
		if (!token_is_op(&filter_open, "(") || !token_is_word(&where, "where") || !close_group(&behind, &close)) {
			no(m, "a FILTER that is not (WHERE ..)");
			goto out;
		}
		struct span condition = {offset_of(m, &where) + where.len, offset_of(m, &close)};
		if (has_aggregate(m->text, condition)) {
			no(m, "an aggregate inside FILTER");
			goto out;
		}
		call.filter = add_input(m, condition);
		call.text.to = condition.to + 1;
		ahead = behind;
		next = lex_next_solid(&behind);
	}
	if (token_is_word(&next, "over")) {
		no(m, "a window function (OVER)");
		goto out;
	}
	if (has_aggregate(m->text, inner)) {
		no(m, "an aggregate inside an aggregate");
		goto out;
	}
	if (n && mentions_window(m->text, inner)) {
		no(m, "window_start or window_end inside an aggregate");
		goto out;
	}
	for (size_t i = 0; i < m->p->call_n; i++)
		if (span_equal(m->text, m->p->calls[i].text, m->text, call.text)) {
			*ret = i;
			result = CALL_OK;
			*l = ahead;
			goto out;
		}
	call.column = n ? add_inputs(m, args, n) : -1;
	call.column_n = (int)n;
	m->p->calls = xreallocarray(m->p->calls, m->p->call_n + 1, sizeof *m->p->calls);
	m->p->calls[m->p->call_n] = call;
	*ret = m->p->call_n++;
	*l = ahead;
	result = CALL_OK;
out:
	free(args);
	return result;
}

/* ---- grouped expressions ---- */

/* A name, t.name, or one call: it keeps its meaning whatever stands beside it. */
static bool is_primary(const char *text, struct span s)
{
	struct lex l = lex_at(text, s);
	struct token t = lex_next_solid(&l), close;
	if (token_is_op(&t, "("))
		return close_group(&l, &close) && (size_t)(close.text - text) + 1 == s.to;
	for (;;) {
		if (t.kind != TOKEN_WORD && t.kind != TOKEN_QUOTED)
			return false;
		t = lex_next_solid(&l);
		if (t.kind == TOKEN_END)
			return true;
		if (token_is_op(&t, "("))
			return close_group(&l, &close) && (size_t)(close.text - text) + 1 == s.to;
		if (!token_is_op(&t, "."))
			return false;
		t = lex_next_solid(&l);
	}
}

/* Do the tokens from `at` on spell the key's expression? *ret_end: where it ends. A column matches with and without its table's name. */
static bool matches_key(const struct make *m, const struct group_key *k, size_t at, size_t to, size_t *ret_end)
{
	struct lex key = lex_at(m->text, k->expr), l = {.sql = m->text, .len = to, .at = at};
	size_t end = at;
	for (;;) {
		struct token a = lex_next_solid(&key);
		if (a.kind == TOKEN_END)
			break;
		struct token b = lex_next_solid(&l);
		bool text = a.kind == TOKEN_STRING || a.kind == TOKEN_BLOB;
		if (a.kind != b.kind || a.len != b.len || (text ? memcmp(a.text, b.text, a.len) : strncasecmp(a.text, b.text, a.len)) != 0)
			return false;
		end = offset_of(m, &b) + b.len;
	}
	*ret_end = end;
	return true;
}

static bool matches_column(const struct make *m, const struct group_key *k, size_t at, size_t to, size_t *ret_end)
{
	char *name = span_column_name(m->text, k->expr);
	struct lex l = {.sql = m->text, .len = to, .at = at};
	struct token t = lex_next_solid(&l), last = t;
	bool same = false;
	if (!name)
		return false;
	if (t.kind == TOKEN_WORD || t.kind == TOKEN_QUOTED) {
		struct token dot = lex_next_solid(&l);
		while (token_is_op(&dot, ".")) {
			last = lex_next_solid(&l);
			dot = lex_next_solid(&l);
		}
		bool qualified = last.text != t.text, key_qualified = false;
		struct lex kl = lex_at(m->text, k->expr);
		lex_next_solid(&kl);
		struct token kdot = lex_next_solid(&kl);
		key_qualified = token_is_op(&kdot, ".");
		/* Two qualified names were compared token by token before. */
		if (!token_is_op(&dot, "(") && (last.kind == TOKEN_WORD || last.kind == TOKEN_QUOTED) && !(qualified && key_qualified)) {
			struct buf b = BUF_INIT;
			token_unquote(&last, &b);
			same = strcasecmp(b.data, name) == 0;
			buf_finish(&b);
			*ret_end = offset_of(m, &last) + last.len;
		}
	}
	free(name);
	return same;
}

/* ---- rewriting ---- */

static bool is_border(const struct token *t, bool before)
{
	if (t->kind == TOKEN_END || token_is_op(t, ","))
		return true;
	if (before)
		return token_is_op(t, "(");
	return token_is_op(t, ")") || token_is_word(t, "asc") || token_is_word(t, "desc") || token_is_word(t, "nulls") || token_is_word(t, "as");
}

/* Is there a key at this token? Appends its column. */
static bool rewrite_key(struct make *m, size_t at, size_t to, const struct token *before, size_t *ret_end, struct buf *out)
{
	if (token_is_op(before, "."))
		return false;
	for (size_t i = 0; i < m->p->key_n; i++) {
		const struct group_key *k = &m->p->keys[i];
		size_t end = at;
		if (k->kind != GROUP_KEY_COLUMN || (!matches_key(m, k, at, to, &end) && !matches_column(m, k, at, to, &end)))
			continue;
		struct lex l = {.sql = m->text, .len = to, .at = end};
		struct token after = lex_next_solid(&l);
		if (token_is_op(&after, "(") || token_is_op(&after, "."))
			continue;
		if (!is_primary(m->text, k->expr) && !(is_border(before, true) && is_border(&after, false)))
			continue;
		buf_addf(out, "\"" GROUP_KEY_NAME "\"", i + 1);
		*ret_end = end;
		return true;
	}
	return false;
}

/* Copies the span with aggregates and grouped expressions replaced. */
static bool rewrite(struct make *m, struct span s, struct buf *out)
{
	struct lex l = lex_at(m->text, s);
	struct token before = {.kind = TOKEN_END};
	size_t copied = s.from;
	for (;;) {
		struct token t = lex_next_solid(&l);
		if (t.kind == TOKEN_END)
			break;
		size_t at = offset_of(m, &t), end = 0, call = 0;
		bool window_end = false;
		struct lex ahead = l;
		struct token next = lex_next_solid(&ahead);
		if (token_is_op(&t, "(") && (token_is_word(&next, "select") || token_is_word(&next, "with") || token_is_word(&next, "values"))) {
			struct token close;              /* a subquery stays as it is */
			if (!close_group(&l, &close))
				return no(m, "an unclosed parenthesis");
			before = close;
			continue;
		}
		if (token_is_word(&t, "over") && (token_is_op(&next, "(") || token_is_name(&next)))
			return no(m, "a window function (OVER)");
		if (t.kind == TOKEN_WORD && token_is_op(&next, "(") && aggregate_is_sqlites(t.text, t.len))
			return no(m, "json_group_array() or json_group_object(), which keep no partial states");
		buf_add(out, m->text + copied, at - copied);
		copied = at;
		enum call_parse is_call = token_is_op(&before, ".") ? CALL_NOT : parse_call(m, &t, &l, &call);
		if (is_call == CALL_BAD)
			return false;
		if (is_call == CALL_OK) {
			buf_addf(out, "\"" GROUP_CALL_NAME "\"", call + 1);
			copied = l.at;
		} else if (rewrite_key(m, at, s.to, &before, &end, out)) {
			l.at = copied = end;
		} else if (m->p->windowed && !token_is_op(&next, "(") && !token_is_op(&next, ".") && is_window_name(&t, &window_end)) {
			/* x.window_start: the table's name goes, too. */
			if (token_is_op(&before, ".")) {
				while (out->len && out->data[out->len - 1] != '.')
					out->len--;
				out->len--;
				while (out->len && !strchr(" \t\n(,+-*/%<>=|&", out->data[out->len - 1]))
					out->len--;
			}
			buf_adds(out, window_end ? "window_end" : "window_start");
			copied = l.at;
		}
		before = (struct token){.kind = t.kind, .text = m->text + copied - 1, .len = 1};
		if (copied == at)
			before = t;
		else
			before = (struct token){.kind = TOKEN_WORD, .text = "x", .len = 1};
	}
	buf_add(out, m->text + copied, s.to > copied ? s.to - copied : 0);
	return true;
}

/* ---- the parts ---- */

static const struct select_item *item_of_alias(const struct make *m, struct span s)
{
	char *name = span_column_name(m->text, s);
	const struct select_item *found = NULL;
	for (size_t i = 0; name && i < m->sel->item_n && !found; i++)
		if (m->sel->items[i].alias && strcasecmp(m->sel->items[i].alias, name) == 0)
			found = &m->sel->items[i];
	free(name);
	return found;
}

static bool add_key(struct make *m, struct span term)
{
	bool end = false;
	struct lex l = lex_at(m->text, term);
	struct token t = lex_next_solid(&l), second = lex_next_solid(&l);
	if (t.kind == TOKEN_NUMBER && second.kind == TOKEN_END) {
		long n = strtol(t.text, NULL, 10);
		if (n < 1 || (size_t)n > m->sel->item_n)
			return no(m, "GROUP BY a number that is no result column");
		term = m->sel->items[n - 1].expr;
	}
	const struct select_item *aliased = item_of_alias(m, term);
	bool of_window = aliased && m->p->windowed && span_is_window(m->text, aliased->expr, &end);
	if (aliased && (m->r->expand_aliases || of_window)) {
		term = aliased->expr;
		m->p->aliases = true;
	}
	struct group_key key = {.kind = GROUP_KEY_COLUMN, .expr = term, .column = -1};
	for (l = lex_at(m->text, term), t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l))
		if (token_is_word(&t, "collate"))
			return no(m, "COLLATE in GROUP BY");
	if (has_aggregate(m->text, term))
		return no(m, "an aggregate in GROUP BY");
	if (m->p->windowed && span_is_window(m->text, term, &end))
		key.kind = end ? GROUP_KEY_WINDOW_END : GROUP_KEY_WINDOW_START;
	else if (m->p->windowed && mentions_window(m->text, term))
		return no(m, "an expression of window_start in GROUP BY");
	else
		key.column = add_input(m, term);
	const char *state = m->p->window.state;
	key.is_state = state && span_equal(m->text, term, state, (struct span){0, strlen(state)});
	m->p->keys = xreallocarray(m->p->keys, m->p->key_n + 1, sizeof *m->p->keys);
	m->p->keys[m->p->key_n++] = key;
	return true;
}

/* WHERE a AND b AND c: what speaks of window_start alone is decided when the window is known. */
static bool take_where(struct make *m)
{
	struct span *parts = NULL;
	size_t n = 0;
	bool ok = true;
	if (span_empty(m->sel->where))
		return true;
	if (m->p->windowed && mentions_window(m->text, m->sel->where))
		span_split_and(m->text, m->sel->where, &parts, &n);
	else
		span_split(m->text, m->sel->where, &parts, &n);      /* one piece */
	for (size_t i = 0; i < n; i++) {
		bool window = m->p->windowed && mentions_window(m->text, parts[i]);
		struct span **list = window ? &m->having_too : &m->where;
		size_t *list_n = window ? &m->having_too_n : &m->where_n;
		if (window && n == 1 && span_has_word(m->text, parts[i], "or"))
			ok = no(m, "window_start in a WHERE with OR");
		*list = xreallocarray(*list, *list_n + 1, sizeof **list);
		(*list)[(*list_n)++] = parts[i];
	}
	free(parts);
	return ok;
}

static void quote_alias(struct buf *to, const char *text, struct span s)
{
	char *name = span_text(text, s);
	sql_quote_name(to, name);
	free(name);
}

static bool make_output(struct make *m)
{
	struct buf *out = &m->p->output;
	buf_adds(out, m->sel->distinct ? "SELECT DISTINCT " : "SELECT ");
	for (size_t i = 0; i < m->sel->item_n; i++) {
		const struct select_item *item = &m->sel->items[i];
		if (i)
			buf_adds(out, ", ");
		if (!rewrite(m, item->expr, out))
			return false;
		buf_adds(out, " AS ");
		char *column = item->alias ? NULL : span_column_name(m->text, item->expr);
		if (item->alias)
			sql_quote_name(out, item->alias);
		else if (column)
			sql_quote_name(out, column);
		else
			quote_alias(out, m->text, item->expr);
		free(column);
	}
	buf_adds(out, " FROM ");
	m->p->output_table_at = out->len;
	const char *word = " WHERE ";
	for (size_t i = 0; i < m->having_too_n; i++, word = " AND ") {
		buf_adds(out, word);
		if (!rewrite(m, m->having_too[i], out))
			return false;
	}
	if (!span_empty(m->sel->having)) {
		buf_adds(out, word);
		buf_addc(out, '(');
		if (!rewrite(m, m->sel->having, out))
			return false;
		buf_addc(out, ')');
	}
	if (!span_empty(m->sel->order_by)) {
		buf_adds(out, " ORDER BY ");
		if (!rewrite(m, m->sel->order_by, out))
			return false;
	}
	if (!span_empty(m->sel->limit)) {
		buf_adds(out, " LIMIT ");
		span_add(out, m->text, m->sel->limit);
	}
	return true;
}

static void add_from(struct make *m, const struct span *windowed)
{
	struct group_plan *p = m->p;
	struct buf *in = &p->input;
	const struct select *sel = m->sel;
	const struct from_item *f = &sel->from[m->r->stream_item];
	struct span table = windowed ? *windowed : f->table;
	p->from_at = in->len;
	buf_adds(in, " FROM ");
	buf_add(in, m->text + sel->from_span.from, f->table.from - sel->from_span.from);
	p->stream_span.from = in->len;
	span_add(in, m->text, table);
	p->stream_span.to = in->len;
	buf_adds(in, " AS ");
	sql_quote_name(in, p->stream_alias);
	/* Behind the table: what follows the alias. */
	size_t behind = f->alias ? f->alias_span.to : f->table.to;
	buf_add(in, m->text + behind, sel->from_span.to - behind);
	for (size_t i = 0; i < m->where_n; i++) {
		buf_adds(in, i ? " AND " : " WHERE ");
		if (m->r->at_elsewhere)
			span_add_ordered_where(in, m->text, m->where[i]);
		else
			span_add(in, m->text, m->where[i]);
	}
}

static void make_input(struct make *m, const struct span *windowed)
{
	struct group_plan *p = m->p;
	struct buf *in = &p->input;
	struct buf alias = BUF_INIT;
	sql_quote_name(&alias, p->stream_alias);
	span_add(in, m->text, m->sel->with);
	buf_adds(in, span_empty(m->sel->with) ? "SELECT " : " SELECT ");
	const char *comma = "";
	if (p->at_n) {
		const char *ts = p->window.ts ? p->window.ts : m->r->event_time;
		if (ts)
			buf_addf(in, "weir_event_time(%s)", ts);
		else
			buf_addf(in, "%s._ts", alias.data);
		if (p->at_n == AT_N) {
			buf_addf(in, ", %s._partition, %s._offset, ", alias.data, alias.data);
			if (m->r->has_index)
				buf_addf(in, "%s._index", alias.data);
			else
				buf_adds(in, "0");
		}
		comma = ", ";
	}
	const char *extra[] = {p->tracker_key_n && p->window.key ? p->window.key : NULL, p->window.state, p->window.start, p->window.end};
	for (size_t i = 0; p->windowed && i < sizeof extra / sizeof *extra; i++)
		if (extra[i]) {
			buf_addf(in, "%s%s", comma, extra[i]);
			comma = ", ";
		}
	for (size_t i = 0; i < m->input_n; i++) {
		buf_addf(in, "%s", comma);
		span_add(in, m->text, m->inputs[i]);
		comma = ", ";
	}
	if (!*comma)
		buf_adds(in, "1");
	add_from(m, windowed);
	buf_finish(&alias);
}

/* The columns of a stateful window stand in front of the others. */
static void number_columns(struct make *m)
{
	struct group_plan *p = m->p;
	int next = p->at_n;
	if (p->windowed && p->window.key) {
		p->tracker_key = next;
		p->tracker_key_n = list_length(p->window.key);
		next += p->tracker_key_n;
	}
	if (p->windowed && p->window.state)
		p->state = next++;
	if (p->windowed && p->window.start)
		p->start = next++;
	if (p->windowed && p->window.end)
		p->end = next++;
	m->input_from = next;
}

/* Does some aggregate depend on the order of rows? */
static bool is_ordered(const struct select *sel, const char *text)
{
	struct lex l = lex_at(text, sel->whole);
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		struct lex ahead = l;
		struct token next = lex_next_solid(&ahead);
		const struct aggregate *def = t.kind == TOKEN_WORD && token_is_op(&next, "(") ? aggregate_find(t.text, t.len, -1) : NULL;
		if (def && def->ordered)
			return true;
	}
	return false;
}

static bool take_windows(struct make *m, struct span *ret_table, bool *ret_is, struct err *err)
{
	const struct select *sel = m->sel;
	struct group_plan *p = m->p;
	*ret_is = false;
	if (!span_empty(sel->ksql_window)) {
		if (!window_from_ksql(m->text, sel->ksql_window, &p->window, err))
			return false;
		p->windowed = true;
		return true;
	}
	if (!window_from_call(m->text, &sel->from[m->r->stream_item], ret_is, &p->window, ret_table, err))
		return false;
	p->windowed = *ret_is;
	return true;
}

static bool implied_window_keys(struct make *m)
{
	bool start = false;
	for (size_t i = 0; i < m->p->key_n; i++)
		start |= m->p->keys[i].kind != GROUP_KEY_COLUMN;
	if (start)
		return true;
	if (span_empty(m->sel->ksql_window))
		return no(m, "a window without window_start in GROUP BY");
	m->p->keys = xreallocarray(m->p->keys, m->p->key_n + 1, sizeof *m->p->keys);
	m->p->keys[m->p->key_n++] = (struct group_key){.kind = GROUP_KEY_WINDOW_START, .column = -1};
	return true;
}

bool group_plan_make(const struct group_plan_request *r, struct group_plan *ret, const char **ret_why, struct err *err)
{
	struct group_plan p = {.state = -1, .start = -1, .end = -1, .input = BUF_INIT, .output = BUF_INIT};
	struct make m = {.r = r, .text = r->text, .sel = r->select, .p = &p};
	struct span table = {0, 0};
	bool is_window = false, ok = false;
	const struct select *sel = r->select;
	*ret_why = NULL;
	if (sel->compound)
		m.why = "UNION, EXCEPT or INTERSECT";
	else if (sel->from_n == 0)
		m.why = "no FROM";
	else if (!span_empty(sel->windows))
		m.why = "a WINDOW clause";
	if (m.why)
		goto out;
	if (!take_windows(&m, &table, &is_window, err))
		goto out;
	const struct from_item *f = &sel->from[r->stream_item];
	p.stream = is_window ? span_column_name(m.text, table) : f->name ? xstrdup(f->name) : NULL;
	p.stream_alias = xstrdup(f->alias ? f->alias : p.stream ? p.stream : "weir_rows");
	p.grouped = sel->group_n > 0;
	bool all = r->want_at || (p.windowed && window_is_stateful(&p.window)) || is_ordered(sel, m.text);
	p.at_n = r->at_elsewhere ? 0 : all ? AT_N : p.windowed ? 1 : 0;
	number_columns(&m);
	if (!take_where(&m))
		goto out;
	ok = true;
	for (size_t i = 0; ok && i < sel->group_n; i++)
		ok = add_key(&m, sel->groups[i]);
	ok = ok && make_output(&m);
	if (ok && p.call_n == 0 && p.key_n == 0)
		ok = no(&m, "no aggregate");
	ok = ok && (!p.windowed || implied_window_keys(&m));
	if (ok) {
		make_input(&m, is_window ? &table : NULL);
		p.input_column_n = m.input_from + (int)m.input_n;
	}
out:
	free(m.inputs);
	free(m.where);
	free(m.having_too);
	if (ok) {
		*ret = p;
		return true;
	}
	*ret_why = m.why;
	group_plan_finish(&p);
	return false;
}

void group_plan_output(const struct group_plan *p, const char *table, struct buf *to)
{
	buf_add(to, p->output.data, p->output_table_at);
	buf_adds(to, table);
	buf_add(to, p->output.data + p->output_table_at, p->output.len - p->output_table_at);
}

void group_plan_finish(struct group_plan *p)
{
	window_spec_finish(&p->window);
	free(p->keys);
	free(p->calls);
	buf_finish(&p->input);
	buf_finish(&p->output);
	free(p->stream);
	free(p->stream_alias);
}
