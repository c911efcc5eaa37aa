/* Live text. A feed reads a topic from some offsets on, for ever, on a thread and session of its own, and renders into one text.
 *
 * A shared feed is the window behind tail.ndjson and follow: it begins with the last messages of each partition, merged by (timestamp, partition,
 * offset), and goes on in arrival order. Its text is a ring: when it is full, what is older than half of it is dropped, and a new generation begins:
 * files looked up from now on count their bytes from there, files already open keep counting as before and keep growing (bytes under a live
 * nodeid are never renumbered; a read of dropped bytes is ESTALE). Nobody holding it for a minute ends it.
 *
 * A private feed serves one handle of follow@beginning, follow@-N or follow@TIME; it waits for its reader instead of dropping.
 *
 * An open waits until the history is there (and what the brokers had when it came), so that "produced after open returned" means something. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "fuse/state.h"

enum {
	IDLE_STOP_MS = 60000,
	SLICE_MS = 10,                       /* how long one wait for messages lasts: the delay before an open is noticed */
	CATCH_UP_MS = 300,                   /* control records at the end are never delivered: do not wait for them for ever */
	RETRY_MS = 1000,
	FLUSH_BYTES = 128 * 1024,
	PRIVATE_BYTES = 4 * 1024 * 1024,
	RING_BYTES = 64 * 1024 * 1024,
	RING_ALL_BYTES = 256 * 1024 * 1024,
	RING_SECONDS = 30,
	FEEDS_MAX = 256,
	FEEDS_IDLE_MAX = 16,
	PRIVATE_MAX = 64,
	PRIME_MAX_N = 200000,                /* messages read to find the last N over all partitions */
};

struct feed *feed_create(struct mount *m, struct topic *t, enum form form)
{
	struct feed *f = xcalloc(1, sizeof *f);
	pthread_condattr_t mono;
	f->m = m;
	f->ref_n = 1;
	f->topic = t;
	f->form = form;
	f->from = FROM_LAST;
	f->from_n = m->o.window_n;
	f->newest_ms = TIME_NONE;
	f->idle_since_ms = time_mono_ms();
	text_init(&f->text);
	link_init(&f->waiters);
	link_init(&f->served);
	link_init(&f->readers);
	link_init(&f->pollers);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&f->room, &mono);
	pthread_condattr_destroy(&mono);
	link_append(&m->feeds, &f->all);
	return f;
}

struct feed *feed_shared(struct mount *m, struct topic *t, struct live_view *v, enum form form)
{
	struct feed **slot = t ? &t->feeds[form] : &v->feeds[form];
	if (!*slot) {
		*slot = feed_create(m, t, form);
		(*slot)->view = v;
		(*slot)->slot = slot;
	}
	return *slot;
}

void feed_ref(struct feed *f)
{
	f->ref_n++;
}

void feed_unref(struct feed *f)
{
	if (!f || --f->ref_n > 0)
		return;
	link_remove(&f->all);
	text_finish(&f->text);
	pthread_cond_destroy(&f->room);
	free(f);
}

void feed_retire(struct mount *m, struct feed *f)
{
	(void)m;
	f->stop = true;
	f->state = FEED_RETIRED;
	pthread_cond_signal(&f->room);
	if (f->slot && *f->slot == f) {
		*f->slot = NULL;
		feed_unref(f);
	}
}

void feed_expire(struct mount *m, int64_t now_ms)
{
	pthread_mutex_lock(&m->mu);
	for (struct link *l = m->feeds.next, *next; l != &m->feeds; l = next) {
		next = l->next;
		struct feed *f = LINK_OWNER(l, struct feed, all);
		if (!f->private_ && f->handle_n == 0 && (f->state == FEED_STARTING || f->state == FEED_READY) && now_ms - f->idle_since_ms > IDLE_STOP_MS) {
			feed_ref(f);                          /* so that next stays in the list whatever retire frees */
			feed_retire(m, f);
			next = l->next;
			feed_unref(f);
		}
	}
	pthread_mutex_unlock(&m->mu);
}

void feed_kick_followers(struct mount *m)
{
	for (;;) {
		struct link kicked;
		link_init(&kicked);
		pthread_mutex_lock(&m->mu);
		for (struct link *l = m->feeds.next; l != &m->feeds; l = l->next)
			link_move_all(&LINK_OWNER(l, struct feed, all)->readers, &kicked);
		bool none = link_empty(&kicked);
		pthread_mutex_unlock(&m->mu);
		if (none)
			return;
		park_wake(m, &kicked, EINTR);
		return;
	}
}

/* ---- the thread */

