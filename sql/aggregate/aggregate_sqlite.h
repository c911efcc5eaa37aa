/* Between SQLite and aggregates: values both ways, and the aggregates as SQL functions for SQLite's own GROUP BY, where rows stand in the order in which they
 * come. Thread: the connection's. */
#ifndef WEIR_SQL_AGGREGATE_SQLITE_H
#define WEIR_SQL_AGGREGATE_SQLITE_H

#include "core/field.h"
#include "sql/aggregate/aggregate.h"
#include "vtab/sqlite.h"

/* Bytes are borrowed from the SQLite value. */
void agg_from_sqlite(sqlite3_value *v, struct agg_value *ret);
void agg_to_sqlite(sqlite3_context *c, const struct agg_value *v);    /* copies */
void agg_result_to_sqlite(sqlite3_context *c, const struct agg_result *r);
/* All columns of the current row; bytes are borrowed until the next step. */
void agg_from_row(sqlite3_stmt *stmt, struct agg_value *ret, int n);

/* The same of fields as a sink gets them. */
void agg_from_fields(const struct field *fields, struct agg_value *ret, int n);

bool aggregates_register(sqlite3 *db, struct err *err);

#endif
