/* Formats csv and tsv behind codec/format.h. A message may hold several lines, each is a row; with header = true the first line names the
 * cells of this message. A column's path is a header name, or '$[n]' / 'n' counted from 0; without a path it is the header name equal to
 * the column's, or, without header, the column's place among the value columns. An unquoted empty cell is NULL, "" is ''. Cells take the
 * column's type when they are written as it, else stay TEXT; untyped columns are sniffed. A ragged row keeps its cells and has an error. */
#include <stdlib.h>
#include <strings.h>
#include "codec/arena.h"
#include "codec/csv.h"
#include "codec/format.h"
#include "codec/json_path.h"
#include "codec/scalar.h"
#include "core/alloc.h"
#include "core/utf8.h"

enum { BY_NAME = -1 };

struct csv_column {
	bool used;                           /* belongs to this side and is wanted */
	bool explicit_index;
	int64_t index;                       /* cell, or BY_NAME */
	char *name;                          /* header name looked for */
	int64_t cell;                        /* resolved for the loaded message; -1 = no such cell */
	bool done;
	struct field field;
};

struct csv_format {
	struct format base;
	const struct stream *stream;
	char delimiter;
	struct csv_column *columns;
	size_t expected;                     /* cells a row should have, 0 = not known */
	size_t needed;                       /* cells a row must have */
	struct bytes payload;
	struct csv_record *records;          /* of the payload, header line excluded */
	size_t record_n, record_cap;
	size_t header_n;                     /* cells of the header line */
	bool header_line;                    /* each message begins with one */
	struct buf header;                   /* the last header line: equal lines need no new resolving */
	struct csv_cell *cells;              /* of the current row */
	size_t cell_n, cell_cap;
	bool row_split;
	size_t row;
	struct buf error;                    /* of the current row */
	bool memory_out;
	struct arena arena;
};

static void csv_destroy(struct format *base)
{
	struct csv_format *f = (struct csv_format *)base;
	for (size_t i = 0; i < f->stream->column_n; i++)
		free(f->columns[i].name);
	free(f->columns);
	free(f->records);
	free(f->cells);
	buf_finish(&f->header);
	buf_finish(&f->error);
	arena_finish(&f->arena);
	free(f);
}

/* '$[3]' and '3' give the index, '$.name', '$."a name"' and anything else the name. */
static void parse_path(const char *text, struct csv_column *c)
{
	struct json_path path;
	char *end;
	c->index = BY_NAME;
	if (text[0] >= '0' && text[0] <= '9') {
		long n = strtol(text, &end, 10);
		if (*end == '\0' && n >= 0 && n < INT32_MAX) {
			c->index = n;
			c->explicit_index = true;
			return;
		}
	}
	if (text[0] == '$' && json_path_parse(bytes_str(text), &path)) {
		if (path.step_n == 1 && path.steps[0].is_index) {
			c->index = path.steps[0].index;
			c->explicit_index = true;
		} else if (path.step_n == 1) {
			c->name = xstrndup((const char *)path.steps[0].key.data, path.steps[0].key.len);
		}
		json_path_finish(&path);
		if (c->explicit_index || c->name)
			return;
	}
	c->name = xstrdup(text);
}

static struct format *create(const struct format_spec *spec, const struct format_impl *impl)
{
	const struct stream *s = spec->stream;
	struct csv_format *f = xcalloc(1, sizeof *f);
	bool value = spec->origin == COLUMN_FROM_VALUE;
	int64_t ordinal = 0;
	bool positional = true;
	f->base.impl = impl;
	f->stream = s;
	f->delimiter = impl == &format_tsv ? '\t' : s->delimiter ? s->delimiter : ',';
	f->error = f->header = (struct buf)BUF_INIT;
	f->columns = xcalloc(s->column_n ? s->column_n : 1, sizeof *f->columns);
	bool header = f->header_line = value && s->header;
	for (size_t i = 0; i < s->column_n; i++) {
		struct csv_column *c = &f->columns[i];
		if (s->columns[i].origin != spec->origin)
			continue;
		c->used = spec->wanted[i];
		c->cell = -1;
		if (s->columns[i].path)
			parse_path(s->columns[i].path, c);
		else if (header)
			parse_path(s->columns[i].name, c);
		else
			c->index = BY_NAME;
		if (!header && c->index == BY_NAME)
			c->index = ordinal;
		positional = positional && !c->explicit_index;
		ordinal++;
		if (!header) {
			c->cell = c->index;
			if ((size_t)c->cell + 1 > f->needed)
				f->needed = (size_t)c->cell + 1;
		}
	}
	if (!header && positional)
		f->expected = (size_t)ordinal;
	return &f->base;
}

