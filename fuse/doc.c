/* Documents: files that are rendered whole. A segment of a partition's log, an hour of a topic, the history of a key, the result of a query.
 *
 * An open queues a job and is parked; a worker (doc_thread, with a session of its own) renders; whoever waits is answered. One job at a time per
 * document, however many wait for it. The text then stays in the cache (oldest unused first out) and handles pin it.
 *
 * A segment is closed when the partition's end has passed its last offset. Closed text never changes for the life of the nodeid: when it was evicted
 * and is rendered again with another result (retention, compaction), the document is killed, the open answers ESTALE, and the kernel's second
 * lookup finds a new one. The last segment of a partition grows: each open and each growth of the partition queues a job that appends.
 *
 * Hours and keys are merged over partitions by (timestamp, partition, offset), so they come out the same each time. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/alloc.h"
#include "core/hash.h"
#include "core/time.h"
#include "fuse/state.h"

enum {
	DOC_TTL_MS = 30000,                  /* how old a result may be that a new lookup finds */
	HOUR_MS = 3600000,
	HOUR_GRACE_MS = 60000,               /* an hour is over when this much more has passed */
	FLUSH_BYTES = 128 * 1024,
	RETRY_MS = 250,
	AHEAD_N = 3,
	READER_IDLE_MS = 1000,
};

void doc_init(struct mount *m)
{
	m->doc_bucket_n = 4096;
	m->docs = xcalloc(m->doc_bucket_n, sizeof(struct doc *));
	link_init(&m->docs_lru);
	link_init(&m->jobs);
	link_init(&m->readers);
}

/* ---- the table */

static uint64_t key_hash(enum doc_kind kind, enum form form, const struct topic *t, int32_t partition, int64_t number, const void *name, size_t name_len)
{
	uint64_t v[4] = {(uint64_t)kind << 8 | (uint64_t)form, (uint64_t)(uintptr_t)t, (uint64_t)(uint32_t)partition, (uint64_t)number};
	uint64_t h = hash_bytes(v, sizeof v);
	return name_len ? h * 31 ^ hash_bytes(name, name_len) : h;
}

static void unhash(struct mount *m, struct doc *d)
{
	if (!d->hashed)
		return;
	for (struct doc **at = &m->docs[d->hash % m->doc_bucket_n]; *at; at = &(*at)->hash_next)
		if (*at == d) {
			*at = d->hash_next;
			break;
		}
	d->hashed = false;
	m->doc_n--;
}

static void drop_text(struct mount *m, struct doc *d)
{
	if (!d->has_text)
		return;
	m->cache_used -= text_len(&d->text);
	text_finish(&d->text);
	d->has_text = false;
	d->next_offset = d->number;
	d->message_n = 0;
	link_remove(&d->lru);
}

static void free_if_unused(struct mount *m, struct doc *d)
{
	if (d->ref_n > 0 || (d->has_text && d->hashed))
		return;
	drop_text(m, d);
	unhash(m, d);
	free(d->name);
	free(d);
}

struct doc_key {
	enum doc_kind kind;
	enum form form;
	struct topic *topic;
	int32_t partition;
	int64_t number;
	const void *name;
	size_t name_len;
};

static struct doc *find_or_create(struct mount *m, const struct doc_key *k, bool create)
{
	uint64_t hash = key_hash(k->kind, k->form, k->topic, k->partition, k->number, k->name, k->name_len);
	for (struct doc *d = m->docs[hash % m->doc_bucket_n]; d; d = d->hash_next)
		if (d->hash == hash && d->kind == k->kind && d->form == k->form && d->topic == k->topic && d->partition == k->partition && d->number == k->number &&
			d->name_len == k->name_len && (k->name_len == 0 || memcmp(d->name, k->name, k->name_len) == 0)) {
			d->ref_n++;
			return d;
		}
	if (!create)
		return NULL;
	struct doc *d = xcalloc(1, sizeof *d);
	*d = (struct doc){.hash = hash, .ref_n = 1, .kind = k->kind, .form = k->form, .topic = k->topic, .partition = k->partition, .number = k->number, .hashed = true,
		.size = -1, .newest_ms = TIME_NONE, .first_offset = -1, .last_offset = -1, .next_offset = k->number};
	link_init(&d->lru);
	link_init(&d->queue);
	link_init(&d->waiters);
	link_init(&d->served);
	text_init(&d->text);
	if (k->name_len) {
		d->name = xmalloc(k->name_len);
		memcpy(d->name, k->name, k->name_len);
		d->name_len = k->name_len;
	}
	d->hash_next = m->docs[hash % m->doc_bucket_n];
	m->docs[hash % m->doc_bucket_n] = d;
	m->doc_n++;
	return d;
}

