/* spark(x [, width]): a line of eight heights, for people. More values than characters: each character is the average of its share. */
#include <math.h>
#include <stdlib.h>
#include "sql/aggregate/agg_impl.h"

enum { WIDTH = 40, WIDTH_MAX = 1000, HEIGHTS = 8 };

struct spark_value {
	struct agg_at at;
	double d;
};

struct spark {
	struct spark_value *list;
	size_t n, cap;
	int64_t width;                       /* 0 = not known yet */
	bool unsorted;
};

static void add(struct spark *s, const struct spark_value *v, struct agg_memory *memory)
{
	s->list = agg_grow(s->list, s->n, &s->cap, sizeof *s->list, memory);
	if (s->n && agg_at_compare(&s->list[s->n - 1].at, &v->at) > 0)
		s->unsorted = true;
	s->list[s->n++] = *v;
}

static bool spark_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct spark *s = state;
	struct agg_number number;
	s->width = n > 1 ? args[1].i : WIDTH;
	if (n > 1 && (args[1].type != AGG_INTEGER || s->width < 1 || s->width > WIDTH_MAX))
		return err_set(err, ERR_SQL, "spark(x, width): width is a whole number from 1 to %d", WIDTH_MAX);
	if (agg_number_strict(&args[0], &number) && isfinite(number.d))
		add(s, &(struct spark_value){*at, number.d}, memory);
	return true;
}

static bool spark_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	struct spark *s = state;
	const struct spark *o = from;
	(void)err;
	if (o->width)
		s->width = o->width;
	for (size_t i = 0; i < o->n; i++)
		add(s, &o->list[i], memory);
	return true;
}

static int by_at(const void *a, const void *b)
{
	const struct spark_value *p = a, *q = b;
	int order = agg_at_compare(&p->at, &q->at);
	return order ? order : (p->d > q->d) - (p->d < q->d);
}

/* Logically const. */
static void sort(const struct spark *spark)
{
	struct spark *s = (struct spark *)(uintptr_t)spark;
	if (s->unsorted)
		qsort(s->list, s->n, sizeof *s->list, by_at);
	s->unsorted = false;
}

static bool spark_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct spark *s = state;
	double means[WIDTH_MAX], low = INFINITY, high = -INFINITY;
	(void)err;
	if (!s->n)
		return true;
	sort(s);
	size_t width = s->n < (size_t)s->width ? s->n : (size_t)s->width;
	for (size_t i = 0; i < width; i++) {
		size_t from = i * s->n / width, to = (i + 1) * s->n / width;
		means[i] = 0;
		for (size_t k = from; k < to; k++)
			means[i] += s->list[k].d / (double)(to - from);
		low = fmin(low, means[i]);
		high = fmax(high, means[i]);
	}
	ret->type = AGG_TEXT;
	double step = high / HEIGHTS - low / HEIGHTS;      /* high - low may overflow */
	for (size_t i = 0; i < width; i++) {
		double height = step > 0 ? (means[i] - low) / step : HEIGHTS / 2 - 1;
		int h = height >= HEIGHTS ? HEIGHTS - 1 : height > 0 ? (int)height : 0;
		buf_add(&ret->text, (const char[]){'\xe2', '\x96', (char)(0x81 + h)}, 3);      /* U+2581 .. U+2588 */
	}
	return true;
}

static void spark_save(const void *state, struct buf *to)
{
	const struct spark *s = state;
	uint64_t n = s->n;
	sort(s);
	agg_put(to, &s->width, sizeof s->width);
	agg_put(to, &n, sizeof n);
	for (size_t i = 0; i < s->n; i++) {
		agg_put_at(to, &s->list[i].at);
		agg_put(to, &s->list[i].d, sizeof s->list[i].d);
	}
}

static bool spark_load(void *state, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct spark *s = state;
	struct agg_reader r = agg_read_begin(from);
	uint64_t n = 0;
	agg_read(&r, &s->width, sizeof s->width);
	agg_read(&r, &n, sizeof n);
	r.bad = r.bad || s->width < (n ? 1 : 0) || s->width > WIDTH_MAX || n > (size_t)(r.end - r.p);
	for (uint64_t i = 0; i < n && !r.bad; i++) {
		struct spark_value v = {.at = agg_read_at(&r)};
		agg_read(&r, &v.d, sizeof v.d);
		r.bad = r.bad || !isfinite(v.d);
		if (!r.bad)
			add(s, &v, memory);
	}
	return agg_read_end(&r, "spark", err);
}

static void spark_finish(void *state, struct agg_memory *memory)
{
	struct spark *s = state;
	memory->bytes -= (int64_t)(s->cap * sizeof *s->list);
	free(s->list);
	*s = (struct spark){.list = NULL};
}

const struct aggregate agg_spark[] = {
	{.name = "spark", .args_min = 1, .args_max = 2, .signature = "spark(x [, width]) -> TEXT", .help = "a small line chart of the values by event time, 40 characters unless told: \xe2\x96\x81\xe2\x96\x83\xe2\x96\x87",
		.state_size = sizeof(struct spark), .step = spark_step, .merge = spark_merge, .final = spark_final, .save = spark_save, .load = spark_load, .finish = spark_finish, .ordered = true},
	{.name = NULL},
};
