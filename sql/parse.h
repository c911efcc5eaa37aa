/* A cursor over the solid tokens of one statement, for the dialect's own statements. Nothing here recurses. Thread: one.
 *     struct parse p = parse_begin(sql, start, end);
 *     if (parse_word(&p, "SHOW") && parse_word(&p, "TOPICS")) ... */
#ifndef WEIR_SQL_PARSE_H
#define WEIR_SQL_PARSE_H

#include "core/err.h"
#include "sql/lex.h"

struct parse {
	struct lex lex;                      /* behind `token` */
	struct token token;                  /* the next one to take */
};

struct parse parse_begin(const char *sql, size_t start, size_t end);
void parse_next(struct parse *p);
bool parse_at_end(const struct parse *p);                           /* nothing but an optional ';' is left */
size_t parse_offset(const struct parse *p);                         /* of the next token */
bool parse_is(const struct parse *p, const char *word);             /* looks only */
bool parse_word(struct parse *p, const char *word);                 /* takes it if it is there */
bool parse_words(struct parse *p, const char *words);               /* all of "A B C" or none */
bool parse_op(struct parse *p, const char *op);
/* The fallible ones: false with ERR_SQL, sql_offset at the token. *ret is the caller's to free. */
bool parse_name(struct parse *p, const char *what, char **ret, struct err *err);
bool parse_text(struct parse *p, const char *what, char **ret, struct err *err);    /* 'string' or "string" */
bool parse_want(struct parse *p, const char *word_or_op, struct err *err);
bool parse_end(struct parse *p, struct err *err);
bool parse_fail(const struct parse *p, struct err *err, const char *wanted);        /* "near "x": wanted"; always false */
/* Takes tokens up to (not including) the next top-level ',' or unmatched ')' or one of the stop words; returns the covered text, trimmed. */
struct bytes parse_until(struct parse *p, const char *const *stop_words);

#endif
