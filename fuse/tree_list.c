/* What nodes look like: their attributes, and what a directory lists. Answered from memory. All functions under mu. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "core/alloc.h"
#include "core/time.h"
#include "fuse/state.h"

enum {
	BLOCK_BYTES = 131072,                /* st_blksize: what gawk and Python read at a time */
	BOUNDS_FRESH_MS = 2000,
};

/* ---- attributes */

static int64_t estimate(double line_bytes, int64_t message_n)
{
	if (message_n <= 0)
		return 0;
	int64_t bytes = (int64_t)((double)message_n * line_bytes * 1.25);
	return bytes > 0 ? bytes : 1;
}

static int64_t segment_estimate(const struct mount *m, const struct node *n)
{
	struct partition_bounds b;
	int64_t count = m->o.segment_n;
	if (tree_bounds(n, &b)) {
		int64_t from = b.low > n->number ? b.low : n->number;
		int64_t to = b.end < n->number + m->o.segment_n ? b.end : n->number + m->o.segment_n;
		count = to - from;
	}
	return estimate(n->topic->line_bytes, count);
}

static int64_t total_messages(const struct topic *t)
{
	int64_t n = 0;
	for (int32_t i = 0; t->bounds_known && i < t->partition_n; i++)
		n += t->bounds[i].end - t->bounds[i].low;
	return t->bounds_known ? n : 1;
}

void tree_attr(struct mount *m, struct node *n, struct stat *st, double *ret_timeout_s)
{
	int64_t size = 0, mtime_ms = n->made_ms;
	double timeout = 0;
	bool dir = node_is_dir(n);
	mode_t mode = m->o.umask == (mode_t)-1 ? 0500 : ~m->o.umask;       /* default: the owner alone */
	const struct doc *d = n->doc;
	switch (n->kind) {
	case NODE_README:
	case NODE_STATUS:
	case NODE_META:
		size = (int64_t)n->data_len;
		break;
	case NODE_TAIL: {
		const struct feed *f = n->feed;
		if (f->view && (f->state == FEED_IDLE || f->state == FEED_STARTING)) {
			size = BLOCK_BYTES;
		} else if (f->state == FEED_IDLE || f->state == FEED_STARTING) {
			int64_t total = total_messages(n->topic);
			size = estimate(n->topic->line_bytes, total < m->o.window_n ? total : m->o.window_n);
		} else {
			size = f->text.end - n->generation;
		}
		if (f->newest_ms != TIME_NONE)
			mtime_ms = f->newest_ms;
		break;
	}
	case NODE_SEGMENT:
	case NODE_HOUR:
	case NODE_KEY:
	case NODE_QUERY:
		if (d && d->closed && d->size >= 0) {
			size = d->size;
			timeout = n->kind == NODE_SEGMENT ? 3600 : 0;
		} else if (d && d->has_text) {
			size = text_len(&d->text);
		} else {
			size = n->kind == NODE_SEGMENT ? segment_estimate(m, n) : n->topic ? estimate(n->topic->line_bytes, m->o.segment_n) : BLOCK_BYTES;
		}
		if (d && d->newest_ms != TIME_NONE)
			mtime_ms = d->newest_ms;
		break;
	default:
		if (dir)
			timeout = 1;
	}
	*st = (struct stat){
		.st_ino = n->st_ino,
		.st_mode = (dir ? S_IFDIR : S_IFREG) | (mode & (dir ? 0555 : 0444)),
		.st_nlink = dir ? 2 : 1,
		.st_uid = m->o.uid,
		.st_gid = m->o.gid,
		.st_size = size,
		.st_blksize = BLOCK_BYTES,
		.st_blocks = (size + 511) / 512,
		.st_mtim = {.tv_sec = mtime_ms / 1000, .tv_nsec = mtime_ms % 1000 * 1000000},
	};
	if (st->st_mtim.tv_nsec < 0) {
		st->st_mtim.tv_sec--;
		st->st_mtim.tv_nsec += 1000000000;
	}
	st->st_atim = st->st_ctim = st->st_mtim;
	*ret_timeout_s = timeout;
}

