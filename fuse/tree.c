/* Names. A node is what the kernel knows by a number (here: its address); it lives while the kernel counts lookups of it, a handle is open on it, or
 * it has children. Nodes are found by (parent, name), except texts about the mount, which get a new node for each lookup: their content is
 * made at that moment and their size is exact.
 *
 *     @README  @status  @query/NAME.csv                              about the mount, saved queries
 *     @view/NAME.ndjson                                              the rows of a live view
 *     [CLUSTER/]TOPIC/tail.ndjson                                    a window that grows
 *     [CLUSTER/]TOPIC/log/PARTITION/00000000000000010000.ndjson      segments
 *     [CLUSTER/]TOPIC/meta.json
 *     [CLUSTER/]TOPIC/follow...  time/DATE/HH.ndjson  key/KEY.ndjson     not listed
 *
 * Kafka forbids '@' in topic names, so ours cannot collide. Everything here is answered from memory. All functions under mu. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "core/alloc.h"
#include "core/hash.h"
#include "core/time.h"
#include "fuse/state.h"

enum {
	DAY_MS = 86400000,
	HOUR_MS = 3600000,
	BOUNDS_FRESH_MS = 2000,
};

bool node_is_dir(const struct node *n)
{
	switch (n->kind) {
	case NODE_ROOT:
	case NODE_CLUSTER:
	case NODE_QUERIES:
	case NODE_VIEWS:
	case NODE_TOPIC:
	case NODE_LOG:
	case NODE_PARTITION:
	case NODE_TIME:
	case NODE_DAY:
	case NODE_KEYS:
		return true;
	default:
		return false;
	}
}

static bool has_doc(const struct node *n)
{
	return n->kind == NODE_SEGMENT || n->kind == NODE_HOUR || n->kind == NODE_KEY || n->kind == NODE_QUERY;
}

/* ---- life of nodes */

uint64_t tree_name_ino(uint64_t parent, const char *name)
{
	uint64_t h = (parent * 0x9E3779B97F4A7C15u) ^ hash_bytes(name, strlen(name));
	h ^= h >> 31;
	return h < 16 ? h + 16 : h;
}

static size_t bucket(const struct mount *m, const struct node *parent, const char *name)
{
	return (size_t)((hash_bytes(name, strlen(name)) ^ (uint64_t)(uintptr_t)parent >> 4) % m->node_bucket_n);
}

static struct node *node_create(struct mount *m, struct node *parent, const char *name, enum node_kind kind)
{
	size_t len = strlen(name);
	struct node *n = xcalloc(1, sizeof *n + len + 1);
	n->kind = kind;
	memcpy(n->name, name, len + 1);
	n->st_ino = parent ? tree_name_ino(parent->st_ino, name) : FUSE_ROOT_ID;
	n->made_ms = time_now_ms();
	n->parent = parent;
	if (parent) {
		parent->child_n++;
		n->cluster = parent->cluster;
		n->topic = parent->topic;
		n->partition = parent->partition;
	}
	link_append(&m->nodes_all, &n->all);
	m->node_n++;
	return n;
}

static void hash_grow(struct mount *m)
{
	size_t n = m->node_bucket_n * 4;
	struct node **more = xcalloc(n, sizeof(struct node *));
	struct node **old = m->nodes;
	size_t old_n = m->node_bucket_n;
	m->nodes = more;
	m->node_bucket_n = n;
	for (size_t i = 0; i < old_n; i++)
		for (struct node *at = old[i], *next; at; at = next) {
			next = at->hash_next;
			size_t b = bucket(m, at->parent, at->name);
			at->hash_next = more[b];
			more[b] = at;
		}
	free(old);
}

static void node_hash(struct mount *m, struct node *n)
{
	if (m->node_n > m->node_bucket_n * 2)
		hash_grow(m);
	size_t b = bucket(m, n->parent, n->name);
	n->hash_next = m->nodes[b];
	m->nodes[b] = n;
	n->hashed = true;
}

