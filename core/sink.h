/* A sink of records: the writer to a topic. One owner thread. sink_put queues (and may wait for room); sink_flush waits until every queued
 * record is acknowledged or has failed. A failed delivery is ERR_DELIVERY and the message says how many were delivered before. */
#ifndef WEIR_CORE_SINK_H
#define WEIR_CORE_SINK_H

#include "core/bytes.h"
#include "core/err.h"

enum { SINK_PARTITION_ANY = -1 };        /* let the partitioner decide from the key */

struct sink_record {
	struct bytes key;                    /* data NULL = null key */
	struct bytes value;                  /* data NULL = tombstone */
	struct bytes headers;                /* core/headers.h encoding */
	int64_t ts_ms;                       /* TIME_NONE = now */
	int32_t partition;
};

struct sink {
	const struct sink_impl *impl;
	int64_t delivered_n;                 /* acknowledged so far */
};

struct sink_impl {
	bool (*put)(struct sink *sink, const struct sink_record *record, struct err *err);   /* copies the record */
	bool (*flush)(struct sink *sink, struct err *err);
	void (*destroy)(struct sink *sink);  /* without flush: what was not sent is dropped */
};

#endif