struct run {
	struct mount *m;
	struct feed *f;
	struct mount_access *a;
	struct renderer *renderer;
	struct source *source;
	int64_t *next;                       /* per partition: first offset not rendered yet */
	int32_t partition_n;
	struct buf lines;
	int64_t line_n, newest_ms;
	int64_t asked_ms;                    /* since when the opens on feed.served wait */
};

static void ring(struct mount *m, struct feed *f)
{
	int64_t now = time_mono_ms();
	if (now - f->rate_ms >= 1000) {
		double rate = (double)(f->text.end - f->rate_end) * 1000.0 / (double)(now - f->rate_ms);
		f->rate = f->rate_ms ? f->rate * 0.7 + rate * 0.3 : 0;
		f->rate_ms = now;
		f->rate_end = f->text.end;
	}
	int64_t shared_n = 0;
	for (struct link *l = m->feeds.next; l != &m->feeds; l = l->next)
		shared_n += !LINK_OWNER(l, struct feed, all)->private_;
	int64_t limit = m->o.ring_bytes;
	if (!limit) {
		int64_t want = (int64_t)(f->rate * RING_SECONDS), most = RING_ALL_BYTES / (shared_n ? shared_n : 1);
		limit = want < most ? want : most;
		limit = limit > RING_BYTES ? limit : RING_BYTES;
	}
	if (text_len(&f->text) <= limit)
		return;
	text_drop(&f->text, text_line_after(&f->text, f->text.end - limit / 2));
	f->generation = f->text.base;
	f->generation_n++;
}

/* Makes the rendered lines visible, whole ones only. False: stop. */
static bool publish(struct run *r)
{
	struct mount *m = r->m;
	struct feed *f = r->f;
	bool go_on;
	pthread_mutex_lock(&m->mu);
	while (f->private_ && text_len(&f->text) > PRIVATE_BYTES && !f->stop && !m->stopping)
		pthread_cond_wait(&f->room, &m->mu);
	go_on = !f->stop && !m->stopping;
	if (go_on && r->lines.len) {
		if (!text_add(&f->text, r->lines.data, r->lines.len))
			alloc_failed(r->lines.len);
		f->message_n += r->line_n;
		if (r->newest_ms != TIME_NONE && (f->newest_ms == TIME_NONE || r->newest_ms > f->newest_ms))
			f->newest_ms = r->newest_ms;
		if (r->line_n && f->topic && !form_has_rows(f->form)) {
			double line = (double)r->lines.len / (double)r->line_n;
			f->topic->line_bytes = line > f->topic->line_bytes ? line : f->topic->line_bytes * 0.9 + line * 0.1;
		}
		if (!f->private_)
			ring(m, f);
	}
	pthread_mutex_unlock(&m->mu);
	buf_clear(&r->lines);
	r->line_n = 0;
	if (go_on)
		park_wake_readers(m, f);
	return go_on;
}

static void say_error(struct run *r, const struct err *err)
{
	pthread_mutex_lock(&r->m->mu);
	snprintf(r->f->error, sizeof r->f->error, "%.255s", err ? err->msg : "");
	if (err)
		mount_note_error(r->m, err);
	pthread_mutex_unlock(&r->m->mu);
}

static bool stopped(struct run *r)
{
	pthread_mutex_lock(&r->m->mu);
	bool stop = r->f->stop || r->m->stopping;
	pthread_mutex_unlock(&r->m->mu);
	return stop;
}

static void nap(struct run *r, int64_t ms)
{
	for (int64_t until = time_mono_ms() + ms; time_mono_ms() < until && !stopped(r);)
		nanosleep(&(struct timespec){.tv_nsec = SLICE_MS * 1000000L}, NULL);
}

static bool add(struct run *r, int32_t partition, const struct record *rec)
{
	render_record(r->renderer, partition, rec, &r->lines);
	r->line_n++;
	if (rec->ts_ms != TIME_NONE && (r->newest_ms == TIME_NONE || rec->ts_ms > r->newest_ms))
		r->newest_ms = rec->ts_ms;
	return r->lines.len < FLUSH_BYTES || publish(r);
}

struct late {
	const struct record *record;
	int32_t partition;
};

static int compare_late(const void *a, const void *b)
{
	const struct late *x = a, *y = b;
	if (x->record->ts_ms != y->record->ts_ms)
		return x->record->ts_ms < y->record->ts_ms ? -1 : 1;
	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	return x->record->offset < y->record->offset ? -1 : x->record->offset > y->record->offset;
}

