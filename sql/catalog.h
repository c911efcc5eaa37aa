/* The attached clusters of one session (or of one connection of the loadable extension), and the provider that vtab/ reads through.
 * A cluster is a name, its client settings and, once it is needed, a handle: attaching opens no connection. Where settings come from decides
 * what they may hold: the command line and the user's own profiles everything, SQL only broker addresses and a profile's name, a
 * database file a profile's name or bare addresses without any credentials.
 * Thread: the connection's; cancel may be set from a signal handler. */
#ifndef WEIR_SQL_CATALOG_H
#define WEIR_SQL_CATALOG_H

#include "core/provider.h"
#include "kafka/cluster.h"

struct attached {
	char *name;                          /* in SQL and in cluster = '..' */
	char *shown;                         /* in messages: the name, or the addresses of an unnamed -b */
	char *profile;                       /* NULL = none */
	char *brokers;                       /* given inline, NULL = from the profile */
	struct kafka_config *config;
	struct cluster *cluster;             /* NULL until first used */
	bool startup;                        /* from the command line or the environment */
	bool from_file;                      /* read back from weir_catalog of the database file */
	bool announced;                      /* the notice for a from_file cluster was given */
};

struct catalog_options {
	const char *brokers;                 /* see struct session_options */
	const char *properties_file;
	const char *profile;
	const char *const *settings;
	void (*notice)(void *arg, enum notice_level level, const char *text);
	bool (*confirm_write)(void *arg, const char *cluster, const char *topic);
	void *arg;
};

struct bad_row {                         /* a row of weir_errors */
	char *cluster, *topic, *stage, *text;
	int32_t partition;
	int64_t offset, ts_ms;
	int64_t query_n;                     /* which statement of the session */
	uint8_t sample[256];
	size_t sample_n;
};
enum { CATALOG_BAD_ROWS = 10000 };       /* the ring's size: about 6 MB at worst */

struct topic_config {                    /* cached answer of cluster_configs */
	char *cluster, *topic;
	enum ts_type ts_type;
	bool compacted;
	int64_t mono_ms;
};

struct known_bounds {                    /* asked while a statement was prepared, good for its start too */
	char *cluster, *topic;
	int32_t partition_n;
	struct partition_bounds *bounds;
};

struct catalog {
	struct provider provider;            /* first: a struct provider * of this implementation is a struct catalog * */
	struct cancel cancel;
	struct attached **clusters;
	size_t cluster_n;
	struct attached *current;            /* NULL = none */
	char *config_path;                   /* the file of profiles; NULL = none */
	void (*notice)(void *arg, enum notice_level level, const char *text);
	bool (*confirm_write)(void *arg, const char *cluster, const char *topic);
	void *arg;
	bool safe;
	bool sqlite_aggregates;              /* SET aggregate = sqlite: GROUP BY is SQLite's own */
	bool write_by_set;                   /* write_allowed came from SET: ask once per topic */
	char **confirmed;                    /* "cluster\ntopic" already agreed to */
	size_t confirmed_n;
	struct bad_row *bad;                 /* ring of CATALOG_BAD_ROWS, allocated with the first row */
	size_t bad_n, bad_next;
	int64_t bad_total;
	int64_t statement_n;
	int64_t now_ms;                      /* ts('now') of the running statement: one instant; 0 = not in a statement */
	struct scan_stats last_stats;        /* of the last statement that opened a topic: weir_stats */
	struct sqlite3 *db;                  /* borrowed; set by metadata_register */
	struct topic_config *topic_configs;
	size_t topic_config_n;
	bool preparing;                      /* between catalog_prepare_begin and catalog_statement_begin: topic_bounds keeps what it learns */
	struct known_bounds *known_bounds;
	size_t known_bounds_n;
};

/* False: bad configuration. No connection is opened, no file but the profiles' one is read. */
bool catalog_create(const struct catalog_options *o, struct catalog **ret, struct err *err);
void catalog_destroy(struct catalog *c);
void catalog_impl_init(struct provider *p);                          /* provider.c */

/* NULL name = current. Looks at attached clusters, then at profiles (attaching the profile under its name). ERR_NO_CLUSTER, ERR_CLUSTER_UNKNOWN. */
bool catalog_find(struct catalog *c, const char *name, struct attached **ret, struct err *err);
/* The same, with the handle made. */
bool catalog_cluster(struct catalog *c, const char *name, struct cluster **ret, struct err *err);
bool catalog_knows(struct catalog *c, const char *name);             /* attached, or a profile's name */

struct attach_request {
	const char *name;
	const char *brokers;                 /* NULL = the profile's */
	const char *profile;                 /* NULL = no credentials */
	bool from_file;
	bool replace;
};
bool catalog_attach(struct catalog *c, const struct attach_request *r, struct err *err);
bool catalog_detach(struct catalog *c, const char *name, struct err *err);
bool catalog_use(struct catalog *c, const char *name, struct err *err);
void catalog_notice(struct catalog *c, enum notice_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Names of profiles in the configuration file, one per line. */
void catalog_profiles(struct catalog *c, struct buf *to);
void catalog_clear_bad(struct catalog *c);
/* Starts the preparation of a statement: bounds asked for from now on (by the sampling of a new topic) need not be asked again when it starts. */
void catalog_prepare_begin(struct catalog *c);
/* Starts a statement: clears stats and last_error, counts. */
void catalog_statement_begin(struct catalog *c);

#endif
