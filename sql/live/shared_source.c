/* sql/live/shared_source.h */
#include "sql/live/shared_source.h"

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"

enum {
	QUEUE_MAX = 16,                      /* batches */
	NEAR_MAX = 10000,                    /* records read once more are cheaper than a second reader */
	ABSENT_MS = 1000,
};

struct member {
	struct source base;
	struct shared_reader **list;
	struct shared_reader *reader;
	struct batch *queue[QUEUE_MAX];
	size_t head, n;
	int64_t asked_mono_ms;
};

struct shared_reader {
	struct shared_reader *next;
	struct provider *provider;
	char *cluster, *topic;               /* cluster NULL = the current one, which was name then */
	char *name;
	struct scan_request request;         /* ranges: where a source that is not open yet begins; owned */
	struct source *source;               /* NULL: not open yet */
	struct err failed;                   /* of the source, told to every member */
	struct member **members;
	size_t member_n;
};

static void reader_unlink(struct shared_reader **list, struct shared_reader *r)
{
	while (*list != r)
		list = &(*list)->next;
	*list = r->next;
	source_destroy(r->source);
	free((struct scan_range *)r->request.ranges);
	free(r->members);
	free(r->cluster);
	free(r->name);
	free(r->topic);
	free(r);
}

static struct shared_reader *reader_create(struct shared_reader **list, struct provider *p, const char *cluster, const struct scan_request *request)
{
	struct shared_reader *r = xcalloc(1, sizeof *r);
	struct scan_range *ranges = xcalloc(request->range_n + 1, sizeof *ranges);
	memcpy(ranges, request->ranges, request->range_n * sizeof *ranges);
	*r = (struct shared_reader){.next = *list, .provider = p, .cluster = cluster ? xstrdup(cluster) : NULL, .name = xstrdup(p->impl->cluster_name(p, cluster)), .topic = xstrdup(request->topic), .request = *request};
	r->request.topic = r->topic;
	r->request.ranges = ranges;
	return *list = r;
}

static void join(struct shared_reader *r, struct member *m)
{
	r->members = xreallocarray(r->members, r->member_n + 1, sizeof *r->members);
	r->members[r->member_n++] = m;
	m->reader = r;
}

static void leave(struct member *m)
{
	struct shared_reader *r = m->reader;
	size_t i = 0;
	while (r->members[i] != m)
		i++;
	r->members[i] = r->members[--r->member_n];
	m->reader = NULL;
	if (!r->member_n)
		reader_unlink(m->list, r);
}

/* Where the reader stands: ranges, to be freed. */
static struct scan_range *stands(const struct shared_reader *r, size_t *ret_n)
{
	struct scan_range *ranges;
	size_t n = r->source ? source_positions(r->source, NULL, 0) : r->request.range_n;
	ranges = xcalloc(n + 1, sizeof *ranges);
	if (!r->source) {
		memcpy(ranges, r->request.ranges, n * sizeof *ranges);
	} else {
		struct source_position *p = xcalloc(n + 1, sizeof *p);
		source_positions(r->source, p, n);
		for (size_t i = 0; i < n; i++)
			ranges[i] = (struct scan_range){p[i].partition, p[i].position, SCAN_END_NEVER};
		free(p);
	}
	*ret_n = n;
	return ranges;
}

static bool same_topic(const struct shared_reader *r, const struct provider *p, const char *name, const char *topic)
{
	return r->failed.id == ERR_NONE && r->provider == p && strcmp(r->topic, topic) == 0 && strcmp(r->name, name) == 0;
}

/* Does the reader stand where someone at `at` can join it: at the same place or shortly before, in the same partitions? */
static bool joinable(const struct shared_reader *r, const struct scan_range *at, size_t at_n)
{
	size_t n = 0, found = 0;
	struct scan_range *own = stands(r, &n);
	int64_t again = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < at_n; k++)
			if (at[k].partition == own[i].partition) {
				found++;
				again = own[i].start <= at[k].start && again <= NEAR_MAX ? again + at[k].start - own[i].start : INT64_MAX;
			}
	free(own);
	return n == at_n && found == n && again <= NEAR_MAX;
}

static void try_merge(struct shared_reader **list, struct shared_reader *r)
{
	size_t n = 0;
	struct scan_range *at = stands(r, &n);
	for (struct shared_reader *o = *list; o; o = o->next)
		if (o != r && o->source && same_topic(o, r->provider, r->name, r->topic) && joinable(o, at, n)) {
			for (size_t i = 0; i < r->member_n; i++)
				join(o, r->members[i]);
			reader_unlink(list, r);
			break;
		}
	free(at);
}

