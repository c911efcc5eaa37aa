/* A session: one SQLite connection, the attached clusters, the catalogue, and the dialect in front of SQLite. The shell and weir.so stand on
 * this header; it never prints. Thread: one owner; session_cancel() may be called from a signal handler. */
#ifndef WEIR_SQL_SESSION_H
#define WEIR_SQL_SESSION_H

#include "core/buf.h"
#include "core/provider.h"
#include "vtab/sqlite.h"

struct session;
struct query;

struct session_options {
	const char *db_path;                 /* NULL = in memory */
	const char *brokers;                 /* -b; NULL = none */
	const char *properties_file;         /* -F; NULL = none */
	const char *profile;                 /* -P; NULL = "default" if it exists, else WEIR_BROKERS */
	const char *const *settings;         /* -X key=value, NULL-terminated; may be NULL */
	bool safe;                           /* --safe: no load_extension, ATTACH, writefile */
	void (*notice)(void *arg, enum notice_level level, const char *text);
	/* Asked before the first write when writing was switched on by SET (not by --write); false = refuse. NULL = refuse unless allowed by --write. */
	bool (*confirm_write)(void *arg, const char *cluster, const char *topic);
	void *arg;                           /* for the two callbacks */
};

bool session_create(const struct session_options *o, struct session **ret, struct err *err);   /* opens no connection to any broker */
void session_destroy(struct session *s);
sqlite3 *session_db(struct session *s);
struct provider *session_provider(struct session *s);          /* options (from_ms, strict, ...), stats of the running statement, cancel */
void session_cancel(struct session *s, int signal_number);     /* async-signal-safe: sets the flag and interrupts SQLite */
void session_cancel_reset(struct session *s);

/* Takes the first statement of sql (up to and including its ';'). *ret_used = bytes taken; *ret = NULL for blank or comment only.
 * The dialect is applied here: unknown table -> topic, CREATE STREAM, SHOW, PRINT ... The statement has not run yet, except for
 * those without rows of their own kind (ATTACH CLUSTER, SET): query_step runs them. err->sql_offset is relative to sql. */
bool session_prepare(struct session *s, const char *sql, size_t len, size_t *ret_used, struct query **ret, struct err *err);
/* Is `sql` a whole statement (or nothing but blanks)? For the REPL's continuation prompt; knows quotes, comments, CREATE TRIGGER ... END. */
bool session_is_complete(const char *sql, size_t len);

enum query_step {
	QUERY_ROW,
	QUERY_DONE,
	QUERY_FAILED,
	QUERY_IDLE,                          /* a live query has nothing now: write out what you hold, and step again */
	QUERY_FRAME,                         /* with frames on: the rows that follow, up to QUERY_IDLE, are the whole result as it is now */
};
enum query_step query_step(struct query *q, struct err *err);
/* Live queries with EMIT CHANGES over groups: give the state now and then instead of each change, for a screen. False: not such a query. */
bool query_set_frames(struct query *q, bool on, int interval_ms);
/* Between statements: works on the materialized views for at most about budget_ms. Gives the ms after which it wants to be called again; 0 = at once, -1 = it has
 * nothing to do. */
int session_pump(struct session *s, int budget_ms);
struct live_status;
bool query_live_status(struct query *q, struct live_status *ret);    /* sql/live/live.h; false: not a live query */
/* All that a live query's topics hold now, and whether it has given out what follows from it; quiet: steps have been idle for a while, so what is still missing are
 * control records, which nobody is shown. The target is freed by live_target_destroy. NULL: not a live query, or the brokers do not say. */
struct live_target;
struct live_target *query_target_now(struct query *q, struct err *err);
bool query_reached(struct query *q, const struct live_target *t, bool quiet);
sqlite3_stmt *query_stmt(struct query *q);                     /* columns and values of the current row; NULL if it never has rows */
const char *query_rewritten(const struct query *q);            /* the SQL that SQLite got; for .rewrite on */
const char *query_table(const struct query *q);                /* a name for INSERT mode and the like: the first FROM table or "table" */
void query_destroy(struct query *q);                           /* accepts NULL; mid-way too */

/* Variables -v name=value and \set: :name as a value is bound, :'name' and :"name" are replaced as literals. NULL value unsets. */
void session_set_variable(struct session *s, const char *name, const char *value);
const char *session_get_variable(struct session *s, const char *name);
/* All variables: calls each(arg, name, value). */
void session_each_variable(struct session *s, void (*each)(void *arg, const char *name, const char *value), void *arg);

bool session_attach_cluster(struct session *s, const char *name, const char *brokers_or_profile, struct err *err);
bool session_use_cluster(struct session *s, const char *name, struct err *err);
const char *session_cluster(struct session *s);                /* shown name of the current cluster, "" if none */

/* name [(columns)] AS SELECT .. of a view as the user wrote it, where weir had to rewrite it for SQLite (windows); NULL = the schema has it so. The caller frees. */
char *session_view_definition(struct session *s, const char *name);

/* The columns of a topic: of a stream registered for it, else inferred (and then registered under the topic's name). cluster NULL = current.
 * The caller destroys *ret. */
bool session_stream(struct session *s, const char *cluster, const char *topic, struct stream **ret, struct err *err);

/* Completion: names (topics, tables, columns, functions, keywords, JSON paths seen) that start with prefix in the given context
 * (the statement's text up to the cursor). Calls add() for each; waits for no broker longer than 300 ms. */
void session_complete(struct session *s, const char *before_cursor, const char *prefix, void (*add)(void *arg, const char *name, const char *note), void *arg);

#endif
