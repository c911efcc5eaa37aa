/* Joins by time.
 *
 *   a ASOF [LEFT] JOIN b ON a.k = b.k AND b.ts <= a.ts [TOLERANCE '5s']      the latest row of b that is not after a's; < for strictly before
 *   a [LEFT] JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k = b.k                  of a changelog table: the value that was valid then; else as ASOF
 *   a [LEFT | RIGHT | FULL] JOIN b WITHIN '1h' ON a.k = b.k                  event times at most that far apart; WITHIN ('1h', '5m'): before, after
 *
 * In bounded statements they become plain joins over row stores (row_store.h) and tables of versions (vtab/follow.h). Live, ASOF and FOR SYSTEM_TIME are the
 * same with tables that follow their topic; WITHIN is live_join.h. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_TIME_JOIN_H
#define WEIR_SQL_LIVE_TIME_JOIN_H

#include "sql/live/from.h"
#include "sql/live/row_store.h"

struct time_joins;                           /* what was made for one statement; NULL = nothing */

/* Does the text have such a join? */
bool time_joins_in(const char *text, size_t len);
/* *io_text is replaced if it holds such joins. live: stores that follow (time_joins_poll); WITHIN is left alone. */
bool time_joins_rewrite(struct session *s, struct buf *io_text, bool live, bool *ret_changed, struct time_joins **ret, struct err *err);
/* Brings what follows up to now. */
bool time_joins_poll(struct time_joins *j, struct err *err);
void time_joins_free(struct time_joins *j);

/* ---- for live_join.c ---- */

/* The conjuncts of ON: columns of the item (by name) that must equal something, and the comparison of its time. Owned by the struct. */
struct join_on {
	char **keys;
	size_t key_n;
	char *rest;                          /* ON without the comparison of times; "" = none */
	char *time_column;                   /* b.ts of b.ts <= expr; NULL = there is none */
	char *time_other;                    /* expr */
	bool strict;
};
bool join_on_read(const char *text, const struct select *sel, size_t item, const struct stream *stream, bool want_time, struct join_on *ret, struct err *err);
void join_on_finish(struct join_on *on);
/* Adds other.k = item.k for USING, else ON's text. */
void join_on_text(const char *text, const struct select *sel, size_t item, struct buf *to);
const char *from_item_alias(const struct from_item *f);

struct within {
	int64_t before_ms, after_ms;         /* b's time is in [a's - before, a's + after] */
	int64_t grace_ms;                    /* -1 = not given */
};
bool within_read(const char *text, const struct from_item *f, struct within *ret, struct err *err);
/* Event time of a stream behind an alias, as SQL. */
void event_time_sql(const struct stream *s, const char *alias, struct buf *to);

#endif
