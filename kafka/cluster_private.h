/* Inside kafka/ only: what cluster.c, admin.c, reader.c and writer.c share. */
#ifndef WEIR_KAFKA_CLUSTER_PRIVATE_H
#define WEIR_KAFKA_CLUSTER_PRIVATE_H

#include "kafka/client.h"
#include "kafka/cluster.h"

enum { CLUSTER_SPARE_MAX = 3 };

struct cluster {
	char *name;
	struct kafka_config *config;
	struct cancel *cancel;               /* borrowed */
	struct client *client;               /* NULL until first used: metadata, offsets, admin; also lent to one reader at a time */
	bool client_lent;
	struct client *spare[CLUSTER_SPARE_MAX]; /* further read clients, kept warm for the next scan */
	int spare_n;
	struct client *uncommitted;          /* isolation.level=read_uncommitted, for high watermarks; NULL until asked for */
	int64_t request_timeout_ms;          /* weir.request.timeout.ms */
	int64_t metadata_age_ms;             /* weir.metadata.max.age.ms */
	int64_t stall_timeout_ms;            /* weir.timeout.ms: a scan without progress while no broker can be reached */
	bool skip_bad_batch;                 /* weir.skip.bad.batch */
	bool embedded;                       /* known once cluster_id_text is set */
	char *cluster_id_text;
	struct cluster_meta *meta;           /* whole cluster; NULL = not fetched */
	struct cluster_meta **single;        /* one topic each */
	size_t single_n;
	int64_t away_notice_mono_ms;         /* live readers on brokers that do not answer: when one last spoke for all, 0 = never */
	bool away_told;                      /* .. and nobody has said yet that they answer again */
	int64_t request_n;
	int64_t rtt_us;                      /* the shortest that an offsets request took, 0 = none yet: the way to the brokers and back, or little more */
	void (*notice)(void *arg, enum notice_level level, const char *text);
	void *notice_arg;
};

bool cluster_client(struct cluster *c, struct client **ret, struct err *err);      /* borrowed; created if needed */
struct client *cluster_lend(struct cluster *c, enum client_kind kind, struct err *err);       /* a read client of one's own: give it back with cluster_return */
void cluster_return(struct cluster *c, struct client *client, bool healthy);
void cluster_forget_metadata(struct cluster *c);
/* Makes the client know the topic's leaders. */
bool cluster_introduce(struct cluster *c, struct client *client, struct cancel *cancel, const char *topic, struct err *err);
void cluster_notify(struct cluster *c, enum notice_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Offsets of some partitions. ret[i] = offset, or a negative offset with ret_code[i] set. On `client`; waits as client_call does. */
bool cluster_offsets_of(struct cluster *c, struct client *client, struct cancel *cancel, const char *topic, const int32_t *partitions, size_t partition_n,
	int64_t ts_ms, int64_t *ret, struct err *err);

/* One partition, without waiting: the answer is there when call_wait says so, until call_release. False: an error. */
struct offsets_call;
struct call *offsets_call_start(struct cluster *c, struct client *client, const char *topic, int32_t partition, int64_t ts_ms, struct offsets_call **ret_state);
bool offsets_call_answer(const struct offsets_call *o, int64_t *ret);

/* For a call of one's own: metadata of one topic (or all). */
struct metadata_call {
	char *topic;                         /* NULL = all */
	int timeout_ms;
	rd_kafka_resp_err_t code;
	const struct rd_kafka_metadata *md;
	bool all;                            /* md covers all topics */
};
void metadata_call_run(rd_kafka_t *rk, void *state);
void metadata_call_drop(void *state);

bool topic_name_legal(const char *name);

#endif
