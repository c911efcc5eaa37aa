/* fuse/render.h */
#include "fuse/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include "codec/codec.h"
#include "codec/encode.h"
#include "core/alloc.h"
#include "core/headers.h"
#include "core/time.h"
#include "core/utf8.h"
#include "fuse/json_check.h"

struct renderer {
	enum form form;
	struct buf prefix;                   /* {"topic":"t","partition":  or the topic's CSV cell and a comma */
	struct stream *stream;
	struct decoder *decoder;
	struct buf cell;
};

/* Longest first: ".rows.csv" also ends in ".csv". */
static const struct {
	const char *text;
	enum form form;
} suffixes[] = {
	{".rows.ndjson", FORM_ROWS_NDJSON}, {".rows.csv", FORM_ROWS_CSV}, {".ndjson", FORM_NDJSON}, {".csv", FORM_CSV}, {".txt", FORM_TXT},
};

const char *form_suffix(enum form form)
{
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (suffixes[i].form == form)
			return suffixes[i].text;
	return "";
}

bool form_parse(const char *name, bool rows, size_t *ret_stem_len, enum form *ret)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		size_t n = strlen(suffixes[i].text);
		if ((rows || !form_has_rows(suffixes[i].form)) && len >= n && memcmp(name + len - n, suffixes[i].text, n) == 0) {
			*ret_stem_len = len - n;
			*ret = suffixes[i].form;
			return true;
		}
	}
	return false;
}

void render_json_string(struct buf *to, const void *text, size_t len)
{
	const uint8_t *p = text, *end = p + len, *from = p;
	buf_addc(to, '"');
	while (p < end) {
		if (*p >= 0x20 && *p != '"' && *p != '\\' && *p < 0x7f) {
			p++;
			continue;
		}
		uint32_t cp = 0xFFFD;
		size_t n = utf8_decode(p, end, &cp);
		if (n > 1 && !utf8_is_unsafe(cp)) {
			p += n;
			continue;
		}
		buf_add(to, from, (size_t)(p - from));
		switch (cp) {
		case '"':
			buf_adds(to, "\\\"");
			break;
		case '\\':
			buf_adds(to, "\\\\");
			break;
		case '\n':
			buf_adds(to, "\\n");
			break;
		case '\r':
			buf_adds(to, "\\r");
			break;
		case '\t':
			buf_adds(to, "\\t");
			break;
		default:
			if (cp >= 0x10000)
				buf_addf(to, "\\u%04x\\u%04x", 0xD800u + ((cp - 0x10000) >> 10), 0xDC00u + ((cp - 0x10000) & 0x3FF));
			else
				buf_addf(to, "\\u%04x", (unsigned)cp);
		}
		p += n ? n : 1;
		from = p;
	}
	buf_add(to, from, (size_t)(p - from));
	buf_addc(to, '"');
}

void render_real(struct buf *to, double d)
{
	encode_real(to, d);
}

void render_base64(struct buf *to, struct bytes data)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	buf_reserve(to, data.len / 3 * 4 + 4);
	for (size_t i = 0; i < data.len; i += 3) {
		uint32_t v = (uint32_t)data.data[i] << 16;
		if (i + 1 < data.len)
			v |= (uint32_t)data.data[i + 1] << 8;
		if (i + 2 < data.len)
			v |= data.data[i + 2];
		char four[4] = {digit[v >> 18], digit[v >> 12 & 63], i + 1 < data.len ? digit[v >> 6 & 63] : '=', i + 2 < data.len ? digit[v & 63] : '='};
		buf_add(to, four, 4);
	}
}

/* A text with LF, CR and NUL made two characters each. quotes: double every quotation mark. */
static void add_flat(struct buf *to, struct bytes text, bool quotes)
{
	const uint8_t *p = text.data, *end = p + text.len, *from = p;
	for (; p < end; p++) {
		const char *as = *p == '\n' ? "\\n" : *p == '\r' ? "\\r" : *p == '\0' ? "\\0" : quotes && *p == '"' ? "\"\"" : NULL;
		if (!as)
			continue;
		buf_add(to, from, (size_t)(p - from));
		buf_add(to, as, 2);
		from = p + 1;
	}
	buf_add(to, from, (size_t)(p - from));
}

void render_csv_text(struct buf *to, struct bytes text)
{
	if (!text.data)
		return;
	bool quote = text.len == 0;
	for (size_t i = 0; i < text.len && !quote; i++)
		quote = text.data[i] == ',' || text.data[i] == '"' || text.data[i] == '\n' || text.data[i] == '\r';
	if (quote)
		buf_addc(to, '"');
	add_flat(to, text, quote);
	if (quote)
		buf_addc(to, '"');
}

