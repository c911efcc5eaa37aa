/* vtab/changelog.h. While reading, an open-addressing table maps key bytes to the last record; tombstones stay in it until the end, because a
 * key that moved between partitions (partitions were added) is decided by time, not by the order of arrival. Then the live rows are
 * sorted by (partition, offset) and the table maps keys to their positions. */
#include "vtab/changelog.h"

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/hash.h"
#include "vtab/follow.h"
#include "vtab/scan.h"

struct changelog {
	int refs;
	struct changelog_row *rows;
	size_t row_n, row_cap;
	uint32_t *slots;                     /* row + 1; 0 = free */
	size_t slot_n;                       /* a power of two */
	size_t key_n;                        /* slots taken */
	size_t bytes;                        /* of all blocks */
	int64_t keyless_n;                   /* records without a key: they belong to no row */
	uint32_t *older;                     /* with versions: of each row, the one before it of the same key + 1; slots lead to the newest. NULL = without */
	bool sorted;                         /* rows are in (partition, offset) order */
};

static struct bytes row_key(const struct changelog_row *r)
{
	return bytes_of(r->record.key, r->record.key_len);
}

static size_t slot_of(const struct changelog *c, struct bytes key)
{
	size_t mask = c->slot_n - 1;
	size_t i = (size_t)hash_bytes(key.data, key.len) & mask;
	while (c->slots[i] && !bytes_equal(row_key(&c->rows[c->slots[i] - 1]), key))
		i = (i + 1) & mask;
	return i;
}

static void rehash(struct changelog *c, size_t slot_n)
{
	uint32_t *old = c->slots;
	size_t old_n = c->slot_n;
	c->slots = xcalloc(slot_n, sizeof *c->slots);
	c->slot_n = slot_n;
	for (size_t i = 0; i < old_n; i++)
		if (old[i])
			c->slots[slot_of(c, row_key(&c->rows[old[i] - 1]))] = old[i];
	free(old);
}

/* The same partition decides by offset, different ones by time. */
static bool newer(const struct record *r, int32_t partition, const struct changelog_row *than)
{
	if (partition == than->partition)
		return r->offset > than->record.offset;
	if (r->ts_ms != than->record.ts_ms)
		return r->ts_ms > than->record.ts_ms;
	return partition > than->partition;
}

static bool row_set(struct changelog *c, struct changelog_row *row, const struct record *r, int32_t partition, struct err *err)
{
	size_t n = (size_t)r->key_len + r->value_len + r->headers_len;
	uint8_t *block = malloc(n ? n : 1);
	if (!block)
		return err_set(err, ERR_MEMORY, "no memory for a changelog table of %zu keys and %zu bytes", c->row_n, c->bytes);
	if (row->block)
		c->bytes -= (size_t)row->record.key_len + row->record.value_len + row->record.headers_len;
	c->bytes += n;
	free(row->block);
	row->block = block;
	row->record = *r;
	row->partition = partition;
	row->told = false;
	memcpy(block, r->key, r->key_len);
	row->record.key = block;
	row->record.value = r->value ? block + r->key_len : NULL;
	row->record.headers = r->headers ? block + r->key_len + r->value_len : NULL;
	if (r->value)
		memcpy(block + r->key_len, r->value, r->value_len);
	else
		row->record.value_len = 0;
	if (r->headers)
		memcpy(block + r->key_len + r->value_len, r->headers, r->headers_len);
	return true;
}

struct loading {
	struct changelog *log;
	const struct scan *scan;             /* only its keys; NULL = all */
};

/* Later by time, of equal times as newer() has it. */
static bool valid_later(const struct changelog_row *a, const struct changelog_row *b)
{
	return a->record.ts_ms != b->record.ts_ms ? a->record.ts_ms > b->record.ts_ms : newer(&a->record, a->partition, b);
}

static bool put(struct changelog *c, int32_t partition, const struct record *r, struct err *err)
{
	size_t slot = slot_of(c, record_key(r));
	if (c->slots[slot] && !c->older) {
		struct changelog_row *row = &c->rows[c->slots[slot] - 1];
		return !newer(r, partition, row) || row_set(c, row, r, partition, err);
	}
	if (c->row_n == UINT32_MAX - 1)
		return err_set(err, ERR_LIMIT, "a changelog table of more than %u keys", UINT32_MAX - 1);
	if (c->row_n == c->row_cap) {
		c->row_cap = c->row_cap ? 2 * c->row_cap : 64;
		c->rows = xreallocarray(c->rows, c->row_cap, sizeof *c->rows);
		if (c->older)
			c->older = xreallocarray(c->older, c->row_cap, sizeof *c->older);
	}
	c->rows[c->row_n] = (struct changelog_row){0};
	if (!row_set(c, &c->rows[c->row_n], r, partition, err))
		return false;
	uint32_t row = (uint32_t)++c->row_n;
	if (c->older) {
		uint32_t *at = &c->slots[slot];
		c->key_n += !*at;
		while (*at && valid_later(&c->rows[*at - 1], &c->rows[row - 1]))
			at = &c->older[*at - 1];
		c->older[row - 1] = *at;
		*at = row;
	} else {
		c->slots[slot] = row;
		c->key_n++;
	}
	if (2 * c->key_n > c->slot_n)
		rehash(c, 2 * c->slot_n);
	return true;
}

