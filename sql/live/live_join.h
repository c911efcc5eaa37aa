/* a JOIN b WITHIN '1h' ON ..: a live join of two topics. Each side's rows are kept (row_store.h) as long as a partner may come. A chunk with new rows of both
 * sides gives each pair once, in these phases, each a statement with the columns of the result:
 *
 *   1  new rows of a  with  all kept rows of b (b's new ones were just added)
 *   2  kept rows of a, without the new ones  with  new rows of b; then a's new rows are added
 *   3  LEFT, FULL: rows of a that no partner can come for any more and that had none
 *   4  RIGHT, FULL: the same for b
 *
 * Under an aggregate the phases are inputs, else outputs. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_LIVE_JOIN_H
#define WEIR_SQL_LIVE_LIVE_JOIN_H

#include "sql/live/live_impl.h"
#include "sql/live/time_join.h"

enum { JOIN_PHASES = 4 };

struct live_join;

/* l->streams[0] and [1] are a and b. sql_of makes the text of one phase's statement out of its FROM clause and extra condition. */
bool live_join_plan(struct live *l, const struct select *sel, struct err *err);
void live_join_destroy(struct live_join *j);
/* FROM and WHERE of a phase: from = "x AS a JOIN y AS b ON .."; where = the extra condition, "" = none. NULL: the join has no such phase. */
const char *live_join_from(const struct live_join *j, int phase);
const char *live_join_where(const struct live_join *j, int phase);
sqlite3_stmt *live_join_first(const struct live_join *j);              /* any phase's: all have the same columns */
int64_t live_join_grace(const struct live_join *j);                  /* of WITHIN .. GRACE PERIOD; 0 = none was given */
/* No result to come has a row with an event time before this: the watermark, less what WITHIN lets partners lie apart. TIME_NONE, WATERMARK_END as there. */
int64_t live_join_watermark(const struct live_join *j);
void live_join_set(struct live_join *j, int phase, sqlite3_stmt *stmt);          /* owned from now on */

/* A chunk is loaded: gives the statements to step, one after the other; each must be stepped to its end and reset before the next call. NULL: the chunk is done. */
bool live_join_next(struct live *l, sqlite3_stmt **ret, struct err *err);
int64_t live_join_bytes(const struct live_join *j);
size_t live_join_row_n(const struct live_join *j);

#endif
