/* The waist: vtab/ and fuse/ ask a provider for topics, offsets, sources and sinks, and do not know Kafka. sql/catalog is the real one;
 * tests have a fake. One owner thread (the session's), except where a call says otherwise. Every wait polls provider->cancel.
 * cluster NULL = the current cluster. Strings returned are borrowed until the provider is destroyed unless said otherwise. */
#ifndef WEIR_CORE_PROVIDER_H
#define WEIR_CORE_PROVIDER_H

#include "core/position.h"
#include "core/schema.h"
#include "core/sink.h"
#include "core/source.h"

struct topic_info {
	int32_t partition_n;
	bool internal;
	bool time_seek;                      /* the broker can find offsets by time (the embedded one cannot) */
	enum ts_type ts_type;                /* message.timestamp.type; TS_TYPE_NONE = not known (not asked, or not allowed) */
	bool compacted;                      /* cleanup.policy has compact; false when not known */
};

enum topic_ask { TOPIC_ASK_CONFIG = 1 };  /* also fill ts_type and compacted (one more request, cached) */

struct partition_bounds {
	int32_t partition;
	int32_t leader;                      /* broker id by the metadata at hand, -1 = none or not known */
	int64_t low;                         /* first offset kept */
	int64_t end;                         /* where a read stops: the last stable offset in read_committed, else the high watermark */
};

enum notice_level { NOTICE_INFO, NOTICE_WARNING };

/* A message that could not be used as asked: a row of weir_errors. sample is cut to 256 bytes by the receiver. */
struct bad_message {
	const char *cluster, *topic;
	int32_t partition;
	int64_t offset;
	int64_t ts_ms;
	const char *stage;                   /* "decode", "size", "timestamp", ... */
	const char *text;
	struct bytes sample;
};

/* What the running statement has read so far, for a progress line and a byte limit on another thread while the cursor waits inside a fetch.
 * The cursor adds (relaxed) what each batch and each opened scan brought, as it comes; whoever starts a statement sets all to 0. */
struct scan_progress {
	_Atomic int64_t planned_n, passed_n; /* offsets, as in scan_stats */
	_Atomic int64_t message_n, message_bytes;
};

struct provider {
	const struct provider_impl *impl;
	struct cancel *cancel;               /* never NULL */
	struct scan_stats stats;             /* of the running statement; vtab adds each source's when it closes */
	struct scan_progress progress;       /* the same while it runs; any thread may read */
	struct err last_error;               /* the full error behind the last SQLite error that came from us; the session clears it */
	uint64_t statement_n;                /* whoever starts a statement adds 1: bounds and changelog tables are frozen per statement. 0 = nobody counts */
	struct position from, until;         /* --from / --until for every topic of the statement; whoever set them finishes them */
	int64_t time_slack_ms;               /* SET time_slack; -1 = none */
	bool strict;                         /* --strict: the first decode error ends the query with ERR_DECODE */
	bool write_allowed;
	enum gap_policy gap_policy;
	size_t max_message_bytes;            /* 0 = default */
};

struct provider_impl {
	/* False with ERR_TOPIC_UNKNOWN (near names in the hint), ERR_AUTHORIZATION, ERR_CONNECT ... ask: enum topic_ask bits. Cached for a few seconds. */
	bool (*topic_info)(struct provider *p, const char *cluster, const char *topic, unsigned ask, struct topic_info *ret, struct err *err);

	/* Fills ret[0..partition_n) with the bounds as they are now, in partition order. One request per broker. */
	bool (*topic_bounds)(struct provider *p, const char *cluster, const char *topic, int32_t partition_n, struct partition_bounds *ret, struct err *err);

	/* ret[i] = the high watermark of partition i: behind what all in-sync replicas hold, in open transactions too. NULL = not to be had. */
	bool (*topic_high_watermarks)(struct provider *p, const char *cluster, const char *topic, int32_t partition_n, int64_t *ret, struct err *err);

	/* ret[i] = first offset of partition i whose timestamp is >= ts_ms, or its end if there is none. Needs topic_info.time_seek. */
	bool (*topic_offsets_at)(struct provider *p, const char *cluster, const char *topic, int32_t partition_n, int64_t ts_ms, int64_t *ret, struct err *err);

	/* The caller destroys the source. */
	bool (*open_scan)(struct provider *p, const char *cluster, const struct scan_request *request, struct source **ret, struct err *err);
	bool (*open_sink)(struct provider *p, const char *cluster, const char *topic, enum partitioner partitioner, struct sink **ret, struct err *err);

	/* All topic names, sorted; *ret is an array of *ret_n strings that the caller frees (each and the array). */
	bool (*topic_names)(struct provider *p, const char *cluster, char ***ret, size_t *ret_n, struct err *err);

	void (*notice)(struct provider *p, enum notice_level level, const char *text);      /* one line, no newline at its end; copied */
	void (*bad_message)(struct provider *p, const struct bad_message *bad);             /* copied; counted; kept for weir_errors */
	const char *(*cluster_name)(struct provider *p, const char *cluster);               /* the shown name of cluster (NULL = current) */
};

#endif
