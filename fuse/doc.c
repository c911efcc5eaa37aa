/* Documents: files that are rendered whole. A segment of a partition's log, an hour of a topic, the history of a key, the result of a query.
 *
 * An open queues a job and is parked; a worker (doc_thread, with a session of its own) renders; whoever waits is answered. One job at a time per
 * document, however many wait for it. The text then stays in the cache (oldest unused first out) and handles pin it.
 *
 * A segment is closed when the partition's end has passed its last offset. Closed text never changes for the life of the nodeid: when it was evicted
 * and is rendered again with another result (retention, compaction), the document is killed, the open answers ESTALE, and the kernel's second
 * lookup finds a new one. The last segment of a partition grows: each open and each growth of the partition queues a job that appends. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/alloc.h"
#include "core/hash.h"
#include "core/time.h"
#include "fuse/doc_job.h"

enum {
	DOC_TTL_MS = 30000,                  /* how old a result may be that a new lookup finds */
	HOUR_MS = 3600000,
	HOUR_GRACE_MS = 60000,               /* an hour is over when this much more has passed */
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

/* ---- jobs, on a worker, without mu */

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
		ok = d->kind == DOC_QUERY ? job_render_query(&j, &err)
			: (j.renderer || job_make_renderer(&j, &err)) && (d->kind == DOC_SEGMENT ? job_render_segment(&j, &next, &closed, &err) : job_render_merged(&j, &err));
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
