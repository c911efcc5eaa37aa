/* The bounded (or endless) reader: a simple consumer, no group, one queue of its own.
 *
 * Recipe. Metadata is known before a partition is started, and offsets are absolute, so librdkafka fetches at once. All partitions with
 * start < end deliver into one queue. source_next() lets rd_kafka_consume_callback_queue() hand over what is there: each message is copied
 * once into the open batch of its partition; when a batch is full the callback yields, and librdkafka puts the rest back. A partition is
 * done when its position has reached the frozen end: by a message's offset, or by PARTITION_EOF (a partition's tail may be markers only).
 * Rows are never counted.
 *
 * A scan starts on the cluster's own handle, whose fetches are small, so the first row comes at once and a LIMIT reads little. When it goes
 * on, a second handle with large fetches connects in the background, and the partitions move there, each at the position it has reached.
 *
 * librdkafka 2.0.2 stops fetching when its queue is full and looks again only when something wakes its broker thread, up to 1 s later. So
 * when a queue that may have been full has been drained to less than half, each leader is sent one small ListOffsets request whose answer
 * nobody waits for; and again at growing distances until something arrives.
 *
 * What can happen, and what is done:
 *   offset deleted under the scan   OFFSET_OUT_OF_RANGE -> ask for the new start; ERR_GAP naming the lost range, or a notice and go on there
 *   end fell (truncated log)        EOF before the end -> ask for the end again; ERR_GAP / notice
 *   same record twice               offset <= last seen: dropped and counted
 *   damaged batch                   BAD_STRIKES equal errors at one offset -> ERR_BAD_BATCH, or step +1 +2 +4 over it
 *   topic deleted                   librdkafka says nothing: metadata every TOPIC_CHECK_MS while it stalls or runs -> ERR_TOPIC_GONE
 *   no leader                       ERR_LEADER after the request timeout
 *   brokers away, or silent         notice every few seconds, error at weir.timeout.ms (a scan that never got a record: the request timeout)
 *   open transaction                the scan ends at the last stable offset; a notice says how many offsets lie behind it
 *   not authorized                  said once by librdkafka, final
 *
 * Owner: the caller's thread. Helper threads only run calls whose state they own until they are done (client.h). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/headers.h"
#include "core/time.h"
#include "kafka/cluster_private.h"

enum {
	BATCH_RECORDS = 1024,
	BATCH_BYTES = 256 * 1024,
	BATCH_FREE_MAX = 4,
	MAX_MESSAGE_BYTES = 16 * 1024 * 1024,
	GROW_BYTES = 384 * 1024,             /* this much read and more to come: go on with large fetches */
	TOPIC_CHECK_MS = 5000,
	STALL_LOOK_MS = 1000,                /* without progress for so long: find out why */
	NOTICE_EVERY_MS = 5000,
	BAD_STRIKES = 3,
	WAKE_FIRST_MS = 4,                   /* a wake-up brought nothing for so long: again, at doubling distances up to WAKE_LAST_MS */
	WAKE_LAST_MS = 500,
	WAKE_IDLE_MS = 20,                   /* queue empty and nothing arrives: wake even if it never looked full */
};

enum part_state { PART_WAITING, PART_RUNNING, PART_DONE };

struct part {
	int32_t partition;
	enum part_state state;
	bool started;                        /* librdkafka fetches it */
	int64_t next;                        /* first offset not yet passed */
	int64_t end;
	int64_t high;                        /* when done: high watermark of the last fetch, -1 = unknown */
	bool reached;                        /* seen in the callback: stop it outside */
	bool ask_gap;                        /* offset out of range: ask where the log begins and ends now */
	bool ask_end;                        /* EOF before the end */
	int64_t bad_offset;                  /* where the last error was */
	int bad_n;                           /* equal errors there */
	int64_t bad_step;
	rd_kafka_resp_err_t bad_code;
	bool restart;                        /* stop and start at next */
};

