/* The incremental operator gives the same bytes whatever the interleaving of partitions and the size of chunks: 10,000 random cases over every kind of window
 * and every aggregate. What is compared: one pass with random chunks against another with other chunks and another interleaving, and against all rows at
 * once with one advance at the end. WEIR_PROPERTY_CASES sets the number, WEIR_PROPERTY_SEED the first seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "sql/live/group.h"

enum { PARTITIONS_MAX = 4, ROWS_MAX = 60 };

/* Columns of the input; arguments of one call lie side by side. */
enum {
	C_KEY = AT_N, C_STATE, C_START, C_END, C_V, C_P, C_V2, C_K, C_TS, C_V3, C_UNIT, C_TS2, C_STATE2, C_WHICH, C_V4, C_TS3, C_FLAG, C_N
};

struct row {
	struct agg_value v[C_N];
};

struct random_state {
	uint64_t x;
};

static uint32_t next(struct random_state *r)
{
	r->x = r->x * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(r->x >> 33);
}

static int below(struct random_state *r, int n)
{
	return (int)(next(r) % (uint32_t)n);
}

static struct agg_value integer(int64_t i)
{
	return (struct agg_value){.type = AGG_INTEGER, .i = i};
}

static struct agg_value value(struct random_state *r)
{
	static const char *const texts[] = {"x", "12", "3.5", ""};
	switch (below(r, 12)) {
	case 0:
		return (struct agg_value){.type = AGG_NULL};
	case 1: {
		const char *t = texts[below(r, 4)];
		return (struct agg_value){.type = AGG_TEXT, .bytes = bytes_str(t)};
	}
	case 2:
		return (struct agg_value){.type = AGG_REAL, .d = (below(r, 2000) - 1000) * 1e12};
	case 3: case 4: case 5:
		return integer(below(r, 200) - 100);
	default:
		return (struct agg_value){.type = AGG_REAL, .d = (below(r, 20000) - 10000) / 1000.0};
	}
}

struct data {
	struct row rows[PARTITIONS_MAX][ROWS_MAX];
	int n[PARTITIONS_MAX], partition_n;
};

static void make_data(struct random_state *r, struct data *d)
{
	d->partition_n = 1 + below(r, PARTITIONS_MAX);
	int spread = 1 + below(r, 4000), disorder = below(r, 3) ? below(r, 3000) : 0;
	for (int p = 0; p < d->partition_n; p++) {
		int64_t ts = 100000;
		d->n[p] = below(r, ROWS_MAX);
		for (int i = 0; i < d->n[p]; i++) {
			struct agg_value *v = d->rows[p][i].v;
			ts += below(r, spread);
			int64_t at = ts - (disorder && below(r, 3) == 0 ? below(r, disorder) : 0);
			v[AT_TIME] = below(r, 50) ? integer(at) : (struct agg_value){.type = AGG_NULL};
			v[AT_PARTITION] = integer(p);
			v[AT_OFFSET] = integer(i);
			v[AT_INDEX] = integer(0);
			v[C_KEY] = below(r, 10) ? integer(below(r, 3)) : (struct agg_value){.type = AGG_NULL};
			v[C_STATE] = v[C_STATE2] = below(r, 8) ? integer(below(r, 3)) : (struct agg_value){.type = AGG_NULL};
			v[C_START] = integer(below(r, 4) == 0);
			v[C_END] = integer(below(r, 4) == 0);
			v[C_V] = v[C_V2] = v[C_V3] = v[C_V4] = value(r);
			v[C_P] = (struct agg_value){.type = AGG_REAL, .d = 0.7};
			v[C_K] = integer(2);
			v[C_TS] = v[C_TS2] = v[C_TS3] = integer(at);
			v[C_UNIT] = integer(1000);
			v[C_WHICH] = integer(1);
			v[C_FLAG] = integer(below(r, 2));
		}
	}
}

static void add_call(struct group_plan *p, const char *name, int column, int n, bool distinct, int filter)
{
	const struct aggregate *def = aggregate_find(name, strlen(name), n);
	assert_non_null(def);
	p->calls = xreallocarray(p->calls, p->call_n + 1, sizeof *p->calls);
	p->calls[p->call_n++] = (struct group_call){.def = def, .distinct = distinct, .column = column, .column_n = n, .filter = filter};
}

