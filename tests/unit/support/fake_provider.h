/* A provider of topics in memory, for tests and benches: partitions of records, offsets with holes, a time index, sources that deliver
 * batches of a few records, sinks that append. It counts what was asked and delivered, so that a test can assert on it:
 * provider.stats.message_n, and the counters of struct fake. One thread. Everything is static: include it in one program file. */
#ifndef WEIR_TESTS_FAKE_PROVIDER_H
#define WEIR_TESTS_FAKE_PROVIDER_H

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/headers.h"
#include "core/provider.h"
#include "core/time.h"

struct fake_record {
	int64_t offset, ts_ms;
	uint8_t *key, *value, *headers;
	size_t key_len, value_len, headers_len;
	uint8_t ts_type;
};

struct fake_partition {
	struct fake_record *records;
	size_t n;
	int64_t low, end;
};

struct fake_topic {
	char name[64];
	struct topic_info info;
	struct fake_partition *partitions;
};

struct fake {
	struct provider provider;                /* first */
	struct cancel cancel;
	struct batch_pool *pool;
	struct fake_topic topics[8];
	size_t topic_n;
	size_t batch_records;                    /* records of one batch, default 7 */
	int64_t bounds_n, offsets_at_n, open_n, sink_open_n, put_n, flush_n;
	int64_t notice_n, bad_n;
	char last_notice[1024];
	char last_bad[256];
	unsigned last_need;
	bool fail_flush;
	int64_t fail_after;                      /* source error after so many records, 0 = never */
};

static struct fake_topic *fake_topic_find(struct fake *f, const char *name)
{
	for (size_t i = 0; i < f->topic_n; i++)
		if (strcmp(f->topics[i].name, name) == 0)
			return &f->topics[i];
	return NULL;
}

static inline struct fake_topic *fake_topic_add(struct fake *f, const char *name, int32_t partition_n)
{
	struct fake_topic *t = &f->topics[f->topic_n++];
	*t = (struct fake_topic){.info = {.partition_n = partition_n, .time_seek = true, .ts_type = TS_TYPE_CREATE}};
	strncpy(t->name, name, sizeof t->name - 1);
	t->partitions = xcalloc((size_t)partition_n, sizeof *t->partitions);
	return t;
}

/* Appends at `offset` (-1 = the end). NULL key or value = null. */
static void fake_add_bytes(struct fake_topic *t, int32_t partition, int64_t offset, int64_t ts_ms, struct bytes key, struct bytes value, struct bytes headers)
{
	struct fake_partition *p = &t->partitions[partition];
	if (offset < 0)
		offset = p->end;
	if ((p->n & (p->n - 1)) == 0)
		p->records = xreallocarray(p->records, p->n ? 2 * p->n : 1, sizeof *p->records);
	struct fake_record *r = &p->records[p->n++];
	*r = (struct fake_record){.offset = offset, .ts_ms = ts_ms, .ts_type = (uint8_t)t->info.ts_type, .key_len = key.len, .value_len = value.len, .headers_len = headers.len};
	const struct bytes from[3] = {key, value, headers};
	uint8_t **to[3] = {&r->key, &r->value, &r->headers};
	for (int i = 0; i < 3; i++) {
		if (!from[i].data)
			continue;
		*to[i] = xmalloc(from[i].len);
		if (from[i].len)
			memcpy(*to[i], from[i].data, from[i].len);
	}
	p->end = offset + 1;
}

static inline void fake_add(struct fake_topic *t, int32_t partition, int64_t offset, int64_t ts_ms, const char *key, const char *value)
{
	fake_add_bytes(t, partition, offset, ts_ms, bytes_str(key), bytes_str(value), bytes_of(NULL, 0));
}

/* ---- source ---- */

struct fake_source {
	struct source base;
	struct fake *fake;
	struct fake_topic *topic;
	struct scan_range *ranges;
	size_t *at;                              /* next record of each range */
	size_t range_n, turn;
	struct scan_request request;
};

