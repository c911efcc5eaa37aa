/* Inside kafka/ only: a kafka_config becomes a librdkafka configuration. Order: weir's defaults, the user's settings, `settings`
 * (key, value pairs, NULL-terminated; may be NULL), then what correctness needs and nobody may change. Thread: any, config is only read. */
#ifndef WEIR_KAFKA_CONFIG_APPLY_H
#define WEIR_KAFKA_CONFIG_APPLY_H

#include <librdkafka/rdkafka.h>
#include "kafka/config.h"

enum client_kind {
	CLIENT_READ_SMALL,                   /* consumer without a group, small fetches: metadata, point reads and the start of every scan */
	CLIENT_READ,                         /* the same with fetches sized for a long scan */
	CLIENT_READ_LIVE,                    /* the same, parked at the end until a message comes */
	CLIENT_WRITE,                        /* idempotent producer */
};

bool kafka_config_apply(const struct kafka_config *c, enum client_kind kind, const char *const *settings, rd_kafka_conf_t *conf, struct err *err);

#endif
