/* codec/codec.h. Binds a stream's columns to their sides: value and key by their formats, headers here. A side without wanted columns is not
 * built. To add a format: implement codec/format.h and add it to `formats`. */
#include "codec/codec.h"

#include <stdlib.h>
#include <strings.h>
#include "codec/format.h"
#include "codec/scalar.h"
#include "core/alloc.h"
#include "core/headers.h"
#include "core/utf8.h"

static const struct format_impl *const formats[] = {
	&format_text, &format_raw, &format_json, &format_jsonl, &format_csv, &format_tsv,
};

enum { FORMAT_N = sizeof formats / sizeof *formats };

struct decoder {
	const struct stream *stream;
	bool *wanted;
	struct format *value;
	struct format *key;                  /* NULL = no key columns wanted */
	struct format *paths;                /* JSON paths on _value when value's format has none itself */
	struct record record;
	size_t row_n;
	bool key_loaded, paths_loaded;
	bool header_bad;
	struct buf error;
};

static const struct format_impl *find_format(const char *name)
{
	for (size_t i = 0; i < FORMAT_N; i++)
		if (strcasecmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

bool codec_known(const char *format, bool *ret_multi_row)
{
	const struct format_impl *impl = find_format(format);
	if (ret_multi_row)
		*ret_multi_row = impl && impl->multi_row;
	return impl != NULL;
}

const char *codec_names(void)
{
	return "text, raw, json, jsonl, csv, tsv";
}

static struct format *create_side(const struct stream *s, const char *name, enum column_origin origin, const bool *wanted, struct err *err)
{
	const struct format_impl *impl = find_format(name);
	if (!impl) {
		const char *what = origin == COLUMN_FROM_KEY ? "key_format" : "format";
		if (strcasecmp(name, "auto") == 0)
			err_set(err, ERR_INTERNAL, "%s 'auto' of \"%s\" was not resolved", what, s->name ? s->name : "");
		else
			err_set(err, ERR_OPTION, "unknown %s '%s'; known are: %s", what, name, codec_names());
		return NULL;
	}
	if (s->explode && origin == COLUMN_FROM_VALUE && impl != &format_json) {
		err_set(err, ERR_OPTION, "EXPLODE takes rows from JSON arrays: it needs format 'json', not '%s'", impl->name);
		return NULL;
	}
	struct format_spec spec = {.stream = s, .wanted = wanted, .origin = origin, .format = name};
	return impl->create(&spec, err);
}

struct decoder *decoder_create(const struct stream *stream, const bool *wanted, struct err *err)
{
	struct decoder *d = xcalloc(1, sizeof *d);
	size_t n = stream->column_n;
	bool key_wanted = false;
	d->stream = stream;
	d->error = (struct buf)BUF_INIT;
	d->wanted = xcalloc(n ? n : 1, sizeof *d->wanted);
	for (size_t i = 0; i < n; i++) {
		d->wanted[i] = !wanted || wanted[i];
		key_wanted |= d->wanted[i] && stream->columns[i].origin == COLUMN_FROM_KEY;
	}
	d->value = create_side(stream, stream->format, COLUMN_FROM_VALUE, d->wanted, err);
	if (!d->value)
		goto fail;
	if (key_wanted) {
		const char *format = stream->key_format && strcasecmp(stream->key_format, "auto") != 0 ? stream->key_format : "text";
		d->key = create_side(stream, format, COLUMN_FROM_KEY, d->wanted, err);
		if (!d->key)
			goto fail;
	}
	return d;
fail:
	decoder_destroy(d);
	return NULL;
}

static void side_destroy(struct format *f)
{
	if (f)
		f->impl->destroy(f);
}

void decoder_destroy(struct decoder *d)
{
	if (!d)
		return;
	side_destroy(d->value);
	side_destroy(d->key);
	side_destroy(d->paths);
	buf_finish(&d->error);
	free(d->wanted);
	free(d);
}

size_t decoder_load(struct decoder *d, const struct record *record)
{
	d->record = *record;
	d->key_loaded = false;
	d->paths_loaded = false;
	d->header_bad = false;
	d->row_n = d->value->impl->load(d->value, record_value(record));
	return d->row_n;
}

static void load_key(struct decoder *d)
{
	if (!d->key_loaded)
		d->key->impl->load(d->key, record_key(&d->record));
	d->key_loaded = true;
}

static void header_field(struct decoder *d, const struct column *c, struct field *ret)
{
	struct header_iter it = headers_begin(d->record.headers, d->record.headers_len);
	struct bytes want = bytes_str(c->path ? c->path : c->name);
	struct bytes name;
	struct bytes value;
	struct field f = {.type = FIELD_ABSENT};
	while (headers_next(&it, &name, &value)) {
		if (!bytes_equal(name, want))
			continue;
		f = (struct field){.type = value.data ? FIELD_TEXT : FIELD_NULL, .bytes = value};
	}
	if (f.type == FIELD_TEXT) {
		if (utf8_valid(f.bytes.data, f.bytes.len)) {
			scalar_convert(&f, c->type == COLUMN_ANY ? COLUMN_TEXT : c->type, '.');
		} else {
			f.type = FIELD_BLOB;
			d->header_bad |= c->type == COLUMN_TEXT;
		}
	}
	*ret = f;
}

void decoder_field(struct decoder *d, size_t row, size_t column, struct field *ret)
{
	if (column >= d->stream->column_n || row >= d->row_n || !d->wanted[column]) {
		*ret = (struct field){.type = FIELD_ABSENT};
		return;
	}
	const struct column *c = &d->stream->columns[column];
	switch (c->origin) {
	case COLUMN_FROM_VALUE:
		d->value->impl->field(d->value, row, column, ret);
		break;
	case COLUMN_FROM_KEY:
		load_key(d);
		d->key->impl->field(d->key, 0, column, ret);
		break;
	case COLUMN_FROM_HEADER:
		header_field(d, c, ret);
		break;
	}
}

const char *decoder_error(struct decoder *d, size_t row, bool force)
{
	buf_clear(&d->error);
	if (row >= d->row_n)
		return "";
	d->value->impl->error(d->value, row, force, &d->error);
	if (d->key && (force || d->key_loaded)) {
		struct buf key_error = BUF_INIT;
		load_key(d);
		d->key->impl->error(d->key, 0, force, &key_error);
		if (key_error.len)
			format_error_add(&d->error, "key: %s", key_error.data);
		buf_finish(&key_error);
	}
	for (size_t i = 0; force && i < d->stream->column_n; i++) {
		struct field unused;
		if (d->wanted[i] && d->stream->columns[i].origin == COLUMN_FROM_HEADER)
			header_field(d, &d->stream->columns[i], &unused);
	}
	if (d->header_bad)
		format_error_add(&d->error, "header: invalid UTF-8, given as BLOB");
	return d->error.data;
}

int decoder_add_path(struct decoder *d, struct bytes path)
{
	if (d->value->impl->add_path)
		return d->value->impl->add_path(d->value, path);
	if (!d->paths) {
		struct format_spec spec = {.stream = d->stream, .wanted = NULL, .origin = COLUMN_FROM_VALUE, .format = "json"};
		bool *none = xcalloc(d->stream->column_n + 1, sizeof *none);
		spec.wanted = none;
		d->paths = format_json.create(&spec, NULL);
		free(none);
		if (!d->paths)
			return -1;
	}
	return d->paths->impl->add_path(d->paths, path);
}

void decoder_path_field(struct decoder *d, int slot, struct field *ret)
{
	struct format *f = d->paths ? d->paths : d->value;
	if (d->paths && !d->paths_loaded) {
		d->paths->impl->load(d->paths, record_value(&d->record));
		d->paths_loaded = true;
	}
	f->impl->path_field(f, slot, ret);
}