struct doc *doc_get(struct mount *m, const struct node *n, bool create)
{
	struct doc_key k = {
		.kind = n->kind == NODE_SEGMENT ? DOC_SEGMENT : n->kind == NODE_HOUR ? DOC_HOUR : n->kind == NODE_KEY ? DOC_KEY : DOC_QUERY,
		.form = n->form, .topic = n->topic, .partition = n->partition, .number = n->number, .name = n->data, .name_len = n->data_len,
	};
	return find_or_create(m, &k, create);
}

void doc_unref(struct mount *m, struct doc *d)
{
	if (!d)
		return;
	d->ref_n--;
	free_if_unused(m, d);
}

void doc_kill(struct mount *m, struct doc *d)
{
	d->dead = true;
	unhash(m, d);
	if (d->handle_n == 0 && d->state == DOC_IDLE) {
		drop_text(m, d);
		free_if_unused(m, d);
	}
}

static bool hour_is_over(const struct doc *d)
{
	return d->rendered_ms > d->number + HOUR_MS + HOUR_GRACE_MS;
}

bool doc_expired(const struct mount *m, const struct doc *d)
{
	(void)m;
	if (d->dead)
		return true;
	if (d->kind == DOC_SEGMENT || !d->has_text || (d->kind == DOC_HOUR && hour_is_over(d)))
		return false;
	return time_now_ms() - d->rendered_ms > DOC_TTL_MS;
}

bool segment_closed(const struct mount *m, const struct topic *t, int32_t partition, int64_t start)
{
	return t->bounds_known && partition < t->partition_n && t->bounds[partition].end >= start + m->o.segment_n;
}

void doc_want(struct mount *m, struct doc *d)
{
	if (d->state == DOC_RUNNING)
		d->again = true;
	if (d->state != DOC_IDLE || d->dead)
		return;
	d->state = DOC_QUEUED;
	d->ref_n++;
	link_append(&m->jobs, &d->queue);
	pthread_cond_broadcast(&m->job);             /* it may be for one worker only: doc_reader_pick */
}

bool doc_in_order(struct mount *m, const struct doc *d)
{
	struct doc_key k = {.kind = d->kind, .form = d->form, .topic = d->topic, .partition = d->partition, .number = d->number - m->o.segment_n};
	struct doc *before = find_or_create(m, &k, false);
	bool yes = before && (before->has_text || before->state == DOC_RUNNING);
	doc_unref(m, before);
	return yes;
}

/* Whoever reads segments in order (cat, grep -r, cp) finds the next ones rendered. A reader of one segment costs nothing more. */
void doc_read_ahead(struct mount *m, struct doc *d)
{
	struct topic *t = d->topic;
	if (d->kind != DOC_SEGMENT || !t->bounds_known || d->partition >= t->partition_n || t->cluster->down)
		return;
	bool in_order = doc_in_order(m, d);
	struct doc_key k = {.kind = d->kind, .form = d->form, .topic = t, .partition = d->partition};
	for (int i = 0; in_order && i < AHEAD_N; i++) {
		k.number = d->number + (i + 1) * m->o.segment_n;
		if (!segment_closed(m, t, k.partition, k.number))
			return;
		struct doc *next = find_or_create(m, &k, true);
		if (!next->has_text && !next->dead && next->state == DOC_IDLE) {
			next->ahead = true;
			doc_want(m, next);
		}
		doc_unref(m, next);
	}
}