static void node_unhash(struct mount *m, struct node *n)
{
	if (!n->hashed)
		return;
	for (struct node **at = &m->nodes[bucket(m, n->parent, n->name)]; *at; at = &(*at)->hash_next)
		if (*at == n) {
			*at = n->hash_next;
			break;
		}
	n->hashed = false;
}

static struct node *node_find(struct mount *m, struct node *parent, const char *name)
{
	for (struct node *n = m->nodes[bucket(m, parent, name)]; n; n = n->hash_next)
		if (n->parent == parent && strcmp(n->name, name) == 0)
			return n;
	return NULL;
}

static void node_free(struct mount *m, struct node *n)
{
	node_unhash(m, n);
	link_remove(&n->all);
	doc_unref(m, n->doc);
	feed_unref(n->feed);
	free(n->data);
	free(n);
	m->node_n--;
}

/* Frees n and then its ancestors, as far as nothing holds them. */
static void node_settle(struct mount *m, struct node *n)
{
	while (n && n != m->root && n->nlookup == 0 && n->handle_n == 0 && n->child_n == 0) {
		struct node *parent = n->parent;
		node_free(m, n);
		if (parent)
			parent->child_n--;
		n = parent;
	}
}

void tree_forget(struct mount *m, struct node *n, uint64_t count)
{
	n->nlookup = count < n->nlookup ? n->nlookup - count : 0;
	node_settle(m, n);
}

void tree_unref_handle(struct mount *m, struct node *n)
{
	n->handle_n--;
	node_settle(m, n);
}

void tree_init(struct mount *m)
{
	m->node_bucket_n = 1024;
	m->nodes = xcalloc(m->node_bucket_n, sizeof(struct node *));
	link_init(&m->nodes_all);
	m->root = node_create(m, NULL, "", NODE_ROOT);
	m->root->nlookup = 1;
	m->root->cluster = m->cluster_n == 1 ? m->clusters[0] : NULL;
}

void tree_finish(struct mount *m)
{
	while (!link_empty(&m->nodes_all)) {      /* the kernel is gone: nothing counts any more */
		struct node *n = LINK_OWNER(m->nodes_all.next, struct node, all);
		link_remove(&n->all);
		doc_unref(m, n->doc);
		feed_unref(n->feed);
		free(n->data);
		free(n);
	}
	free(m->nodes);
	m->nodes = NULL;
	m->root = NULL;
}

/* ---- names of keys and queries */

static bool is_plain(uint8_t b)
{
	return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '.' || b == '_' || b == '-';
}

void name_encode(struct buf *to, const void *data, size_t len)
{
	const uint8_t *p = data;
	if (len == 0) {
		buf_addc(to, '%');
		return;
	}
	bool dots = len <= 2 && p[0] == '.' && p[len - 1] == '.';
	for (size_t i = 0; i < len; i++) {
		if (is_plain(p[i]) && !dots)
			buf_addc(to, (char)p[i]);
		else
			buf_addf(to, "%%%02X", p[i]);
	}
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool name_decode(const char *text, size_t len, struct buf *to)
{
	struct buf out = BUF_INIT, again = BUF_INIT;
	for (size_t i = 0; i < len; i++) {
		int hi = text[i] == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
		int lo = hi >= 0 ? hex_digit(text[i + 2]) : -1;
		if (lo >= 0) {
			buf_addc(&out, (char)(hi << 4 | lo));
			i += 2;
		} else if (text[i] != '%') {
			buf_addc(&out, text[i]);
		}
	}
	/* One name for each key: what is not spelt as we spell it does not exist. */
	name_encode(&again, out.data, out.len);
	bool ok = again.len == len && memcmp(again.data, text, len) == 0;
	if (ok)
		buf_add(to, out.data, out.len);
	buf_finish(&out);
	buf_finish(&again);
	return ok;
}

/* ---- lookup */

/* Digits only, no sign, no overflow. width 0 = any without leading zeros. */
static bool parse_number(const char *s, size_t len, size_t width, int64_t *ret)
{
	int64_t v = 0;
	if (len == 0 || (width && len != width) || (!width && (len > 18 || (len > 1 && s[0] == '0'))))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9' || v > (INT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (s[i] - '0');
	}
	*ret = v;
	return true;
}

