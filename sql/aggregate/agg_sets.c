/* Sets of values: DISTINCT, approx_count_distinct (HyperLogLog), topk. */
#include <math.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "core/hash.h"
#include "sql/aggregate/agg_impl.h"

/* ---- a table of byte strings with a count each ---- */

struct entry {
	uint64_t hash;
	int64_t n;
	uint8_t *data;
	uint32_t len;
};
struct table {
	struct entry *slots;                 /* data NULL = free; a power of two of them */
	size_t slot_n, n;
};

static void table_grow(struct table *t, struct agg_memory *memory)
{
	size_t more = t->slot_n ? 2 * t->slot_n : 8;
	struct entry *slots = xcalloc(more, sizeof *slots);
	for (size_t i = 0; i < t->slot_n; i++) {
		if (!t->slots[i].data)
			continue;
		size_t at = t->slots[i].hash & (more - 1);
		while (slots[at].data)
			at = (at + 1) & (more - 1);
		slots[at] = t->slots[i];
	}
	memory->bytes += (int64_t)((more - t->slot_n) * sizeof *slots);
	free(t->slots);
	t->slots = slots;
	t->slot_n = more;
}

/* True: it was not there. */
static bool table_add(struct table *t, const void *data, size_t len, int64_t n, struct agg_memory *memory)
{
	uint64_t hash = hash_bytes(data, len);
	if (t->n * 4 >= t->slot_n * 3)
		table_grow(t, memory);
	size_t at = hash & (t->slot_n - 1);
	for (; t->slots[at].data; at = (at + 1) & (t->slot_n - 1)) {
		struct entry *e = &t->slots[at];
		if (e->hash == hash && e->len == len && memcmp(e->data, data, len) == 0) {
			e->n += n;
			return false;
		}
	}
	struct entry *e = &t->slots[at];
	*e = (struct entry){.hash = hash, .n = n, .data = xmalloc(len + 1), .len = (uint32_t)len};
	memcpy(e->data, data, len);
	memory->bytes += (int64_t)len + 1;
	t->n++;
	return true;
}

static void table_free(struct table *t, struct agg_memory *memory)
{
	for (size_t i = 0; i < t->slot_n; i++)
		if (t->slots[i].data) {
			memory->bytes -= (int64_t)t->slots[i].len + 1;
			free(t->slots[i].data);
		}
	memory->bytes -= (int64_t)(t->slot_n * sizeof *t->slots);
	free(t->slots);
	*t = (struct table){.slots = NULL};
}

static void table_merge(struct table *t, const struct table *o, struct agg_memory *memory)
{
	for (size_t i = 0; i < o->slot_n; i++)
		if (o->slots[i].data)
			table_add(t, o->slots[i].data, o->slots[i].len, o->slots[i].n, memory);
}

static void table_save(const struct table *t, struct buf *to)
{
	uint64_t n = t->n;
	agg_put(to, &n, sizeof n);
	for (size_t i = 0; i < t->slot_n; i++)
		if (t->slots[i].data) {
			agg_put(to, &t->slots[i].n, sizeof t->slots[i].n);
			agg_put(to, &t->slots[i].len, sizeof t->slots[i].len);
			agg_put(to, t->slots[i].data, t->slots[i].len);
		}
}

static void table_load(struct table *t, struct agg_reader *r, struct agg_memory *memory)
{
	uint64_t n = 0;
	agg_read(r, &n, sizeof n);
	for (uint64_t i = 0; i < n && !r->bad; i++) {
		int64_t count = 0;
		uint32_t len = 0;
		agg_read(r, &count, sizeof count);
		agg_read(r, &len, sizeof len);
		if (r->bad || count <= 0 || (size_t)(r->end - r->p) < len) {
			r->bad = true;
			return;
		}
		table_add(t, r->p, len, count, memory);
		r->p += len;
	}
}

/* ---- DISTINCT ---- */

struct agg_distinct {
	struct table table;
	struct buf key;
};

