/* Points in time, for the aggregates that need their order: kept as they come, sorted when somebody asks. */
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/aggregate/agg_impl.h"

static struct agg_at place_of(const struct agg_point *p)
{
	return (struct agg_at){.ts_ms = p->ts_ms, .offset = p->offset, .partition = p->partition, .index = p->index};
}

static int by_place(const void *pa, const void *pb)
{
	struct agg_at a = place_of(pa), b = place_of(pb);
	return agg_at_compare(&a, &b);
}

static void add(struct agg_points *p, struct agg_point point, struct agg_memory *memory)
{
	p->list = agg_grow(p->list, p->n, &p->cap, sizeof *p->list, memory);
	/* Equal times are settled by sorting, too. */
	if (p->n && p->list[p->n - 1].ts_ms >= point.ts_ms)
		p->unsorted = true;
	p->list[p->n++] = point;
}

static struct agg_point point_at(int64_t ts_ms, const struct agg_at *at)
{
	return (struct agg_point){.ts_ms = ts_ms, .offset = at->offset, .partition = at->partition, .index = at->index};
}

void agg_points_add(struct agg_points *p, int64_t ts_ms, const struct agg_at *at, double d, struct agg_memory *memory)
{
	struct agg_point point = point_at(ts_ms, at);
	point.u.d = d;
	add(p, point, memory);
}

void agg_points_add_hash(struct agg_points *p, int64_t ts_ms, const struct agg_at *at, uint64_t hash, struct agg_memory *memory)
{
	struct agg_point point = point_at(ts_ms, at);
	point.u.hash = hash;
	add(p, point, memory);
}

void agg_points_sort(const struct agg_points *points)
{
	struct agg_points *p = (struct agg_points *)(uintptr_t)points;
	if (!p->unsorted)
		return;
	qsort(p->list, p->n, sizeof *p->list, by_place);
	size_t kept = 0;
	for (size_t i = 0; i < p->n; i++) {
		if (kept && p->list[kept - 1].ts_ms == p->list[i].ts_ms)
			kept--;
		p->list[kept++] = p->list[i];
	}
	p->n = kept;
	p->unsorted = false;
}

void agg_points_merge(struct agg_points *p, const struct agg_points *other, struct agg_memory *memory)
{
	for (size_t i = 0; i < other->n; i++)
		add(p, other->list[i], memory);
}

void agg_points_free(struct agg_points *p, struct agg_memory *memory)
{
	memory->bytes -= (int64_t)(p->cap * sizeof *p->list);
	free(p->list);
	*p = (struct agg_points){.list = NULL};
}

void agg_points_save(const struct agg_points *p, struct buf *to)
{
	uint64_t n = p->n;
	agg_points_sort(p);
	n = p->n;
	agg_put(to, &n, sizeof n);
	agg_put(to, p->list, p->n * sizeof *p->list);
}

bool agg_points_load(struct agg_points *p, struct agg_reader *r, struct agg_memory *memory)
{
	uint64_t n = 0;
	agg_read(r, &n, sizeof n);
	if (r->bad || n > (size_t)(r->end - r->p) / sizeof *p->list) {
		r->bad = true;
		return false;
	}
	for (uint64_t i = 0; i < n; i++) {
		struct agg_point point;
		agg_read(r, &point, sizeof point);
		add(p, point, memory);
	}
	return !r->bad;
}
