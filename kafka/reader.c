/* The bounded (or endless) reader: a simple consumer, no group, one queue of its own.
 *
 * Recipe. Metadata is known before a partition is started, and offsets are absolute, so librdkafka fetches at once. All partitions with
 * start < end deliver into one queue. source_next() lets rd_kafka_consume_callback_queue() hand over what is there: each message is copied
 * once into the open batch of its partition; when a batch is full the callback yields, and librdkafka puts the rest back. A partition is
 * done when its position has reached the frozen end: by a message's offset, or by PARTITION_EOF (a partition's tail may be markers only).
 * Rows are never counted.
 *
 * A scan starts on the cluster's own handle, whose fetches are small, so the first row comes at once and a LIMIT reads little. A near broker
 * is read to the end like this: librdkafka decodes one fetch while the next is under way, and small ones overlap best. With a far one, where
 * a fetch is mostly waiting, and when the scan goes on, a second handle with large fetches connects in the background, and the partitions
 * move there, each at the position it has reached.
 *
 * librdkafka 2.0.2 stops fetching when its queue is full and looks again only when something wakes its broker thread, up to 1 s later. So
 * when a queue that may have been full has been drained to less than half, each leader is sent one small ListOffsets request whose answer
 * nobody waits for; and again at growing distances until something arrives.
 *
 * What can happen, and what is done:
 *   offset deleted under the scan   OFFSET_OUT_OF_RANGE -> ask for the new start; ERR_GAP naming the lost range, or a notice and go on there
 *   end fell (truncated log)        EOF before the end -> ask for the end again; ERR_GAP / notice
 *   same record twice               offset <= last seen: dropped and counted
 *   damaged batch                   BAD_STRIKES errors at one position -> ERR_BAD_BATCH, or look for its end and go on there
 *   damaged record                  librdkafka fetches it for ever and says nothing: leaders that answer while nothing comes -> the same
 *   topic deleted                   librdkafka says nothing: metadata every TOPIC_CHECK_MS while it stalls or runs -> ERR_TOPIC_GONE
 *   no leader                       ERR_LEADER after the request timeout
 *   brokers away, or silent         notice every few seconds, error at weir.timeout.ms (a scan that never got a record: the request timeout)
 *   open transaction                the scan ends at the last stable offset; a notice says how many offsets lie behind it
 *   not authorized                  said once by librdkafka, final
 *
 * A live reader (scan_request.live) waits on where a bounded one gives up: brokers away, no leader; and follows partitions that are added.
 *
 * This file: life, partitions, handles, the queue. reader_message.c: one message. reader_faults.c: the table above. reader_live.c: live readers.
 * Owner: the caller's thread. Helper threads only run calls whose state they own until they are done (client.h). */
#include <stdlib.h>
#include <unistd.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/reader_private.h"

/* ---- partitions */

bool reader_part_start(struct reader *r, struct part *p)
{
	if (rd_kafka_consume_start_queue(r->rkt, p->partition, p->next, r->queue) == -1)
		return err_set(&r->failed, ERR_BROKER, "cluster %s: partition %d of topic \"%s\" cannot be read: %s", r->cluster->name, p->partition, r->topic,
			rd_kafka_err2str(rd_kafka_last_error()));
	p->state = PART_RUNNING;
	p->started = true;
	p->moved_mono_ms = p->moved_mono_ms ? p->moved_mono_ms : time_mono_ms();
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
		reader_part_start(r, &r->parts[++r->current]);
}

/* The broker was asked about a partition in vain: a live reader looks again, everybody else has failed. */
static bool ask_again(struct reader *r, struct part *p)
{
	if (!r->live || (r->failed.id != ERR_CONNECT && r->failed.id != ERR_LEADER && r->failed.id != ERR_BROKER))
		return false;
	err_clear(&r->failed);
	p->restart = true;
	return true;
}

