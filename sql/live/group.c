/* sql/live/group.h: rows in, windows open and close.
 *
 * Grid windows (tumble, hop, cumulate) are found by their bounds; a row steps its group in each of them at once, in any order. Stateful windows need the
 * order of event time: rows wait until the watermark has passed them, then each steps the tracker of its key and the group of the tracker's open window. */
#include "sql/live/group_impl.h"

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/hash.h"
#include "core/time.h"

enum { SLOTS_FIRST = 16 };

/* ---- life ---- */

static size_t align_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static void layout_init(struct group_layout *l, const struct group_plan *p)
{
	size_t at = sizeof(struct group);
	l->call_n = p->call_n;
	l->state_at = xcalloc(p->call_n + 1, sizeof *l->state_at);
	l->distinct_at = xcalloc(p->call_n + 1, sizeof *l->distinct_at);
	l->defs = xcalloc(p->call_n + 1, sizeof *l->defs);
	for (size_t i = 0; i < p->call_n; i++) {
		l->defs[i] = p->calls[i].def;
		l->distinct_at[i] = SIZE_MAX;
		if (p->calls[i].distinct) {
			l->distinct_at[i] = at = align_up(at, sizeof(void *));
			at += sizeof(void *);
		}
		/* A state with a 128-bit sum has a size that is a multiple of 16. */
		at = align_up(at, l->defs[i]->state_size % 16 == 0 ? 16 : 8);
		l->state_at[i] = at;
		at += l->defs[i]->state_size;
	}
	l->fixed_bytes = at;
}

static struct group_window *window_create(struct group_op *op, struct window_bounds b)
{
	struct group_window *w = xcalloc(1, sizeof *w);
	w->bounds = b;
	w->moment_ms = b.end_ms;
	op->bytes += (int64_t)sizeof *w;
	return w;
}

void window_free(struct group_op *op, struct group_window *w)
{
	if (!w)
		return;
	group_store_finish(&w->store, &op->layout, &op->memory, &op->bytes);
	op->bytes -= (int64_t)sizeof *w;
	free(w);
}

struct group_op *group_op_create(const struct group_plan *plan, const struct group_op_options *o)
{
	struct group_op *op = xcalloc(1, sizeof *op);
	op->plan = plan;
	op->o = *o;
	layout_init(&op->layout, plan);
	buf_init(&op->key);
	buf_init(&op->tracker_key);
	op->row = xcalloc((size_t)plan->input_column_n + 1, sizeof *op->row);
	op->next_close_ms = INT64_MAX;
	op->closed_ms = op->released_ms = INT64_MIN;
	if (plan->windowed && !window_is_stateful(&plan->window)) {
		op->bounds_max = window_assign_max(&plan->window);
		op->bounds = xcalloc(op->bounds_max + 1, sizeof *op->bounds);
	}
	if (!plan->windowed) {
		op->only = window_create(op, (struct window_bounds){INT64_MIN, INT64_MAX});
		bool fresh;
		if (!plan->grouped)          /* SELECT count(*) of nothing is one row */
			group_store_get(&op->only->store, &op->layout, &op->key, 0, &fresh, &op->bytes)->window = op->only;
	}
	return op;
}

static void unwait(struct group_op *op, struct waiting_row *row);

void group_op_destroy(struct group_op *op)
{
	if (!op)
		return;
	group_op_clear(op);
	group_fill_free(op->fill);
	window_free(op, op->only);
	for (size_t i = 0; i < op->window_slot_n; i++)
		window_free(op, op->windows[i]);
	for (size_t i = 0; i < op->tracker_slot_n; i++) {
		struct group_tracker *t = op->trackers[i];
		if (!t)
			continue;
		for (size_t k = 0; k <= t->slide_n; k++)
			window_free(op, tracker_window(t, k));
		for (size_t k = 0; k < t->held_n; k++)
			unwait(op, &t->held[k]);
		free(t->held);
		free(t->slides);
		tracker_finish(&t->t);
		free(t->key);
		free(t);
	}
	for (struct waiting_row row; waiting_next(&op->waiting, INT64_MAX, &row);)
		unwait(op, &row);
	waiting_finish(&op->waiting);
	for (size_t i = 0; i < op->kept_n; i++)
		window_free(op, op->kept[i]);
	free(op->kept);
	free(op->windows);
	free(op->trackers);
	free(op->changed);
	free(op->ready.list);
	free(op->row);
	free(op->bounds);
	free(op->layout.state_at);
	free(op->layout.distinct_at);
	free(op->layout.defs);
	buf_finish(&op->key);
	buf_finish(&op->tracker_key);
	free(op);
}

