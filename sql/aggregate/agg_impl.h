/* What the files of sql/aggregate/ share: numbers, compensated sums, kept values, points in time, and the reading side of save(). */
#ifndef WEIR_SQL_AGG_IMPL_H
#define WEIR_SQL_AGG_IMPL_H

#include <string.h>
#include "sql/aggregate/aggregate.h"

/* ---- numbers ---- */

struct agg_number {
	bool is_integer;
	int64_t i;
	double d;                            /* of integers, too */
};
/* As SQLite's sum() takes a value: numbers, text that is one, else the number that text begins with (0.0 if none). False: NULL. */
bool agg_number_sqlite(const struct agg_value *v, struct agg_number *ret);
/* Numbers, and text that is one. False: anything else. */
bool agg_number_strict(const struct agg_value *v, struct agg_number *ret);

/* ---- sums whose rounded result does not depend on the order: double-double, 106 bits (Knuth's TwoSum, Dekker's product) ---- */

struct agg_sum {
	double hi, lo;
};
void agg_sum_add(struct agg_sum *s, double x);
void agg_sum_add_product(struct agg_sum *s, double x, double y);
void agg_sum_merge(struct agg_sum *s, const struct agg_sum *other);
struct agg_sum agg_sum_times(struct agg_sum a, struct agg_sum b);
struct agg_sum agg_sum_minus(struct agg_sum a, struct agg_sum b);
struct agg_sum agg_sum_over(struct agg_sum a, double b);
static inline double agg_sum_value(const struct agg_sum *s)
{
	return s->hi + s->lo;
}

/* ---- one value kept on the heap ---- */

struct agg_kept {
	enum agg_type type;
	union {
		int64_t i;
		double d;
		uint8_t *data;               /* TEXT, BLOB */
	} u;
	size_t len;
};
void agg_kept_set(struct agg_kept *k, const struct agg_value *v, struct agg_memory *memory);      /* gives the old one back */
void agg_kept_free(struct agg_kept *k, struct agg_memory *memory);
struct agg_value agg_kept_value(const struct agg_kept *k);
void agg_kept_result(const struct agg_kept *k, struct agg_result *ret);
void agg_result_text(const struct agg_value *v, struct buf *to);      /* as SQLite turns a value into text */

/* ---- points: (time, place, value), sorted when they are asked for ---- */

struct agg_point {
	int64_t ts_ms;
	int64_t offset;
	int32_t partition, index;            /* partition, offset, index: of equal times the last one counts */
	union {
		double d;
		uint64_t hash;
	} u;
};
struct agg_points {
	struct agg_point *list;
	size_t n, cap;
	bool unsorted;
};
void agg_points_add(struct agg_points *p, int64_t ts_ms, const struct agg_at *at, double d, struct agg_memory *memory);
void agg_points_add_hash(struct agg_points *p, int64_t ts_ms, const struct agg_at *at, uint64_t hash, struct agg_memory *memory);
/* Sorted, and of equal times only the last. Logically const. */
void agg_points_sort(const struct agg_points *p);
void agg_points_merge(struct agg_points *p, const struct agg_points *other, struct agg_memory *memory);
void agg_points_free(struct agg_points *p, struct agg_memory *memory);
void agg_points_save(const struct agg_points *p, struct buf *to);

/* ---- growing arrays, counted ---- */

void *agg_grow(void *list, size_t n, size_t *cap, size_t item_bytes, struct agg_memory *memory);      /* room for one more */

/* ---- save and load ---- */

struct agg_reader {
	const uint8_t *p, *end;
	bool bad;
};
static inline struct agg_reader agg_read_begin(struct bytes b)
{
	return (struct agg_reader){b.data, b.data ? b.data + b.len : b.data, false};
}
static inline void agg_read(struct agg_reader *r, void *to, size_t n)
{
	if (r->bad || (size_t)(r->end - r->p) < n) {
		r->bad = true;
		memset(to, 0, n);
		return;
	}
	memcpy(to, r->p, n);
	r->p += n;
}
bool agg_read_end(const struct agg_reader *r, const char *name, struct err *err);       /* ERR_STATE if anything is missing or left over */
bool agg_damaged(const char *name, struct err *err);                                     /* ERR_STATE; false */
void agg_put(struct buf *to, const void *data, size_t n);
void agg_put_value(struct buf *to, const struct agg_value *v);
struct agg_value agg_read_value(struct agg_reader *r);                                  /* bytes are borrowed from the input */
void agg_put_at(struct buf *to, const struct agg_at *at);
struct agg_at agg_read_at(struct agg_reader *r);
bool agg_points_load(struct agg_points *p, struct agg_reader *r, struct agg_memory *memory);

/* States that are plain data (without padding): saved as they are. type_sane says whether steps can have made one; a count of rows is one of these. */
static inline bool agg_count_sane(int64_t n)
{
	return n >= 0 && n <= (int64_t)1 << 56;
}
#define AGG_PLAIN(type)                                                                                               \
	static void save_##type(const void *state, struct buf *to)                                                    \
	{                                                                                                             \
		agg_put(to, state, sizeof(struct type));                                                              \
	}                                                                                                             \
	static bool load_##type(void *state, struct bytes from, struct agg_memory *memory, struct err *err)           \
	{                                                                                                             \
		struct agg_reader r = agg_read_begin(from);                                                           \
		(void)memory;                                                                                         \
		agg_read(&r, state, sizeof(struct type));                                                             \
		return agg_read_end(&r, #type, err) && (type##_sane(state) || agg_damaged(#type, err));               \
	}

/* Each file's table; NULL name at its end. */
extern const struct aggregate agg_basic[], agg_order[], agg_stats[], agg_quantiles[], agg_sets[], agg_spark[], agg_time[];

#endif