static struct format *csv_create(const struct format_spec *spec, struct err *err)
{
	return create(spec, &format_csv);
}

static struct format *tsv_create(const struct format_spec *spec, struct err *err)
{
	return create(spec, &format_tsv);
}

static bool name_matches(const struct csv_cell *cell, const char *name, bool exact)
{
	struct bytes t = cell->text;
	while (t.len && t.data[0] == ' ') {
		t.data++;
		t.len--;
	}
	while (t.len && t.data[t.len - 1] == ' ')
		t.len--;
	if (t.len != strlen(name))
		return false;
	return exact ? memcmp(t.data, name, t.len) == 0 : strncasecmp((const char *)t.data, name, t.len) == 0;
}

static bool split(struct csv_format *f, struct bytes line)
{
	struct csv_cell cell;
	f->cell_n = 0;
	while (csv_cell(&line, f->delimiter, &cell)) {
		if (f->cell_n == f->cell_cap) {
			size_t cap = f->cell_cap ? f->cell_cap * 2 : 32;
			struct csv_cell *grown = realloc(f->cells, cap * sizeof *grown);
			if (!grown)
				return false;
			f->cells = grown;
			f->cell_cap = cap;
		}
		f->cells[f->cell_n++] = cell;
	}
	return true;
}

static void resolve_header(struct csv_format *f, struct bytes line)
{
	if (f->header_n && f->header.len == line.len && memcmp(f->header.data, line.data, line.len) == 0)
		return;
	buf_clear(&f->header);
	buf_add(&f->header, line.data, line.len);
	if (!split(f, line)) {
		f->memory_out = true;
		return;
	}
	f->header_n = f->cell_n;
	for (size_t i = 0; i < f->stream->column_n; i++) {
		struct csv_column *c = &f->columns[i];
		if (c->index >= 0)
			c->cell = c->index;
		if (c->index != BY_NAME || !c->name)
			continue;
		c->cell = -1;
		for (int exact = 1; exact >= 0 && c->cell < 0; exact--)
			for (size_t k = 0; k < f->cell_n && c->cell < 0; k++)
				if (name_matches(&f->cells[k], c->name, exact))
					c->cell = (int64_t)k;
	}
}

static size_t csv_load(struct format *base, struct bytes payload)
{
	struct csv_format *f = (struct csv_format *)base;
	struct csv_reader reader;
	struct csv_record record;
	arena_reset(&f->arena);
	buf_clear(&f->error);
	f->payload = payload.data ? payload : bytes_of("", 0);
	f->record_n = 0;
	f->row_split = false;
	f->memory_out = false;
	bool header = f->header_line;
	csv_begin(&reader, f->payload, f->delimiter);
	while (csv_next(&reader, &record)) {
		if (header) {
			header = false;
			resolve_header(f, bytes_of(f->payload.data + record.start, record.len));
			continue;
		}
		if (f->record_n == f->record_cap) {
			size_t cap = f->record_cap ? f->record_cap * 2 : 16;
			struct csv_record *grown = realloc(f->records, cap * sizeof *grown);
			if (!grown) {
				f->memory_out = true;
				break;
			}
			f->records = grown;
			f->record_cap = cap;
		}
		f->records[f->record_n++] = record;
	}
	return f->record_n ? f->record_n : 1;
}

