/* What one scan of a topic reads: from the plan's arguments to offset ranges. Connection's thread. */
#ifndef WEIR_VTAB_SCAN_H
#define WEIR_VTAB_SCAN_H

#include "vtab/number_filter.h"
#include "vtab/plan.h"
#include "vtab/prefilter.h"
#include "vtab/table.h"

/* A closed interval of integers; lo > hi = empty. */
struct interval {
	int64_t lo, hi;
};
#define INTERVAL_ALL ((struct interval){INT64_MIN, INT64_MAX})

static inline bool interval_empty(struct interval i)
{
	return i.lo > i.hi;
}
static inline bool interval_has(struct interval i, int64_t v)
{
	return v >= i.lo && v <= i.hi;
}

/* One key of `_key =` or IN: bytes, owned. */
struct scan_key {
	uint8_t *data;
	size_t len;
};

struct scan {
	bool nothing;                        /* some constraint can never be true */
	struct plan_order order;
	struct interval partition, offset;
	int64_t *partitions; size_t partition_n;   /* of an IN list; partition_listed says that there is one */
	bool partition_listed;
	struct interval rowid;
	struct interval ts;                  /* a row with a time outside it is not given out */
	bool ts_given;                       /* rows without a time are not given out */
	struct interval time_ts;             /* what _time says about _ts: for rows in the years 0..9999 */
	bool time_given;
	bool keyed;                          /* only these keys */
	struct scan_key *keys; size_t key_n;
	struct prefilter prefilter;
	struct number_filter numbers;
	bool equal;                          /* some column must equal a value: SQLite checks it, an index can find it */
	int equal_column;
	uint64_t equal_hash;                 /* held_hash_value */
	int64_t as_of_ms;                    /* of a table of versions */
	bool read_past_upper;                /* _ts has an upper bound that could not stop the scan */
	int64_t row_hint;                    /* LIMIT + OFFSET, 0 = all */

	struct scan_range *ranges;           /* set by scan_ranges; in partition order, none empty */
	size_t range_n;
	struct buf pushed, not_pushed;       /* for EXPLAIN SCAN: lines */
	bool explain;
	enum partitioner partitioner;        /* used for the keys; PARTITIONER_NONE = all partitions read */
};

/* Reads xFilter's arguments. False sets err (a text compared with _ts). */
bool scan_init(struct scan *scan, struct table *t, const struct plan *plan, int argc, sqlite3_value **argv, bool explain, struct err *err);
/* Asks for bounds and offsets by time and fills scan->ranges. */
bool scan_ranges(struct scan *scan, struct table *t, struct err *err);
void scan_finish(struct scan *scan);
/* EXPLAIN SCAN: appends the scan to the list. */
bool scan_explain(struct scan *scan, struct table *t, struct scan_plan_list *list, struct err *err);
bool scan_key_matches(const struct scan *scan, struct bytes key);
/* True if the column is the key's text, byte for byte. */
bool column_is_whole_key(const struct stream *s, size_t column);

/* Bounds of a topic for the running statement; borrowed until the next statement. */
bool frozen_get(struct module *m, const char *cluster, const char *topic, const struct frozen **ret, struct err *err);
void frozen_destroy(struct frozen *f);

/* Key and value of an average message in bytes, from some of the newest and oldest; < 0 = not known. For EXPLAIN SCAN: it reads. */
double sample_message_bytes(struct module *m, const struct frozen *f);

/* Which partitioner the keys of a topic were made with, from the table's option or from samples. Never fails: NONE = not known. A small topic
 * is sampled only if `always`: reading it costs as much. */
enum partitioner table_partitioner(struct table *t, const struct frozen *f, bool always, size_t *ret_key_n);
void detected_destroy(struct detected *list);

/* Reads ranges to their end and hands each record to `each`; for sampling and changelogs. False on error or when `each` returned false.
 * enough_mono_ms != 0: from then on, what has not arrived is not waited for (once anything has arrived). */
bool scan_read(struct module *m, const char *cluster, const struct scan_request *request, int64_t enough_mono_ms, bool (*each)(void *arg, struct batch *b, const struct record *r, struct err *err), void *arg, struct err *err);

/* Adds what a source counted since the last call to the statement's stats. */
void stats_add(struct provider *p, const struct source *source, struct scan_stats *seen);
/* Opens a source and counts it. */
bool scan_open(struct module *m, const char *cluster, const struct scan_request *request, struct source **ret, struct err *err);

#endif
