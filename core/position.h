/* Where in a topic reading starts or stops: the value of --from, --until, SET from, SET until, FROM, UNTIL. Thread: any. */
#ifndef WEIR_CORE_POSITION_H
#define WEIR_CORE_POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum position_kind { POSITION_NONE, POSITION_BEGINNING, POSITION_END, POSITION_TIME, POSITION_OFFSETS };

struct position_offset {
	int32_t partition;
	int64_t offset;
};

struct position {
	enum position_kind kind;             /* 0 = POSITION_NONE: not given */
	int64_t ts_ms;                       /* POSITION_TIME: the first offset whose timestamp is at or behind it */
	struct position_offset *offsets;     /* POSITION_OFFSETS; owned */
	size_t offset_n;
	char *text;                          /* as the user wrote it, for messages; owned */
};

/* BEGINNING, NOW, END, '-1h', a time, OFFSETS 0:100,1:5 (the word may be left out). Overwrites *ret. */
bool position_parse(const char *text, size_t len, struct position *ret, struct err *err);
void position_finish(struct position *p);

/* The first offset to read, and the first not to read, of a partition that holds [low, end); at_time = what the broker's time index says for ts_ms.
 * Offsets: a start reads the listed partitions only, and may lie behind the end; a stop leaves partitions that are not listed alone. */
int64_t position_start(const struct position *p, int32_t partition, int64_t low, int64_t end, int64_t at_time);
int64_t position_stop(const struct position *p, int32_t partition, int64_t low, int64_t end, int64_t at_time);
int64_t position_offset_of(const struct position *p, int32_t partition);           /* -1 = not listed */
int32_t position_unknown_partition(const struct position *p, int32_t partition_n); /* a listed one that the topic does not have, -1 = none */

#endif