/* The last N messages before end, merged. Sets next to end. */
static bool prime(struct run *r, const struct partition_bounds *b, struct err *err)
{
	struct feed *f = r->f;
	int64_t each = f->from_n;
	struct source *source = NULL;
	struct batch **batches = NULL;
	struct late *items = NULL;
	size_t batch_n = 0, n = 0, range_n = 0;
	if (each > PRIME_MAX_N / r->partition_n)
		each = PRIME_MAX_N / r->partition_n;
	struct scan_range *ranges = xcalloc((size_t)r->partition_n, sizeof *ranges);
	for (int32_t i = 0; i < r->partition_n; i++) {
		int64_t start = b[i].end - each > b[i].low ? b[i].end - each : b[i].low;
		if (start < b[i].end)
			ranges[range_n++] = (struct scan_range){.partition = i, .start = start, .end = b[i].end};
	}
	bool ok = true;
	if (range_n) {
		struct scan_request request = {.topic = f->topic->name, .ranges = ranges, .range_n = range_n, .need = SCAN_NEED_KEY | SCAN_NEED_VALUE | SCAN_NEED_HEADERS,
			.order = SCAN_ORDER_ANY, .gap_policy = GAP_WARN, .cancel = r->a->provider->cancel};
		access_deadline(r->a, r->m->o.timeout_ms);
		ok = r->a->provider->impl->open_scan(r->a->provider, f->topic->cluster->name, &request, &source, err);
		for (struct batch *got = NULL; ok;) {
			enum source_status status = source_next(source, SLICE_MS, &got, err);
			if (status == SOURCE_END)
				break;
			ok = status != SOURCE_ERROR && !stopped(r) && (status == SOURCE_BATCH || cancel_check(r->a->provider->cancel, err));
			if (status != SOURCE_BATCH)
				continue;
			access_deadline(r->a, r->m->o.timeout_ms);
			batches = xreallocarray(batches, batch_n + 1, sizeof(struct batch *));
			batches[batch_n++] = got;
			items = xreallocarray(items, n + got->record_n + 1, sizeof *items);
			for (size_t i = 0; i < got->record_n; i++)
				items[n++] = (struct late){.record = &got->records[i], .partition = got->partition};
		}
		source_destroy(source);
		access_deadline(r->a, 0);
	}
	if (ok) {
		if (n)
			qsort(items, n, sizeof *items, compare_late);
		for (size_t i = n > (size_t)f->from_n ? n - (size_t)f->from_n : 0; ok && i < n; i++)
			ok = add(r, items[i].partition, items[i].record);
		for (int32_t i = 0; i < r->partition_n; i++)
			r->next[i] = b[i].end;
		ok = ok && publish(r);
	}
	for (size_t i = 0; i < batch_n; i++)
		batch_unref(batches[i]);
	free(batches);
	free(items);
	free(ranges);
	return ok;
}

static bool open_endless(struct run *r, struct err *err)
{
	struct scan_range *ranges = xcalloc((size_t)r->partition_n, sizeof *ranges);
	for (int32_t i = 0; i < r->partition_n; i++)
		ranges[i] = (struct scan_range){.partition = i, .start = r->next[i], .end = SCAN_END_NEVER};
	struct scan_request request = {.topic = r->f->topic->name, .ranges = ranges, .range_n = (size_t)r->partition_n,
		.need = SCAN_NEED_KEY | SCAN_NEED_VALUE | SCAN_NEED_HEADERS, .order = SCAN_ORDER_ANY, .gap_policy = GAP_WARN, .cancel = r->a->provider->cancel};
	atomic_fetch_add(&r->m->broker_call_n, 1);
	bool ok = r->a->provider->impl->open_scan(r->a->provider, r->f->topic->cluster->name, &request, &r->source, err);
	free(ranges);
	return ok;
}

/* Bounds, history, and a source that goes on from there. Also after an error, then without the history. */
static bool begin(struct run *r, struct err *err)
{
	struct mount *m = r->m;
	struct feed *f = r->f;
	struct provider *p = r->a->provider;
	struct partition_bounds *b = NULL;
	int32_t n = 0;
	int64_t asked_ms = time_mono_ms();
	if (!access_bounds(m, r->a, f->topic, &b, &n, err))
		return false;
	pthread_mutex_lock(&m->mu);
	registry_set_bounds(m, f->topic, b, n, asked_ms);
	pthread_mutex_unlock(&m->mu);
	bool first = !r->next;
	if (n > r->partition_n) {
		r->next = xreallocarray(r->next, (size_t)n, sizeof *r->next);
		for (int32_t i = r->partition_n; i < n; i++)
			r->next[i] = b[i].low;                /* a partition that was added: all of it is new */
		r->partition_n = n;
	}
	bool ok = true;
	if (first && f->from == FROM_LAST) {
		ok = prime(r, b, err);
		if (!ok) {
			free(r->next);
			r->next = NULL;
			r->partition_n = 0;
			buf_clear(&r->lines);
		}
	} else if (first && f->from == FROM_TIME) {
		struct topic_info info;
		access_deadline(r->a, m->o.timeout_ms);
		ok = p->impl->topic_info(p, f->topic->cluster->name, f->topic->name, 0, &info, err) &&
			(!info.time_seek || p->impl->topic_offsets_at(p, f->topic->cluster->name, f->topic->name, n, f->from_n, r->next, err));
		access_deadline(r->a, 0);
	}
	for (int32_t i = 0; ok && i < n && i < r->partition_n; i++)
		if (r->next[i] < b[i].low)
			r->next[i] = b[i].low;
	free(b);
	return ok && open_endless(r, err);
}

