/* Rows that wait for their turn: a stateful window takes rows in the order of event time, and a row's turn has come when the watermark has passed it.
 * Values are copied. Used by group.c, pane.c. Thread: the operator's. */
#ifndef WEIR_SQL_LIVE_WAITING_H
#define WEIR_SQL_LIVE_WAITING_H

#include "sql/aggregate/aggregate.h"

struct waiting_row {
	struct agg_at at;
	uint8_t *data;                       /* encoded values */
};

struct waiting {                             /* zero = empty */
	struct waiting_row *rows;
	size_t row_n, row_cap;
	size_t taken_n;                      /* rows[0..taken_n) were taken */
	size_t sorted_n;                     /* rows[taken_n..sorted_n) are in order */
	int64_t bytes;
};

bool waiting_add(struct waiting *w, const struct agg_at *at, const struct agg_value *values, int n);    /* false: out of memory */
/* Takes the next row with a time before watermark_ms: values point into memory that lives until waiting_free(*ret). False: none. */
bool waiting_next(struct waiting *w, int64_t watermark_ms, struct waiting_row *ret);
void waiting_values(const struct waiting_row *row, struct agg_value *values, int n);
/* A row whose data was moved on (set to NULL) is left alone. */
void waiting_free(struct waiting *w, struct waiting_row *row);
/* Call when a run of waiting_next is over: makes room. */
void waiting_compact(struct waiting *w);
void waiting_finish(struct waiting *w);

#endif
