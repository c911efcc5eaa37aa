/* sql/select.h: one pass over the tokens of a SELECT. The borders of clauses are SQLite's keywords outside parentheses; where a keyword may also be a
 * name (WINDOW, FILL, WITHIN, TOLERANCE, ASOF), what follows it decides. */
#include "sql/select.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"

bool word_is_reserved(const struct token *t)
{
	static const char *const words[] = {
		"all", "and", "as", "asof", "between", "case", "collate", "cross", "desc", "asc", "distinct", "else", "emit", "end", "escape", "except", "exists", "false", "fill", "filter", "for",
		"from", "full", "glob", "group", "having", "in", "indexed", "inner", "intersect", "is", "isnull", "join", "left", "like", "limit", "match", "natural", "not", "notnull",
		"null", "nulls", "offset", "on", "or", "order", "outer", "over", "regexp", "right", "select", "then", "tolerance", "true", "union", "using", "when", "where", "window", "with", "within",
	};
	if (t->kind != TOKEN_WORD)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (token_is_word(t, words[i]))
			return true;
	return false;
}

/* ---- spans ---- */

char *span_text(const char *text, struct span s)
{
	return xstrndup(text + s.from, s.to > s.from ? s.to - s.from : 0);
}

void span_add(struct buf *to, const char *text, struct span s)
{
	if (!span_empty(s))
		buf_add(to, text + s.from, s.to - s.from);
}

void span_replace(struct buf *text, struct span s, const char *with)
{
	struct buf out = BUF_INIT;
	buf_add(&out, text->data, s.from);
	buf_adds(&out, with);
	buf_add(&out, text->data + s.to, text->len - s.to);
	buf_finish(text);
	*text = out;
}

bool select_item_named(const char *text, const struct select_item *item, const char *name)
{
	char *column = item->alias ? NULL : span_column_name(text, item->expr);
	const char *own = item->alias ? item->alias : column;
	bool is = own && strcasecmp(own, name) == 0;
	free(column);
	return is;
}

static struct lex span_lex(const char *text, struct span s)
{
	return (struct lex){.sql = text, .len = s.to, .at = s.from};
}

bool span_has_word(const char *text, struct span s, const char *word)
{
	struct lex l = span_lex(text, s);
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l))
		if (token_is_word(&t, word))
			return true;
	return false;
}

bool span_is_word(const char *text, struct span s, const char *word)
{
	struct lex l = span_lex(text, s);
	struct token t = lex_next_solid(&l), end = lex_next_solid(&l);
	return token_is_word(&t, word) && end.kind == TOKEN_END;
}

bool span_equal(const char *text_a, struct span a, const char *text_b, struct span b)
{
	struct lex la = span_lex(text_a, a), lb = span_lex(text_b, b);
	for (;;) {
		struct token ta = lex_next_solid(&la), tb = lex_next_solid(&lb);
		if (ta.kind != tb.kind)
			return false;
		if (ta.kind == TOKEN_END)
			return true;
		if (ta.len != tb.len || (ta.kind == TOKEN_STRING || ta.kind == TOKEN_BLOB ? memcmp(ta.text, tb.text, ta.len) : strncasecmp(ta.text, tb.text, ta.len)) != 0)
			return false;
	}
}

void span_add_ordered_where(struct buf *to, const char *text, struct span where)
{
	bool has_or = span_has_word(text, where, "or");
	buf_adds(to, has_or ? "((" : "");
	span_add(to, text, where);
	buf_adds(to, has_or ? ") IS TRUE)" : "");
}

char *span_column_name(const char *text, struct span s)
{
	struct lex l = span_lex(text, s);
	struct token last = {.kind = TOKEN_END};
	for (;;) {
		struct token t = lex_next_solid(&l);
		if ((t.kind != TOKEN_WORD && t.kind != TOKEN_QUOTED) || word_is_reserved(&t))
			return NULL;
		last = t;
		t = lex_next_solid(&l);
		if (t.kind == TOKEN_END)
			break;
		if (!token_is_op(&t, "."))
			return NULL;
	}
	struct buf b = BUF_INIT;
	token_unquote(&last, &b);
	return buf_take(&b);
}