/* Answers opens when everything is here that the brokers had when they came. The refresher asks for the ends: on our own connection the question
 * would stand in line behind a fetch that waits for the next message. */
static void tend_waiters(struct run *r)
{
	struct mount *m = r->m;
	struct feed *f = r->f;
	struct topic *t = f->topic;
	int64_t now = time_mono_ms();
	pthread_mutex_lock(&m->mu);
	bool grown = t->bounds_known && t->partition_n > r->partition_n;
	if (link_empty(&f->served) && !link_empty(&f->waiters)) {
		link_move_all(&f->waiters, &f->served);
		r->asked_ms = now;
	}
	bool any = !link_empty(&f->served), there = false;
	if (any) {
		registry_touch(m, t, now - r->asked_ms);
		there = t->bounds_known && t->bounds_ms >= r->asked_ms;
		for (int32_t i = 0; there && i < t->partition_n && i < r->partition_n; i++)
			there = r->next[i] >= t->bounds[i].end;
		if (there)
			f->caught_up_ms = now;
		there |= t->cluster->down || now - r->asked_ms > CATCH_UP_MS;
	}
	pthread_mutex_unlock(&m->mu);
	if (there)
		park_wake(m, &f->served, 0);
	if (grown) {                              /* begin() takes the new partitions in */
		source_destroy(r->source);
		r->source = NULL;
	}
}

static bool make_renderer(struct run *r, struct err *err)
{
	struct stream *stream = NULL;
	struct topic *t = r->f->topic;
	if (form_has_rows(r->f->form)) {
		if (!r->a->impl->stream)
			return err_set(err, ERR_UNSUPPORTED, "no row forms here");
		access_deadline(r->a, r->m->o.timeout_ms);
		bool ok = r->a->impl->stream(r->a, t->cluster->name, t->name, &stream, err);
		access_deadline(r->a, 0);
		if (!ok)
			return false;
	}
	return renderer_create(t->name, r->f->form, stream, &r->renderer, err);
}

static void run_feed(struct run *r)
{
	struct mount *m = r->m;
	struct feed *f = r->f;
	struct err err = ERR_INIT;
	while (!stopped(r)) {
		if (!r->source) {
			err_clear(&err);
			if ((!r->renderer && !make_renderer(r, &err)) || !begin(r, &err)) {
				if (err.id && err.id != ERR_INTERRUPTED)
					say_error(r, &err);
				if (err.id == ERR_TOPIC_UNKNOWN || err.id == ERR_AUTHORIZATION || err.id == ERR_UNSUPPORTED) {
					park_wake(m, &f->waiters, err_errno(&err));
					pthread_mutex_lock(&m->mu);
					if (f->handle_n == 0)
						feed_retire(m, f);
					pthread_mutex_unlock(&m->mu);
				}
				nap(r, RETRY_MS);
				continue;
			}
			say_error(r, NULL);
			pthread_mutex_lock(&m->mu);
			bool first = f->state == FEED_STARTING;
			if (first)
				f->state = FEED_READY;
			link_move_all(&f->waiters, &f->served);
			pthread_mutex_unlock(&m->mu);
			park_wake(m, &f->served, 0);          /* the bounds were asked for after these opens came */
		}
		struct batch *b = NULL;
		enum source_status status = source_next(r->source, SLICE_MS, &b, &err);
		if (status == SOURCE_BATCH) {
			bool ok = true;
			for (size_t i = 0; ok && i < b->record_n; i++) {
				const struct record *rec = &b->records[i];
				if (f->from == FROM_TIME && rec->ts_ms < f->from_n && rec->ts_ms != TIME_NONE)
					continue;                         /* no time index, or out of order */
				ok = add(r, b->partition, rec);
			}
			if (b->partition < r->partition_n)
				r->next[b->partition] = b->records[b->record_n - 1].offset + 1;
			batch_unref(b);
			if (!ok || !publish(r))
				break;
		} else if (status == SOURCE_ERROR || status == SOURCE_END) {
			source_destroy(r->source);
			r->source = NULL;
			if (status == SOURCE_ERROR)
				say_error(r, &err);
			nap(r, RETRY_MS);
			continue;
		}
		tend_waiters(r);
	}
}

