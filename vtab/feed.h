/* A feed table: the columns, hidden ones too, and the decoding of a topic's table, but its rows are the records that its owner pushed in.
 * For live queries: poll sources, push the batches of one chunk, step a prepared statement over them, reset it, clear, and again.
 *
 *     feed_table_create(db, "orders_1", stream, &f, &err);           temp."orders_1" can be named in statements from now on
 *     sqlite3_prepare_v2(db, "SELECT .. FROM temp.orders_1 AS orders ..", ..);
 *     for (;;) { feed_table_add(f, batch, 0, batch->record_n); while (sqlite3_step(stmt) == SQLITE_ROW) ..; sqlite3_reset(stmt); feed_table_clear(f); }
 *
 * A scan gives the pieces in the order in which they were added, for as many scans as come until feed_table_clear. The planner never takes an ORDER BY
 * from SQLite here and puts the feed into the outer loop of a join with anything else. What the records must hold is what the statement touches:
 * read them with keys, values and headers (scan_request.need) if in doubt. A tombstone is a row, also of a changelog's topic.
 * A message that does not decode, or was too large, is counted in provider->stats and told to provider->bad_message at its first scan
 * after it was added, not at later ones. The decoder is kept from scan to scan.
 * Owner and thread: the connection's. No statement may stand in the middle of a feed (stepped to a row and not reset) that is cleared, added to
 * or destroyed. Destroy all feeds before the connection closes. Creating and destroying one changes the schema: the connection's other statements
 * prepare themselves anew at their next step. */
#ifndef WEIR_VTAB_FEED_H
#define WEIR_VTAB_FEED_H

#include "core/batch.h"
#include "core/schema.h"
#include "vtab/sqlite.h"

struct feed_table;

/* name must be free in temp. s is copied; its format and columns must be resolved (ERR_OPTION). */
bool feed_table_create(sqlite3 *db, const char *name, const struct stream *s, struct feed_table **ret, struct err *err);
void feed_table_destroy(struct feed_table *f);                   /* drops the table; accepts NULL */
void feed_table_clear(struct feed_table *f);
/* Records [from, to) of a sealed batch; takes a reference until feed_table_clear. */
void feed_table_add(struct feed_table *f, struct batch *b, size_t from, size_t to);
size_t feed_table_record_n(const struct feed_table *f);          /* since feed_table_clear */

/* The row that the last scan gave out: the record's number since feed_table_clear, and the row in it. While a statement stands on a row of its only feed, or on a
 * join with the feed in the outer loop, it is that row's. */
void feed_table_current(const struct feed_table *f, size_t *ret_record, size_t *ret_row);

/* ---- for the cursor ---- */

void feed_table_stand(struct feed_table *f, size_t record, size_t row);

struct feed_place {
	size_t piece, record;                        /* the next one */
	size_t n;                                    /* given out */
};

/* The next record, *ret = NULL behind the last; *ret_batch is borrowed. */
void feed_table_next(const struct feed_table *f, struct feed_place *at, struct batch **ret_batch, const struct record **ret);
/* True for a place (record number of feed_place.n, row in it) behind all those it was asked for since feed_table_clear: report it now. */
bool feed_table_first_time(struct feed_table *f, size_t record, size_t row);

/* xConnect finds its feed by name; NULL = none. */
struct module;
struct feed_table *feed_table_find(const struct module *m, const char *name);
const struct stream *feed_table_stream(const struct feed_table *f);
struct feed_table *feed_table_ref(struct feed_table *f);
void feed_table_unref(struct feed_table *f);

#endif