static void append_span(struct span s, struct span **ret, size_t *ret_n)
{
	if (span_empty(s))
		return;
	*ret = xreallocarray(*ret, *ret_n + 1, sizeof **ret);
	(*ret)[(*ret_n)++] = s;
}

void span_split(const char *text, struct span list, struct span **ret, size_t *ret_n)
{
	struct lex l = span_lex(text, list);
	int depth = 0;
	struct span now = {0, 0};
	for (;;) {
		struct token t = lex_next_solid(&l);
		bool border = t.kind == TOKEN_END || (depth == 0 && token_is_op(&t, ","));
		if (border) {
			append_span(now, ret, ret_n);
			now = (struct span){0, 0};
			if (t.kind == TOKEN_END)
				return;
			continue;
		}
		if (token_is_op(&t, "("))
			depth++;
		else if (token_is_op(&t, ")"))
			depth--;
		if (span_empty(now))
			now.from = (size_t)(t.text - text);
		now.to = (size_t)(t.text - text) + t.len;
	}
}

void span_split_and(const char *text, struct span condition, struct span **ret, size_t *ret_n)
{
	struct lex l = span_lex(text, condition);
	size_t before = *ret_n;
	int depth = 0, between = 0, cases = 0;
	struct span now = {0, 0}, all = {0, 0};
	for (;;) {
		struct token t = lex_next_solid(&l);
		bool top = depth == 0 && cases == 0;
		if (t.kind == TOKEN_END)
			break;
		size_t from = (size_t)(t.text - text);
		if (span_empty(all))
			all.from = from;
		all.to = from + t.len;
		if (top && token_is_word(&t, "or")) {
			*ret_n = before;
			while (t.kind != TOKEN_END) {
				all.to = (size_t)(t.text - text) + t.len;
				t = lex_next_solid(&l);
			}
			append_span(all, ret, ret_n);
			return;
		}
		if (top && between == 0 && token_is_word(&t, "and")) {
			append_span(now, ret, ret_n);
			now = (struct span){0, 0};
			continue;
		}
		if (token_is_op(&t, "("))
			depth++;
		else if (token_is_op(&t, ")"))
			depth--;
		else if (top && token_is_word(&t, "between"))
			between++;
		else if (top && between && token_is_word(&t, "and"))
			between--;
		else if (depth == 0 && token_is_word(&t, "case"))
			cases++;
		else if (depth == 0 && cases && token_is_word(&t, "end"))
			cases--;
		if (span_empty(now))
			now.from = from;
		now.to = from + t.len;
	}
	append_span(now, ret, ret_n);
}

int list_length(const char *list)
{
	struct span *parts = NULL;
	size_t n = 0;
	span_split(list, (struct span){0, strlen(list)}, &parts, &n);
	free(parts);
	return (int)n;
}

/* ---- walking ---- */

struct walk {
	struct parse p;
	const char *text;
	size_t last_end;                     /* end of the token taken last */
	struct token before, before_2;       /* the two taken last */
};

static void take(struct walk *w)
{
	w->before_2 = w->before;
	w->before = w->p.token;
	w->last_end = (size_t)(w->p.token.text - w->text) + w->p.token.len;
	parse_next(&w->p);
}

static size_t here(const struct walk *w)
{
	return parse_offset(&w->p);
}

static bool is(const struct walk *w, const char *word)
{
	return parse_is(&w->p, word);
}

static struct token ahead(const struct walk *w, int n)
{
	struct lex l = w->p.lex;
	struct token t = {.kind = TOKEN_END};
	for (int i = 0; i < n; i++)
		t = lex_next_solid(&l);
	return t;
}

static bool next_is_word(const struct walk *w, const char *word)
{
	struct token t = ahead(w, 1);
	return token_is_word(&t, word);
}

static bool next_is_op(const struct walk *w, const char *op)
{
	struct token t = ahead(w, 1);
	return token_is_op(&t, op);
}

static bool is_ksql_window(const struct walk *w)
{
	struct token paren = ahead(w, 2);
	return is(w, "window") && (next_is_word(w, "tumbling") || next_is_word(w, "hopping") || next_is_word(w, "session")) && token_is_op(&paren, "(");
}

