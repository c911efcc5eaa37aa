/* a JOIN b WITHIN '1h' ON .. JOIN c WITHIN '5m' ON ..: a live join of topics, each within a bound of time of the one before it. The rows of each are kept
 * (row_store.h) as long as a partner may come. A chunk gives each combination with a new row once, in these phases, each a statement with the columns of the result:
 *
 *   new rows of a topic  with  what the others keep; then they are kept, too. From the last topic to the first
 *   LEFT, RIGHT, FULL: rows that no partner can come for any more and that had none
 *
 * Tables stand where the user put them and are looked up for each combination. Under an aggregate the phases are inputs, else outputs. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_LIVE_JOIN_H
#define WEIR_SQL_LIVE_LIVE_JOIN_H

#include "sql/live/live_impl.h"
#include "sql/live/time_join.h"

enum { JOIN_STREAMS_MAX = 8, JOIN_PHASES = 2 * JOIN_STREAMS_MAX };      /* new rows of each topic, then lone rows of each */

struct live_join;

/* l->streams are the topics, in the order of FROM. */
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
