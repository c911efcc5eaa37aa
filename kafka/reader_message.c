/* The reader's callback: one message of librdkafka's is checked against its partition's position and copied into the open batch, of which
 * only the parts that were asked for; an error about a partition is noted for the loop in reader.c, which may ask the broker. */
#include <inttypes.h>
#include "core/headers.h"
#include "core/time.h"
#include "kafka/reader_private.h"

struct part *reader_part_find(struct reader *r, int32_t partition)
{
	if (partition < 0 || partition >= r->part_of_n || r->part_of[partition] < 0)
		return NULL;
	return &r->parts[r->part_of[partition]];
}

static bool fail_memory(struct reader *r, size_t bytes)
{
	err_set(&r->failed, ERR_MEMORY, "no memory for %zu bytes of messages from topic \"%s\"", bytes, r->topic);
	rd_kafka_yield(client_rk(r->client));
	return false;
}

void reader_seal_open(struct reader *r)
{
	batch_seal(r->open);
	r->ready = r->open;
	r->open = NULL;
}

static bool open_batch(struct reader *r, int32_t partition, size_t bytes)
{
	r->open = batch_create(r->pool, partition, bytes);
	return r->open || fail_memory(r, bytes);
}

static size_t encode_headers(struct reader *r, const rd_kafka_message_t *m)
{
	rd_kafka_headers_t *headers;
	buf_clear(&r->headers);
	if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	const char *name;
	const void *value;
	size_t size;
	for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		headers_add(&r->headers, bytes_str(name), bytes_of(value, value ? size : 0));
	return r->headers.len;
}

/* Copies the message into the open batch. A batch that became full is ready: the callback yields, so there is never a second one. */
static void take(struct reader *r, const rd_kafka_message_t *m)
{
	struct bytes key = bytes_of(m->key, m->key ? m->key_len : 0);
	struct bytes value = bytes_of(m->payload, m->payload ? m->len : 0);
	if (r->filter.keep && !r->filter.keep(r->filter.arg, key, value)) {
		r->base.stats.filtered_n++;
		return;
	}
	struct record meta = {.offset = m->offset, .size = (uint32_t)(key.len + value.len)};
	rd_kafka_timestamp_type_t type;
	int64_t ts_ms = rd_kafka_message_timestamp(m, &type);
	meta.ts_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ts_ms == -1 ? TIME_NONE : ts_ms;
	meta.ts_type = type == RD_KAFKA_TIMESTAMP_CREATE_TIME ? TS_TYPE_CREATE : type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? TS_TYPE_APPEND : TS_TYPE_NONE;
	struct bytes headers = bytes_of(NULL, 0);
	if (r->need & SCAN_NEED_HEADERS) {
		size_t len = encode_headers(r, m);
		meta.size += (uint32_t)len;
		if (len > 0 && len <= r->max_message_bytes)
			headers = bytes_of(r->headers.data, len);
		else if (len > 0)
			meta.too_large = true;
	}
	if (meta.size > r->max_message_bytes) {
		meta.too_large = true;
		value = bytes_of(NULL, 0);
		if (key.len > r->max_message_bytes)
			key = bytes_of(NULL, 0);
	}
	if (meta.too_large)
		r->base.stats.too_large_n++;
	if (!(r->need & SCAN_NEED_KEY))
		key = bytes_of(NULL, 0);
	if (!(r->need & SCAN_NEED_VALUE))
		value = bytes_of(NULL, 0);
	if (r->open && r->open->partition == m->partition && batch_add(r->open, &meta, key, value, headers))
		return;
	if (r->open) {
		reader_seal_open(r);
		rd_kafka_yield(client_rk(r->client));
	}
	if (open_batch(r, m->partition, key.len + value.len + headers.len))
		batch_add(r->open, &meta, key, value, headers);
}

static void on_part_error(struct reader *r, struct part *p, const rd_kafka_message_t *m)
{
	switch ((int)m->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		r->progress_mono_ms = p->moved_mono_ms = time_mono_ms();
		if (!reader_part_readable(r, p))
			break;
		if (p->end == SCAN_END_NEVER)
			p->eof = m->offset;
		if (m->offset > p->next) {
			int64_t to = m->offset < p->end ? m->offset : p->end;
			r->base.stats.passed_n += to > p->next ? to - p->next : 0;
			p->next = m->offset;
		}
		reader_live_back(r);
		if (p->end == SCAN_END_NEVER)
			return;
		if (p->next >= p->end)
			p->reached = true;
		else
			p->ask_end = true;
		break;
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		p->ask_gap = true;
		break;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		err_set(&r->failed, ERR_AUTHORIZATION, "cluster %s: not authorized to READ topic \"%s\"", r->cluster->name, r->topic);
		break;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		r->topic_check_mono_ms = 0;          /* look now, decide then */
		return;
	case RD_KAFKA_RESP_ERR__BAD_MSG:
	case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
	case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
		reader_part_strike(r, p, m->offset, rd_kafka_message_errstr(m));
		break;
	default:
		return;                              /* librdkafka retries these */
	}
	rd_kafka_yield(client_rk(r->client));
}

void reader_on_message(rd_kafka_message_t *m, void *arg)
{
	struct reader *r = arg;
	struct part *p = reader_part_find(r, m->partition);
	if (!p || p->state != PART_RUNNING || p->restart || r->failed.id)
		return;
	if (m->err) {
		on_part_error(r, p, m);
		return;
	}
	struct scan_stats *s = &r->base.stats;
	s->message_n++;
	s->message_bytes += (int64_t)(m->len + m->key_len);
	if (m->offset < p->next) {
		s->duplicate_n++;
		return;
	}
	if (r->live)
		p->moved_mono_ms = time_mono_ms();
	if (!reader_part_readable(r, p)) {
		rd_kafka_yield(client_rk(r->client));
		return;
	}
	if (m->offset >= p->end) {
		s->outside_n++;
		s->passed_n += p->end - p->next;
		p->next = p->end;
		if (!p->reached) {
			p->reached = true;
			rd_kafka_yield(client_rk(r->client));
		}
		return;
	}
	s->passed_n += m->offset + 1 - p->next;
	p->next = m->offset + 1;
	if (p->next >= p->end) {
		p->reached = true;
		rd_kafka_yield(client_rk(r->client));
	}
	take(r, m);
}