static bool is_window_clause(const struct walk *w)
{
	struct token name = ahead(w, 1), as = ahead(w, 2);
	return is(w, "window") && token_is_name(&name) && token_is_word(&as, "as");
}

/* Not FROM: the one of IS [NOT] DISTINCT FROM. */
static bool is_from(const struct walk *w)
{
	return is(w, "from") && !(token_is_word(&w->before, "distinct") && (token_is_word(&w->before_2, "is") || token_is_word(&w->before_2, "not")));
}

static bool is_emit(const struct walk *w)
{
	return is(w, "emit") && (next_is_word(w, "changes") || next_is_word(w, "final") || next_is_word(w, "every"));
}

static bool is_duration_ahead(const struct walk *w)
{
	struct token t = ahead(w, 1);
	return t.kind == TOKEN_STRING || t.kind == TOKEN_NUMBER || t.kind == TOKEN_SUBSTITUTE || t.kind == TOKEN_VARIABLE || token_is_op(&t, "(") || token_is_word(&t, "interval");
}

/* A clause of the SELECT, or its end, begins here (outside parentheses). */
static bool at_clause(const struct walk *w)
{
	static const char *const words[] = {"where", "having", "limit", "union", "except", "intersect"};
	if (parse_at_end(&w->p) || token_is_op(&w->p.token, ")") || is_from(w))
		return true;
	if (w->p.token.kind != TOKEN_WORD)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (is(w, words[i]))
			return true;
	return ((is(w, "group") || is(w, "order")) && next_is_word(w, "by")) || is_ksql_window(w) || is_window_clause(w) || is_emit(w) || (is(w, "fill") && next_is_op(w, "(")) ||
		(is(w, "grace") && is_duration_ahead(w));
}

static bool at_join(const struct walk *w)
{
	static const char *const words[] = {"join", "left", "right", "full", "inner", "cross", "natural"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (is(w, words[i]))
			return true;
	return is(w, "asof") && (next_is_word(w, "join") || next_is_word(w, "left"));
}

/* Over a group in parentheses (the current token is its '(') or one token. */
static bool skip_group(struct walk *w)
{
	int depth = 0;
	do {
		if (parse_at_end(&w->p))
			return false;
		if (token_is_op(&w->p.token, "("))
			depth++;
		else if (token_is_op(&w->p.token, ")"))
			depth--;
		take(w);
	} while (depth > 0);
	return true;
}

/* An expression list: up to a clause; also to a comma, or a join's words, if asked. */
static bool skip_expression(struct walk *w, bool to_comma, bool to_join, struct span *ret)
{
	ret->from = ret->to = here(w);
	while (!at_clause(w)) {
		if ((to_comma && token_is_op(&w->p.token, ",")) || (to_join && (at_join(w) || (is(w, "tolerance") && is_duration_ahead(w)))))
			break;
		if (!skip_group(w))
			return false;
		ret->to = w->last_end;
	}
	return true;
}

/* ---- the result list ---- */

static bool ends_operand(const struct token *t)
{
	if (t->kind == TOKEN_WORD)
		return !word_is_reserved(t) || token_is_word(t, "end") || token_is_word(t, "null") || token_is_word(t, "true") || token_is_word(t, "false") || token_is_word(t, "isnull") ||
			token_is_word(t, "notnull");
	return t->kind == TOKEN_NUMBER || t->kind == TOKEN_STRING || t->kind == TOKEN_QUOTED || t->kind == TOKEN_BLOB || t->kind == TOKEN_VARIABLE || t->kind == TOKEN_SUBSTITUTE || token_is_op(t, ")");
}

static void add_item(struct select *s, struct span whole)
{
	struct lex l = span_lex(s->text, whole);
	struct token prev_2 = {.kind = TOKEN_END}, prev = {.kind = TOKEN_END}, last = {.kind = TOKEN_END};
	size_t n = 0;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		prev_2 = prev;
		prev = last;
		last = t;
		n++;
	}
	s->items = xreallocarray(s->items, s->item_n + 1, sizeof *s->items);
	struct select_item *item = &s->items[s->item_n++];
	*item = (struct select_item){.expr = whole, .whole = whole};
	bool name = token_is_name(&last) && !word_is_reserved(&last);
	const struct token *before = token_is_word(&prev, "as") ? &prev_2 : &prev;
	bool alias = name && n >= (token_is_word(&prev, "as") ? 3u : 2u) && ends_operand(before);
	if (!alias)
		return;
	struct buf b = BUF_INIT;
	token_unquote(&last, &b);
	item->alias = buf_take(&b);
	item->expr.to = (size_t)(before->text - s->text) + before->len;
}

