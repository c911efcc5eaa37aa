/* codec/arena.h */
#include "codec/arena.h"

#include <stdlib.h>

enum {
	ARENA_CHUNK_BYTES = 4096,
	ARENA_KEEP_BYTES = 256 * 1024,       /* a larger chunk is given back at reset: one huge message must not pin its size */
};

struct arena_chunk {
	struct arena_chunk *next;
	size_t used;
	size_t cap;
	char data[];
};

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->chunks;
	if (!c || c->cap - c->used < n) {
		size_t cap = n > ARENA_CHUNK_BYTES ? n : ARENA_CHUNK_BYTES;
		c = malloc(sizeof *c + cap);
		if (!c)
			return NULL;
		c->used = 0;
		c->cap = cap;
		c->next = a->chunks;
		a->chunks = c;
	}
	void *p = c->data + c->used;
	c->used += n;
	return p;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = a->chunks;
	if (!keep)
		return;
	struct arena_chunk *c = keep->next;
	if (keep->cap > ARENA_KEEP_BYTES) {
		c = keep;
		keep = NULL;
	}
	while (c) {
		struct arena_chunk *next = c->next;
		free(c);
		c = next;
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->chunks = keep;
}

void arena_finish(struct arena *a)
{
	for (struct arena_chunk *c = a->chunks; c;) {
		struct arena_chunk *next = c->next;
		free(c);
		c = next;
	}
	a->chunks = NULL;
}
