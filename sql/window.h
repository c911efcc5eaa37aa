/* Windows: what a table function like tumble(t, size => '1m') says, and which windows a row falls into. One implementation serves bounded queries
 * (window_rewrite.c makes plain SQL of it) and live ones (sql/live/). Instants and durations are INTEGER ms; windows are half-open [start, end),
 * except sessions, state, event and count windows, whose end is the time of their last row (inclusive).
 * Thread: the connection's. */
#ifndef WEIR_SQL_WINDOW_H
#define WEIR_SQL_WINDOW_H

#include "core/buf.h"
#include "sql/select.h"

enum window_kind { WINDOW_NONE, WINDOW_TUMBLE, WINDOW_HOP, WINDOW_CUMULATE, WINDOW_SESSION, WINDOW_STATE, WINDOW_EVENT, WINDOW_COUNT };
enum window_unit { UNIT_MS, UNIT_DAY, UNIT_WEEK, UNIT_MONTH, UNIT_YEAR };     /* not UNIT_MS: calendar windows, whose length varies */

struct zone;

/* Expressions are SQL text over the columns of the windowed table; owned. NULL = not given. */
struct window_spec {
	enum window_kind kind;
	int64_t size_ms;                     /* TUMBLE, HOP; CUMULATE: the largest size */
	int64_t slide_ms;                    /* HOP: slide; CUMULATE: step */
	int64_t gap_ms, max_ms;              /* SESSION; max 0 = none */
	int64_t true_for_ms;                 /* STATE, EVENT: shorter windows are left out; 0 = none */
	int64_t count_n, count_slide_n;      /* COUNT; slide 0 = tumbling */
	int extend;                          /* STATE: who owns the time (and rows without a state) between two states: 0 nobody, 1 the earlier, 2 the later */
	enum window_unit unit;               /* TUMBLE and HOP of whole days or more with tz, or of months and years */
	int64_t unit_n;
	struct zone *zone;                   /* NULL = UTC */
	char *tz;                            /* its name; owned */
	int64_t origin_ms;                   /* 0 = 1970-01-01Z (weeks begin on Monday) */
	int64_t grace_ms;                    /* grace => '10s'; -1 = not given */
	bool positional_hop;                 /* hop(t, a, b): whose order is which? Worth a notice */
	char *ts;                            /* event time; NULL = the stream's, or _ts */
	char *key;                           /* stateful kinds: one run of windows per value of this (several: a, b); NULL = the keys of GROUP BY other than
	                                      * the state itself, or one for all */
	char *state;                         /* STATE */
	char *start, *end;                   /* EVENT: conditions */
};

/* False with ERR_SQL (sql_offset at the argument) for a window function with wrong arguments. *ret_is false: the item is something else (a table, another
 * call); spec untouched. Flink's TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) comes out the same. ret_table: span of the windowed table. */
bool window_from_call(const char *text, const struct from_item *item, bool *ret_is, struct window_spec *ret, struct span *ret_table, struct err *err);
/* ksqlDB's WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 10 SECONDS) */
bool window_from_ksql(const char *text, struct span window, struct window_spec *ret, struct err *err);
void window_spec_finish(struct window_spec *w);
/* The table functions: name and syntax; NULL behind the last. */
const char *window_function_at(size_t i, const char **ret_syntax);

/* A grid window as text and back: the argument of weir_windows(text, ts). */
void window_to_text(const struct window_spec *w, struct buf *to);
bool window_from_text(const char *text, struct window_spec *ret, struct err *err);

static inline bool window_is_stateful(const struct window_spec *w)
{
	return w->kind >= WINDOW_SESSION;
}

struct window_bounds {
	int64_t start_ms, end_ms;
};
/* TUMBLE, HOP, CUMULATE: the windows that hold ts, earliest start first (CUMULATE: shortest first). *n_io: room on entry, number on return; false = more than
 * that. A time too far away for its window's bounds to fit in 64 bits has none. */
bool window_assign(const struct window_spec *w, int64_t ts_ms, struct window_bounds *ret, size_t *n_io);
size_t window_assign_max(const struct window_spec *w);               /* most windows that one row can be in */
/* The window that follows (start, end) on the grid of TUMBLE and HOP: for FILL and for closing empty windows. */
struct window_bounds window_next(const struct window_spec *w, struct window_bounds b);

/* SESSION, STATE, EVENT, COUNT: the windows of one key. Rows come in the order of event time (then partition, offset). */
struct window_row {
	int64_t ts_ms;
	const void *state;                   /* STATE: the state's encoded value (agg_value_encode); NULL = SQL NULL */
	size_t state_len;
	bool start, end;                     /* EVENT */
};
struct window_tracker {                      /* zero = empty; may be moved by memcpy */
	bool open;
	struct window_bounds now;            /* of the open window: start, and end so far */
	int64_t row_n;                       /* in the open window */
	uint64_t id;                         /* counts the windows of this key; of the open (or last) one */
	char *state;                         /* heap, of the open STATE window */
	size_t state_len;
	int64_t held_n, held_first_ms, held_last_ms;     /* STATE: rows without a state whose window is not decided yet */
};
enum tracker_effect {
	TRACKER_IN = 1,                      /* the row belongs to the open window (after a new one was opened, if it was) */
	TRACKER_CLOSED_BEFORE = 2,           /* ret_closed was closed before the row was taken */
	TRACKER_CLOSED_AFTER = 4,            /* the window was closed by the row itself and holds it: now has its bounds */
	TRACKER_SHORT = 8,                   /* the window closed before was shorter than true_for: it is not given out */
	TRACKER_SHORT_AFTER = 16,            /* the same for the one closed after */
	/* Rows of state NULL stay in the run, and who owns those between two states is decided by the next state (extend): the caller keeps them until then. */
	TRACKER_HELD = 32,                   /* keep this row */
	TRACKER_HELD_BEFORE = 64,            /* the kept rows belong to the window that was closed */
	TRACKER_HELD_AFTER = 128,            /* they belong to the open window, before this row */
	TRACKER_HELD_DROP = 256,             /* they belong to none */
};
/* COUNT with a slide is not tracked here: its rows are in several windows (live/group.c, window_table.c). */
unsigned tracker_step(struct window_tracker *t, const struct window_spec *w, const struct window_row *row, struct window_bounds *ret_closed);
/* No row before watermark_ms will come (INT64_MAX: none at all): closes what that decides. EVENT windows that never saw their end, and COUNT windows that are
 * not full, are not given out, TRACKER_SHORT; at INT64_MAX a STATE window is given out as it is. */
unsigned tracker_advance(struct window_tracker *t, const struct window_spec *w, int64_t watermark_ms, struct window_bounds *ret_closed);
void tracker_finish(struct window_tracker *t);

#endif