static bool parse_items(struct walk *w, struct select *s)
{
	s->items_span.from = here(w);
	for (;;) {
		struct span whole;
		if (!skip_expression(w, true, false, &whole) || span_empty(whole))
			return false;
		add_item(s, whole);
		s->items_span.to = whole.to;
		if (!token_is_op(&w->p.token, ","))
			return true;
		take(w);
	}
}

/* ---- FROM ---- */

static bool take_name(struct walk *w, char **ret)
{
	if (!token_is_name(&w->p.token) || word_is_reserved(&w->p.token))
		return false;
	struct buf b = BUF_INIT;
	buf_reserve(&b, 1);
	token_unquote(&w->p.token, &b);
	free(*ret);
	*ret = buf_take(&b);
	take(w);
	return true;
}

/* Behind the name of a call: ( args ). */
static bool parse_args(struct walk *w, struct from_item *f)
{
	take(w);
	while (!token_is_op(&w->p.token, ")")) {
		struct call_arg arg = {0};
		struct token t1 = ahead(w, 1), t2 = ahead(w, 2);
		bool arrow = token_is_op(&t1, "=") && token_is_op(&t2, ">") && t2.text == t1.text + 1;
		if (w->p.token.kind == TOKEN_WORD && arrow) {
			arg.name = xstrndup(w->p.token.text, w->p.token.len);
			take(w);
			take(w);
			take(w);
		}
		arg.value.from = arg.value.to = here(w);
		f->args = xreallocarray(f->args, f->arg_n + 1, sizeof *f->args);
		f->args[f->arg_n++] = arg;
		while (!token_is_op(&w->p.token, ",") && !token_is_op(&w->p.token, ")")) {
			if (!skip_group(w))
				return false;
			f->args[f->arg_n - 1].value.to = w->last_end;
		}
		if (token_is_op(&w->p.token, ","))
			take(w);
	}
	take(w);
	return true;
}

/* A duration behind WITHIN or TOLERANCE: '1h', 5 SECONDS, INTERVAL '5' SECOND, (1 HOUR, 2 HOURS [, GRACE PERIOD ..]). */
static bool parse_duration_clause(struct walk *w, struct span *ret, struct span *ret_whole)
{
	ret_whole->from = here(w);
	take(w);
	ret->from = here(w);
	if (token_is_op(&w->p.token, "(")) {
		if (!skip_group(w))
			return false;
	} else {
		bool words = is(w, "interval");
		if (words)
			take(w);
		words |= w->p.token.kind == TOKEN_NUMBER;
		take(w);
		if (words && w->p.token.kind == TOKEN_WORD && !word_is_reserved(&w->p.token))
			take(w);
	}
	ret->to = ret_whole->to = w->last_end;
	if (is(w, "grace") && next_is_word(w, "period")) {       /* ksqlDB: WITHIN 1 HOUR GRACE PERIOD 5 MINUTES */
		take(w);
		take(w);
		take(w);
		if (w->before.kind == TOKEN_NUMBER)
			take(w);
		ret_whole->to = ret->to = w->last_end;
	}
	return true;
}