static bool load_record(void *arg, struct batch *b, const struct record *r, struct err *err)
{
	struct loading *l = arg;
	if (!r->key) {
		l->log->keyless_n++;
		return true;
	}
	return (l->scan && !scan_key_matches(l->scan, record_key(r))) || put(l->log, b->partition, r, err);
}

/* The last row takes the place of the removed one. */
static void drop_row(struct changelog *c, size_t slot)
{
	size_t mask = c->slot_n - 1, row = c->slots[slot] - 1, last = c->row_n - 1;
	if (row != last)
		c->slots[slot_of(c, row_key(&c->rows[last]))] = (uint32_t)(row + 1);
	c->bytes -= (size_t)c->rows[row].record.key_len + c->rows[row].record.value_len + c->rows[row].record.headers_len;
	free(c->rows[row].block);
	c->rows[row] = c->rows[last];
	c->row_n--;
	c->key_n--;
	/* Keys that were pushed behind the free slot by others move up, or they would not be found. */
	for (size_t i = (slot + 1) & mask; c->slots[i]; i = (i + 1) & mask) {
		struct bytes key = row_key(&c->rows[c->slots[i] - 1]);
		size_t home = (size_t)hash_bytes(key.data, key.len) & mask;
		if (((i - home) & mask) >= ((i - slot) & mask)) {
			c->slots[slot] = c->slots[i];
			slot = i;
		}
	}
	c->slots[slot] = 0;
}

bool changelog_apply(struct changelog *c, int32_t partition, const struct record *r, struct err *err)
{
	if (!r->key) {
		c->keyless_n++;
		return true;
	}
	c->sorted = false;
	if (r->value || r->too_large || c->older)
		return put(c, partition, r, err);
	size_t slot = slot_of(c, record_key(r));
	if (c->slots[slot] && newer(r, partition, &c->rows[c->slots[slot] - 1]))
		drop_row(c, slot);
	return true;
}

bool changelog_in_use(const struct changelog *c)
{
	return c->refs > 1;
}

static int compare_place(int32_t pa, int64_t oa, int32_t pb, int64_t ob)
{
	if (pa != pb)
		return pa < pb ? -1 : 1;
	return oa < ob ? -1 : oa > ob;
}

static int compare_rows(const void *a, const void *b)
{
	const struct changelog_row *ra = a, *rb = b;
	return compare_place(ra->partition, ra->record.offset, rb->partition, rb->record.offset);
}

static void seal(struct changelog *c)
{
	size_t kept = 0;
	for (size_t i = 0; i < c->row_n; i++) {
		/* A value too large to be read is a value all the same. */
		if (c->rows[i].record.value || c->rows[i].record.too_large)
			c->rows[kept++] = c->rows[i];
		else
			free(c->rows[i].block);
	}
	c->row_n = kept;
	if (kept)
		qsort(c->rows, kept, sizeof *c->rows, compare_rows);
	c->sorted = true;
	c->key_n = kept;
	size_t slot_n = 64;
	while (slot_n < 2 * kept)
		slot_n *= 2;
	free(c->slots);
	c->slots = xcalloc(slot_n, sizeof *c->slots);
	c->slot_n = slot_n;
	for (size_t i = 0; i < kept; i++)
		c->slots[slot_of(c, row_key(&c->rows[i]))] = (uint32_t)(i + 1);
}

