/* The only place a topic becomes a SQLite table. */
#ifndef WEIR_VTAB_VTAB_H
#define WEIR_VTAB_VTAB_H

#include "core/buf.h"
#include "core/provider.h"
#include "vtab/sqlite.h"

/* Registers the module `kafka`: CREATE VIRTUAL TABLE t USING kafka('topic', cluster = 'profile', format = 'json', ..., columns...).
 * provider is borrowed until the database closes. */
bool vtab_register(sqlite3 *db, struct provider *provider, struct err *err);

/* Module arguments <-> stream. args are the text between the parentheses, one argument each, as SQLite passes them from argv[3] on. */
bool stream_from_args(const char *name, int argc, const char *const *argv, struct stream **ret, struct err *err);
/* CREATE VIRTUAL [TEMP]-schema TABLE text that stream_from_args reads back to an equal stream, columns explicit. */
void stream_to_ddl(const struct stream *s, const char *schema /* "temp" or "main" */, struct buf *to);

/* Samples the topic (sample_n messages over all partitions, newest and oldest) and fills format and columns by codec/infer.h.
 * report: one line for people. */
bool stream_infer(struct provider *p, struct stream *s, size_t sample_n, struct buf *report, struct err *err);

/* EXPLAIN SCAN: appends one line per planned scan of the prepared statement. The vtab records its plans while planning collects is on:
 * scan_plans_begin(p), prepare + first step or a dry xFilter, scan_plans_end(p). */
struct scan_plan {
	char *table;
	char *topic;
	char *cluster;
	struct scan_range *ranges;           /* what would be read */
	struct scan_range *bounds;           /* what the topic holds */
	size_t range_n;
	int64_t bytes_estimate;              /* records times the average of some sampled messages; -1 = unknown */
	char *pushed;                        /* newline-separated: "_ts >= ... : seek by time index" */
	char *not_pushed;                    /* newline-separated: predicate and why */
};
struct scan_plan_list {
	struct scan_plan *plans;
	size_t n;
	bool no_bytes;                       /* asked for: bytes_estimate stays -1, so that nothing at all is read */
};
/* While *list is set, xFilter of every topic table appends its plan and reads nothing (the scan is empty). NULL = read as usual. */
void vtab_collect_plans(sqlite3 *db, struct scan_plan_list *list);
void scan_plan_list_finish(struct scan_plan_list *list);

/* A notice, where --from or --until (the option's name) lists a partition that the topic does not have. */
void vtab_tell_unknown_partition(struct provider *p, const char *topic, int32_t partition_n, const struct position *at, const char *option);

#endif
