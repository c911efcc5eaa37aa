/* fuse/text.h */
#include "fuse/text.h"

#include <stdlib.h>
#include <string.h>
#include "core/hash.h"

void text_init(struct text *t)
{
	*t = (struct text){.chunks = NULL};
}

static void chunk_unref(struct text_chunk *c)
{
	if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		free(c);
}

void text_finish(struct text *t)
{
	for (size_t i = 0; i < t->chunk_n; i++)
		chunk_unref(t->chunks[i]);
	free(t->chunks);
	text_init(t);
}

static bool add_chunk(struct text *t)
{
	if (t->chunk_n == t->chunk_cap) {
		size_t cap = t->chunk_cap ? t->chunk_cap * 2 : 4;
		struct text_chunk **more = realloc(t->chunks, cap * sizeof(struct text_chunk *));
		if (!more)
			return false;
		t->chunks = more;
		t->chunk_cap = cap;
	}
	struct text_chunk *c = malloc(sizeof *c + TEXT_CHUNK_BYTES);
	if (!c)
		return false;
	atomic_init(&c->refs, 1);
	t->chunks[t->chunk_n++] = c;
	return true;
}

bool text_add(struct text *t, const void *data, size_t len)
{
	/* All memory first: a line is there whole or not at all. */
	while (t->first + (int64_t)(t->chunk_n * TEXT_CHUNK_BYTES) - t->end < (int64_t)len)
		if (!add_chunk(t))
			return false;
	const uint8_t *from = data;
	while (len > 0) {
		int64_t in = t->end - t->first;
		size_t at = (size_t)(in % TEXT_CHUNK_BYTES);
		size_t n = TEXT_CHUNK_BYTES - at < len ? TEXT_CHUNK_BYTES - at : len;
		memcpy(t->chunks[in / TEXT_CHUNK_BYTES]->data + at, from, n);
		from += n;
		len -= n;
		t->end += (int64_t)n;
	}
	return true;
}

void text_drop(struct text *t, int64_t new_base)
{
	if (new_base > t->end)
		new_base = t->end;
	if (new_base <= t->base)
		return;
	t->base = new_base;
	size_t gone = (size_t)((t->base - t->first) / TEXT_CHUNK_BYTES);
	if (gone > t->chunk_n)
		gone = t->chunk_n;
	if (gone == 0)
		return;
	for (size_t i = 0; i < gone; i++)
		chunk_unref(t->chunks[i]);
	memmove(t->chunks, t->chunks + gone, (t->chunk_n - gone) * sizeof *t->chunks);
	t->chunk_n -= gone;
	t->first += (int64_t)gone * TEXT_CHUNK_BYTES;
}

void text_slice(const struct text *t, int64_t at, size_t len, struct text_slice *ret)
{
	struct text_slice s = {.n = 0, .len = 0};
	if (at < t->base)
		at = t->base;
	if ((int64_t)len > t->end - at)
		len = at < t->end ? (size_t)(t->end - at) : 0;
	while (len > 0 && s.n < TEXT_SLICE_MAX) {
		int64_t in = at - t->first;
		size_t skip = (size_t)(in % TEXT_CHUNK_BYTES);
		size_t n = TEXT_CHUNK_BYTES - skip < len ? TEXT_CHUNK_BYTES - skip : len;
		struct text_chunk *c = t->chunks[in / TEXT_CHUNK_BYTES];
		atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
		s.chunks[s.n] = c;
		s.iov[s.n] = (struct iovec){.iov_base = c->data + skip, .iov_len = n};
		s.n++;
		s.len += n;
		at += (int64_t)n;
		len -= n;
	}
	*ret = s;
}

void text_slice_finish(struct text_slice *s)
{
	for (int i = 0; i < s->n; i++)
		chunk_unref(s->chunks[i]);
	s->n = 0;
	s->len = 0;
}

int64_t text_line_after(const struct text *t, int64_t at)
{
	if (at < t->base)
		at = t->base;
	while (at < t->end) {
		int64_t in = at - t->first;
		size_t skip = (size_t)(in % TEXT_CHUNK_BYTES);
		size_t n = TEXT_CHUNK_BYTES - skip;
		if ((int64_t)n > t->end - at)
			n = (size_t)(t->end - at);
		const uint8_t *p = t->chunks[in / TEXT_CHUNK_BYTES]->data + skip;
		const uint8_t *lf = memchr(p, '\n', n);
		if (lf)
			return at + (lf - p) + 1;
		at += (int64_t)n;
	}
	return t->end;
}

uint64_t text_hash(const struct text *t)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (int64_t at = t->base; at < t->end;) {
		int64_t in = at - t->first;
		size_t skip = (size_t)(in % TEXT_CHUNK_BYTES);
		size_t n = TEXT_CHUNK_BYTES - skip;
		if ((int64_t)n > t->end - at)
			n = (size_t)(t->end - at);
		h = (h ^ hash_bytes(t->chunks[in / TEXT_CHUNK_BYTES]->data + skip, n)) * 0x100000001b3u;
		at += (int64_t)n;
	}
	return h;
}
