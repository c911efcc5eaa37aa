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

struct source_impl {
	enum source_status (*next)(struct source *source, int wait_ms, struct batch **ret_batch, struct err *err);
	void (*destroy)(struct source *source);   /* fast (< 50 ms), also in the middle of a scan */
};

static inline enum source_status source_next(struct source *s, int wait_ms, struct batch **ret_batch, struct err *err)
{
	return s->impl->next(s, wait_ms, ret_batch, err);
}

static inline void source_destroy(struct source *s)
{
	if (s)
		s->impl->destroy(s);
}

#endif