bool doc_ready(struct mount *m, struct doc *d)
{
	(void)m;
	if (d->dead || (d->has_text && d->closed))
		return true;
	return d->has_text && d->topic && d->topic->cluster->down;      /* what is there is better than an error */
}

void doc_extend_live(struct mount *m)
{
	for (struct link *l = m->docs_lru.next; l != &m->docs_lru; l = l->next) {
		struct doc *d = LINK_OWNER(l, struct doc, lru);
		if (d->kind == DOC_SEGMENT && !d->closed && d->handle_n > 0 && d->state == DOC_IDLE && d->topic->bounds_known && d->partition < d->topic->partition_n &&
			d->topic->bounds[d->partition].end > d->next_offset)
			doc_want(m, d);
	}
}

static void evict(struct mount *m)
{
	for (struct link *l = m->docs_lru.next, *next; l != &m->docs_lru && m->cache_used > m->o.cache_bytes; l = next) {
		next = l->next;
		struct doc *d = LINK_OWNER(l, struct doc, lru);
		if (d->handle_n > 0 || d->state != DOC_IDLE)
			continue;
		drop_text(m, d);
		free_if_unused(m, d);
	}
}

/* ---- rendering, on a worker, without mu */

struct job {
	struct mount *m;
	struct mount_access *a;
	struct doc_reader *reader;
	struct doc *d;
	struct renderer *renderer;
	struct text text;
	struct buf lines;
	int64_t message_n, first_offset, last_offset, newest_ms;
	int64_t until_ms;                    /* monotonic */
};

static bool flush(struct job *j, bool all, struct err *err)
{
	if (j->lines.len < FLUSH_BYTES && !all)
		return true;
	if (text_len(&j->text) + (int64_t)j->lines.len > j->m->o.cache_bytes)
		return err_set(err, ERR_LIMIT, "the file would be larger than the cache (%" PRId64 " MiB); mount with -o cache=.. for more", j->m->o.cache_bytes >> 20);
	if (!text_add(&j->text, j->lines.data, j->lines.len))
		return err_set(err, ERR_MEMORY, "no memory for %" PRId64 " bytes", text_len(&j->text));
	buf_clear(&j->lines);
	return true;
}

static bool add_record(void *arg, int32_t partition, const struct record *r, struct err *err)
{
	struct job *j = arg;
	render_record(j->renderer, partition, r, &j->lines);
	if (j->message_n++ == 0)
		j->first_offset = r->offset;
	j->last_offset = r->offset;
	if (r->ts_ms != TIME_NONE && (j->newest_ms == TIME_NONE || r->ts_ms > j->newest_ms))
		j->newest_ms = r->ts_ms;
	return flush(j, false, err);
}

/* Reads ranges to their end and hands each batch to use (which may keep a reference). */
static bool scan(struct job *j, struct scan_request *request, bool (*use)(struct job *j, struct batch *b, void *arg, struct err *err), void *arg, struct err *err)
{
	struct source *source = NULL;
	struct batch *b = NULL;
	enum source_status status = SOURCE_IDLE;
	bool ok = doc_scan_open(j->m, j->a, j->d, request, &source, err);
	while (ok && (status = doc_scan_next(j->m, j->a, j->d, source, j->until_ms, &b, err)) != SOURCE_END) {
		ok = status != SOURCE_ERROR;
		if (status == SOURCE_BATCH) {
			ok = use(j, b, arg, err);
			batch_unref(b);
		}
	}
	source_destroy(source);
	access_deadline(j->a, 0);
	return ok;
}

static bool make_renderer(struct job *j, struct err *err)
{
	struct stream *stream = NULL;
	struct doc *d = j->d;
	if (form_has_rows(d->form)) {
		if (!j->a->impl->stream)
			return err_set(err, ERR_UNSUPPORTED, "no row forms here");
		access_deadline(j->a, j->m->o.timeout_ms);
		bool ok = j->a->impl->stream(j->a, d->topic->cluster->name, d->topic->name, &stream, err);
		access_deadline(j->a, 0);
		if (!ok)
			return false;
	}
	return renderer_create(d->topic->name, d->form, stream, &j->renderer, err);
}

