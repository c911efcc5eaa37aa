/* Aggregates over time: twa, integral, counter_delta, counter_resets, state_time, transitions. Each keeps its points and computes when asked, in the order of
 * time; of equal times the last one counts. Times and durations are ms. */
#include <math.h>
#include "core/hash.h"
#include "sql/aggregate/agg_impl.h"

enum method { METHOD_LOCF, METHOD_LINEAR };

struct track {
	struct agg_points points;
	int64_t t0_ms, t1_ms;
	double option;                       /* integral: unit; counter_delta: the counter's maximum, 0 = not given */
	uint8_t method;
	bool bounded, any_real;
};

static bool time_of(const struct agg_value *v, const char *name, bool *ret_null, int64_t *ret, struct err *err)
{
	struct agg_number n;
	*ret_null = v->type == AGG_NULL;
	if (*ret_null)
		return true;
	if (!agg_number_strict(v, &n) || !(n.d > -9.2e18 && n.d < 9.2e18)) {
		err_set(err, ERR_SQL, "%s: its time is ms since 1970, as _ts is", name);
		err_hint(err, "ts_guess(x) makes ms of text and of seconds");
		return false;
	}
	*ret = n.is_integer ? n.i : (int64_t)floor(n.d);
	return true;
}

/* method, t0, t1: args[at ..] */
static bool options(struct track *t, const char *name, const struct agg_value *args, int n, int at, struct err *err)
{
	bool null = false;
	if (n <= at)
		return true;
	struct bytes m = args[at].type == AGG_TEXT ? args[at].bytes : bytes_of("", 0);
	if (m.len == 4 && memcmp(m.data, "locf", 4) == 0)
		t->method = METHOD_LOCF;
	else if (m.len == 6 && memcmp(m.data, "linear", 6) == 0)
		t->method = METHOD_LINEAR;
	else
		return err_set(err, ERR_SQL, "%s: method '%.*s' is neither 'locf' nor 'linear'", name, (int)(m.len < 40 ? m.len : 40), (const char *)m.data);
	if (n <= at + 1)
		return true;
	if (n == at + 2)
		return err_set(err, ERR_SQL, "%s: with a beginning it needs an end", name);
	if (!time_of(&args[at + 1], name, &null, &t->t0_ms, err) || null || !time_of(&args[at + 2], name, &null, &t->t1_ms, err) || null)
		return err->id != ERR_NONE ? false : err_set(err, ERR_SQL, "%s: its bounds are NULL", name);
	t->bounded = true;
	return true;
}

static bool add(struct track *t, const char *name, const struct agg_value *ts, const struct agg_value *v, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	int64_t ts_ms = 0;
	bool null = false;
	struct agg_number n;
	if (!time_of(ts, name, &null, &ts_ms, err))
		return false;
	if (null || !agg_number_strict(v, &n))
		return true;
	t->any_real |= !n.is_integer;
	agg_points_add(&t->points, ts_ms, at, n.d, memory);
	return true;
}

static bool twa_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	return options(state, "twa", args, n, 2, err) && add(state, "twa", &args[0], &args[1], at, memory, err);
}

static bool integral_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct track *t = state;
	struct agg_number unit;
	if (!agg_number_strict(&args[2], &unit) || unit.d <= 0)
		return err_set(err, ERR_SQL, "integral(ts, x, unit): the unit is a duration in ms above zero (3600000 for kWh of kW)");
	t->option = unit.d;
	return options(t, "integral", args, n, 3, err) && add(t, "integral", &args[0], &args[1], at, memory, err);
}

/* Area under the points (value times ms) and the time that is covered. Without bounds: from the first to the last point. With bounds: the first known value
 * begins the cover, the last one is held to the end. */
static void area(const struct track *t, double *ret_area, double *ret_covered)
{
	const struct agg_points *p = &t->points;
	struct agg_sum sum = {0, 0};
	double covered = 0;
	agg_points_sort(p);
	for (size_t i = 0; i < p->n; i++) {
		bool last = i + 1 == p->n;
		int64_t from = p->list[i].ts_ms, to = last ? from : p->list[i + 1].ts_ms;
		double v0 = p->list[i].u.d, v1 = last || t->method == METHOD_LOCF ? v0 : p->list[i + 1].u.d;
		double length = (double)(to - from);
		if (t->bounded) {
			if (last)
				to = t->t1_ms > from ? t->t1_ms : from;
			length = (double)(to - from);
			int64_t a = from > t->t0_ms ? from : t->t0_ms, b = to < t->t1_ms ? to : t->t1_ms;
			if (b <= a)
				continue;
			double slope = length > 0 ? (v1 - v0) / length : 0;
			double at_a = v0 + slope * (double)(a - from), at_b = v0 + slope * (double)(b - from);
			v0 = at_a;
			v1 = at_b;
			length = (double)(b - a);
		}
		agg_sum_add_product(&sum, length, v0 == v1 ? v0 : (v0 + v1) / 2);
		covered += length;
	}
	*ret_area = agg_sum_value(&sum);
	*ret_covered = covered;
}

