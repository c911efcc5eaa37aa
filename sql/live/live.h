/* A live query: SELECT .. EMIT. One of three strategies runs it:
 *   stateless    filter, projection, join with tables: each row of the input is a row of the output
 *   incremental  GROUP BY and aggregates with partial states (group.h): groups are given out when their window closes (FINAL), when they change
 *                (CHANGES), or at intervals (EVERY)
 *   pane         anything else over a window: the rows of each window are kept, and the user's SELECT runs over them when it closes
 * Input comes in chunks: batches are polled from the sources, pushed into feed tables, and a prepared statement is stepped over them. So everything
 * runs on one thread, the session's, and results do not depend on how rows were cut into chunks. */
#ifndef WEIR_SQL_LIVE_LIVE_H
#define WEIR_SQL_LIVE_LIVE_H

#include "sql/live/emit.h"
#include "sql/session_impl.h"

enum live_strategy { LIVE_STATELESS, LIVE_INCREMENTAL, LIVE_PANE };

enum live_step {
	LIVE_ROW,                            /* live_stmt stands on a row */
	LIVE_IDLE,                           /* nothing now */
	LIVE_FRAME,                          /* with frames on: the rows that follow, up to LIVE_IDLE, are all there is now */
	LIVE_END,
	LIVE_FAILED,
};

struct live;

/* text: one statement; emit_at: where its EMIT (or a lone GRACE) begins. */
bool live_create(struct session *s, const char *text, size_t len, size_t emit_at, struct live **ret, struct err *err);
/* For a materialized view: from the beginning, changes by default; the groups of an incremental one are read through their table and never given out. */
bool live_create_view(struct session *s, const char *text, size_t len, size_t emit_at, struct live **ret, struct err *err);
void live_destroy(struct live *l);
/* Opens the sources: the first step does it too. */
bool live_open(struct live *l, struct err *err);
/* Runs until there is something to tell, at most about wait_ms if nothing comes. */
enum live_step live_step(struct live *l, int wait_ms, struct err *err);
sqlite3_stmt *live_stmt(struct live *l);                             /* result columns; never NULL */
/* For a screen that shows the state and not its changes: incremental queries with EMIT CHANGES only; false for others. */
bool live_set_frames(struct live *l, bool on, int interval_ms);
const char *live_sql(const struct live *l);                          /* what SQLite runs, for .rewrite */

struct live_status {
	enum live_strategy strategy;
	const char *why;                     /* why this strategy */
	const char *state;                   /* what it holds */
	struct emit emit;                    /* borrowed */
	int64_t row_in_n, row_out_n, late_n, skewed_n, failed_n;
	int64_t state_bytes, group_n, window_n, waiting_n;
	int64_t watermark_ms;                /* TIME_NONE = not known, or there is none */
	bool by_idle;
	char holder[80];                     /* "topic partition 3", or "" */
	int64_t lag_n;                       /* messages not yet read; -1 = not known */
	bool ended, windowed;
	const char *event_time;
	int64_t idle_ms;                     /* INT64_MAX = never */
};
void live_status(struct live *l, struct live_status *ret);

/* The ends of its topics as they are now, and whether all up to there was read; settled: or cannot be read now (markers, open
 * transactions), which is certain only after some silence. NULL: the broker could not be asked. */
struct live_target;
struct live_target *live_target_now(struct live *l, struct err *err);
bool live_reached(struct live *l, const struct live_target *t, bool settled);
void live_target_destroy(struct live_target *t);

#endif