/* NULL, a string, or {"b64":".."}. */
static void add_json_bytes(struct buf *to, struct bytes v)
{
	if (!v.data) {
		buf_adds(to, "null");
	} else if (utf8_valid(v.data, v.len)) {
		render_json_string(to, v.data, v.len);
	} else {
		buf_adds(to, "{\"b64\":\"");
		render_base64(to, v);
		buf_adds(to, "\"}");
	}
}

static void add_headers(struct buf *to, const struct record *r)
{
	struct header_iter it = headers_begin(r->headers, r->headers_len);
	struct bytes name, value;
	const char *comma = "";
	buf_addc(to, '[');
	while (headers_next(&it, &name, &value)) {
		buf_addf(to, "%s[", comma);
		add_json_bytes(to, bytes_of(name.data ? name.data : (const uint8_t *)"", name.len));
		buf_addc(to, ',');
		add_json_bytes(to, value);
		buf_addc(to, ']');
		comma = ",";
	}
	buf_addc(to, ']');
}

/* "name":"text", or "name_b64":"..", or "name":null */
static void add_member(struct buf *to, const char *name, struct bytes v)
{
	if (v.data && !utf8_valid(v.data, v.len)) {
		buf_addf(to, "\"%s_b64\":\"", name);
		render_base64(to, v);
		buf_addc(to, '"');
		return;
	}
	buf_addc(to, '"');
	buf_adds(to, name);
	buf_adds(to, "\":");
	add_json_bytes(to, v);
}

/* A JSON document on one line. */
static void add_verbatim(struct buf *to, struct bytes doc, bool breaks)
{
	size_t at = to->len;
	buf_add(to, doc.data, doc.len);
	for (size_t i = at; breaks && i < to->len; i++)
		if (to->data[i] == '\n' || to->data[i] == '\r')
			to->data[i] = ' ';
}

static void add_time_text(struct buf *to, int64_t ts_ms, const char *quote, const char *none)
{
	char text[TIME_TEXT_MAX];
	if (ts_ms == TIME_NONE) {
		buf_adds(to, none);
		return;
	}
	size_t n = time_format(ts_ms, text);
	buf_adds(to, quote);
	buf_add(to, text, n);
	buf_adds(to, quote);
}

static void render_ndjson(struct renderer *r, int32_t partition, const struct record *record, struct buf *to)
{
	bool breaks = false;
	struct bytes value = record_value(record);
	buf_add(to, r->prefix.data, r->prefix.len);
	buf_add_int(to, partition);
	buf_adds(to, ",\"offset\":");
	buf_add_int(to, record->offset);
	buf_adds(to, ",\"timestamp\":");
	add_time_text(to, record->ts_ms, "\"", "null");
	buf_addc(to, ',');
	add_member(to, "key", record_key(record));
	buf_addc(to, ',');
	if (record->headers && record->headers_len > 0) {
		buf_adds(to, "\"headers\":");
		add_headers(to, record);
		buf_addc(to, ',');
	}
	if (record->too_large) {
		buf_addf(to, "\"value\":null,\"error\":\"the value is too large to be read (%" PRIu32 " bytes)\"", record->size);
	} else if (value.len > 0 && json_check(value, &breaks)) {
		buf_adds(to, "\"value\":");
		add_verbatim(to, value, breaks);
	} else {
		add_member(to, "value", value);
	}
	buf_adds(to, "}\n");
}

static void render_csv(struct renderer *r, int32_t partition, const struct record *record, struct buf *to)
{
	buf_add(to, r->prefix.data, r->prefix.len);
	buf_add_int(to, partition);
	buf_addc(to, ',');
	buf_add_int(to, record->offset);
	buf_addc(to, ',');
	add_time_text(to, record->ts_ms, "", "");
	buf_addc(to, ',');
	render_csv_text(to, record_key(record));
	buf_addc(to, ',');
	if (record->headers && record->headers_len > 0) {
		buf_clear(&r->cell);
		add_headers(&r->cell, record);
		render_csv_text(to, bytes_of(r->cell.data, r->cell.len));
	}
	buf_addc(to, ',');
	render_csv_text(to, record_value(record));
	buf_addc(to, '\n');
}

static void render_txt(const struct record *record, struct buf *to)
{
	struct bytes value = record_value(record);
	if (value.data)
		add_flat(to, value, false);
	buf_addc(to, '\n');
}

