/* Quantiles: percentile_cont and median over all values, approx_percentile over a sketch.
 *
 * The sketch is a DDSketch (Masson, Rim, Lee 2019): values are counted in buckets whose borders grow by gamma = (1 + a) / (1 - a), so that any quantile is within
 * a = 1 % of the true value. It only counts, so neither order nor merging changes it. */
#include <math.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/aggregate/agg_impl.h"

static bool share(const struct agg_value *v, const char *name, double *ret, struct err *err)
{
	struct agg_number p;
	if (!agg_number_strict(v, &p) || p.d < 0 || p.d > 1)
		return err_set(err, ERR_SQL, "%s(x, p): p is a share from 0 to 1", name);
	*ret = p.d;
	return true;
}

/* ---- all values ---- */

struct values {
	double *list;
	size_t n, cap;
	double p;
	bool unsorted;
};

static void values_add(struct values *s, double d, struct agg_memory *memory)
{
	s->list = agg_grow(s->list, s->n, &s->cap, sizeof *s->list, memory);
	if (s->n && s->list[s->n - 1] > d)
		s->unsorted = true;
	s->list[s->n++] = d;
}

static bool percentile_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct values *s = state;
	struct agg_number v;
	(void)at;
	if (n < 2)
		s->p = 0.5;
	else if (!share(&args[1], "percentile_cont", &s->p, err))
		return false;
	if (agg_number_strict(&args[0], &v))
		values_add(s, v.d, memory);
	return true;
}

static int by_value(const void *pa, const void *pb)
{
	double a = *(const double *)pa, b = *(const double *)pb;
	return a < b ? -1 : a > b;
}

static bool percentile_final(const void *state, struct agg_result *ret, struct err *err)
{
	struct values *s = (struct values *)(uintptr_t)state;
	(void)err;
	if (!s->n)
		return true;
	if (s->unsorted)
		qsort(s->list, s->n, sizeof *s->list, by_value);
	s->unsorted = false;
	double place = s->p * (double)(s->n - 1);
	size_t i = (size_t)place;
	double lo = s->list[i], hi = i + 1 < s->n ? s->list[i + 1] : lo;
	ret->type = AGG_REAL;
	ret->d = lo + (place - (double)i) * (hi - lo);
	return true;
}

static bool percentile_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	const struct values *o = from;
	(void)err;
	((struct values *)state)->p = o->n ? o->p : ((struct values *)state)->p;
	for (size_t i = 0; i < o->n; i++)
		values_add(state, o->list[i], memory);
	return true;
}

static void percentile_finish(void *state, struct agg_memory *memory)
{
	struct values *s = state;
	memory->bytes -= (int64_t)(s->cap * sizeof *s->list);
	free(s->list);
	*s = (struct values){.list = NULL};
}

static void percentile_save(const void *state, struct buf *to)
{
	const struct values *s = state;
	uint64_t n = s->n;
	agg_put(to, &s->p, sizeof s->p);
	agg_put(to, &n, sizeof n);
	agg_put(to, s->list, s->n * sizeof *s->list);
}

static bool percentile_load(void *state, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct agg_reader r = agg_read_begin(from);
	struct values *s = state;
	uint64_t n = 0;
	agg_read(&r, &s->p, sizeof s->p);
	r.bad = r.bad || !(s->p >= 0 && s->p <= 1);
	agg_read(&r, &n, sizeof n);
	for (uint64_t i = 0; i < n && !r.bad; i++) {
		double d;
		agg_read(&r, &d, sizeof d);
		r.bad = r.bad || isnan(d);
		if (!r.bad)
			values_add(s, d, memory);
	}
	return agg_read_end(&r, "percentile_cont", err);
}

/* ---- the sketch ---- */

#define SKETCH_ACCURACY 0.01

struct bucket {
	int32_t index;                       /* of |x|: gamma^(index-1) < |x| <= gamma^index; the sign is in the list it stands in */
	int64_t n;
};
struct buckets {
	struct bucket *list;                 /* rising index */
	size_t n, cap;
};
struct sketch {
	struct buckets negative, positive;
	int64_t zero_n, n;
	double min, max, p;
};

static double log_gamma(void)
{
	return log((1 + SKETCH_ACCURACY) / (1 - SKETCH_ACCURACY));
}

static void bucket_add(struct buckets *b, int32_t index, int64_t n, struct agg_memory *memory)
{
	size_t lo = 0, hi = b->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (b->list[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < b->n && b->list[lo].index == index) {
		b->list[lo].n += n;
		return;
	}
	b->list = agg_grow(b->list, b->n, &b->cap, sizeof *b->list, memory);
	memmove(b->list + lo + 1, b->list + lo, (b->n - lo) * sizeof *b->list);
	b->list[lo] = (struct bucket){index, n};
	b->n++;
}

static void sketch_add(struct sketch *s, double d, struct agg_memory *memory)
{
	if (!s->n || d < s->min)
		s->min = d;
	if (!s->n || d > s->max)
		s->max = d;
	s->n++;
	if (d == 0)
		s->zero_n++;
	else
		bucket_add(d > 0 ? &s->positive : &s->negative, (int32_t)ceil(log(fabs(d)) / log_gamma()), 1, memory);
}

static bool sketch_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct sketch *s = state;
	struct agg_number v;
	(void)n, (void)at;
	if (!share(&args[1], "approx_percentile", &s->p, err))
		return false;
	if (agg_number_strict(&args[0], &v) && isfinite(v.d))
		sketch_add(s, v.d, memory);
	return true;
}

