/* count, sum, total, avg, min, max, group_concat: the results of SQLite's own, but not dependent on the order of rows. */
#include <math.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/aggregate/agg_impl.h"

/* ---- count ---- */

struct count {
	int64_t n;
};
static bool count_sane(const struct count *c)
{
	return agg_count_sane(c->n);
}
AGG_PLAIN(count)

static bool count_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct count *c = state;
	(void)at, (void)memory, (void)err;
	c->n += n == 0 || args[0].type != AGG_NULL;
	return true;
}

static bool count_merge(void *state, const void *other, struct agg_memory *memory, struct err *err)
{
	(void)memory, (void)err;
	((struct count *)state)->n += ((const struct count *)other)->n;
	return true;
}

static bool count_final(const void *state, struct agg_result *ret, struct err *err)
{
	(void)err;
	ret->type = AGG_INTEGER;
	ret->i = ((const struct count *)state)->n;
	return true;
}

/* ---- sum, total ---- */

__extension__ typedef __int128 wide;      /* not in C11 */

struct sum {
	wide whole;                          /* of the integers */
	struct agg_sum real;                 /* of the others */
	int64_t n;
	int64_t real_n;                      /* of the n */
};
static bool sum_sane(const struct sum *s)
{
	wide most = (wide)INT64_MAX * s->n + s->n;
	return agg_count_sane(s->n) && s->real_n >= 0 && s->real_n <= s->n && s->whole <= most && s->whole >= -most;
}
AGG_PLAIN(sum)

static bool sum_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct sum *s = state;
	struct agg_number v;
	(void)n, (void)at, (void)memory, (void)err;
	if (!agg_number_sqlite(&args[0], &v))
		return true;
	s->n++;
	if (v.is_integer) {
		s->whole += v.i;
	} else {
		s->real_n++;
		agg_sum_add(&s->real, v.d);
	}
	return true;
}

static bool sum_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	struct sum *s = state;
	const struct sum *o = from;
	(void)memory, (void)err;
	s->whole += o->whole;
	agg_sum_merge(&s->real, &o->real);
	s->n += o->n;
	s->real_n += o->real_n;
	return true;
}

/* A 128-bit whole number in two doubles: exact up to 106 bits. */
static struct agg_sum whole_sum(wide v)
{
	struct agg_sum s = {0, 0};
	double hi = (double)v;
	agg_sum_add(&s, hi);
	agg_sum_add(&s, (double)(v - (wide)hi));
	return s;
}

static double sum_total(const struct sum *s)
{
	struct agg_sum t = s->real;
	struct agg_sum whole = whole_sum(s->whole);
	agg_sum_merge(&t, &whole);
	return agg_sum_value(&t);
}

/* What overflowed to both infinities has no value. */
static void real_result(struct agg_result *ret, double d)
{
	ret->type = isnan(d) ? AGG_NULL : AGG_REAL;
	ret->d = d;
}

static bool sum_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct sum *s = state;
	if (!s->n)
		return true;
	if (s->real_n) {
		real_result(ret, sum_total(s));
		return true;
	}
	if (s->whole > INT64_MAX || s->whole < INT64_MIN)
		return err_set(err, ERR_SQL, "integer overflow");
	ret->type = AGG_INTEGER;
	ret->i = (int64_t)s->whole;
	return true;
}

static bool total_final(const void *state, struct agg_result *ret, struct err *err)
{
	(void)err;
	real_result(ret, sum_total(state));
	return true;
}

/* ---- avg ---- */

struct avg {
	struct agg_sum sum;
	int64_t n;
};
static bool avg_sane(const struct avg *a)
{
	return agg_count_sane(a->n);
}
AGG_PLAIN(avg)

static bool avg_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct avg *a = state;
	struct agg_number v;
	(void)n, (void)at, (void)memory, (void)err;
	if (args[0].type == AGG_REAL) {              /* the usual case */
		agg_sum_add(&a->sum, args[0].d);
		a->n++;
		return true;
	}
	if (!agg_number_sqlite(&args[0], &v))
		return true;
	a->n++;
	agg_sum_add(&a->sum, v.d);
	if (v.is_integer && v.i - (int64_t)v.d != 0 && v.d < 9.2e18 && v.d > -9.2e18)
		agg_sum_add(&a->sum, (double)(v.i - (int64_t)v.d));      /* what 53 bits do not hold */
	return true;
}