static size_t fake_lower_bound(const struct fake_partition *p, int64_t offset)
{
	size_t lo = 0, hi = p->n;
	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;
		if (p->records[middle].offset < offset)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static enum source_status fake_next(struct source *source, int wait_ms, struct batch **ret_batch, struct err *err)
{
	struct fake_source *s = (struct fake_source *)source;
	for (size_t tried = 0; tried < s->range_n;) {
		size_t i = s->turn;
		struct fake_partition *p = &s->topic->partitions[s->ranges[i].partition];
		struct batch *b = NULL;
		while (s->at[i] < p->n && p->records[s->at[i]].offset < s->ranges[i].end) {
			const struct fake_record *r = &p->records[s->at[i]];
			if (b && b->record_n >= s->fake->batch_records)
				break;
			s->at[i]++;
			s->base.stats.message_n++;
			s->base.stats.message_bytes += (int64_t)(r->key_len + r->value_len);
			s->base.stats.passed_n++;
			if (s->fake->fail_after && s->base.stats.message_n > s->fake->fail_after) {
				batch_unref(b);
				err_set(err, ERR_BROKER, "the fake broker fails");
				return SOURCE_ERROR;
			}
			struct bytes key = bytes_of(r->key, r->key_len), value = bytes_of(r->value, r->value_len), headers = bytes_of(r->headers, r->headers_len);
			if (s->request.filter.keep && !s->request.filter.keep(s->request.filter.arg, key, value)) {
				s->base.stats.filtered_n++;
				continue;
			}
			struct record meta = {.offset = r->offset, .ts_ms = r->ts_ms, .ts_type = r->ts_type, .size = (uint32_t)(r->key_len + r->value_len)};
			size_t limit = s->request.max_message_bytes;
			meta.too_large = limit && r->value_len > limit;
			if (!(s->request.need & SCAN_NEED_KEY))
				key = bytes_of(NULL, 0);
			if (!(s->request.need & SCAN_NEED_VALUE) || meta.too_large)
				value = bytes_of(NULL, 0);
			if (!(s->request.need & SCAN_NEED_HEADERS))
				headers = bytes_of(NULL, 0);
			meta.size += (uint32_t)headers.len;
			if (!b)
				b = batch_create(s->fake->pool, s->ranges[i].partition, key.len + value.len + headers.len);
			if (!batch_add(b, &meta, key, value, headers)) {
				s->at[i]--;
				s->base.stats.message_n--;
				s->base.stats.passed_n--;
				s->base.stats.message_bytes -= (int64_t)(r->key_len + r->value_len);
				break;
			}
		}
		if (s->request.order != SCAN_ORDER_PARTITION_OFFSET || !b)
			s->turn = (s->turn + 1) % s->range_n;
		if (b) {
			batch_seal(b);
			*ret_batch = b;
			return SOURCE_BATCH;
		}
		tried++;
	}
	for (size_t i = 0; i < s->range_n; i++)
		if (s->ranges[i].end == SCAN_END_NEVER)
			return SOURCE_IDLE;
	return SOURCE_END;
}

static void fake_source_destroy(struct source *source)
{
	struct fake_source *s = (struct fake_source *)source;
	free(s->ranges);
	free(s->at);
	free(s);
}

static size_t fake_positions(struct source *source, struct source_position *to, size_t to_n)
{
	struct fake_source *s = (struct fake_source *)source;
	for (size_t i = 0; i < s->range_n && i < to_n; i++) {
		const struct fake_partition *p = &s->topic->partitions[s->ranges[i].partition];
		int64_t position = s->at[i] < p->n ? p->records[s->at[i]].offset : p->end;
		to[i] = (struct source_position){.partition = s->ranges[i].partition, .position = position, .end = p->end, .at_end = position >= p->end};
	}
	return s->range_n;
}

static const struct source_impl fake_source_impl = {.next = fake_next, .destroy = fake_source_destroy, .positions = fake_positions};

/* ---- sink ---- */

struct fake_sink {
	struct sink base;
	struct fake *fake;
	struct fake_topic *topic;
	enum partitioner partitioner;
	int32_t turn;
};

static bool fake_put(struct sink *sink, const struct sink_record *r, struct err *err)
{
	struct fake_sink *s = (struct fake_sink *)sink;
	int32_t n = s->topic->info.partition_n;
	int32_t p = r->partition;
	if (p == SINK_PARTITION_ANY)
		p = r->key.data && s->partitioner != PARTITIONER_NONE ? hash_partition(s->partitioner, r->key, n) : s->turn++ % n;
	if (p < 0 || p >= n)
		return err_set(err, ERR_BROKER, "no partition %d", p);
	fake_add_bytes(s->topic, p, -1, r->ts_ms == TIME_NONE ? time_now_ms() : r->ts_ms, r->key, r->value, r->headers);
	s->fake->put_n++;
	return true;
}

static bool fake_flush(struct sink *sink, struct err *err)
{
	struct fake_sink *s = (struct fake_sink *)sink;
	s->fake->flush_n++;
	if (s->fake->fail_flush)
		return err_set(err, ERR_DELIVERY, "1 message was not delivered (0 were before)");
	sink->delivered_n = s->fake->put_n;
	return true;
}

static void fake_sink_destroy(struct sink *sink)
{
	free(sink);
}

static const struct sink_impl fake_sink_impl = {fake_put, fake_flush, fake_sink_destroy};

/* ---- provider ---- */

static bool fake_topic_info(struct provider *p, const char *cluster, const char *topic, unsigned ask, struct topic_info *ret, struct err *err)
{
	struct fake_topic *t = fake_topic_find((struct fake *)p, topic);
	if (!t)
		return err_set(err, ERR_TOPIC_UNKNOWN, "no topic \"%s\"", topic);
	*ret = t->info;
	if (!(ask & TOPIC_ASK_CONFIG))
		ret->ts_type = TS_TYPE_NONE;
	return true;
}

static bool fake_bounds(struct provider *p, const char *cluster, const char *topic, int32_t partition_n, struct partition_bounds *ret, struct err *err)
{
	struct fake *f = (struct fake *)p;
	struct fake_topic *t = fake_topic_find(f, topic);
	f->bounds_n++;
	for (int32_t i = 0; i < partition_n; i++)
		ret[i] = (struct partition_bounds){i, -1, t->partitions[i].low, t->partitions[i].end};
	return true;
}

static bool fake_offsets_at(struct provider *p, const char *cluster, const char *topic, int32_t partition_n, int64_t ts_ms, int64_t *ret, struct err *err)
{
	struct fake *f = (struct fake *)p;
	struct fake_topic *t = fake_topic_find(f, topic);
	f->offsets_at_n++;
	for (int32_t i = 0; i < partition_n; i++) {
		const struct fake_partition *part = &t->partitions[i];
		ret[i] = part->end;
		for (size_t k = 0; k < part->n; k++) {
			if (part->records[k].ts_ms != TIME_NONE && part->records[k].ts_ms >= ts_ms) {
				ret[i] = part->records[k].offset;
				break;
			}
		}
	}
	return true;
}

static bool fake_open_scan(struct provider *p, const char *cluster, const struct scan_request *request, struct source **ret, struct err *err)
{
	struct fake *f = (struct fake *)p;
	struct fake_source *s = xcalloc(1, sizeof *s);
	s->base.impl = &fake_source_impl;
	s->fake = f;
	s->topic = fake_topic_find(f, request->topic);
	s->request = *request;
	s->range_n = request->range_n;
	s->ranges = xreallocarray(NULL, request->range_n, sizeof *s->ranges);
	s->at = xreallocarray(NULL, request->range_n, sizeof *s->at);
	f->open_n++;
	f->last_need = request->need;
	for (size_t i = 0; i < request->range_n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (request->ranges[k].partition == request->ranges[i].partition) {
				fake_source_destroy(&s->base);
				return err_set(err, ERR_INTERNAL, "a partition is asked for twice in one scan");
			}
		}
		s->ranges[i] = request->ranges[i];
		s->at[i] = fake_lower_bound(&s->topic->partitions[s->ranges[i].partition], s->ranges[i].start);
	}
	*ret = &s->base;
	return true;
}