struct reader {
	struct source base;
	struct cluster *cluster;
	struct client *client;
	rd_kafka_topic_t *rkt;
	rd_kafka_queue_t *queue;
	char *topic;
	struct part *parts;
	size_t part_n;
	int32_t *part_of;                    /* partition -> index in parts, -1 = not ours */
	int32_t part_of_n;
	size_t done_n;
	size_t current;                      /* SCAN_ORDER_PARTITION_OFFSET: the one that runs */
	bool grown;                          /* on the handle with large fetches */
	struct client *larger;               /* the next handle while it connects */
	struct call *larger_call;            /* its metadata request */
	struct metadata_call *larger_state;
	int32_t *leaders;                    /* one partition for each leader: where wake-ups go */
	size_t leader_n;
	unsigned need;
	enum scan_order order;
	struct scan_filter filter;
	size_t max_message_bytes;
	enum gap_policy gap_policy;
	struct cancel *cancel;
	struct batch_pool *pool;
	struct batch *open;                  /* being filled */
	struct batch *ready;                 /* full, not yet handed out */
	struct buf headers;
	struct err failed;                   /* id set = SOURCE_ERROR from now on */
	int64_t queue_max_bytes;             /* queued.max.messages.kbytes */
	int64_t backlog_expected;            /* queue length after the last drain; more now = something arrived */
	int64_t peak_bytes;                  /* of the backlog since the last arrival, estimated */
	int64_t arrival_mono_ms;
	int64_t wake_mono_ms;
	int64_t wake_gap_ms;
	bool endless;                        /* a range without end */
	int64_t progress_mono_ms;            /* last message or EOF; time the caller spent elsewhere does not count */
	int64_t left_mono_ms;                /* when source_next returned last */
	int64_t notice_mono_ms;
	int64_t topic_check_mono_ms;
	struct call *topic_check;            /* metadata on its way */
	struct metadata_call *topic_check_state;
	int64_t leaderless_since_mono_ms;
	bool told_open;                      /* open transactions were looked for */
	int32_t *known_leaders;              /* by part index, to count changes */
};

/* ---- one message */

static struct part *part_find(struct reader *r, int32_t partition)
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

static void seal_open(struct reader *r)
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

/* Copies the message into the open batch. False if it must be delivered again (a full batch is waiting): never happens, see on_message. */
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
		seal_open(r);
		rd_kafka_yield(client_rk(r->client));
	}
	if (open_batch(r, m->partition, key.len + value.len + headers.len))
		batch_add(r->open, &meta, key, value, headers);
}

static void part_strike(struct reader *r, struct part *p, const rd_kafka_message_t *m);

static void on_part_error(struct reader *r, struct part *p, const rd_kafka_message_t *m)
{
	switch ((int)m->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		r->progress_mono_ms = time_mono_ms();
		if (p->end == SCAN_END_NEVER)
			return;
		if (m->offset > p->next) {
			int64_t to = m->offset < p->end ? m->offset : p->end;
			r->base.stats.passed_n += to > p->next ? to - p->next : 0;
			p->next = m->offset;
		}
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
		part_strike(r, p, m);
		break;
	default:
		return;                              /* librdkafka retries these */
	}
	rd_kafka_yield(client_rk(r->client));
}

/* librdkafka fetches a damaged batch again and again. */
static void part_strike(struct reader *r, struct part *p, const rd_kafka_message_t *m)
{
	int64_t offset = m->offset >= 0 ? m->offset : p->next;
	if (p->bad_offset != offset || p->bad_code != m->err) {
		p->bad_offset = offset;
		p->bad_code = m->err;
		p->bad_n = 0;
	}
	if (++p->bad_n < BAD_STRIKES)
		return;
	p->bad_n = 0;
	if (!r->cluster->skip_bad_batch) {
		err_set(&r->failed, ERR_BAD_BATCH, "the batch at offset %" PRId64 " of partition %d of topic \"%s\" cannot be read: %s", offset, p->partition, r->topic,
			rd_kafka_message_errstr(m));
		return;
	}
	p->bad_step = p->bad_step ? p->bad_step * 2 : 1;
	p->next = offset + p->bad_step;
	p->bad_offset = -1;
	r->base.stats.gap_n += p->bad_step;
	if (p->next >= p->end)
		p->reached = true;
	else
		p->restart = true;
}

static void on_message(rd_kafka_message_t *m, void *arg)
{
	struct reader *r = arg;
	struct part *p = part_find(r, m->partition);
	if (!p || p->state != PART_RUNNING || r->failed.id)
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
	p->bad_step = 0;
	if (p->next >= p->end) {
		p->reached = true;
		rd_kafka_yield(client_rk(r->client));
	}
	take(r, m);
}

/* ---- partitions */

