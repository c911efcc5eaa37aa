/* first, last (by place, that is event time, or by a time of their own), arg_min, arg_max. */
#include "sql/aggregate/agg_impl.h"

/* One row's value, chosen by a key and, among equal keys, by its place. */
struct chosen {
	struct agg_kept value, key;          /* key NULL: by place alone */
	struct agg_at at;
	bool any;
};

enum { WANT_LEAST = -1, WANT_GREATEST = 1 };

/* key_want: of the keys; at_want: among equal keys. */
static void choose(struct chosen *c, const struct agg_value *value, const struct agg_value *key, const struct agg_at *at, int key_want, int at_want, struct agg_memory *memory)
{
	if (c->any) {
		struct agg_value have = agg_kept_value(&c->key);
		int order = key_want * agg_value_compare(key, &have);
		if (order == 0)
			order = at_want * agg_at_compare(at, &c->at);
		if (order <= 0)
			return;
	}
	agg_kept_set(&c->value, value, memory);
	agg_kept_set(&c->key, key, memory);
	c->at = *at;
	c->any = true;
}

static const struct agg_value none = {.type = AGG_NULL};

static bool end_step(struct chosen *c, const struct agg_value *args, int n, const struct agg_at *at, int want, struct agg_memory *memory)
{
	if (args[0].type != AGG_NULL && (n < 2 || args[1].type != AGG_NULL))
		choose(c, &args[0], n < 2 ? &none : &args[1], at, want, want, memory);
	return true;
}

static bool first_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	(void)err;
	return end_step(state, args, n, at, WANT_LEAST, memory);
}

static bool last_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	(void)err;
	return end_step(state, args, n, at, WANT_GREATEST, memory);
}

/* Of equal keys the earliest row counts. */
static bool arg_min_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	(void)n, (void)err;
	if (args[0].type != AGG_NULL && args[1].type != AGG_NULL)
		choose(state, &args[0], &args[1], at, WANT_LEAST, WANT_LEAST, memory);
	return true;
}

static bool arg_max_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	(void)n, (void)err;
	if (args[0].type != AGG_NULL && args[1].type != AGG_NULL)
		choose(state, &args[0], &args[1], at, WANT_GREATEST, WANT_LEAST, memory);
	return true;
}

static bool merge(struct chosen *c, const struct chosen *o, int key_want, int at_want, struct agg_memory *memory)
{
	struct agg_value value = agg_kept_value(&o->value), key = agg_kept_value(&o->key);
	if (o->any)
		choose(c, &value, &key, &o->at, key_want, at_want, memory);
	return true;
}

static bool first_merge(void *state, const void *other, struct agg_memory *memory, struct err *err)
{
	(void)err;
	return merge(state, other, WANT_LEAST, WANT_LEAST, memory);
}

static bool last_merge(void *state, const void *other, struct agg_memory *memory, struct err *err)
{
	(void)err;
	return merge(state, other, WANT_GREATEST, WANT_GREATEST, memory);
}

static bool arg_max_merge(void *state, const void *other, struct agg_memory *memory, struct err *err)
{
	(void)err;
	return merge(state, other, WANT_GREATEST, WANT_LEAST, memory);
}

static bool chosen_final(const void *state, struct agg_result *ret, struct err *err)
{
	(void)err;
	agg_kept_result(&((const struct chosen *)state)->value, ret);
	return true;
}

static void chosen_finish(void *state, struct agg_memory *memory)
{
	struct chosen *c = state;
	agg_kept_free(&c->value, memory);
	agg_kept_free(&c->key, memory);
	c->any = false;
}

static void chosen_save(const void *state, struct buf *to)
{
	const struct chosen *c = state;
	struct agg_value value = agg_kept_value(&c->value), key = agg_kept_value(&c->key);
	uint8_t any = c->any;
	agg_put(to, &any, 1);
	agg_put_at(to, &c->at);
	agg_put_value(to, &value);
	agg_put_value(to, &key);
}

static bool chosen_load(void *state, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct agg_reader r = agg_read_begin(from);
	struct chosen *c = state;
	uint8_t any = 0;
	agg_read(&r, &any, 1);
	struct agg_at at = agg_read_at(&r);
	struct agg_value value = agg_read_value(&r), key = agg_read_value(&r);
	if (!agg_read_end(&r, "first, last, arg_min or arg_max", err))
		return false;
	if (any)
		choose(c, &value, &key, &at, WANT_LEAST, WANT_LEAST, memory);
	return true;
}

#define CHOSEN .state_size = sizeof(struct chosen), .final = chosen_final, .save = chosen_save, .load = chosen_load, .finish = chosen_finish, .ordered = true

const struct aggregate agg_order[] = {
	{.name = "arg_max", .args_min = 2, .args_max = 2, .signature = "arg_max(x, by)", .help = "x of the row with the greatest by; of several the earliest", CHOSEN, .step = arg_max_step, .merge = arg_max_merge},
	{.name = "arg_min", .args_min = 2, .args_max = 2, .signature = "arg_min(x, by)", .help = "x of the row with the least by; of several the earliest", CHOSEN, .step = arg_min_step, .merge = first_merge},
	{.name = "first", .args_min = 1, .args_max = 2, .signature = "first(x [, ts])", .help = "the earliest value by event time, or by ts", CHOSEN, .step = first_step, .merge = first_merge},
	{.name = "last", .args_min = 1, .args_max = 2, .signature = "last(x [, ts])", .help = "the latest value by event time, or by ts", CHOSEN, .step = last_step, .merge = last_merge},
	{.name = NULL},
};