/* ---- live views */

/* Everything that was there when the first opens came is in the text. */
static void view_is_there(struct run *r)
{
	struct mount *m = r->m;
	struct feed *f = r->f;
	pthread_mutex_lock(&m->mu);
	if (f->state == FEED_STARTING)
		f->state = FEED_READY;
	f->caught_up_ms = time_mono_ms();
	link_move_all(&f->waiters, &f->served);
	pthread_mutex_unlock(&m->mu);
	park_wake(m, &f->served, 0);
}

static bool put_view(void *arg, const void *data, size_t len, bool there)
{
	struct run *r = arg;
	buf_add(&r->lines, data, len);
	r->line_n += len > 0;
	if (len)
		return r->lines.len < FLUSH_BYTES || publish(r);
	bool go_on = publish(r);
	if (go_on && there)
		view_is_there(r);
	return go_on;
}

/* A query that failed is not begun anew behind the rows it gave already: the window ends (end of file), the next lookup makes another one. */
static void run_view(struct run *r)
{
	struct err err = ERR_INIT;
	bool ok = r->a->impl->view_follow(r->a, r->f->view->name, r->f->form == FORM_CSV, r->m->o.since, put_view, r, &err);
	publish(r);
	if (!ok && !stopped(r)) {
		say_error(r, &err);
		park_wake(r->m, &r->f->waiters, err_errno(&err));
		park_wake(r->m, &r->f->served, err_errno(&err));
		return;
	}
	while (!stopped(r)) {                     /* a query with an end */
		view_is_there(r);
		nap(r, RETRY_MS);
	}
}

static void *feed_thread(void *arg)
{
	struct feed *f = arg;
	struct mount *m = f->m;
	struct run r = {.m = m, .f = f, .lines = BUF_INIT, .newest_ms = TIME_NONE};
	struct err err = ERR_INIT;
	if (access_open(m, true, &r.a, &err)) {
		if (f->view)
			run_view(&r);
		else
			run_feed(&r);
	} else {
		say_error(&r, &err);
		park_wake(m, &f->waiters, EIO);
	}
	source_destroy(r.source);
	renderer_destroy(r.renderer);
	access_close(m, r.a);
	free(r.next);
	buf_finish(&r.lines);
	pthread_mutex_lock(&m->mu);
	if (f->state != FEED_RETIRED)
		feed_retire(m, f);
	bool stopping = m->stopping;
	pthread_mutex_unlock(&m->mu);
	park_wake(m, &f->waiters, stopping ? EINTR : EIO);
	park_wake(m, &f->served, stopping ? EINTR : EIO);
	/* Readers of a retired window: end of file. Their handles still hold the text. */
	park_wake(m, &f->readers, 0);
	pthread_mutex_lock(&m->mu);
	m->feed_thread_n--;
	m->private_n -= f->private_;
	feed_unref(f);
	mount_thread_done(m);
	pthread_mutex_unlock(&m->mu);
	return NULL;
}

/* find and grep over a whole mount open one tail after the other: windows that nobody holds do not pile up. */
static void retire_longest_idle(struct mount *m)
{
	struct feed *oldest = NULL;
	for (struct link *l = m->feeds.next; l != &m->feeds; l = l->next) {
		struct feed *f = LINK_OWNER(l, struct feed, all);
		if (!f->private_ && f->handle_n == 0 && f->state == FEED_READY && (!oldest || f->idle_since_ms < oldest->idle_since_ms))
			oldest = f;
	}
	if (oldest)
		feed_retire(m, oldest);
}

bool feed_start(struct mount *m, struct feed *f)
{
	if (f->state != FEED_IDLE)
		return f->state != FEED_RETIRED;
	if (m->feed_thread_n >= FEEDS_IDLE_MAX)
		retire_longest_idle(m);
	if (m->feed_thread_n >= FEEDS_MAX || (f->private_ && m->private_n >= PRIVATE_MAX) || m->stopping)
		return false;
	feed_ref(f);
	if (!mount_thread(m, feed_thread, f)) {
		feed_unref(f);
		return false;
	}
	f->state = FEED_STARTING;
	f->idle_since_ms = time_mono_ms();
	m->feed_thread_n++;
	m->private_n += f->private_;
	return true;
}
