/* The sink over an idempotent librdkafka producer. sink_put queues and serves delivery reports; when librdkafka's queue is full it waits for
 * room. The first delivery that fails for good decides the error; nothing after it is reported as delivered by mistake, because
 * delivered_n counts acknowledgements only. Destroy purges, so it never waits for a broker that is away. */
#include "kafka/writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/headers.h"
#include "core/time.h"
#include "kafka/client.h"
#include "kafka/cluster_private.h"

enum {
	WRITE_STALL_MS = 60000,              /* no acknowledgement for so long: give up */
	POLL_EVERY = 256,                    /* puts between two looks at delivery reports */
};

struct writer {
	struct sink base;
	struct client *client;
	struct cancel *cancel;
	char *topic;
	rd_kafka_topic_t *rkt;
	int64_t queued_n;
	int64_t failed_n;
	rd_kafka_resp_err_t failed_code;     /* of the first failure */
	int64_t progress_mono_ms;            /* last acknowledgement or start of a wait */
	int64_t stall_ms;
	unsigned put_n;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct writer *w = client_dr_arg(opaque);
	if (!message->err) {
		w->base.delivered_n++;
		w->progress_mono_ms = time_mono_ms();
		return;
	}
	if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		return;
	if (w->failed_n++ == 0)
		w->failed_code = message->err;
}

static bool delivery_err(struct writer *w, rd_kafka_resp_err_t code, const char *text, struct err *err)
{
	err_set(err, ERR_DELIVERY, "%" PRId64 " of %" PRId64 " messages delivered to topic \"%s\": %s", w->base.delivered_n, w->queued_n, w->topic, text);
	switch ((int)code) {
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		err_hint(err, "This user needs WRITE on the topic.");
		break;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		err_hint(err, "The message is larger than the topic's max.message.bytes or message.max.bytes of the client allows.");
		break;
	}
	return false;
}

/* False if the writer cannot go on. */
static bool check_failures(struct writer *w, struct err *err)
{
	if (w->failed_n > 0)
		return delivery_err(w, w->failed_code, rd_kafka_err2str(w->failed_code), err);
	char text[512];
	rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(client_rk(w->client), text, sizeof text);
	if (fatal)
		return delivery_err(w, fatal, text, err);
	return true;
}

/* One slice of waiting for acknowledgements. */
static bool wait_some(struct writer *w, struct err *err)
{
	client_poll(w->client, cancel_slice_ms(w->cancel, CANCEL_SLICE_MS));
	if (!check_failures(w, err))
		return false;
	if (!cancel_check(w->cancel, err)) {
		enum err_id id = err->id;
		return err_set(err, id, "%s: %" PRId64 " of %" PRId64 " messages were delivered to topic \"%s\"", id == ERR_TIMEOUT ? "the time limit passed" : "interrupted",
			w->base.delivered_n, w->queued_n, w->topic);
	}
	bool final = time_mono_ms() - w->progress_mono_ms >= w->stall_ms;
	struct err cause = ERR_INIT;
	if (!client_failed(w->client, w->progress_mono_ms, final, "delivery", &cause))
		return true;
	if (w->base.delivered_n == 0 && cause.id != ERR_CONNECT) {
		*err = cause;
		return false;
	}
	delivery_err(w, RD_KAFKA_RESP_ERR__TRANSPORT, cause.msg, err);
	if (cause.hint[0])
		err_hint(err, "%s", cause.hint);
	return false;
}

static void build_headers(rd_kafka_headers_t *to, struct bytes encoded)
{
	struct header_iter it = headers_begin(encoded.data, encoded.len);
	struct bytes name;
	struct bytes value;
	while (headers_next(&it, &name, &value)) {
		/* librdkafka takes name_size -1 as "measure it", and an empty name needs a pointer. */
		rd_kafka_header_add(to, name.len ? (const char *)name.data : "", (ssize_t)name.len, value.data, value.data ? (ssize_t)value.len : 0);
	}
}

