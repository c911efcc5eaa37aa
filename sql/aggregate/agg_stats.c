/* Variance and its relatives, correlation and least squares. All from sums of powers in 106 bits, so nothing depends on the order of rows and partial
 * states add up. Values that are no numbers are skipped. */
#include <math.h>
#include "sql/aggregate/agg_impl.h"

/* ---- one variable ---- */

struct moments {
	struct agg_sum x, xx;
	int64_t n;
};
static bool moments_sane(const struct moments *m)
{
	return agg_count_sane(m->n);
}
AGG_PLAIN(moments)

static bool moments_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct moments *m = state;
	struct agg_number v;
	(void)n, (void)at, (void)memory, (void)err;
	if (!agg_number_strict(&args[0], &v))
		return true;
	m->n++;
	agg_sum_add(&m->x, v.d);
	agg_sum_add_product(&m->xx, v.d, v.d);
	return true;
}

static bool moments_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	struct moments *m = state;
	const struct moments *o = from;
	(void)memory, (void)err;
	agg_sum_merge(&m->x, &o->x);
	agg_sum_merge(&m->xx, &o->xx);
	m->n += o->n;
	return true;
}

/* sum of a*b less n times the product of the means */
static double centred(const struct agg_sum *ab, const struct agg_sum *a, const struct agg_sum *b, int64_t n)
{
	struct agg_sum mean = agg_sum_over(agg_sum_times(*a, *b), (double)n);
	struct agg_sum c = agg_sum_minus(*ab, mean);
	return agg_sum_value(&c);
}

static bool real(struct agg_result *ret, double d)
{
	if (isfinite(d)) {
		ret->type = AGG_REAL;
		ret->d = d;
	}
	return true;
}

static bool variance(const struct moments *m, int64_t less, bool root, struct agg_result *ret)
{
	if (m->n <= less)
		return true;
	double d = centred(&m->xx, &m->x, &m->x, m->n) / (double)(m->n - less);
	if (d < 0)
		d = 0;
	return real(ret, root ? sqrt(d) : d);
}

static bool var_samp_final(const void *state, struct agg_result *ret, struct err *err)
{
	(void)err;
	return variance(state, 1, false, ret);
}

static bool var_pop_final(const void *state, struct agg_result *ret, struct err *err)
{
	(void)err;
	return variance(state, 0, false, ret);
}

static bool stddev_samp_final(const void *state, struct agg_result *ret, struct err *err)
{
	(void)err;
	return variance(state, 1, true, ret);
}

static bool stddev_pop_final(const void *state, struct agg_result *ret, struct err *err)
{
	(void)err;
	return variance(state, 0, true, ret);
}

/* ---- two variables ---- */

struct pairs {
	struct agg_sum x, y, xx, xy, yy;
	int64_t n;
};
static bool pairs_sane(const struct pairs *p)
{
	return agg_count_sane(p->n);
}
AGG_PLAIN(pairs)

static bool add_pair(struct pairs *p, const struct agg_value *x, const struct agg_value *y)
{
	struct agg_number a, b;
	if (!agg_number_strict(x, &a) || !agg_number_strict(y, &b))
		return true;
	p->n++;
	agg_sum_add(&p->x, a.d);
	agg_sum_add(&p->y, b.d);
	agg_sum_add_product(&p->xx, a.d, a.d);
	agg_sum_add_product(&p->xy, a.d, b.d);
	agg_sum_add_product(&p->yy, b.d, b.d);
	return true;
}

/* corr(y, x), r2(y, x) as SQL has them; slope(ts, v) and intercept(ts, v) with the time first. */
static bool yx_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	(void)n, (void)at, (void)memory, (void)err;
	return add_pair(state, &args[1], &args[0]);
}

static bool xy_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	(void)n, (void)at, (void)memory, (void)err;
	return add_pair(state, &args[0], &args[1]);
}

