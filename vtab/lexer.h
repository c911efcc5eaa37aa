/* Splits SQL text into words, quoted names, strings and signs. Pure. Example:
 *     struct lexer l; lexer_init(&l, text, true); while (l.now.kind != TOKEN_END) lexer_next(&l); lexer_finish(&l); */
#ifndef WEIR_VTAB_LEXER_H
#define WEIR_VTAB_LEXER_H

#include <stdbool.h>

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_STRING /* '..' */, TOKEN_NAME /* "..", `..`, [..] */, TOKEN_PUNCTUATION, TOKEN_BAD /* a quote is not closed */ };

struct token {
	enum token_kind kind;
	char *text;                          /* unquoted; owned by the lexer */
};

struct lexer {
	const char *p;                       /* borrowed text */
	bool dots_split;                     /* a.b is three tokens, as in SQL; else one word (option names) */
	struct token now;
};

void lexer_init(struct lexer *l, const char *text, bool dots_split);
void lexer_next(struct lexer *l);
void lexer_finish(struct lexer *l);
bool token_is(const struct lexer *l, const char *word);    /* an unquoted word or sign, without case */

#endif