/* ---- grid windows by their bounds ---- */

static uint64_t bounds_hash(struct window_bounds b)
{
	return hash_bytes(&b, sizeof b);
}

static void windows_grow(struct group_op *op)
{
	size_t n = op->window_slot_n ? 2 * op->window_slot_n : SLOTS_FIRST;
	struct group_window **slots = xcalloc(n, sizeof(struct group_window *));
	for (size_t i = 0; i < op->window_slot_n; i++) {
		if (!op->windows[i])
			continue;
		size_t at = bounds_hash(op->windows[i]->bounds) & (n - 1);
		while (slots[at])
			at = (at + 1) & (n - 1);
		slots[at] = op->windows[i];
	}
	op->bytes += (int64_t)((n - op->window_slot_n) * sizeof *slots);
	free(op->windows);
	op->windows = slots;
	op->window_slot_n = n;
}

static struct group_window *window_of(struct group_op *op, struct window_bounds b)
{
	struct group_window *w = op->last_window;
	if (w && w->bounds.start_ms == b.start_ms && w->bounds.end_ms == b.end_ms)
		return w;
	if (op->window_n * 2 >= op->window_slot_n)
		windows_grow(op);
	size_t mask = op->window_slot_n - 1, at = bounds_hash(b) & mask;
	for (; (w = op->windows[at]); at = (at + 1) & mask)
		if (w->bounds.start_ms == b.start_ms && w->bounds.end_ms == b.end_ms)
			return op->last_window = w;
	op->windows[at] = w = window_create(op, b);
	op->window_n++;
	if (b.end_ms < op->next_close_ms)
		op->next_close_ms = b.end_ms;
	return op->last_window = w;
}

/* Takes every window that ends by watermark_ms out of the table. */
static void windows_close(struct group_op *op, int64_t watermark_ms)
{
	if (op->next_close_ms > watermark_ms)
		return;
	size_t n = op->window_slot_n;
	struct group_window **old = op->windows;
	op->windows = n ? xcalloc(n, sizeof(struct group_window *)) : NULL;
	op->window_n = 0;
	op->last_window = NULL;
	op->next_close_ms = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		struct group_window *w = old[i];
		if (!w)
			continue;
		if (w->bounds.end_ms <= watermark_ms) {
			ready_window(op, w);
			continue;
		}
		size_t at = bounds_hash(w->bounds) & (n - 1);
		while (op->windows[at])
			at = (at + 1) & (n - 1);
		op->windows[at] = w;
		op->window_n++;
		if (w->bounds.end_ms < op->next_close_ms)
			op->next_close_ms = w->bounds.end_ms;
	}
	free(old);
}

/* ---- a row into a group ---- */

static void note_change(struct group_op *op, struct group *g)
{
	if (!op->o.changes || g->changed)
		return;
	g->changed = true;
	if (op->changed_n == op->changed_cap) {
		op->changed_cap = op->changed_cap ? 2 * op->changed_cap : 16;
		op->changed = xreallocarray(op->changed, op->changed_cap, sizeof(struct group *));
	}
	op->changed[op->changed_n++] = g;
}

static bool is_true(const struct agg_value *v)
{
	switch (v->type) {
	case AGG_INTEGER:
		return v->i != 0;
	case AGG_REAL:
		return v->d != 0;
	case AGG_TEXT:
	case AGG_BLOB: {
		char text[64];
		size_t n = v->bytes.len < sizeof text - 1 ? v->bytes.len : sizeof text - 1;
		memcpy(text, v->bytes.data, n);
		text[n] = 0;
		return strtod(text, NULL) != 0;
	}
	case AGG_NULL:
		break;
	}
	return false;
}

