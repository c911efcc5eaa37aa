/* Rendered bytes that only grow at the end and only go away at the front, cut into shared chunks: the content of a document, the ring of
 * a live window. Positions are absolute: byte 0 is the first byte ever added, base the first one kept, end the first one not there yet.
 * Bytes below end never change, so a reader takes references to chunks under the owner's lock and copies from them without it.
 * Thread: every call under the owner's lock, except text_slice_finish. */
#ifndef WEIR_FUSE_TEXT_H
#define WEIR_FUSE_TEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	TEXT_CHUNK_BYTES = 256 * 1024,
	TEXT_SLICE_MAX = 6,                  /* chunks that a read of 1 MiB (FUSE's largest) can touch, and one */
};

struct text_chunk {
	atomic_int refs;
	uint8_t data[];
};

struct text {
	struct text_chunk **chunks;
	size_t chunk_n, chunk_cap;
	int64_t first;                       /* position of chunks[0]'s first byte, a multiple of TEXT_CHUNK_BYTES */
	int64_t base, end;
};

struct text_slice {
	struct iovec iov[TEXT_SLICE_MAX];
	struct text_chunk *chunks[TEXT_SLICE_MAX];
	int n;
	size_t len;
};

void text_init(struct text *t);
void text_finish(struct text *t);
bool text_add(struct text *t, const void *data, size_t len);              /* false: out of memory, nothing added */
void text_drop(struct text *t, int64_t new_base);                         /* forgets what is before new_base (<= end) */
/* At most len bytes from position at (base <= at <= end). The slice holds references until text_slice_finish (any thread). */
void text_slice(const struct text *t, int64_t at, size_t len, struct text_slice *ret);
void text_slice_finish(struct text_slice *s);
int64_t text_line_after(const struct text *t, int64_t at);                /* position behind the first LF at or after `at`; end if there is none */
uint64_t text_hash(const struct text *t);                                 /* of everything kept */
static inline int64_t text_len(const struct text *t)
{
	return t->end - t->base;
}

#endif