static bool pairs_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	struct pairs *p = state;
	const struct pairs *o = from;
	(void)memory, (void)err;
	agg_sum_merge(&p->x, &o->x);
	agg_sum_merge(&p->y, &o->y);
	agg_sum_merge(&p->xx, &o->xx);
	agg_sum_merge(&p->xy, &o->xy);
	agg_sum_merge(&p->yy, &o->yy);
	p->n += o->n;
	return true;
}

static bool corr_of(const struct pairs *p, double *ret)
{
	if (p->n < 2)
		return false;
	double sxx = centred(&p->xx, &p->x, &p->x, p->n), syy = centred(&p->yy, &p->y, &p->y, p->n);
	if (sxx <= 0 || syy <= 0)
		return false;
	*ret = centred(&p->xy, &p->x, &p->y, p->n) / sqrt(sxx * syy);
	return true;
}

static bool corr_final(const void *state, struct agg_result *ret, struct err *err)
{
	double r;
	(void)err;
	return !corr_of(state, &r) || real(ret, r);
}

static bool r2_final(const void *state, struct agg_result *ret, struct err *err)
{
	double r;
	(void)err;
	return !corr_of(state, &r) || real(ret, r * r);
}

static bool slope_of(const struct pairs *p, double *ret)
{
	double sxx = p->n < 2 ? 0 : centred(&p->xx, &p->x, &p->x, p->n);
	if (sxx <= 0)
		return false;
	*ret = centred(&p->xy, &p->x, &p->y, p->n) / sxx;
	return true;
}

static bool slope_final(const void *state, struct agg_result *ret, struct err *err)
{
	double b;
	(void)err;
	return !slope_of(state, &b) || real(ret, b);
}

static bool intercept_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct pairs *p = state;
	double b;
	(void)err;
	return !slope_of(p, &b) || real(ret, (agg_sum_value(&p->y) - b * agg_sum_value(&p->x)) / (double)p->n);
}

#define MOMENTS .args_min = 1, .args_max = 1, .state_size = sizeof(struct moments), .step = moments_step, .merge = moments_merge, .save = save_moments, .load = load_moments
#define PAIRS .args_min = 2, .args_max = 2, .state_size = sizeof(struct pairs), .merge = pairs_merge, .save = save_pairs, .load = load_pairs

const struct aggregate agg_stats[] = {
	{.name = "corr", .signature = "corr(y, x) -> REAL", .help = "Pearson's correlation", PAIRS, .step = yx_step, .final = corr_final},
	{.name = "intercept", .signature = "intercept(ts, x) -> REAL", .help = "least squares: x at ts = 0", PAIRS, .step = xy_step, .final = intercept_final},
	{.name = "r2", .signature = "r2(y, x) -> REAL", .help = "the square of the correlation", PAIRS, .step = yx_step, .final = r2_final},
	{.name = "slope", .signature = "slope(ts, x) -> REAL", .help = "least squares: change of x per ms (per unit of the first argument)", PAIRS, .step = xy_step, .final = slope_final},
	{.name = "stddev", .signature = "stddev(x) -> REAL", .help = "stddev_samp", MOMENTS, .final = stddev_samp_final},
	{.name = "stddev_pop", .signature = "stddev_pop(x) -> REAL", .help = "population standard deviation", MOMENTS, .final = stddev_pop_final},
	{.name = "stddev_samp", .signature = "stddev_samp(x) -> REAL", .help = "sample standard deviation; NULL below two values", MOMENTS, .final = stddev_samp_final},
	{.name = "var_pop", .signature = "var_pop(x) -> REAL", .help = "population variance", MOMENTS, .final = var_pop_final},
	{.name = "var_samp", .signature = "var_samp(x) -> REAL", .help = "sample variance; NULL below two values", MOMENTS, .final = var_samp_final},
	{.name = "variance", .signature = "variance(x) -> REAL", .help = "var_samp", MOMENTS, .final = var_samp_final},
	{.name = NULL},
};
