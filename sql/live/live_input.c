/* sql/live/live_input.h */
#include "sql/live/live_input.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "core/time.h"
#include "sql/live/shared_source.h"
#include "vtab/vtab.h"

static bool ask_times(struct live_input *in, const struct position *p, const struct topic_info *info, int64_t **ret, struct err *err)
{
	*ret = NULL;
	if (p->kind != POSITION_TIME || !info->time_seek)
		return true;
	*ret = xcalloc((size_t)info->partition_n + 1, sizeof **ret);
	return in->provider->impl->topic_offsets_at(in->provider, in->stream->cluster, in->stream->topic, info->partition_n, p->ts_ms, *ret, err);
}

static bool find_parts(struct live_input *in, const struct position *from, const struct position *until, struct err *err)
{
	struct provider *p = in->provider;
	struct topic_info info = {0};
	if (!p->impl->topic_info(p, in->stream->cluster, in->stream->topic, 0, &info, err))
		return false;
	vtab_tell_unknown_partition(p, in->stream->topic, info.partition_n, from, "FROM");
	vtab_tell_unknown_partition(p, in->stream->topic, info.partition_n, until, "UNTIL");
	struct partition_bounds *bounds = xcalloc((size_t)info.partition_n + 1, sizeof *bounds);
	int64_t *starts = NULL, *ends = NULL;
	bool ok = p->impl->topic_bounds(p, in->stream->cluster, in->stream->topic, info.partition_n, bounds, err) && ask_times(in, from, &info, &starts, err) && ask_times(in, until, &info, &ends, err);
	in->parts = xcalloc((size_t)info.partition_n + 1, sizeof *in->parts);
	for (int32_t i = 0; ok && i < info.partition_n; i++) {
		struct input_part *part = &in->parts[in->part_n];
		if (from->kind == POSITION_OFFSETS && position_offset_of(from, i) < 0)
			continue;                    /* only what is listed is read */
		*part = (struct input_part){.partition = bounds[i].partition, .skip_before_ms = TIME_NONE, .stop_at_ms = TIME_NONE};
		int64_t low = bounds[i].low, end = bounds[i].end;
		part->start = part->next = position_start(from, i, low, end, starts ? starts[i] : low);
		part->end = until->kind == POSITION_NONE ? SCAN_END_NEVER : position_stop(until, i, low, end, ends ? ends[i] : end);
		if (from->kind == POSITION_TIME && !info.time_seek)
			part->skip_before_ms = from->ts_ms;
		if (until->kind == POSITION_TIME && !info.time_seek)
			part->stop_at_ms = until->ts_ms;
		in->part_n++;
	}
	free(bounds);
	free(starts);
	free(ends);
	return ok;
}

bool live_input_open(struct live_input *in, struct provider *p, const struct stream *stream, const struct position *from, const struct position *until, struct shared_reader **shared,
                     struct err *err)
{
	*in = (struct live_input){.provider = p, .stream = stream, .bounded = until->kind != POSITION_NONE};
	if (!find_parts(in, from, until, err))
		return false;
	struct scan_range *ranges = xcalloc(in->part_n + 1, sizeof *ranges);
	size_t n = 0;
	for (size_t i = 0; i < in->part_n; i++)
		if (in->parts[i].start < in->parts[i].end)
			ranges[n++] = (struct scan_range){in->parts[i].partition, in->parts[i].start, in->parts[i].end};
	bool ok = true;
	if (n) {
		struct scan_request r = {.topic = stream->topic, .ranges = ranges, .range_n = n, .need = SCAN_NEED_KEY | SCAN_NEED_VALUE | SCAN_NEED_HEADERS, .live = true,
			.new_partitions = !in->bounded,
			.max_message_bytes = p->max_message_bytes, .gap_policy = GAP_WARN, .cancel = p->cancel};
		ok = shared && !in->bounded ? shared_source_open(shared, p, stream->cluster, &r, &in->source, err) : p->impl->open_scan(p, stream->cluster, &r, &in->source, err);
	} else {
		in->ended = true;
	}
	free(ranges);
	return ok;
}

void live_input_close(struct live_input *in)
{
	source_destroy(in->source);
	free(in->parts);
	*in = (struct live_input){0};
}

