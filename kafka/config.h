/* Client settings and where they may come from. A kafka_config is an owned list of librdkafka settings; Java client names
 * (bootstrap.servers, sasl.jaas.config, ssl.truststore.location of type PEM, ...) are translated on the way in.
 * Secrets stay inside: nothing here ever prints a value, and config_describe() redacts. Thread: one. */
#ifndef WEIR_KAFKA_CONFIG_H
#define WEIR_KAFKA_CONFIG_H

#include "core/buf.h"
#include "core/err.h"

struct kafka_config;

enum config_origin {
	CONFIG_FROM_FILE,                    /* the user's own profile or properties file: everything but plugin.library.paths and other code loaders */
	CONFIG_FROM_ARGV,                    /* -X: harmless ones; a secret is refused (it would show in /proc) */
	CONFIG_FROM_SQL,                     /* the allow-list only (about 40 safe names) */
};

struct kafka_config *kafka_config_create(void);
struct kafka_config *kafka_config_copy(const struct kafka_config *c);
void kafka_config_destroy(struct kafka_config *c);      /* wipes secrets */

/* Later calls win. ERR_CONFIG / ERR_FORBIDDEN_SETTING name the key, never the value. Keys beginning with "weir." are kept for config_get. */
bool kafka_config_set(struct kafka_config *c, const char *key, const char *value, enum config_origin origin, struct err *err);
const char *kafka_config_get(const struct kafka_config *c, const char *key);    /* librdkafka name or weir.*; NULL = not set; borrowed */

/* A Java-style client.properties file (no sections). Must not be readable by group or others if it holds a secret (ERR_SECRET_FILE); O_NOFOLLOW. */
bool kafka_config_load_properties(struct kafka_config *c, const char *path, struct err *err);

/* [name] section of an INI file of profiles. ret_found false (and true returned) if the file or section does not exist. */
bool kafka_config_load_profile(struct kafka_config *c, const char *path, const char *profile, bool *ret_found, struct err *err);
/* Section names of an INI file, one per line; nothing if there is no file. */
bool kafka_config_list_profiles(const char *path, struct buf *to, struct err *err);
/* $WEIR_CONFIG, else $XDG_CONFIG_HOME/weir/config, else ~/.config/weir/config. False if none can be formed (no HOME). */
bool kafka_config_default_path(struct buf *to);

void kafka_config_describe(const struct kafka_config *c, struct buf *to);        /* key = value lines, secrets as ******** */

#endif
