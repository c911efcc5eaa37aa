/* A SELECT with GROUP BY (or aggregates alone) taken apart for the incremental operator:
 *
 *     SELECT tag, max(v) - min(v) AS r FROM tumble(t, size => '1m') WHERE ok GROUP BY window_start, tag HAVING count(*) > 3 ORDER BY r
 *
 *     input     SELECT event time, _partition, _offset, _index, tag, v FROM t WHERE ok        SQLite evaluates, per row
 *     operator  per (window, tag): max(v), min(v), count(*)                                   group.c steps accumulators
 *     output    SELECT k1 AS tag, a1 - a2 AS r FROM groups WHERE a3 > 3 ORDER BY r            SQLite evaluates, over the final values
 *
 * What this cannot take apart (columns that are neither grouped nor aggregated, OVER, compound selects ..) is not an error: a reason comes back, and
 * the statement stays SQLite's, or a pane query's. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_GROUP_PLAN_H
#define WEIR_SQL_LIVE_GROUP_PLAN_H

#include "sql/aggregate/aggregate.h"
#include "sql/window.h"

enum group_key_kind { GROUP_KEY_COLUMN, GROUP_KEY_WINDOW_START, GROUP_KEY_WINDOW_END };

struct group_key {
	enum group_key_kind kind;
	int column;                          /* of the input */
	struct span expr;                    /* in the user's text; empty for one that a window implies */
	bool is_state;                       /* is the expression that a state window goes by */
};

struct group_call {
	const struct aggregate *def;
	bool distinct;
	int column, column_n;                /* of the input: its arguments */
	int filter;                          /* of the input: FILTER (WHERE ..); -1 = none */
	struct span text;                    /* in the user's text: the call with its filter */
};

/* Columns of the input that say where a row stands. */
enum { AT_TIME, AT_PARTITION, AT_OFFSET, AT_INDEX, AT_N };

struct group_plan {
	bool windowed;
	struct window_spec window;           /* owned */
	int at_n;                            /* the input begins with so many of the AT_ columns: 0, 1 (the time alone) or AT_N */
	int tracker_key, tracker_key_n;      /* of the input: what a stateful window runs by */
	int state, start, end;               /* of the input; -1 = none */
	struct group_key *keys;
	size_t key_n;
	struct group_call *calls;
	size_t call_n;
	bool grouped;                        /* GROUP BY was given: no rows give no group */
	int input_column_n;
	struct buf input;
	struct buf output;                   /* over a table that group_plan_output names */
	size_t output_table_at;              /* where its name belongs */
	char *stream;                        /* name of the table whose rows have event time and offsets */
	char *stream_alias;                  /* how input names it */
	struct span stream_span;             /* in input: the table's name */
	size_t from_at;                      /* in input: where FROM begins */
	bool aliases;                        /* names in GROUP BY that are aliases were taken as such */
};

struct group_plan_request {
	const char *text;
	const struct select *select;
	const char *event_time;              /* expression over stream_alias; NULL = "alias"._ts */
	size_t stream_item;                  /* index in select->from of the table with event time */
	bool at_elsewhere;                   /* whoever steps the operator knows where each row stands: no AT_ columns */
	bool want_at;                        /* all AT_ columns even if nothing asks for them */
	bool expand_aliases;                 /* GROUP BY x where x is the alias of a result column */
	bool has_index;                      /* the stream has an _index column (topics and feeds do; 0 is used otherwise) */
};

/* False: *ret_why says why not (a constant); true: ret is the caller's. err is for statements that are wrong in any case (window arguments). */
bool group_plan_make(const struct group_plan_request *r, struct group_plan *ret, const char **ret_why, struct err *err);
void group_plan_finish(struct group_plan *p);
/* The output's SQL over the given table (schema-qualified and quoted by the caller). */
void group_plan_output(const struct group_plan *p, const char *table, struct buf *to);

/* Names of the columns of the table that output reads: "weir_k1" .. of keys, "weir_a1" .. of calls, window_start, window_end. */
#define GROUP_KEY_NAME "weir_k%zu"
#define GROUP_CALL_NAME "weir_a%zu"
#define GROUP_ABSENT_NAME "weir_absent"      /* hidden, of a view's: = 1 gives the windows that are over and in which a group has no rows */

#endif