static bool part_start(struct reader *r, struct part *p)
{
	if (rd_kafka_consume_start_queue(r->rkt, p->partition, p->next, r->queue) == -1)
		return err_set(&r->failed, ERR_BROKER, "cluster %s: partition %d of topic \"%s\" cannot be read: %s", r->cluster->name, p->partition, r->topic,
			rd_kafka_err2str(rd_kafka_last_error()));
	p->state = PART_RUNNING;
	p->started = true;
	p->restart = false;
	return true;
}

static void part_stop(struct reader *r, struct part *p)
{
	if (p->started)
		rd_kafka_consume_stop(r->rkt, p->partition);
	p->started = false;
	p->state = PART_WAITING;
}

static void part_finish(struct reader *r, struct part *p)
{
	if (p->state == PART_DONE)
		return;
	int64_t low;
	if (rd_kafka_get_watermark_offsets(client_rk(r->client), r->topic, p->partition, &low, &p->high) != RD_KAFKA_RESP_ERR_NO_ERROR)
		p->high = -1;
	/* The last one is left running for reader_destroy: an empty fetch costs nobody anything. */
	if (r->done_n + 1 < r->part_n)
		part_stop(r, p);
	p->state = PART_DONE;
	p->reached = false;
	r->done_n++;
	if (r->order == SCAN_ORDER_PARTITION_OFFSET && r->done_n < r->part_n)
		part_start(r, &r->parts[++r->current]);
}

static bool ask_offset(struct reader *r, struct part *p, int64_t which, int64_t *ret)
{
	return cluster_offsets_of(r->cluster, r->client, r->cancel, r->topic, &p->partition, 1, which, ret, &r->failed);
}

static bool part_gap(struct reader *r, struct part *p)
{
	int64_t low;
	int64_t high;
	p->ask_gap = false;
	if (!ask_offset(r, p, CLUSTER_EARLIEST, &low) || !ask_offset(r, p, CLUSTER_LATEST, &high))
		return false;
	int64_t from = p->next;
	int64_t lost;
	int64_t to;
	if (low > from) {
		to = low < p->end ? low : p->end;
		lost = to - from;
		p->next = to;
	} else if (high < from || (high < p->end && p->end != SCAN_END_NEVER)) {
		to = p->end == SCAN_END_NEVER ? from : p->end;
		lost = to - from;
		p->next = p->end == SCAN_END_NEVER ? high : p->end;
	} else {
		p->restart = true;                   /* it is there after all: a replica that lagged */
		return true;
	}
	if (r->gap_policy == GAP_FAIL) {
		err_set(&r->failed, ERR_GAP, "offsets %" PRId64 "..%" PRId64 " of partition %d of topic \"%s\" were deleted during the scan (%" PRId64 " lost)", from,
			to - (to > from), p->partition, r->topic, lost);
		if (low <= from)
			err_hint(&r->failed, "The partition now ends at offset %" PRId64 ": it was truncated, or the topic was deleted and created again.", high);
		return false;
	}
	r->base.stats.gap_n += lost;
	cluster_notify(r->cluster, NOTICE_WARNING, "offsets %" PRId64 "..%" PRId64 " of partition %d of topic \"%s\" were deleted during the scan (%" PRId64 " lost); going on after them",
		from, to - (to > from), p->partition, r->topic, lost);
	if (p->next >= p->end)
		p->reached = true;
	else
		p->restart = true;
	return true;
}

/* EOF before the frozen end: the log was truncated, or this replica lags behind. */
static bool part_short_end(struct reader *r, struct part *p)
{
	int64_t high;
	p->ask_end = false;
	if (!ask_offset(r, p, CLUSTER_LATEST, &high))
		return false;
	if (high >= p->end) {
		p->restart = true;
		return true;
	}
	if (p->next < high)
		return true;                         /* more to come; the next EOF decides */
	p->ask_gap = true;
	return part_gap(r, p);
}

/* What the callbacks noted. False: r->failed is set. */
static bool serve_parts(struct reader *r)
{
	size_t n = r->order == SCAN_ORDER_PARTITION_OFFSET ? 1 : r->part_n;
	for (size_t i = 0; i < n; i++) {
		struct part *p = &r->parts[r->order == SCAN_ORDER_PARTITION_OFFSET ? r->current : i];
		if (p->state != PART_RUNNING)
			continue;
		if (!p->reached && p->ask_gap && !part_gap(r, p))
			return false;
		if (!p->reached && p->ask_end && !part_short_end(r, p))
			return false;
		if (p->reached)
			part_finish(r, p);
		else if (p->restart) {
			part_stop(r, p);
			part_start(r, p);
		}
	}
	return r->failed.id == ERR_NONE;
}

