/* What the operator gives out, and in which order. See group.h. */
#include "sql/live/group_impl.h"

#include <stdlib.h>
#include "core/alloc.h"

void group_rows_add(struct group_rows *r, struct group *g, struct group_window *w)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 16;
		r->list = xreallocarray(r->list, r->cap, sizeof *r->list);
	}
	r->list[r->n++] = (struct group_row){g, w};
}

static int64_t compare_keys(const struct group_op *op, const struct group *a, const struct group *b)
{
	const uint8_t *ka = group_key_bytes(&op->layout, a), *kb = group_key_bytes(&op->layout, b);
	size_t n = 0;
	for (size_t i = 0; i < op->plan->key_n; i++)
		n += op->plan->keys[i].kind == GROUP_KEY_COLUMN;
	for (size_t i = 0; i < n; i++) {
		struct agg_value va, vb;
		group_key_decode(ka, i, a->real_mask, &va);
		group_key_decode(kb, i, b->real_mask, &vb);
		int order = agg_value_compare(&va, &vb);
		if (order)
			return order;
	}
	return 0;
}

static int by_order(const void *pa, const void *pb, void *arg)
{
	const struct group_row *a = pa, *b = pb;
	const struct group_window *wa = a->window, *wb = b->window;
	if (wa != wb) {
		if (wa->moment_ms != wb->moment_ms)
			return wa->moment_ms < wb->moment_ms ? -1 : 1;
		if (wa->bounds.end_ms != wb->bounds.end_ms)
			return wa->bounds.end_ms < wb->bounds.end_ms ? -1 : 1;
		if (wa->bounds.start_ms != wb->bounds.start_ms)
			return wa->bounds.start_ms < wb->bounds.start_ms ? -1 : 1;
	}
	int64_t order = compare_keys(arg, a->group, b->group);
	return order < 0 ? -1 : order > 0;
}

void rows_sort(const struct group_op *op, struct group_rows *r)
{
	if (r->n)
		qsort_r(r->list, r->n, sizeof *r->list, by_order, (void *)(uintptr_t)op);
}

static void add_groups(struct group_op *op, struct group_window *w)
{
	for (size_t i = 0; i < w->store.slot_n; i++)
		if (w->store.slots[i])
			group_rows_add(&op->ready, w->store.slots[i], w);
}

/* Groups of a window that goes must not stay in the list of changes. */
static void forget_changes(struct group_op *op, const struct group_window *w)
{
	size_t kept = 0;
	for (size_t i = 0; i < op->changed_n; i++)
		if (op->changed[i]->window != w)
			op->changed[kept++] = op->changed[i];
	op->changed_n = kept;
}

void ready_window(struct group_op *op, struct group_window *w)
{
	w->closed = true;
	if (op->changed_n)
		forget_changes(op, w);
	if (op->o.keep) {
		if (op->kept_n == op->kept_cap) {
			op->kept_cap = op->kept_cap ? 2 * op->kept_cap : 16;
			op->kept = xreallocarray(op->kept, op->kept_cap, sizeof(struct group_window *));
		}
		op->kept[op->kept_n++] = w;
		return;
	}
	/* With EMIT CHANGES a window's last state was given out when it changed. */
	if (!op->o.changes)
		add_groups(op, w);
	w->next_ready = op->ready_windows;
	op->ready_windows = w;
}

void group_op_clear(struct group_op *op)
{
	op->ready.n = 0;
	while (op->ready_windows) {
		struct group_window *w = op->ready_windows;
		op->ready_windows = w->next_ready;
		window_free(op, w);
	}
}

void group_op_take_changed(struct group_op *op)
{
	for (size_t i = 0; i < op->changed_n; i++) {
		op->changed[i]->changed = false;
		group_rows_add(&op->ready, op->changed[i], op->changed[i]->window);
	}
	op->changed_n = 0;
	rows_sort(op, &op->ready);
}

bool group_op_has_changed(const struct group_op *op)
{
	return op->changed_n > 0;
}

void group_op_take_all(struct group_op *op)
{
	if (op->only)
		add_groups(op, op->only);
	for (size_t i = 0; i < op->window_slot_n; i++)
		if (op->windows[i])
			add_groups(op, op->windows[i]);
	for (size_t i = 0; i < op->tracker_slot_n; i++)
		for (size_t k = 0; op->trackers[i] && k <= op->trackers[i]->slide_n; k++)
			if (tracker_window(op->trackers[i], k))
				add_groups(op, tracker_window(op->trackers[i], k));
	rows_sort(op, &op->ready);
}

