/* The weir_* tables: clusters, topics, partitions, groups, offsets, configs, brokers, errors, stats, functions, settings, streams.
 * Each is a rowset (vtab/rowset.h) made when it is read. Thread: the connection's. */
#ifndef WEIR_SQL_METADATA_H
#define WEIR_SQL_METADATA_H

#include "sql/catalog.h"
#include "vtab/sqlite.h"

/* catalog is borrowed until the database closes. */
bool metadata_register(sqlite3 *db, struct catalog *catalog, struct err *err);

#endif