static bool step_group(struct group_op *op, struct group *g, const struct agg_value *values, const struct agg_at *at, struct err *err)
{
	for (size_t i = 0; i < op->plan->call_n; i++) {
		const struct group_call *c = &op->plan->calls[i];
		if (c->filter >= 0 && !is_true(&values[c->filter]))
			continue;
		const struct agg_value *args = c->column < 0 ? NULL : &values[c->column];
		struct agg_distinct **set = group_distinct(&op->layout, g, i);
		if (set) {
			bool fresh = false;
			if (!agg_distinct_add(set, args, c->column_n, &op->memory, &fresh, err))
				return false;
			if (!fresh)
				continue;
		}
		if (!c->def->step(group_state(&op->layout, g, i), args, c->column_n, at, &op->memory, err))
			return false;
	}
	note_change(op, g);
	return true;
}

static bool over_limit(struct group_op *op, struct err *err)
{
	int64_t used = op->bytes + op->memory.bytes + op->waiting.bytes;
	if (op->o.memory_max_bytes <= 0 || used <= op->o.memory_max_bytes)
		return false;
	err_set(err, ERR_LIMIT, "the state of this query needs more than %lld MB: %lld groups and %lld waiting rows", (long long)(op->o.memory_max_bytes >> 20),
		(long long)group_op_stats(op).group_n, (long long)(op->waiting.row_n - op->waiting.taken_n));
	err_hint(err, "group by fewer keys, use shorter windows or a smaller GRACE, or SET memory_limit");
	return true;
}

static bool step_window(struct group_op *op, struct group_window *w, const struct agg_value *values, const struct agg_at *at, struct err *err)
{
	uint32_t real_mask = 0;
	bool fresh = false;
	int n = 0;
	op->key.len = 0;
	for (size_t i = 0; i < op->plan->key_n; i++)
		if (op->plan->keys[i].kind == GROUP_KEY_COLUMN)
			group_key_encode(&op->key, &values[op->plan->keys[i].column], n++, &real_mask);
	struct group *g = group_store_get(&w->store, &op->layout, &op->key, real_mask, &fresh, &op->bytes);
	if (!g)
		return err_set(err, ERR_MEMORY, "out of memory: %lld bytes are held in groups", (long long)op->bytes);
	g->window = w;
	if (!step_group(op, g, values, at, err))
		return false;
	return (!fresh && !op->o.memory_max_bytes) || !over_limit(op, err);
}

/* ---- stateful windows ---- */

static struct group_tracker *tracker_of(struct group_op *op, const struct agg_value *values)
{
	const struct group_plan *p = op->plan;
	uint32_t unused = 0;
	op->tracker_key.len = 0;
	for (int i = 0; i < p->tracker_key_n; i++)
		group_key_encode(&op->tracker_key, &values[p->tracker_key + i], 0, &unused);
	for (size_t i = 0; !p->tracker_key_n && i < p->key_n; i++)       /* no key => given: the keys of GROUP BY */
		if (p->keys[i].kind == GROUP_KEY_COLUMN && !p->keys[i].is_state)
			group_key_encode(&op->tracker_key, &values[p->keys[i].column], 0, &unused);
	uint64_t hash = hash_bytes(op->tracker_key.data, op->tracker_key.len);
	if (op->tracker_n * 2 >= op->tracker_slot_n) {
		size_t n = op->tracker_slot_n ? 2 * op->tracker_slot_n : SLOTS_FIRST;
		struct group_tracker **slots = xcalloc(n, sizeof(struct group_tracker *));
		for (size_t i = 0; i < op->tracker_slot_n; i++) {
			if (!op->trackers[i])
				continue;
			size_t at = op->trackers[i]->hash & (n - 1);
			while (slots[at])
				at = (at + 1) & (n - 1);
			slots[at] = op->trackers[i];
		}
		free(op->trackers);
		op->trackers = slots;
		op->tracker_slot_n = n;
	}
	size_t mask = op->tracker_slot_n - 1, at = hash & mask;
	for (; op->trackers[at]; at = (at + 1) & mask) {
		struct group_tracker *t = op->trackers[at];
		if (t->hash == hash && t->key_len == op->tracker_key.len && memcmp(t->key, op->tracker_key.data, t->key_len) == 0)
			return t;
	}
	struct group_tracker *t = xcalloc(1, sizeof *t);
	t->hash = hash;
	t->key_len = op->tracker_key.len;
	t->key = xmalloc(t->key_len + 1);
	memcpy(t->key, op->tracker_key.data, t->key_len);
	op->bytes += (int64_t)(sizeof *t + t->key_len + 2 * sizeof t);
	op->tracker_n++;
	return op->trackers[at] = t;
}

