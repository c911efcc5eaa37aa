/* sql/live/body.h */
#include "sql/live/body.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"

struct span body_inside(const char *text, const struct parse *p, size_t to)
{
	struct parse q = *p;
	struct span s = {parse_offset(&q) + 1, 0};
	int depth = 0;
	for (; q.token.kind != TOKEN_END; parse_next(&q)) {
		if (token_is_op(&q.token, "("))
			depth++;
		else if (token_is_op(&q.token, ")") && --depth == 0)
			break;
	}
	s.to = q.token.kind == TOKEN_END ? to : (size_t)(q.token.text - text);
	return s;
}

/* The parentheses that p stands on, if it does. */
static struct span list_span(const char *text, const struct parse *p, size_t to)
{
	if (!token_is_op(&p->token, "("))
		return (struct span){0, 0};
	struct span in = body_inside(text, p, to);
	return (struct span){in.from - 1, in.to + 1};
}

struct span body_name_in(const struct from_item *f)
{
	if (f->is_query || f->schema || (f->is_call && !f->arg_n))
		return (struct span){0, 0};
	return f->is_call ? f->args[0].value : f->table;
}

void body_put_in_place(struct buf *text, const struct from_item *f, struct span name, const char *select)
{
	struct buf with = BUF_INIT;
	buf_addf(&with, "(%s)", select);
	if (!f->is_call && !f->alias) {
		buf_adds(&with, " AS ");
		span_add(&with, text->data, name);
	}
	span_replace(text, name, with.data);
	buf_finish(&with);
}

bool body_named_by_with(const char *text, size_t len, const char *name)
{
	struct lex l = lex_begin(text, len);
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		struct buf b = BUF_INIT;
		if (token_is_name(&t))
			token_unquote(&t, &b);
		bool same = b.len && strcasecmp(b.data, name) == 0;
		buf_finish(&b);
		if (!same)
			continue;
		struct parse p = parse_begin(text, l.at, len);
		if (token_is_op(&p.token, "("))
			p = parse_begin(text, body_inside(text, &p, len).to + 1, len);
		if (!parse_word(&p, "as"))
			continue;
		parse_word(&p, "not");
		parse_word(&p, "materialized");
		if (token_is_op(&p.token, "("))
			return true;
	}
	return false;
}

struct place {
	size_t name_at;                      /* in the scope's text */
	struct span body;
	struct span columns;                 /* with its parentheses */
	bool recursive;
};

/* WITH name [(columns)] AS [NOT] [MATERIALIZED] ( body ), ..  False: the name is not there. */
static bool find_place(const struct scope *scope, const char *name, struct place *ret)
{
	struct parse p = parse_begin(scope->text, scope->with.from, scope->with.to);
	parse_word(&p, "with");
	ret->recursive = parse_word(&p, "recursive");
	while (p.token.kind != TOKEN_END) {
		char *own = NULL;
		struct err ignored = ERR_INIT;
		ret->name_at = parse_offset(&p);
		if (!parse_name(&p, "a name", &own, &ignored))
			return false;
		bool same = strcasecmp(own, name) == 0;
		free(own);
		ret->columns = list_span(scope->text, &p, scope->with.to);
		if (!span_empty(ret->columns))
			p = parse_begin(scope->text, ret->columns.to, scope->with.to);
		parse_word(&p, "as");
		parse_word(&p, "not");
		parse_word(&p, "materialized");
		if (!token_is_op(&p.token, "("))
			return false;
		ret->body = body_inside(scope->text, &p, scope->with.to);
		if (same)
			return true;
		p = parse_begin(scope->text, ret->body.to + 1, scope->with.to);
		parse_op(&p, ",");
	}
	return false;
}

const struct scope *body_of_with(const struct scope *scope, const char *name, char **ret_body, char **ret_columns)
{
	struct place at;
	for (*ret_body = *ret_columns = NULL; scope; scope = scope->outer)
		if (find_place(scope, name, &at)) {
			*ret_body = span_text(scope->text, at.body);
			*ret_columns = span_empty(at.columns) ? NULL : span_text(scope->text, at.columns);
			break;
		}
	return scope;
}

char *body_with_before(const struct scope *scope, const char *name)
{
	struct place at;
	if (!find_place(scope, name, &at) || at.recursive)
		return NULL;
	struct lex l = {.sql = scope->text, .len = at.name_at, .at = scope->with.from};
	size_t comma = scope->with.from;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l))
		if (token_is_op(&t, ","))
			comma = (size_t)(t.text - scope->text);      /* the last one stands before the name */
	return xasprintf("%.*s", (int)(comma - scope->with.from), scope->text + scope->with.from);
}

char *body_of_view(struct session *s, const char *name, char **ret_columns)
{
	*ret_columns = NULL;
	sqlite3_stmt *stmt = NULL;
	char *body = NULL;
	if (sqlite3_prepare_v2(s->db, "SELECT sql FROM sqlite_temp_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE"
		" UNION ALL SELECT sql FROM main.sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE", -1, &stmt, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *sql = (const char *)sqlite3_column_text(stmt, 0);
		struct parse p = parse_begin(sql, 0, strlen(sql));
		parse_words(&p, "create view");
		parse_next(&p);                  /* its name */
		struct span columns = list_span(sql, &p, strlen(sql));
		if (!span_empty(columns))
			*ret_columns = span_text(sql, columns);
		while (!parse_at_end(&p) && !parse_is(&p, "as"))
			parse_next(&p);
		if (parse_word(&p, "as"))
			body = xstrdup(sql + parse_offset(&p));
	}
	sqlite3_finalize(stmt);
	return body;
}