/* What the callbacks noted. False: r->failed is set. */
static bool serve_parts(struct reader *r)
{
	size_t n = r->order == SCAN_ORDER_PARTITION_OFFSET ? 1 : r->part_n;
	for (size_t i = 0; i < n; i++) {
		struct part *p = &r->parts[r->order == SCAN_ORDER_PARTITION_OFFSET ? r->current : i];
		if (p->state != PART_RUNNING)
			continue;
		if (!p->reached && p->ask_gap && !reader_part_gap(r, p) && !ask_again(r, p))
			return false;
		if (!p->reached && p->ask_end && !reader_part_short_end(r, p) && !ask_again(r, p))
			return false;
		if (p->reached)
			part_finish(r, p);
		else if (p->restart) {
			part_stop(r, p);
			reader_part_start(r, p);
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
	/* At the end of a topic nothing is missing. */
	bool behind = !r->live || room;
	for (size_t i = 0; i < r->part_n && !behind; i++)
		behind = reader_part_behind(r, &r->parts[i]);
	if (!behind)
		return;
	r->wake_mono_ms = now;
	r->wake_gap_ms = r->wake_gap_ms ? r->wake_gap_ms * 2 : WAKE_FIRST_MS;
	if (r->wake_gap_ms > WAKE_LAST_MS)
		r->wake_gap_ms = WAKE_LAST_MS;
	wake_brokers(r);
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
	reader_watch_fd(r);
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
	if (r->queue) {
		if (r->event_fd >= 0)
			rd_kafka_queue_io_event_enable(r->queue, -1, NULL, 0);
		rd_kafka_queue_destroy(r->queue);
	}
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
	if (r->grown || r->endless)
		return;
	if (!r->larger) {
		if (r->base.stats.message_bytes < GROW_BYTES)
			return;
		if (r->cluster->rtt_us && r->cluster->rtt_us < GROW_RTT_US) {
			r->grown = true;
			return;
		}
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
		if (r->parts[i].state == PART_RUNNING && !reader_part_start(r, &r->parts[i]))
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
			reader_seal_open(r);            /* what was read before the failure is right */
		if (r->ready) {
			*ret_batch = r->ready;
			r->ready = NULL;
			return SOURCE_BATCH;
		}
		if (r->done_n == r->part_n) {
			if (r->open) {
				reader_seal_open(r);
				continue;
			}
			reader_tell_open_transactions(r);
			return SOURCE_END;
		}
		if (!cancel_check(r->cancel, err))
			return SOURCE_ERROR;

		size_t backlog = rd_kafka_queue_length(r->queue);
		if (backlog == 0 && r->open) {
			/* Nothing more at this moment: hand out what there is rather than wait with rows in hand. */
			reader_seal_open(r);
			continue;
		}
		watch_queue(r, (int64_t)backlog);
		int64_t left = until - time_mono_ms();
		if (left <= 0 && rounds > 0)          /* at 0 too: else the last millisecond of each wait is spun away */
			return SOURCE_IDLE;
		rounds++;
		int64_t before = r->base.stats.message_n;
		int64_t slice = r->live ? CANCEL_SLICE_MS : WAKE_IDLE_MS;
		int wait = backlog ? 0 : cancel_slice_ms(r->cancel, left < 0 ? 0 : left < slice ? left : slice);
		int n = rd_kafka_consume_callback_queue(r->queue, wait, reader_on_message, r);
		if (n > 0)
			r->backlog_expected -= n;
		if (r->base.stats.message_n != before) {
			r->progress_mono_ms = time_mono_ms();
			r->leaderless_since_mono_ms = 0;
			reader_live_back(r);
		} else if (n <= 0) {
			client_poll(r->client, 0);
			reader_serve_stall(r);
		}
		if (!serve_parts(r))
			continue;
		serve_growth(r);
		reader_serve_topic_check(r, r->live ? r->away_since_mono_ms != 0 || r->gone_n : n <= 0 && time_mono_ms() - r->progress_mono_ms >= STALL_LOOK_MS);
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
	reader_clear_fd(r);
	enum source_status status = next(r, wait_ms, ret_batch, err);
	if (status != SOURCE_IDLE)
		reader_raise_fd(r);
	r->left_mono_ms = time_mono_ms();
	return status;
}

static void reader_destroy(struct source *source)
{
	struct reader *r = (struct reader *)source;
	call_release(r->topic_check);
	call_release(r->silence_call);
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
	if (r->event_fd >= 0)
		close(r->event_fd);
	free(r);
}

static const struct source_impl reader_impl = {.next = reader_next, .destroy = reader_destroy, .fd = reader_fd, .positions = reader_positions};

static int compare_parts(const void *a, const void *b)
{
	int32_t x = ((const struct part *)a)->partition;
	int32_t y = ((const struct part *)b)->partition;
	return (x > y) - (x < y);
}

static void find_leaders(struct reader *r, const struct cluster_topic *t)
{
	int32_t *leaders = xreallocarray(NULL, r->part_n ? r->part_n : 1, sizeof *leaders);
	for (size_t i = 0; i < r->part_n; i++)
		leaders[i] = t->partitions[r->parts[i].partition].leader;
	reader_find_leaders(r, leaders);
	free(leaders);
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
	r->live = request->live;
	r->new_partitions = request->live && request->new_partitions;
	r->event_fd = -1;
	r->order = request->live ? SCAN_ORDER_ANY : request->order;
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
		r->parts[r->part_n++] = (struct part){.partition = range->partition, .next = range->start, .end = range->end, .bad_next = -1, .high = -1, .eof = -1};
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
		struct client *client = cluster_lend(c, r->endless ? CLIENT_READ_LIVE : CLIENT_READ_SMALL, err);
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
			if (!reader_part_start(r, &r->parts[i])) {
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
