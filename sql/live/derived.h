/* A table in FROM that is derived from one topic by choosing rows and computing columns: a subquery, a WITH table or a view. A live query reads it over the
 * topic's feed, row by row, as it reads the topic itself:
 *
 *     CREATE VIEW hot AS SELECT line, value AS v, _ts FROM "plant.sensors" WHERE value > 80
 *     SELECT line, v FROM hot EMIT CHANGES        reads  (SELECT line, value AS v, _ts FROM <feed> AS "plant.sensors" WHERE value > 80) AS hot
 *
 * Thread: the session's. */
#ifndef WEIR_SQL_LIVE_DERIVED_H
#define WEIR_SQL_LIVE_DERIVED_H

#include "sql/live/from.h"

struct derived;

/* table: what the item of FROM names (inside of a window's call). *ret NULL: nothing derived from a topic. False: it is, but cannot be read row by row
 * (the error says why). */
bool derived_find(struct session *s, const char *text, const struct select *sel, struct span table, struct derived **ret, struct err *err);
/* Why the SELECT cannot be run row by row; NULL = it can. */
const char *derived_obstacle(const char *text, const struct select *sel);
void derived_free(struct derived *d);                                /* NULL is fine */

/* The topic at the bottom. The caller may take d's stream. */
struct from_stream *derived_stream(struct derived *d);
/* Changelog tables that it joins, to be followed. */
const char *derived_follow(const struct derived *d, size_t i);       /* NULL behind the last */
enum derived_time {
	DERIVED_NO_TIME,                     /* no column _ts */
	DERIVED_RECORD_TIME,                 /* _ts is the record's */
	DERIVED_OWN_TIME,                    /* _ts is computed */
};
enum derived_time derived_time(const struct derived *d);
bool derived_no_time(struct err *err);                               /* the error for a window over one without; always false */
/* Appends it in parentheses over the given table. places: with the columns _partition, _offset and _index of the records in front. */
void derived_sql(const struct derived *d, const char *feed, bool places, struct buf *to);

#endif