struct visiting {
	const struct group_op *op;
	const struct buf *key;               /* NULL = all */
	const int64_t *window_start_ms;
	void (*visit)(void *arg, const struct group_row *row);
	void *arg;
};

static void visit_window(const struct visiting *v, struct group_window *w)
{
	if (!w || (v->window_start_ms && w->bounds.start_ms != *v->window_start_ms))
		return;
	if (v->key) {
		struct group *g = group_store_find(&w->store, &v->op->layout, v->key);
		if (g)
			v->visit(v->arg, &(struct group_row){g, w});
		return;
	}
	for (size_t i = 0; i < w->store.slot_n; i++)
		if (w->store.slots[i])
			v->visit(v->arg, &(struct group_row){w->store.slots[i], w});
}

void group_op_visit(const struct group_op *op, bool open, const struct agg_value *key, const int64_t *window_start_ms, void (*visit)(void *arg, const struct group_row *row), void *arg)
{
	struct buf encoded = BUF_INIT;
	struct visiting v = {op, key ? &encoded : NULL, window_start_ms, visit, arg};
	uint32_t unused = 0;
	int n = 0;
	for (size_t i = 0; key && i < op->plan->key_n; i++)
		if (op->plan->keys[i].kind == GROUP_KEY_COLUMN) {
			group_key_encode(&encoded, &key[n], n, &unused);
			n++;
		}
	for (size_t i = 0; i < op->kept_n; i++)
		visit_window(&v, op->kept[i]);
	if (open) {
		visit_window(&v, op->only);
		for (size_t i = 0; i < op->window_slot_n; i++)
			visit_window(&v, op->windows[i]);
		for (size_t i = 0; i < op->tracker_slot_n; i++)
			for (size_t k = 0; op->trackers[i] && k <= op->trackers[i]->slide_n; k++)
				visit_window(&v, tracker_window(op->trackers[i], k));
	}
	buf_finish(&encoded);
}

bool group_op_fill(const struct group_op *op, enum fill_kind kind, bool open, bool absent, struct group_rows *io, struct group_fill **ret, struct err *err)
{
	/* Where windows are shown before they close, those are over that event time has passed. */
	int64_t over_ms = !open || op->closed_ms < INT64_MIN / 2 || op->closed_ms > INT64_MAX / 2 ? op->closed_ms : op->closed_ms + op->o.grace_ms;
	rows_sort(op, io);
	if (!fill_rows(op, ret, io, kind, over_ms, true, err))
		return false;
	size_t n = 0;
	for (size_t i = 0; absent && i < io->n; i++)
		if (io->list[i].group->filled && io->list[i].window->bounds.end_ms <= over_ms)
			io->list[n++] = io->list[i];
	if (absent)
		io->n = n;
	return true;
}

size_t group_op_ready_n(const struct group_op *op)
{
	return op->ready.n;
}

const struct group_row *group_op_ready(const struct group_op *op, size_t i)
{
	return &op->ready.list[i];
}

struct window_bounds group_row_window(const struct group_row *row)
{
	return row->window->bounds;
}

void group_row_key(const struct group_op *op, const struct group_row *row, size_t key, struct agg_value *ret)
{
	const struct group_key *k = &op->plan->keys[key];
	if (k->kind != GROUP_KEY_COLUMN) {
		*ret = (struct agg_value){.type = AGG_INTEGER, .i = k->kind == GROUP_KEY_WINDOW_START ? row->window->bounds.start_ms : row->window->bounds.end_ms};
		return;
	}
	size_t i = 0;
	for (size_t n = 0; n < key; n++)
		i += op->plan->keys[n].kind == GROUP_KEY_COLUMN;
	group_key_decode(group_key_bytes(&op->layout, row->group), i, row->group->real_mask, ret);
}

bool group_row_call(const struct group_op *op, const struct group_row *row, size_t call, struct agg_result *ret, struct err *err)
{
	*ret = (struct agg_result){.type = AGG_NULL, .text = BUF_INIT};
	if (row->group->filled)
		return fill_call(op, row, call, ret);
	return op->layout.defs[call]->final(group_state(&op->layout, row->group, call), ret, err);
}
