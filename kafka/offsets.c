/* kafka/cluster.h: offsets of partitions by rd_kafka_offsets_for_times, which is one request per broker. (rd_kafka_query_watermark_offsets
 * hangs for minutes when a broker is away.) It blocks, so it runs as a call: see client.h. Leaders that move are waited for. */
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/cluster_private.h"

enum {
	RETRY_MS = 200,
	POLL_MS = 20,
};

struct offsets_call {
	rd_kafka_topic_partition_list_t *list;
	int timeout_ms;
	rd_kafka_resp_err_t code;
	int64_t took_us;
};

static void offsets_call_run(rd_kafka_t *rk, void *state)
{
	struct offsets_call *o = state;
	int64_t start = time_mono_us();
	o->code = rd_kafka_offsets_for_times(rk, o->list, o->timeout_ms);
	o->took_us = time_mono_us() - start;
}

static void offsets_call_drop(void *state)
{
	struct offsets_call *o = state;
	rd_kafka_topic_partition_list_destroy(o->list);
	free(o);
}

/* Reads the answer of an offsets call into ret. */
static bool offsets_take(struct cluster *c, struct client *client, const struct offsets_call *o, const char *topic, const int32_t *partitions, size_t partition_n,
	int64_t *ret, struct err *err)
{
	char what[320];
	/* The overall code of a request that failed for some partitions is the first of theirs; look for the partition first. */
	for (size_t i = 0; i < partition_n; i++) {
		const rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(o->list, topic, partitions[i]);
		if (!p->err)
			continue;
		if (p->err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || p->err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || p->err == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
			return err_set(err, ERR_LEADER, "cluster %s: partition %d of topic \"%s\" has no leader (%s)", c->name, partitions[i], topic, rd_kafka_err2str(p->err));
		snprintf(what, sizeof what, "offsets of partition %d of topic \"%s\"", partitions[i], topic);
		return client_err(client, err, p->err, what);
	}
	if (o->code) {
		snprintf(what, sizeof what, "offsets of topic \"%s\"", topic);
		return client_err(client, err, o->code, what);
	}
	client_trouble_clear(client);
	if (c->rtt_us == 0 || o->took_us < c->rtt_us)
		c->rtt_us = o->took_us;
	for (size_t i = 0; i < partition_n; i++)
		ret[i] = rd_kafka_topic_partition_list_find(o->list, topic, partitions[i])->offset;
	return true;
}

static struct offsets_call *offsets_new(struct cluster *c, const char *topic, const int32_t *partitions, size_t partition_n, int64_t ts_ms)
{
	struct offsets_call *o = xcalloc(1, sizeof *o);
	o->timeout_ms = (int)c->request_timeout_ms;
	o->list = rd_kafka_topic_partition_list_new((int)partition_n);
	for (size_t i = 0; i < partition_n; i++)
		rd_kafka_topic_partition_list_add(o->list, topic, partitions[i])->offset = ts_ms;
	c->request_n++;
	return o;
}

struct call *offsets_call_start(struct cluster *c, struct client *client, const char *topic, int32_t partition, int64_t ts_ms, struct offsets_call **ret_state)
{
	*ret_state = offsets_new(c, topic, &partition, 1, ts_ms);
	return call_start(client, offsets_call_run, *ret_state, offsets_call_drop);
}

bool offsets_call_answer(const struct offsets_call *o, int64_t *ret)
{
	if (o->code || o->list->elems[0].err)
		return false;
	*ret = o->list->elems[0].offset;
	return true;
}

/* One wait before a request is tried again. False: cancelled, or no time is left (err is then what it was). */
static bool retry_wait(struct cluster *c, struct client *client, struct cancel *cancel, int64_t start, struct err *err)
{
	for (int waited = 0; waited < RETRY_MS; waited += POLL_MS) {
		struct err stop = ERR_INIT;
		if (!cancel_check(cancel, &stop)) {
			*err = stop;
			return false;
		}
		if (time_mono_ms() - start >= c->request_timeout_ms)
			return false;
		client_poll(client, POLL_MS);
	}
	err_clear(err);
	return true;
}

bool cluster_offsets_of(struct cluster *c, struct client *client, struct cancel *cancel, const char *topic, const int32_t *partitions, size_t partition_n,
	int64_t ts_ms, int64_t *ret, struct err *err)
{
	if (partition_n == 0)
		return true;
	int64_t start = time_mono_ms();
	for (;;) {
		struct offsets_call *o = offsets_new(c, topic, partitions, partition_n, ts_ms);
		struct call *call;
		if (!client_call(client, cancel, c->request_timeout_ms, "offsets", offsets_call_run, o, offsets_call_drop, &call, err))
			return false;
		bool ok = offsets_take(c, client, o, topic, partitions, partition_n, ret, err);
		call_release(call);
		/* A leader that has just moved: librdkafka is asking for the new one. */
		if (ok || err->id != ERR_LEADER || !retry_wait(c, client, cancel, start, err))
			return ok;
	}
}

/* Partitions 0..partition_n-1. All must have a leader: an election is waited for, up to the request timeout. */
static bool offsets_prepare(struct cluster *c, const char *topic, int32_t partition_n, struct client **ret_client, int32_t **ret, struct err *err)
{
	int64_t start = time_mono_ms();
	for (;;) {
		const struct cluster_topic *t;
		int32_t leaderless = -1;
		if (!cluster_client(c, ret_client, err) || !cluster_topic_get(c, topic, &t, err))
			return false;
		for (int32_t p = 0; p < partition_n && p < t->partition_n && leaderless < 0; p++) {
			if (t->partitions[p].leader < 0)
				leaderless = p;
		}
		if (leaderless < 0)
			break;
		err_set(err, ERR_LEADER, "cluster %s: partition %d of topic \"%s\" has no leader", c->name, leaderless, topic);
		if (!retry_wait(c, *ret_client, c->cancel, start, err))
			return false;
		cluster_forget_metadata(c);
	}
	int32_t *partitions = xmalloc((size_t)partition_n * sizeof *partitions);
	for (int32_t p = 0; p < partition_n; p++)
		partitions[p] = p;
	*ret = partitions;
	return true;
}

bool cluster_bounds(struct cluster *c, const char *topic, int32_t partition_n, int64_t *ret_low, int64_t *ret_end, struct err *err)
{
	struct client *client;
	int32_t *partitions;
	if (partition_n <= 0)
		return true;
	if (!offsets_prepare(c, topic, partition_n, &client, &partitions, err))
		return false;
	size_t n = (size_t)partition_n;
	int64_t *low = xmalloc(n * sizeof *low);
	int64_t *end = xmalloc(n * sizeof *end);
	/* Both requests are under way at the same time: one round trip. */
	struct offsets_call *o_low = offsets_new(c, topic, partitions, n, CLUSTER_EARLIEST);
	struct call *low_call = call_start(client, offsets_call_run, o_low, offsets_call_drop);
	bool ok = cluster_offsets_of(c, client, c->cancel, topic, partitions, n, CLUSTER_LATEST, end, err);
	int64_t start = time_mono_ms();
	while (ok && !call_wait(low_call, CANCEL_SLICE_MS))
		ok = client_wait_on(client, c->cancel, start, c->request_timeout_ms, "offsets", err);
	ok = ok && offsets_take(c, client, o_low, topic, partitions, n, low, err);
	call_release(low_call);
	if (ok) {
		memcpy(ret_low, low, n * sizeof *low);
		memcpy(ret_end, end, n * sizeof *end);
	}
	free(low);
	free(end);
	free(partitions);
	return ok;
}

bool cluster_offsets(struct cluster *c, const char *topic, int32_t partition_n, int64_t ts_ms, int64_t *ret, struct err *err)
{
	struct client *client;
	int32_t *partitions;
	if (partition_n <= 0)
		return true;
	if (!offsets_prepare(c, topic, partition_n, &client, &partitions, err))
		return false;
	int64_t *found = xmalloc((size_t)partition_n * sizeof *found);
	bool ok = cluster_offsets_of(c, client, c->cancel, topic, partitions, (size_t)partition_n, ts_ms, found, err);
	/* No record at or after the time: the broker says -1, and librdkafka passes on OFFSET_END; that is the end. */
	bool missing = false;
	for (int32_t p = 0; ok && p < partition_n; p++)
		missing |= found[p] < 0;
	if (ok && missing && ts_ms != CLUSTER_EARLIEST && ts_ms != CLUSTER_LATEST) {
		int64_t *ends = xmalloc((size_t)partition_n * sizeof *ends);
		ok = cluster_offsets_of(c, client, c->cancel, topic, partitions, (size_t)partition_n, CLUSTER_LATEST, ends, err);
		for (int32_t p = 0; ok && p < partition_n; p++) {
			if (found[p] < 0)
				found[p] = ends[p];
		}
		free(ends);
	}
	if (ok)
		memcpy(ret, found, (size_t)partition_n * sizeof *ret);
	free(found);
	free(partitions);
	return ok;
}

bool cluster_high_watermarks(struct cluster *c, const char *topic, int32_t partition_n, int64_t *ret, struct err *err)
{
	static const char *const settings[] = {"isolation.level", "read_uncommitted", NULL};
	if (partition_n <= 0)
		return true;
	if (!c->uncommitted) {
		c->uncommitted = client_create(CLIENT_READ, c->name, c->config, settings, NULL, NULL, err);
		if (!c->uncommitted)
			return false;
	}
	int32_t *partitions = xmalloc((size_t)partition_n * sizeof *partitions);
	for (int32_t p = 0; p < partition_n; p++)
		partitions[p] = p;
	bool ok = cluster_introduce(c, c->uncommitted, c->cancel, topic, err) &&
		cluster_offsets_of(c, c->uncommitted, c->cancel, topic, partitions, (size_t)partition_n, CLUSTER_LATEST, ret, err);
	free(partitions);
	return ok;
}