static bool parse_table(struct walk *w, struct from_item *f)
{
	f->table.from = here(w);
	if (token_is_op(&w->p.token, "(")) {
		f->is_query = true;
		if (!skip_group(w))
			return false;
	} else if (is(w, "table") && next_is_op(w, "(")) {
		struct token name = ahead(w, 2), paren = ahead(w, 3);
		if (!token_is_name(&name) || !token_is_op(&paren, "("))
			return false;
		take(w);
		take(w);
		f->is_table_word = f->is_call = true;
		if (!take_name(w, &f->name) || !parse_args(w, f) || !token_is_op(&w->p.token, ")"))
			return false;
		take(w);
	} else {
		if (!take_name(w, &f->name))
			return false;
		if (token_is_op(&w->p.token, ".")) {
			take(w);
			f->schema = f->name;
			f->name = NULL;
			if (!take_name(w, &f->name))
				return false;
		}
		if (token_is_op(&w->p.token, "(")) {
			f->is_call = true;
			if (!parse_args(w, f))
				return false;
		}
	}
	f->table.to = w->last_end;
	return true;
}

static bool parse_alias(struct walk *w, struct from_item *f)
{
	size_t from = here(w);
	if (is(w, "as")) {
		take(w);
		if (!take_name(w, &f->alias))
			return false;
	} else if (token_is_name(&w->p.token) && !word_is_reserved(&w->p.token) && !at_clause(w) && !at_join(w)) {
		if (!take_name(w, &f->alias))
			return false;
	} else {
		return true;
	}
	f->alias_span = (struct span){from, w->last_end};
	return true;
}

static bool parse_item(struct walk *w, struct from_item *f)
{
	if (!parse_table(w, f))
		return false;
	for (;;) {
		struct token t2 = ahead(w, 2), t3 = ahead(w, 3);
		if (is(w, "for") && next_is_word(w, "system_time") && token_is_word(&t2, "as") && token_is_word(&t3, "of")) {
			f->as_of_whole.from = here(w);
			for (int i = 0; i < 4; i++)
				take(w);
			/* One operand: a.ts, or a call. */
			f->as_of.from = here(w);
			take(w);
			while (token_is_op(&w->p.token, ".") || token_is_op(&w->before, "."))
				take(w);
			if (token_is_op(&w->p.token, "(") && !skip_group(w))
				return false;
			f->as_of.to = f->as_of_whole.to = w->last_end;
		} else if (is(w, "within") && is_duration_ahead(w)) {
			if (!parse_duration_clause(w, &f->within, &f->within_whole))
				return false;
		} else if (is(w, "tolerance") && is_duration_ahead(w)) {
			if (!parse_duration_clause(w, &f->tolerance, &f->tolerance_whole))
				return false;
		} else if (is(w, "indexed") && next_is_word(w, "by")) {
			take(w);
			take(w);
			take(w);
		} else if (is(w, "not") && next_is_word(w, "indexed")) {
			take(w);
			take(w);
		} else if (is(w, "on")) {
			take(w);
			/* A comma joins here, as in FROM a JOIN b ON x, c. */
			if (!skip_expression(w, true, true, &f->on))
				return false;
		} else if (is(w, "using") && next_is_op(w, "(")) {
			take(w);
			f->using_list.from = here(w) + 1;
			if (!skip_group(w))
				return false;
			f->using_list.to = w->last_end - 1;
		} else if (!f->alias && !at_clause(w) && !at_join(w) && (is(w, "as") || (token_is_name(&w->p.token) && !word_is_reserved(&w->p.token)))) {
			if (!parse_alias(w, f))
				return false;
		} else {
			f->whole.to = w->last_end;
			return true;
		}
	}
}

static bool parse_join(struct walk *w, struct from_item *f)
{
	f->join_words.from = here(w);
	f->join = JOIN_INNER;
	if (token_is_op(&w->p.token, ",")) {
		f->join = JOIN_COMMA;
		take(w);
	} else {
		for (; at_join(w) || is(w, "outer"); take(w)) {
			static const struct {
				const char *word;
				enum join_kind join;
			} kinds[] = {{"left", JOIN_LEFT}, {"right", JOIN_RIGHT}, {"full", JOIN_FULL}, {"cross", JOIN_CROSS}};
			for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
				if (is(w, kinds[i].word))
					f->join = kinds[i].join;
			f->natural |= is(w, "natural");
			f->asof |= is(w, "asof");
			if (is(w, "join")) {
				take(w);
				break;
			}
		}
		if (!token_is_word(&w->before, "join"))
			return false;
	}
	f->join_words.to = w->last_end;
	return true;
}