static void select_row(struct csv_format *f, size_t row)
{
	if (f->row_split && f->row == row)
		return;
	f->row_split = true;
	f->row = row;
	f->cell_n = 0;
	buf_clear(&f->error);
	for (size_t i = 0; i < f->stream->column_n; i++)
		f->columns[i].done = false;
	if (f->memory_out)
		format_error_add(&f->error, "CSV: out of memory");
	if (row >= f->record_n)
		return;
	const struct csv_record *r = &f->records[row];
	if (!split(f, bytes_of(f->payload.data + r->start, r->len)))
		format_error_add(&f->error, "CSV line %u: out of memory", (unsigned)r->line);
	for (size_t i = 0; i < f->cell_n; i++) {
		if (f->cells[i].fault == CSV_UNTERMINATED)
			format_error_add(&f->error, "CSV line %u: quote is not closed", (unsigned)r->line);
		else if (f->cells[i].fault == CSV_AFTER_QUOTE)
			format_error_add(&f->error, "CSV line %u: text after a closing quote", (unsigned)r->line);
	}
	size_t expected = f->header_n ? f->header_n : f->expected;
	if (expected && f->cell_n != expected)
		format_error_add(&f->error, "CSV line %u: %zu fields, expected %zu", (unsigned)r->line, f->cell_n, expected);
	else if (!expected && f->cell_n < f->needed)
		format_error_add(&f->error, "CSV line %u: %zu fields, expected at least %zu", (unsigned)r->line, f->cell_n, f->needed);
}

static void decode_cell(struct csv_format *f, const struct csv_cell *cell, const struct column *column, struct field *ret)
{
	*ret = (struct field){.type = FIELD_TEXT, .bytes = cell->text};
	if (!cell->quoted && cell->text.len == 0) {
		ret->type = FIELD_NULL;
		return;
	}
	if (cell->doubled) {
		uint8_t *out = arena_alloc(&f->arena, cell->text.len ? cell->text.len : 1);
		if (!out) {
			ret->type = FIELD_ERROR;
			format_error_add(&f->error, "%s: out of memory", column->name);
			return;
		}
		ret->bytes = bytes_of(out, csv_unquote(cell, out));
	}
	if (!utf8_valid(ret->bytes.data, ret->bytes.len)) {
		ret->type = column->type == COLUMN_BLOB ? FIELD_BLOB : FIELD_ERROR;
		if (ret->type == FIELD_ERROR)
			format_error_add(&f->error, "%s: invalid UTF-8", column->name);
		return;
	}
	if (!(cell->quoted && column->type == COLUMN_ANY))
		scalar_convert(ret, column->type, f->stream->decimal ? f->stream->decimal : '.');
}

static void csv_field(struct format *base, size_t row, size_t column, struct field *ret)
{
	struct csv_format *f = (struct csv_format *)base;
	struct csv_column *c = &f->columns[column];
	select_row(f, row);
	if (!c->done) {
		c->done = true;
		c->field = (struct field){.type = FIELD_ABSENT};
		if (c->cell >= 0 && (size_t)c->cell < f->cell_n)
			decode_cell(f, &f->cells[c->cell], &f->stream->columns[column], &c->field);
	}
	*ret = c->field;
}

static void csv_error(struct format *base, size_t row, bool force, struct buf *to)
{
	struct csv_format *f = (struct csv_format *)base;
	if (force) {
		select_row(f, row);
		for (size_t i = 0; i < f->stream->column_n; i++) {
			struct field unused;
			if (f->columns[i].used)
				csv_field(base, row, i, &unused);
		}
	}
	if (f->row_split && f->row == row && f->error.len)
		format_error_add(to, "%s", f->error.data);
}

const struct format_impl format_csv = {
	.name = "csv", .multi_row = true, .create = csv_create, .destroy = csv_destroy, .load = csv_load, .field = csv_field, .error = csv_error,
};

const struct format_impl format_tsv = {
	.name = "tsv", .multi_row = true, .create = tsv_create, .destroy = csv_destroy, .load = csv_load, .field = csv_field, .error = csv_error,
};