/* Every aggregate, by the shape of its arguments. A new one that fits none of them fails here. */
static void add_calls(struct group_plan *p)
{
	static const struct {
		const char *name;
		int column, n;
	} shapes[] = {
		{"percentile_cont", C_V, 2}, {"approx_percentile", C_V, 2}, {"topk", C_V2, 2}, {"corr", C_TS, 2}, {"r2", C_TS, 2}, {"slope", C_TS, 2}, {"intercept", C_TS, 2}, {"twa", C_TS, 2},
		{"counter_delta", C_TS, 2}, {"counter_resets", C_TS, 2}, {"transitions", C_TS, 2}, {"integral", C_TS, 3}, {"state_time", C_TS2, 3}, {"arg_min", C_V4, 2}, {"arg_max", C_V4, 2},
	};
	add_call(p, "count", -1, 0, false, -1);
	add_call(p, "count", C_V, 1, true, -1);
	add_call(p, "sum", C_V, 1, false, C_FLAG);
	add_call(p, "first", C_V4, 2, false, -1);
	for (size_t i = 0; aggregate_at(i); i++) {
		const struct aggregate *a = aggregate_at(i);
		int column = C_V, n = 1;
		for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
			if (strcmp(shapes[k].name, a->name) == 0) {
				column = shapes[k].column;
				n = shapes[k].n;
			}
		/* integer overflow is an error by design; the values here stay far from it */
		add_call(p, a->name, column, n, false, -1);
	}
}

static void make_plan(struct random_state *r, struct group_plan *p)
{
	static const int64_t sizes[] = {1, 500, 1000, 7000};
	*p = (struct group_plan){.windowed = true, .at_n = AT_N, .grouped = true, .tracker_key = C_KEY, .tracker_key_n = below(r, 2), .state = C_STATE, .start = C_START, .end = C_END, .input_column_n = C_N,
		.input = BUF_INIT, .output = BUF_INIT};
	struct window_spec *w = &p->window;
	w->grace_ms = -1;
	w->kind = (enum window_kind)(WINDOW_TUMBLE + below(r, WINDOW_COUNT - WINDOW_TUMBLE + 1));
	w->size_ms = sizes[1 + below(r, 3)];
	w->slide_ms = w->kind == WINDOW_HOP || w->kind == WINDOW_CUMULATE ? w->size_ms / (1 + below(r, 4)) : 0;
	w->gap_ms = sizes[below(r, 4)];
	w->max_ms = below(r, 2) ? 5000 : 0;
	w->true_for_ms = below(r, 3) == 0 ? 300 : 0;
	w->count_n = 1 + below(r, 4);
	w->count_slide_n = w->kind == WINDOW_COUNT ? below(r, 7) : 0;
	w->extend = below(r, 3);
	p->keys = xcalloc(3, sizeof *p->keys);
	p->keys[0] = (struct group_key){.kind = GROUP_KEY_WINDOW_START, .column = -1};
	p->keys[1] = (struct group_key){.kind = GROUP_KEY_WINDOW_END, .column = -1};
	p->keys[2] = (struct group_key){.kind = GROUP_KEY_COLUMN, .column = C_KEY};
	p->key_n = 3;
	add_calls(p);
}

static void take_ready(struct group_op *op, const struct group_plan *p, struct buf *to)
{
	for (size_t i = 0; i < group_op_ready_n(op); i++) {
		const struct group_row *row = group_op_ready(op, i);
		for (size_t k = 0; k < p->key_n; k++) {
			struct agg_value v;
			group_row_key(op, row, k, &v);
			buf_addf(to, "%d:%lld:%.12g:", (int)v.type, (long long)v.i, v.type == AGG_REAL ? v.d : 0.0);
			buf_add(to, v.bytes.data, v.bytes.len);
		}
		for (size_t c = 0; c < p->call_n; c++) {
			struct agg_result res;
			struct err err = ERR_INIT;
			if (!group_row_call(op, row, c, &res, &err))
				fail_msg("%s: %s", p->calls[c].def->name, err.msg);
			buf_addf(to, " %s=%d:%lld:%.12g:", p->calls[c].def->name, (int)res.type, (long long)res.i, res.type == AGG_REAL ? res.d : 0.0);
			buf_add(to, res.text.data, res.text.len);
			buf_finish(&res.text);
		}
		buf_addc(to, '\n');
	}
	group_op_clear(op);
}

static int64_t late_seen;

static void on_late(void *arg, const struct agg_at *at, struct window_bounds b, enum late_reason reason)
{
	(void)arg, (void)at, (void)b;
	assert_true(reason != LATE_IDLE);
	late_seen++;
}

