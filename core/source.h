/* A source of batches: bounded Kafka reader, endless reader, replay file, test fake. One owner thread at a time; nothing in it is
 * thread-safe except what the implementation says. Free of librdkafka types on purpose: a reader that speaks Fetch itself fits here.
 * Example:
 *     while ((status = source_next(src, 100, &batch, err)) != SOURCE_END) { if (status == SOURCE_BATCH) { use(batch); batch_unref(batch); } ... } */
#ifndef WEIR_CORE_SOURCE_H
#define WEIR_CORE_SOURCE_H

#include "core/scan.h"

enum source_status {
	SOURCE_BATCH,                        /* *ret_batch holds one reference, the caller's; never empty */
	SOURCE_IDLE,                         /* nothing within wait_ms; call again */
	SOURCE_END,                          /* every range's end was reached; stays so */
	SOURCE_ERROR,                        /* err is set; the source gives no more */
};

struct source {
	const struct source_impl *impl;
	struct scan_stats stats;             /* message_n .. leader_change_n as far as the source knows them */
};

/* Where a reader stands in a partition, as the consumer sees it: records of batches not handed out yet are still to come. */
struct source_position {
	int32_t partition;
	int64_t position;                    /* the next offset; what lies before was handed out, filtered or is not there */
	int64_t end;                         /* high watermark as last seen, -1 = not yet; end - position is the lag (markers and an open transaction count) */
	bool at_end;                         /* everything that could be read when the broker last answered was handed out: an idle partition, or
	                                      * what follows waits for an open transaction. A bounded range: its end was reached */
};

struct source_impl {
	enum source_status (*next)(struct source *source, int wait_ms, struct batch **ret_batch, struct err *err);
	void (*destroy)(struct source *source);   /* fast (< 50 ms), also in the middle of a scan */
	int (*fd)(struct source *source);         /* these two may be NULL */
	size_t (*positions)(struct source *source, struct source_position *to, size_t to_n);
};

static inline enum source_status source_next(struct source *s, int wait_ms, struct batch **ret_batch, struct err *err)
{
	return s->impl->next(s, wait_ms, ret_batch, err);
}

/* A descriptor for poll(): readable when source_next has something, or may have. Call source_next with wait 0 until it is SOURCE_IDLE before
 * waiting, and at least once a second without an event, since notices, new partitions and vanished topics are looked for there. The
 * source owns it and keeps it to its end. -1 = it has none: poll source_next. */
static inline int source_fd(struct source *s)
{
	return s->impl->fd ? s->impl->fd(s) : -1;
}

/* Fills at most to_n, in partition order; gives the number of partitions (0 = not known). Cheap: asks nobody. */
static inline size_t source_positions(struct source *s, struct source_position *to, size_t to_n)
{
	return s->impl->positions ? s->impl->positions(s, to, to_n) : 0;
}

static inline void source_destroy(struct source *s)
{
	if (s)
		s->impl->destroy(s);
}

#endif
