/* Where the SELECT of a name in FROM stands: in a WITH clause around it, or in the schema as a view. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_BODY_H
#define WEIR_SQL_LIVE_BODY_H

#include "sql/select.h"
#include "sql/session_impl.h"

/* Names that WITH gives, from the inside to the outside. */
struct scope {
	const char *text;
	struct span with;
	const struct scope *outer;
};

/* The scope whose WITH names it, with the text of its SELECT and the list of column names before it, "(a, b)", NULL = there is none; the caller frees both. NULL: no such name. */
const struct scope *body_of_with(const struct scope *scope, const char *name, char **ret_body, char **ret_columns);
/* The names of the scope's WITH that stand before this one, as a WITH clause: all that its SELECT may use. "" if it is the first; NULL if the clause is RECURSIVE. */
char *body_with_before(const struct scope *scope, const char *name);
char *body_of_view(struct session *s, const char *name, char **ret_columns);      /* NULL: no view; the caller frees both */
/* p stands on '(': what is in the parentheses. */
struct span body_inside(const char *text, const struct parse *p, size_t to);
/* The name that an item of FROM has, by itself or as the table of a window's call; empty = none. */
struct span body_name_in(const struct from_item *f);
/* (select) takes the place of that name, under the item's name if no other was given. */
void body_put_in_place(struct buf *text, const struct from_item *f, struct span name, const char *select);
/* Does a WITH anywhere in the text give something this name: name [(columns)] AS [[NOT] MATERIALIZED] ( */
bool body_named_by_with(const char *text, size_t len, const char *name);

#endif
