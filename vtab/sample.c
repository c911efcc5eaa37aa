/* Looking at some messages of a topic: for its columns (stream_infer) and for the partitioner of its keys. */
#include "vtab/scan.h"

#include <stdlib.h>
#include "codec/infer.h"
#include "core/alloc.h"
#include "core/time.h"

/* In a large topic each half of the sampling (newest, oldest) takes what is there after SAMPLE_MS and does not wait for the other partitions:
 * where producers fill batches of a megabyte, every partition costs the decompression of one, and the first row is to be there in 20 ms. */
enum { SAMPLE_MS = 3, LARGE_TOPIC_N = 100000 };

struct samples {
	struct batch **batches;              /* referenced */
	size_t batch_n;
	const struct record **records;
	int32_t *partitions;
	size_t n, cap;
};

static bool take_sample(void *arg, struct batch *b, const struct record *r, struct err *err)
{
	struct samples *s = arg;
	if (s->batch_n == 0 || s->batches[s->batch_n - 1] != b) {
		s->batches = xreallocarray(s->batches, s->batch_n + 1, sizeof *s->batches);
		s->batches[s->batch_n++] = batch_ref(b);
	}
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->records = xreallocarray(s->records, s->cap, sizeof *s->records);
		s->partitions = xreallocarray(s->partitions, s->cap, sizeof *s->partitions);
	}
	s->records[s->n] = r;
	s->partitions[s->n++] = b->partition;
	return true;
}

static void samples_finish(struct samples *s)
{
	for (size_t i = 0; i < s->batch_n; i++)
		batch_unref(s->batches[i]);
	free(s->batches);
	free(s->records);
	free(s->partitions);
}

/* Reads about n messages: the newest and the oldest of each partition. */
static bool read_samples(struct module *m, struct provider *p, const char *cluster, const char *topic, int32_t partition_n, const struct partition_bounds *bounds, size_t n, unsigned need,
	struct samples *to, struct err *err)
{
	struct scan_range *ranges = xreallocarray(NULL, (size_t)partition_n, sizeof *ranges);
	int64_t each = (int64_t)n / (2 * partition_n);
	if (each < 1)
		each = 1;
	bool ok = true;
	int64_t total = 0;
	for (int32_t i = 0; i < partition_n; i++)
		total += bounds[i].end - bounds[i].low;
	/* Newest first: they say what the topic looks like now. */
	for (int oldest = 0; ok && oldest < 2; oldest++) {
		size_t range_n = 0;
		for (int32_t i = 0; i < partition_n && range_n < n; i++) {
			int64_t low = bounds[i].low, end = bounds[i].end;
			bool small = end - low <= 2 * each;
			struct scan_range r = {bounds[i].partition, oldest || small ? low : end - each, oldest && !small ? low + each : end};
			if (low < end && !(oldest && small))
				ranges[range_n++] = r;
		}
		if (range_n == 0)
			continue;
		struct scan_request request = {
			.topic = topic, .ranges = ranges, .range_n = range_n, .need = need, .row_hint = (int64_t)n, .cancel = p->cancel, .gap_policy = GAP_WARN, .max_message_bytes = p->max_message_bytes,
		};
		ok = scan_read(m, cluster, &request, total > LARGE_TOPIC_N ? time_mono_ms() + SAMPLE_MS : 0, take_sample, to, err);
		/* A damaged batch ends the look at this half; the query itself may not even come near it. */
		if (!ok && err->id == ERR_BAD_BATCH) {
			err_clear(err);
			ok = true;
		}
	}
	free(ranges);
	return ok;
}

bool stream_infer(struct provider *p, struct stream *s, size_t sample_n, struct buf *report, struct err *err)
{
	struct module m = {.provider = p};
	struct topic_info info = {0};
	struct samples samples = {0};
	if (!p->impl->topic_info(p, s->cluster, s->topic, 0, &info, err))
		return false;
	struct partition_bounds *bounds = xreallocarray(NULL, info.partition_n > 0 ? (size_t)info.partition_n : 1, sizeof *bounds);
	bool ok = p->impl->topic_bounds(p, s->cluster, s->topic, info.partition_n, bounds, err) &&
		read_samples(&m, p, s->cluster, s->topic, info.partition_n, bounds, sample_n, SCAN_NEED_KEY | SCAN_NEED_VALUE | SCAN_NEED_HEADERS, &samples, err);
	if (ok)
		infer_stream(s, samples.records, samples.n, report);
	free(bounds);
	samples_finish(&samples);
	return ok;
}

