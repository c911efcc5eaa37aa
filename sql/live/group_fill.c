/* FILL: windows in which a key has no rows. Each key is filled from its first window to the last window of the query; the windows in which no key has rows
 * are filled, too. What stands in for the aggregates: NULL, a value, the key's last results (PREV), or the line between its neighbours (LINEAR: a gap is given out
 * with the window behind it; behind the key's last window it is NULL).
 *
 * The ready list comes sorted by window; per key the bounds and results of its last window are kept. Only for tumbling and hopping windows. */
#include "sql/live/group_impl.h"

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"

/* What is known of a key. It lives in a store of its own, so that it is found as a group is. */
struct fill_key {
	struct group *group;                 /* carries the key; holds no states */
	struct window_bounds last;           /* the last window given out for it, filled or not */
	struct agg_result *results;          /* of its last real window: call_n */
	struct window_bounds results_of;
};

struct group_fill {
	struct group_store keys;
	struct group_layout layout;          /* no calls: the group is its key, and a pointer */
	struct fill_key **list;
	size_t key_n, key_cap;
	struct group_window **windows;       /* made for filled rows; freed with the next fill */
	size_t window_n, window_cap;
	struct filled_row {
		struct group *group;         /* owned: malloc */
		struct agg_result *results;  /* NULL = all NULL; borrowed from `values` */
	} *rows;
	size_t row_n, row_cap;
	struct window_bounds last;           /* the last window of any key */
	bool any;
};

static void results_free(struct agg_result *r, size_t n)
{
	for (size_t i = 0; r && i < n; i++)
		buf_finish(&r[i].text);
	free(r);
}

static void rows_free(struct group_op *op, struct group_fill *f)
{
	for (size_t i = 0; i < f->row_n; i++) {
		results_free(f->rows[i].results, op->plan->call_n);
		free(f->rows[i].group);
	}
	f->row_n = 0;
	for (size_t i = 0; i < f->window_n; i++)
		free(f->windows[i]);
	f->window_n = 0;
}

void fill_finish(struct group_op *op)
{
	struct group_fill *f = op->fill;
	if (!f)
		return;
	rows_free(op, f);
	for (size_t i = 0; i < f->key_n; i++) {
		results_free(f->list[i]->results, op->plan->call_n);
		free(f->list[i]);
	}
	group_store_finish(&f->keys, &f->layout, &op->memory, &op->bytes);
	free(f->list);
	free(f->windows);
	free(f->rows);
	free(f);
	op->fill = NULL;
}

static struct fill_key **slot_of(struct group *g)
{
	return (struct fill_key **)(void *)((uint8_t *)g + sizeof *g);
}

static struct group_fill *fill_get(struct group_op *op)
{
	if (!op->fill) {
		op->fill = xcalloc(1, sizeof *op->fill);
		op->fill->layout.fixed_bytes = sizeof(struct group) + sizeof(struct fill_key *);
	}
	return op->fill;
}

static struct fill_key *key_of(struct group_op *op, struct group_fill *f, const struct group *g)
{
	bool fresh = false;
	op->key.len = 0;
	buf_add(&op->key, group_key_bytes(&op->layout, g), g->key_len);
	struct group *own = group_store_get(&f->keys, &f->layout, &op->key, g->real_mask, &fresh, &op->bytes);
	if (!own)
		alloc_failed(g->key_len);
	if (fresh) {
		struct fill_key *k = xcalloc(1, sizeof *k);
		k->group = own;
		*slot_of(own) = k;
		if (f->key_n == f->key_cap) {
			f->key_cap = f->key_cap ? 2 * f->key_cap : 16;
			f->list = xreallocarray(f->list, f->key_cap, sizeof(struct fill_key *));
		}
		f->list[f->key_n++] = k;
	}
	return *slot_of(own);
}

static struct group_window *filled_window(struct group_fill *f, struct window_bounds b)
{
	for (size_t i = f->window_n; i-- > 0;)
		if (f->windows[i]->bounds.start_ms == b.start_ms && f->windows[i]->bounds.end_ms == b.end_ms)
			return f->windows[i];
	struct group_window *w = xcalloc(1, sizeof *w);
	w->bounds = b;
	w->moment_ms = b.end_ms;
	if (f->window_n == f->window_cap) {
		f->window_cap = f->window_cap ? 2 * f->window_cap : 16;
		f->windows = xreallocarray(f->windows, f->window_cap, sizeof(struct group_window *));
	}
	return f->windows[f->window_n++] = w;
}

static double number(const struct agg_result *r)
{
	return r->type == AGG_INTEGER ? (double)r->i : r->d;
}

static bool is_number(const struct agg_result *r)
{
	return r->type == AGG_INTEGER || r->type == AGG_REAL;
}

static void copy_result(struct agg_result *to, const struct agg_result *from)
{
	*to = *from;
	buf_init(&to->text);
	buf_add(&to->text, from->text.data, from->text.len);
}

