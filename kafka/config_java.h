/* Inside kafka/ only: what Java's client properties mean in librdkafka's. Thread: any, config is only read. */
#ifndef WEIR_KAFKA_CONFIG_JAVA_H
#define WEIR_KAFKA_CONFIG_JAVA_H

#include "kafka/config.h"

/* Called for each translated setting. False stops with err set. */
typedef bool (*config_java_fn)(void *arg, const char *key, const char *value, struct err *err);

/* sasl.jaas.config, ssl.truststore.*, ssl.keystore.*, ssl.endpoint.identification.algorithm, request.timeout.ms and the like. A setting that
 * is also there under librdkafka's own name is left to that name. ERR_CONFIG for what cannot be translated (JKS stores). */
bool config_java_translate(const struct kafka_config *c, config_java_fn put, void *arg, struct err *err);

#endif
