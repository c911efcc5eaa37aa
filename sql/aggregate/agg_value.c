/* Values: order, equality, numbers, sums, keeping and saving. */
#include "sql/aggregate/agg_impl.h"

#include <math.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "vtab/sqlite.h"

int agg_at_compare(const struct agg_at *a, const struct agg_at *b)
{
	if (a->ts_ms != b->ts_ms)
		return a->ts_ms < b->ts_ms ? -1 : 1;
	if (a->partition != b->partition)
		return a->partition < b->partition ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* ---- order and equality ---- */

static int compare_int_real(int64_t i, double d)
{
	if (d >= 9223372036854775808.0)
		return -1;
	if (d < -9223372036854775808.0)
		return 1;
	int64_t whole = (int64_t)d;
	if (i != whole)
		return i < whole ? -1 : 1;
	double rest = d - (double)whole;
	return rest > 0 ? -1 : rest < 0;
}

static int compare_bytes(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.data, b.data, n) : 0;
	return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

int agg_value_compare(const struct agg_value *a, const struct agg_value *b)
{
	static const int rank[] = {[AGG_NULL] = 0, [AGG_INTEGER] = 1, [AGG_REAL] = 1, [AGG_TEXT] = 2, [AGG_BLOB] = 3};
	if (rank[a->type] != rank[b->type])
		return rank[a->type] < rank[b->type] ? -1 : 1;
	switch (a->type) {
	case AGG_NULL:
		return 0;
	case AGG_INTEGER:
		if (b->type == AGG_REAL)
			return compare_int_real(a->i, b->d);
		return a->i < b->i ? -1 : a->i > b->i;
	case AGG_REAL:
		if (b->type == AGG_INTEGER)
			return -compare_int_real(b->i, a->d);
		return a->d < b->d ? -1 : a->d > b->d;
	case AGG_TEXT:
	case AGG_BLOB:
		break;
	}
	return compare_bytes(a->bytes, b->bytes);
}

void agg_value_encode(const struct agg_value *v, struct buf *to)
{
	struct agg_value whole = *v;
	/* 1.0 equals 1; -0.0 equals 0. */
	if (v->type == AGG_REAL && v->d >= -9223372036854775808.0 && v->d < 9223372036854775808.0 && v->d == floor(v->d))
		whole = (struct agg_value){.type = AGG_INTEGER, .i = (int64_t)v->d};
	agg_put_value(to, &whole);
}

/* ---- numbers ---- */

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The longest number that the text begins with. *ret_all: nothing but blanks is left. False: it begins with none. */
static bool parse_prefix(struct bytes b, struct agg_number *ret, bool *ret_all)
{
	size_t i = 0, from, digits = 0;
	bool whole = true;
	while (i < b.len && is_space(b.data[i]))
		i++;
	from = i;
	if (i < b.len && (b.data[i] == '+' || b.data[i] == '-'))
		i++;
	for (; i < b.len && b.data[i] >= '0' && b.data[i] <= '9'; i++)
		digits++;
	if (i < b.len && b.data[i] == '.') {
		size_t k = i + 1, fraction = 0;
		for (; k < b.len && b.data[k] >= '0' && b.data[k] <= '9'; k++)
			fraction++;
		if (digits + fraction) {
			digits += fraction;
			whole = false;
			i = k;
		}
	}
	if (!digits)
		return false;
	if (i < b.len && (b.data[i] | 32) == 'e') {
		size_t k = i + 1, exponent = 0;
		if (k < b.len && (b.data[k] == '+' || b.data[k] == '-'))
			k++;
		for (; k < b.len && b.data[k] >= '0' && b.data[k] <= '9'; k++)
			exponent++;
		if (exponent) {
			whole = false;
			i = k;
		}
	}
	char *text = xstrndup((const char *)b.data + from, i - from), *end = NULL;
	*ret = (struct agg_number){.d = strtod(text, &end)};
	if (whole) {
		struct agg_value check = {.type = AGG_REAL, .d = ret->d};
		long long n = strtoll(text, NULL, 10);
		/* strtoll saturates: an integer beyond 64 bits is a REAL. */
		ret->is_integer = (n != INT64_MAX && n != INT64_MIN) || compare_int_real(n, check.d) == 0;
		ret->i = n;
		if (ret->is_integer)
			ret->d = (double)n;
	}
	free(text);
	while (i < b.len && is_space(b.data[i]))
		i++;
	*ret_all = i == b.len;
	return true;
}

static bool plain_number(const struct agg_value *v, struct agg_number *ret)
{
	if (v->type == AGG_INTEGER)
		*ret = (struct agg_number){true, v->i, (double)v->i};
	else if (v->type == AGG_REAL)
		*ret = (struct agg_number){false, 0, v->d};
	return v->type == AGG_INTEGER || v->type == AGG_REAL;
}

bool agg_number_sqlite(const struct agg_value *v, struct agg_number *ret)
{
	bool all = false;
	if (v->type == AGG_NULL)
		return false;
	if (plain_number(v, ret))
		return true;
	if (!parse_prefix(v->bytes, ret, &all))
		*ret = (struct agg_number){.d = 0};
	if (!all || v->type == AGG_BLOB)
		ret->is_integer = false;
	return true;
}

bool agg_number_strict(const struct agg_value *v, struct agg_number *ret)
{
	bool all = false;
	return plain_number(v, ret) || (v->type == AGG_TEXT && parse_prefix(v->bytes, ret, &all) && all);
}

/* ---- sums ---- */

static struct agg_sum two_sum(double a, double b)
{
	double s = a + b, bb = s - a;
	return (struct agg_sum){s, (a - (s - bb)) + (b - bb)};
}

static struct agg_sum two_product(double a, double b)
{
	static const double split = 134217729.0;      /* 2^27 + 1 */
	double p = a * b, ca = split * a, cb = split * b;
	double ah = ca - (ca - a), bh = cb - (cb - b), al = a - ah, bl = b - bh;
	return (struct agg_sum){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

static struct agg_sum add(struct agg_sum a, struct agg_sum b)
{
	struct agg_sum s = two_sum(a.hi, b.hi), t = two_sum(a.lo, b.lo);
	if (!isfinite(s.hi))
		return (struct agg_sum){s.hi, 0};
	s = two_sum(s.hi, s.lo + t.hi);
	return two_sum(s.hi, s.lo + t.lo);
}

void agg_sum_add(struct agg_sum *s, double x)
{
	struct agg_sum t = two_sum(s->hi, x);
	if (!isfinite(t.hi)) {
		*s = (struct agg_sum){t.hi, 0};
		return;
	}
	t.lo += s->lo;
	double hi = t.hi + t.lo;
	*s = (struct agg_sum){hi, t.lo - (hi - t.hi)};
}

void agg_sum_add_product(struct agg_sum *s, double x, double y)
{
	struct agg_sum p = two_product(x, y);
	if (!isfinite(p.hi) || !isfinite(p.lo))
		p = (struct agg_sum){x * y, 0};
	*s = add(*s, p);
}

void agg_sum_merge(struct agg_sum *s, const struct agg_sum *other)
{
	*s = add(*s, *other);
}

struct agg_sum agg_sum_times(struct agg_sum a, struct agg_sum b)
{
	struct agg_sum p = two_product(a.hi, b.hi);
	p.lo += a.hi * b.lo + a.lo * b.hi;
	return two_sum(p.hi, p.lo);
}

struct agg_sum agg_sum_minus(struct agg_sum a, struct agg_sum b)
{
	return add(a, (struct agg_sum){-b.hi, -b.lo});
}

struct agg_sum agg_sum_over(struct agg_sum a, double b)
{
	double q = a.hi / b;
	struct agg_sum r = agg_sum_minus(a, two_product(q, b));
	return two_sum(q, r.hi / b);
}

/* ---- kept values ---- */

void agg_kept_free(struct agg_kept *k, struct agg_memory *memory)
{
	if (k->type == AGG_TEXT || k->type == AGG_BLOB) {
		memory->bytes -= (int64_t)k->len + 1;
		free(k->u.data);
	}
	*k = (struct agg_kept){.type = AGG_NULL};
}

void agg_kept_set(struct agg_kept *k, const struct agg_value *v, struct agg_memory *memory)
{
	struct agg_kept fresh = {.type = v->type};
	switch (v->type) {
	case AGG_NULL:
		break;
	case AGG_INTEGER:
		fresh.u.i = v->i;
		break;
	case AGG_REAL:
		fresh.u.d = v->d;
		break;
	case AGG_TEXT:
	case AGG_BLOB:
		fresh.len = v->bytes.len;
		fresh.u.data = xmalloc(fresh.len + 1);
		if (fresh.len)
			memcpy(fresh.u.data, v->bytes.data, fresh.len);
		memory->bytes += (int64_t)fresh.len + 1;
		break;
	}
	agg_kept_free(k, memory);
	*k = fresh;
}

struct agg_value agg_kept_value(const struct agg_kept *k)
{
	struct agg_value v = {.type = k->type};
	if (k->type == AGG_INTEGER)
		v.i = k->u.i;
	else if (k->type == AGG_REAL)
		v.d = k->u.d;
	else if (k->type != AGG_NULL)
		v.bytes = bytes_of(k->u.data, k->len);
	return v;
}

void agg_kept_result(const struct agg_kept *k, struct agg_result *ret)
{
	struct agg_value v = agg_kept_value(k);
	ret->type = v.type;
	ret->i = v.i;
	ret->d = v.d;
	if (v.type == AGG_TEXT || v.type == AGG_BLOB)
		buf_add(&ret->text, v.bytes.data, v.bytes.len);
}

void agg_result_text(const struct agg_value *v, struct buf *to)
{
	char text[64];
	switch (v->type) {
	case AGG_NULL:
		break;
	case AGG_INTEGER:
		buf_addf(to, "%lld", (long long)v->i);
		break;
	case AGG_REAL:
		sqlite3_snprintf(sizeof text, text, "%!.15g", v->d);
		buf_adds(to, text);
		break;
	case AGG_TEXT:
	case AGG_BLOB:
		buf_add(to, v->bytes.data, v->bytes.len);
		break;
	}
}

/* ---- arrays, saving ---- */

void *agg_grow(void *list, size_t n, size_t *cap, size_t item_bytes, struct agg_memory *memory)
{
	if (n < *cap)
		return list;
	size_t more = *cap ? 2 * *cap : 4;
	list = xreallocarray(list, more, item_bytes);
	memory->bytes += (int64_t)((more - *cap) * item_bytes);
	*cap = more;
	return list;
}

void agg_put(struct buf *to, const void *data, size_t n)
{
	buf_add(to, data, n);
}

void agg_put_value(struct buf *to, const struct agg_value *v)
{
	uint8_t type = (uint8_t)v->type;
	uint32_t len = (uint32_t)v->bytes.len;
	agg_put(to, &type, 1);
	switch (v->type) {
	case AGG_NULL:
		break;
	case AGG_INTEGER:
		agg_put(to, &v->i, sizeof v->i);
		break;
	case AGG_REAL:
		agg_put(to, &v->d, sizeof v->d);
		break;
	case AGG_TEXT:
	case AGG_BLOB:
		agg_put(to, &len, sizeof len);
		agg_put(to, v->bytes.data, len);
		break;
	}
}

struct agg_value agg_read_value(struct agg_reader *r)
{
	uint8_t type = 0;
	uint32_t len = 0;
	struct agg_value v = {.type = AGG_NULL};
	agg_read(r, &type, 1);
	switch (type) {
	case AGG_NULL:
		break;
	case AGG_INTEGER:
		v.type = AGG_INTEGER;
		agg_read(r, &v.i, sizeof v.i);
		break;
	case AGG_REAL:
		v.type = AGG_REAL;
		agg_read(r, &v.d, sizeof v.d);
		r->bad = r->bad || isnan(v.d);
		break;
	case AGG_TEXT:
	case AGG_BLOB:
		agg_read(r, &len, sizeof len);
		if (r->bad || (size_t)(r->end - r->p) < len) {
			r->bad = true;
			break;
		}
		v.type = type == AGG_TEXT ? AGG_TEXT : AGG_BLOB;
		v.bytes = bytes_of(r->p, len);
		r->p += len;
		break;
	default:
		r->bad = true;
		break;
	}
	return v;
}

void agg_put_at(struct buf *to, const struct agg_at *at)
{
	agg_put(to, &at->ts_ms, sizeof at->ts_ms);
	agg_put(to, &at->offset, sizeof at->offset);
	agg_put(to, &at->partition, sizeof at->partition);
	agg_put(to, &at->index, sizeof at->index);
}

struct agg_at agg_read_at(struct agg_reader *r)
{
	struct agg_at at;
	agg_read(r, &at.ts_ms, sizeof at.ts_ms);
	agg_read(r, &at.offset, sizeof at.offset);
	agg_read(r, &at.partition, sizeof at.partition);
	agg_read(r, &at.index, sizeof at.index);
	return at;
}

bool agg_damaged(const char *name, struct err *err)
{
	return err_set(err, ERR_STATE, "a saved state of %s is damaged", name);
}

bool agg_read_end(const struct agg_reader *r, const char *name, struct err *err)
{
	return (!r->bad && r->p == r->end) || agg_damaged(name, err);
}