static struct agg_distinct *distinct_get(struct agg_distinct **set, struct agg_memory *memory)
{
	if (!*set) {
		*set = xcalloc(1, sizeof **set);
		buf_init(&(*set)->key);
		memory->bytes += (int64_t)sizeof **set;
	}
	return *set;
}

bool agg_distinct_add(struct agg_distinct **set, const struct agg_value *args, int n, struct agg_memory *memory, bool *ret_new, struct err *err)
{
	struct agg_distinct *d = distinct_get(set, memory);
	(void)err;
	d->key.len = 0;
	for (int i = 0; i < n; i++)
		agg_value_encode(&args[i], &d->key);
	*ret_new = table_add(&d->table, d->key.data, d->key.len, 1, memory);
	return true;
}

bool agg_distinct_merge(struct agg_distinct **set, const struct agg_distinct *other, struct agg_memory *memory, struct err *err)
{
	(void)err;
	if (other)
		table_merge(&distinct_get(set, memory)->table, &other->table, memory);
	return true;
}

void agg_distinct_each(const struct agg_distinct *set, void (*visit)(void *arg, const struct agg_value *args, int n), void *arg)
{
	enum { ARGS_MAX = 8 };
	for (size_t i = 0; set && i < set->table.slot_n; i++) {
		const struct entry *e = &set->table.slots[i];
		if (!e->data)
			continue;
		struct agg_reader r = agg_read_begin(bytes_of(e->data, e->len));
		struct agg_value values[ARGS_MAX];
		int n = 0;
		while (r.p < r.end && n < ARGS_MAX && !r.bad)
			values[n++] = agg_read_value(&r);
		visit(arg, values, n);
	}
}

void agg_distinct_save(const struct agg_distinct *set, struct buf *to)
{
	static const struct table empty = {.slots = NULL};
	table_save(set ? &set->table : &empty, to);
}

bool agg_distinct_load(struct agg_distinct **set, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct agg_reader r = agg_read_begin(from);
	table_load(&distinct_get(set, memory)->table, &r, memory);
	return agg_read_end(&r, "DISTINCT", err);
}

void agg_distinct_destroy(struct agg_distinct *set, struct agg_memory *memory)
{
	if (!set)
		return;
	table_free(&set->table, memory);
	buf_finish(&set->key);
	memory->bytes -= (int64_t)sizeof *set;
	free(set);
}

/* ---- approx_count_distinct: HyperLogLog with 4096 registers (standard error 1.6 %); exact up to HLL_EXACT values, which also keeps small keys small ---- */

enum { HLL_BITS = 12, HLL_REGISTERS = 1 << HLL_BITS, HLL_EXACT = 256 };

struct hll {
	uint64_t *exact;                     /* hashes, rising; NULL once the registers are used */
	size_t n, cap;
	uint8_t *registers;
};

static void hll_register(struct hll *h, uint64_t hash)
{
	uint64_t rest = hash << HLL_BITS;
	uint8_t rank = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : 64 - HLL_BITS + 1);
	uint8_t *r = &h->registers[hash >> (64 - HLL_BITS)];
	if (rank > *r)
		*r = rank;
}

static void hll_spread(struct hll *h, struct agg_memory *memory)
{
	h->registers = xcalloc(HLL_REGISTERS, 1);
	memory->bytes += HLL_REGISTERS;
	for (size_t i = 0; i < h->n; i++)
		hll_register(h, h->exact[i]);
	memory->bytes -= (int64_t)(h->cap * sizeof *h->exact);
	free(h->exact);
	h->exact = NULL;
	h->n = h->cap = 0;
}

