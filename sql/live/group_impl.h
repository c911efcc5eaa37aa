/* Inside of the incremental operator: group.c (rows, windows), group_ready.c (what is given out, in which order), group_fill.c (empty windows). */
#ifndef WEIR_SQL_LIVE_GROUP_IMPL_H
#define WEIR_SQL_LIVE_GROUP_IMPL_H

#include "sql/live/group.h"
#include "sql/live/group_store.h"
#include "sql/live/waiting.h"

/* One window with its groups. A query without windows has one, for ever open. */
struct group_window {
	struct window_bounds bounds;
	int64_t moment_ms;                   /* event time at which it closes (or closed): the order of giving out */
	struct group_store store;
	bool closed;
	struct group_window *next_ready;     /* closed ones wait here for group_op_clear */
};

/* The runs of windows of one key of a stateful window. */
struct group_tracker {
	struct window_tracker t;
	struct group_window *window;         /* of the open window, NULL = none */
	uint8_t *key;
	size_t key_len;
	uint64_t hash;
	struct group_slide {
		struct group_window *window;
		int64_t row_n;
	} *slides;                           /* COUNT with a slide: the open windows, the oldest first */
	size_t slide_n, slide_cap;
	int64_t row_n;                       /* rows seen, for slides */
	struct waiting_row *held;            /* rows whose window is not decided yet (TRACKER_HELD) */
	size_t held_n, held_cap;
};

struct group_fill;

struct group_op {
	const struct group_plan *plan;
	struct group_op_options o;
	struct group_layout layout;
	struct agg_memory memory;
	int64_t bytes;                       /* stores, windows, trackers */

	struct group_window **windows;       /* open grid windows: open addressing by bounds */
	size_t window_slot_n, window_n;
	struct group_window *last_window;    /* found last */
	int64_t next_close_ms;               /* least end of an open grid window */
	int64_t closed_ms;                   /* grid windows with an end up to this are closed; INT64_MIN = none */
	bool closed_by_idle;
	struct group_window *only;           /* without windows */

	struct group_tracker **trackers;     /* stateful: open addressing by key */
	size_t tracker_slot_n, tracker_n;
	struct waiting waiting;
	int64_t released_ms;                 /* stateful: rows with a time before this were released */

	struct group **changed;
	size_t changed_n, changed_cap;
	struct group_rows ready;
	struct group_window *ready_windows;  /* closed, freed by group_op_clear */
	struct group_window **kept;          /* closed, with o.keep */
	size_t kept_n, kept_cap;
	struct group_fill *fill;

	struct agg_value *row;               /* scratch: a waiting row's values */
	struct window_bounds *bounds;        /* scratch: window_assign_max of them */
	size_t bounds_max;
	struct buf key, tracker_key;         /* scratch */
	int64_t late_n;
};

/* Every open window of a tracker. */
static inline struct group_window *tracker_window(const struct group_tracker *t, size_t i)
{
	return i < t->slide_n ? t->slides[i].window : i == t->slide_n ? t->window : NULL;
}
void window_free(struct group_op *op, struct group_window *w);
void rows_sort(const struct group_op *op, struct group_rows *r);      /* by moment, bounds, keys */
void ready_window(struct group_op *op, struct group_window *w);      /* all groups of a closed window; it goes at group_op_clear */

/* FILL: looks at the sorted rows and puts in what is missing between those of a key, and behind its last one up to the windows that end by over_ms. *io keeps
 * the keys from call to call, and what the rows put in point at until the next one; NULL to begin with. last: LINEAR does not wait for a key's next value. */
bool fill_rows(const struct group_op *op, struct group_fill **io, struct group_rows *rows, enum fill_kind kind, int64_t over_ms, bool last, struct err *err);
bool fill_call(const struct group_op *op, const struct group_row *row, size_t call, struct agg_result *ret);      /* true: the row was made by FILL */
int64_t fill_bytes(const struct group_fill *f);                      /* NULL is fine */

#endif
