/* A bounded SELECT with GROUP BY over topics: run by the incremental operator instead of SQLite's sorter. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_GROUPED_H
#define WEIR_SQL_LIVE_GROUPED_H

#include "sql/session_impl.h"

/* *ret_ours false: the statement is left as it is (its shape is not known here, or SET aggregate = sqlite). False: it is wrong in any case. */
bool grouped_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);

/* A statement that runs as a live query: one with EMIT; over what is there one in which late rows do not count (SELECT .. GRACE '10s', tumble(.., grace => '10s'), WINDOW (.. GRACE PERIOD ..)),
 * so that both leave out the same rows; and one with windows that follow rows of a view, a WITH table or a subquery of a topic, with no row late. *ret: where its live clauses begin
 * (the end of the text: there are none); SIZE_MAX = it is none of these. False: wrong in any case. */
bool grouped_live_at(struct session *s, const char *text, size_t len, size_t *ret, struct err *err);

#endif