/* Nobody asks this one: the others go on without it. What was fetched is in its queue. */
static void split(struct member *m)
{
	struct scan_request request = m->reader->request;
	struct scan_range *at = stands(m->reader, &request.range_n);
	struct provider *p = m->reader->provider;
	char *cluster = m->reader->cluster ? xstrdup(m->reader->cluster) : NULL, *topic = xstrdup(m->reader->topic);
	request.topic = topic;
	request.ranges = at;
	leave(m);
	join(reader_create(m->list, p, cluster, &request), m);
	free(at);
	free(cluster);
	free(topic);
}

/* A member other than m whose queue has no room; NULL = none. */
static struct member *full(const struct member *m)
{
	for (size_t i = 0; i < m->reader->member_n; i++)
		if (m->reader->members[i] != m && m->reader->members[i]->n == QUEUE_MAX)
			return m->reader->members[i];
	return NULL;
}

static enum source_status member_next(struct source *source, int wait_ms, struct batch **ret_batch, struct err *err)
{
	struct member *m = (struct member *)source, *other;
	struct shared_reader *r = m->reader;
	m->asked_mono_ms = time_mono_ms();
	if (m->n) {
		*ret_batch = m->queue[m->head];
		m->head = (m->head + 1) % QUEUE_MAX;
		m->n--;
		return SOURCE_BATCH;
	}
	if (r->failed.id != ERR_NONE) {
		*err = r->failed;
		return SOURCE_ERROR;
	}
	while ((other = full(m)) != NULL) {
		if (m->asked_mono_ms - other->asked_mono_ms < ABSENT_MS)
			return SOURCE_IDLE;
		split(other);
	}
	if (!r->source && !r->provider->impl->open_scan(r->provider, r->cluster, &r->request, &r->source, err))
		return SOURCE_ERROR;
	enum source_status status = source_next(r->source, wait_ms, ret_batch, err);
	if (status == SOURCE_IDLE)
		try_merge(m->list, r);
	if (status == SOURCE_ERROR)
		r->failed = *err;
	for (size_t i = 0; status == SOURCE_BATCH && i < r->member_n; i++) {
		struct member *o = r->members[i];
		if (o != m)
			o->queue[(o->head + o->n++) % QUEUE_MAX] = batch_ref(*ret_batch);
	}
	return status;
}

static void member_destroy(struct source *source)
{
	struct member *m = (struct member *)source;
	for (size_t i = 0; i < m->n; i++)
		batch_unref(m->queue[(m->head + i) % QUEUE_MAX]);
	leave(m);
	free(m);
}

static size_t member_positions(struct source *source, struct source_position *to, size_t to_n)
{
	const struct member *m = (const struct member *)source;
	size_t n = m->reader->source ? source_positions(m->reader->source, to, to_n) : 0;
	for (size_t k = 0; k < n && k < to_n; k++)
		for (size_t i = m->n; i > 0; i--) {
			const struct batch *b = m->queue[(m->head + i - 1) % QUEUE_MAX];
			if (b->partition == to[k].partition && b->records[0].offset < to[k].position) {
				to[k].position = b->records[0].offset;
				to[k].at_end = false;
			}
		}
	return n;
}

static const struct source_impl member_impl = {.next = member_next, .destroy = member_destroy, .positions = member_positions};

bool shared_source_open(struct shared_reader **list, struct provider *p, const char *cluster, const struct scan_request *request, struct source **ret, struct err *err)
{
	struct member *m = xcalloc(1, sizeof *m);
	struct shared_reader *r = *list;
	while (r && !(same_topic(r, p, p->impl->cluster_name(p, cluster), request->topic) && joinable(r, request->ranges, request->range_n)))
		r = r->next;
	if (!r)
		r = reader_create(list, p, cluster, request);
	*m = (struct member){.base.impl = &member_impl, .list = list, .asked_mono_ms = time_mono_ms()};
	join(r, m);
	if (!r->source && !p->impl->open_scan(p, cluster, &r->request, &r->source, err)) {
		source_destroy(&m->base);
		return false;
	}
	*ret = &m->base;
	return true;
}

size_t shared_reader_n(const struct shared_reader *list)
{
	size_t n = 0;
	for (; list; list = list->next)
		n++;
	return n;
}