static void close_tracked(struct group_op *op, struct group_tracker *t, struct window_bounds b, int64_t moment_ms, bool given_out)
{
	struct group_window *w = t->window;
	t->window = NULL;
	if (!w)
		return;
	if (!given_out) {
		window_free(op, w);
		return;
	}
	w->bounds = b;
	w->moment_ms = moment_ms;
	ready_window(op, w);
}

/* When, in event time, is it certain that this window is over? */
static int64_t closing_moment(const struct group_op *op, struct window_bounds b, int64_t row_ms)
{
	const struct window_spec *w = &op->plan->window;
	if (w->kind != WINDOW_SESSION)
		return row_ms;
	int64_t over_ms = b.end_ms > INT64_MAX - w->gap_ms ? INT64_MAX : b.end_ms + w->gap_ms;
	return row_ms < over_ms ? row_ms : over_ms;      /* earlier: it had reached its greatest length */
}

/* A row that waited goes. */
static void unwait(struct group_op *op, struct waiting_row *row)
{
	if (row->data && op->o.pin) {
		struct agg_value *values = xcalloc((size_t)op->plan->input_column_n + 1, sizeof *values);
		waiting_values(row, values, op->plan->input_column_n);
		op->o.pin(op->o.arg, values, false);
		free(values);
	}
	waiting_free(&op->waiting, row);
}

static void hold(struct group_tracker *t, struct waiting_row *row)
{
	if (t->held_n == t->held_cap) {
		t->held_cap = t->held_cap ? 2 * t->held_cap : 4;
		t->held = xreallocarray(t->held, t->held_cap, sizeof *t->held);
	}
	t->held[t->held_n++] = *row;
	row->data = NULL;
}

static bool step_tracked(struct group_op *op, struct group_tracker *t, struct window_bounds b, const struct agg_value *values, const struct agg_at *at, struct err *err)
{
	if (!t->window)
		t->window = window_create(op, b);
	t->window->bounds = b;
	return step_window(op, t->window, values, at, err);
}

/* The rows that were held: into the tracker's window, or nowhere. */
static bool settle_held(struct group_op *op, struct group_tracker *t, struct window_bounds b, bool take, struct err *err)
{
	int n = op->plan->input_column_n;
	struct agg_value *values = xcalloc((size_t)n + 1, sizeof *values);
	bool ok = true;
	for (size_t i = 0; i < t->held_n; i++) {
		waiting_values(&t->held[i], values, n);
		ok = ok && (!take || step_tracked(op, t, b, values, &t->held[i].at, err));
		unwait(op, &t->held[i]);
	}
	t->held_n = 0;
	free(values);
	return ok;
}

/* After a step or an advance of the tracker. row_ms: what closed the window. */
static bool apply_closed(struct group_op *op, struct group_tracker *t, unsigned effect, struct window_bounds closed, int64_t row_ms, struct err *err)
{
	if ((effect & TRACKER_HELD_BEFORE) && !settle_held(op, t, closed, true, err))
		return false;
	if (effect & TRACKER_CLOSED_BEFORE)
		close_tracked(op, t, closed, closing_moment(op, closed, row_ms), !(effect & TRACKER_SHORT));
	return true;
}

/* COUNT with a slide: a window begins at each slide_n-th row of the key, and a row is in all that are open. */
static bool step_slides(struct group_op *op, struct group_tracker *t, const struct agg_value *values, const struct agg_at *at, struct err *err)
{
	const struct window_spec *w = &op->plan->window;
	if (t->row_n++ % w->count_slide_n == 0) {
		if (t->slide_n == t->slide_cap) {
			t->slide_cap = t->slide_cap ? 2 * t->slide_cap : 4;
			t->slides = xreallocarray(t->slides, t->slide_cap, sizeof *t->slides);
		}
		t->slides[t->slide_n++] = (struct group_slide){window_create(op, (struct window_bounds){at->ts_ms, at->ts_ms}), 0};
	}
	for (size_t i = 0; i < t->slide_n; i++) {
		struct group_slide *s = &t->slides[i];
		s->window->bounds.end_ms = at->ts_ms;
		s->row_n++;
		if (!step_window(op, s->window, values, at, err))
			return false;
	}
	if (t->slide_n && t->slides[0].row_n == w->count_n) {
		struct group_window *full = t->slides[0].window;
		memmove(t->slides, t->slides + 1, --t->slide_n * sizeof *t->slides);
		full->moment_ms = at->ts_ms;
		ready_window(op, full);
	}
	return true;
}