static void add_field_json(struct buf *to, const struct field *f, enum column_type type)
{
	bool breaks = false;
	switch (f->type) {
	case FIELD_ABSENT:
	case FIELD_NULL:
	case FIELD_ERROR:
		buf_adds(to, "null");
		break;
	case FIELD_INTEGER:
		buf_add_int(to, f->u.i);
		break;
	case FIELD_REAL:
		encode_real(to, f->u.d);
		break;
	case FIELD_BOOLEAN:
		buf_adds(to, f->u.i ? "true" : "false");
		break;
	case FIELD_JSON:
		if (json_check(f->bytes, &breaks)) {
			add_verbatim(to, f->bytes, breaks);
			break;
		}
		/* fall through */
	case FIELD_TEXT:
	case FIELD_BLOB:
		add_json_bytes(to, bytes_of(f->bytes.data ? f->bytes.data : (const uint8_t *)"", f->bytes.len));
		break;
	}
	(void)type;
}

static void add_field_csv(struct buf *to, const struct field *f, struct buf *scratch)
{
	switch (f->type) {
	case FIELD_ABSENT:
	case FIELD_NULL:
	case FIELD_ERROR:
		break;
	case FIELD_INTEGER:
	case FIELD_BOOLEAN:
		buf_add_int(to, f->u.i);
		break;
	case FIELD_REAL:
		encode_real(to, f->u.d);
		break;
	case FIELD_BLOB:
		buf_clear(scratch);
		render_base64(scratch, f->bytes);
		buf_add(to, scratch->data, scratch->len);
		break;
	case FIELD_JSON:
	case FIELD_TEXT:
		render_csv_text(to, bytes_of(f->bytes.data ? f->bytes.data : (const uint8_t *)"", f->bytes.len));
		break;
	}
}

static void render_rows(struct renderer *r, const struct record *record, struct buf *to)
{
	const struct stream *s = r->stream;
	size_t row_n = decoder_load(r->decoder, record);
	for (size_t row = 0; row < row_n; row++) {
		if (r->form == FORM_ROWS_NDJSON)
			buf_addc(to, '{');
		for (size_t i = 0; i < s->column_n; i++) {
			struct field f = {.type = FIELD_NULL};
			decoder_field(r->decoder, row, i, &f);
			if (i)
				buf_addc(to, ',');
			if (r->form == FORM_ROWS_NDJSON) {
				render_json_string(to, s->columns[i].name, strlen(s->columns[i].name));
				buf_addc(to, ':');
				add_field_json(to, &f, s->columns[i].type);
			} else {
				add_field_csv(to, &f, &r->cell);
			}
		}
		buf_adds(to, r->form == FORM_ROWS_NDJSON ? "}\n" : "\n");
	}
}

bool renderer_create(const char *topic, enum form form, struct stream *stream, struct renderer **ret, struct err *err)
{
	struct decoder *decoder = NULL;
	if (form_has_rows(form)) {
		if (!stream)
			return err_set(err, ERR_UNSUPPORTED, "topic %s has no registered columns", topic);
		decoder = decoder_create(stream, NULL, err);
		if (!decoder) {
			stream_destroy(stream);
			return false;
		}
	}
	struct renderer *r = xcalloc(1, sizeof *r);
	r->form = form;
	r->stream = stream;
	r->decoder = decoder;
	buf_init(&r->prefix);
	buf_init(&r->cell);
	if (form == FORM_NDJSON) {
		buf_adds(&r->prefix, "{\"topic\":");
		render_json_string(&r->prefix, topic, strlen(topic));
		buf_adds(&r->prefix, ",\"partition\":");
	} else if (form == FORM_CSV) {
		render_csv_text(&r->prefix, bytes_str(topic));
		buf_addc(&r->prefix, ',');
	}
	*ret = r;
	return true;
}

void renderer_destroy(struct renderer *r)
{
	if (!r)
		return;
	decoder_destroy(r->decoder);
	stream_destroy(r->stream);
	buf_finish(&r->prefix);
	buf_finish(&r->cell);
	free(r);
}

void render_header(struct renderer *r, struct buf *to)
{
	if (r->form == FORM_CSV)
		buf_adds(to, "topic,partition,offset,timestamp,key,headers,value\n");
	if (r->form != FORM_ROWS_CSV)
		return;
	for (size_t i = 0; i < r->stream->column_n; i++) {
		if (i)
			buf_addc(to, ',');
		render_csv_text(to, bytes_str(r->stream->columns[i].name));
	}
	buf_addc(to, '\n');
}

void render_record(struct renderer *r, int32_t partition, const struct record *record, struct buf *to)
{
	switch (r->form) {
	case FORM_NDJSON:
		render_ndjson(r, partition, record, to);
		break;
	case FORM_CSV:
		render_csv(r, partition, record, to);
		break;
	case FORM_TXT:
		render_txt(record, to);
		break;
	case FORM_ROWS_NDJSON:
	case FORM_ROWS_CSV:
	case FORM_N:
		render_rows(r, record, to);
		break;
	}
}
