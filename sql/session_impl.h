/* What the files of sql/ share about a session. Nobody outside sql/ includes this. Thread: the session's owner. */
#ifndef WEIR_SQL_SESSION_IMPL_H
#define WEIR_SQL_SESSION_IMPL_H

#include "core/schema.h"
#include "sql/catalog.h"
#include "sql/session.h"
#include "sql/parse.h"
#include "sql/split.h"
#include "vtab/vtab.h"

struct variable {
	char *name, *value;
};

struct session {
	sqlite3 *db;
	struct catalog *catalog;
	bool persistent;                     /* a database file was named: the catalogue is kept in it */
	bool safe;
	struct variable *variables;
	size_t variable_n;
	char **auto_streams;                 /* temp tables that resolve.c registered by itself; a name may be stale */
	size_t auto_stream_n;
	struct pending *pending;             /* pending.c: declared streams that SQLite does not know yet */
	size_t pending_cap, pending_used, pending_n;
	struct window_table *window_tables;  /* window_table.c: of running statements */
	struct row_store *row_stores;        /* live/row_store.c: of running statements */
	struct matview *matviews;            /* live/matview.c */
	int matview_n;                       /* last id given */
	struct shared_reader *shared_readers; /* live/shared_source.c: of the views */
	struct group_tables *groups;         /* live/group_table.c: of statements that group */
	int feed_n;                          /* live/: last number of a feed table */
	struct view_text *view_texts;        /* view.c */
	size_t view_text_n;
};

/* One statement after the dialect: SQL for SQLite, or an action of ours, or an action and then SQL for its rows. */
struct statement {
	struct buf sql;                      /* for SQLite; empty = no rows */
	bool rewritten;                      /* sql differs from what the user wrote: SQLite's error offsets mean nothing to them */
	bool resolve;                        /* unknown tables are looked up as topics */
	bool (*run)(struct session *s, struct statement *st, struct err *err);   /* NULL = none. Runs at the first step */
	void *data;                          /* of run */
	void (*free_data)(void *data);
	struct time_joins *joins;            /* live/time_join.c: made for this statement */
	struct window_tables *windows;       /* window_rewrite.c: made for this statement */
	char *table;                         /* for query_table; may be NULL */
	char *written;                       /* the text before windows and joins in it were rewritten; NULL = nothing was */
};
void statement_finish(struct statement *st);

/* dialect.c. False: error. *ret_ours false: a statement for SQLite, st untouched. text is one statement, [0, len) without its ';'. */
bool dialect_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);

/* Statements that deal with an EMIT in them by themselves. */
bool dialect_takes_emit(const char *text, size_t len);
/* Statements that want the windows in them as they were written: EXPLAIN (but not EXPLAIN SCAN), CREATE MATERIALIZED VIEW, SUBSCRIBE. */
bool dialect_reads_windows(const char *text, size_t len);

/* resolve.c: prepares, looking unknown tables up as topics. Replaces st->sql where cluster-qualified names had to be rewritten. */
bool resolve_prepare(struct session *s, struct statement *st, sqlite3_stmt **ret, size_t *ret_used, struct err *err);
/* Makes sure that `name` (a table, a view, a registered stream or a topic; cluster may be NULL) can be named in SQL as *ret_name. Caller frees. */
bool resolve_stream(struct session *s, const char *cluster, const char *name, char **ret_name, struct err *err);
/* view.c: the SELECT of a view as the user wrote it, where windows or joins in it were rewritten; NULL = as in the schema. Borrowed until the next statement. */
const char *view_written(struct session *s, const char *name);
/* Views with joins by time become subqueries of the statement that reads them: the joins' stores live as long as a statement. True: the text was replaced. */
bool view_expand_joins(struct session *s, struct buf *text);
void view_keep_written(struct session *s, const char *name, const char *select);
void view_texts_finish(struct session *s);

void resolve_forget_auto(struct session *s);                         /* drops every table that was registered by itself (USE) */
bool resolve_drop_auto(struct session *s, const char *name);         /* drops one if it is one; true if it was */
bool resolve_table_exists(struct session *s, const char *name);      /* a table or view of any schema */

/* Reads the stream behind a registered kafka table back from the schema. False without err if `name` is not one (*ret NULL). */
bool stream_lookup(struct session *s, const char *name, struct stream **ret, char **ret_schema, struct err *err);

/* The stream of a CREATE VIRTUAL TABLE .. USING kafka(..) statement. *ret stays untouched (and true returned) if it is something else. */
bool stream_from_sql(const char *name, const char *sql, struct stream **ret, struct err *err);

/* Turns SQLite's error on s->db into err: the full error of our own code if it was behind it. base = offset of the SQL in the user's text, -1 = rewritten. */
bool session_sqlite_error(struct session *s, int rc, int64_t base, struct err *err);
bool session_exec(struct session *s, const char *sql, struct err *err);
/* variables.c */
bool variables_substitute(struct session *s, const char *text, size_t len, struct buf *to, struct err *err);
bool variables_bind(struct session *s, sqlite3_stmt *stmt, struct err *err);
void variables_finish(struct session *s);

#endif