static bool avg_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	struct avg *a = state;
	const struct avg *o = from;
	(void)memory, (void)err;
	agg_sum_merge(&a->sum, &o->sum);
	a->n += o->n;
	return true;
}

static bool avg_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct avg *a = state;
	(void)err;
	if (a->n)
		real_result(ret, agg_sum_value(&a->sum) / (double)a->n);
	return true;
}

/* ---- min, max ---- */

static bool extreme_step(struct agg_kept *k, const struct agg_value *v, int want, struct agg_memory *memory)
{
	struct agg_value have = agg_kept_value(k);
	if (v->type == AGG_NULL)
		return true;
	int order = have.type == AGG_NULL ? want : agg_value_compare(v, &have);
	/* 1 and 1.0 are equal: the integer is kept, whichever came first. */
	if ((order > 0 && want > 0) || (order < 0 && want < 0) || (order == 0 && v->type == AGG_INTEGER && have.type == AGG_REAL))
		agg_kept_set(k, v, memory);
	return true;
}

static bool min_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	(void)n, (void)at, (void)err;
	return extreme_step(state, &args[0], -1, memory);
}

static bool max_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	(void)n, (void)at, (void)err;
	return extreme_step(state, &args[0], 1, memory);
}

static bool min_merge(void *state, const void *other, struct agg_memory *memory, struct err *err)
{
	struct agg_value v = agg_kept_value(other);
	(void)err;
	return extreme_step(state, &v, -1, memory);
}

static bool max_merge(void *state, const void *other, struct agg_memory *memory, struct err *err)
{
	struct agg_value v = agg_kept_value(other);
	(void)err;
	return extreme_step(state, &v, 1, memory);
}

static bool kept_final(const void *state, struct agg_result *ret, struct err *err)
{
	(void)err;
	agg_kept_result(state, ret);
	return true;
}

static void kept_finish(void *state, struct agg_memory *memory)
{
	agg_kept_free(state, memory);
}

static void kept_save(const void *state, struct buf *to)
{
	struct agg_value v = agg_kept_value(state);
	agg_put_value(to, &v);
}

static bool kept_load(void *state, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct agg_reader r = agg_read_begin(from);
	struct agg_value v = agg_read_value(&r);
	if (!agg_read_end(&r, "min or max", err))
		return false;
	agg_kept_set(state, &v, memory);
	return true;
}

/* ---- group_concat ---- */

struct piece {
	struct agg_at at;
	struct agg_kept text, separator;     /* separator NULL = ',' */
};

struct concat {
	struct piece *list;
	size_t n, cap;
	bool unsorted;
};

static void concat_add(struct concat *c, const struct agg_at *at, const struct agg_value *text, const struct agg_value *separator, struct agg_memory *memory)
{
	c->list = agg_grow(c->list, c->n, &c->cap, sizeof *c->list, memory);
	if (c->n && agg_at_compare(&c->list[c->n - 1].at, at) > 0)
		c->unsorted = true;
	struct piece *p = &c->list[c->n++];
	*p = (struct piece){.at = *at};
	agg_kept_set(&p->text, text, memory);
	if (separator)
		agg_kept_set(&p->separator, separator, memory);
}

static bool concat_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	(void)err;
	if (args[0].type == AGG_NULL)
		return true;
	struct agg_value empty = {.type = AGG_TEXT, .bytes = bytes_of("", 0)};
	concat_add(state, at, &args[0], n < 2 ? NULL : args[1].type == AGG_NULL ? &empty : &args[1], memory);
	return true;
}

static int by_at(const void *a, const void *b)
{
	return agg_at_compare(&((const struct piece *)a)->at, &((const struct piece *)b)->at);
}

static void concat_sort(const struct concat *from)
{
	struct concat *c = (struct concat *)(uintptr_t)from;
	if (c->unsorted)
		qsort(c->list, c->n, sizeof *c->list, by_at);
	c->unsorted = false;
}

static bool concat_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	const struct concat *o = from;
	(void)err;
	for (size_t i = 0; i < o->n; i++) {
		struct agg_value text = agg_kept_value(&o->list[i].text), separator = agg_kept_value(&o->list[i].separator);
		concat_add(state, &o->list[i].at, &text, separator.type == AGG_NULL ? NULL : &separator, memory);
	}
	return true;
}

