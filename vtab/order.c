/* vtab/order.h. A lane per partition. When a lane runs out of records, the next piece of every lane that is out is read with one scan; its
 * width grows fourfold each time. A piece may hold more records than PIECE_MAX (after a hole, a wide piece can meet a dense stretch): then
 * only those nearest to the wanted end are kept, and the rest counts as unread. */
#include "vtab/order.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "vtab/scan.h"

enum {
	FIRST_WIDTH = 16,                    /* offsets, when no LIMIT says better */
	WIDTH_GROWTH = 4,
	PIECE_MAX = 65536,                   /* records of one lane in memory */
	PIECE_MAX_BYTES = 16 << 20,          /* payload of one lane in memory */
};

void order_init(struct order_merge *m, struct module *module, const char *cluster, const struct scan_request *request, struct plan_order order, int64_t row_hint)
{
	*m = (struct order_merge){.module = module, .cluster = cluster, .request = *request, .order = order};
	m->lanes = xcalloc(request->range_n, sizeof *m->lanes);
	m->lane_n = request->range_n;
	m->heap = xreallocarray(NULL, request->range_n, sizeof *m->heap);
	for (size_t i = 0; i < request->range_n; i++) {
		/* Partition order walks the lanes in turn, from the wanted end. */
		const struct scan_range *r = &request->ranges[order.partition < 0 ? request->range_n - 1 - i : i];
		m->lanes[i] = (struct lane){.partition = r->partition, .lo = r->start, .hi = r->end, .width = row_hint > 0 && row_hint < PIECE_MAX ? row_hint : row_hint ? PIECE_MAX : FIRST_WIDTH};
	}
	m->request.ranges = NULL;
	m->request.range_n = 0;
}

static int offset_direction(const struct order_merge *m)
{
	return m->order.offset ? m->order.offset : m->order.ts ? m->order.ts : 1;
}

static void lane_clear(struct lane *l)
{
	for (size_t i = 0; i < l->batch_n; i++)
		batch_unref(l->batches[i]);
	l->batch_n = 0;
	l->record_n = 0;
	l->record_i = 0;
}

static size_t batch_bytes(const struct batch *b)
{
	return b->block_used;
}

/* Keeps one batch in its lane; over the limit, drops the far ones. Batches of a lane arrive in rising order. */
static void lane_add(struct lane *l, struct batch *b, int direction)
{
	size_t records = 0, bytes = 0;
	for (size_t i = 0; i < l->batch_n; i++) {
		records += l->batches[i]->record_n;
		bytes += batch_bytes(l->batches[i]);
	}
	bool full = records >= PIECE_MAX || bytes >= PIECE_MAX_BYTES;
	if (full && direction > 0) {
		batch_unref(b);              /* stays unread: lane_seal moves lo behind the last one kept */
		return;
	}
	if (full) {
		batch_unref(l->batches[0]);
		l->batch_n--;
		memmove(l->batches, l->batches + 1, l->batch_n * sizeof *l->batches);
	}
	l->batches = xreallocarray(l->batches, l->batch_n + 1, sizeof *l->batches);
	l->batches[l->batch_n++] = b;
}

/* The piece [from, to) was read: lists its records in the order wanted, and says what is still unread. */
static void lane_seal(struct lane *l, int64_t from, int64_t to, bool dropped, int direction)
{
	size_t n = 0;
	for (size_t i = 0; i < l->batch_n; i++)
		n += l->batches[i]->record_n;
	l->records = xreallocarray(l->records, n, sizeof *l->records);
	l->record_batches = xreallocarray(l->record_batches, n, sizeof *l->record_batches);
	for (size_t i = 0; i < l->batch_n; i++) {
		struct batch *b = l->batches[i];
		for (size_t k = 0; k < b->record_n; k++) {
			size_t at = direction > 0 ? l->record_n : n - 1 - l->record_n;
			l->records[at] = &b->records[k];
			l->record_batches[at] = b;
			l->record_n++;
		}
	}
	if (direction > 0)
		l->lo = dropped && n ? l->records[n - 1]->offset + 1 : to;
	else
		l->hi = dropped && n ? l->records[n - 1]->offset : from;
	l->width = l->width > INT64_MAX / WIDTH_GROWTH ? INT64_MAX : l->width * WIDTH_GROWTH;
}

static bool lane_is_out(const struct order_merge *m, size_t i)
{
	const struct lane *l = &m->lanes[i];
	return l->record_i == l->record_n && l->lo < l->hi && (!m->order.partition || i == m->turn);
}