/* *ret_next = first offset not rendered yet; *ret_closed = the segment is complete. */
static bool render_segment(struct job *j, int64_t *ret_next, bool *ret_closed, struct err *err)
{
	struct mount *m = j->m;
	struct doc *d = j->d;
	struct topic *t = d->topic;
	int64_t low = 0, end = 0;
	pthread_mutex_lock(&m->mu);
	bool known = segment_closed(m, t, d->partition, d->number);
	if (known) {
		low = t->bounds[d->partition].low;
		end = t->bounds[d->partition].end;
	}
	int64_t start = d->next_offset;
	bool header = !d->has_text;
	pthread_mutex_unlock(&m->mu);
	if (!known) {                             /* an open sees what was written before it: ask for the end now */
		struct partition_bounds *b = NULL;
		int32_t n = 0;
		int64_t asked_ms = time_mono_ms();
		if (!access_bounds(m, j->a, t, &b, &n, err))
			return false;
		bool there = d->partition < n;
		if (there) {
			low = b[d->partition].low;
			end = b[d->partition].end;
		}
		pthread_mutex_lock(&m->mu);
		registry_set_bounds(m, t, b, n, asked_ms);
		pthread_mutex_unlock(&m->mu);
		free(b);
		if (!there)
			return err_set(err, ERR_TOPIC_UNKNOWN, "topic %s has no partition %" PRId32, t->name, d->partition);
	}
	int64_t stop = d->number + m->o.segment_n;
	if (d->number >= end || stop <= low)
		return err_set(err, ERR_TOPIC_UNKNOWN, "no such segment");
	if (header)
		render_header(j->renderer, &j->lines);
	int64_t from = start > low ? start : low, to = stop < end ? stop : end;
	if (from < to && !doc_reader_read(m, j->reader, j->a, d, from, to, j->until_ms, add_record, j, err))
		return false;
	*ret_next = to;
	*ret_closed = end >= stop;
	return flush(j, true, err);
}

struct merged {
	struct batch **batches;
	size_t batch_n, batch_cap;
	int64_t bytes;
	struct item {
		const struct record *record;
		int32_t partition;
	} *items;
	size_t n, cap;
	int64_t from_ms, until_ms;           /* TIME_NONE = any time */
};

static bool use_merge(struct job *j, struct batch *b, void *arg, struct err *err)
{
	struct merged *g = arg;
	size_t before = g->n;
	for (size_t i = 0; i < b->record_n; i++) {
		const struct record *r = &b->records[i];
		if (g->from_ms != TIME_NONE && (r->ts_ms < g->from_ms || r->ts_ms >= g->until_ms))
			continue;
		if (g->n == g->cap) {
			size_t cap = g->cap ? g->cap * 2 : 1024;
			struct item *more = realloc(g->items, cap * sizeof *more);
			if (!more)
				return err_set(err, ERR_MEMORY, "no memory for %zu messages", cap);
			g->items = more;
			g->cap = cap;
		}
		g->items[g->n++] = (struct item){.record = r, .partition = b->partition};
		g->bytes += (int64_t)r->key_len + r->value_len + r->headers_len + 64;
	}
	if (g->bytes > j->m->o.cache_bytes)
		return err_set(err, ERR_LIMIT, "the file would be larger than the cache");
	if (g->n == before)
		return true;
	if (g->batch_n == g->batch_cap) {
		g->batch_cap = g->batch_cap ? g->batch_cap * 2 : 64;
		g->batches = xreallocarray(g->batches, g->batch_cap, sizeof(struct batch *));
	}
	g->batches[g->batch_n++] = batch_ref(b);
	return true;
}

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	if (x->record->ts_ms != y->record->ts_ms)
		return x->record->ts_ms < y->record->ts_ms ? -1 : 1;
	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	return x->record->offset < y->record->offset ? -1 : x->record->offset > y->record->offset;
}

static bool keep_key(void *arg, struct bytes key, struct bytes value)
{
	const struct doc *d = arg;
	(void)value;
	return key.data && key.len == d->name_len && (key.len == 0 || memcmp(key.data, d->name, key.len) == 0);
}

