/* A changelog table's state: the last value of every key, tombstones deleted. Read to the frozen end when the statement first needs it and
 * shared by all its scans; or followed (follow.h). Owns copies of its records, so memory is proportional to the live keys, not to the topic. Connection's thread. */
#ifndef WEIR_VTAB_CHANGELOG_H
#define WEIR_VTAB_CHANGELOG_H

#include "core/batch.h"
#include "core/err.h"

struct changelog;
struct scan;
struct table;

struct changelog_row {
	struct record record;                /* key, value and headers point into block */
	int32_t partition;
	bool told;                           /* changelog_first_time was asked */
	uint8_t *block;
};

/* The rows that a scan wants, as positions for changelog_at; *ret holds a reference that the caller gives back. With keys in the scan and a
 * known partitioner the first look-up of a statement reads one partition only, later ones load the table. */
bool changelog_open(struct table *t, const struct scan *scan, struct changelog **ret, size_t *ret_from, size_t *ret_end, struct err *err);
const struct changelog_row *changelog_at(const struct changelog *c, size_t i);   /* in (partition, offset) order until changelog_apply */
bool changelog_first_time(struct changelog *c, size_t i);   /* for this value of the row: trouble with it is to be counted now */
/* The row of the last record at this place; NULL if it is not the last one of a live key. */
const struct changelog_row *changelog_find(const struct changelog *c, int32_t partition, int64_t offset);
/* All of the table's topic, up to the ends frozen for the statement. */
bool changelog_load(struct table *t, bool versions, struct changelog **ret, struct err *err);   /* versions: every record stays, see changelog_valid */
/* A later record: its key's row is replaced or, by a tombstone, removed. Not while it is in use: rows move. */
bool changelog_apply(struct changelog *c, int32_t partition, const struct record *r, struct err *err);
bool changelog_in_use(const struct changelog *c);    /* someone besides its owner has a reference */
/* With versions, positions from changelog_open stand for keys: the place of the row of a key that is valid at a time. False: none is. */
bool changelog_valid(const struct changelog *c, size_t i, int64_t at_ms, size_t *ret);
struct changelog *changelog_ref(struct changelog *c);
void changelog_unref(struct changelog *c);

#endif