/* ---- waiting */

/* A request whose answer nobody waits for, so that the broker threads look at their queues again. */
static void wake_brokers(struct reader *r)
{
	for (size_t i = 0; i < r->leader_n; i++) {
		rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
		rd_kafka_topic_partition_list_add(list, r->topic, r->leaders[i])->offset = CLUSTER_LATEST;
		rd_kafka_offsets_for_times(client_rk(r->client), list, 0);
		rd_kafka_topic_partition_list_destroy(list);
	}
}

/* The backlog's bytes can only be estimated, so what counts is whether anything arrives. */
static void watch_queue(struct reader *r, int64_t backlog)
{
	int64_t now = time_mono_ms();
	int64_t mean = r->base.stats.message_n ? r->base.stats.message_bytes / r->base.stats.message_n + 1 : 1;
	int64_t bytes = backlog * mean;
	if (backlog > r->backlog_expected) {
		r->arrival_mono_ms = now;
		r->wake_gap_ms = 0;
		r->peak_bytes = 0;
	}
	r->backlog_expected = backlog;
	if (bytes > r->peak_bytes)
		r->peak_bytes = bytes;
	bool room = r->peak_bytes >= r->queue_max_bytes / 2 && bytes < r->queue_max_bytes / 2;
	bool idle = backlog == 0 && now - r->arrival_mono_ms >= WAKE_IDLE_MS;
	if ((!room && !idle) || now - r->wake_mono_ms < r->wake_gap_ms)
		return;
	r->wake_mono_ms = now;
	r->wake_gap_ms = r->wake_gap_ms ? r->wake_gap_ms * 2 : WAKE_FIRST_MS;
	if (r->wake_gap_ms > WAKE_LAST_MS)
		r->wake_gap_ms = WAKE_LAST_MS;
	wake_brokers(r);
}

static void finish_topic_check(struct reader *r)
{
	struct metadata_call *m = r->topic_check_state;
	int64_t now = time_mono_ms();
	r->topic_check_mono_ms = now;
	if (m->code)
		return;
	const struct rd_kafka_metadata_topic *t = NULL;
	for (int i = 0; i < m->md->topic_cnt; i++) {
		if (strcmp(m->md->topics[i].topic, r->topic) == 0)
			t = &m->md->topics[i];
	}
	if (!t || t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
		err_set(&r->failed, ERR_TOPIC_GONE, "topic \"%s\" of cluster %s vanished during the scan", r->topic, r->cluster->name);
		return;
	}
	if (t->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
		err_set(&r->failed, ERR_AUTHORIZATION, "cluster %s: no longer authorized to DESCRIBE topic \"%s\"", r->cluster->name, r->topic);
		return;
	}
	int32_t leaderless = -1;
	for (int i = 0; i < t->partition_cnt; i++) {
		struct part *p = part_find(r, t->partitions[i].id);
		if (!p)
			continue;
		int32_t *known = &r->known_leaders[p - r->parts];
		if (*known != t->partitions[i].leader) {
			r->base.stats.leader_change_n++;
			*known = t->partitions[i].leader;
		}
		if (p->state == PART_RUNNING && t->partitions[i].leader < 0)
			leaderless = p->partition;
	}
	if (leaderless < 0) {
		r->leaderless_since_mono_ms = 0;
		return;
	}
	if (!r->leaderless_since_mono_ms)
		r->leaderless_since_mono_ms = r->progress_mono_ms;
	if (now - r->leaderless_since_mono_ms >= r->cluster->request_timeout_ms)
		err_set(&r->failed, ERR_LEADER, "cluster %s: partition %d of topic \"%s\" has had no leader for %" PRId64 " s", r->cluster->name, leaderless, r->topic,
			(now - r->leaderless_since_mono_ms) / 1000);
}

/* Metadata in the background: while a scan runs every TOPIC_CHECK_MS, while it stalls every second. */
static void serve_topic_check(struct reader *r, bool stalled)
{
	if (r->topic_check) {
		if (!call_wait(r->topic_check, 0))
			return;
		finish_topic_check(r);
		call_release(r->topic_check);
		r->topic_check = NULL;
		return;
	}
	int64_t now = time_mono_ms();
	if (now - r->topic_check_mono_ms < (stalled ? STALL_LOOK_MS : TOPIC_CHECK_MS))
		return;
	struct metadata_call *m = xcalloc(1, sizeof *m);
	m->topic = xstrdup(r->topic);
	m->timeout_ms = (int)r->cluster->request_timeout_ms;
	r->topic_check_state = m;
	r->topic_check = call_start(r->client, metadata_call_run, m, metadata_call_drop);
	r->cluster->request_n++;
}

