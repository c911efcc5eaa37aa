/* The incremental operator: groups of (window, keys) with accumulators, stepped row by row. It does not know where rows come from or when they are
 * shown: a bounded query steps all rows and takes everything at the end (group_table.c), a live one takes what closed or changed (live.c).
 *
 * The order in which groups are given out does not depend on the order in which rows came: by the moment in event time at which their window closed (tumbling:
 * its end), then its bounds, then the keys in SQLite's order.
 *
 * Late: a row of a grid window (tumble, hop, cumulate) is late for a window iff its end <= (largest event time seen before in the row's own partition) -
 * grace; a row of a stateful window iff its time < that. A late row is not counted in the window; on_late hears of it. Thread: one. */
#ifndef WEIR_SQL_LIVE_GROUP_H
#define WEIR_SQL_LIVE_GROUP_H

#include "sql/live/group_plan.h"
#include "sql/live/watermark.h"

enum late_reason {
	LATE_LATE,                           /* by the rule above */
	LATE_IDLE,                           /* silence had closed the window */
	LATE_NO_TIME,                        /* the row has no event time */
};

enum fill_kind { FILL_NONE, FILL_NULL, FILL_PREV, FILL_LINEAR, FILL_VALUE };

struct group_op_options {
	bool lateness;                       /* false: every row counts (bounded, no grace given) */
	int64_t grace_ms;
	bool changes;                        /* keep the list of changed groups */
	bool keep;                           /* closed windows stay and are not made ready: group_op_visit shows them */
	int64_t memory_max_bytes;            /* 0 = no limit */
	enum fill_kind fill;
	struct agg_value fill_value;         /* FILL_VALUE; its bytes live as long as the operator */
	void (*pin)(void *arg, const struct agg_value *values, bool hold);      /* a row begins to wait for its order, or ends to; NULL = its values stand for themselves */
	void (*on_late)(void *arg, const struct agg_at *at, struct window_bounds window, enum late_reason reason);
	void *arg;
};

/* FILL ( .. ) of the statement into o->fill and o->fill_value. */
bool group_fill_parse(const char *text, const struct select *sel, const struct group_plan *plan, struct group_op_options *o, struct err *err);

struct group_op;
struct group;
struct group_window;
struct group_row {                           /* one result; what it points at is the operator's */
	struct group *group;
	struct group_window *window;
};

struct group_rows {                          /* zero = empty; its owner frees list */
	struct group_row *list;
	size_t n, cap;
};
void group_rows_add(struct group_rows *r, struct group *g, struct group_window *w);

struct group_op *group_op_create(const struct group_plan *plan, const struct group_op_options *o);    /* plan is borrowed */
void group_op_destroy(struct group_op *op);
/* values: plan->input_column_n of them. at: where the row stands; NULL = the values begin with it. part: whose maximum, of the rows before this one, decides lateness; NULL without a watermark. */
bool group_op_row(struct group_op *op, const struct agg_value *values, const struct agg_at *at, const struct watermark_part *part, struct err *err);
/* Event time has reached watermark_ms (WATERMARK_END: all rows were seen): releases rows that waited for their order, closes windows, and appends what
 * is to be given out. by_idle: silence did it. */
bool group_op_advance(struct group_op *op, int64_t watermark_ms, bool by_idle, struct err *err);

/* What is ready, in order. Rows stay valid until group_op_clear. */
size_t group_op_ready_n(const struct group_op *op);
const struct group_row *group_op_ready(const struct group_op *op, size_t i);
void group_op_clear(struct group_op *op);
void group_op_take_changed(struct group_op *op);                     /* makes the changed groups ready, without closing them */
void group_op_take_all(struct group_op *op);                         /* makes every open group ready */
bool group_op_has_changed(const struct group_op *op);

/* Every group of open and of kept windows, in no order; the row is valid during the call. key: only groups with these values of the GROUP_KEY_COLUMN keys
 * (all of them), NULL = all. window_start_ms: only windows that begin then, NULL = all. */
void group_op_visit(const struct group_op *op, bool open, const struct agg_value *key, const int64_t *window_start_ms, void (*visit)(void *arg, const struct group_row *row), void *arg);

/* FILL over the rows of all keys that group_op_visit gave (with `open` as there): sorts them and puts in the windows without rows. absent: leaves only these, of windows that are over.
 * The rows are valid until the fill is freed. */
struct group_fill;
bool group_op_fill(const struct group_op *op, enum fill_kind kind, bool open, bool absent, struct group_rows *io, struct group_fill **ret, struct err *err);
void group_fill_free(struct group_fill *f);                          /* NULL is fine */
static inline bool group_plan_can_fill(const struct group_plan *p)    /* its windows follow one another on a grid */
{
	return p->windowed && (p->window.kind == WINDOW_TUMBLE || p->window.kind == WINDOW_HOP);
}

void group_row_key(const struct group_op *op, const struct group_row *row, size_t key, struct agg_value *ret);       /* bytes borrowed from the row */
bool group_row_call(const struct group_op *op, const struct group_row *row, size_t call, struct agg_result *ret, struct err *err);
struct window_bounds group_row_window(const struct group_row *row);

struct group_op_stats {
	int64_t group_n, window_n, waiting_row_n, bytes, late_n;
};
struct group_op_stats group_op_stats(const struct group_op *op);

#endif
