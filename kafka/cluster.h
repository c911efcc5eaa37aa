/* One Kafka cluster as weir sees it: a lazily created client handle, metadata, offsets, groups and configs. Creating one opens no
 * connection; the first call that needs the broker does. Every call waits at most until its own deadline (weir.request.timeout.ms,
 * default 10 s) or the cancel flag, and turns librdkafka's silent errors into one error that names the likely cause.
 * Thread: one owner (the session's); librdkafka's own threads only append to an error slot inside. Create after any fork. */
#ifndef WEIR_KAFKA_CLUSTER_H
#define WEIR_KAFKA_CLUSTER_H

#include "core/cancel.h"
#include "core/scan.h"
#include "core/sink.h"
#include "core/source.h"
#include "core/hash.h"
#include "core/provider.h"
#include "kafka/config.h"

struct cluster;

/* config is copied. name is what messages call it. cancel is borrowed for the cluster's life. */
struct cluster *cluster_create(const char *name, const struct kafka_config *config, struct cancel *cancel);
void cluster_destroy(struct cluster *c);
const char *cluster_name(const struct cluster *c);
const char *cluster_bootstrap(const struct cluster *c);          /* "" if not set */
bool cluster_is_embedded(struct cluster *c);                     /* librdkafka's mock (also one in another process): known after the first request; it has no time seek */
int64_t cluster_request_n(const struct cluster *c);              /* metadata and offset requests sent so far */
/* "broker:9092 (kafka cluster id abc, controller 1)"; connects if needed. */
bool cluster_id(struct cluster *c, struct buf *to, int32_t *ret_controller, struct err *err);

struct cluster_partition {
	int32_t partition;
	int32_t leader;                      /* -1 = none */
	int32_t *replicas; size_t replica_n;
	int32_t *isrs; size_t isr_n;
};
struct cluster_topic {
	char *name;
	bool internal;                       /* __consumer_offsets and the like, and MirrorMaker's bookkeeping topics */
	struct cluster_partition *partitions; /* in partition order, none missing */
	int32_t partition_n;
};
struct cluster_broker {
	int32_t id;
	char *host;
	int32_t port;
};
struct cluster_meta {
	struct cluster_topic *topics; size_t topic_n;     /* sorted by name; names checked to be legal */
	struct cluster_broker *brokers; size_t broker_n;
	int64_t fetched_mono_ms;
};

/* Whole-cluster metadata, cached for weir.metadata.max.age.ms (default 5 s) unless fresh. Borrowed until the next call that may refetch. */
bool cluster_metadata(struct cluster *c, bool fresh, const struct cluster_meta **ret, struct err *err);
/* One topic (cached likewise). ERR_TOPIC_UNKNOWN with near names in the hint; ERR_AUTHORIZATION; ERR_LEADER is not raised here. Borrowed likewise.
 * Never creates the topic, not even on a broker with auto-creation (the embedded one too). */
bool cluster_topic_get(struct cluster *c, const char *topic, const struct cluster_topic **ret, struct err *err);

/* Offsets by rd_kafka_offsets_for_times: ts_ms = CLUSTER_EARLIEST, CLUSTER_LATEST (the last stable offset under read_committed) or a time.
 * ret[i] for partition i; a time with no record after it gives the end. One request per broker. ERR_LEADER names a leaderless partition. */
#define CLUSTER_EARLIEST (-2)
#define CLUSTER_LATEST (-1)
bool cluster_offsets(struct cluster *c, const char *topic, int32_t partition_n, int64_t ts_ms, int64_t *ret, struct err *err);
/* CLUSTER_EARLIEST and CLUSTER_LATEST together, in the time of one request. */
bool cluster_bounds(struct cluster *c, const char *topic, int32_t partition_n, int64_t *ret_low, int64_t *ret_end, struct err *err);
/* High watermark regardless of isolation (to show lso < high). */
bool cluster_high_watermarks(struct cluster *c, const char *topic, int32_t partition_n, int64_t *ret, struct err *err);

struct cluster_setting {
	char *name, *value;                  /* value NULL if sensitive or unset */
	bool is_default, read_only, sensitive;
	char *source;
};
/* Topic configs (topic != NULL) or broker configs (broker id). Caller frees with cluster_settings_free. The embedded broker has none: *ret_n = 0, true. */
bool cluster_configs(struct cluster *c, const char *topic, int32_t broker, struct cluster_setting **ret, size_t *ret_n, struct err *err);
void cluster_settings_free(struct cluster_setting *s, size_t n);

struct cluster_group {
	char *name, *state, *protocol_type, *protocol;
	int32_t member_n;
	int32_t coordinator;
};
bool cluster_groups(struct cluster *c, struct cluster_group **ret, size_t *ret_n, struct err *err);
void cluster_groups_free(struct cluster_group *g, size_t n);

struct cluster_group_offset {
	char *topic;
	int32_t partition;
	int64_t offset;                      /* committed, -1 = none */
	char *metadata;
};
bool cluster_group_offsets(struct cluster *c, const char *group, struct cluster_group_offset **ret, size_t *ret_n, struct err *err);
void cluster_group_offsets_free(struct cluster_group_offset *o, size_t n);

/* Bounded (or endless: end == SCAN_END_NEVER) reader; the recipe and the table of situations in its .c file. The caller destroys it. */
bool reader_open(struct cluster *c, const struct scan_request *request, struct source **ret, struct err *err);

/* Idempotent producer for one topic. The caller destroys it. */
bool writer_open(struct cluster *c, const char *topic, enum partitioner partitioner, struct sink **ret, struct err *err);

/* Librdkafka's version and builtin.features, for --version. Static. */
const char *cluster_library_version(void);

/* Receives one line for the user (open transaction on p3, waiting for brokers 12 s, ...). Called on the owner thread only. */
void cluster_set_notice(struct cluster *c, void (*notice)(void *arg, enum notice_level level, const char *text), void *arg);

#endif
