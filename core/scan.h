/* What a bounded or endless read is asked for. Plain data, shared by the planner (vtab/), the reader (kafka/) and the mount (fuse/). */
#ifndef WEIR_CORE_SCAN_H
#define WEIR_CORE_SCAN_H

#include "core/batch.h"
#include "core/cancel.h"

#define SCAN_END_NEVER INT64_MAX         /* scan_range.end of an endless read */

struct scan_range {
	int32_t partition;
	int64_t start;                       /* first offset wanted, absolute */
	int64_t end;                         /* half-open; frozen when the query starts */
};

enum scan_need {
	SCAN_NEED_KEY = 1,
	SCAN_NEED_VALUE = 2,
	SCAN_NEED_HEADERS = 4,
};

enum scan_order {
	SCAN_ORDER_ANY,                      /* batches of different partitions as they come; offsets rise within each partition */
	SCAN_ORDER_PARTITION_OFFSET,         /* partitions one after the other, rising */
};

enum gap_policy { GAP_FAIL, GAP_WARN };

struct scan_filter {
	bool (*keep)(void *arg, struct bytes key, struct bytes value);   /* NULL = keep all. Called before the copy, on the reader's owner thread */
	void *arg;
};

/* An endless read (a range whose end is SCAN_END_NEVER) gives no SOURCE_END. Bounded and endless ranges may be mixed. A live one moreover
 *   waits for brokers and leaders for ever, with a notice every few seconds, and goes on when they are back;
 *   ends with ERR_TOPIC_GONE when the topic is gone;
 *   has a file descriptor to wait on and tells its positions (source_fd, source_positions in core/source.h).
 * Its gap_policy should be GAP_WARN: what retention took is named in a notice and counted. order is SCAN_ORDER_ANY. */
struct scan_request {
	const char *topic;
	const struct scan_range *ranges;     /* borrowed until the source is destroyed is NOT required: the reader copies them */
	size_t range_n;
	unsigned need;                       /* enum scan_need bits: what is copied at all */
	enum scan_order order;
	bool live;                           /* for a live query, see below */
	bool new_partitions;                 /* live: partitions added to the topic later are read too, from offset 0 on; found within 10 s */
	int64_t row_hint;                    /* rows the caller expects to take, 0 = all: the first fetch is sized by it */
	struct scan_filter filter;
	size_t max_message_bytes;            /* 0 = the default, 16 MiB; larger ones come with too_large set */
	enum gap_policy gap_policy;
	struct cancel *cancel;               /* borrowed for the source's life; may be NULL */
};

/* Counted since the start of the statement, by the owner thread. */
struct scan_stats {
	int64_t message_n;                   /* delivered by the broker to this scan */
	int64_t message_bytes;               /* their keys and values */
	int64_t fetched_bytes;               /* bytes that came over the network for it, 0 = unknown */
	int64_t filtered_n;                  /* rejected by bytes before decoding */
	int64_t outside_n;                   /* delivered, but outside the asked range or time */
	int64_t row_n;                       /* rows given to SQLite */
	int64_t decode_error_n;
	int64_t duplicate_n;                 /* same offset delivered twice and dropped */
	int64_t gap_n;                       /* offsets lost to retention during the scan */
	int64_t too_large_n;
	int64_t planned_n;                   /* offsets in all ranges, as frozen: the progress line's 100 % */
	int64_t passed_n;                    /* offsets already passed */
	int64_t request_n;                   /* metadata and offset requests sent */
	int64_t scan_n;                      /* times a topic was opened */
	int64_t leader_change_n;
};

#endif