static bool writer_put(struct sink *sink, const struct sink_record *r, struct err *err)
{
	struct writer *w = (struct writer *)sink;
	if (!check_failures(w, err))
		return false;
	if (++w->put_n % POLL_EVERY == 0) {
		client_poll(w->client, 0);
		if (!cancel_check(w->cancel, err))
			return false;
	}
	rd_kafka_headers_t *headers = NULL;
	for (;;) {
		if (r->headers.data && !headers) {
			headers = rd_kafka_headers_new(8);
			build_headers(headers, r->headers);
		}
		rd_kafka_vu_t parts[8] = {
			{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = w->rkt},
			{.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = r->partition < 0 ? RD_KAFKA_PARTITION_UA : r->partition},
			{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
			{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {.ptr = (void *)(uintptr_t)r->key.data, .size = r->key.data ? r->key.len : 0}},
			{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {.ptr = (void *)(uintptr_t)r->value.data, .size = r->value.data ? r->value.len : 0}},
			{.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = r->ts_ms == TIME_NONE ? 0 : r->ts_ms},
		};
		size_t n = 6;
		if (headers)
			parts[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
		rd_kafka_error_t *failed = rd_kafka_produceva(client_rk(w->client), parts, n);
		if (!failed)
			break;                       /* librdkafka owns the headers now */
		rd_kafka_resp_err_t code = rd_kafka_error_code(failed);
		char text[256];
		snprintf(text, sizeof text, "%s", rd_kafka_error_string(failed));
		rd_kafka_error_destroy(failed);
		if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			if (!wait_some(w, err)) {
				if (headers)
					rd_kafka_headers_destroy(headers);
				return false;
			}
			continue;
		}
		if (headers)
			rd_kafka_headers_destroy(headers);
		return delivery_err(w, code, text, err);
	}
	if (w->queued_n++ == w->base.delivered_n)
		w->progress_mono_ms = time_mono_ms();
	return true;
}

static bool writer_flush(struct sink *sink, struct err *err)
{
	struct writer *w = (struct writer *)sink;
	rd_kafka_t *rk = client_rk(w->client);
	w->progress_mono_ms = time_mono_ms();
	/* rd_kafka_flush makes batches leave before their linger time; it also serves the delivery reports. */
	while (rd_kafka_outq_len(rk) > 0) {
		rd_kafka_flush(rk, cancel_slice_ms(w->cancel, CANCEL_SLICE_MS));
		if (rd_kafka_outq_len(rk) == 0)
			break;
		if (!wait_some(w, err))
			return false;
	}
	return check_failures(w, err);
}

static void writer_destroy(struct sink *sink)
{
	struct writer *w = (struct writer *)sink;
	rd_kafka_t *rk = client_rk(w->client);
	rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	client_poll(w->client, 0);
	rd_kafka_topic_destroy(w->rkt);
	client_unref(w->client);
	free(w->topic);
	free(w);
}

static const struct sink_impl writer_impl = {.put = writer_put, .flush = writer_flush, .destroy = writer_destroy};

bool writer_create(const char *cluster_name, const struct kafka_config *config, struct cancel *cancel, const char *topic, enum partitioner partitioner,
	const char *const *settings, struct sink **ret, struct err *err)
{
	struct writer *w = xcalloc(1, sizeof *w);
	w->base.impl = &writer_impl;
	w->cancel = cancel;
	w->topic = xstrdup(topic);
	w->stall_ms = WRITE_STALL_MS;
	w->client = client_create(CLIENT_WRITE, cluster_name, config, settings, on_delivery, w, err);
	if (!w->client)
		goto fail;
	/* Both partitioners deal null keys out at random; murmur2 is what Java producers use, consistent what librdkafka ones do. */
	rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
	char text[256];
	rd_kafka_topic_conf_set(conf, "partitioner", partitioner == PARTITIONER_CONSISTENT ? "consistent_random" : "murmur2_random", text, sizeof text);
	w->rkt = rd_kafka_topic_new(client_rk(w->client), topic, conf);
	if (!w->rkt) {
		rd_kafka_topic_conf_destroy(conf);
		err_set(err, ERR_BROKER, "topic \"%s\": %s", topic, rd_kafka_err2str(rd_kafka_last_error()));
		goto fail;
	}
	*ret = &w->base;
	return true;
fail:
	client_unref(w->client);
	free(w->topic);
	free(w);
	return false;
}

bool writer_open(struct cluster *c, const char *topic, enum partitioner partitioner, struct sink **ret, struct err *err)
{
	const struct cluster_topic *t;
	/* A producer may create topics; weir does not: the topic must be there. */
	if (!cluster_topic_get(c, topic, &t, err))
		return false;
	return writer_create(c->name, c->config, c->cancel, topic, partitioner, NULL, ret, err);
}