struct input_part *live_input_part(struct live_input *in, int32_t partition)
{
	for (size_t i = 0; i < in->part_n; i++)
		if (in->parts[i].partition == partition)
			return &in->parts[i];
	return NULL;
}

static struct input_part *part_of(struct live_input *in, int32_t partition)
{
	struct input_part *p = live_input_part(in, partition);
	if (p)
		return p;
	in->parts = xreallocarray(in->parts, in->part_n + 1, sizeof *in->parts);
	p = &in->parts[in->part_n++];
	*p = (struct input_part){.partition = partition, .end = SCAN_END_NEVER, .skip_before_ms = TIME_NONE, .stop_at_ms = TIME_NONE};
	return p;
}

enum { POSITIONS_MAX = 1024 };

/* Offsets that hold no records (markers of transactions, compaction) are passed without a batch. */
static void sync_positions(struct live_input *in)
{
	struct source_position p[POSITIONS_MAX];
	size_t n = source_positions(in->source, p, POSITIONS_MAX);
	for (size_t i = 0; i < n && i < POSITIONS_MAX; i++) {
		struct input_part *part = part_of(in, p[i].partition);
		if (p[i].position > part->next)
			part->next = p[i].position;
	}
}

int64_t live_input_lag(struct live_input *in)
{
	struct source_position p[POSITIONS_MAX];
	size_t n = in->source ? source_positions(in->source, p, POSITIONS_MAX) : 0;
	int64_t lag = 0;
	if (in->ended || !in->source)
		return 0;
	for (size_t i = 0; i < n && i < POSITIONS_MAX; i++) {
		if (p[i].end < 0)
			return -1;
		lag += p[i].end > p[i].position ? p[i].end - p[i].position : 0;
	}
	return n ? lag : -1;
}

bool live_input_settled(struct live_input *in, int32_t partition, int64_t end)
{
	struct source_position p[POSITIONS_MAX];
	size_t n = in->source ? source_positions(in->source, p, POSITIONS_MAX) : 0;
	for (size_t i = 0; i < n && i < POSITIONS_MAX; i++)
		if (p[i].partition == partition)
			return p[i].position >= end || (p[i].at_end && p[i].end >= end);
	return n == 0;                       /* a source that cannot tell */
}

/* Where the broker has no index of times: from the first record at the wanted time on, as an index would say. */
static void cut_by_time(struct input_part *p, const struct batch *b, size_t *from, size_t *to)
{
	while (!p->begun && p->skip_before_ms != TIME_NONE && *from < *to) {
		const struct record *r = &b->records[*from];
		if (r->ts_ms != TIME_NONE && r->ts_ms >= p->skip_before_ms)
			p->begun = true;
		else
			++*from;
	}
	if (p->stop_at_ms == TIME_NONE)
		return;
	for (size_t i = *from; i < *to; i++)
		if (b->records[i].ts_ms != TIME_NONE && b->records[i].ts_ms >= p->stop_at_ms) {
			*to = i;
			p->stop_at_ms = INT64_MIN + 1;       /* all that follows is behind it */
			break;
		}
}

enum source_status live_input_next(struct live_input *in, int wait_ms, struct batch **ret_batch, size_t *ret_from, size_t *ret_to, struct err *err)
{
	if (in->ended)
		return SOURCE_END;
	for (;;) {
		struct batch *b = NULL;
		enum source_status status = source_next(in->source, wait_ms, &b, err);
		if (status == SOURCE_END)
			in->ended = true;
		if (status == SOURCE_IDLE)
			sync_positions(in);
		if (status != SOURCE_BATCH)
			return status;
		struct input_part *p = part_of(in, b->partition);
		size_t from = 0, to = b->record_n;
		while (from < to && b->records[from].offset < p->next)
			from++;
		while (to > from && b->records[to - 1].offset >= p->end)
			to--;
		cut_by_time(p, b, &from, &to);
		p->next = b->records[b->record_n - 1].offset + 1;
		if (from == to) {
			batch_unref(b);
			wait_ms = 0;
			continue;
		}
		in->message_n += (int64_t)(to - from);
		*ret_batch = b;
		*ret_from = from;
		*ret_to = to;
		return SOURCE_BATCH;
	}
}