/* ---- size ---- */

enum { SIZE_SAMPLE_N = 64 };

double sample_message_bytes(struct module *m, const struct frozen *f)
{
	struct samples samples = {0};
	struct err ignored = ERR_INIT;
	double sum = 0;
	read_samples(m, m->provider, f->cluster, f->topic, f->info.partition_n, f->bounds, SIZE_SAMPLE_N, 0, &samples, &ignored);
	for (size_t i = 0; i < samples.n; i++)
		sum += samples.records[i]->size;
	double average = samples.n ? sum / (double)samples.n : -1;
	samples_finish(&samples);
	return average;
}

/* ---- partitioner ---- */

enum {
	DETECT_MIN_KEYS = 8,                 /* distinct keys that must agree; by chance they would once in partition_n^8 times */
	DETECT_SAMPLE_N = 64,
	DETECT_WORTH_N = 20 * DETECT_SAMPLE_N,   /* a smaller topic is read as fast as sampled */
	DETECT_MAX_PARTITIONS = 32,          /* of a larger topic only the first ones are sampled */
};

static size_t count_agreeing(const struct samples *s, enum partitioner p, int32_t partition_n)
{
	size_t distinct = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct bytes key = record_key(s->records[i]);
		if (!key.data)
			continue;
		if (hash_partition(p, key, partition_n) != s->partitions[i])
			return 0;
		bool seen = false;
		for (size_t k = 0; k < i && !seen; k++)
			seen = bytes_equal(key, record_key(s->records[k]));
		distinct += !seen;
	}
	return distinct;
}

static struct detected *detect(struct table *t, const struct frozen *f)
{
	struct module *m = t->module;
	struct detected *d = xcalloc(1, sizeof *d);
	d->cluster = f->cluster ? xstrdup(f->cluster) : NULL;
	d->topic = xstrdup(f->topic);
	d->partition_n = f->info.partition_n;
	d->next = m->detected;
	m->detected = d;
	struct samples samples = {0};
	struct err err = ERR_INIT;
	int32_t sampled = f->info.partition_n < DETECT_MAX_PARTITIONS ? f->info.partition_n : DETECT_MAX_PARTITIONS;
	if (read_samples(m, m->provider, f->cluster, f->topic, sampled, f->bounds, DETECT_SAMPLE_N, SCAN_NEED_KEY, &samples, &err)) {
		static const enum partitioner candidates[] = {PARTITIONER_MURMUR2, PARTITIONER_CONSISTENT};
		for (size_t i = 0; i < 2 && d->partitioner == PARTITIONER_NONE; i++) {
			size_t n = count_agreeing(&samples, candidates[i], f->info.partition_n);
			if (n >= DETECT_MIN_KEYS) {
				d->partitioner = candidates[i];
				d->key_n = n;
			}
		}
	}
	samples_finish(&samples);
	return d;
}

enum partitioner table_partitioner(struct table *t, const struct frozen *f, bool always, size_t *ret_key_n)
{
	*ret_key_n = 0;
	if (t->stream->partitioner_given)
		return t->stream->partitioner;
	int64_t width = 0;
	for (int32_t i = 0; i < f->info.partition_n && width < DETECT_WORTH_N; i++)
		width += f->bounds[i].end - f->bounds[i].low;
	const struct detected *d = t->module->detected;
	while (d && !(same_name(d->cluster, f->cluster) && strcmp(d->topic, f->topic) == 0 && d->partition_n == f->info.partition_n))
		d = d->next;
	if (!d && !always && width < DETECT_WORTH_N)
		return PARTITIONER_NONE;
	if (!d) {
		d = detect(t, f);
		if (d->partitioner != PARTITIONER_NONE)
			notice(t->module, NOTICE_INFO, "%s: keys look partitioned by %s (%zu sampled keys agree), so _key = reads one partition; partitioner = 'none' reads all", f->topic, partitioner_name(d->partitioner), d->key_n);
	}
	*ret_key_n = d->key_n;
	return d->partitioner;
}

void detected_destroy(struct detected *list)
{
	while (list) {
		struct detected *d = list;
		list = d->next;
		free(d->cluster);
		free(d->topic);
		free(d);
	}
}