/* Reads the next piece of all lanes that are out. */
static bool refill(struct order_merge *m, bool *ret_any, struct err *err)
{
	int direction = offset_direction(m);
	struct provider *p = m->module->provider;
	struct scan_range *ranges = xreallocarray(NULL, m->lane_n, sizeof *ranges);
	size_t *lane_of = xreallocarray(NULL, m->lane_n, sizeof *lane_of);
	bool *dropped = xcalloc(m->lane_n, sizeof *dropped);
	size_t n = 0;
	for (size_t i = 0; i < m->lane_n; i++) {
		struct lane *l = &m->lanes[i];
		if (!lane_is_out(m, i))
			continue;
		lane_clear(l);
		int64_t width = l->hi - l->lo < l->width ? l->hi - l->lo : l->width;
		lane_of[n] = i;
		ranges[n++] = direction > 0 ? (struct scan_range){l->partition, l->lo, l->lo + width} : (struct scan_range){l->partition, l->hi - width, l->hi};
	}
	*ret_any = n > 0;
	bool ok = true;
	if (n == 0)
		goto out;
	struct scan_request request = m->request;
	request.ranges = ranges;
	request.range_n = n;
	request.order = SCAN_ORDER_ANY;
	request.row_hint = 0;
	for (size_t i = 0; i < n; i++)
		request.row_hint += ranges[i].end - ranges[i].start < INT32_MAX ? ranges[i].end - ranges[i].start : INT32_MAX;
	struct source *source = NULL;
	ok = scan_open(m->module, m->cluster, &request, &source, err);
	struct scan_stats seen = {0};
	while (ok) {
		struct batch *b = NULL;
		enum source_status status = source_next(source, 100, &b, err);
		stats_add(p, source, &seen);
		if (status == SOURCE_END)
			break;
		ok = status != SOURCE_ERROR && cancel_check(p->cancel, err);
		if (status != SOURCE_BATCH)
			continue;
		for (size_t i = 0; i < n; i++) {
			struct lane *l = &m->lanes[lane_of[i]];
			if (l->partition != b->partition)
				continue;
			size_t before = l->batch_n;
			lane_add(l, b, direction);
			dropped[i] = dropped[i] || l->batch_n == before;
			b = NULL;
			break;
		}
		batch_unref(b);
	}
	source_destroy(source);
	for (size_t i = 0; ok && i < n; i++)
		lane_seal(&m->lanes[lane_of[i]], ranges[i].start, ranges[i].end, dropped[i], direction);
out:
	free(ranges);
	free(lane_of);
	free(dropped);
	return ok;
}

/* Does lane a's record come before lane b's? */
static bool before(const struct order_merge *m, size_t a, size_t b)
{
	const struct lane *la = &m->lanes[a], *lb = &m->lanes[b];
	const struct record *ra = la->records[la->record_i], *rb = lb->records[lb->record_i];
	int64_t x = m->order.ts ? ra->ts_ms : ra->offset;
	int64_t y = m->order.ts ? rb->ts_ms : rb->offset;
	if (x != y)
		return offset_direction(m) > 0 ? x < y : x > y;
	return a < b;
}

static void heap_down(struct order_merge *m, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= m->heap_n)
			return;
		if (child + 1 < m->heap_n && before(m, m->heap[child + 1], m->heap[child]))
			child++;
		if (!before(m, m->heap[child], m->heap[i]))
			return;
		size_t swap = m->heap[i];
		m->heap[i] = m->heap[child];
		m->heap[child] = swap;
		i = child;
	}
}

static void heap_build(struct order_merge *m)
{
	m->heap_n = 0;
	for (size_t i = 0; i < m->lane_n; i++)
		if (m->lanes[i].record_i < m->lanes[i].record_n)
			m->heap[m->heap_n++] = i;
	for (size_t i = m->heap_n; i-- > 0;)
		heap_down(m, i);
}

/* True when no lane is out that has unread offsets. */
static bool fill_until_ready(struct order_merge *m, struct err *err)
{
	for (;;) {
		bool any;
		if (!refill(m, &any, err))
			return false;
		if (!any)
			break;
	}
	heap_build(m);
	return true;
}

bool order_next(struct order_merge *m, struct batch **ret_batch, const struct record **ret_record, struct err *err)
{
	*ret_record = NULL;
	if (m->order.partition) {
		if (m->started && m->turn < m->lane_n)
			m->lanes[m->turn].record_i++;
		m->started = true;
		for (; m->turn < m->lane_n; m->turn++) {
			struct lane *l = &m->lanes[m->turn];
			while (l->record_i >= l->record_n && l->lo < l->hi) {
				bool any;
				l->record_i = l->record_n;
				if (!refill(m, &any, err))
					return false;
			}
			if (l->record_i < l->record_n) {
				*ret_record = l->records[l->record_i];
				*ret_batch = l->record_batches[l->record_i];
				return true;
			}
			lane_clear(l);
		}
		return true;
	}
	if (!m->started) {
		m->started = true;
		if (!fill_until_ready(m, err))
			return false;
	} else if (m->heap_n) {
		struct lane *l = &m->lanes[m->heap[0]];
		l->record_i++;
		if (l->record_i < l->record_n) {
			heap_down(m, 0);
		} else if (l->lo < l->hi) {
			if (!fill_until_ready(m, err))
				return false;
		} else {
			lane_clear(l);
			m->heap[0] = m->heap[--m->heap_n];
			heap_down(m, 0);
		}
	}
	if (m->heap_n) {
		struct lane *l = &m->lanes[m->heap[0]];
		*ret_record = l->records[l->record_i];
		*ret_batch = l->record_batches[l->record_i];
	}
	return true;
}

void order_finish(struct order_merge *m)
{
	for (size_t i = 0; i < m->lane_n; i++) {
		lane_clear(&m->lanes[i]);
		free(m->lanes[i].batches);
		free(m->lanes[i].records);
		free(m->lanes[i].record_batches);
	}
	free(m->lanes);
	free(m->heap);
	*m = (struct order_merge){0};
}
