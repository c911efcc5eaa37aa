/* The clauses of one SELECT, as pieces of its text: what the dialect must see to rewrite table functions, joins and aggregates. No expression is
 * parsed; SQLite stays the judge of what is right. Text that is no SELECT, or one that is cut off, gives false without an error.
 *
 * Names are unquoted and owned by the struct; spans point into the text. Nothing here recurses. Thread: one. */
#ifndef WEIR_SQL_SELECT_H
#define WEIR_SQL_SELECT_H

#include "sql/parse.h"

struct span {
	size_t from, to;                     /* bytes [from, to) of the text; from == to = not there */
};
static inline bool span_empty(struct span s)
{
	return s.from >= s.to;
}

struct select_item {                         /* of the result list */
	struct span expr;                    /* '*' and t.* are items too */
	struct span whole;                   /* with its alias */
	char *alias;                         /* NULL = none was given */
};

enum join_kind { JOIN_FIRST, JOIN_COMMA, JOIN_INNER, JOIN_CROSS, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL };

struct call_arg {
	char *name;                          /* size => '1m'; NULL = by position */
	struct span value;
};

struct from_item {
	enum join_kind join;
	bool natural, asof;
	struct span join_words;              /* LEFT JOIN, ',' .. */
	struct span whole;                   /* from the join's words (or the table) up to the next item */
	struct span table;                   /* the name, schema.name, call(..) or (subquery), without alias */
	char *schema, *name;                 /* NULL for a subquery */
	bool is_call, is_query;
	bool is_table_word;                  /* TABLE( call ) around a call: Flink's */
	struct call_arg *args;               /* of a call */
	size_t arg_n;
	char *alias;
	struct span alias_span;              /* AS x */
	struct span as_of;                   /* FOR SYSTEM_TIME AS OF: the expression; as_of_whole the clause */
	struct span as_of_whole;
	struct span within, within_whole;    /* WITHIN '1h': the duration (or the list inside its parentheses); the clause */
	struct span on, using_list;          /* without the words and parentheses */
	struct span tolerance, tolerance_whole;
};

struct select {
	const char *text;
	struct span with;                    /* WITH .. up to SELECT */
	struct span whole;                   /* from SELECT (or WITH) to the end of its clauses */
	bool distinct;
	bool compound;                       /* UNION, EXCEPT or INTERSECT follows */
	struct select_item *items;
	size_t item_n;
	struct span items_span;
	struct span from_span;               /* behind FROM */
	struct from_item *from;
	size_t from_n;
	struct span ksql_window;             /* WINDOW TUMBLING (..): from WINDOW to ')' */
	struct span where, group_by, having, windows, order_by, limit;   /* behind the words */
	struct span group_whole;             /* with GROUP BY */
	struct span *groups;                 /* the terms of GROUP BY */
	size_t group_n;
	struct span fill;                    /* inside FILL ( .. ) */
	struct span fill_whole;
	struct span tail;                    /* ORDER BY .. LIMIT .. with their words */
};

/* Parses the SELECT (with its WITH) that begins at `from`; it ends at an unmatched ')', a set operator, EMIT, ';' or `to`. */
bool select_parse(const char *text, size_t from, size_t to, struct select *ret);
void select_finish(struct select *s);

/* The spans of a list's top-level members (split at commas). Appends; *ret is the caller's to free. */
void span_split(const char *text, struct span list, struct span **ret, size_t *ret_n);
/* The conjuncts of a condition: split at AND outside parentheses, BETWEEN and CASE. An OR beside them makes the whole one conjunct. */
void span_split_and(const char *text, struct span condition, struct span **ret, size_t *ret_n);
int list_length(const char *list);                                   /* members of a list that is a text of its own */
char *span_text(const char *text, struct span s);                    /* copy, caller frees */
void span_add(struct buf *to, const char *text, struct span s);
void span_replace(struct buf *text, struct span s, const char *with);
/* Does the item's column have this name, given or its own? */
bool select_item_named(const char *text, const struct select_item *item, const char *name);
bool span_is_word(const char *text, struct span s, const char *word); /* a single word token, ASCII case-insensitive */
bool span_has_word(const char *text, struct span s, const char *word);
/* The same tokens (words without regard to case, blanks and comments ignored)? */
bool span_equal(const char *text_a, struct span a, const char *text_b, struct span b);
/* A WHERE for a scan that must give its rows in their order: SQLite would scan once for each side of an OR. Appends. */
void span_add_ordered_where(struct buf *to, const char *text, struct span where);
/* A span that is a name or table.name: the last part, unquoted; NULL otherwise. Caller frees. */
char *span_column_name(const char *text, struct span s);
/* Is this bare word one that cannot be a name at the end of an expression or an alias? */
bool word_is_reserved(const struct token *t);

#endif
