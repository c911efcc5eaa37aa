/* Handlers of the dialect's statements, one family a file; dialect.c has the table that finds them. Each gets the whole statement's text without its ';'. */
#ifndef WEIR_SQL_DIALECT_H
#define WEIR_SQL_DIALECT_H

#include "sql/session_impl.h"

struct dialect_def {
	const char *words;                   /* first words, upper case */
	bool (*handle)(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);
	const char *syntax;                  /* for help and completion */
};

const struct dialect_def *dialect_at(size_t index);                 /* NULL after the last */

bool show_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);       /* show.c */
bool describe_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);   /* describe.c */
bool print_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);      /* show.c */
bool explain_scan_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);   /* explain.c */
bool explain_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);        /* live/explain_live.c */
bool view_create_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);    /* view.c */
bool view_drop_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);

#endif
