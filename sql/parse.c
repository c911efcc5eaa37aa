/* sql/parse.h */
#include "sql/parse.h"

#include <string.h>
#include <strings.h>

struct parse parse_begin(const char *sql, size_t start, size_t end)
{
	struct parse p = {.lex = {.sql = sql, .len = end, .at = start}};
	p.token = lex_next_solid(&p.lex);
	return p;
}

void parse_next(struct parse *p)
{
	p->token = lex_next_solid(&p->lex);
}

bool parse_at_end(const struct parse *p)
{
	return p->token.kind == TOKEN_END || p->token.kind == TOKEN_SEMICOLON;
}

size_t parse_offset(const struct parse *p)
{
	return (size_t)(p->token.text - p->lex.sql);
}

bool parse_is(const struct parse *p, const char *word)
{
	return token_is_word(&p->token, word);
}

bool parse_word(struct parse *p, const char *word)
{
	if (!parse_is(p, word))
		return false;
	parse_next(p);
	return true;
}

bool parse_words(struct parse *p, const char *words)
{
	struct parse q = *p;
	while (*words) {
		size_t n = strcspn(words, " ");
		if (q.token.kind != TOKEN_WORD || q.token.len != n || strncasecmp(q.token.text, words, n) != 0)
			return false;
		parse_next(&q);
		words += n;
		words += strspn(words, " ");
	}
	*p = q;
	return true;
}

bool parse_op(struct parse *p, const char *op)
{
	if (!token_is_op(&p->token, op))
		return false;
	parse_next(p);
	return true;
}

bool parse_fail(const struct parse *p, struct err *err, const char *wanted)
{
	if (parse_at_end(p))
		err_set(err, ERR_SQL, "the statement ends too early: %s expected", wanted);
	else
		err_set(err, ERR_SQL, "near \"%.*s\": %s expected", (int)(p->token.len < 80 ? p->token.len : 80), p->token.text, wanted);
	if (err)
		err->sql_offset = (int)parse_offset(p);
	return false;
}

bool parse_name(struct parse *p, const char *what, char **ret, struct err *err)
{
	if (!token_is_name(&p->token))
		return parse_fail(p, err, what);
	struct buf b = BUF_INIT;
	token_unquote(&p->token, &b);
	if (!b.len) {
		buf_finish(&b);
		return parse_fail(p, err, what);
	}
	*ret = buf_take(&b);
	parse_next(p);
	return true;
}

bool parse_text(struct parse *p, const char *what, char **ret, struct err *err)
{
	if (p->token.kind != TOKEN_STRING && p->token.kind != TOKEN_QUOTED)
		return parse_fail(p, err, what);
	struct buf b = BUF_INIT;
	buf_reserve(&b, 1);
	token_unquote(&p->token, &b);
	*ret = buf_take(&b);
	parse_next(p);
	return true;
}

bool parse_want(struct parse *p, const char *word_or_op, struct err *err)
{
	return parse_op(p, word_or_op) || parse_word(p, word_or_op) || parse_fail(p, err, word_or_op);
}

bool parse_end(struct parse *p, struct err *err)
{
	return parse_at_end(p) || parse_fail(p, err, "the end of the statement");
}

struct bytes parse_until(struct parse *p, const char *const *stop_words)
{
	const char *from = p->token.text, *to = from;
	int depth = 0;
	while (!parse_at_end(p)) {
		if (depth == 0) {
			if (token_is_op(&p->token, ",") || token_is_op(&p->token, ")"))
				break;
			bool stop = false;
			for (const char *const *w = stop_words; w && *w; w++)
				stop |= parse_is(p, *w);
			if (stop)
				break;
		}
		if (token_is_op(&p->token, "("))
			depth++;
		else if (token_is_op(&p->token, ")"))
			depth--;
		to = p->token.text + p->token.len;
		parse_next(p);
	}
	return bytes_of(from, (size_t)(to - from));
}