/* The stand-in for window b; next (LINEAR) = the results of the key's next real window, NULL = there is none. */
static struct agg_result *stand_in(const struct group_op *op, const struct fill_key *k, struct window_bounds b, const struct agg_result *next, struct window_bounds next_of)
{
	size_t n = op->plan->call_n;
	struct agg_result *r = xcalloc(n + 1, sizeof *r);
	for (size_t i = 0; i < n; i++) {
		r[i] = (struct agg_result){.type = AGG_NULL, .text = BUF_INIT};
		if (op->o.fill == FILL_PREV && k->results)
			copy_result(&r[i], &k->results[i]);
		if (op->o.fill == FILL_VALUE) {
			r[i].type = op->o.fill_value.type;
			r[i].i = op->o.fill_value.i;
			r[i].d = op->o.fill_value.d;
			if (op->o.fill_value.bytes.data)
				buf_add(&r[i].text, op->o.fill_value.bytes.data, op->o.fill_value.bytes.len);
		}
		if (op->o.fill == FILL_LINEAR && k->results && next && is_number(&k->results[i]) && is_number(&next[i])) {
			double share = (double)(b.start_ms - k->results_of.start_ms) / (double)(next_of.start_ms - k->results_of.start_ms);
			r[i].type = AGG_REAL;
			r[i].d = number(&k->results[i]) + share * (number(&next[i]) - number(&k->results[i]));
		}
	}
	return r;
}

static void add_filled(struct group_op *op, struct group_fill *f, const struct fill_key *k, struct window_bounds b, struct agg_result *results)
{
	struct group *g = xcalloc(1, op->layout.fixed_bytes + k->group->key_len);
	g->key_len = k->group->key_len;
	g->real_mask = k->group->real_mask;
	g->filled = true;
	memcpy(group_key_bytes(&op->layout, g), group_key_bytes(&f->layout, k->group), g->key_len);
	g->window = filled_window(f, b);
	/* fill_call finds the results through the hash field: a filled group is in no table. */
	g->hash = f->row_n;
	if (f->row_n == f->row_cap) {
		f->row_cap = f->row_cap ? 2 * f->row_cap : 16;
		f->rows = xreallocarray(f->rows, f->row_cap, sizeof *f->rows);
	}
	f->rows[f->row_n].group = g;
	f->rows[f->row_n++].results = results;
	ready_add(op, g, g->window);
}

bool fill_call(const struct group_op *op, const struct group_row *row, size_t call, struct agg_result *ret)
{
	const struct agg_result *r = op->fill->rows[row->group->hash].results;
	if (r)
		copy_result(ret, &r[call]);
	return true;
}

static bool before(struct window_bounds a, struct window_bounds b)
{
	return a.start_ms < b.start_ms;
}

/* Everything of key k behind its last window and before `to`. */
static void fill_gap(struct group_op *op, struct group_fill *f, struct fill_key *k, struct window_bounds to, const struct agg_result *next)
{
	for (struct window_bounds b = window_next(&op->plan->window, k->last); before(b, to) && before(k->last, b); b = window_next(&op->plan->window, b)) {
		add_filled(op, f, k, b, stand_in(op, k, b, next, to));
		k->last = b;
	}
}

static bool remember(struct group_op *op, struct fill_key *k, const struct group_row *row, struct agg_result **ret, struct err *err)
{
	struct agg_result *r = xcalloc(op->plan->call_n + 1, sizeof *r);
	for (size_t i = 0; i < op->plan->call_n; i++)
		if (!group_row_call(op, row, i, &r[i], err)) {
			results_free(r, i);
			return false;
		}
	*ret = r;
	return true;
}

bool fill_ready(struct group_op *op, bool last, struct err *err)
{
	struct group_fill *f = fill_get(op);
	rows_free(op, f);
	size_t n = op->ready_n;
	for (size_t i = 0; i < n; i++) {
		struct group_row row = op->ready[i];
		struct window_bounds b = row.window->bounds;
		struct fill_key *k = key_of(op, f, row.group);
		struct agg_result *results = NULL;
		if (!remember(op, k, &row, &results, err))
			return false;
		if (k->results)
			fill_gap(op, f, k, b, results);
		results_free(k->results, op->plan->call_n);
		k->results = results;
		k->results_of = k->last = b;
		if (!f->any || before(f->last, b))
			f->last = b;
		f->any = true;
	}
	/* The windows that are over for all, except that LINEAR waits for the key's next value. */
	struct window_bounds past = f->last;
	if (f->any && !last && op->closed_ms != INT64_MAX)
		for (struct window_bounds b = window_next(&op->plan->window, past); b.end_ms <= op->closed_ms && before(past, b); b = window_next(&op->plan->window, b))
			past = b;
	f->last = past;
	if (f->any && (op->o.fill != FILL_LINEAR || last))
		for (size_t i = 0; i < f->key_n; i++) {
			struct window_bounds end = window_next(&op->plan->window, past);
			if (before(past, end))
				fill_gap(op, f, f->list[i], end, NULL);
		}
	if (op->ready_n != n)
		ready_sort(op);
	return true;
}

/* FILL (NULL | PREV | LINEAR | value) */
bool group_fill_parse(const char *text, const struct select *sel, struct group_op_options *o, struct err *err)
{
	static const struct {
		const char *word;
		enum fill_kind kind;
	} words[] = {{"null", FILL_NULL}, {"prev", FILL_PREV}, {"previous", FILL_PREV}, {"linear", FILL_LINEAR}};
	if (span_empty(sel->fill_whole))
		return true;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (span_is_word(text, sel->fill, words[i].word)) {
			o->fill = words[i].kind;
			return true;
		}
	char *value = span_text(text, sel->fill), *end = NULL;
	o->fill = FILL_VALUE;
	o->fill_value = (struct agg_value){.type = AGG_INTEGER, .i = strtoll(value, &end, 10)};
	if (*end)
		o->fill_value = (struct agg_value){.type = AGG_REAL, .d = strtod(value, &end)};
	bool ok = *value && !*end;
	free(value);
	if (!ok) {
		err_set(err, ERR_SQL, "FILL (NULL | PREV | LINEAR | number) expected");
		err->sql_offset = (int)sel->fill_whole.from;
	}
	return ok;
}
