/* sql/live/watermark.h */
#include "sql/live/watermark.h"

#include <stdlib.h>
#include "core/alloc.h"

void watermark_init(struct watermark *w, int64_t grace_ms, int64_t idle_ms, int64_t skew_ms)
{
	*w = (struct watermark){.grace_ms = grace_ms > 0 ? grace_ms : 0, .idle_ms = idle_ms, .skew_ms = skew_ms, .now_ms = time_now_ms(), .value_ms = TIME_NONE};
}

void watermark_finish(struct watermark *w)
{
	free(w->parts);
	w->parts = NULL;
	w->part_n = 0;
}

struct watermark_part *watermark_part(struct watermark *w, int source, int32_t partition, int64_t mono_ms)
{
	if (w->last < w->part_n && w->parts[w->last].partition == partition && w->parts[w->last].source == source)
		return &w->parts[w->last];
	for (size_t i = 0; i < w->part_n; i++)
		if (w->parts[i].partition == partition && w->parts[i].source == source) {
			w->last = i;
			return &w->parts[i];
		}
	w->parts = xreallocarray(w->parts, w->part_n + 1, sizeof *w->parts);
	w->parts[w->part_n] = (struct watermark_part){.source = source, .partition = partition, .max_ms = TIME_NONE, .heard_mono_ms = mono_ms};
	w->last = w->part_n;
	return &w->parts[w->part_n++];
}

bool watermark_see(struct watermark *w, struct watermark_part *p, int64_t ts_ms)
{
	if (w->skew_ms != INT64_MAX && ts_ms > w->now_ms && ts_ms - w->now_ms > w->skew_ms) {
		p->skewed_n++;
		return false;
	}
	if (p->max_ms == TIME_NONE || ts_ms > p->max_ms)
		p->max_ms = ts_ms;
	return true;
}

static bool counts(const struct watermark *w, const struct watermark_part *p, int64_t mono_ms)
{
	return !p->done && mono_ms - p->heard_mono_ms < w->idle_ms;
}

static int64_t less_grace(const struct watermark *w, int64_t ts_ms)
{
	return ts_ms < INT64_MIN + 1 + w->grace_ms ? INT64_MIN + 1 : ts_ms - w->grace_ms;
}

int64_t watermark_advance(struct watermark *w, int64_t mono_ms)
{
	int64_t least = WATERMARK_END, most = TIME_NONE, heard = INT64_MIN;
	bool any = false, all_done = w->part_n > 0, unknown = false;
	for (size_t i = 0; i < w->part_n; i++) {
		const struct watermark_part *p = &w->parts[i];
		all_done = all_done && p->done;
		if (p->max_ms != TIME_NONE && (most == TIME_NONE || p->max_ms > most))
			most = p->max_ms;
		if (!p->done && p->heard_mono_ms > heard)
			heard = p->heard_mono_ms;
		if (!counts(w, p, mono_ms))
			continue;
		any = true;
		unknown = unknown || p->max_ms == TIME_NONE;
		if (p->max_ms != TIME_NONE && p->max_ms < least)
			least = p->max_ms;
	}
	int64_t value = TIME_NONE;
	bool by_idle = false;
	if (all_done) {
		value = WATERMARK_END;
	} else if (any && !unknown) {
		value = less_grace(w, least);
	} else if (!any && most != TIME_NONE && heard != INT64_MIN) {
		/* Silence: event time goes on as the clock does since the last record came. */
		value = less_grace(w, most) + (mono_ms - heard);
		by_idle = true;
	}
	if (value != TIME_NONE && (w->value_ms == TIME_NONE || value > w->value_ms)) {
		w->value_ms = value;
		w->by_idle = by_idle;
	}
	return w->value_ms;
}

const struct watermark_part *watermark_holder(const struct watermark *w, int64_t mono_ms)
{
	const struct watermark_part *holder = NULL;
	for (size_t i = 0; i < w->part_n; i++) {
		const struct watermark_part *p = &w->parts[i];
		if (counts(w, p, mono_ms) && (!holder || p->max_ms < holder->max_ms))      /* TIME_NONE is the least */
			holder = p;
	}
	return holder;
}
