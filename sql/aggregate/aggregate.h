/* Aggregates with partial states. One implementation of each serves both SQLite's own GROUP BY (aggregate_sqlite.c registers them as SQL
 * aggregates) and the incremental operator of sql/live/, so that a bounded and a live query cannot differ.
 *
 * A state is a block of def->state_size bytes, zero = empty, that may be moved by memcpy (nothing points into it). What it keeps beyond that is
 * heap memory, counted in agg_memory and given back by finish. step and merge give the same state whatever the order of rows: sums are compensated
 * (exact for what sensors send), and what depends on order is decided by agg_at, never by arrival. final leaves the state as it is: it may be
 * called after each row. save and load make a state outlive the process: load(save(x)) behaves as x.
 *
 * Rules of all: rows whose value (or time) is NULL are skipped; no rows gives NULL (count: 0, total: 0.0); times and durations are INTEGER ms.
 * Thread: the owner of the state. */
#ifndef WEIR_SQL_AGGREGATE_H
#define WEIR_SQL_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/bytes.h"
#include "core/err.h"

enum agg_type { AGG_NULL, AGG_INTEGER, AGG_REAL, AGG_TEXT, AGG_BLOB };

/* One SQL value. Bytes are borrowed: valid during the call they are given to. */
struct agg_value {
	enum agg_type type;
	int64_t i;                           /* INTEGER */
	double d;                            /* REAL; never NaN */
	struct bytes bytes;                  /* TEXT (UTF-8, may hold NUL), BLOB */
};

/* Where a row stands among all rows: (event time, partition, offset, index in the message). Greater = later. ts_ms is TIME_NONE without an event time. */
struct agg_at {
	int64_t ts_ms;
	int64_t offset;
	int32_t partition;
	int32_t index;
};
int agg_at_compare(const struct agg_at *a, const struct agg_at *b);

/* Heap bytes held by all states that were stepped with it; whoever owns the states reads it and sets limits. */
struct agg_memory {
	int64_t bytes;
};

/* What final gives. text holds the bytes of TEXT and BLOB and is the caller's (buf_finish). */
struct agg_result {
	enum agg_type type;
	int64_t i;
	double d;
	bool json;                           /* TEXT that is JSON: subtype 'J' */
	struct buf text;
};

struct aggregate {
	const char *name;                    /* lower case */
	int args_min, args_max;              /* args_max -1 = any number */
	const char *signature;               /* twa(ts, value [, method [, from, to]]) -> REAL */
	const char *help;                    /* one line */
	size_t state_size;
	/* False with ERR_SQL for an argument that no row makes right ('linaer'). n is within args_min..args_max. */
	bool (*step)(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err);
	bool (*merge)(void *state, const void *other, struct agg_memory *memory, struct err *err);    /* other stays as it is */
	bool (*final)(const void *state, struct agg_result *ret, struct err *err);                    /* ret is zeroed; integer overflow is ERR_SQL */
	void (*save)(const void *state, struct buf *to);                                              /* appends */
	bool (*load)(void *state, struct bytes from, struct agg_memory *memory, struct err *err);     /* state is empty; bytes that save did not write are ERR_STATE */
	void (*finish)(void *state, struct agg_memory *memory);                                       /* NULL = keeps no heap memory */
	bool ordered;                        /* the result depends on agg_at: whoever steps it must give real ones */
	bool replaces_sqlite;                /* SQLite has one of this name (count, sum ..): not registered over it */
};

/* ASCII case-insensitive; NULL = no aggregate of this name takes n arguments (or any number of them: n = -1). */
const struct aggregate *aggregate_find(const char *name, size_t name_len, int n);
/* SQLite's own aggregates that have no partial states here: only a pane, or SQLite itself, can run them. */
bool aggregate_is_sqlites(const char *name, size_t name_len);
const struct aggregate *aggregate_at(size_t index);                  /* NULL after the last, sorted by name */

/* DISTINCT in front of any aggregate: a set of the argument lists seen. */
struct agg_distinct;
/* *ret_new: the arguments were not in the set. Creates the set at *set == NULL. NULLs count as equal to each other; 1 and 1.0 are equal, as in SQLite. */
bool agg_distinct_add(struct agg_distinct **set, const struct agg_value *args, int n, struct agg_memory *memory, bool *ret_new, struct err *err);
bool agg_distinct_merge(struct agg_distinct **set, const struct agg_distinct *other, struct agg_memory *memory, struct err *err);
void agg_distinct_each(const struct agg_distinct *set, void (*visit)(void *arg, const struct agg_value *args, int n), void *arg);
void agg_distinct_save(const struct agg_distinct *set, struct buf *to);
bool agg_distinct_load(struct agg_distinct **set, struct bytes from, struct agg_memory *memory, struct err *err);
void agg_distinct_destroy(struct agg_distinct *set, struct agg_memory *memory);

/* A byte string that equals another's exactly where SQLite's = (BINARY) and GROUP BY take the values as one: for hash keys. Appends. */
void agg_value_encode(const struct agg_value *v, struct buf *to);
/* SQLite's order of values: NULL < numbers < TEXT < BLOB. */
int agg_value_compare(const struct agg_value *a, const struct agg_value *b);

#endif