static bool render_merged(struct job *j, struct err *err)
{
	struct doc *d = j->d;
	struct provider *p = j->a->provider;
	struct partition_bounds *b = NULL;
	int32_t n = 0;
	struct merged g = {.from_ms = TIME_NONE, .until_ms = TIME_NONE};
	struct topic_info info;
	int64_t asked_ms = time_mono_ms();
	if (!access_bounds(j->m, j->a, d->topic, &b, &n, err))
		return false;
	pthread_mutex_lock(&j->m->mu);
	registry_set_bounds(j->m, d->topic, b, n, asked_ms);
	pthread_mutex_unlock(&j->m->mu);
	struct scan_range *ranges = xcalloc((size_t)n, sizeof *ranges);
	int64_t *at = xcalloc((size_t)n * 2, sizeof *at);
	bool ok = true;
	for (int32_t i = 0; i < n; i++)
		ranges[i] = (struct scan_range){.partition = i, .start = b[i].low, .end = b[i].end};
	if (d->kind == DOC_HOUR) {
		g.from_ms = d->number;
		g.until_ms = d->number + HOUR_MS;
		access_deadline(j->a, j->m->o.timeout_ms);
		ok = p->impl->topic_info(p, d->topic->cluster->name, d->topic->name, 0, &info, err);
		if (ok && info.time_seek) {
			ok = p->impl->topic_offsets_at(p, d->topic->cluster->name, d->topic->name, n, g.from_ms, at, err) &&
				p->impl->topic_offsets_at(p, d->topic->cluster->name, d->topic->name, n, g.until_ms, at + n, err);
			for (int32_t i = 0; ok && i < n; i++) {
				ranges[i].start = at[i] > ranges[i].start ? at[i] : ranges[i].start;
				ranges[i].end = at[n + i] < ranges[i].end ? at[n + i] : ranges[i].end;
			}
		}
		access_deadline(j->a, 0);
	}
	size_t kept = 0;
	for (int32_t i = 0; i < n; i++)
		if (ranges[i].start < ranges[i].end)
			ranges[kept++] = ranges[i];
	struct scan_request request = {.ranges = ranges, .range_n = kept, .order = SCAN_ORDER_ANY};
	if (d->kind == DOC_KEY)
		request.filter = (struct scan_filter){.keep = keep_key, .arg = d};
	if (ok && kept)
		ok = scan(j, &request, use_merge, &g, err);
	if (ok) {
		if (g.n)
			qsort(g.items, g.n, sizeof *g.items, compare_items);
		render_header(j->renderer, &j->lines);
		for (size_t i = 0; ok && i < g.n; i++)
			ok = add_record(j, g.items[i].partition, g.items[i].record, err);
		ok = ok && flush(j, true, err);
	}
	for (size_t i = 0; i < g.batch_n; i++)
		batch_unref(g.batches[i]);
	free(g.batches);
	free(g.items);
	free(ranges);
	free(at);
	free(b);
	return ok;
}

struct query_put {
	struct job *j;
	struct err *err;
};

static bool put_query(void *arg, const void *data, size_t len)
{
	struct query_put *q = arg;
	buf_add(&q->j->lines, data, len);
	return flush(q->j, false, q->err);
}

static bool render_query(struct job *j, struct err *err)
{
	struct err put_err = ERR_INIT;
	struct query_put q = {.j = j, .err = &put_err};
	char *name = xstrndup((const char *)j->d->name, j->d->name_len);
	access_deadline(j->a, j->m->o.timeout_ms);
	bool ok = j->a->impl->query_run && j->a->impl->query_run(j->a, name, j->d->form == FORM_CSV, put_query, &q, err);
	access_deadline(j->a, 0);
	free(name);
	if (!ok && put_err.id)
		*err = put_err;
	return ok && flush(j, true, err);
}

