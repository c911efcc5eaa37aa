/* codec/json_path.h. Compilation: paths go into a linked trie in the order given, then an iterative pre-order walk lays the nodes out. */
#include "codec/json_path.h"

#include <stdlib.h>
#include "codec/codec.h"
#include "core/alloc.h"

enum { FEW_EDGES = 8 };                      /* up to here comparing one by one beats hashing */

static bool is_bare_key_byte(uint8_t c)
{
	return c != '.' && c != '[' && c != ']' && c != '"';
}

bool json_path_parse(struct bytes text, struct json_path *ret)
{
	const uint8_t *p = text.data;
	const uint8_t *end = p + text.len;
	if (!p || p == end || (*p != '$' && *p != '@'))
		return false;
	struct json_path path = {.element = *p == '@', .keys = xmalloc(text.len)};
	uint8_t *out = path.keys;
	size_t cap = 0;
	p++;
	while (p < end) {
		struct json_step step = {.is_index = *p == '['};
		if (*p == '[') {
			const uint8_t *digits = ++p;
			uint64_t n = 0;
			while (p < end && *p >= '0' && *p <= '9' && n <= UINT32_MAX)
				n = n * 10 + (uint64_t)(*p++ - '0');
			if (p == digits || n > UINT32_MAX - 1 || p == end || *p != ']')
				goto bad;
			p++;
			step.index = (uint32_t)n;
		} else if (*p == '.') {
			step.key.data = out;
			if (++p < end && *p == '"') {
				p++;
				while (p < end && *p != '"') {
					if (*p == '\\' && end - p > 1 && (p[1] == '"' || p[1] == '\\'))
						p++;
					*out++ = *p++;
				}
				if (p == end)
					goto bad;
				p++;
			} else {
				const uint8_t *start = p;
				while (p < end && is_bare_key_byte(*p))
					*out++ = *p++;
				if (p == start)
					goto bad;
			}
			step.key.len = (size_t)(out - step.key.data);
		} else {
			goto bad;
		}
		if (path.step_n >= CODEC_MAX_DEPTH)
			goto bad;
		if (path.step_n == cap) {
			cap = cap ? cap * 2 : 4;
			path.steps = xreallocarray(path.steps, cap, sizeof *path.steps);
		}
		path.steps[path.step_n++] = step;
	}
	*ret = path;
	return true;
bad:
	json_path_finish(&path);
	return false;
}

void json_path_finish(struct json_path *path)
{
	if (!path)
		return;
	free(path->steps);
	free(path->keys);
	*path = (struct json_path){0};
}

void json_path_from_name(const char *name, bool element, struct json_path *ret)
{
	size_t len = strlen(name);
	struct json_path path = {.element = element, .keys = (uint8_t *)xstrdup(name)};
	size_t n = 1;
	for (size_t i = 0; i < len; i++)
		n += name[i] == '.';
	path.steps = xcalloc(n, sizeof *path.steps);
	const uint8_t *start = path.keys;
	for (const uint8_t *p = path.keys;; p++) {
		if (*p == '.' || *p == '\0') {
			if (path.step_n < CODEC_MAX_DEPTH)
				path.steps[path.step_n++].key = bytes_of(start, (size_t)(p - start));
			start = p + 1;
		}
		if (*p == '\0')
			break;
	}
	*ret = path;
}

void json_path_add_key(struct buf *to, const void *key, size_t len)
{
	const uint8_t *p = key;
	bool bare = len > 0;
	for (size_t i = 0; i < len && bare; i++)
		bare = is_bare_key_byte(p[i]) && p[i] > ' ' && p[i] != '\\' && p[i] != '*';
	buf_addc(to, '.');
	if (bare) {
		buf_add(to, key, len);
		return;
	}
	buf_addc(to, '"');
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '"' || p[i] == '\\')
			buf_addc(to, '\\');
		buf_addc(to, (char)p[i]);
	}
	buf_addc(to, '"');
}

/* The trie while it is built. Indexes, not pointers: the array grows. 0 is the root, so 0 also means "none" in links. */
struct draft {
	const struct json_step *step;
	uint32_t first_child, last_child, next;
	uint32_t child_n;
	bool wanted, explode;
	int32_t slot;
	uint32_t laid;                       /* index in the program */
};

struct drafts {
	struct draft *at;
	size_t n, cap;
};

static uint32_t draft_add(struct drafts *d, const struct json_step *step)
{
	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 16;
		d->at = xreallocarray(d->at, d->cap, sizeof *d->at);
	}
	d->at[d->n] = (struct draft){.step = step, .slot = -1};
	return (uint32_t)d->n++;
}

static bool step_equal(const struct json_step *a, const struct json_step *b)
{
	if (a->is_index != b->is_index)
		return false;
	return a->is_index ? a->index == b->index : a->key.len == b->key.len && memcmp(a->key.data, b->key.data, a->key.len) == 0;
}

