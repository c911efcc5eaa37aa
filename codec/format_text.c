/* Formats text and raw behind codec/format.h: every column is the whole payload.
 * text: TEXT if it is valid UTF-8, else BLOB (with an error text if the column was declared TEXT); a column declared with another type takes
 * what is written as that type. raw: BLOB. An absent payload (tombstone, null key) is FIELD_ABSENT, an empty one is ''. */
#include <stdlib.h>
#include "codec/format.h"
#include "codec/scalar.h"
#include "core/alloc.h"
#include "core/utf8.h"

struct text_format {
	struct format base;
	const struct stream *stream;
	enum column_origin origin;
	bool *wanted;
	bool raw;
	struct bytes payload;
	int8_t valid;                        /* -1 not looked yet */
	bool bad;                            /* a TEXT column met bytes that are not text */
};

static struct format *create(const struct format_spec *spec, const struct format_impl *impl, bool raw)
{
	struct text_format *f = xcalloc(1, sizeof *f);
	size_t n = spec->stream->column_n;
	f->base.impl = impl;
	f->stream = spec->stream;
	f->origin = spec->origin;
	f->raw = raw;
	f->wanted = xcalloc(n ? n : 1, sizeof *f->wanted);
	for (size_t i = 0; i < n; i++)
		f->wanted[i] = spec->wanted[i] && spec->stream->columns[i].origin == spec->origin;
	return &f->base;
}

static struct format *text_create(const struct format_spec *spec, struct err *err)
{
	return create(spec, &format_text, false);
}

static struct format *raw_create(const struct format_spec *spec, struct err *err)
{
	return create(spec, &format_raw, true);
}

static void text_destroy(struct format *base)
{
	struct text_format *f = (struct text_format *)base;
	free(f->wanted);
	free(f);
}

static size_t text_load(struct format *base, struct bytes payload)
{
	struct text_format *f = (struct text_format *)base;
	f->payload = payload;
	f->valid = -1;
	f->bad = false;
	return 1;
}

static void text_field(struct format *base, size_t row, size_t column, struct field *ret)
{
	struct text_format *f = (struct text_format *)base;
	struct field v = {.type = FIELD_ABSENT, .bytes = f->payload};
	if (f->payload.data && f->raw) {
		v.type = FIELD_BLOB;
	} else if (f->payload.data) {
		if (f->valid < 0)
			f->valid = utf8_valid(f->payload.data, f->payload.len);
		enum column_type type = f->stream->columns[column].type;
		v.type = f->valid ? FIELD_TEXT : FIELD_BLOB;
		if (f->valid)
			scalar_convert(&v, type == COLUMN_ANY ? COLUMN_TEXT : type, f->stream->decimal ? f->stream->decimal : '.');
		else if (type == COLUMN_TEXT)
			f->bad = true;
	}
	*ret = v;
}

static void text_error(struct format *base, size_t row, bool force, struct buf *to)
{
	struct text_format *f = (struct text_format *)base;
	for (size_t i = 0; force && i < f->stream->column_n; i++) {
		struct field unused;
		if (f->wanted[i])
			text_field(base, row, i, &unused);
	}
	if (f->bad)
		format_error_add(to, "invalid UTF-8, given as BLOB");
}

const struct format_impl format_text = {
	.name = "text", .multi_row = false, .create = text_create, .destroy = text_destroy, .load = text_load, .field = text_field, .error = text_error,
};

const struct format_impl format_raw = {
	.name = "raw", .multi_row = false, .create = raw_create, .destroy = text_destroy, .load = text_load, .field = text_field, .error = text_error,
};
