/* Materialized views: live queries that the session keeps up to date by itself, whose result can be read like a table.
 *
 *     CREATE [OR REPLACE] MATERIALIZED VIEW [IF NOT EXISTS] v AS SELECT .. [EMIT ..]      from the beginning of the topic, unless FROM says otherwise
 *     DROP MATERIALIZED VIEW [IF EXISTS] v      REFRESH MATERIALIZED VIEW v      PAUSE v      RESUME v
 *     late(v) in FROM: rows that came too late for their window; absent(v): windows that are over and in which a group has no rows
 *
 * A view over groups is a TEMP VIEW over the operator's groups: nothing is copied, and a key is found in its hash table. Other views collect rows in a temp table.
 * The session's thread does the work: at the prompt while it waits for keys, and whenever a statement names the view, which is then brought up to
 * what the brokers hold at that moment. Never inside a transaction of the user's: it must not undo what was read. */
#ifndef WEIR_SQL_LIVE_MATVIEW_H
#define WEIR_SQL_LIVE_MATVIEW_H

#include "sql/session_impl.h"

struct matview;

/* Handlers of the dialect (sql/dialect.h). matview_create_statement: *ret_ours false if it is no CREATE MATERIALIZED VIEW. */
bool matview_create_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);
bool matview_drop_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);
bool matview_refresh_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);
bool matview_pause_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);     /* PAUSE, RESUME, TERMINATE */

/* A statement is about to be prepared: brings the views it names up to date, and replaces late(v) in it. */
bool matviews_before(struct session *s, struct buf *text, struct err *err);
/* Works on all views for at most about budget_ms. True: there is more to do at once. Failures are kept in the view and told once. */
bool matviews_pump(struct session *s, int budget_ms);
void matviews_finish(struct session *s);
const char *matview_name_at(struct session *s, size_t i);             /* borrowed; NULL behind the last */
const char *matview_select(struct session *s, const char *name);      /* its SELECT with EMIT, borrowed; NULL = there is none */
bool matviews_register(struct session *s, struct err *err);          /* the table weir_queries */
/* A definition read back from the database file: made when it is first named. */
void matview_restore(struct session *s, const char *name, const char *text);

#endif
