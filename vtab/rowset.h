/* A read-only eponymous table whose rows a callback makes: weir_topics, weir_groups, weir_errors ... Rows are made at xFilter and kept for
 * that cursor. An equality on the table's filter column (e.g. topic, group, cluster) is handed to the callback so that it can ask the broker
 * for one thing instead of all. Thread: the connection's. */
#ifndef WEIR_VTAB_ROWSET_H
#define WEIR_VTAB_ROWSET_H

#include "core/err.h"
#include "core/field.h"
#include "vtab/sqlite.h"

struct rowset;                           /* rows being filled */

void rowset_row(struct rowset *r);       /* starts a row; columns not set are NULL */
void rowset_int(struct rowset *r, int column, int64_t v);
void rowset_real(struct rowset *r, int column, double v);
void rowset_text(struct rowset *r, int column, const char *text);            /* copied; NULL = NULL */
void rowset_bytes(struct rowset *r, int column, const void *data, size_t len, bool is_text);

struct rowset_def {
	const char *name;                    /* weir_topics */
	const char *columns;                 /* "topic TEXT, partitions INTEGER, ..." with SQL types; HIDDEN allowed */
	int filter_column;                   /* handed to fill() when the query has `column = text`; -1 = none */
	int filter_column_2;
	/* False sets err. filter NULL = no equality given. */
	bool (*fill)(void *ctx, const char *filter, const char *filter_2, struct rowset *to, struct err *err);
	const char *help;                    /* one line: what it shows */
};

/* def and ctx are borrowed until the database closes. last_error (may be NULL) receives the full error of a failed fill. */
bool rowset_register(sqlite3 *db, const struct rowset_def *def, void *ctx, struct err *last_error, struct err *err);

#endif
