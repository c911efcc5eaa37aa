/* Bounds frozen for a statement, sources opened and counted, and whole ranges read in one go. */
#include "vtab/scan.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "core/time.h"
#include "vtab/vtab.h"

enum { POLL_MS = 100 };

static void add_relaxed(_Atomic int64_t *to, int64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

void stats_add(struct provider *p, const struct source *source, struct scan_stats *seen)
{
	const struct scan_stats *now = &source->stats;
	struct scan_stats *to = &p->stats;
	add_relaxed(&p->progress.message_n, now->message_n - seen->message_n);
	add_relaxed(&p->progress.message_bytes, now->message_bytes - seen->message_bytes);
	add_relaxed(&p->progress.passed_n, now->passed_n - seen->passed_n);
	to->message_n += now->message_n - seen->message_n;
	to->message_bytes += now->message_bytes - seen->message_bytes;
	to->fetched_bytes += now->fetched_bytes - seen->fetched_bytes;
	to->filtered_n += now->filtered_n - seen->filtered_n;
	to->outside_n += now->outside_n - seen->outside_n;
	to->duplicate_n += now->duplicate_n - seen->duplicate_n;
	to->gap_n += now->gap_n - seen->gap_n;
	to->passed_n += now->passed_n - seen->passed_n;
	to->request_n += now->request_n - seen->request_n;
	to->leader_change_n += now->leader_change_n - seen->leader_change_n;
	*seen = *now;
}

bool scan_open(struct module *m, const char *cluster, const struct scan_request *request, struct source **ret, struct err *err)
{
	struct provider *p = m->provider;
	if (!p->impl->open_scan(p, cluster, request, ret, err))
		return false;
	int64_t planned = 0;
	for (size_t i = 0; i < request->range_n; i++)
		planned += request->ranges[i].end != SCAN_END_NEVER ? request->ranges[i].end - request->ranges[i].start : 0;
	p->stats.scan_n++;
	p->stats.planned_n += planned;
	add_relaxed(&p->progress.planned_n, planned);
	return true;
}

bool scan_read(struct module *m, const char *cluster, const struct scan_request *request, int64_t enough_mono_ms, bool (*each)(void *arg, struct batch *b, const struct record *r, struct err *err), void *arg, struct err *err)
{
	if (request->range_n == 0)
		return true;
	struct source *source = NULL;
	if (!scan_open(m, cluster, request, &source, err))
		return false;
	struct scan_stats seen = {0};
	bool ok = true, any = false;
	while (ok) {
		struct batch *b = NULL;
		bool enough = any && enough_mono_ms && time_mono_ms() >= enough_mono_ms;
		enum source_status status = source_next(source, enough ? 0 : POLL_MS, &b, err);
		stats_add(m->provider, source, &seen);
		if (status == SOURCE_END || (status == SOURCE_IDLE && enough))
			break;
		any |= status == SOURCE_BATCH;
		ok = status != SOURCE_ERROR && cancel_check(m->provider->cancel, err);
		for (size_t i = 0; ok && status == SOURCE_BATCH && i < b->record_n; i++)
			ok = each(arg, b, &b->records[i], err);
		if (status == SOURCE_BATCH)
			batch_unref(b);
	}
	source_destroy(source);
	return ok;
}

/* ---- --from and --until ---- */

struct time_search {
	int64_t from_ms, until_ms;
	int64_t *from, *until;               /* per partition: first offset with ts >= it; the end if none */
	const struct partition_bounds *bounds;
};

static bool search_record(void *arg, struct batch *b, const struct record *r, struct err *err)
{
	struct time_search *s = arg;
	int64_t end = s->bounds[b->partition].end;
	if (r->ts_ms == TIME_NONE)
		return true;
	if (s->from_ms != TIME_NONE && s->from[b->partition] == end && r->ts_ms >= s->from_ms)
		s->from[b->partition] = r->offset;
	if (s->until_ms != TIME_NONE && s->until[b->partition] == end && r->ts_ms >= s->until_ms)
		s->until[b->partition] = r->offset;
	return true;
}

/* By the broker's time index, or, on a broker without one, by reading through the topic once. */
static bool find_times(struct module *m, struct frozen *f, struct time_search *s, struct err *err)
{
	struct provider *p = m->provider;
	if (f->info.time_seek)
		return (s->from_ms == TIME_NONE || p->impl->topic_offsets_at(p, f->cluster, f->topic, f->info.partition_n, s->from_ms, s->from, err)) &&
		       (s->until_ms == TIME_NONE || p->impl->topic_offsets_at(p, f->cluster, f->topic, f->info.partition_n, s->until_ms, s->until, err));
	struct scan_range *ranges = xreallocarray(NULL, (size_t)f->info.partition_n, sizeof *ranges);
	size_t n = 0;
	for (int32_t i = 0; i < f->info.partition_n; i++)
		if (f->bounds[i].low < f->bounds[i].end)
			ranges[n++] = (struct scan_range){i, f->bounds[i].low, f->bounds[i].end};
	struct scan_request request = {.topic = f->topic, .ranges = ranges, .range_n = n, .cancel = p->cancel, .gap_policy = p->gap_policy, .max_message_bytes = p->max_message_bytes};
	bool ok = scan_read(m, f->cluster, &request, 0, search_record, s, err);
	free(ranges);
	return ok;
}

static int64_t time_of(const struct position *p)
{
	return p->kind == POSITION_TIME ? p->ts_ms : TIME_NONE;
}

void vtab_tell_unknown_partition(struct provider *p, const char *topic, int32_t partition_n, const struct position *at, const char *option)
{
	int32_t partition = position_unknown_partition(at, partition_n);
	if (partition < 0)
		return;
	char *text = xasprintf("%s names partition %d, which topic \"%s\" does not have: its last one is %d", option, partition, topic, partition_n - 1);
	p->impl->notice(p, NOTICE_WARNING, text);
	free(text);
}

static bool narrow_by_options(struct module *m, struct frozen *f, struct err *err)
{
	struct provider *p = m->provider;
	size_t n = (size_t)f->info.partition_n;
	if (p->from.kind == POSITION_NONE && p->until.kind == POSITION_NONE)
		return true;
	int64_t *at = xreallocarray(NULL, 2 * n, sizeof *at);
	for (size_t i = 0; i < n; i++)
		at[i] = at[n + i] = f->bounds[i].end;
	struct time_search search = {.from_ms = time_of(&p->from), .until_ms = time_of(&p->until), .from = at, .until = at + n, .bounds = f->bounds};
	bool timed = search.from_ms != TIME_NONE || search.until_ms != TIME_NONE;
	bool ok = !timed || find_times(m, f, &search, err);
	for (size_t i = 0; ok && i < n; i++) {
		struct partition_bounds *b = &f->bounds[i];
		int64_t start = p->from.kind ? position_start(&p->from, b->partition, b->low, b->end, at[i]) : b->low;
		int64_t stop = p->until.kind ? position_stop(&p->until, b->partition, b->low, b->end, at[n + i]) : b->end;
		if (stop < b->end)
			b->end = stop > b->low ? stop : b->low;
		b->low = start < b->end ? start : b->end;
	}
	free(at);
	vtab_tell_unknown_partition(p, f->topic, f->info.partition_n, &p->from, "--from");
	vtab_tell_unknown_partition(p, f->topic, f->info.partition_n, &p->until, "--until");
	return ok;
}

bool frozen_get(struct module *m, const char *cluster, const char *topic, const struct frozen **ret, struct err *err)
{
	for (const struct frozen *f = m->frozen; f; f = f->next) {
		if (same_name(f->cluster, cluster) && strcmp(f->topic, topic) == 0) {
			*ret = f;
			return true;
		}
	}
	struct provider *p = m->provider;
	struct topic_info info = {0};
	if (!p->impl->topic_info(p, cluster, topic, 0, &info, err))
		return false;
	if (info.partition_n < 1)
		return err_set(err, ERR_INTERNAL, "topic %s has no partitions", topic);
	struct frozen *f = xcalloc(1, sizeof *f);
	f->info = info;
	f->cluster = cluster ? xstrdup(cluster) : NULL;
	f->topic = xstrdup(topic);
	f->bounds = xreallocarray(NULL, (size_t)info.partition_n, sizeof *f->bounds);
	if (!p->impl->topic_bounds(p, cluster, topic, info.partition_n, f->bounds, err) || !narrow_by_options(m, f, err)) {
		frozen_destroy(f);
		return false;
	}
	f->next = m->frozen;
	m->frozen = f;
	*ret = f;
	return true;
}

void frozen_destroy(struct frozen *f)
{
	if (!f)
		return;
	free(f->cluster);
	free(f->topic);
	free(f->bounds);
	free(f);
}
