/* One running scan: where its rows come from, and the row it stands on. Connection's thread. */
#ifndef WEIR_VTAB_CURSOR_H
#define WEIR_VTAB_CURSOR_H

#include "vtab/changelog.h"
#include "vtab/feed.h"
#include "vtab/held.h"
#include "vtab/order.h"
#include "vtab/scan.h"

/* Rows come from one of these. */
enum producer {
	PRODUCE_NOTHING,
	PRODUCE_SOURCE,                      /* batches as the source gives them */
	PRODUCE_ORDERED,                     /* merged or falling order, read in pieces (order.c) */
	PRODUCE_HELD,                        /* batches kept from an earlier xFilter of this cursor */
	PRODUCE_CHANGELOG,
	PRODUCE_FEED,                        /* what was pushed into a feed table */
};

struct cursor {
	sqlite3_vtab_cursor base;            /* first, SQLite's */
	struct table *table;
	struct cursor *next, **prev;         /* module's list */
	uint64_t id;                         /* never given twice in a connection */

	struct plan plan;
	bool scanning;                       /* scan is initialised */
	struct scan scan;
	unsigned need;
	bool *wanted;                        /* payload columns the query touches; all of stream->column_n */
	bool payload;                        /* a decoder is needed */
	uint64_t decoder_id;                 /* never given twice in a connection */
	int path_n;                          /* paths added to the decoder */
	int path_kept;                       /* so many when this cursor took the decoder over: they were read with every record */
	struct decoder *decoder;             /* kept while `wanted` stays the same */

	enum producer producer;
	struct source *source;
	struct scan_stats seen;
	struct order_merge merge;
	struct held held;
	size_t held_i;
	const struct held_row *held_row;     /* the index is used: the row given out last */
	bool indexed;
	bool again;                          /* the same records were given out before: their errors are counted */
	struct changelog *changelog;
	size_t changelog_i, changelog_end;   /* positions, the next one and behind the last */
	size_t changelog_row;                /* the row given out last */
	struct feed_place feed_at;

	bool eof;
	struct batch *batch;                 /* of the record, one reference; NULL for changelog rows */
	size_t record_i;
	const struct record *record;
	int32_t partition;
	size_t row, row_n;
	uint64_t load_n;                     /* counts decoder_load */
	bool decoded;                        /* a field of the current record was asked for */
	bool check_rows;                     /* scan has row checks */
	bool filter_rows;                    /* the byte filter is applied here, not by the source */
	unsigned row_tick;
	int64_t started_mono_ms;
};

int cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret);
int cursor_close(sqlite3_vtab_cursor *base);
int cursor_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv);
int cursor_next(sqlite3_vtab_cursor *base);
int cursor_eof(sqlite3_vtab_cursor *base);
int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column);
int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret);

/* sink.c */
struct row_sink;
bool sink_fits(struct row_sink *sink, const struct table *t);
bool sink_row(struct row_sink *sink, struct cursor *c, struct err *err);

/* columns.c */
int64_t row_id(const struct table *t, int32_t partition, int64_t offset, size_t row);
void result_field(sqlite3_context *context, const struct field *f, enum column_type type);
/* The decoder of the current row takes all columns from now on (UPDATE reads what the plan did not name). */
bool cursor_widen(struct cursor *c, struct err *err);
bool cursor_count_errors(struct cursor *c, struct err *err);
/* Trouble with the current row is to be counted: the same row was not given out before. */
bool cursor_first_time(struct cursor *c);

#endif
