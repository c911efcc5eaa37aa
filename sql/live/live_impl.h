/* Inside of a live query: live.c (steps), live_plan.c (strategy and statements), live_chunk.c (chunks and event time), pane.c (rows of windows). */
#ifndef WEIR_SQL_LIVE_LIVE_IMPL_H
#define WEIR_SQL_LIVE_LIVE_IMPL_H

#include "sql/live/derived.h"
#include "sql/live/group_table.h"
#include "sql/live/live.h"
#include "sql/live/outer.h"
#include "sql/live/live_input.h"
#include "vtab/feed.h"
#include "vtab/follow.h"

/* A stream in FROM, its feed and its reader. */
struct live_stream {
	size_t item;                         /* in FROM */
	struct stream *stream;
	char *alias;
	char *feed_name;                     /* temp."weir_feed_1" */
	struct derived *derived;             /* from the topic by a subquery, WITH table or view; NULL = the topic itself */
	char *table_sql;                     /* what stands for it in FROM: the feed, or the derived table over it */
	char *places_sql;                    /* the same with _partition, _offset and _index */
	struct feed_table *feed;
	struct live_input input;
	char *event_time;                    /* expression over the feed's columns, NULL = _ts */
	sqlite3_stmt *times;                 /* event times of a chunk, where they are not _ts */
};

/* Event time of one row of the chunk, in the order of the feed. */
struct chunk_time {
	int64_t offset, ts_ms;
	int32_t partition, index;
	uint32_t piece, record;
	uint32_t n;                          /* the record's number in the chunk */
};

struct chunk_piece {
	struct batch *batch;
	size_t from, to;
};

struct late_row {
	struct agg_at at;
	struct window_bounds window;
	enum late_reason reason;
};

struct pane;
struct live_join;
struct joined;
struct time_joins;

struct live {
	struct session *s;
	char *text;                          /* the user's statement */
	struct emit emit;
	enum live_strategy strategy;
	const char *why;
	struct live_stream *streams;
	size_t stream_n;
	struct follow **follows;             /* changelog tables in FROM */
	size_t follow_n;

	struct buf sql;                      /* what runs: input and output */
	sqlite3_stmt *output;                /* stateless: the whole query */
	sqlite3_stmt *input;                 /* incremental and pane: borrowed from groups */
	struct group_table *groups;
	struct agg_value *values;
	struct pane *pane;
	struct live_join *join;              /* of topics: its phases are the inputs, or the outputs */
	const char *join_text;               /* where it is written: text, or that of a subquery */
	struct joined *joined;               /* the subquery; NULL = none */
	sqlite3_stmt *phase;                 /* of the join: the one that is being stepped; NULL between chunks */
	struct time_joins *joins;            /* ASOF, FOR SYSTEM_TIME AS OF */
	struct outer outer;                  /* the SELECT around the one that is kept */
	bool windowed;
	size_t timed;                        /* the stream whose event time the windows have */
	bool view;                           /* of a materialized view */
	struct watermark watermark;

	bool opened, ended, flushed;
	bool chunk_loaded, input_running, output_running;
	struct chunk_piece *pieces;          /* of the loaded chunk; its first stream only */
	size_t piece_n, piece_cap;
	struct chunk_time *times;
	size_t time_n, time_cap, time_at;    /* times[0..time_at) were shown to the watermark */

	bool frames, frame_open;
	int frame_interval_ms;
	int64_t next_frame_ms, next_every_ms;
	bool frame_due;                      /* something changed since the last frame */

	struct late_row *late;               /* of the chunk */
	size_t late_n, late_cap;
	void (*on_late)(void *arg, struct live *l);      /* called before a chunk with late rows goes; NULL = they are only counted */
	void *on_late_arg;
	int64_t row_in_n, row_out_n, late_total_n;
	int64_t row_idle_n, idle_mono_ms;    /* rows given out when LIVE_IDLE was last told, and when that was */
	bool late_told;
	bool join_ended;                     /* the last rows without a partner were looked for */
	int64_t join_watermark_ms;           /* up to which they were */
	int64_t started_mono_ms;
};

/* live_plan.c */
bool live_plan(struct live *l, size_t emit_at, struct err *err);

/* joined.c: GROUP BY around a subquery or WITH table that joins topics: its join is planned, its rows are the operator's input. */
struct joined {
	char *text;
	struct select select;                /* of text */
	bool has_time;                       /* a column _ts */
};
struct joined *joined_find(const char *text, const struct select *sel, struct span table);    /* NULL: it is none */
/* WITH p AS (a join of topics) SELECT .. FROM p becomes SELECT .. FROM (..) AS p. True: the text was replaced. */
bool joined_inline(char **io_text, size_t *io_emit_at);
void joined_free(struct joined *j);                                  /* NULL is fine */

/* live_chunk.c */
bool live_open_inputs(struct live *l, struct err *err);
/* Polls the sources; true with *ret_loaded = false if nothing came within wait_ms. Sets l->ended when every source ended. */
bool live_load_chunk(struct live *l, int wait_ms, bool *ret_loaded, struct err *err);
/* Shows the watermark all rows of the chunk in front of the given one (record number n, row in it); all of them with n = SIZE_MAX. Gives the row's own place. */
const struct chunk_time *live_times_before(struct live *l, size_t n, size_t row);
void live_unload_chunk(struct live *l);
void live_note_late(void *arg, const struct agg_at *at, struct window_bounds window, enum late_reason reason);
int64_t live_watermark(struct live *l);

/* pane.c */
bool pane_plan(struct live *l, const char *text, const struct select *sel, struct window_spec *spec, struct span table, struct err *err);
bool pane_row(struct live *l, const struct chunk_time *place, struct err *err);
/* Sets the next ready window up for l->output; false in *ret_more: there is none. */
bool pane_next(struct live *l, bool *ret_more, struct err *err);
void pane_destroy(struct pane *p);

#endif