static bool release_row(struct group_op *op, const struct agg_value *values, struct waiting_row *waited, struct err *err)
{
	const struct group_plan *p = op->plan;
	const struct agg_at *at = &waited->at;
	struct group_tracker *t = tracker_of(op, values);
	struct window_row row = {.ts_ms = at->ts_ms};
	struct window_bounds closed = {0, 0};
	struct buf state = BUF_INIT;
	if (p->window.kind == WINDOW_COUNT && p->window.count_slide_n)
		return step_slides(op, t, values, at, err);
	if (p->state >= 0 && values[p->state].type != AGG_NULL) {
		agg_value_encode(&values[p->state], &state);
		row.state = state.data;
		row.state_len = state.len;
	}
	row.start = p->start >= 0 && is_true(&values[p->start]);
	row.end = p->end >= 0 && is_true(&values[p->end]);
	unsigned effect = tracker_step(&t->t, &p->window, &row, &closed);
	buf_finish(&state);
	if (effect & TRACKER_HELD) {
		hold(t, waited);
		return true;
	}
	if (!apply_closed(op, t, effect, closed, at->ts_ms, err))
		return false;
	if ((effect & (TRACKER_HELD_AFTER | TRACKER_HELD_DROP)) && !settle_held(op, t, t->t.now, effect & TRACKER_HELD_AFTER, err))
		return false;
	if ((effect & TRACKER_IN) && !step_tracked(op, t, t->t.now, values, at, err))
		return false;
	if (effect & TRACKER_CLOSED_AFTER)
		close_tracked(op, t, t->t.now, closing_moment(op, t->t.now, at->ts_ms), !(effect & TRACKER_SHORT_AFTER));
	return true;
}

static bool release_waiting(struct group_op *op, int64_t watermark_ms, struct err *err)
{
	struct waiting_row row;
	bool ok = true;
	while (ok && waiting_next(&op->waiting, watermark_ms, &row)) {
		waiting_values(&row, op->row, op->plan->input_column_n);
		ok = release_row(op, op->row, &row, err);
		unwait(op, &row);
	}
	waiting_compact(&op->waiting);
	if (watermark_ms > op->released_ms)
		op->released_ms = watermark_ms;
	for (size_t i = 0; ok && i < op->tracker_slot_n; i++) {
		struct group_tracker *t = op->trackers[i];
		struct window_bounds closed = {0, 0};
		if (!t || !t->t.open)
			continue;
		ok = apply_closed(op, t, tracker_advance(&t->t, &op->plan->window, watermark_ms, &closed), closed, watermark_ms, err);
	}
	return ok;
}

/* ---- rows ---- */

static void late(struct group_op *op, const struct agg_at *at, struct window_bounds b, enum late_reason reason)
{
	op->late_n++;
	if (op->o.on_late)
		op->o.on_late(op->o.arg, at, b, reason);
}

static int64_t horizon(const struct group_op *op, const struct watermark_part *part)
{
	if (!op->o.lateness || !part || part->max_ms == TIME_NONE)
		return INT64_MIN;
	return part->max_ms < INT64_MIN + op->o.grace_ms ? INT64_MIN : part->max_ms - op->o.grace_ms;
}

static bool row_in_grid(struct group_op *op, const struct agg_value *values, const struct agg_at *at, int64_t horizon_ms, struct err *err)
{
	size_t n = op->bounds_max;
	if (!window_assign(&op->plan->window, at->ts_ms, op->bounds, &n))
		return err_set(err, ERR_INTERNAL, "more windows than expected at %lld", (long long)at->ts_ms);
	for (size_t i = 0; i < n; i++) {
		struct window_bounds b = op->bounds[i];
		if (b.end_ms <= horizon_ms)
			late(op, at, b, LATE_LATE);
		else if (b.end_ms <= op->closed_ms)
			late(op, at, b, LATE_IDLE);
		else if (!step_window(op, window_of(op, b), values, at, err))
			return false;
	}
	return true;
}

