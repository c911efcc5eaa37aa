/* How documents read topics: one scan for one file; and a worker's reader, a scan that goes on over the segments of a partition which somebody reads in order.
 * Opening a scan costs some milliseconds, and what the client library has fetched beyond its end is thrown away; so a scan for a segment in the middle of such
 * a run is opened for the next ones too, and the worker that holds it takes their jobs, whoever else is free.
 *
 * A reader's topic, partition, next and end are what the other workers look at: written under mu. The rest is the worker's own. */
#include "core/alloc.h"
#include "core/time.h"
#include "fuse/state.h"

bool doc_scan_open(struct mount *m, struct mount_access *a, const struct doc *d, struct scan_request *request, struct source **ret, struct err *err)
{
	request->topic = d->topic->name;
	request->need = SCAN_NEED_KEY | SCAN_NEED_VALUE | SCAN_NEED_HEADERS;
	request->gap_policy = GAP_WARN;
	request->cancel = a->provider->cancel;
	access_deadline(a, m->o.timeout_ms);
	atomic_fetch_add(&m->broker_call_n, 1);
	return a->provider->impl->open_scan(a->provider, d->topic->cluster->name, request, ret, err);
}

enum source_status doc_scan_next(struct mount *m, struct mount_access *a, const struct doc *d, struct source *source, int64_t until_ms, struct batch **ret, struct err *err)
{
	enum { LOOK_MS = 100 };
	if (time_mono_ms() > until_ms) {
		err_set(err, ERR_TIMEOUT, "reading topic %s for one file took longer than %d s", d->topic->name, DOC_JOB_MAX_MS / 1000);
		return SOURCE_ERROR;
	}
	enum source_status status = source_next(source, LOOK_MS, ret, err);
	if (status == SOURCE_BATCH)
		access_deadline(a, m->o.timeout_ms);
	return status == SOURCE_IDLE && !cancel_check(a->provider->cancel, err) ? SOURCE_ERROR : status;
}

void doc_reader_init(struct mount *m, struct doc_reader *r)
{
	*r = (struct doc_reader){.topic = NULL};
	link_append(&m->readers, &r->all);
}

void doc_reader_finish(struct mount *m, struct doc_reader *r)
{
	doc_reader_close(m, r);
	pthread_mutex_lock(&m->mu);
	link_remove(&r->all);
	pthread_mutex_unlock(&m->mu);
}

/* What lies between is read and thrown away: at most a segment. */
static bool continues(const struct mount *m, const struct doc_reader *r, const struct topic *t, int32_t partition, int64_t start)
{
	return r->topic == t && r->partition == partition && start >= r->next && start < r->end && start - r->next <= m->o.segment_n;
}

struct doc *doc_reader_pick(struct mount *m, const struct doc_reader *r)
{
	struct doc *first = NULL;
	for (struct link *l = m->jobs.next; l != &m->jobs; l = l->next) {
		struct doc *d = LINK_OWNER(l, struct doc, queue);
		bool taken = false;
		if (d->kind == DOC_SEGMENT) {
			if (continues(m, r, d->topic, d->partition, d->next_offset))
				return d;
			for (struct link *o = m->readers.next; o != &m->readers && !taken; o = o->next)
				taken = continues(m, LINK_OWNER(o, struct doc_reader, all), d->topic, d->partition, d->next_offset);
		}
		if (!taken && !first)
			first = d;
	}
	return first;
}

static void set_place(struct mount *m, struct doc_reader *r, struct topic *t, int32_t partition, int64_t next, int64_t end)
{
	pthread_mutex_lock(&m->mu);
	r->topic = t;
	r->partition = partition;
	r->next = next;
	r->end = end;
	pthread_cond_broadcast(&m->job);             /* a job may have become anybody's, or this worker's */
	pthread_mutex_unlock(&m->mu);
}

void doc_reader_close(struct mount *m, struct doc_reader *r)
{
	if (!r->source)
		return;
	source_destroy(r->source);
	r->source = NULL;
	batch_unref(r->left);
	r->left = NULL;
	set_place(m, r, NULL, 0, 0, 0);
}

/* The last offset, exclusive, that one scan from `start` on may read. */
static int64_t run_end(struct mount *m, const struct doc *d, int64_t end)
{
	enum { RUN_SEGMENTS = 16 };
	struct topic *t = d->topic;
	pthread_mutex_lock(&m->mu);
	if (doc_in_order(m, d))
		for (int i = 0; i < RUN_SEGMENTS && segment_closed(m, t, d->partition, end); i++)
			end += m->o.segment_n;
	pthread_mutex_unlock(&m->mu);
	return end;
}

static bool reader_open(struct mount *m, struct doc_reader *r, struct mount_access *a, const struct doc *d, int64_t start, int64_t end, struct err *err)
{
	bool whole = end == d->number + m->o.segment_n;
	struct scan_range range = {.partition = d->partition, .start = start, .end = whole ? run_end(m, d, end) : end};
	struct scan_request request = {.ranges = &range, .range_n = 1, .order = SCAN_ORDER_PARTITION_OFFSET};
	if (!doc_scan_open(m, a, d, &request, &r->source, err))
		return false;
	set_place(m, r, d->topic, d->partition, start, range.end);
	return true;
}

/* The records of one batch that are in [start, end). *ret_more: the next one may be, too. */
static bool use_batch(struct doc_reader *r, struct batch *b, size_t at, int64_t start, int64_t end, doc_record_fn *use, void *arg, bool *ret_more, struct err *err)
{
	for (; at < b->record_n; at++) {
		const struct record *record = &b->records[at];
		if (record->offset >= end) {
			r->left = b;
			r->left_at = at;
			*ret_more = false;
			return true;
		}
		if (record->offset >= start && !use(arg, b->partition, record, err)) {
			batch_unref(b);
			return false;
		}
	}
	*ret_more = b->record_n == 0 || b->records[b->record_n - 1].offset < end - 1;
	batch_unref(b);
	return true;
}

static bool read_on(struct mount *m, struct doc_reader *r, struct mount_access *a, const struct doc *d, int64_t start, int64_t end, int64_t until_ms, doc_record_fn *use, void *arg,
                    struct err *err)
{
	bool more = true;
	if (r->left) {
		struct batch *b = r->left;
		r->left = NULL;
		if (!use_batch(r, b, r->left_at, start, end, use, arg, &more, err))
			return false;
	}
	while (more) {
		struct batch *b = NULL;
		enum source_status status = doc_scan_next(m, a, d, r->source, until_ms, &b, err);
		if (status == SOURCE_ERROR || (status == SOURCE_BATCH && !use_batch(r, b, 0, start, end, use, arg, &more, err)))
			return false;
		if (status == SOURCE_END) {
			end = r->end;                        /* nothing is left of any of it */
			more = false;
		}
	}
	set_place(m, r, r->topic, r->partition, end, r->end);
	return true;
}

bool doc_reader_read(struct mount *m, struct doc_reader *r, struct mount_access *a, const struct doc *d, int64_t start, int64_t end, int64_t until_ms, doc_record_fn *use, void *arg,
                     struct err *err)
{
	bool ok = true;
	if (!r->source || !continues(m, r, d->topic, d->partition, start) || end > r->end) {
		doc_reader_close(m, r);
		ok = reader_open(m, r, a, d, start, end, err);
	}
	access_deadline(a, m->o.timeout_ms);
	ok = ok && read_on(m, r, a, d, start, end, until_ms, use, arg, err);
	access_deadline(a, 0);
	if (!ok || r->next >= r->end)
		doc_reader_close(m, r);
	return ok;
}