bool tree_bounds(const struct node *n, struct partition_bounds *ret)
{
	const struct topic *t = n->topic;
	if (!t->bounds_known || n->partition >= t->partition_n)
		return false;
	*ret = t->bounds[n->partition];
	return true;
}

static bool segment_exists(const struct mount *m, const struct node *dir, int64_t start)
{
	struct partition_bounds b;
	if (!dir->topic->bounds_known)
		return true;                          /* not known yet: the open finds out */
	return tree_bounds(dir, &b) && start < b.end && start + m->o.segment_n > b.low && b.low < b.end;
}

/* Fills a node whose content depends on the moment. */
static int make_text(struct mount *m, struct node *n)
{
	struct buf b = BUF_INIT;
	if (n->kind == NODE_README)
		meta_readme(m, &b);
	else if (n->kind == NODE_STATUS)
		meta_status(m, &b);
	else {
		n->topic->meta_ms = time_mono_ms();
		meta_topic(m, n->topic, &b);
	}
	n->data_len = b.len;
	n->data = buf_take(&b);
	return 0;
}

static int lookup_root(struct mount *m, struct node *dir, const char *name, struct node **ret)
{
	if (dir->kind == NODE_ROOT && name[0] == '@') {
		enum node_kind kind = strcmp(name, "@README") == 0 ? NODE_README : strcmp(name, "@status") == 0 ? NODE_STATUS : strcmp(name, "@query") == 0 ? NODE_QUERIES : strcmp(name, "@view") == 0 ? NODE_VIEWS : NODE_ROOT;
		if (kind == NODE_ROOT || (kind == NODE_QUERIES && m->query_n == 0) || (kind == NODE_VIEWS && registry_view_n(m) == 0))
			return ENOENT;
		*ret = node_create(m, dir, name, kind);
		return node_is_dir(*ret) ? 0 : make_text(m, *ret);
	}
	if (!dir->cluster) {
		for (size_t i = 0; i < m->cluster_n; i++)
			if (strcmp(m->clusters[i]->name, name) == 0) {
				*ret = node_create(m, dir, name, NODE_CLUSTER);
				(*ret)->cluster = m->clusters[i];
				return 0;
			}
		return ENOENT;
	}
	struct topic *t = registry_find(dir->cluster, name);
	if (!t || (m->o.topics[0] && !registry_visible(m, t) && !t->internal)) {
		if (!t && !m->refresh_names) {
			m->refresh_names = true;
			pthread_cond_signal(&m->refresh);
		}
		return ENOENT;
	}
	*ret = node_create(m, dir, name, NODE_TOPIC);
	(*ret)->topic = t;
	return 0;
}

static int lookup_follow(struct mount *m, struct node *dir, const char *name, struct node **ret)
{
	enum feed_from from = FROM_LAST;
	int64_t number = -1;
	const char *at = name + strlen("follow");
	size_t len = strlen(at);
	if (len && (at[0] != '@' || len < 2))
		return ENOENT;
	if (len && strcmp(at, "@beginning") == 0)
		from = FROM_BEGINNING;
	else if (len && at[1] == '-' && parse_number(at + 2, len - 2, 0, &number))
		from = FROM_LAST;
	else if (len && time_parse_iso(at + 1, len - 1, &number))
		from = FROM_TIME;
	else if (len)
		return ENOENT;
	struct node *n = node_create(m, dir, name, NODE_FOLLOW);
	n->from = from;
	n->number = number;
	*ret = n;
	return 0;
}

