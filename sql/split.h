/* Where a statement ends, and what in it the dialect must look at: one pass over the tokens. Pure; any thread. */
#ifndef WEIR_SQL_SPLIT_H
#define WEIR_SQL_SPLIT_H

#include "sql/lex.h"

struct split {
	size_t start;                        /* first byte that is neither blank nor comment; == len if there is none */
	size_t end;                          /* one past the ';', or len */
	size_t text_end;                     /* end of the last token before the ';' */
	bool blank;                          /* nothing but blanks, comments and ';' */
	bool complete;                       /* ended by a ';' at statement level */
	bool open;                           /* ends inside a quote or an unclosed comment */
	bool has_substitute;                 /* :'x' or :"x" */
	bool has_variable;                   /* :x @x $x ?1 */
	size_t nul_at;                       /* offset of a NUL byte in the statement, or SIZE_MAX */
	size_t emit_at;                      /* EMIT CHANGES | FINAL | EVERY | EVENT outside parentheses, or SIZE_MAX */
	size_t asof_at;                      /* ASOF [LEFT] JOIN, or SIZE_MAX */
};

/* Looks at the first statement of sql. Knows CREATE TRIGGER .. BEGIN .. ; .. END;  as sqlite3_complete() does. */
void split_statement(const char *sql, size_t len, struct split *ret);

#endif
