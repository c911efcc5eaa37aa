/* Inside of vtab/: what its files share. A `module` belongs to one database connection, a `table` to one declared stream in it, a `cursor`
 * to one running scan. All of it runs on the connection's thread.
 *
 *   args.c     text of CREATE VIRTUAL TABLE  <->  struct stream          module.c   create, connect, destroy, error passing
 *   plan.c     xBestIndex: constraints -> idxNum, idxStr                  filter.c   xFilter: plan and values -> struct scan
 *   cursor.c   rows out of batches                                        columns.c  hidden columns and fields -> SQLite values
 *   scan.c     offset ranges, frozen bounds, time -> offset              order.c    rows in descending or merged offset order
 *   prefilter.c  rejecting messages by their bytes                       changelog.c  last value per key
 *   update.c   INSERT, DELETE, UPDATE                                     path_functions.c  ->, ->>, json_extract on _value
 *   sink.c     rows past SQLite's virtual machine
 *   feed.c     tables whose records are pushed in                        follow.c  changelog tables of live queries */
#ifndef WEIR_VTAB_TABLE_H
#define WEIR_VTAB_TABLE_H

#include "codec/codec.h"
#include "core/buf.h"
#include "core/provider.h"
#include "vtab/held.h"
#include "vtab/sqlite.h"
#include "vtab/vtab.h"

/* Hidden columns come first in the declaration: SQLite tells which columns a query touches by a mask of 64 bits, and its last bit stands
 * for all columns from 63 on. So a query on _ts stays cheap on a table of 200 columns. SELECT * and INSERT without names skip hidden ones. */
enum hidden {
	HIDDEN_TOPIC,
	HIDDEN_PARTITION,
	HIDDEN_OFFSET,
	HIDDEN_TS,
	HIDDEN_TIME,
	HIDDEN_TS_TYPE,
	HIDDEN_KEY,
	HIDDEN_VALUE,
	HIDDEN_HEADERS,
	HIDDEN_SIZE,
	HIDDEN_SCHEMA_ID,
	HIDDEN_ERROR,
	HIDDEN_INDEX,
	HIDDEN_ROWTIME,
	HIDDEN_ROWPARTITION,
	HIDDEN_ROWOFFSET,
	HIDDEN_N,
};
extern const char *const hidden_names[HIDDEN_N];
bool hidden_name_known(const char *name);            /* ASCII case-insensitive */

struct changelog;

/* Bounds of one topic, asked for once and kept for the statement, so that two scans of one statement see the same end. */
struct frozen {
	char *cluster;                       /* NULL = current */
	char *topic;
	struct topic_info info;
	struct partition_bounds *bounds;     /* info.partition_n of them; low and end already narrowed by --from and --until */
	struct frozen *next;
};

/* What was found out about how a topic's keys were partitioned. Kept for the connection. */
struct detected {
	char *cluster;
	char *topic;
	int32_t partition_n;
	enum partitioner partitioner;        /* PARTITIONER_NONE: nothing certain */
	size_t key_n;                        /* distinct keys that agreed */
	struct detected *next;
};

struct module {
	sqlite3 *db;
	struct provider *provider;
	struct scan_plan_list *plans;        /* set while EXPLAIN SCAN collects */
	struct row_sink *sink;               /* takes the rows of the next scan (sink.h) */
	uint64_t statement_n;                /* of the frozen bounds */
	int open_cursor_n;
	uint64_t cursor_id;                  /* last one given */
	struct frozen *frozen;
	struct detected *detected;
	struct table *tables;                /* all connected */
	struct feed_table *feeds;            /* all that have an owner */
	struct follow *follows;              /* changelog topics kept up to date */
	struct cursor *cursors;              /* all open */
	sqlite3 *json_db;                    /* path_functions.c: where SQLite's own functions answer */
	sqlite3_stmt *json_fallback[3];
};

/* A decoder that a closed cursor left to the next one: a feed's statement is reset and stepped for every chunk. */
struct spare_decoder {
	struct decoder *decoder;
	bool *wanted;                        /* as in struct cursor */
	uint64_t id;
	int path_n;
};
enum { SPARE_DECODER_N = 4 };

struct table {
	sqlite3_vtab base;                   /* first, SQLite's */
	struct module *module;
	struct stream *stream;
	struct feed_table *feed;             /* a feed table: where its records are; NULL = a topic */
	struct follow *versions;             /* a table of versions (follow.h): it has the column _as_of behind all others */
	struct spare_decoder spares[SPARE_DECODER_N];   /* of feed and changelog tables */
	struct table *next, **prev;          /* module's list */
	bool multi_row;                      /* a record may give several rows */
	bool key_column_whole;               /* some column is the whole key as text */
	uint64_t order_noticed_statement_n;  /* the notice on ORDER BY _ts was given for this statement (+ 1) */
	int64_t row_estimate;                /* records between the bounds as last seen, -1 = never seen */
	int32_t partition_estimate;
	struct changelog *changelog;         /* of the running statement */
	struct changelog *changelog_part;    /* of the statement's first look-up: some keys only */
	struct held held;                    /* of the last closed cursor of this statement: a correlated subquery opens a new one each time */
	struct writer *writer;               /* update.c: open in a transaction */
};

/* module.c */
struct module *module_of(sqlite3 *db);                                 /* of the connection; NULL = it has none */
int table_fail(struct table *t, const struct err *err);                /* sets zErrMsg and provider->last_error; gives the SQLite code */
void module_fail(struct module *m, const struct err *err, char **ret_text);
int err_sqlite_code(const struct err *err);
bool same_name(const char *a, const char *b);                         /* both may be NULL */
/* Called before a scan starts: drops what belongs to an earlier statement. */
void module_enter_statement(struct module *m);
void notice(struct module *m, enum notice_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static inline int as_of_column(const struct table *t)
{
	return t->versions ? HIDDEN_N + (int)t->stream->column_n : -100;
}

/* args.c */
/* Gives columns without FROM their default path, once the format is known. */
void stream_default_paths(struct stream *s);
bool format_is_json(const struct stream *s);

static inline size_t payload_column(int column)
{
	return (size_t)(column - HIDDEN_N);
}

#endif
