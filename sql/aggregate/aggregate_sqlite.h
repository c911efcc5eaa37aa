/* The aggregates as SQL functions, for SQLite's own GROUP BY: rows stand in the order in which they come. */
#ifndef WEIR_SQL_AGGREGATE_SQLITE_H
#define WEIR_SQL_AGGREGATE_SQLITE_H

#include "sql/aggregate/aggregate.h"
#include "vtab/sqlite.h"

bool aggregates_register(sqlite3 *db, struct err *err);

#endif
