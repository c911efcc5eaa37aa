/* SELECT columns FROM v WHERE .. EMIT .. over a view, WITH table or subquery with aggregates or windows: the query that is kept up to date is v's own, and the
 * rest is asked of each of its rows:
 *
 *     CREATE VIEW loads AS SELECT window_start, line, avg(value) AS v FROM tumble(plant, size => '1m') GROUP BY 1, 2
 *     SELECT line, v FROM loads WHERE v > 80 EMIT FINAL     keeps loads' SELECT, and gives  SELECT line, v FROM (<its output>) AS loads WHERE v > 80
 *
 * Thread: the session's. */
#ifndef WEIR_SQL_LIVE_OUTER_H
#define WEIR_SQL_LIVE_OUTER_H

#include "sql/session_impl.h"

struct outer {
	struct buf before, after;            /* of the output's SQL; both empty: there is nothing around it */
	char **tables;                       /* changelog tables that it joins, to be followed */
	size_t table_n;
};

/* Replaces the statement in text (up to *io_emit_at; EMIT follows) by the SELECT inside, as often as that can be done. */
bool outer_unfold(struct session *s, struct buf *text, size_t *io_emit_at, struct outer *o, struct err *err);
/* Puts it around an output. */
void outer_wrap(const struct outer *o, struct buf *sql);
void outer_finish(struct outer *o);

#endif