static struct node *tail_create(struct mount *m, struct node *dir, const char *name, struct live_view *v, enum form form)
{
	struct node *n = node_create(m, dir, name, NODE_TAIL);
	n->form = form;
	n->view = v;
	n->feed = feed_shared(m, dir->topic, v, form);
	feed_ref(n->feed);
	n->generation = n->feed->generation;
	return n;
}

static int lookup_topic(struct mount *m, struct node *dir, const char *name, struct node **ret)
{
	static const struct {
		const char *name;
		enum node_kind kind;
	} fixed[] = {{"log", NODE_LOG}, {"meta.json", NODE_META}, {"time", NODE_TIME}, {"key", NODE_KEYS}};
	size_t stem;
	enum form form;
	registry_touch(m, dir->topic, BOUNDS_FRESH_MS);
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (strcmp(name, fixed[i].name) == 0) {
			*ret = node_create(m, dir, name, fixed[i].kind);
			return fixed[i].kind == NODE_META ? make_text(m, *ret) : 0;
		}
	if (strncmp(name, "follow", strlen("follow")) == 0)
		return lookup_follow(m, dir, name, ret);
	if (!form_parse(name, true, &stem, &form) || stem != strlen("tail") || strncmp(name, "tail", stem) != 0)
		return ENOENT;
	*ret = tail_create(m, dir, name, NULL, form);
	return 0;
}

/* NAME.ndjson, NAME.csv and NAME.follow. */
static int lookup_view(struct mount *m, struct node *dir, const char *name, struct node **ret)
{
	static const char follow[] = ".follow";
	size_t stem, len = strlen(name);
	enum form form = FORM_NDJSON;
	bool is_follow = len > strlen(follow) && strcmp(name + len - strlen(follow), follow) == 0;
	struct buf text = BUF_INIT;
	if (is_follow)
		stem = len - strlen(follow);
	else if (!form_parse(name, false, &stem, &form) || form == FORM_TXT)
		return ENOENT;
	struct live_view *v = stem <= NAME_ENCODED_MAX && name_decode(name, stem, &text) ? registry_view(m, text.data, text.len) : NULL;
	buf_finish(&text);
	if (!v)
		return ENOENT;
	if (!is_follow) {
		*ret = tail_create(m, dir, name, v, form);
		return 0;
	}
	*ret = node_create(m, dir, name, NODE_FOLLOW);
	(*ret)->view = v;
	(*ret)->from = FROM_LAST;
	(*ret)->number = -1;
	return 0;
}

static int lookup_log(struct mount *m, struct node *dir, const char *name, struct node **ret)
{
	int64_t number;
	registry_touch(m, dir->topic, BOUNDS_FRESH_MS);
	if (!parse_number(name, strlen(name), 0, &number) || number >= dir->topic->partition_n)
		return ENOENT;
	*ret = node_create(m, dir, name, NODE_PARTITION);
	(*ret)->partition = (int32_t)number;
	return 0;
}

static int lookup_partition(struct mount *m, struct node *dir, const char *name, struct node **ret)
{
	size_t stem;
	enum form form;
	int64_t number;
	registry_touch(m, dir->topic, BOUNDS_FRESH_MS);
	if (!form_parse(name, true, &stem, &form) || !parse_number(name, stem, 20, &number) || number % m->o.segment_n != 0 || !segment_exists(m, dir, number))
		return ENOENT;
	struct node *n = node_create(m, dir, name, NODE_SEGMENT);
	n->form = form;
	n->number = number;
	*ret = n;
	return 0;
}

static int lookup_time(struct mount *m, struct node *dir, const char *name, struct node **ret)
{
	int64_t ms = 0;
	size_t stem;
	enum form form;
	if (dir->kind == NODE_TIME) {
		if (strlen(name) != strlen("2026-09-21") || name[4] != '-' || name[7] != '-' || !time_parse_iso(name, strlen(name), &ms))
			return ENOENT;
		*ret = node_create(m, dir, name, NODE_DAY);
		(*ret)->number = ms;
		return 0;
	}
	if (!form_parse(name, true, &stem, &form) || !parse_number(name, stem, 2, &ms) || ms > 23)
		return ENOENT;
	ms = dir->number + ms * HOUR_MS;
	if (ms > time_now_ms())
		return ENOENT;
	struct node *n = node_create(m, dir, name, NODE_HOUR);
	n->form = form;
	n->number = ms;
	*ret = n;
	return 0;
}