static uint32_t draft_insert(struct drafts *d, const struct json_path *path)
{
	uint32_t at = 0;
	for (size_t i = 0; i < path->step_n; i++) {
		uint32_t child = d->at[at].first_child;
		while (child && !step_equal(d->at[child].step, &path->steps[i]))
			child = d->at[child].next;
		if (!child) {
			child = draft_add(d, &path->steps[i]);
			if (d->at[at].last_child)
				d->at[d->at[at].last_child].next = child;
			else
				d->at[at].first_child = child;
			d->at[at].last_child = child;
			d->at[at].child_n++;
		}
		at = child;
	}
	return at;
}

static int compare_items(const void *a, const void *b)
{
	const struct json_item *x = a;
	const struct json_item *y = b;
	return (x->index > y->index) - (x->index < y->index);
}

static void node_build_table(struct json_node *node)
{
	uint32_t size = 32;
	while (size < node->edge_n * 2)
		size *= 2;
	node->table = xcalloc(size, sizeof *node->table);
	node->table_mask = size - 1;
	for (uint32_t i = 0; i < node->edge_n; i++) {
		const struct json_edge *e = &node->edges[i];
		uint32_t h = json_key_hash(e->head, e->key, e->len) & node->table_mask;
		while (node->table[h])
			h = (h + 1) & node->table_mask;
		node->table[h] = i + 1;
	}
}

/* Pre-order without recursion: `next` links lead right, a stack of ancestors leads up. */
static void lay_out(struct drafts *d, struct json_program *p)
{
	uint32_t *up = xreallocarray(NULL, d->n, sizeof *up);
	size_t depth = 0;
	uint32_t at = 0;
	for (;;) {
		struct draft *draft = &d->at[at];
		struct json_node *node = &p->nodes[p->node_n];
		draft->laid = (uint32_t)p->node_n++;
		*node = (struct json_node){.slot = -1, .slot_first = (uint32_t)p->slot_n, .explode = draft->explode};
		if (draft->wanted)
			draft->slot = node->slot = (int32_t)p->slot_n++;
		node->slot_end = (uint32_t)p->slot_n;
		if (draft->first_child) {
			up[depth++] = at;
			at = draft->first_child;
			continue;
		}
		while (!d->at[at].next && depth > 0) {
			at = up[--depth];
			p->nodes[d->at[at].laid].slot_end = (uint32_t)p->slot_n;
		}
		if (!d->at[at].next)
			break;
		at = d->at[at].next;
	}
	free(up);
}

struct json_program *json_program_create(const struct json_path *const *paths, size_t n, const struct json_path *explode, int *ret_slots)
{
	struct drafts d = {0};
	draft_add(&d, NULL);
	uint32_t *leaf = xreallocarray(NULL, n ? n : 1, sizeof *leaf);
	for (size_t i = 0; i < n; i++) {
		leaf[i] = draft_insert(&d, paths[i]);
		d.at[leaf[i]].wanted = true;
	}
	if (explode)
		d.at[draft_insert(&d, explode)].explode = true;

	size_t key_bytes = 0;
	for (size_t i = 1; i < d.n; i++)
		key_bytes += d.at[i].step->key.len;
	struct json_program *p = xcalloc(1, sizeof *p);
	p->nodes = xcalloc(d.n, sizeof *p->nodes);
	p->edge_block = xcalloc(d.n, sizeof *p->edge_block);
	p->item_block = xcalloc(d.n, sizeof *p->item_block);
	p->key_block = xmalloc(key_bytes ? key_bytes : 1);
	lay_out(&d, p);

	struct json_edge *edge = p->edge_block;
	struct json_item *item = p->item_block;
	uint8_t *key = p->key_block;
	for (size_t i = 0; i < d.n; i++) {
		struct json_node *node = &p->nodes[d.at[i].laid];
		node->edges = edge;
		node->items = item;
		for (uint32_t child = d.at[i].first_child; child; child = d.at[child].next) {
			const struct json_step *step = d.at[child].step;
			if (step->is_index) {
				*item++ = (struct json_item){.index = step->index, .node = d.at[child].laid};
				continue;
			}
			if (step->key.len)
				memcpy(key, step->key.data, step->key.len);
			*edge++ = (struct json_edge){.head = json_key_head(key, step->key.len, 0), .len = (uint32_t)step->key.len, .node = d.at[child].laid, .key = key};
			node->filter |= 1ull << json_key_filter(step->key.len ? key[0] : 0, step->key.len);
			key += step->key.len;
		}
		node->edge_n = (uint32_t)(edge - node->edges);
		node->item_n = (uint32_t)(item - node->items);
		if (node->item_n > 1)
			qsort(node->items, node->item_n, sizeof *node->items, compare_items);
		if (node->edge_n > FEW_EDGES)
			node_build_table(node);
	}
	for (size_t i = 0; i < n; i++)
		ret_slots[i] = d.at[leaf[i]].slot;
	free(leaf);
	free(d.at);
	return p;
}

void json_program_destroy(struct json_program *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->node_n; i++)
		free(p->nodes[i].table);
	free(p->nodes);
	free(p->edge_block);
	free(p->item_block);
	free(p->key_block);
	free(p);
}