static void hll_add(struct hll *h, uint64_t hash, struct agg_memory *memory)
{
	if (h->registers) {
		hll_register(h, hash);
		return;
	}
	size_t lo = 0, hi = h->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (h->exact[mid] < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < h->n && h->exact[lo] == hash)
		return;
	h->exact = agg_grow(h->exact, h->n, &h->cap, sizeof *h->exact, memory);
	memmove(h->exact + lo + 1, h->exact + lo, (h->n - lo) * sizeof *h->exact);
	h->exact[lo] = hash;
	if (++h->n > HLL_EXACT)
		hll_spread(h, memory);
}

/* hash_bytes is for tables; the estimate needs every bit well mixed (splitmix64). */
static uint64_t mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static bool hll_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct buf key = BUF_INIT;
	(void)n, (void)at, (void)err;
	if (args[0].type == AGG_NULL)
		return true;
	agg_value_encode(&args[0], &key);
	hll_add(state, mixed(hash_bytes(key.data, key.len)), memory);
	buf_finish(&key);
	return true;
}

static bool hll_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	struct hll *h = state;
	const struct hll *o = from;
	(void)err;
	if (o->registers && !h->registers)
		hll_spread(h, memory);
	for (size_t i = 0; o->registers && i < HLL_REGISTERS; i++)
		if (o->registers[i] > h->registers[i])
			h->registers[i] = o->registers[i];
	for (size_t i = 0; i < o->n; i++)
		hll_add(h, o->exact[i], memory);
	return true;
}

static bool hll_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct hll *h = state;
	(void)err;
	ret->type = AGG_INTEGER;
	ret->i = (int64_t)h->n;
	if (!h->registers)
		return true;
	double sum = 0;
	int zeros = 0;
	for (size_t i = 0; i < HLL_REGISTERS; i++) {
		sum += ldexp(1, -h->registers[i]);
		zeros += h->registers[i] == 0;
	}
	double m = HLL_REGISTERS, estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (estimate <= 2.5 * m && zeros)
		estimate = m * log(m / zeros);           /* linear counting */
	ret->i = (int64_t)(estimate + 0.5);
	return true;
}

static void hll_finish(void *state, struct agg_memory *memory)
{
	struct hll *h = state;
	memory->bytes -= (int64_t)(h->cap * sizeof *h->exact) + (h->registers ? HLL_REGISTERS : 0);
	free(h->exact);
	free(h->registers);
	*h = (struct hll){.n = 0};
}

static void hll_save(const void *state, struct buf *to)
{
	const struct hll *h = state;
	uint64_t n = h->registers ? UINT64_MAX : h->n;
	agg_put(to, &n, sizeof n);
	if (h->registers)
		agg_put(to, h->registers, HLL_REGISTERS);
	else
		agg_put(to, h->exact, h->n * sizeof *h->exact);
}

static bool hll_load(void *state, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct hll *h = state;
	struct agg_reader r = agg_read_begin(from);
	uint64_t n = 0;
	agg_read(&r, &n, sizeof n);
	if (n == UINT64_MAX) {
		hll_spread(h, memory);
		agg_read(&r, h->registers, HLL_REGISTERS);
		for (size_t i = 0; i < HLL_REGISTERS; i++)
			r.bad = r.bad || h->registers[i] > 64 - HLL_BITS + 1;
	} else {
		for (uint64_t i = 0; i < n && !r.bad; i++) {
			uint64_t hash;
			agg_read(&r, &hash, sizeof hash);
			if (!r.bad)
				hll_add(h, hash, memory);
		}
	}
	return agg_read_end(&r, "approx_count_distinct", err);
}

/* ---- topk ---- */

struct topk {
	struct table table;
	int64_t k;
};

static bool topk_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct topk *t = state;
	struct buf key = BUF_INIT;
	(void)n, (void)at;
	if (args[1].type != AGG_INTEGER || args[1].i < 1 || args[1].i > 10000)
		return err_set(err, ERR_SQL, "topk(x, k): k is a whole number from 1 to 10000");
	t->k = args[1].i;
	if (args[0].type == AGG_NULL)
		return true;
	agg_value_encode(&args[0], &key);
	table_add(&t->table, key.data, key.len, 1, memory);
	buf_finish(&key);
	return true;
}

