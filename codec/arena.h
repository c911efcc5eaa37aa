/* Scratch memory for decoded values that cannot point into the message (text with escapes). Nothing is freed one by one: arena_reset drops
 * all of it when the next message is loaded and keeps one chunk for reuse, so memory follows the largest recent message. One owner. */
#ifndef WEIR_CODEC_ARENA_H
#define WEIR_CODEC_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;          /* newest first */
};

void *arena_alloc(struct arena *a, size_t n);    /* unaligned bytes, valid until reset; NULL when memory is out (n may be payload-sized) */
void arena_reset(struct arena *a);
void arena_finish(struct arena *a);

#endif
