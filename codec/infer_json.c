/* Column discovery in JSON documents: every member path met becomes a node, numbered in order of first appearance, with a tally of types.
 * Objects are walked into; arrays are values. Works on documents that json_scan has found well-formed, without recursion; the number of
 * nodes is bounded, whatever the documents hold. */
#include <stdlib.h>
#include "codec/codec.h"
#include "codec/infer_parts.h"
#include "codec/json_scan.h"
#include "codec/number.h"
#include "core/alloc.h"
#include "core/utf8.h"

enum {
	MAX_NODES = 2 * CODEC_MAX_COLUMNS,
	MAX_FLATTEN = 16,                    /* objects deeper than this stay JSON */
	MAX_KEY_BYTES = 256,
	TABLE_SIZE = 8192,                   /* > 2 * MAX_NODES, power of two */
	MAX_ELEMENTS = 2000,                 /* elements of an exploded array looked at per message */
	MAX_LINES = 2000,
};

struct node {
	uint32_t parent;
	uint32_t depth;
	uint8_t *key;
	size_t key_len;
	struct tally tally;
	uint32_t object_n;                   /* documents in which it was an object */
	uint32_t child_n;
	uint64_t document;                   /* the last one it was met in, and as what: a repeated key counts once */
	enum seen last;
	bool last_object;
};

struct tree {
	struct node *nodes;                  /* [0] is the document (or element) */
	size_t node_n;
	uint32_t *table;                     /* hash of (parent, key) -> node, 0 = free */
	uint64_t document;
	size_t document_n;
	size_t left_out;
	struct buf key;
};

static void tree_init(struct tree *t)
{
	*t = (struct tree){.key = BUF_INIT};
	t->nodes = xcalloc(MAX_NODES, sizeof *t->nodes);
	t->table = xcalloc(TABLE_SIZE, sizeof *t->table);
	t->node_n = 1;
}

static void tree_finish(struct tree *t)
{
	for (size_t i = 0; i < t->node_n; i++)
		free(t->nodes[i].key);
	free(t->nodes);
	free(t->table);
	buf_finish(&t->key);
}

/* 0 = no such node and no room for it. */
static uint32_t tree_child(struct tree *t, uint32_t parent, const uint8_t *key, size_t len)
{
	if (len > MAX_KEY_BYTES || memchr(key, '\0', len) || !utf8_valid(key, len)) {
		t->left_out++;
		return 0;
	}
	uint32_t h = (uint32_t)(hash_bytes(key, len) ^ parent * 0x9E3779B1u) & (TABLE_SIZE - 1);
	for (; t->table[h]; h = (h + 1) & (TABLE_SIZE - 1)) {
		const struct node *n = &t->nodes[t->table[h]];
		if (n->parent == parent && n->key_len == len && memcmp(n->key, key, len) == 0)
			return t->table[h];
	}
	if (t->node_n == MAX_NODES) {
		t->left_out++;
		return 0;
	}
	uint32_t added = (uint32_t)t->node_n++;
	t->nodes[parent].child_n++;
	t->table[h] = added;
	t->nodes[added] = (struct node){.parent = parent, .depth = t->nodes[parent].depth + 1, .key = (uint8_t *)xstrndup((const char *)key, len), .key_len = len};
	return added;
}

static void count(struct tree *t, uint32_t at, enum seen seen, bool object)
{
	struct node *n = &t->nodes[at];
	if (n->document == t->document) {
		if (n->last_object)
			n->object_n--;
		else
			n->tally.n[n->last]--;
	}
	n->document = t->document;
	n->last = seen;
	n->last_object = object;
	if (object)
		n->object_n++;
	else
		n->tally.n[seen]++;
}

static const uint8_t *after_string(const uint8_t *p, const uint8_t *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\';
	return p < end ? p + 1 : end;
}

/* p is at '[' or '{'; returns the byte after its partner. */
static const uint8_t *after_container(const uint8_t *p, const uint8_t *end)
{
	size_t depth = 0;
	while (p < end) {
		if (*p == '"') {
			p = after_string(p, end);
			continue;
		}
		depth += *p == '[' || *p == '{';
		depth -= *p == ']' || *p == '}';
		p++;
		if (depth == 0)
			break;
	}
	return p;
}

