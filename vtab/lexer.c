/* vtab/lexer.h */
#include "vtab/lexer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/buf.h"

static bool word_char(const struct lexer *l, unsigned char c)
{
	return isalnum(c) || c == '_' || c == '$' || c >= 0x80 || (!l->dots_split && (c == '.' || c == '-' || c == '+'));
}

void lexer_next(struct lexer *l)
{
	free(l->now.text);
	l->now.text = NULL;
	for (;;) {
		while (isspace((unsigned char)*l->p))
			l->p++;
		if (l->p[0] == '-' && l->p[1] == '-') {
			l->p += strcspn(l->p, "\n");
		} else if (l->p[0] == '/' && l->p[1] == '*') {
			const char *end = strstr(l->p + 2, "*/");
			l->p = end ? end + 2 : l->p + strlen(l->p);
		} else {
			break;
		}
	}
	char c = *l->p;
	if (!c) {
		l->now.kind = TOKEN_END;
		return;
	}
	if (strchr("'\"`[", c)) {
		char close = c == '[' ? ']' : c;
		struct buf b = BUF_INIT;
		l->now.kind = c == '\'' ? TOKEN_STRING : TOKEN_NAME;
		for (l->p++;; l->p++) {
			if (!*l->p) {
				l->now.kind = TOKEN_BAD;
				break;
			}
			if (*l->p == close) {
				if (close == ']' || l->p[1] != close) {
					l->p++;
					break;
				}
				l->p++;
			}
			buf_addc(&b, *l->p);
		}
		l->now.text = xstrndup(b.data, b.len);
		buf_finish(&b);
		return;
	}
	const char *start = l->p;
	if (word_char(l, (unsigned char)c)) {
		while (word_char(l, (unsigned char)*l->p))
			l->p++;
		l->now.kind = TOKEN_WORD;
	} else {
		l->p++;
		l->now.kind = TOKEN_PUNCTUATION;
	}
	l->now.text = xstrndup(start, (size_t)(l->p - start));
}

bool token_is(const struct lexer *l, const char *word)
{
	return (l->now.kind == TOKEN_WORD || l->now.kind == TOKEN_PUNCTUATION) && strcasecmp(l->now.text, word) == 0;
}

void lexer_init(struct lexer *l, const char *text, bool dots_split)
{
	*l = (struct lexer){.p = text, .dots_split = dots_split};
	lexer_next(l);
}

void lexer_finish(struct lexer *l)
{
	free(l->now.text);
}
