/* sql/live/group_store.h */
#include "sql/live/group_store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/hash.h"

enum { BLOCK_FIRST_BYTES = 1024, BLOCK_MAX_BYTES = 256 * 1024, SLOTS_FIRST = 8 };

struct group_block {
	struct group_block *next;
	size_t used, cap;
	_Alignas(16) uint8_t data[];
};

enum tag { TAG_NULL, TAG_INTEGER, TAG_REAL, TAG_TEXT, TAG_BLOB };

static void put(struct buf *to, enum tag tag, const void *data, size_t len)
{
	buf_reserve(to, len + 1);
	to->data[to->len] = (char)tag;
	memcpy(to->data + to->len + 1, data, len);
	to->len += len + 1;
}

void group_key_encode(struct buf *to, const struct agg_value *v, int i, uint32_t *real_mask_io)
{
	switch (v->type) {
	case AGG_NULL:
		put(to, TAG_NULL, "", 0);
		break;
	case AGG_INTEGER:
		put(to, TAG_INTEGER, &v->i, sizeof v->i);
		break;
	case AGG_REAL:
		/* Whole numbers that 64 bits hold exactly compare equal to integers. */
		if (v->d >= -9223372036854775808.0 && v->d < 9223372036854775808.0 && v->d == floor(v->d)) {
			int64_t whole = (int64_t)v->d;
			*real_mask_io |= 1u << i;
			put(to, TAG_INTEGER, &whole, sizeof whole);
		} else {
			put(to, TAG_REAL, &v->d, sizeof v->d);
		}
		break;
	case AGG_TEXT:
	case AGG_BLOB: {
		uint32_t len = (uint32_t)v->bytes.len;
		put(to, v->type == AGG_TEXT ? TAG_TEXT : TAG_BLOB, &len, sizeof len);
		buf_add(to, v->bytes.data, v->bytes.len);
		break;
	}
	}
}

static size_t read_one(const uint8_t *p, struct agg_value *ret)
{
	uint32_t len;
	*ret = (struct agg_value){.type = AGG_NULL};
	switch ((enum tag)p[0]) {
	case TAG_NULL:
		return 1;
	case TAG_INTEGER:
		ret->type = AGG_INTEGER;
		memcpy(&ret->i, p + 1, sizeof ret->i);
		return 1 + sizeof ret->i;
	case TAG_REAL:
		ret->type = AGG_REAL;
		memcpy(&ret->d, p + 1, sizeof ret->d);
		return 1 + sizeof ret->d;
	case TAG_TEXT:
	case TAG_BLOB:
		memcpy(&len, p + 1, sizeof len);
		ret->type = p[0] == TAG_TEXT ? AGG_TEXT : AGG_BLOB;
		ret->bytes = bytes_of(p + 1 + sizeof len, len);
		return 1 + sizeof len + len;
	}
	return 1;
}

void group_key_decode(const uint8_t *key, size_t i, uint32_t real_mask, struct agg_value *ret)
{
	for (size_t k = 0; k <= i; k++)
		key += read_one(key, ret);
	if (ret->type == AGG_INTEGER && (real_mask >> i & 1))
		*ret = (struct agg_value){.type = AGG_REAL, .d = (double)ret->i};
}

static void *block_take(struct group_store *s, size_t n, int64_t *bytes_io)
{
	struct group_block *b = s->blocks;
	n = (n + 15) & ~(size_t)15;
	if (!b || b->cap - b->used < n) {
		size_t cap = b ? 2 * b->cap : BLOCK_FIRST_BYTES;
		cap = cap > BLOCK_MAX_BYTES ? BLOCK_MAX_BYTES : cap;
		cap = cap < n ? n : cap;
		struct group_block *fresh = malloc(sizeof *fresh + cap);
		if (!fresh)
			return NULL;
		*fresh = (struct group_block){.next = b, .used = 0, .cap = cap};
		s->blocks = fresh;
		b = fresh;
		*bytes_io += (int64_t)(sizeof *fresh + cap);
	}
	void *p = b->data + b->used;
	b->used += n;
	return p;
}

static bool grow(struct group_store *s, int64_t *bytes_io)
{
	size_t n = s->slot_n ? 2 * s->slot_n : SLOTS_FIRST;
	struct group **slots = calloc(n, sizeof *slots);
	if (!slots)
		return false;
	for (size_t i = 0; i < s->slot_n; i++) {
		struct group *g = s->slots[i];
		if (!g)
			continue;
		size_t at = g->hash & (n - 1);
		while (slots[at])
			at = (at + 1) & (n - 1);
		slots[at] = g;
	}
	*bytes_io += (int64_t)((n - s->slot_n) * sizeof *slots);
	free(s->slots);
	s->slots = slots;
	s->slot_n = n;
	return true;
}

static bool same_key(const struct group_layout *l, const struct group *g, uint64_t hash, const struct buf *key)
{
	return g->hash == hash && g->key_len == key->len && memcmp(group_key_bytes(l, g), key->data, key->len) == 0;
}

struct group *group_store_find(const struct group_store *s, const struct group_layout *l, const struct buf *key)
{
	uint64_t hash = hash_bytes(key->data, key->len);
	if (!s->slot_n)
		return NULL;
	for (size_t at = hash & (s->slot_n - 1); s->slots[at]; at = (at + 1) & (s->slot_n - 1))
		if (same_key(l, s->slots[at], hash, key))
			return s->slots[at];
	return NULL;
}

struct group *group_store_get(struct group_store *s, const struct group_layout *l, const struct buf *key, uint32_t real_mask, bool *ret_new, int64_t *bytes_io)
{
	uint64_t hash = hash_bytes(key->data, key->len);
	*ret_new = false;
	if (s->group_n * 4 >= s->slot_n * 3 && !grow(s, bytes_io))
		return NULL;
	size_t at = hash & (s->slot_n - 1);
	for (; s->slots[at]; at = (at + 1) & (s->slot_n - 1))
		if (same_key(l, s->slots[at], hash, key))
			return s->slots[at];
	struct group *g = block_take(s, l->fixed_bytes + key->len, bytes_io);
	if (!g)
		return NULL;
	memset(g, 0, l->fixed_bytes);
	g->hash = hash;
	g->key_len = (uint32_t)key->len;
	g->real_mask = real_mask;
	memcpy(group_key_bytes(l, g), key->data, key->len);
	s->slots[at] = g;
	s->group_n++;
	*ret_new = true;
	return g;
}

void group_store_finish(struct group_store *s, const struct group_layout *l, struct agg_memory *memory, int64_t *bytes_io)
{
	bool heap = false;
	for (size_t c = 0; c < l->call_n; c++)
		heap |= l->defs[c]->finish || l->distinct_at[c] != SIZE_MAX;
	for (size_t i = 0; heap && i < s->slot_n; i++) {
		struct group *g = s->slots[i];
		for (size_t c = 0; g && c < l->call_n; c++) {
			struct agg_distinct **set = group_distinct(l, g, c);
			if (set)
				agg_distinct_destroy(*set, memory);
			if (l->defs[c]->finish)
				l->defs[c]->finish(group_state(l, g, c), memory);
		}
	}
	*bytes_io -= (int64_t)(s->slot_n * sizeof *s->slots);
	free(s->slots);
	while (s->blocks) {
		struct group_block *b = s->blocks;
		s->blocks = b->next;
		*bytes_io -= (int64_t)(sizeof *b + b->cap);
		free(b);
	}
	*s = (struct group_store){0};
}
