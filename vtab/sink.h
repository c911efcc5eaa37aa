/* Rows past SQLite's virtual machine. Of a statement that is no more than SELECT a, b, .. FROM one topic or feed, the scan itself can hand each row over
 * and then tell SQLite that there was none: planning, projection, errors, limits and cancelling stay as they are, a row costs some 150 ns less.
 *
 *     row_sink_next(db, &sink);                     the next scan that begins on this connection is the sink's, if it knows all columns
 *     while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) ..     else the rows come here as ever
 *     row_sink_next(db, NULL);
 *
 * Thread: the connection's. */
#ifndef WEIR_VTAB_SINK_H
#define WEIR_VTAB_SINK_H

#include "core/err.h"
#include "core/field.h"
#include "vtab/sqlite.h"

struct row_sink {
	char **names;                        /* of the columns wanted, hidden ones too */
	int n;
	/* Fields are borrowed until it returns. False with err: the scan fails. It must not step, reset or finalize the statement. */
	bool (*row)(void *arg, const struct field *fields, struct err *err);
	void *arg;
	/* Of the table that was scanned last. */
	const void *table;
	int *columns;
	struct field *fields;
};

/* False: the statement is more than a scan of plain columns. */
bool row_sink_init(struct row_sink *sink, sqlite3_stmt *stmt);
void row_sink_finish(struct row_sink *sink);
void row_sink_next(sqlite3 *db, struct row_sink *sink);

#endif
