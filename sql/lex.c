/* sql/lex.h. One switch over the first byte, as in SQLite's sqlite3GetToken; each case finds the token's end and never looks past len. */
#include "sql/lex.h"

#include <string.h>
#include <strings.h>

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(unsigned char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_id_char(unsigned char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
}

/* The input from the token's first byte on; beyond its end it reads as NUL, as SQLite's terminated text does. */
struct rest {
	const unsigned char *p;
	size_t len;
};

static unsigned char at(struct rest r, size_t i)
{
	return i < r.len ? r.p[i] : 0;
}

static size_t quoted_len(struct rest r, unsigned char quote, enum token_kind *kind)
{
	for (size_t i = 1; i < r.len; i++) {
		if (r.p[i] != quote)
			continue;
		if (at(r, i + 1) != quote)
			return i + 1;
		i++;
	}
	*kind = TOKEN_ILLEGAL;
	return r.len;
}

static size_t number_len(struct rest r, enum token_kind *kind)
{
	size_t i = 0;
	*kind = TOKEN_NUMBER;
	if (r.p[0] == '0' && (at(r, 1) == 'x' || at(r, 1) == 'X') && is_hex(at(r, 2))) {
		for (i = 3; is_hex(at(r, i)); i++)
			;
	} else {
		while (is_digit(at(r, i)))
			i++;
		if (at(r, i) == '.') {
			i++;
			while (is_digit(at(r, i)))
				i++;
		}
		if ((at(r, i) == 'e' || at(r, i) == 'E') &&
		    (is_digit(at(r, i + 1)) || ((at(r, i + 1) == '+' || at(r, i + 1) == '-') && is_digit(at(r, i + 2))))) {
			i += 2;
			while (is_digit(at(r, i)))
				i++;
		}
	}
	while (is_id_char(at(r, i))) {
		*kind = TOKEN_ILLEGAL;
		i++;
	}
	return i;
}

static size_t variable_len(struct rest r, enum token_kind *kind)
{
	size_t i = 1, n = 0;
	*kind = TOKEN_VARIABLE;
	if (r.p[0] == ':' && (at(r, 1) == '\'' || at(r, 1) == '"')) {
		struct rest inner = {r.p + 1, r.len - 1};
		*kind = TOKEN_SUBSTITUTE;
		return 1 + quoted_len(inner, r.p[1], kind);
	}
	for (; i < r.len && r.p[i]; i++) {
		if (is_id_char(r.p[i])) {
			n++;
		} else if (r.p[i] == '(' && n > 0) {
			do
				i++;
			while (at(r, i) && !is_space(at(r, i)) && at(r, i) != ')');
			if (at(r, i) == ')')
				i++;
			else
				*kind = TOKEN_ILLEGAL;
			break;
		} else if (r.p[i] == ':' && at(r, i + 1) == ':') {
			i++;
		} else {
			break;
		}
	}
	if (n == 0)
		*kind = TOKEN_ILLEGAL;
	return i;
}

static size_t comment_len(struct rest r)
{
	size_t i = 2;
	if (r.p[0] == '-') {
		while (i < r.len && r.p[i] != '\n' && r.p[i])
			i++;
		return i;
	}
	for (i = 3; i < r.len && r.p[i]; i++)
		if (r.p[i] == '/' && r.p[i - 1] == '*')
			return i + 1;
	return i;
}

static size_t blob_len(struct rest r, enum token_kind *kind)
{
	size_t i = 2;
	*kind = TOKEN_BLOB;
	while (is_hex(at(r, i)))
		i++;
	if (at(r, i) != '\'' || i % 2) {
		*kind = TOKEN_ILLEGAL;
		while (at(r, i) && at(r, i) != '\'')
			i++;
	}
	return at(r, i) ? i + 1 : i;
}

static size_t token_len(struct rest r, enum token_kind *kind)
{
	unsigned char c = r.p[0];
	size_t i;
	*kind = TOKEN_OPERATOR;
	switch (c) {
	case ' ': case '\t': case '\n': case '\f': case '\r':
		*kind = TOKEN_SPACE;
		for (i = 1; is_space(at(r, i)); i++)
			;
		return i;
	case '-':
		if (at(r, 1) == '-') {
			*kind = TOKEN_COMMENT;
			return comment_len(r);
		}
		if (at(r, 1) == '>')
			return at(r, 2) == '>' ? 3 : 2;
		return 1;
	case '/':
		if (at(r, 1) != '*' || !at(r, 2))
			return 1;
		*kind = TOKEN_COMMENT;
		return comment_len(r);
	case ';':
		*kind = TOKEN_SEMICOLON;
		return 1;
	case '(': case ')': case '+': case '*': case '%': case ',': case '&': case '~':
		return 1;
	case '=':
		return at(r, 1) == '=' ? 2 : 1;
	case '<':
		return at(r, 1) == '=' || at(r, 1) == '>' || at(r, 1) == '<' ? 2 : 1;
	case '>':
		return at(r, 1) == '=' || at(r, 1) == '>' ? 2 : 1;
	case '|':
		return at(r, 1) == '|' ? 2 : 1;
	case '!':
		if (at(r, 1) == '=')
			return 2;
		*kind = TOKEN_ILLEGAL;
		return 1;
	case '\'':
		*kind = TOKEN_STRING;
		return quoted_len(r, c, kind);
	case '"': case '`':
		*kind = TOKEN_QUOTED;
		return quoted_len(r, c, kind);
	case '[':
		for (i = 1; i < r.len && r.p[i] != ']' && r.p[i]; i++)
			;
		*kind = at(r, i) == ']' ? TOKEN_QUOTED : TOKEN_ILLEGAL;
		return at(r, i) == ']' ? i + 1 : i;
	case '?':
		*kind = TOKEN_VARIABLE;
		for (i = 1; is_digit(at(r, i)); i++)
			;
		return i;
	case '$': case '@': case ':': case '#':
		return variable_len(r, kind);
	case '.':
		return is_digit(at(r, 1)) ? number_len(r, kind) : 1;
	case 'x': case 'X':
		if (at(r, 1) == '\'')
			return blob_len(r, kind);
		break;
	case 0xEF:
		if (at(r, 1) == 0xBB && at(r, 2) == 0xBF) {
			*kind = TOKEN_SPACE;
			return 3;
		}
		break;
	default:
		if (is_digit(c))
			return number_len(r, kind);
		break;
	}
	if (!is_id_char(c)) {
		*kind = TOKEN_ILLEGAL;
		return 1;
	}
	*kind = TOKEN_WORD;
	for (i = 1; is_id_char(at(r, i)); i++)
		;
	return i;
}

struct token lex_next(struct lex *l)
{
	struct token t = {.kind = TOKEN_END, .text = l->sql + l->at, .len = 0};
	if (l->at >= l->len)
		return t;
	struct rest r = {(const unsigned char *)l->sql + l->at, l->len - l->at};
	t.len = token_len(r, &t.kind);
	l->at += t.len;
	return t;
}

struct token lex_next_solid(struct lex *l)
{
	struct token t;
	do
		t = lex_next(l);
	while (t.kind == TOKEN_SPACE || t.kind == TOKEN_COMMENT);
	return t;
}

bool token_is_word(const struct token *t, const char *word)
{
	return t->kind == TOKEN_WORD && strlen(word) == t->len && strncasecmp(t->text, word, t->len) == 0;
}

bool token_is_op(const struct token *t, const char *op)
{
	return t->kind == TOKEN_OPERATOR && strlen(op) == t->len && memcmp(t->text, op, t->len) == 0;
}

bool token_is_name(const struct token *t)
{
	return t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED || t->kind == TOKEN_STRING;
}

void token_unquote(const struct token *t, struct buf *to)
{
	const char *p = t->text;
	size_t n = t->len;
	if (t->kind == TOKEN_SUBSTITUTE) {
		p++;
		n--;
	} else if (t->kind != TOKEN_QUOTED && t->kind != TOKEN_STRING) {
		buf_add(to, p, n);
		return;
	}
	if (n < 2)
		return;
	char close = p[0] == '[' ? ']' : p[0];
	for (size_t i = 1; i < n - 1; i++) {
		buf_addc(to, p[i]);
		if (p[i] == close && close != ']')
			i++;
	}
}

static void quote(struct buf *to, const char *text, char q)
{
	buf_addc(to, q);
	for (; *text; text++) {
		if (*text == q)
			buf_addc(to, q);
		buf_addc(to, *text);
	}
	buf_addc(to, q);
}

void sql_quote_name(struct buf *to, const char *name)
{
	quote(to, name, '"');
}

void sql_quote_text(struct buf *to, const char *text)
{
	if (text)
		quote(to, text, '\'');
	else
		buf_adds(to, "NULL");
}

void sql_position(const char *sql, size_t len, size_t offset, int *ret_line, int *ret_column)
{
	int line = 1, column = 1;
	for (size_t i = 0; i < offset && i < len; i++) {
		if (sql[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)sql[i] & 0xC0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}
