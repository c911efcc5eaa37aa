/* What a job reads and renders: the records of a segment, the merged ones of an hour or a key, the rows of a query. Hours and keys are merged over partitions by
 * (timestamp, partition, offset), so they come out the same each time. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "fuse/doc_job.h"

enum { FLUSH_BYTES = 128 * 1024, HOUR_MS = 3600000 };

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

bool job_make_renderer(struct job *j, struct err *err)
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
bool job_render_segment(struct job *j, int64_t *ret_next, bool *ret_closed, struct err *err)
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

bool job_render_merged(struct job *j, struct err *err)
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

bool job_render_query(struct job *j, struct err *err)
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