static bool parse_from(struct walk *w, struct select *s)
{
	take(w);
	s->from_span.from = here(w);
	for (bool first = true;; first = false) {
		struct from_item f = {.join = JOIN_FIRST};
		f.whole.from = here(w);
		bool ok = (first || parse_join(w, &f)) && parse_item(w, &f);
		s->from = xreallocarray(s->from, s->from_n + 1, sizeof *s->from);
		s->from[s->from_n++] = f;
		if (!ok)
			return false;
		if (!token_is_op(&w->p.token, ",") && !at_join(w))
			break;
	}
	s->from_span.to = w->last_end;
	return true;
}

/* ---- the whole ---- */

static bool parse_fill(struct walk *w, struct select *s)
{
	s->fill_whole.from = here(w);
	take(w);
	s->fill.from = here(w) + 1;
	if (!skip_group(w))
		return false;
	s->fill.to = w->last_end - 1;
	s->fill_whole.to = w->last_end;
	return true;
}

static bool parse_clauses(struct walk *w, struct select *s)
{
	for (;;) {
		if (is_ksql_window(w)) {
			s->ksql_window.from = here(w);
			take(w);
			take(w);
			if (!skip_group(w))
				return false;
			s->ksql_window.to = w->last_end;
		} else if (is(w, "where")) {
			take(w);
			if (!skip_expression(w, false, false, &s->where))
				return false;
		} else if (is(w, "group")) {
			s->group_whole.from = here(w);
			take(w);
			take(w);
			if (!skip_expression(w, false, false, &s->group_by))
				return false;
			s->group_whole.to = w->last_end;
			span_split(s->text, s->group_by, &s->groups, &s->group_n);
		} else if (is(w, "having")) {
			take(w);
			if (!skip_expression(w, false, false, &s->having))
				return false;
		} else if (is_window_clause(w)) {
			take(w);
			if (!skip_expression(w, false, false, &s->windows))
				return false;
		} else if (is(w, "fill")) {
			if (!parse_fill(w, s))
				return false;
		} else if (is(w, "order") || is(w, "limit")) {
			bool order = is(w, "order");
			if (span_empty(s->tail))
				s->tail.from = here(w);
			take(w);
			if (order)
				take(w);
			if (!skip_expression(w, false, false, order ? &s->order_by : &s->limit))
				return false;
			s->tail.to = w->last_end;
		} else {
			return true;
		}
	}
}

bool select_parse(const char *text, size_t from, size_t to, struct select *ret)
{
	struct select s = {.text = text};
	struct walk w = {.p = parse_begin(text, from, to), .text = text, .last_end = from};
	s.whole.from = here(&w);
	bool ok = true;
	if (is(&w, "with")) {
		s.with.from = here(&w);
		while (ok && !is(&w, "select"))
			ok = !parse_at_end(&w.p) && skip_group(&w);
		s.with.to = w.last_end;
	}
	ok = ok && is(&w, "select");
	if (ok) {
		take(&w);
		s.distinct = is(&w, "distinct");
		if (s.distinct || is(&w, "all"))
			take(&w);
		ok = parse_items(&w, &s) && (!is_from(&w) || parse_from(&w, &s)) && parse_clauses(&w, &s);
	}
	s.whole.to = w.last_end;
	s.compound = is(&w, "union") || is(&w, "except") || is(&w, "intersect");
	ok = ok && (s.compound || parse_at_end(&w.p) || token_is_op(&w.p.token, ")") || is_emit(&w) || is(&w, "grace"));
	if (!ok) {
		select_finish(&s);
		return false;
	}
	*ret = s;
	return true;
}

void select_finish(struct select *s)
{
	for (size_t i = 0; i < s->item_n; i++)
		free(s->items[i].alias);
	for (size_t i = 0; i < s->from_n; i++) {
		struct from_item *f = &s->from[i];
		for (size_t k = 0; k < f->arg_n; k++)
			free(f->args[k].name);
		free(f->args);
		free(f->schema);
		free(f->name);
		free(f->alias);
	}
	free(s->items);
	free(s->from);
	free(s->groups);
	*s = (struct select){0};
}