static struct agg_value entry_value(const struct entry *e)
{
	struct agg_reader r = agg_read_begin(bytes_of(e->data, e->len));
	return agg_read_value(&r);
}

static int by_count(const void *pa, const void *pb)
{
	const struct entry *a = *(const struct entry *const *)pa, *b = *(const struct entry *const *)pb;
	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	struct agg_value va = entry_value(a), vb = entry_value(b);
	return agg_value_compare(&va, &vb);
}

static void add_json(struct buf *to, const struct agg_value *v)
{
	if (v->type == AGG_INTEGER || v->type == AGG_REAL) {
		agg_result_text(v, to);
		return;
	}
	buf_addc(to, '"');
	for (size_t i = 0; i < v->bytes.len; i++) {
		uint8_t c = v->bytes.data[i];
		if (v->type == AGG_BLOB)
			buf_addf(to, "%02x", c);
		else if (c < 0x20)
			buf_addf(to, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			buf_addf(to, "\\%c", c);
		else
			buf_addc(to, (char)c);
	}
	buf_addc(to, '"');
}

static bool topk_final(const void *state, struct agg_result *ret, struct err *err)
{
	const struct topk *t = state;
	const struct entry **list = xcalloc(t->table.n + 1, sizeof(struct entry *));
	size_t n = 0;
	(void)err;
	for (size_t i = 0; i < t->table.slot_n; i++)
		if (t->table.slots[i].data)
			list[n++] = &t->table.slots[i];
	qsort(list, n, sizeof *list, by_count);
	if (n) {
		ret->type = AGG_TEXT;
		ret->json = true;
		for (size_t i = 0; i < n && (int64_t)i < t->k; i++) {
			struct agg_value v = entry_value(list[i]);
			buf_adds(&ret->text, i ? ",{\"value\":" : "[{\"value\":");
			add_json(&ret->text, &v);
			buf_addf(&ret->text, ",\"n\":%lld}", (long long)list[i]->n);
		}
		buf_addc(&ret->text, ']');
	}
	free(list);
	return true;
}

static bool topk_merge(void *state, const void *from, struct agg_memory *memory, struct err *err)
{
	struct topk *t = state;
	const struct topk *o = from;
	(void)err;
	t->k = o->k ? o->k : t->k;
	table_merge(&t->table, &o->table, memory);
	return true;
}

static void topk_finish(void *state, struct agg_memory *memory)
{
	table_free(&((struct topk *)state)->table, memory);
}

static void topk_save(const void *state, struct buf *to)
{
	const struct topk *t = state;
	agg_put(to, &t->k, sizeof t->k);
	table_save(&t->table, to);
}

static bool topk_load(void *state, struct bytes from, struct agg_memory *memory, struct err *err)
{
	struct agg_reader r = agg_read_begin(from);
	struct topk *t = state;
	agg_read(&r, &t->k, sizeof t->k);
	r.bad = r.bad || t->k < 0 || t->k > 10000;
	if (!r.bad)
		table_load(&t->table, &r, memory);
	return agg_read_end(&r, "topk", err);
}

const struct aggregate agg_sets[] = {
	{.name = "approx_count_distinct", .args_min = 1, .args_max = 1, .signature = "approx_count_distinct(x) -> INTEGER", .help = "number of different values: exact up to 256, then within about 2 %",
		.state_size = sizeof(struct hll), .step = hll_step, .merge = hll_merge, .final = hll_final, .save = hll_save, .load = hll_load, .finish = hll_finish},
	{.name = "topk", .args_min = 2, .args_max = 2, .signature = "topk(x, k) -> JSON", .help = "the k most frequent values with their counts", .state_size = sizeof(struct topk), .step = topk_step,
		.merge = topk_merge, .final = topk_final, .save = topk_save, .load = topk_load, .finish = topk_finish},
	{.name = NULL},
};
