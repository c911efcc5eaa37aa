/* What weir keeps in the user's database file beside SQLite's own schema: attached clusters, the views over topics and materialized views, in table weir_catalog.
 * Streams need nothing here: they are virtual tables in sqlite_schema. The file may come from anyone: see persist.c. */
#ifndef WEIR_SQL_PERSIST_H
#define WEIR_SQL_PERSIST_H

#include "sql/session_impl.h"

bool persist_load(struct session *s, struct err *err);
/* These do nothing (and return true) when no file was named. brokers or profile may be NULL; sql is the CREATE TEMP VIEW statement. */
bool persist_cluster(struct session *s, const char *name, const char *brokers, const char *profile, struct err *err);
/* written: its SELECT as the user wrote it, NULL = as in sql. */
bool persist_view(struct session *s, const char *name, const char *sql, const char *written, struct err *err);
bool persist_matview(struct session *s, const char *name, const char *select, struct err *err);
bool persist_forget(struct session *s, const char *kind, const char *name, struct err *err);

#endif