double tree_entry_timeout(const struct mount *m, const struct node *n)
{
	switch (n->kind) {
	case NODE_SEGMENT:
		return segment_closed(m, n->topic, n->partition, n->number) ? 60 : 1;
	case NODE_README:
	case NODE_STATUS:
	case NODE_META:
	case NODE_TAIL:
	case NODE_FOLLOW:
	case NODE_HOUR:
	case NODE_KEY:
	case NODE_QUERY:
		return 0;
	default:
		return 1;
	}
}

/* ---- listing */

static void list_add(struct dirlist *to, const struct node *dir, const char *name, bool is_dir)
{
	if (to->n == to->cap) {
		to->cap = to->cap ? to->cap * 2 : 32;
		to->entries = xreallocarray(to->entries, to->cap, sizeof *to->entries);
	}
	to->entries[to->n++] = (struct dirlist_entry){.at = to->names.len, 
		.ino = strcmp(name, ".") == 0 ? dir->st_ino : strcmp(name, "..") == 0 ? (dir->parent ? dir->parent->st_ino : dir->st_ino) : tree_name_ino(dir->st_ino, name),
		.mode = is_dir ? S_IFDIR : S_IFREG};
	buf_add(&to->names, name, strlen(name) + 1);
}

static void list_topics(struct mount *m, struct node *dir, struct dirlist *to)
{
	const struct cluster_dir *c = dir->cluster;
	for (size_t i = 0; i < c->topic_n; i++)
		if (registry_visible(m, c->topics[i]))
			list_add(to, dir, c->topics[i]->name, true);
}

static void list_encoded(struct dirlist *to, const struct node *dir, const char *name, const char *suffix)
{
	struct buf file = BUF_INIT;
	name_encode(&file, name, strlen(name));
	bool fits = file.len <= NAME_ENCODED_MAX;
	buf_adds(&file, suffix);
	if (fits)
		list_add(to, dir, file.data, false);
	buf_finish(&file);
}

void tree_list(struct mount *m, struct node *dir, struct dirlist *to)
{
	char name[64];
	struct partition_bounds b;
	list_add(to, dir, ".", true);
	list_add(to, dir, "..", true);
	switch (dir->kind) {
	case NODE_ROOT:
		list_add(to, dir, "@README", false);
		if (m->query_n)
			list_add(to, dir, "@query", true);
		list_add(to, dir, "@status", false);
		if (registry_view_n(m))
			list_add(to, dir, "@view", true);
		if (dir->cluster)
			list_topics(m, dir, to);
		for (size_t i = 0; i < m->cluster_n && !dir->cluster; i++)
			list_add(to, dir, m->clusters[i]->name, true);
		break;
	case NODE_CLUSTER:
		list_topics(m, dir, to);
		break;
	case NODE_TOPIC:
		registry_touch(m, dir->topic, BOUNDS_FRESH_MS);
		list_add(to, dir, "log", true);
		list_add(to, dir, "meta.json", false);
		list_add(to, dir, "tail.ndjson", false);
		break;
	case NODE_LOG:
		for (int32_t i = 0; i < dir->topic->partition_n; i++) {
			snprintf(name, sizeof name, "%" PRId32, i);
			list_add(to, dir, name, true);
		}
		break;
	case NODE_PARTITION:
		if (!tree_bounds(dir, &b))
			break;
		for (int64_t at = b.low / m->o.segment_n * m->o.segment_n; b.low < b.end && at < b.end; at += m->o.segment_n) {
			snprintf(name, sizeof name, "%020" PRId64 ".ndjson", at);
			list_add(to, dir, name, false);
		}
		break;
	case NODE_QUERIES:
		for (size_t i = 0; i < m->query_n; i++) {
			list_encoded(to, dir, m->queries[i], ".csv");
			list_encoded(to, dir, m->queries[i], ".ndjson");
		}
		break;
	case NODE_VIEWS:
		for (size_t i = 0; i < m->view_n; i++)
			if (!m->views[i]->gone)
				list_encoded(to, dir, m->views[i]->name, ".ndjson");
		break;
	default:
		break;                                /* time/ and key/: any name may be asked for */
	}
}

void dirlist_destroy(struct dirlist *d)
{
	if (!d)
		return;
	buf_finish(&d->names);
	free(d->entries);
	free(d);
}