static const uint8_t *skip_space(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p <= ' ')
		p++;
	return p;
}

static const uint8_t *after_scalar(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p > ' ' && *p != ',' && *p != '}' && *p != ']')
		p++;
	return p;
}

static enum seen scalar_seen(const uint8_t *p, const uint8_t *end)
{
	int64_t i;
	switch (*p) {
	case '"':
		return SEEN_TEXT;
	case '[':
	case '{':
		return SEEN_JSON;
	case 't':
	case 'f':
		return SEEN_BOOLEAN;
	case 'n':
		return end - p > 1 && p[1] == 'u' ? SEEN_NULL : SEEN_REAL;   /* null, nan */
	default:
		if (number_int(p, (size_t)(end - p), &i))
			return SEEN_INTEGER;
		for (const uint8_t *q = p + (*p == '-'); q < end; q++)
			if (*q < '0' || *q > '9')
				return SEEN_REAL;                      /* also NaN, Infinity */
		return SEEN_BIG;
	}
}

/* Walks one well-formed document. */
static void tree_walk(struct tree *t, struct bytes doc)
{
	const uint8_t *p = doc.data;
	const uint8_t *end = p + doc.len;
	uint32_t up[MAX_FLATTEN + 1];
	size_t depth = 0;                    /* objects entered */
	uint32_t at = 0;
	t->document++;
	t->document_n++;
	p = skip_space(p, end);
	while (p < end) {
		/* A value of node `at` begins at p; at == UINT32_MAX: nobody's. */
		if (*p == '{' && at != UINT32_MAX && depth < MAX_FLATTEN) {
			const uint8_t *inside = skip_space(p + 1, end);
			if (inside < end && *inside != '}') {
				count(t, at, SEEN_JSON, true);
				up[depth++] = at;
				p = inside;
				goto key;
			}
		}
		const uint8_t *after = *p == '"' ? after_string(p, end) : *p == '{' || *p == '[' ? after_container(p, end) : after_scalar(p, end);
		if (at != UINT32_MAX)
			count(t, at, scalar_seen(p, after), *p == '{' && depth < MAX_FLATTEN);   /* {}: an object all the same */
		p = skip_space(after, end);
		while (p < end && depth > 0 && *p == '}') {
			depth--;
			p = skip_space(p + 1, end);
		}
		if (p >= end || depth == 0 || *p != ',')
			return;
		p = skip_space(p + 1, end);
key:
		if (p >= end || *p != '"')
			return;
		const uint8_t *name = p + 1;
		p = after_string(p, end);
		size_t len = (size_t)(p - name - 1);
		uint32_t child;
		if (memchr(name, '\\', len)) {
			buf_clear(&t->key);
			buf_reserve(&t->key, len + 8);
			len = json_unescape(name, len, (uint8_t *)t->key.data, NULL);
			child = tree_child(t, up[depth - 1], (const uint8_t *)t->key.data, len);
		} else {
			child = tree_child(t, up[depth - 1], name, len);
		}
		at = child ? child : UINT32_MAX;
		p = skip_space(p, end);
		p = skip_space(p + 1, end);
	}
}

/* The node that the exploded array's path leads to, 0 if it was not met or is the document. */
static uint32_t tree_find(struct tree *t, const struct json_path *path)
{
	uint32_t at = 0;
	for (size_t i = 0; i < path->step_n; i++) {
		uint32_t found = 0;
		for (uint32_t k = 1; k < t->node_n && !found && !path->steps[i].is_index; k++)
			if (t->nodes[k].parent == at && t->nodes[k].key_len == path->steps[i].key.len && memcmp(t->nodes[k].key, path->steps[i].key.data, t->nodes[k].key_len) == 0)
				found = k;
		if (!found)
			return 0;
		at = found;
	}
	return at;
}

