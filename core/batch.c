/* core/batch.h */
#include "core/batch.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include "core/alloc.h"

struct batch_pool {
	atomic_int refs;             /* the owner's, plus one for each live batch */
	pthread_mutex_t lock;        /* guards free_list, free_n */
	struct batch *free_list;
	size_t free_n;
	size_t max_free;
	size_t record_cap;
	size_t block_bytes;
};

struct batch_pool *batch_pool_create(size_t record_cap, size_t block_bytes, size_t max_free)
{
	struct batch_pool *pool = xcalloc(1, sizeof *pool);
	atomic_init(&pool->refs, 1);
	pthread_mutex_init(&pool->lock, NULL);
	pool->record_cap = record_cap;
	pool->block_bytes = block_bytes;
	pool->max_free = max_free;
	return pool;
}

static void batch_free(struct batch *b)
{
	free(b->records);
	free(b->block);
	free(b);
}

void batch_pool_unref(struct batch_pool *pool)
{
	if (!pool || atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) != 1)
		return;
	while (pool->free_list) {
		struct batch *b = pool->free_list;
		pool->free_list = b->next_free;
		batch_free(b);
	}
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static struct batch *batch_alloc(size_t record_cap, size_t block_bytes)
{
	struct batch *b = calloc(1, sizeof *b);
	if (!b)
		return NULL;
	b->records = malloc(record_cap * sizeof *b->records);
	b->block = malloc(block_bytes);
	if (!b->records || !b->block) {
		batch_free(b);
		return NULL;
	}
	b->record_cap = record_cap;
	b->block_cap = block_bytes;
	return b;
}

struct batch *batch_create(struct batch_pool *pool, int32_t partition, size_t min_block_bytes)
{
	struct batch *b = NULL;
	if (min_block_bytes <= pool->block_bytes) {
		pthread_mutex_lock(&pool->lock);
		b = pool->free_list;
		if (b) {
			pool->free_list = b->next_free;
			pool->free_n--;
		}
		pthread_mutex_unlock(&pool->lock);
	}
	if (!b)
		b = batch_alloc(pool->record_cap, min_block_bytes > pool->block_bytes ? min_block_bytes : pool->block_bytes);
	if (!b)
		return NULL;
	atomic_store_explicit(&b->refs, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
	b->pool = pool;
	b->partition = partition;
	b->record_n = 0;
	b->block_used = 0;
	b->sealed = false;
	b->next_free = NULL;
	return b;
}

static const uint8_t *copy_in(struct batch *b, struct bytes s)
{
	if (!s.data)
		return NULL;
	uint8_t *to = b->block + b->block_used;
	if (s.len)
		memcpy(to, s.data, s.len);
	b->block_used += s.len;
	return to;
}

bool batch_add(struct batch *b, const struct record *meta, struct bytes key, struct bytes value, struct bytes headers)
{
	assert(!b->sealed);
	size_t need = key.len + value.len + headers.len;
	if (b->record_n == b->record_cap || need > b->block_cap - b->block_used)
		return false;
	struct record *r = &b->records[b->record_n++];
	*r = *meta;
	r->key = copy_in(b, key);
	r->value = copy_in(b, value);
	r->headers = copy_in(b, headers);
	r->key_len = (uint32_t)key.len;
	r->value_len = (uint32_t)value.len;
	r->headers_len = (uint32_t)headers.len;
	return true;
}

void batch_seal(struct batch *b)
{
	b->sealed = true;
}

struct batch *batch_ref(struct batch *b)
{
	if (b)
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void batch_unref(struct batch *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct batch_pool *pool = b->pool;
	bool keep = false;
	/* An oversized block is freed: one 10 MB message must not stay resident. */
	if (b->block_cap == pool->block_bytes) {
		pthread_mutex_lock(&pool->lock);
		if (pool->free_n < pool->max_free) {
			b->next_free = pool->free_list;
			pool->free_list = b;
			pool->free_n++;
			keep = true;
		}
		pthread_mutex_unlock(&pool->lock);
	}
	if (!keep)
		batch_free(b);
	batch_pool_unref(pool);
}