static bool concat_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct concat *c = state;
	(void)err;
	if (!c->n)
		return true;
	concat_sort(c);
	ret->type = AGG_TEXT;
	for (size_t i = 0; i < c->n; i++) {
		struct agg_value text = agg_kept_value(&c->list[i].text), separator = agg_kept_value(&c->list[i].separator);
		if (i && separator.type == AGG_NULL)
			buf_addc(&ret->text, ',');
		else if (i)
			agg_result_text(&separator, &ret->text);
		agg_result_text(&text, &ret->text);
	}
	return true;
}

static void concat_finish(void *state, struct agg_memory *memory)
{
	struct concat *c = state;
	for (size_t i = 0; i < c->n; i++) {
		agg_kept_free(&c->list[i].text, memory);
		agg_kept_free(&c->list[i].separator, memory);
	}
	memory->bytes -= (int64_t)(c->cap * sizeof *c->list);
	free(c->list);
	*c = (struct concat){.list = NULL};
}

static void concat_save(const void *state, struct buf *to)
{
	const struct concat *c = state;
	uint64_t n = c->n;
	agg_put(to, &n, sizeof n);
	for (size_t i = 0; i < c->n; i++) {
		struct agg_value text = agg_kept_value(&c->list[i].text), separator = agg_kept_value(&c->list[i].separator);
		agg_put_at(to, &c->list[i].at);
		agg_put_value(to, &text);
		agg_put_value(to, &separator);
	}
}

static bool concat_load(void *state, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct agg_reader r = agg_read_begin(from);
	uint64_t n = 0;
	agg_read(&r, &n, sizeof n);
	for (uint64_t i = 0; i < n && !r.bad; i++) {
		struct agg_at at = agg_read_at(&r);
		struct agg_value text = agg_read_value(&r), separator = agg_read_value(&r);
		if (!r.bad)
			concat_add(state, &at, &text, separator.type == AGG_NULL ? NULL : &separator, memory);
	}
	return agg_read_end(&r, "group_concat", err);
}

#define COUNTED .state_size = sizeof(struct count), .step = count_step, .merge = count_merge, .final = count_final, .save = save_count, .load = load_count
#define SUMMED .state_size = sizeof(struct sum), .step = sum_step, .merge = sum_merge, .save = save_sum, .load = load_sum
#define EXTREME .state_size = sizeof(struct agg_kept), .final = kept_final, .save = kept_save, .load = kept_load, .finish = kept_finish

const struct aggregate agg_basic[] = {
	{.name = "avg", .args_min = 1, .args_max = 1, .signature = "avg(x) -> REAL", .help = "the mean of the values that are not NULL", .state_size = sizeof(struct avg), .step = avg_step, .merge = avg_merge,
		.final = avg_final, .save = save_avg, .load = load_avg, .replaces_sqlite = true},
	{.name = "count", .args_min = 0, .args_max = 1, .signature = "count(*), count(x) -> INTEGER", .help = "rows, or values that are not NULL", COUNTED, .replaces_sqlite = true},
	{.name = "group_concat", .args_min = 1, .args_max = 2, .signature = "group_concat(x [, separator]) -> TEXT", .help = "the values joined, in the order of event time", .state_size = sizeof(struct concat),
		.step = concat_step, .merge = concat_merge, .final = concat_final, .save = concat_save, .load = concat_load, .finish = concat_finish, .ordered = true, .replaces_sqlite = true},
	{.name = "max", .args_min = 1, .args_max = 1, .signature = "max(x)", .help = "the greatest value", EXTREME, .step = max_step, .merge = max_merge, .replaces_sqlite = true},
	{.name = "min", .args_min = 1, .args_max = 1, .signature = "min(x)", .help = "the least value", EXTREME, .step = min_step, .merge = min_merge, .replaces_sqlite = true},
	{.name = "sum", .args_min = 1, .args_max = 1, .signature = "sum(x)", .help = "the sum; NULL without values", SUMMED, .final = sum_final, .replaces_sqlite = true},
	{.name = "total", .args_min = 1, .args_max = 1, .signature = "total(x) -> REAL", .help = "the sum; 0.0 without values", SUMMED, .final = total_final, .replaces_sqlite = true},
	{.name = NULL},
};