/* Runs all rows; chunk_max 0 = no advance before the end. */
static int64_t run(struct random_state *r, const struct data *d, const struct group_plan *p, const struct group_op_options *o, int chunk_max, struct buf *to)
{
	struct group_op *op = group_op_create(p, o);
	struct watermark w;
	int at[PARTITIONS_MAX] = {0}, left = 0, until = chunk_max ? 1 + below(r, chunk_max) : INT32_MAX;
	struct err err = ERR_INIT;
	late_seen = 0;
	watermark_init(&w, o->grace_ms, INT64_MAX, INT64_MAX);
	for (int i = 0; i < d->partition_n; i++) {
		left += d->n[i];
		watermark_part(&w, 0, i, 0)->done = d->n[i] == 0;
	}
	for (; left; left--) {
		int i = below(r, d->partition_n);
		while (at[i] == d->n[i])
			i = (i + 1) % d->partition_n;
		const struct agg_value *v = d->rows[i][at[i]++].v;
		struct watermark_part *part = watermark_part(&w, 0, i, 0);
		if (!group_op_row(op, v, NULL, part, &err))
			fail_msg("row: %s", err.msg);
		if (v[AT_TIME].type == AGG_INTEGER)
			watermark_see(&w, part, v[AT_TIME].i);
		part->done = at[i] == d->n[i];
		if (--until == 0) {
			int64_t ms = watermark_advance(&w, 0);
			if (ms != WATERMARK_END && !group_op_advance(op, ms, false, &err))
				fail_msg("advance: %s", err.msg);
			take_ready(op, p, to);
			until = 1 + below(r, chunk_max);
		}
	}
	if (!group_op_advance(op, WATERMARK_END, false, &err))
		fail_msg("end: %s", err.msg);
	take_ready(op, p, to);
	struct group_op_stats s = group_op_stats(op);
	assert_int_equal(s.waiting_row_n, 0);
	watermark_finish(&w);
	group_op_destroy(op);
	return late_seen;
}

/* The first lines that differ. */
static void fail_differ(long i, int window, const char *what, const struct buf *a, const struct buf *b)
{
	const char *x = a->data, *y = b->data;
	int line = 1;
	while (*x && *y) {
		size_t n = strcspn(x, "\n"), m = strcspn(y, "\n");
		if (n != m || memcmp(x, y, n) != 0)
			break;
		x += n + (x[n] == '\n');
		y += m + (y[m] == '\n');
		line++;
	}
	fail_msg("case %ld (window %d): %s differ at line %d of %zu and %zu bytes\n%.500s\n%.500s", i, window, what, line, a->len, b->len, x, y);
}

static void test_same_bytes(void **state)
{
	static const int64_t graces[] = {0, 0, 700, 1000000};
	const char *cases = getenv("WEIR_PROPERTY_CASES"), *seed = getenv("WEIR_PROPERTY_SEED");
	long n = cases ? atol(cases) : 10000, first = seed ? atol(seed) : 1;
	int64_t rows = 0, late = 0;
	struct data *d = xcalloc(1, sizeof *d);
	(void)state;
	for (long i = first; i < first + n; i++) {
		struct random_state r = {(uint64_t)i * 0x9e3779b97f4a7c15u};
		struct group_plan p;
		struct buf a = BUF_INIT, b = BUF_INIT, c = BUF_INIT;
		make_data(&r, d);
		make_plan(&r, &p);
		struct group_op_options o = {.lateness = true, .grace_ms = graces[below(&r, 4)], .on_late = on_late};
		if (p.window.kind == WINDOW_TUMBLE && below(&r, 2))
			o.fill = (enum fill_kind)(FILL_NULL + below(&r, 2));
		int64_t late_a = run(&r, d, &p, &o, 1 + below(&r, 20), &a), late_b = run(&r, d, &p, &o, 1 + below(&r, 5), &b), late_c = run(&r, d, &p, &o, 0, &c);
		if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
			fail_differ(i, (int)p.window.kind, "chunks", &a, &b);
		if (a.len != c.len || memcmp(a.data, c.data, a.len) != 0)
			fail_differ(i, (int)p.window.kind, "live and bounded", &a, &c);
		if (late_a != late_b || late_a != late_c)
			fail_msg("case %ld: %lld, %lld, %lld late rows", i, (long long)late_a, (long long)late_b, (long long)late_c);
		late += late_a;
		rows += (int64_t)a.len;
		group_plan_finish(&p);
		buf_finish(&a);
		buf_finish(&b);
		buf_finish(&c);
	}
	free(d);
	/* The cases are of the kind they are meant to be. */
	assert_true(rows > n * 100);
	assert_true(n < 100 || late > n / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bytes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