static bool fake_open_sink(struct provider *p, const char *cluster, const char *topic, enum partitioner partitioner, struct sink **ret, struct err *err)
{
	struct fake *f = (struct fake *)p;
	struct fake_sink *s = xcalloc(1, sizeof *s);
	s->base.impl = &fake_sink_impl;
	s->fake = f;
	s->topic = fake_topic_find(f, topic);
	s->partitioner = partitioner;
	f->sink_open_n++;
	*ret = &s->base;
	return true;
}

static void fake_notice(struct provider *p, enum notice_level level, const char *text)
{
	struct fake *f = (struct fake *)p;
	f->notice_n++;
	strncpy(f->last_notice, text, sizeof f->last_notice - 1);
}

static void fake_bad(struct provider *p, const struct bad_message *bad)
{
	struct fake *f = (struct fake *)p;
	f->bad_n++;
	strncpy(f->last_bad, bad->text, sizeof f->last_bad - 1);
}

static const char *fake_cluster_name(struct provider *p, const char *cluster)
{
	return cluster ? cluster : "fake";
}

static const struct provider_impl fake_impl = {
	.topic_info = fake_topic_info, .topic_bounds = fake_bounds, .topic_offsets_at = fake_offsets_at, .open_scan = fake_open_scan, .open_sink = fake_open_sink,
	.notice = fake_notice, .bad_message = fake_bad, .cluster_name = fake_cluster_name,
};

static struct fake *fake_create(void)
{
	struct fake *f = xcalloc(1, sizeof *f);
	f->provider.impl = &fake_impl;
	f->provider.cancel = &f->cancel;
	f->provider.time_slack_ms = -1;
	f->provider.last_error = (struct err)ERR_INIT;
	f->pool = batch_pool_create(4096, 1 << 18, 8);
	f->batch_records = 7;
	return f;
}

static void fake_destroy(struct fake *f)
{
	for (size_t i = 0; i < f->topic_n; i++) {
		struct fake_topic *t = &f->topics[i];
		for (int32_t p = 0; p < t->info.partition_n; p++) {
			for (size_t k = 0; k < t->partitions[p].n; k++) {
				free(t->partitions[p].records[k].key);
				free(t->partitions[p].records[k].value);
				free(t->partitions[p].records[k].headers);
			}
			free(t->partitions[p].records);
		}
		free(t->partitions);
	}
	batch_pool_unref(f->pool);
	free(f);
}

#endif