/* Puts the job's result into the document. Under mu. */
static void publish(struct job *j, bool ok, int64_t next, bool closed, uint64_t hash, const struct err *err)
{
	struct mount *m = j->m;
	struct doc *d = j->d;
	d->rendered_ms = time_now_ms();
	d->error = ok ? 0 : err_errno(err);
	if (!ok) {
		mount_note_error(m, err);
		if ((err->id == ERR_CONNECT || err->id == ERR_TIMEOUT) && d->topic && !d->topic->cluster->down) {
			d->topic->bounds_wanted = true;       /* the refresher finds out whether the cluster is down */
			pthread_cond_signal(&m->refresh);
		}
		return;
	}
	if (d->dead)
		return;
	if (!d->has_text) {
		if (d->size >= 0 && (d->size != text_len(&j->text) || d->content_hash != hash)) {
			d->error = ESTALE;                    /* not the bytes that this nodeid stood for */
			doc_kill(m, d);
			return;
		}
		text_finish(&d->text);
		d->text = j->text;
		text_init(&j->text);
		d->has_text = true;
		link_append(&m->docs_lru, &d->lru);
		d->first_offset = j->first_offset;
		m->cache_used += text_len(&d->text);
	} else {
		struct text_slice s;
		m->cache_used += text_len(&j->text);
		for (int64_t at = 0; at < j->text.end; at += (int64_t)s.len) {
			text_slice(&j->text, at, TEXT_CHUNK_BYTES, &s);
			for (int i = 0; i < s.n; i++)
				if (!text_add(&d->text, s.iov[i].iov_base, s.iov[i].iov_len))
					alloc_failed(s.iov[i].iov_len);
			size_t len = s.len;
			text_slice_finish(&s);
			s.len = len;
		}
		link_remove(&d->lru);
		link_append(&m->docs_lru, &d->lru);
	}
	d->next_offset = next;
	d->message_n += j->message_n;
	if (j->message_n) {
		d->last_offset = j->last_offset;
		if (d->first_offset < 0)
			d->first_offset = j->first_offset;
		if (d->topic && d->kind == DOC_SEGMENT && !form_has_rows(d->form)) {
			double line = (double)text_len(&d->text) / (double)d->message_n;
			d->topic->line_bytes = line > d->topic->line_bytes ? line : d->topic->line_bytes * 0.7 + line * 0.3;
		}
	}
	if (j->newest_ms != TIME_NONE && (d->newest_ms == TIME_NONE || j->newest_ms > d->newest_ms))
		d->newest_ms = j->newest_ms;
	if (closed) {
		d->closed = true;
		d->size = text_len(&d->text);
		d->content_hash = hash;
	}
}

static void run_job(struct mount *m, struct mount_access *a, struct doc_reader *reader, struct doc *d)
{
	struct err err = ERR_INIT;
	struct job j = {.m = m, .a = a, .reader = reader, .d = d, .lines = BUF_INIT, .first_offset = -1, .last_offset = -1, .newest_ms = TIME_NONE, .until_ms = time_mono_ms() + DOC_JOB_MAX_MS};
	int64_t next = 0;
	bool closed = true;
	text_init(&j.text);
	bool ok = false;
	if (d->kind != DOC_SEGMENT)
		doc_reader_close(m, reader);
	/* An outage shorter than the time an open may wait is not an error. */
	for (int64_t give_up_ms = time_mono_ms() + m->o.timeout_ms;;) {
		ok = d->kind == DOC_QUERY ? render_query(&j, &err)
			: (j.renderer || make_renderer(&j, &err)) && (d->kind == DOC_SEGMENT ? render_segment(&j, &next, &closed, &err) : render_merged(&j, &err));
		if (ok || (err.id != ERR_CONNECT && err.id != ERR_LEADER) || time_mono_ms() + RETRY_MS >= give_up_ms || cancel_requested(a->provider->cancel))
			break;
		nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
		err_clear(&err);
		text_finish(&j.text);
		buf_clear(&j.lines);
		j.message_n = 0;
		j.first_offset = j.last_offset = -1;
		j.newest_ms = TIME_NONE;
	}
	atomic_fetch_add(&m->render_n, 1);
	pthread_mutex_lock(&m->mu);
	bool fresh = !d->has_text;
	pthread_mutex_unlock(&m->mu);             /* only this thread changes has_text of a RUNNING document from false to true */
	uint64_t hash = ok && closed && fresh ? text_hash(&j.text) : 0;
	pthread_mutex_lock(&m->mu);
	assert(!(d->has_text && d->closed));      /* nothing is ever appended to what is complete */
	publish(&j, ok, next, closed, hash, &err);
	if (ok && closed && !fresh && d->has_text)
		d->content_hash = text_hash(&d->text);
	d->state = DOC_IDLE;
	pthread_mutex_unlock(&m->mu);
	text_finish(&j.text);
	buf_finish(&j.lines);
	renderer_destroy(j.renderer);
	park_wake(m, &d->served, 0);
	pthread_mutex_lock(&m->mu);
	if (d->again || !link_empty(&d->waiters)) {
		d->again = false;
		if (d->dead)
			link_move_all(&d->waiters, &d->served);
		else
			doc_want(m, d);
	}
	bool stale = !link_empty(&d->served);
	pthread_mutex_unlock(&m->mu);
	if (stale)
		park_wake(m, &d->served, 0);
}

