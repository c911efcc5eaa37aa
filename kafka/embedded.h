/* The embedded broker: librdkafka's mock cluster in this process, real TCP on loopback. For `weir demo` and the tests.
 * Limits of 2.0.2: no ListOffsets by time, no transactions, no compaction, 5 MiB and 100,000 batches a partition (older data vanishes silently,
 * so embedded_* callers count what is kept). Thread: create and destroy on one thread; the bootstrap string may be used anywhere. */
#ifndef WEIR_KAFKA_EMBEDDED_H
#define WEIR_KAFKA_EMBEDDED_H

#include "core/err.h"
#include "core/sink.h"
#include "core/hash.h"

struct embedded;

struct embedded *embedded_create(int broker_n, struct err *err);
void embedded_destroy(struct embedded *e);
const char *embedded_bootstrap(const struct embedded *e);       /* 127.0.0.1:port[,..]; borrowed */
bool embedded_create_topic(struct embedded *e, const char *topic, int partition_n, struct err *err);
/* A writer tuned to put many messages into few batches (the mock keeps 100,000 batches a partition). Caller destroys. */
bool embedded_open_sink(struct embedded *e, const char *topic, enum partitioner partitioner, struct sink **ret, struct err *err);
/* The same with librdkafka producer settings of one's own: key, value pairs, NULL-terminated (compression.codec, linger.ms ...). */
bool embedded_open_sink_with(struct embedded *e, const char *topic, enum partitioner partitioner, const char *const *settings, struct sink **ret, struct err *err);
bool embedded_set_broker_up(struct embedded *e, int broker_id, bool up, struct err *err);       /* ids from 1 */
bool embedded_set_rtt_ms(struct embedded *e, int broker_id, int rtt_ms, struct err *err);
bool embedded_set_leader(struct embedded *e, const char *topic, int partition, int broker_id, struct err *err);     /* -1 = none */
/* The next count requests with this Kafka API key (1 Fetch, 2 ListOffsets, 3 Metadata ...) fail with the Kafka error code. */
bool embedded_fail_requests(struct embedded *e, int api_key, int code, int count, struct err *err);
void embedded_clear_failures(struct embedded *e, int api_key);        /* what is left of them */

#endif
