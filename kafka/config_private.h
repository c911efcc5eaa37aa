/* Inside kafka/ only: the inside of a kafka_config, shared by config.c, config_file.c and config_apply.c. */
#ifndef WEIR_KAFKA_CONFIG_PRIVATE_H
#define WEIR_KAFKA_CONFIG_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

struct config_entry {
	char *key;                           /* as written, but for librdkafka's aliases */
	char *value;
};

struct kafka_config {
	struct config_entry *entries;        /* in the order first set; no key twice */
	size_t n;
};

void kafka_config_replace(struct kafka_config *c, struct kafka_config *with);    /* swaps their contents */
bool config_key_is_secret(const char *key);
bool config_key_is_java(const char *key);    /* not given to librdkafka as it is: translated in config_apply.c, or ignored */

#endif