static double middle(int32_t index)
{
	double gamma = (1 + SKETCH_ACCURACY) / (1 - SKETCH_ACCURACY);
	return 2 * exp(index * log_gamma()) / (gamma + 1);
}

static double sketch_value(const struct sketch *s)
{
	int64_t rank = (int64_t)(s->p * (double)(s->n - 1)), seen = 0;
	for (size_t i = s->negative.n; i-- > 0;) {
		seen += s->negative.list[i].n;
		if (seen > rank)
			return -middle(s->negative.list[i].index);
	}
	seen += s->zero_n;
	if (seen > rank)
		return 0;
	for (size_t i = 0; i < s->positive.n; i++) {
		seen += s->positive.list[i].n;
		if (seen > rank)
			return middle(s->positive.list[i].index);
	}
	return s->max;
}

static bool sketch_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct sketch *s = state;
	(void)err;
	if (!s->n)
		return true;
	double d = s->p <= 0 ? s->min : s->p >= 1 ? s->max : sketch_value(s);
	ret->type = AGG_REAL;
	ret->d = d < s->min ? s->min : d > s->max ? s->max : d;
	return true;
}

static bool sketch_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	struct sketch *s = state;
	const struct sketch *o = from;
	(void)err;
	if (!o->n)
		return true;
	for (size_t i = 0; i < o->positive.n; i++)
		bucket_add(&s->positive, o->positive.list[i].index, o->positive.list[i].n, memory);
	for (size_t i = 0; i < o->negative.n; i++)
		bucket_add(&s->negative, o->negative.list[i].index, o->negative.list[i].n, memory);
	s->min = s->n && s->min < o->min ? s->min : o->min;
	s->max = s->n && s->max > o->max ? s->max : o->max;
	s->zero_n += o->zero_n;
	s->n += o->n;
	s->p = o->p;
	return true;
}

static void sketch_finish(void *state, struct agg_memory *memory)
{
	struct sketch *s = state;
	memory->bytes -= (int64_t)((s->positive.cap + s->negative.cap) * sizeof(struct bucket));
	free(s->positive.list);
	free(s->negative.list);
	*s = (struct sketch){.n = 0};
}

static void buckets_save(const struct buckets *b, struct buf *to)
{
	uint64_t n = b->n;
	agg_put(to, &n, sizeof n);
	for (size_t i = 0; i < b->n; i++) {
		agg_put(to, &b->list[i].index, sizeof b->list[i].index);
		agg_put(to, &b->list[i].n, sizeof b->list[i].n);
	}
}

static int64_t buckets_load(struct buckets *b, struct agg_reader *r, struct agg_memory *memory)
{
	uint64_t n = 0;
	int64_t all = 0;
	agg_read(r, &n, sizeof n);
	for (uint64_t i = 0; i < n && !r->bad; i++) {
		struct bucket one;
		agg_read(r, &one.index, sizeof one.index);
		agg_read(r, &one.n, sizeof one.n);
		r->bad = r->bad || one.n <= 0 || one.n > INT64_MAX / 4 || all > INT64_MAX / 4;
		if (!r->bad) {
			bucket_add(b, one.index, one.n, memory);
			all += one.n;
		}
	}
	return all;
}

static void sketch_save(const void *state, struct buf *to)
{
	const struct sketch *s = state;
	agg_put(to, &s->zero_n, sizeof s->zero_n);
	agg_put(to, &s->min, sizeof s->min);
	agg_put(to, &s->max, sizeof s->max);
	agg_put(to, &s->p, sizeof s->p);
	buckets_save(&s->positive, to);
	buckets_save(&s->negative, to);
}

static bool sketch_load(void *state, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct agg_reader r = agg_read_begin(from);
	struct sketch *s = state;
	agg_read(&r, &s->zero_n, sizeof s->zero_n);
	agg_read(&r, &s->min, sizeof s->min);
	agg_read(&r, &s->max, sizeof s->max);
	agg_read(&r, &s->p, sizeof s->p);
	r.bad = r.bad || s->zero_n < 0 || s->zero_n > INT64_MAX / 4 || isnan(s->min) || isnan(s->max) || !(s->p >= 0 && s->p <= 1);
	int64_t n = r.bad ? 0 : s->zero_n;
	if (!r.bad)
		n += buckets_load(&s->positive, &r, memory);
	if (!r.bad)
		n += buckets_load(&s->negative, &r, memory);
	s->n = n;
	return agg_read_end(&r, "approx_percentile", err);
}

#define VALUES .state_size = sizeof(struct values), .step = percentile_step, .merge = percentile_merge, .final = percentile_final, .save = percentile_save, .load = percentile_load, \
	.finish = percentile_finish

const struct aggregate agg_quantiles[] = {
	{.name = "approx_percentile", .args_min = 2, .args_max = 2, .signature = "approx_percentile(x, p) -> REAL", .help = "quantile p (0..1), within 1 % of the true value, in little memory",
		.state_size = sizeof(struct sketch), .step = sketch_step, .merge = sketch_merge, .final = sketch_final, .save = sketch_save, .load = sketch_load, .finish = sketch_finish},
	{.name = "median", .args_min = 1, .args_max = 1, .signature = "median(x) -> REAL", .help = "percentile_cont(x, 0.5)", VALUES},
	{.name = "percentile_cont", .args_min = 2, .args_max = 2, .signature = "percentile_cont(x, p) -> REAL", .help = "quantile p (0..1), exact, between neighbours on the line", VALUES},
	{.name = NULL},
};