static bool load(struct table *t, const struct scan *keys, bool versions, struct changelog **ret, struct err *err)
{
	struct module *m = t->module;
	struct provider *p = m->provider;
	struct scan all = {.partition = INTERVAL_ALL, .offset = INTERVAL_ALL, .rowid = INTERVAL_ALL, .ts = INTERVAL_ALL, .time_ts = INTERVAL_ALL};
	buf_init(&all.pushed);
	buf_init(&all.not_pushed);
	/* Only the keys narrow the ranges: a row is its last record, wherever that is. The keys stay owned by the scan. */
	if (keys) {
		all.keyed = true;
		all.keys = keys->keys;
		all.key_n = keys->key_n;
	}
	bool ok = scan_ranges(&all, t, err);
	struct changelog *c = xcalloc(1, sizeof *c);
	c->refs = 1;
	if (versions)
		c->older = xcalloc(1, sizeof *c->older);
	rehash(c, 64);
	struct loading loading = {c, keys};
	struct scan_request request = {
		.topic = t->stream->topic, .ranges = all.ranges, .range_n = all.range_n, .need = SCAN_NEED_KEY | SCAN_NEED_VALUE | SCAN_NEED_HEADERS,
		.max_message_bytes = p->max_message_bytes, .gap_policy = p->gap_policy, .cancel = p->cancel,
	};
	ok = ok && scan_read(m, t->stream->cluster, &request, 0, load_record, &loading, err);
	all.keys = NULL;
	all.key_n = 0;
	scan_finish(&all);
	if (!ok) {
		changelog_unref(c);
		return false;
	}
	if (!versions)
		seal(c);
	if (c->keyless_n && !keys)
		notice(m, NOTICE_WARNING, "%s: %lld messages without a key were left out (a changelog table has one row a key)", t->stream->topic, (long long)c->keyless_n);
	*ret = c;
	return true;
}

bool changelog_load(struct table *t, bool versions, struct changelog **ret, struct err *err)
{
	return load(t, NULL, versions, ret, err);
}

bool changelog_valid(const struct changelog *c, size_t i, int64_t at_ms, size_t *ret)
{
	uint32_t row = c->slots[i];
	while (row && c->rows[row - 1].record.ts_ms > at_ms)
		row = c->older[row - 1];
	if (!row || (!c->rows[row - 1].record.value && !c->rows[row - 1].record.too_large))
		return false;
	*ret = row - 1;
	return true;
}

static bool partitioner_known(struct table *t, struct err *err, bool *ret)
{
	const struct frozen *f = NULL;
	size_t sampled;
	if (!frozen_get(t->module, t->stream->cluster, t->stream->topic, &f, err))
		return false;
	*ret = f->info.partition_n > 1 && table_partitioner(t, f, false, &sampled) != PARTITIONER_NONE;
	return true;
}

bool changelog_open(struct table *t, const struct scan *scan, struct changelog **ret, size_t *ret_from, size_t *ret_end, struct err *err)
{
	struct changelog *c = t->versions ? follow_log(t->versions) : follow_state(t);
	if (!c && !t->changelog && scan->keyed && !t->changelog_part) {
		bool known;
		if (!partitioner_known(t, err, &known))
			return false;
		if (known) {
			if (!load(t, scan, false, &t->changelog_part, err))
				return false;
			*ret = changelog_ref(t->changelog_part);
			*ret_from = 0;
			*ret_end = (*ret)->row_n;
			return true;
		}
	}
	if (!c && !t->changelog && !load(t, NULL, false, &t->changelog, err))
		return false;
	c = c ? c : t->changelog;
	t->row_estimate = (int64_t)c->key_n;
	*ret = changelog_ref(c);
	*ret_from = 0;
	*ret_end = c->older ? c->slot_n : c->row_n;
	if (scan->keyed && scan->key_n == 1) {
		size_t slot = slot_of(c, bytes_of(scan->keys[0].data, scan->keys[0].len));
		*ret_from = !c->slots[slot] ? 0 : c->older ? slot : c->slots[slot] - 1;
		*ret_end = c->slots[slot] ? *ret_from + 1 : 0;
	}
	return true;
}

const struct changelog_row *changelog_at(const struct changelog *c, size_t i)
{
	return &c->rows[i];
}

bool changelog_first_time(struct changelog *c, size_t i)
{
	bool first = !c->rows[i].told;
	c->rows[i].told = true;
	return first;
}

const struct changelog_row *changelog_find(const struct changelog *c, int32_t partition, int64_t offset)
{
	size_t lo = 0, hi = c->row_n;
	for (size_t i = 0; !c->sorted && i < c->row_n; i++)
		if (c->rows[i].partition == partition && c->rows[i].record.offset == offset)
			return &c->rows[i];
	while (c->sorted && lo < hi) {
		size_t middle = lo + (hi - lo) / 2;
		const struct changelog_row *r = &c->rows[middle];
		int order = compare_place(r->partition, r->record.offset, partition, offset);
		if (order == 0)
			return r;
		if (order < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	return NULL;
}

struct changelog *changelog_ref(struct changelog *c)
{
	if (c)
		c->refs++;
	return c;
}

void changelog_unref(struct changelog *c)
{
	if (!c || --c->refs)
		return;
	for (size_t i = 0; i < c->row_n; i++)
		free(c->rows[i].block);
	free(c->rows);
	free(c->slots);
	free(c->older);
	free(c);
}
