/* vtab/held.h */
#include "vtab/held.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/hash.h"

/* Rounded, because SQLite's and libc's reading of a decimal may differ in the last bit. */
static uint64_t hash_number(double d)
{
	int64_t n = d >= 1e15 ? INT64_MAX : d <= -1e15 ? INT64_MIN : llround(d);
	return hash_bytes(&n, sizeof n);
}

uint64_t held_hash_bytes(struct bytes text)
{
	char number[64];
	size_t from = 0, to = text.len;
	while (from < to && strchr(" \t\n\v\f\r", text.data[from]) && text.data[from])
		from++;
	while (to > from && strchr(" \t\n\v\f\r", text.data[to - 1]) && text.data[to - 1])
		to--;
	size_t n = to - from;
	bool numeric = n > 0;
	bool digit = false;
	for (size_t i = from; numeric && i < to; i++) {
		uint8_t c = text.data[i];
		digit = digit || (c >= '0' && c <= '9');
		numeric = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
	}
	/* All long ones together: they are rare, and may be one number in many spellings. */
	if (numeric && digit && n >= sizeof number)
		return hash_number(INFINITY);
	if (numeric && digit) {
		memcpy(number, text.data + from, n);
		number[n] = '\0';
		char *end;
		double d = strtod(number, &end);
		if (*end == '\0')
			return hash_number(d);
	}
	return hash_bytes(text.data, text.len);
}

uint64_t held_hash_value(sqlite3_value *value)
{
	switch (sqlite3_value_type(value)) {
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		return hash_number(sqlite3_value_double(value));
	case SQLITE_TEXT: {
		const void *text = sqlite3_value_text(value);
		return held_hash_bytes(bytes_of(text, (size_t)sqlite3_value_bytes(value)));
	}
	case SQLITE_BLOB: {
		const void *blob = sqlite3_value_blob(value);
		return held_hash_bytes(bytes_of(blob, (size_t)sqlite3_value_bytes(value)));
	}
	default:
		return 0;
	}
}

uint64_t held_hash_field(const struct field *f)
{
	switch (f->type) {
	case FIELD_INTEGER:
	case FIELD_BOOLEAN:
		return hash_number((double)f->u.i);
	case FIELD_REAL:
		return hash_number(f->u.d);
	case FIELD_TEXT:
	case FIELD_JSON:
	case FIELD_BLOB:
		return held_hash_bytes(f->bytes);
	case FIELD_ABSENT:
	case FIELD_NULL:
	case FIELD_ERROR:
		break;
	}
	return 0;
}

bool held_matches(const struct held *h, const struct scan_range *ranges, size_t range_n)
{
	if (!h->ranges || h->range_n != range_n)
		return false;
	for (size_t i = 0; i < range_n; i++)
		if (h->ranges[i].partition != ranges[i].partition || h->ranges[i].start != ranges[i].start || h->ranges[i].end != ranges[i].end)
			return false;
	return true;
}

static void drop_index(struct held *h)
{
	free(h->rows);
	free(h->slots);
	h->rows = NULL;
	h->slots = NULL;
	h->row_n = h->slot_n = 0;
	h->index_column = -1;
}

void held_clear(struct held *h)
{
	for (size_t i = 0; i < h->batch_n; i++)
		batch_unref(h->batches[i]);
	free(h->batches);
	free(h->ranges);
	drop_index(h);
	*h = HELD_NONE;
}

void held_start(struct held *h, const struct scan_range *ranges, size_t range_n, unsigned need)
{
	bool too_big = h->too_big;
	held_clear(h);
	h->ranges = xreallocarray(NULL, range_n, sizeof *ranges);
	memcpy(h->ranges, ranges, range_n * sizeof *ranges);
	h->range_n = range_n;
	h->need = need;
	h->too_big = too_big;
}

bool held_add(struct held *h, struct batch *b)
{
	h->bytes += b->block_used + b->record_n * sizeof *b->records;
	if (h->bytes > HELD_MAX_BYTES) {
		held_clear(h);
		h->too_big = true;
		return false;
	}
	h->batches = xreallocarray(h->batches, h->batch_n + 1, sizeof *h->batches);
	h->batches[h->batch_n++] = batch_ref(b);
	return true;
}

void held_index(struct held *h, int column, struct decoder *d, int payload_column)
{
	drop_index(h);
	size_t n = 0;
	for (size_t i = 0; i < h->batch_n; i++)
		n += h->batches[i]->record_n;
	h->slot_n = 64;
	while (h->slot_n < 2 * n)
		h->slot_n *= 2;
	h->slots = xcalloc(h->slot_n, sizeof *h->slots);
	h->rows = xreallocarray(NULL, n, sizeof *h->rows);
	h->index_column = column;
	/* From the last to the first, so that the rows of a slot come in their order. */
	for (size_t i = h->batch_n; i-- > 0;) {
		const struct batch *b = h->batches[i];
		for (size_t k = b->record_n; k-- > 0;) {
			const struct record *r = &b->records[k];
			uint64_t hash;
			if (payload_column < 0) {
				if (!r->key)
					continue;
				hash = held_hash_bytes(record_key(r));
			} else {
				struct field f;
				decoder_load(d, r);
				decoder_field(d, 0, (size_t)payload_column, &f);
				if (f.type == FIELD_ABSENT || f.type == FIELD_NULL || f.type == FIELD_ERROR)
					continue;        /* NULL equals nothing */
				hash = held_hash_field(&f);
			}
			uint32_t *slot = &h->slots[hash & (h->slot_n - 1)];
			h->rows[h->row_n++] = (struct held_row){hash, (uint32_t)i, (uint32_t)k, *slot};
			*slot = (uint32_t)h->row_n;
		}
	}
}

const struct held_row *held_find(const struct held *h, uint64_t hash, const struct held_row *after)
{
	uint32_t at = after ? after->next : h->slots[hash & (h->slot_n - 1)];
	while (at && h->rows[at - 1].hash != hash)
		at = h->rows[at - 1].next;
	return at ? &h->rows[at - 1] : NULL;
}
