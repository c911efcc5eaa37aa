/* A batch: records of ONE partition, in rising offset order, with their payload in one block. Filled by one thread, then sealed; a sealed
 * batch is immutable and shared by reference between threads without locks (table cursor, windows, mount).
 *
 * Life: batch_create -> batch_add* -> batch_seal -> batch_ref/unref anywhere -> back to its pool at the last unref. The pool recycles the
 * memory, and lives as long as any of its batches. Pointers in a record are valid as long as a reference to the batch is held.
 * Source of the idea: a retained librdkafka message pins a whole fetch response, so payload is copied once and shared from here. */
#ifndef WEIR_CORE_BATCH_H
#define WEIR_CORE_BATCH_H

#include <stdatomic.h>
#include "core/bytes.h"
#include "core/err.h"

enum ts_type { TS_TYPE_NONE, TS_TYPE_CREATE, TS_TYPE_APPEND };

struct record {
	int64_t offset;
	int64_t ts_ms;               /* TIME_NONE if the record has none (-1, or message format v0) */
	const uint8_t *key;          /* NULL = null key, or keys were not asked for (scan_request.need) */
	const uint8_t *value;        /* NULL = tombstone, or values were not asked for */
	const uint8_t *headers;      /* the encoding of core/headers.h, NULL = none */
	uint32_t key_len;
	uint32_t value_len;
	uint32_t headers_len;
	uint32_t size;               /* bytes of key + value (+ headers where known) on the broker's side, also when not copied */
	uint8_t ts_type;             /* enum ts_type */
	bool too_large;              /* larger than scan_request.max_message_bytes: value was not copied and is NULL */
};

struct batch {
	atomic_int refs;
	int32_t partition;
	struct record *records;
	size_t record_n;
	size_t record_cap;
	uint8_t *block;
	size_t block_used;
	size_t block_cap;
	bool sealed;
	struct batch_pool *pool;
	struct batch *next_free;
};

struct batch_pool;

/* record_cap and block_bytes size a normal batch; at most max_free batches are kept for reuse. Caller owns one reference. Thread-safe. */
struct batch_pool *batch_pool_create(size_t record_cap, size_t block_bytes, size_t max_free);
void batch_pool_unref(struct batch_pool *pool);

/* An empty batch with room for at least min_block_bytes of payload. NULL only when memory is out. One reference, caller's. */
struct batch *batch_create(struct batch_pool *pool, int32_t partition, size_t min_block_bytes);

/* Copies one record in. key/value/headers with data NULL stay NULL. False if it does not fit (seal this one, create the next); never grows. */
bool batch_add(struct batch *b, const struct record *meta, struct bytes key, struct bytes value, struct bytes headers);

void batch_seal(struct batch *b);
struct batch *batch_ref(struct batch *b);
void batch_unref(struct batch *b);

static inline struct bytes record_key(const struct record *r)
{
	return bytes_of(r->key, r->key ? r->key_len : 0);
}
static inline struct bytes record_value(const struct record *r)
{
	return bytes_of(r->value, r->value ? r->value_len : 0);
}

#endif