/* Nothing came for a while: normal at the end of a live scan, otherwise somebody is away. */
static void serve_stall(struct reader *r)
{
	int64_t now = time_mono_ms();
	int64_t silent_ms = now - r->progress_mono_ms;
	bool down = client_all_down(r->client);
	if (silent_ms < STALL_LOOK_MS || (!down && (r->endless || silent_ms < NOTICE_EVERY_MS)))
		return;
	/* A scan that has had rows waits for its brokers; one that never got any fails as fast as any other request. */
	bool started = r->base.stats.message_n > 0;
	if (!(r->endless && started) && silent_ms >= (started ? r->cluster->stall_timeout_ms : r->cluster->request_timeout_ms)) {
		client_failed(r->client, r->progress_mono_ms, true, "fetch", &r->failed);
		return;
	}
	if (now - r->notice_mono_ms >= NOTICE_EVERY_MS) {
		r->notice_mono_ms = now;
		cluster_notify(r->cluster, NOTICE_WARNING, "waiting for the brokers of cluster %s: %" PRId64 " s", r->cluster->name, silent_ms / 1000);
	}
}

/* Records beyond the frozen end, and the last stable offset still where it was: they wait for an open transaction. */
static void tell_open_transactions(struct reader *r)
{
	if (r->told_open)
		return;
	r->told_open = true;
	int32_t *partitions = xmalloc(r->part_n * sizeof *partitions + 1);
	int64_t *stable = xmalloc(r->part_n * sizeof *stable + 1);
	size_t n = 0;
	for (size_t i = 0; i < r->part_n; i++) {
		if (r->parts[i].high > r->parts[i].end)
			partitions[n++] = r->parts[i].partition;
	}
	struct err ignored = ERR_INIT;
	if (n > 0 && cluster_offsets_of(r->cluster, r->client, r->cancel, r->topic, partitions, n, CLUSTER_LATEST, stable, &ignored)) {
		for (size_t i = 0; i < n; i++) {
			struct part *p = part_find(r, partitions[i]);
			if (stable[i] == p->end)
				cluster_notify(r->cluster, NOTICE_WARNING, "%" PRId64 " offsets behind an open transaction on p%d of topic \"%s\" are not shown", p->high - p->end, p->partition,
					r->topic);
		}
	}
	free(partitions);
	free(stable);
}

/* ---- handles */

static bool attach(struct reader *r, struct client *client)
{
	rd_kafka_t *rk = client_rk(client);
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, r->topic, NULL);
	if (!rkt)
		return err_set(&r->failed, ERR_BROKER, "topic \"%s\": %s", r->topic, rd_kafka_err2str(rd_kafka_last_error()));
	r->client = client;
	r->rkt = rkt;
	r->queue = rd_kafka_queue_new(rk);
	r->queue_max_bytes = client_queue_max_bytes(client);
	r->backlog_expected = r->peak_bytes = 0;
	r->arrival_mono_ms = time_mono_ms();
	return true;
}

/* Stops every partition (keeping its state) and gives the handle back. */
static void detach(struct reader *r)
{
	if (r->rkt) {
		for (size_t i = 0; i < r->part_n; i++) {
			if (r->parts[i].started)
				rd_kafka_consume_stop(r->rkt, r->parts[i].partition);
			r->parts[i].started = false;
		}
		rd_kafka_topic_destroy(r->rkt);
		r->rkt = NULL;
	}
	if (r->queue)
		rd_kafka_queue_destroy(r->queue);
	r->queue = NULL;
	if (r->client)
		cluster_return(r->cluster, r->client, r->failed.id == ERR_NONE || r->failed.id == ERR_GAP || r->failed.id == ERR_BAD_BATCH);
	r->client = NULL;
}

static void drop_larger(struct reader *r)
{
	call_release(r->larger_call);
	r->larger_call = NULL;
	client_unref(r->larger);
	r->larger = NULL;
}