static bool real(struct agg_result *ret, double d)
{
	if (isfinite(d)) {
		ret->type = AGG_REAL;
		ret->d = d;
	}
	return true;
}

static bool twa_final(const void *state, struct agg_result *ret, struct err *err)
{
	double a, covered;
	(void)err;
	area(state, &a, &covered);
	return covered <= 0 || real(ret, a / covered);
}

static bool integral_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct track *t = state;
	double a, covered;
	(void)err;
	area(t, &a, &covered);
	return covered <= 0 || real(ret, a / t->option);
}

/* ---- counters ---- */

static bool counter_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct track *t = state;
	struct agg_number max = {.d = 0};
	if (n > 2 && (!agg_number_strict(&args[2], &max) || max.d <= 0))
		return err_set(err, ERR_SQL, "counter_delta(ts, x, max): the counter's greatest value is above zero (65535)");
	t->option = max.d;
	return add(t, "counter_delta", &args[0], &args[1], at, memory, err);
}

static double counter_of(const struct track *t, int64_t *ret_resets)
{
	const struct agg_points *p = &t->points;
	struct agg_sum sum = {0, 0};
	*ret_resets = 0;
	agg_points_sort(p);
	for (size_t i = 1; i < p->n; i++) {
		double prev = p->list[i - 1].u.d, now = p->list[i].u.d;
		if (now >= prev) {
			agg_sum_add(&sum, now - prev);
			continue;
		}
		++*ret_resets;
		/* A fall by more than half of the range is a roll-over, any other a reset to zero. */
		agg_sum_add(&sum, t->option > 0 && prev - now > t->option / 2 ? t->option + 1 - prev + now : now);
	}
	return agg_sum_value(&sum);
}

static bool counter_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct track *t = state;
	int64_t resets;
	double delta = counter_of(t, &resets);
	(void)err;
	if (t->points.n < 2)
		return true;
	if (!t->any_real && fabs(delta) < 9007199254740992.0) {
		ret->type = AGG_INTEGER;
		ret->i = (int64_t)delta;
		return true;
	}
	return real(ret, delta);
}

static bool resets_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct track *t = state;
	(void)err;
	if (!t->points.n)
		return true;
	ret->type = AGG_INTEGER;
	counter_of(t, &ret->i);
	return true;
}

/* ---- states ---- */

static uint64_t hash_of(const struct agg_value *v)
{
	struct buf key = BUF_INIT;
	agg_value_encode(v, &key);
	uint64_t hash = hash_bytes(key.data, key.len);
	buf_finish(&key);
	return hash;
}

static bool state_time_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct track *t = state;
	int64_t ts_ms = 0;
	bool null = false;
	if (n == 4)
		return err_set(err, ERR_SQL, "state_time: with a beginning it needs an end");
	if (!time_of(&args[0], "state_time", &null, &ts_ms, err))
		return false;
	if (n == 5) {
		bool null_0 = false, null_1 = false;
		if (!time_of(&args[3], "state_time", &null_0, &t->t0_ms, err) || !time_of(&args[4], "state_time", &null_1, &t->t1_ms, err))
			return false;
		if (null_0 || null_1)
			return err_set(err, ERR_SQL, "state_time: its bounds are NULL");
		t->bounded = true;
	}
	if (null || args[1].type == AGG_NULL)
		return true;
	agg_points_add(&t->points, ts_ms, at, agg_value_compare(&args[1], &args[2]) == 0, memory);
	return true;
}

/* A state lasts until the next one; the last one to the end of the bounds, or not at all. */
static bool state_time_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct track *t = state;
	const struct agg_points *p = &t->points;
	(void)err;
	agg_points_sort(p);
	if (!p->n)
		return true;
	ret->type = AGG_INTEGER;
	for (size_t i = 0; i < p->n; i++) {
		bool last = i + 1 == p->n;
		int64_t from = p->list[i].ts_ms, to = !last ? p->list[i + 1].ts_ms : t->bounded ? t->t1_ms : from;
		if (t->bounded) {
			from = from > t->t0_ms ? from : t->t0_ms;
			to = to < t->t1_ms ? to : t->t1_ms;
		}
		if (p->list[i].u.d != 0 && to > from)
			ret->i += to - from;
	}
	return true;
}

