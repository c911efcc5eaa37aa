/* SQL text -> tokens, with the same borders as SQLite's own tokenizer (tokenize.c), so that what the dialect looks at is what SQLite will see.
 * One addition: `:'name'` and `:"name"` (psql's substituted variables; a lone ':' is no token in SQLite) come as TOKEN_SUBSTITUTE.
 * Pure and allocation-free; any thread. Input is <pointer, length> and may hold anything. */
#ifndef WEIR_SQL_LEX_H
#define WEIR_SQL_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include "core/buf.h"

enum token_kind {
	TOKEN_END,                           /* of the input */
	TOKEN_SPACE,                         /* blanks, a byte order mark */
	TOKEN_COMMENT,                       /* -- to the end of the line, or a C comment (to the end of the input if it is not closed) */
	TOKEN_WORD,                          /* bare identifier or keyword */
	TOKEN_QUOTED,                        /* "x" `x` [x] */
	TOKEN_STRING,                        /* 'x' */
	TOKEN_BLOB,                          /* x'00' */
	TOKEN_NUMBER,
	TOKEN_VARIABLE,                      /* ? ?1 :x @x $x #x */
	TOKEN_SUBSTITUTE,                    /* :'x' :"x" */
	TOKEN_OPERATOR,                      /* everything else that is legal: ( ) , . = -> ... */
	TOKEN_SEMICOLON,
	TOKEN_ILLEGAL,                       /* unclosed quote, NUL, lone '!' ... */
};

struct token {
	enum token_kind kind;
	const char *text;                    /* into the input */
	size_t len;
};

struct lex {
	const char *sql;
	size_t len;
	size_t at;                           /* where the next token starts */
};

static inline struct lex lex_begin(const char *sql, size_t len)
{
	return (struct lex){.sql = sql, .len = len, .at = 0};
}

/* The next token; TOKEN_END for ever once the input is used up. Every call before that moves at least one byte. */
struct token lex_next(struct lex *l);
/* The next token that is neither blank nor comment. */
struct token lex_next_solid(struct lex *l);

bool token_is_word(const struct token *t, const char *word);        /* a bare word, ASCII case-insensitive */
bool token_is_op(const struct token *t, const char *op);
bool token_is_name(const struct token *t);                          /* bare word, quoted identifier or string: SQLite takes each as a table name */
void token_unquote(const struct token *t, struct buf *to);          /* appends the name or string without its quotes; SUBSTITUTE: the variable's name */

/* Quoting for text that goes into SQL: "a ""b""" and 'it''s'. Bytes beyond a NUL are cut, as SQLite would. */
void sql_quote_name(struct buf *to, const char *name);
void sql_quote_text(struct buf *to, const char *text);              /* NULL gives the word NULL */
/* 1-based line and column (in code points) of a byte offset. */
void sql_position(const char *sql, size_t len, size_t offset, int *ret_line, int *ret_column);

#endif