/* Connects the handle with large fetches in the background, and moves there when it knows the topic. */
static void serve_growth(struct reader *r)
{
	if (r->grown)
		return;
	if (!r->larger) {
		if (r->base.stats.message_bytes < GROW_BYTES)
			return;
		struct err ignored = ERR_INIT;
		r->larger = cluster_lend(r->cluster, CLIENT_READ, &ignored);
		if (!r->larger) {
			r->grown = true;
			return;
		}
		struct metadata_call *m = xcalloc(1, sizeof *m);
		m->topic = xstrdup(r->topic);
		m->timeout_ms = (int)r->cluster->request_timeout_ms;
		r->larger_state = m;
		r->larger_call = call_start(r->larger, metadata_call_run, m, metadata_call_drop);
		r->cluster->request_n++;
		return;
	}
	if (!call_wait(r->larger_call, 0))
		return;
	r->grown = true;
	if (r->larger_state->code) {
		drop_larger(r);              /* small fetches do as well */
		return;
	}
	struct client *client = r->larger;
	r->larger = NULL;
	drop_larger(r);
	detach(r);
	if (!attach(r, client)) {
		client_unref(client);
		return;
	}
	for (size_t i = 0; i < r->part_n; i++) {
		if (r->parts[i].state == PART_RUNNING && !part_start(r, &r->parts[i]))
			return;
	}
}

static enum source_status next(struct reader *r, int wait_ms, struct batch **ret_batch, struct err *err)
{
	int64_t until = time_mono_ms() + wait_ms;
	int rounds = 0;
	for (;;) {
		if (r->failed.id && !r->ready && !r->open) {
			*err = r->failed;
			return SOURCE_ERROR;
		}
		if (r->failed.id && !r->ready)
			seal_open(r);            /* what was read before the failure is right */
		if (r->ready) {
			*ret_batch = r->ready;
			r->ready = NULL;
			return SOURCE_BATCH;
		}
		if (r->done_n == r->part_n) {
			if (r->open) {
				seal_open(r);
				continue;
			}
			tell_open_transactions(r);
			return SOURCE_END;
		}
		if (!cancel_check(r->cancel, err))
			return SOURCE_ERROR;

		size_t backlog = rd_kafka_queue_length(r->queue);
		if (backlog == 0 && r->open) {
			/* Nothing more at this moment: hand out what there is rather than wait with rows in hand. */
			seal_open(r);
			continue;
		}
		watch_queue(r, (int64_t)backlog);
		int64_t left = until - time_mono_ms();
		if (left < 0 && rounds > 0)
			return SOURCE_IDLE;
		rounds++;
		int64_t before = r->base.stats.message_n;
		int wait = backlog ? 0 : cancel_slice_ms(r->cancel, left < 0 ? 0 : left < WAKE_IDLE_MS ? left : WAKE_IDLE_MS);
		int n = rd_kafka_consume_callback_queue(r->queue, wait, on_message, r);
		if (n > 0)
			r->backlog_expected -= n;
		if (r->base.stats.message_n != before) {
			r->progress_mono_ms = time_mono_ms();
			r->leaderless_since_mono_ms = 0;
		} else if (n <= 0) {
			client_poll(r->client, 0);
			serve_stall(r);
		}
		if (!serve_parts(r))
			continue;
		serve_growth(r);
		serve_topic_check(r, n <= 0 && time_mono_ms() - r->progress_mono_ms >= STALL_LOOK_MS);
	}
}

static enum source_status reader_next(struct source *source, int wait_ms, struct batch **ret_batch, struct err *err)
{
	struct reader *r = (struct reader *)source;
	/* A reader behind a pager may stand still for hours; that is no stall of the broker. */
	int64_t away_ms = time_mono_ms() - r->left_mono_ms;
	r->progress_mono_ms += away_ms;
	if (r->leaderless_since_mono_ms)
		r->leaderless_since_mono_ms += away_ms;
	enum source_status status = next(r, wait_ms, ret_batch, err);
	r->left_mono_ms = time_mono_ms();
	return status;
}

static void reader_destroy(struct source *source)
{
	struct reader *r = (struct reader *)source;
	call_release(r->topic_check);
	if (r->larger)
		drop_larger(r);
	detach(r);
	batch_unref(r->open);
	batch_unref(r->ready);
	batch_pool_unref(r->pool);
	buf_finish(&r->headers);
	free(r->known_leaders);
	free(r->leaders);
	free(r->part_of);
	free(r->parts);
	free(r->topic);
	free(r);
}

static const struct source_impl reader_impl = {.next = reader_next, .destroy = reader_destroy};

