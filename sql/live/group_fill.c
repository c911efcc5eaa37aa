/* FILL: windows in which a key has no rows. Each key is filled from its first window to the last window of the query; the windows in which no key has rows
 * are filled, too. What stands in for the aggregates: NULL, a value, the key's last results (PREV), or the line between its neighbours (LINEAR: a gap is given out
 * with the window behind it; behind the key's last window it is NULL).
 *
 * The ready list comes sorted by window; per key the bounds and results of its last window are kept. Only for tumbling and hopping windows. */
#include "sql/live/group_impl.h"

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"

enum { MALLOC_BYTES = 32 };                  /* what two allocations cost beyond what they hold */
#define FILL_MAX_BYTES ((int64_t)4 << 30)

/* What is known of a key. It lives in a store of its own, so that it is found as a group is. */
struct fill_key {
	struct group *group;                 /* carries the key; holds no states */
	struct window_bounds last;           /* the last window given out for it, filled or not */
	struct agg_result *results;          /* of its last real window: call_n */
	struct window_bounds results_of;
};

struct group_fill {
	size_t call_n;
	struct group_store keys;
	struct group_layout layout;          /* no calls: the group is its key, and a pointer */
	struct agg_memory memory;
	int64_t bytes;                       /* of keys */
	struct buf key;                      /* scratch */
	struct fill_key **list;
	size_t key_n, key_cap;
	struct group **rows;                 /* filled ones; freed with the next fill. Each stands behind a window of its own in one piece of memory */
	size_t row_n, row_cap;
	int64_t row_bytes;
	struct window_bounds last;           /* the last window of any key */
	bool any;
};

static void results_free(struct agg_result *r, size_t n)
{
	for (size_t i = 0; r && i < n; i++)
		buf_finish(&r[i].text);
	free(r);
}

/* A filled group is in no table: its hash field leads to its results. */
static void set_results(struct group *g, struct agg_result *r)
{
	g->hash = (uint64_t)(uintptr_t)r;
}

static struct agg_result *results_of(const struct group *g)
{
	return (struct agg_result *)(uintptr_t)g->hash;
}

static void rows_free(struct group_fill *f)
{
	for (size_t i = 0; i < f->row_n; i++) {
		results_free(results_of(f->rows[i]), f->call_n);
		free(f->rows[i]->window);
	}
	f->row_n = 0;
	f->row_bytes = 0;
}

void group_fill_free(struct group_fill *f)
{
	if (!f)
		return;
	rows_free(f);
	for (size_t i = 0; i < f->key_n; i++) {
		results_free(f->list[i]->results, f->call_n);
		free(f->list[i]);
	}
	group_store_finish(&f->keys, &f->layout, &f->memory, &f->bytes);
	buf_finish(&f->key);
	free(f->list);
	free(f->rows);
	free(f);
}

int64_t fill_bytes(const struct group_fill *f)
{
	return f ? f->bytes + f->row_bytes : 0;
}

static struct fill_key **slot_of(struct group *g)
{
	return (struct fill_key **)(void *)((uint8_t *)g + sizeof *g);
}

static struct group_fill *fill_get(const struct group_op *op, struct group_fill **io)
{
	if (!*io) {
		struct group_fill *f = *io = xcalloc(1, sizeof *f);
		f->call_n = op->plan->call_n;
		f->layout.fixed_bytes = sizeof(struct group) + sizeof(struct fill_key *);
		buf_init(&f->key);
	}
	return *io;
}