void *doc_thread(void *arg)
{
	struct mount *m = arg;
	struct mount_access *a = NULL;
	struct doc_reader reader;
	int64_t worked_ms = 0;
	struct err err = ERR_INIT;
	if (!access_open(m, false, &a, &err)) {
		pthread_mutex_lock(&m->mu);
		mount_note_error(m, &err);
		mount_thread_done(m);
		pthread_mutex_unlock(&m->mu);
		return NULL;
	}
	pthread_mutex_lock(&m->mu);
	doc_reader_init(m, &reader);
	while (!m->stopping) {
		struct doc *d = doc_reader_pick(m, &reader);
		if (!d && !reader.topic) {
			pthread_cond_wait(&m->job, &m->mu);
			continue;
		}
		int64_t idle_ms = time_mono_ms() - worked_ms;
		if (!d && idle_ms < READER_IDLE_MS) {
			mount_wait_ms(&m->job, &m->mu, READER_IDLE_MS - idle_ms);
			continue;
		}
		if (!d) {                                     /* nobody goes on with the scan */
			pthread_mutex_unlock(&m->mu);
			doc_reader_close(m, &reader);
			pthread_mutex_lock(&m->mu);
			continue;
		}
		link_remove(&d->queue);
		/* Nobody waits any more (deadlines passed while the brokers were away): do not work off a pile. */
		if (link_empty(&d->waiters) && d->handle_n == 0 && !d->ahead) {
			d->state = DOC_IDLE;
			doc_unref(m, d);
			continue;
		}
		d->state = DOC_RUNNING;
		d->again = d->ahead = false;
		link_move_all(&d->waiters, &d->served);
		bool complete = d->has_text && d->closed;       /* an open came while the last job ran: there is nothing left to do */
		if (complete)
			d->state = DOC_IDLE;
		pthread_mutex_unlock(&m->mu);
		if (complete)
			park_wake(m, &d->served, 0);
		else
			run_job(m, a, &reader, d);
		worked_ms = time_mono_ms();
		pthread_mutex_lock(&m->mu);
		doc_unref(m, d);
		evict(m);
	}
	pthread_mutex_unlock(&m->mu);
	doc_reader_finish(m, &reader);
	access_close(m, a);
	pthread_mutex_lock(&m->mu);
	mount_thread_done(m);
	pthread_mutex_unlock(&m->mu);
	return NULL;
}

void doc_finish_all(struct mount *m)
{
	while (!link_empty(&m->jobs)) {
		struct doc *d = LINK_OWNER(m->jobs.next, struct doc, queue);
		link_remove(&d->queue);
		d->state = DOC_IDLE;
		doc_unref(m, d);
	}
	for (size_t i = 0; i < m->doc_bucket_n; i++)
		while (m->docs[i]) {
			struct doc *d = m->docs[i];
			d->ref_n = 0;
			drop_text(m, d);
			free_if_unused(m, d);
		}
	free(m->docs);
	m->docs = NULL;
	m->doc_bucket_n = 0;
}
