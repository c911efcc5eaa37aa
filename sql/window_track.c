/* Windows that follow the rows of one key: session, state, event, count. See sql/window.h. */
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "sql/window.h"

static void open_at(struct window_tracker *t, int64_t start_ms, int64_t ts_ms)
{
	t->open = true;
	t->now = (struct window_bounds){start_ms, ts_ms};
	t->row_n = 0;
	t->id++;
}

static bool is_short(const struct window_spec *w, struct window_bounds b)
{
	bool counts = w->kind == WINDOW_STATE || w->kind == WINDOW_EVENT;
	return counts && w->true_for_ms > 0 && b.end_ms - b.start_ms < w->true_for_ms;
}

static unsigned take(struct window_tracker *t, int64_t ts_ms)
{
	t->now.end_ms = ts_ms;
	t->row_n++;
	return TRACKER_IN;
}

static int64_t saturated_sub(int64_t a, int64_t b)
{
	int64_t d;
	return __builtin_sub_overflow(a, b, &d) ? INT64_MAX : d;
}

static unsigned session_step(struct window_tracker *t, const struct window_spec *w, const struct window_row *row, struct window_bounds *ret_closed)
{
	unsigned effect = 0;
	bool over = t->open && (saturated_sub(row->ts_ms, t->now.end_ms) > w->gap_ms || (w->max_ms > 0 && saturated_sub(row->ts_ms, t->now.start_ms) > w->max_ms));
	if (over) {
		*ret_closed = t->now;
		t->open = false;
		effect = TRACKER_CLOSED_BEFORE;
	}
	if (!t->open)
		open_at(t, row->ts_ms, row->ts_ms);
	return effect | take(t, row->ts_ms);
}

static unsigned state_step(struct window_tracker *t, const struct window_spec *w, const struct window_row *row, struct window_bounds *ret_closed)
{
	unsigned effect = 0;
	if (!row->state) {
		if (!t->held_n++)
			t->held_first_ms = row->ts_ms;
		t->held_last_ms = row->ts_ms;
		return TRACKER_HELD;
	}
	bool same = t->open && t->state_len == row->state_len && memcmp(t->state, row->state, row->state_len) == 0;
	/* Rows without a state in front of the first one belong to it. */
	int64_t start = t->held_n && !t->open ? t->held_first_ms : row->ts_ms;
	unsigned held = TRACKER_HELD_AFTER;
	if (t->open && !same) {
		*ret_closed = t->now;
		held = TRACKER_HELD_DROP;
		if (w->extend == 1) {
			ret_closed->end_ms = row->ts_ms - 1;     /* the end is the last ms of the window */
			held = TRACKER_HELD_BEFORE;
		}
		if (w->extend == 2) {
			start = t->now.end_ms + 1;
			held = TRACKER_HELD_AFTER;
		}
		t->open = false;
		effect = TRACKER_CLOSED_BEFORE | (is_short(w, *ret_closed) ? TRACKER_SHORT : 0u);
	}
	if (t->held_n)
		effect |= held;
	t->held_n = 0;
	if (!t->open) {
		open_at(t, start, row->ts_ms);
		free(t->state);
		t->state = xmalloc(row->state_len + 1);
		memcpy(t->state, row->state, row->state_len);
		t->state_len = row->state_len;
	}
	return effect | take(t, row->ts_ms);
}

static unsigned event_step(struct window_tracker *t, const struct window_spec *w, const struct window_row *row)
{
	if (!t->open && !row->start)
		return 0;
	if (!t->open)
		open_at(t, row->ts_ms, row->ts_ms);
	unsigned effect = take(t, row->ts_ms);
	if (!row->end)
		return effect;
	t->open = false;
	return effect | TRACKER_CLOSED_AFTER | (is_short(w, t->now) ? TRACKER_SHORT_AFTER : 0u);
}

static unsigned count_step(struct window_tracker *t, const struct window_spec *w, const struct window_row *row)
{
	if (!t->open)
		open_at(t, row->ts_ms, row->ts_ms);
	unsigned effect = take(t, row->ts_ms);
	if (t->row_n < w->count_n)
		return effect;
	t->open = false;
	return effect | TRACKER_CLOSED_AFTER;
}

unsigned tracker_step(struct window_tracker *t, const struct window_spec *w, const struct window_row *row, struct window_bounds *ret_closed)
{
	switch (w->kind) {
	case WINDOW_SESSION:
		return session_step(t, w, row, ret_closed);
	case WINDOW_STATE:
		return state_step(t, w, row, ret_closed);
	case WINDOW_EVENT:
		return event_step(t, w, row);
	case WINDOW_COUNT:
		return count_step(t, w, row);
	default:
		return 0;
	}
}

unsigned tracker_advance(struct window_tracker *t, const struct window_spec *w, int64_t watermark_ms, struct window_bounds *ret_closed)
{
	if (!t->open)
		return 0;
	bool all_seen = watermark_ms == INT64_MAX;
	/* A row at the watermark itself may still come. */
	if (!all_seen && (w->kind != WINDOW_SESSION || saturated_sub(watermark_ms, t->now.end_ms) <= w->gap_ms))
		return 0;
	t->open = false;
	*ret_closed = t->now;
	unsigned held = t->held_n ? TRACKER_HELD_BEFORE : 0u;
	if (t->held_n)
		ret_closed->end_ms = t->held_last_ms;
	t->held_n = 0;
	bool unfinished = w->kind == WINDOW_EVENT || w->kind == WINDOW_COUNT;
	return TRACKER_CLOSED_BEFORE | held | (unfinished || is_short(w, *ret_closed) ? TRACKER_SHORT : 0u);
}

void tracker_finish(struct window_tracker *t)
{
	free(t->state);
	*t = (struct window_tracker){.open = false};
}