static struct fill_key *key_of(const struct group_op *op, struct group_fill *f, const struct group *g)
{
	bool fresh = false;
	f->key.len = 0;
	buf_add(&f->key, group_key_bytes(&op->layout, g), g->key_len);
	struct group *own = group_store_get(&f->keys, &f->layout, &f->key, g->real_mask, &fresh, &f->bytes);
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
static struct agg_result *stand_in(const struct group_op *op, enum fill_kind kind, const struct fill_key *k, struct window_bounds b, const struct agg_result *next, struct window_bounds next_of)
{
	size_t n = op->plan->call_n;
	struct agg_result *r = xcalloc(n + 1, sizeof *r);
	for (size_t i = 0; i < n; i++) {
		r[i] = (struct agg_result){.type = AGG_NULL, .text = BUF_INIT};
		if (kind == FILL_PREV && k->results)
			copy_result(&r[i], &k->results[i]);
		if (kind == FILL_VALUE) {
			r[i].type = op->o.fill_value.type;
			r[i].i = op->o.fill_value.i;
			r[i].d = op->o.fill_value.d;
			if (op->o.fill_value.bytes.data)
				buf_add(&r[i].text, op->o.fill_value.bytes.data, op->o.fill_value.bytes.len);
		}
		if (kind == FILL_LINEAR && k->results && next && is_number(&k->results[i]) && is_number(&next[i])) {
			double share = (double)(b.start_ms - k->results_of.start_ms) / (double)(next_of.start_ms - k->results_of.start_ms);
			r[i].type = AGG_REAL;
			r[i].d = number(&k->results[i]) + share * (number(&next[i]) - number(&k->results[i]));
		}
	}
	return r;
}

static void add_filled(const struct group_op *op, struct group_fill *f, struct group_rows *rows, const struct fill_key *k, struct window_bounds b, struct agg_result *results)
{
	struct group_window *w = xcalloc(1, sizeof *w + op->layout.fixed_bytes + k->group->key_len);
	struct group *g = (struct group *)(void *)(w + 1);
	w->bounds = b;
	w->moment_ms = b.end_ms;
	g->key_len = k->group->key_len;
	g->real_mask = k->group->real_mask;
	g->filled = true;
	memcpy(group_key_bytes(&op->layout, g), group_key_bytes(&f->layout, k->group), g->key_len);
	g->window = w;
	set_results(g, results);
	if (f->row_n == f->row_cap) {
		f->row_cap = f->row_cap ? 2 * f->row_cap : 16;
		f->rows = xreallocarray(f->rows, f->row_cap, sizeof(struct group *));
	}
	f->rows[f->row_n++] = g;
	f->row_bytes += (int64_t)(sizeof *w + op->layout.fixed_bytes + k->group->key_len + (f->call_n + 1) * sizeof *results + sizeof(struct group_row) + sizeof(struct group *) + MALLOC_BYTES);
	group_rows_add(rows, g, g->window);
}

bool fill_call(const struct group_op *op, const struct group_row *row, size_t call, struct agg_result *ret)
{
	(void)op;
	copy_result(ret, &results_of(row->group)[call]);
	return true;
}

static bool before(struct window_bounds a, struct window_bounds b)
{
	return a.start_ms < b.start_ms;
}

struct filling {
	const struct group_op *op;
	struct group_fill *f;
	enum fill_kind kind;
	struct group_rows *rows;
};

/* Everything of key k behind its last window and before `to`. One row dated 1970 makes a gap of billions of windows. */
static bool fill_gap(const struct filling *g, struct fill_key *k, struct window_bounds to, const struct agg_result *next, struct err *err)
{
	const struct window_spec *w = &g->op->plan->window;
	int64_t limit = g->op->o.memory_max_bytes > 0 ? g->op->o.memory_max_bytes : FILL_MAX_BYTES;
	for (struct window_bounds b = window_next(w, k->last); before(b, to) && before(k->last, b); b = window_next(w, b)) {
		if (g->f->row_bytes > limit) {
			char from[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
			time_format(k->last.start_ms, from);
			time_format(to.start_ms, until);
			err_set(err, ERR_LIMIT, "FILL: the windows without rows up to %s (the last one: %s) need more than %lld MB", until, from, (long long)(limit >> 20));
			err_hint(err, "leave out rows with wrong times (WHERE _ts > ..), make the windows larger, or SET memory_limit");
			return false;
		}
		add_filled(g->op, g->f, g->rows, k, b, stand_in(g->op, g->kind, k, b, next, to));
		k->last = b;
	}
	return true;
}

static bool remember(const struct group_op *op, const struct group_row *row, struct agg_result **ret, struct err *err)
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

bool fill_rows(const struct group_op *op, struct group_fill **io, struct group_rows *rows, enum fill_kind kind, int64_t over_ms, bool last, struct err *err)
{
	struct group_fill *f = fill_get(op, io);
	struct filling g = {op, f, kind, rows};
	rows_free(f);
	size_t n = rows->n;
	for (size_t i = 0; i < n; i++) {
		struct group_row row = rows->list[i];
		struct window_bounds b = row.window->bounds;
		struct fill_key *k = key_of(op, f, row.group);
		struct agg_result *results = NULL;
		if (!remember(op, &row, &results, err))
			return false;
		if (k->results && !fill_gap(&g, k, b, results, err)) {
			results_free(results, op->plan->call_n);
			return false;
		}
		results_free(k->results, op->plan->call_n);
		k->results = results;
		k->results_of = k->last = b;
		if (!f->any || before(f->last, b))
			f->last = b;
		f->any = true;
	}
	/* The windows that are over for all, except that LINEAR waits for the key's next value. */
	struct window_bounds past = f->last;
	if (f->any && over_ms != INT64_MAX)
		for (struct window_bounds b = window_next(&op->plan->window, past); b.end_ms <= over_ms && before(past, b); b = window_next(&op->plan->window, b))
			past = b;
	f->last = past;
	if (f->any && (kind != FILL_LINEAR || last))
		for (size_t i = 0; i < f->key_n; i++) {
			struct window_bounds end = window_next(&op->plan->window, past);
			if (before(past, end) && !fill_gap(&g, f->list[i], end, NULL, err))
				return false;
		}
	if (rows->n != n)
		rows_sort(op, rows);
	return true;
}

/* FILL (NULL | PREV | LINEAR | value) */
bool group_fill_parse(const char *text, const struct select *sel, const struct group_plan *plan, struct group_op_options *o, struct err *err)
{
	static const struct {
		const char *word;
		enum fill_kind kind;
	} words[] = {{"null", FILL_NULL}, {"prev", FILL_PREV}, {"previous", FILL_PREV}, {"linear", FILL_LINEAR}};
	if (span_empty(sel->fill_whole))
		return true;
	if (!group_plan_can_fill(plan)) {
		err_set(err, ERR_SQL, "FILL puts in windows without rows: it needs tumbling or hopping windows");
		err->sql_offset = (int)sel->fill_whole.from;
		return false;
	}
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