static size_t tree_columns(struct tree *t, struct stream *s, bool element, uint32_t skip, bool scalars_only, const char *unit)
{
	size_t left_out = 0;
	struct buf name = BUF_INIT;
	struct buf path = BUF_INIT;
	for (size_t i = 1; i <= t->node_n; i++) {
		uint32_t at = (uint32_t)(i == t->node_n ? 0 : i);   /* the document itself comes last */
		struct node *n = &t->nodes[at];
		uint32_t values = 0;
		for (int k = 0; k < SEEN_NULL; k++)
			values += n->tally.n[k];
		if (values == 0 && n->object_n > 0 && n->child_n == 0 && at != 0)
			n->tally.n[SEEN_JSON] = values = n->object_n;      /* never anything but {} */
		if (values == 0 && (at == 0 || n->object_n > 0))
			continue;
		if ((skip && at == skip) || (scalars_only && values == n->tally.n[SEEN_JSON] && values > 0))
			continue;
		if (at && n->tally.n[SEEN_NULL] == 0 && values == 0)
			continue;                                  /* only repeated keys that were overwritten */
		uint32_t chain[MAX_FLATTEN + 2];
		size_t chain_n = 0;
		for (uint32_t k = at; k; k = t->nodes[k].parent)
			chain[chain_n++] = k;
		buf_clear(&name);
		buf_clear(&path);
		buf_addc(&path, element ? '@' : '$');
		while (chain_n > 0) {
			const struct node *step = &t->nodes[chain[--chain_n]];
			if (name.len)
				buf_addc(&name, '.');
			buf_add(&name, step->key, step->key_len);
			json_path_add_key(&path, step->key, step->key_len);
		}
		char *note;
		enum column_type type = tally_type(&n->tally, t->document_n, unit, &note);
		if (n->object_n && n->child_n && !note)
			note = xasprintf("also an object in %u of %zu %s", n->object_n, t->document_n, unit);
		const char *shown = at == 0 ? "value" : name.len ? name.data : "empty";
		left_out += !infer_add_column(s, shown, type, path.data, note);
	}
	buf_finish(&name);
	buf_finish(&path);
	return left_out;
}

size_t infer_json_columns(struct stream *s, const struct record *const *samples, size_t sample_n, bool lines)
{
	struct json_path explode = {0};
	struct json_scanner scanner;
	struct tree root;
	struct tree element;
	size_t len = s->explode ? strlen(s->explode) : 0;
	bool exploding = !lines && len > 3 && json_path_parse(bytes_of(s->explode, len - 3), &explode);
	json_scanner_init(&scanner);
	json_scanner_set_program(&scanner, json_program_create(NULL, 0, exploding ? &explode : NULL, NULL));
	tree_init(&root);
	tree_init(&element);
	for (size_t i = 0; i < sample_n; i++) {
		struct bytes rest = record_value(samples[i]);
		for (size_t n = 0; rest.data && rest.len && n < MAX_LINES; n++) {
			struct bytes doc = rest;
			const uint8_t *nl = lines ? memchr(rest.data, '\n', rest.len) : NULL;
			if (nl)
				doc.len = (size_t)(nl - rest.data);
			rest = bytes_of(rest.data + doc.len, rest.len - doc.len);
			if (rest.len) {
				rest.data++;
				rest.len--;
			}
			if (!json_scan(&scanner, doc) || scanner.empty)
				continue;
			for (size_t k = 0; k < scanner.span_n && k < MAX_ELEMENTS; k++)
				tree_walk(&element, bytes_of(doc.data + scanner.spans[k].start, scanner.spans[k].len));
			if (scanner.bom)
				doc = bytes_of(doc.data + 3, doc.len - 3);
			tree_walk(&root, doc);
		}
	}
	size_t left_out;
	if (exploding) {
		/* An exploded '$[*]' has nothing beside its elements. */
		bool beside = explode.step_n > 0;
		left_out = beside ? tree_columns(&root, s, false, tree_find(&root, &explode), true, "messages") : 0;
		left_out += tree_columns(&element, s, true, 0, false, "elements");
	} else {
		left_out = tree_columns(&root, s, false, 0, false, lines ? "lines" : "messages");
	}
	/* Keys that could not become columns recur in every message: counted once at least. */
	left_out += root.left_out + element.left_out;
	tree_finish(&root);
	tree_finish(&element);
	json_scanner_finish(&scanner);
	json_path_finish(&explode);
	return left_out;
}
