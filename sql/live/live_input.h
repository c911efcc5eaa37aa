/* One stream of a live query: from where to where it is read, and its batches. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_LIVE_INPUT_H
#define WEIR_SQL_LIVE_LIVE_INPUT_H

#include "core/provider.h"
#include "sql/live/emit.h"

struct input_part {
	int32_t partition;
	int64_t start, end;                  /* end SCAN_END_NEVER = live */
	int64_t next;                        /* first offset not yet given out */
	int64_t skip_before_ms, stop_at_ms;  /* TIME_NONE = no bound: where the broker cannot find offsets by time, records are looked at instead */
	bool begun;                          /* the first record at or behind skip_before_ms was seen */
};

struct live_input {
	struct provider *provider;
	const struct stream *stream;         /* borrowed */
	struct source *source;               /* NULL: nothing to read */
	struct input_part *parts;
	size_t part_n;
	bool bounded;                        /* it ends */
	bool ended;
	int64_t message_n;
};

struct shared_reader;
/* Asks the broker for bounds and opens the source. from POSITION_NONE = now; until POSITION_NONE = never. cancel is borrowed. shared: where an endless source may
 * share its reader (shared_source.h); NULL = one of its own. */
bool live_input_open(struct live_input *in, struct provider *p, const struct stream *stream, const struct position *from, const struct position *until, struct shared_reader **shared,
                     struct err *err);
void live_input_close(struct live_input *in);
/* SOURCE_BATCH: *ret_batch is the caller's, records [*ret_from, *ret_to) of it count. */
enum source_status live_input_next(struct live_input *in, int wait_ms, struct batch **ret_batch, size_t *ret_from, size_t *ret_to, struct err *err);
int64_t live_input_lag(struct live_input *in);                      /* messages not read yet, -1 = not known */
/* Everything up to `end` that can be read was given out: what is missing are markers, or it waits for an open transaction. */
bool live_input_settled(struct live_input *in, int32_t partition, int64_t end);
struct input_part *live_input_part(struct live_input *in, int32_t partition);     /* NULL = not known (a partition added later is added by live_input_next) */

#endif
