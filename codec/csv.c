/* codec/csv.h. Records and cells are found by the same rule: a quote opens only at a cell's first byte, and "" inside stands for one. */
#include "codec/csv.h"

void csv_begin(struct csv_reader *r, struct bytes text, char delimiter)
{
	*r = (struct csv_reader){.start = text.data, .p = text.data, .end = text.data + text.len, .line = 1, .delimiter = (uint8_t)delimiter};
	if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
		r->p += 3;
}

/* p is at an opening quote. Returns the closing quote or end. */
static const uint8_t *quote_end(const uint8_t *p, const uint8_t *end, bool *ret_doubled)
{
	for (p++;;) {
		p = p < end ? memchr(p, '"', (size_t)(end - p)) : NULL;
		if (!p)
			return end;
		if (p + 1 == end || p[1] != '"')
			return p;
		*ret_doubled = true;
		p += 2;
	}
}

static size_t count_lines(const uint8_t *p, const uint8_t *end)
{
	size_t n = 0;
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		n++;
		p++;
	}
	return n;
}

bool csv_next(struct csv_reader *r, struct csv_record *ret)
{
	const uint8_t *p = r->p;
	const uint8_t *end = r->end;
	while (p < end && (*p == '\n' || *p == '\r')) {
		r->line += *p == '\n' || (p + 1 < end && p[1] != '\n');
		p++;
	}
	if (p == end) {
		r->p = p;
		return false;
	}
	const uint8_t *start = p;
	size_t line = r->line;
	bool cell_begins = true;
	while (p < end && *p != '\n' && *p != '\r') {
		if (*p == '"' && cell_begins) {
			bool doubled;
			const uint8_t *q = quote_end(p, end, &doubled);
			r->line += count_lines(p, q);
			p = q;
			if (p == end)
				break;
		}
		cell_begins = *p == r->delimiter;
		p++;
	}
	ret->start = (uint32_t)(start - r->start);
	ret->len = (uint32_t)(p - start);
	ret->line = (uint32_t)line;
	if (p < end) {
		p += *p == '\r' && p + 1 < end && p[1] == '\n';
		p++;
		r->line++;
	}
	r->p = p;
	return true;
}

bool csv_cell(struct bytes *at, char delimiter, struct csv_cell *ret)
{
	if (!at->data)
		return false;
	const uint8_t *p = at->data;
	const uint8_t *end = p + at->len;
	struct csv_cell cell = {.text = *at};
	const uint8_t *stop;
	if (p < end && *p == '"') {
		cell.quoted = true;
		const uint8_t *close = quote_end(p, end, &cell.doubled);
		cell.text = bytes_of(p + 1, (size_t)(close - p - 1));
		stop = close;
		if (close == end) {
			cell.fault = CSV_UNTERMINATED;
		} else if (++stop < end && *stop != (uint8_t)delimiter) {
			cell.fault = CSV_AFTER_QUOTE;
			cell.doubled = true;
			const uint8_t *next = memchr(stop, delimiter, (size_t)(end - stop));
			stop = next ? next : end;
			cell.text.len = (size_t)(stop - cell.text.data);
		}
	} else {
		const uint8_t *next = p < end ? memchr(p, delimiter, (size_t)(end - p)) : NULL;
		stop = next ? next : end;
		cell.text.len = (size_t)(stop - p);
	}
	*at = stop < end ? bytes_of(stop + 1, (size_t)(end - stop - 1)) : bytes_of(NULL, 0);
	*ret = cell;
	return true;
}

size_t csv_unquote(const struct csv_cell *cell, uint8_t *out)
{
	const uint8_t *p = cell->text.data;
	const uint8_t *end = p + cell->text.len;
	uint8_t *to = out;
	while (p < end) {
		if (*p == '"' && p + 1 < end && p[1] == '"') {
			p++;
		} else if (*p == '"' && cell->fault == CSV_AFTER_QUOTE) {
			/* The closing quote: what follows is taken as it is. */
			p++;
			memcpy(to, p, (size_t)(end - p));
			to += end - p;
			break;
		}
		*to++ = *p++;
	}
	return (size_t)(to - out);
}
