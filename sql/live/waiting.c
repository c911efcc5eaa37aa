/* sql/live/waiting.h: an array sorted when rows are taken. Rows come nearly in order, so what is new is sorted by itself and merged. */
#include "sql/live/waiting.h"

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"

struct header {
	size_t len;                          /* of the whole block */
};

bool waiting_add(struct waiting *w, const struct agg_at *at, const struct agg_value *values, int n)
{
	size_t len = sizeof(struct header) + (size_t)n * sizeof *values;
	for (int i = 0; i < n; i++)
		len += values[i].type == AGG_TEXT || values[i].type == AGG_BLOB ? values[i].bytes.len : 0;
	uint8_t *data = malloc(len);
	if (!data)
		return false;
	struct agg_value *copy = (struct agg_value *)(void *)(data + sizeof(struct header));
	uint8_t *heap = data + sizeof(struct header) + (size_t)n * sizeof *values;
	memcpy(data, &(struct header){len}, sizeof(struct header));
	for (int i = 0; i < n; i++) {
		copy[i] = values[i];
		if (values[i].type == AGG_TEXT || values[i].type == AGG_BLOB) {
			if (values[i].bytes.len)
				memcpy(heap, values[i].bytes.data, values[i].bytes.len);
			copy[i].bytes.data = heap;
			heap += values[i].bytes.len;
		}
	}
	if (w->row_n == w->row_cap) {
		w->row_cap = w->row_cap ? 2 * w->row_cap : 64;
		w->rows = xreallocarray(w->rows, w->row_cap, sizeof *w->rows);
	}
	w->rows[w->row_n++] = (struct waiting_row){.at = *at, .data = data};
	w->bytes += (int64_t)(len + sizeof *w->rows);
	return true;
}

static int by_at(const void *a, const void *b)
{
	return agg_at_compare(&((const struct waiting_row *)a)->at, &((const struct waiting_row *)b)->at);
}

/* Sorts what was added since and merges it into the sorted part. */
static void sort_all(struct waiting *w)
{
	size_t n = w->row_n - w->sorted_n;
	if (!n)
		return;
	struct waiting_row *fresh = w->rows + w->sorted_n;
	qsort(fresh, n, sizeof *fresh, by_at);
	if (w->sorted_n > w->taken_n && by_at(&w->rows[w->sorted_n - 1], fresh) > 0) {
		struct waiting_row *copy = xreallocarray(NULL, n, sizeof *copy);
		memcpy(copy, fresh, n * sizeof *copy);
		size_t i = w->sorted_n, k = n, to = w->row_n;
		while (k) {
			bool old = i > w->taken_n && by_at(&w->rows[i - 1], &copy[k - 1]) > 0;
			w->rows[--to] = old ? w->rows[--i] : copy[--k];
		}
		free(copy);
	}
	w->sorted_n = w->row_n;
}

bool waiting_next(struct waiting *w, int64_t watermark_ms, struct waiting_row *ret)
{
	sort_all(w);
	if (w->taken_n == w->row_n || (watermark_ms != INT64_MAX && w->rows[w->taken_n].at.ts_ms >= watermark_ms))
		return false;
	*ret = w->rows[w->taken_n];
	w->rows[w->taken_n++].data = NULL;
	return true;
}

void waiting_values(const struct waiting_row *row, struct agg_value *values, int n)
{
	memcpy(values, row->data + sizeof(struct header), (size_t)n * sizeof *values);
}

void waiting_free(struct waiting *w, struct waiting_row *row)
{
	struct header h;
	if (!row->data)
		return;
	memcpy(&h, row->data, sizeof h);
	w->bytes -= (int64_t)(h.len + sizeof *w->rows);
	free(row->data);
	row->data = NULL;
}

void waiting_compact(struct waiting *w)
{
	size_t from = w->taken_n;
	if (!w->rows || (from < w->row_n && from < w->row_n / 2))
		return;                      /* none, or not worth moving them */
	memmove(w->rows, w->rows + from, (w->row_n - from) * sizeof *w->rows);
	w->row_n -= from;
	w->sorted_n -= from;
	w->taken_n = 0;
	if (!w->row_n) {
		free(w->rows);
		*w = (struct waiting){0};
	}
}

void waiting_finish(struct waiting *w)
{
	for (size_t i = 0; i < w->row_n; i++)
		free(w->rows[i].data);
	free(w->rows);
	*w = (struct waiting){0};
}
