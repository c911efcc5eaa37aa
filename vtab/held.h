/* Batches of a whole scan kept in memory, for a topic in the inner loop of a join: the second xFilter over the same ranges reads
 * them in, it and later ones are answered from here. With an equality in the join, an index over its column finds the rows, as SQLite's automatic index
 * would (SQLite makes none for virtual tables). Owned by one cursor at a time. */
#ifndef WEIR_VTAB_HELD_H
#define WEIR_VTAB_HELD_H

#include "codec/codec.h"
#include "core/scan.h"
#include "vtab/sqlite.h"

enum { HELD_MAX_BYTES = 64 << 20 };

struct held_row {
	uint64_t hash;
	uint32_t batch, record;
	uint32_t next;                       /* row + 1 of the same slot; 0 = last */
};

struct held {
	struct scan_range *ranges;
	size_t range_n;
	unsigned need;
	struct batch **batches;
	size_t batch_n;
	size_t bytes;
	bool complete;
	bool too_big;                        /* over HELD_MAX_BYTES: not tried again */

	int index_column;                    /* declared column, -1 = no index */
	struct held_row *rows;
	size_t row_n;
	uint32_t *slots;                     /* row + 1; 0 = empty */
	size_t slot_n;                       /* a power of two */
};

#define HELD_NONE ((struct held){.index_column = -1})

/* Values that SQLite can find equal, under any affinity, have the same hash: a number and every text that could be one go by the rounded
 * number, all else by its bytes. */
uint64_t held_hash_value(sqlite3_value *value);
uint64_t held_hash_field(const struct field *f);
uint64_t held_hash_bytes(struct bytes text);

bool held_matches(const struct held *h, const struct scan_range *ranges, size_t range_n);
void held_start(struct held *h, const struct scan_range *ranges, size_t range_n, unsigned need);   /* forgets what was held */
bool held_add(struct held *h, struct batch *b);          /* takes a reference; false: too big, everything was let go */
/* payload_column < 0: the key. The decoder is loaded with every record. */
void held_index(struct held *h, int column, struct decoder *d, int payload_column);
/* The first row of the hash, or the next one after row; NULL at the end. */
const struct held_row *held_find(const struct held *h, uint64_t hash, const struct held_row *after);
void held_clear(struct held *h);

#endif