static int compare_parts(const void *a, const void *b)
{
	int32_t x = ((const struct part *)a)->partition;
	int32_t y = ((const struct part *)b)->partition;
	return (x > y) - (x < y);
}

static void find_leaders(struct reader *r, const struct cluster_topic *t)
{
	r->leaders = xmalloc((r->part_n ? r->part_n : 1) * sizeof *r->leaders);
	r->known_leaders = xmalloc((r->part_n ? r->part_n : 1) * sizeof *r->known_leaders);
	for (size_t i = 0; i < r->part_n; i++) {
		int32_t leader = t->partitions[r->parts[i].partition].leader;
		bool seen = leader < 0;
		for (size_t k = 0; k < i && !seen; k++)
			seen = r->known_leaders[k] == leader;
		r->known_leaders[i] = leader;
		if (!seen)
			r->leaders[r->leader_n++] = r->parts[i].partition;
	}
}

bool reader_open(struct cluster *c, const struct scan_request *request, struct source **ret, struct err *err)
{
	const struct cluster_topic *t;
	if (!cluster_topic_get(c, request->topic, &t, err))
		return false;
	struct reader *r = xcalloc(1, sizeof *r);
	r->base.impl = &reader_impl;
	r->cluster = c;
	r->topic = xstrdup(request->topic);
	r->need = request->need;
	r->order = request->order;
	r->filter = request->filter;
	r->max_message_bytes = request->max_message_bytes ? request->max_message_bytes : MAX_MESSAGE_BYTES;
	r->gap_policy = request->gap_policy;
	r->cancel = request->cancel ? request->cancel : c->cancel;
	r->failed = (struct err)ERR_INIT;
	buf_init(&r->headers);
	r->base.stats.scan_n = 1;
	r->parts = xcalloc(request->range_n ? request->range_n : 1, sizeof *r->parts);
	r->part_of_n = t->partition_n;
	r->part_of = xmalloc((t->partition_n ? (size_t)t->partition_n : 1) * sizeof *r->part_of);
	for (int32_t i = 0; i < t->partition_n; i++)
		r->part_of[i] = -1;
	for (size_t i = 0; i < request->range_n; i++) {
		const struct scan_range *range = &request->ranges[i];
		if (range->start >= range->end)
			continue;
		if (range->partition < 0 || range->partition >= t->partition_n || range->start < 0) {
			err_set(err, ERR_BROKER, "topic \"%s\" has no partition %d (it has %d)", request->topic, range->partition, t->partition_n);
			goto fail;
		}
		if (r->part_of[range->partition] >= 0) {
			err_set(err, ERR_INTERNAL, "partition %d of topic \"%s\" is asked for twice in one scan", range->partition, request->topic);
			goto fail;
		}
		r->part_of[range->partition] = 0;
		r->parts[r->part_n++] = (struct part){.partition = range->partition, .next = range->start, .end = range->end, .bad_offset = -1};
		if (range->end != SCAN_END_NEVER)
			r->base.stats.planned_n += range->end - range->start;
		else
			r->endless = true;
	}
	qsort(r->parts, r->part_n, sizeof *r->parts, compare_parts);
	for (size_t i = 0; i < r->part_n; i++)
		r->part_of[r->parts[i].partition] = (int32_t)i;
	find_leaders(r, t);
	r->pool = batch_pool_create(BATCH_RECORDS, BATCH_BYTES, BATCH_FREE_MAX);
	r->progress_mono_ms = r->topic_check_mono_ms = r->left_mono_ms = time_mono_ms();
	if (r->part_n > 0) {
		struct client *client = cluster_lend(c, CLIENT_READ_SMALL, err);
		if (!client)
			goto fail;
		/* A handle of its own knows no topics yet, and starting without a known leader costs 500 ms. */
		if ((client != c->client && !cluster_introduce(c, client, r->cancel, r->topic, err)) || !attach(r, client)) {
			if (r->failed.id)
				*err = r->failed;
			cluster_return(c, client, false);
			goto fail;
		}
		size_t n = r->order == SCAN_ORDER_PARTITION_OFFSET ? 1 : r->part_n;
		for (size_t i = 0; i < n; i++) {
			if (!part_start(r, &r->parts[i])) {
				*err = r->failed;
				goto fail;
			}
		}
	}
	*ret = &r->base;
	return true;
fail:
	reader_destroy(&r->base);
	return false;
}
