/* Event time, per partition. A partition's watermark is the largest event time seen in it less GRACE; the query's is the least over the partitions that
 * count: one that has been silent for IDLE (wall clock) does not, nor one whose recorded end was reached. When none counts any more because all are
 * silent, the watermark goes on with the wall clock, so that the last windows close, too.
 * A record dated further ahead than the skew guard allows is not obeyed: one bad clock must not close everything. Thread: the query's owner. */
#ifndef WEIR_SQL_LIVE_WATERMARK_H
#define WEIR_SQL_LIVE_WATERMARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/time.h"

#define WATERMARK_END INT64_MAX              /* everything has been seen */

struct watermark_part {
	int source;                          /* which stream of the query */
	int32_t partition;
	int64_t max_ms;                      /* largest event time obeyed; TIME_NONE = none yet */
	int64_t heard_mono_ms;               /* when its last record came (or it began) */
	bool done;                           /* its recorded end was reached */
	int64_t row_n, late_n, skewed_n;
};

struct watermark {
	struct watermark_part *parts;
	size_t part_n;
	size_t last;                         /* found last */
	int64_t grace_ms;                    /* subtracted from the maxima; -1 counts as 0 here */
	int64_t idle_ms;
	int64_t skew_ms;                     /* INT64_MAX = no guard */
	int64_t now_ms;                      /* latest obeyed time is now_ms + skew_ms: whoever feeds rows sets it now and then */
	int64_t value_ms;                    /* the query's, never falls; TIME_NONE = nothing known */
	bool by_idle;                        /* value_ms was carried on by silence */
};

void watermark_init(struct watermark *w, int64_t grace_ms, int64_t idle_ms, int64_t skew_ms);
void watermark_finish(struct watermark *w);
struct watermark_part *watermark_part(struct watermark *w, int source, int32_t partition, int64_t mono_ms);   /* found or added; valid until the next one is added */
/* A row of the part: false = too far ahead, not obeyed. */
bool watermark_see(struct watermark *w, struct watermark_part *p, int64_t ts_ms);
/* Looks at all parts and the clock; gives value_ms. */
int64_t watermark_advance(struct watermark *w, int64_t mono_ms);
/* The part that holds the watermark back; NULL = none does. */
const struct watermark_part *watermark_holder(const struct watermark *w, int64_t mono_ms);

#endif