static bool row_in_order(struct group_op *op, const struct agg_value *values, const struct agg_at *at, int64_t horizon_ms, struct err *err)
{
	struct window_bounds b = {at->ts_ms, at->ts_ms};
	if (at->ts_ms < horizon_ms)
		late(op, at, b, LATE_LATE);
	else if (at->ts_ms < op->released_ms)
		late(op, at, b, LATE_IDLE);
	else if (!waiting_add(&op->waiting, at, values, op->plan->input_column_n))
		return err_set(err, ERR_MEMORY, "out of memory: %lld rows wait for their order", (long long)op->waiting.row_n);
	else if (op->o.pin)
		op->o.pin(op->o.arg, values, true);
	return !over_limit(op, err);
}

bool group_op_row(struct group_op *op, const struct agg_value *values, const struct agg_at *given_at, const struct watermark_part *part, struct err *err)
{
	struct agg_at at = {.ts_ms = TIME_NONE};
	if (given_at)
		at = *given_at;
	else if (op->plan->at_n)
		at.ts_ms = values[AT_TIME].type == AGG_INTEGER ? values[AT_TIME].i : TIME_NONE;
	if (!given_at && op->plan->at_n == AT_N) {
		at.partition = (int32_t)values[AT_PARTITION].i;
		at.offset = values[AT_OFFSET].i;
		at.index = (int32_t)values[AT_INDEX].i;
	}
	int64_t horizon_ms = horizon(op, part);
	if (!op->plan->windowed)
		return step_window(op, op->only, values, &at, err);
	if (at.ts_ms == TIME_NONE) {
		late(op, &at, (struct window_bounds){TIME_NONE, TIME_NONE}, LATE_NO_TIME);
		return true;
	}
	if (window_is_stateful(&op->plan->window))
		return row_in_order(op, values, &at, horizon_ms, err);
	return row_in_grid(op, values, &at, horizon_ms, err);
}

bool group_op_advance(struct group_op *op, int64_t watermark_ms, bool by_idle, struct err *err)
{
	size_t had = op->ready.n;
	if (watermark_ms == TIME_NONE)
		return true;
	if (!op->plan->windowed) {
		if (watermark_ms == WATERMARK_END)
			group_op_take_all(op);
		return true;
	}
	if (window_is_stateful(&op->plan->window)) {
		if (!release_waiting(op, watermark_ms, err))
			return false;
	} else if (watermark_ms > op->closed_ms) {
		windows_close(op, watermark_ms);
		op->closed_ms = watermark_ms;
		op->closed_by_idle = by_idle;
	}
	if (op->ready.n != had)
		rows_sort(op, &op->ready);
	return op->o.fill == FILL_NONE || op->o.keep || fill_rows(op, &op->fill, &op->ready, op->o.fill, op->closed_ms, watermark_ms == WATERMARK_END, err);
}

struct group_op_stats group_op_stats(const struct group_op *op)
{
	struct group_op_stats s = {.waiting_row_n = (int64_t)(op->waiting.row_n - op->waiting.taken_n), .bytes = op->bytes + op->memory.bytes + op->waiting.bytes + fill_bytes(op->fill), .late_n = op->late_n};
	if (op->only)
		s.group_n = (int64_t)op->only->store.group_n;
	for (size_t i = 0; i < op->kept_n; i++)
		s.group_n += (int64_t)op->kept[i]->store.group_n;
	for (size_t i = 0; i < op->window_slot_n; i++)
		if (op->windows[i]) {
			s.window_n++;
			s.group_n += (int64_t)op->windows[i]->store.group_n;
		}
	for (size_t i = 0; i < op->tracker_slot_n; i++)
		for (size_t k = 0; op->trackers[i] && k <= op->trackers[i]->slide_n; k++) {
			const struct group_window *w = tracker_window(op->trackers[i], k);
			s.window_n += w != NULL;
			s.group_n += w ? (int64_t)w->store.group_n : 0;
		}
	return s;
}