static bool transitions_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct track *t = state;
	int64_t ts_ms = 0;
	bool null = false;
	(void)n;
	if (!time_of(&args[0], "transitions", &null, &ts_ms, err))
		return false;
	if (!null && args[1].type != AGG_NULL)
		agg_points_add_hash(&t->points, ts_ms, at, hash_of(&args[1]), memory);
	return true;
}

static bool transitions_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct agg_points *p = &((const struct track *)state)->points;
	(void)err;
	agg_points_sort(p);
	if (!p->n)
		return true;
	ret->type = AGG_INTEGER;
	for (size_t i = 1; i < p->n; i++)
		ret->i += p->list[i].u.hash != p->list[i - 1].u.hash;
	return true;
}

/* ---- what all of them share ---- */

static bool track_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	struct track *t = state;
	const struct track *o = from;
	(void)err;
	if (!o->points.n)
		return true;
	agg_points_merge(&t->points, &o->points, memory);
	t->t0_ms = o->t0_ms;
	t->t1_ms = o->t1_ms;
	t->option = o->option;
	t->method = o->method;
	t->bounded = o->bounded;
	t->any_real |= o->any_real;
	return true;
}

static void track_finish(void *state, struct agg_memory *memory)
{
	agg_points_free(&((struct track *)state)->points, memory);
}

static void track_save(const void *state, struct buf *to)
{
	const struct track *t = state;
	uint8_t flags[3] = {t->method, t->bounded, t->any_real};
	agg_put(to, flags, sizeof flags);
	agg_put(to, &t->t0_ms, sizeof t->t0_ms);
	agg_put(to, &t->t1_ms, sizeof t->t1_ms);
	agg_put(to, &t->option, sizeof t->option);
	agg_points_save(&t->points, to);
}

static bool track_load(void *state, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct track *t = state;
	struct agg_reader r = agg_read_begin(from);
	uint8_t flags[3];
	agg_read(&r, flags, sizeof flags);
	t->method = flags[0] == METHOD_LINEAR ? METHOD_LINEAR : METHOD_LOCF;
	t->bounded = flags[1];
	t->any_real = flags[2];
	agg_read(&r, &t->t0_ms, sizeof t->t0_ms);
	agg_read(&r, &t->t1_ms, sizeof t->t1_ms);
	agg_read(&r, &t->option, sizeof t->option);
	r.bad = r.bad || isnan(t->option);
	if (!r.bad)
		agg_points_load(&t->points, &r, memory);
	return agg_read_end(&r, "an aggregate over time", err);
}

#define TRACK .state_size = sizeof(struct track), .merge = track_merge, .save = track_save, .load = track_load, .finish = track_finish, .ordered = true

const struct aggregate agg_time[] = {
	{.name = "counter_delta", .args_min = 2, .args_max = 3, .signature = "counter_delta(ts, x [, max])", .help = "growth of a counter; a fall is a reset to zero, with max also a roll-over", TRACK,
		.step = counter_step, .final = counter_final},
	{.name = "counter_resets", .args_min = 2, .args_max = 2, .signature = "counter_resets(ts, x) -> INTEGER", .help = "how often a counter fell", TRACK, .step = counter_step, .final = resets_final},
	{.name = "integral", .args_min = 3, .args_max = 6, .signature = "integral(ts, x, unit_ms [, 'locf' | 'linear' [, from, to]]) -> REAL",
		.help = "area under a value: kWh of kW with unit 3600000", TRACK, .step = integral_step, .final = integral_final},
	{.name = "state_time", .args_min = 3, .args_max = 5, .signature = "state_time(ts, state, which [, from, to]) -> INTEGER", .help = "ms spent in a state", TRACK, .step = state_time_step,
		.final = state_time_final},
	{.name = "transitions", .args_min = 2, .args_max = 2, .signature = "transitions(ts, x) -> INTEGER", .help = "how often a value changed", TRACK, .step = transitions_step, .final = transitions_final},
	{.name = "twa", .args_min = 2, .args_max = 5, .signature = "twa(ts, x [, 'locf' | 'linear' [, from, to]]) -> REAL", .help = "time-weighted average", TRACK, .step = twa_step, .final = twa_final},
	{.name = NULL},
};
