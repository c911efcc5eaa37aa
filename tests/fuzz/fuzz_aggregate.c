/* The saved state of an aggregate from any bytes: the first byte says which. What is accepted can be used and saved, and what it saves loads to the same. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sql/aggregate/aggregate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_final(const struct aggregate *a, const void *state)
{
	struct agg_result r = {0};
	struct err err = ERR_INIT;
	if (a->final(state, &r, &err))
		check(r.type != AGG_REAL || !isnan(r.d));
	else
		check(err.id != ERR_NONE);
	buf_finish(&r.text);
	err_clear(&err);
}

static void finish(const struct aggregate *a, void *state, struct agg_memory *memory)
{
	if (a->finish)
		a->finish(state, memory);
	free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t count = 0;
	struct err err = ERR_INIT;
	struct agg_memory memory = {0};
	while (aggregate_at(count))
		count++;
	if (!len)
		return 0;
	const struct aggregate *a = aggregate_at(data[0] % count);
	void *state = calloc(1, a->state_size), *other = calloc(1, a->state_size);
	check(state && other);
	if (!a->load(state, (struct bytes){data + 1, len - 1}, &memory, &err)) {
		check(err.id == ERR_STATE && err.msg[0]);
		err_clear(&err);
	} else {
		struct buf saved = BUF_INIT, again = BUF_INIT;
		check_final(a, state);
		a->save(state, &saved);
		check(a->load(other, (struct bytes){(const uint8_t *)saved.data, saved.len}, &memory, &err));
		a->save(other, &again);
		check(saved.len == again.len && (!saved.len || !memcmp(saved.data, again.data, saved.len)));
		if (a->merge(state, other, &memory, &err))
			check_final(a, state);
		err_clear(&err);
		buf_finish(&saved);
		buf_finish(&again);
	}
	finish(a, state, &memory);
	finish(a, other, &memory);
	check(memory.bytes == 0);
	return 0;
}
