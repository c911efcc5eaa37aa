/* What an endless reader for live queries adds: a descriptor to wait on, positions for whoever wants to know the lag, partitions that are added to the
 * topic, and patience while brokers are away. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "core/alloc.h"
#include "core/time.h"
#include "kafka/reader_private.h"

/* ---- the descriptor ---- */

/* librdkafka writes when the queue was empty and is not any more, which may have been before this call. */
void reader_watch_fd(struct reader *r)
{
	static const uint64_t one = 1;
	if (r->event_fd < 0 || !r->queue)
		return;
	rd_kafka_queue_io_event_enable(r->queue, r->event_fd, &one, sizeof one);
	reader_raise_fd(r);
}

void reader_clear_fd(struct reader *r)
{
	uint64_t n;
	if (r->event_fd >= 0)
		while (read(r->event_fd, &n, sizeof n) < 0 && errno == EINTR)
			;
}

void reader_raise_fd(struct reader *r)
{
	static const uint64_t one = 1;
	if (r->event_fd >= 0)
		while (write(r->event_fd, &one, sizeof one) < 0 && errno == EINTR)
			;
}

int reader_fd(struct source *source)
{
	struct reader *r = (struct reader *)source;
	if (r->event_fd < 0) {
		r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		reader_watch_fd(r);
	}
	return r->event_fd;
}

/* ---- positions ---- */

static int64_t high_of(const struct reader *r, const struct part *p)
{
	int64_t low = -1, high = -1;
	if (!r->client || rd_kafka_get_watermark_offsets(client_rk(r->client), r->topic, p->partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	return high;
}

bool reader_part_behind(struct reader *r, const struct part *p)
{
	return p->end == SCAN_END_NEVER && p->state == PART_RUNNING && p->eof < p->next && high_of(r, p) > p->next;
}

static int64_t first_waiting(const struct batch *b, int32_t partition, int64_t otherwise)
{
	return b && b->partition == partition && b->record_n && b->records[0].offset < otherwise ? b->records[0].offset : otherwise;
}

size_t reader_positions(struct source *source, struct source_position *to, size_t to_n)
{
	struct reader *r = (struct reader *)source;
	for (size_t i = 0; i < r->part_n && i < to_n; i++) {
		const struct part *p = &r->parts[i];
		int64_t high = p->state == PART_DONE ? p->high : high_of(r, p);
		int64_t position = first_waiting(r->ready, p->partition, first_waiting(r->open, p->partition, p->next));
		bool at_end = p->end != SCAN_END_NEVER ? p->next >= p->end : (p->eof >= 0 && p->eof >= p->next) || (high >= 0 && p->next >= high);
		to[i] = (struct source_position){.partition = p->partition, .position = position, .end = high, .at_end = at_end && position == p->next};
	}
	return r->part_n;
}

/* ---- partitions added to the topic ---- */

void reader_find_leaders(struct reader *r, const int32_t *leaders)
{
	r->leaders = xreallocarray(r->leaders, r->part_n ? r->part_n : 1, sizeof *r->leaders);
	r->known_leaders = xreallocarray(r->known_leaders, r->part_n ? r->part_n : 1, sizeof *r->known_leaders);
	r->leader_n = 0;
	for (size_t i = 0; i < r->part_n; i++) {
		bool seen = leaders[i] < 0;
		for (size_t k = 0; k < i && !seen; k++)
			seen = r->known_leaders[k] == leaders[i];
		r->known_leaders[i] = leaders[i];
		if (!seen)
			r->leaders[r->leader_n++] = r->parts[i].partition;
	}
}

void reader_add_partitions(struct reader *r, const struct rd_kafka_metadata_topic *t)
{
	int32_t first = r->part_of_n;
	size_t had = r->part_n, added = (size_t)(t->partition_cnt - first);
	int32_t *leaders = xreallocarray(NULL, had + added, sizeof *leaders);
	memcpy(leaders, r->known_leaders, had * sizeof *leaders);
	r->part_of = xreallocarray(r->part_of, (size_t)t->partition_cnt, sizeof *r->part_of);
	r->parts = xreallocarray(r->parts, had + added, sizeof *r->parts);
	for (int32_t p = first; p < t->partition_cnt; p++) {
		leaders[r->part_n] = -1;
		for (int i = 0; i < t->partition_cnt; i++)
			if (t->partitions[i].id == p)
				leaders[r->part_n] = t->partitions[i].leader;
		r->part_of[p] = (int32_t)r->part_n;
		r->parts[r->part_n++] = (struct part){.partition = p, .end = SCAN_END_NEVER, .bad_next = -1, .high = -1, .eof = -1};
	}
	r->part_of_n = t->partition_cnt;
	reader_find_leaders(r, leaders);
	free(leaders);
	cluster_notify(r->cluster, NOTICE_INFO, "topic \"%s\" has %d partitions now: those from %d on are read from their beginning", r->topic, t->partition_cnt, first);
	for (size_t i = had; i < r->part_n; i++)
		reader_part_start(r, &r->parts[i]);
}

/* ---- brokers that are away ---- */

void reader_live_back(struct reader *r)
{
	if (!r->away_since_mono_ms)
		return;
	int64_t away_ms = time_mono_ms() - r->away_since_mono_ms;
	r->away_since_mono_ms = 0;
	client_trouble_clear(r->client);
	if (!r->cluster->away_told)
		return;
	r->cluster->away_told = false;
	r->cluster->away_notice_mono_ms = time_mono_ms();    /* another reader, that has not noticed yet, need not say the contrary */
	cluster_notify(r->cluster, NOTICE_INFO, "the brokers of cluster %s answer again after %" PRId64 " s", r->cluster->name, away_ms / 1000);
}

void reader_live_stall(struct reader *r, bool down)
{
	int64_t now = time_mono_ms();
	if (down && !r->away_since_mono_ms)
		r->away_since_mono_ms = now;
	int64_t *last = &r->cluster->away_notice_mono_ms;
	if (!r->away_since_mono_ms || now - r->away_since_mono_ms < STALL_LOOK_MS || (*last && now - *last < NOTICE_EVERY_MS))
		return;
	*last = now;
	r->cluster->away_told = true;
	struct buf why = BUF_INIT;
	client_trouble_text(r->client, &why);
	cluster_notify(r->cluster, NOTICE_WARNING, "waiting for the brokers of cluster %s: %" PRId64 " s%s%s", r->cluster->name, (now - r->away_since_mono_ms) / 1000, why.len ? ": " : "",
		why.len ? why.data : "");
	buf_finish(&why);
}
