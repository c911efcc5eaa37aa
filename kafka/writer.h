/* Inside kafka/ only: the producer behind cluster.h's writer_open and the embedded broker's sinks. */
#ifndef WEIR_KAFKA_WRITER_H
#define WEIR_KAFKA_WRITER_H

#include "core/cancel.h"
#include "core/hash.h"
#include "core/sink.h"
#include "kafka/config.h"

/* cancel is borrowed for the sink's life, may be NULL. settings: extra librdkafka pairs, NULL-terminated, may be NULL. */
bool writer_create(const char *cluster_name, const struct kafka_config *config, struct cancel *cancel, const char *topic, enum partitioner partitioner,
	const char *const *settings, struct sink **ret, struct err *err);

#endif
