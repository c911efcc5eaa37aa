/* JSON paths, and the program that a set of them compiles to.
 * Path: '$' (document) or '@' (element of an exploded array), then steps .name ."any name" [n]; in quotes \" and \\ are escapes.
 * A program is a trie of the wanted paths in pre-order, so that the slots below any node are one range: that is what a repeated key clears.
 * Owner: one scanner (nodes carry its marks); one thread. */
#ifndef WEIR_CODEC_JSON_PATH_H
#define WEIR_CODEC_JSON_PATH_H

#include <stdbool.h>
#include "core/buf.h"
#include "core/bytes.h"

struct json_step {
	bool is_index;
	uint32_t index;
	struct bytes key;                    /* points into json_path.keys */
};

struct json_path {
	bool element;                        /* begins with '@' */
	struct json_step *steps;
	size_t step_n;
	uint8_t *keys;                       /* the decoded key bytes of all steps */
};

/* False if the text is not such a path; then *ret is untouched. Finish with json_path_finish. */
bool json_path_parse(struct bytes text, struct json_path *ret);
void json_path_finish(struct json_path *path);
/* The path a column has that was declared without one: its name, dots separating steps. element: begin with '@'. */
void json_path_from_name(const char *name, bool element, struct json_path *ret);
/* Appends one .step in the path syntax, quoted if it needs to be. */
void json_path_add_key(struct buf *to, const void *key, size_t len);

struct json_edge {
	uint64_t head;                       /* first 8 key bytes, zero filled, as the machine loads them */
	uint32_t len;
	uint32_t node;
	const uint8_t *key;
};

struct json_item {
	uint32_t index;
	uint32_t node;
};

struct json_node {
	uint64_t filter;                     /* bits json_key_filter of all edges: most unwanted keys are seen by one test */
	uint64_t seen;                       /* scan number in which this node was last met: a second meeting is a repeated key */
	struct json_edge *edges;             /* member names, in the order the paths were given */
	struct json_item *items;             /* array indexes, rising */
	uint32_t *table;                     /* hash of edges (edge + 1, 0 = free), NULL for few edges */
	uint32_t table_mask;
	uint32_t edge_n;
	uint32_t item_n;
	uint32_t guess;                      /* the edge expected next: messages of a topic have the same shape */
	int32_t slot;                        /* -1 = only passed through */
	uint32_t slot_first, slot_end;       /* slots of this node and below */
	bool explode;                        /* the array whose elements are rows */
};

struct json_program {
	struct json_node *nodes;             /* [0] is the document */
	size_t node_n;
	size_t slot_n;
	struct json_edge *edge_block;
	struct json_item *item_block;
	uint8_t *key_block;
};

/* Compiles paths[0..n); ret_slots[i] becomes the slot of path i (equal paths share one). explode may be NULL. The paths are not kept. */
struct json_program *json_program_create(const struct json_path *const *paths, size_t n, const struct json_path *explode, int *ret_slots);
void json_program_destroy(struct json_program *p);

/* The first 8 bytes of a key as in json_edge.head; at most `room` bytes may be read at key. */
static inline uint64_t json_key_head(const uint8_t *key, size_t len, size_t room)
{
	uint64_t head = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	if (room >= 8) {
		memcpy(&head, key, 8);
		return len >= 8 ? head : head & ((1ull << (8 * len)) - 1);
	}
#endif
	memcpy(&head, key, len < 8 ? len : 8);
	return head;
}

/* Bit number of a key in json_node.filter. first: its first byte, or for an empty key any byte (the quote that follows it). */
static inline unsigned json_key_filter(uint8_t first, size_t len)
{
	return (unsigned)(len ? first + 5 * len : 0) & 63;
}

static inline uint32_t json_key_hash(uint64_t head, const uint8_t *key, size_t len)
{
	uint64_t tail = len > 8 ? json_key_head(key + len - 8, 8, 8) : 0;
	uint64_t h = (head ^ len * 0x9E3779B97F4A7C15ull) * 0xff51afd7ed558ccdull;
	h = (h ^ h >> 32 ^ tail) * 0xc4ceb9fe1a85ec53ull;
	return (uint32_t)(h >> 32);
}

#endif
