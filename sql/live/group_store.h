/* The groups of one window: a hash table by their keys, with the accumulators behind one another in blocks of memory that go when the window goes.
 * Used by group*.c only. Thread: the operator's. */
#ifndef WEIR_SQL_LIVE_GROUP_STORE_H
#define WEIR_SQL_LIVE_GROUP_STORE_H

#include "sql/aggregate/aggregate.h"

enum { GROUP_KEYS_MAX = 32 };

/* Where the states of a group lie: the same for all groups of an operator. */
struct group_layout {
	size_t *state_at;                    /* per call, from the group's beginning */
	size_t *distinct_at;                 /* per call: a struct agg_distinct *; SIZE_MAX = none */
	const struct aggregate **defs;
	size_t call_n;
	size_t fixed_bytes;                  /* header and states */
};

struct group {
	uint64_t hash;
	struct group_window *window;
	uint32_t key_len;
	uint32_t real_mask;                  /* key i came as REAL (1.0 and 1 are one group and look as the first did) */
	bool changed;                        /* is in the operator's list of changed groups */
	bool filled;                         /* made by FILL, holds no rows */
	/* states, then the encoded key */
};

struct group_block;

struct group_store {                         /* zero = empty */
	struct group **slots;
	size_t slot_n, group_n;              /* slot_n: a power of two */
	struct group_block *blocks;
};

/* The key's bytes: equal exactly where SQLite's GROUP BY (BINARY) takes the values as one. *real_mask_io gets bit i if v is a REAL. */
void group_key_encode(struct buf *to, const struct agg_value *v, int i, uint32_t *real_mask_io);
/* Key number i of an encoded list. */
void group_key_decode(const uint8_t *key, size_t i, uint32_t real_mask, struct agg_value *ret);

static inline uint8_t *group_key_bytes(const struct group_layout *l, const struct group *g)
{
	return (uint8_t *)(uintptr_t)g + l->fixed_bytes;
}
static inline void *group_state(const struct group_layout *l, const struct group *g, size_t call)
{
	return (uint8_t *)(uintptr_t)g + l->state_at[call];
}
static inline struct agg_distinct **group_distinct(const struct group_layout *l, const struct group *g, size_t call)
{
	return l->distinct_at[call] == SIZE_MAX ? NULL : (struct agg_distinct **)(void *)((uint8_t *)(uintptr_t)g + l->distinct_at[call]);
}

/* Finds or makes the group. *bytes_io counts memory. NULL: out of memory. */
struct group *group_store_get(struct group_store *s, const struct group_layout *l, const struct buf *key, uint32_t real_mask, bool *ret_new, int64_t *bytes_io);
struct group *group_store_find(const struct group_store *s, const struct group_layout *l, const struct buf *key);
void group_store_finish(struct group_store *s, const struct group_layout *l, struct agg_memory *memory, int64_t *bytes_io);

#endif