static int lookup_encoded(struct mount *m, struct node *dir, const char *name, struct node **ret)
{
	size_t stem;
	enum form form;
	struct buf text = BUF_INIT;
	if (!form_parse(name, false, &stem, &form))
		return ENOENT;
	if (stem > NAME_ENCODED_MAX)
		return ENAMETOOLONG;
	if (!name_decode(name, stem, &text))
		return ENOENT;
	bool found = dir->kind == NODE_KEYS;
	for (size_t i = 0; i < m->query_n && !found; i++)
		found = strlen(m->queries[i]) == text.len && memcmp(m->queries[i], text.data, text.len) == 0;
	if (!found || (dir->kind == NODE_QUERIES && form == FORM_TXT)) {
		buf_finish(&text);
		return ENOENT;
	}
	struct node *n = node_create(m, dir, name, dir->kind == NODE_KEYS ? NODE_KEY : NODE_QUERY);
	n->form = form;
	n->data_len = text.len;
	n->data = buf_take(&text);
	*ret = n;
	return 0;
}

/* Is the node that (parent, name) led to last time still what it leads to now? */
static bool still_good(struct mount *m, struct node *n)
{
	switch (n->kind) {
	case NODE_README:
	case NODE_STATUS:
	case NODE_META:
		return false;
	case NODE_TAIL:
		return n->feed->state != FEED_RETIRED && n->feed == *n->feed->slot && n->generation == n->feed->generation && !(n->view && n->view->gone);
	case NODE_FOLLOW:
		return !(n->view && n->view->gone);
	case NODE_SEGMENT:
		return !(n->doc && n->doc->dead) && (segment_exists(m, n, n->number) || n->handle_n > 0);
	case NODE_HOUR:
	case NODE_KEY:
	case NODE_QUERY:
		return !(n->doc && doc_expired(m, n->doc));
	case NODE_TOPIC:
		return !n->topic->gone;
	default:
		return true;
	}
}

int tree_lookup(struct mount *m, struct node *dir, const char *name, struct node **ret)
{
	if (strlen(name) > NAME_MAX)
		return ENAMETOOLONG;
	struct node *n = node_find(m, dir, name);
	if (n && still_good(m, n)) {
		if (n->topic)
			registry_touch(m, n->topic, BOUNDS_FRESH_MS);
		if (has_doc(n) && !n->doc)
			n->doc = doc_get(m, n, false);
		*ret = n;
		return 0;
	}
	if (n) {
		if (has_doc(n) && n->doc && !n->doc->dead)
			doc_kill(m, n->doc);                  /* too old, or expired on the broker: another node, another document */
		node_unhash(m, n);
	}
	int error = ENOENT;
	switch (dir->kind) {
	case NODE_ROOT:
	case NODE_CLUSTER:
		error = lookup_root(m, dir, name, &n);
		break;
	case NODE_TOPIC:
		error = lookup_topic(m, dir, name, &n);
		break;
	case NODE_LOG:
		error = lookup_log(m, dir, name, &n);
		break;
	case NODE_PARTITION:
		error = lookup_partition(m, dir, name, &n);
		break;
	case NODE_TIME:
	case NODE_DAY:
		error = lookup_time(m, dir, name, &n);
		break;
	case NODE_VIEWS:
		error = lookup_view(m, dir, name, &n);
		break;
	case NODE_KEYS:
	case NODE_QUERIES:
		error = lookup_encoded(m, dir, name, &n);
		break;
	default:
		error = ENOTDIR;
	}
	if (error)
		return error;
	node_hash(m, n);
	if (has_doc(n))
		n->doc = doc_get(m, n, false);
	*ret = n;
	return 0;
}
