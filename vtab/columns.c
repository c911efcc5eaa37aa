/* The current row's columns as SQLite values. Text up to any size is copied (SQLITE_TRANSIENT): a pointer into a batch must not outlive the
 * row, and SQLite keeps values longer than that (max(), sorters). */
#include "vtab/cursor.h"

#include "core/hash.h"
#include "core/headers.h"
#include "core/time.h"
#include "core/utf8.h"

enum { ROWID_OFFSET_BITS = 48, ROWID_PARTITION_BITS = 15, MULTI_PARTITION_BITS = 12, MULTI_OFFSET_BITS = 38, MULTI_ROW_BITS = 13 };

/* One row a message: partition << 48 | offset, which seeks. Several: partition, offset and row number share the 63 bits, for uniqueness only.
 * What does not fit (an offset of 2^48 and more) gets a negative number made by a hash: the same in every scan, and two alike are
 * as likely as a broken disk. */
int64_t row_id(const struct table *t, int32_t partition, int64_t offset, size_t row)
{
	if (!t->multi_row) {
		if (offset < (int64_t)1 << ROWID_OFFSET_BITS && partition < 1 << ROWID_PARTITION_BITS)
			return (int64_t)partition << ROWID_OFFSET_BITS | offset;
	} else if (offset < (int64_t)1 << MULTI_OFFSET_BITS && partition < 1 << MULTI_PARTITION_BITS && row < (size_t)1 << MULTI_ROW_BITS) {
		return (int64_t)partition << (MULTI_OFFSET_BITS + MULTI_ROW_BITS) | offset << MULTI_ROW_BITS | (int64_t)row;
	}
	int64_t parts[3] = {partition, offset, (int64_t)row};
	return (int64_t)(hash_bytes(parts, sizeof parts) | (uint64_t)1 << 63);
}

static void result_bytes(sqlite3_context *context, const uint8_t *data, size_t len)
{
	if (!data)
		sqlite3_result_null(context);
	else if (utf8_valid(data, len))
		sqlite3_result_text64(context, (const char *)data, len, SQLITE_TRANSIENT, SQLITE_UTF8);
	else
		sqlite3_result_blob64(context, data, len, SQLITE_TRANSIENT);
}

/* JSON array of pairs in the broker's order: [["name","text"],["name",null],["name",{"hex":"00ff"}]]. A name that is not UTF-8 is shown with
 * U+FFFD. */
static void add_json_text(struct buf *to, struct bytes text)
{
	buf_addc(to, '"');
	const uint8_t *p = text.data, *end = text.data + text.len;
	while (p < end) {
		uint32_t cp;
		size_t n = utf8_decode(p, end, &cp);
		if (n == 0) {
			buf_adds(to, "\xEF\xBF\xBD");
			n = 1;
		} else if (cp == '"' || cp == '\\') {
			buf_addc(to, '\\');
			buf_addc(to, (char)cp);
		} else if (cp < 0x20) {
			buf_addf(to, "\\u%04x", cp);
		} else {
			buf_add(to, p, n);
		}
		p += n;
	}
	buf_addc(to, '"');
}

static void result_headers(sqlite3_context *context, const struct record *r)
{
	static const char digits[] = "0123456789abcdef";
	struct buf b = BUF_INIT;
	struct bytes name, value;
	buf_addc(&b, '[');
	for (struct header_iter it = headers_begin(r->headers, r->headers_len); headers_next(&it, &name, &value);) {
		buf_adds(&b, b.len > 1 ? ",[" : "[");
		add_json_text(&b, name);
		buf_addc(&b, ',');
		if (!value.data) {
			buf_adds(&b, "null");
		} else if (utf8_valid(value.data, value.len)) {
			add_json_text(&b, value);
		} else {
			buf_adds(&b, "{\"hex\":\"");
			for (size_t i = 0; i < value.len; i++) {
				buf_addc(&b, digits[value.data[i] >> 4]);
				buf_addc(&b, digits[value.data[i] & 15]);
			}
			buf_adds(&b, "\"}");
		}
		buf_addc(&b, ']');
	}
	buf_addc(&b, ']');
	sqlite3_result_text64(context, b.data, b.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	sqlite3_result_subtype(context, 'J');
	buf_finish(&b);
}

void result_field(sqlite3_context *context, const struct field *f, enum column_type type)
{
	switch (f->type) {
	case FIELD_INTEGER:
	case FIELD_BOOLEAN:
		sqlite3_result_int64(context, f->u.i);
		return;
	case FIELD_REAL:
		sqlite3_result_double(context, f->u.d);
		return;
	case FIELD_TEXT:
		sqlite3_result_text64(context, (const char *)f->bytes.data, f->bytes.len, SQLITE_TRANSIENT, SQLITE_UTF8);
		return;
	case FIELD_JSON:
		sqlite3_result_text64(context, (const char *)f->bytes.data, f->bytes.len, SQLITE_TRANSIENT, SQLITE_UTF8);
		sqlite3_result_subtype(context, 'J');
		return;
	case FIELD_BLOB:
		sqlite3_result_blob64(context, f->bytes.data, f->bytes.len, SQLITE_TRANSIENT);
		return;
	case FIELD_ABSENT:
	case FIELD_NULL:
	case FIELD_ERROR:
		sqlite3_result_null(context);
		return;
	}
}

static const char *row_error(struct cursor *c, bool force)
{
	return c->decoder ? decoder_error(c->decoder, c->row, force) : "";
}

static void result_error_column(struct cursor *c, sqlite3_context *context)
{
	const struct record *r = c->record;
	if (r->too_large) {
		char text[96];
		int n = sqlite3_snprintf(sizeof text, text, "a message of %u bytes is larger than allowed", r->size)[0] ? (int)strlen(text) : 0;
		sqlite3_result_text(context, text, n, SQLITE_TRANSIENT);
		return;
	}
	const char *text = row_error(c, true);
	c->decoded = true;
	if (text[0])
		sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
	else
		sqlite3_result_null(context);
}

/* Confluent's framing: a zero byte and the schema's number, big endian. */
static void result_schema_id(sqlite3_context *context, const struct record *r)
{
	const uint8_t *v = r->value;
	if (!v || r->value_len < 5 || v[0] != 0) {
		sqlite3_result_null(context);
		return;
	}
	sqlite3_result_int64(context, (int64_t)v[1] << 24 | (int64_t)v[2] << 16 | (int64_t)v[3] << 8 | v[4]);
}

static void result_hidden(struct cursor *c, sqlite3_context *context, int column)
{
	static const char *const ts_types[] = {[TS_TYPE_NONE] = "none", [TS_TYPE_CREATE] = "create", [TS_TYPE_APPEND] = "append"};
	const struct record *r = c->record;
	switch (plan_alias(column)) {
	case HIDDEN_TOPIC:
		sqlite3_result_text(context, c->table->stream->topic, -1, SQLITE_TRANSIENT);
		return;
	case HIDDEN_PARTITION:
		sqlite3_result_int(context, c->partition);
		return;
	case HIDDEN_OFFSET:
		sqlite3_result_int64(context, r->offset);
		return;
	case HIDDEN_TS:
		if (r->ts_ms != TIME_NONE)
			sqlite3_result_int64(context, r->ts_ms);
		return;
	case HIDDEN_TIME: {
		char text[TIME_TEXT_MAX];
		if (r->ts_ms != TIME_NONE) {
			size_t n = time_format(r->ts_ms, text);
			sqlite3_result_text(context, text, (int)n, SQLITE_TRANSIENT);
		}
		return;
	}
	case HIDDEN_TS_TYPE:
		sqlite3_result_text(context, ts_types[r->ts_type <= TS_TYPE_APPEND ? r->ts_type : 0], -1, SQLITE_STATIC);
		return;
	case HIDDEN_KEY:
		result_bytes(context, r->key, r->key_len);
		return;
	case HIDDEN_VALUE:
		result_bytes(context, r->value, r->value_len);
		return;
	case HIDDEN_HEADERS:
		result_headers(context, r);
		return;
	case HIDDEN_SIZE:
		/* Key and value; record.size holds the headers too, but only in scans that read them. */
		sqlite3_result_int64(context, (int64_t)r->size - r->headers_len);
		return;
	case HIDDEN_SCHEMA_ID:
		result_schema_id(context, r);
		return;
	case HIDDEN_ERROR:
		result_error_column(c, context);
		return;
	case HIDDEN_INDEX:
		sqlite3_result_int64(context, (int64_t)c->row);
		return;
	default:
		return;
	}
}

/* Reports what could not be decoded in the current row, once a row. False under --strict. */
bool cursor_count_errors(struct cursor *c, struct err *err)
{
	if (!c->decoded)
		return true;
	c->decoded = false;
	struct provider *p = c->table->module->provider;
	const struct record *r = c->record;
	const char *text = row_error(c, false);
	if (!text[0])
		return true;
	bool first = cursor_first_time(c);
	if (first)
		p->stats.decode_error_n++;
	if (p->impl->bad_message && first) {
		struct bad_message bad = {
			.cluster = c->table->stream->cluster, .topic = c->table->stream->topic, .partition = c->partition, .offset = r->offset, .ts_ms = r->ts_ms,
			.stage = "decode", .text = text, .sample = record_value(r),
		};
		p->impl->bad_message(p, &bad);
	}
	if (p->strict)
		return err_set(err, ERR_DECODE, "%s partition %d offset %lld: %s", c->table->stream->topic, c->partition, (long long)r->offset, text);
	return true;
}

int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	struct cursor *c = (struct cursor *)base;
	if (column < HIDDEN_N) {
		result_hidden(c, context, column);
	} else if (column == as_of_column(c->table)) {
		sqlite3_result_int64(context, c->scan.as_of_ms);
	} else {
		size_t i = payload_column(column);
		struct err err = ERR_INIT;
		if ((!c->payload || !c->wanted[i]) && !cursor_widen(c, &err))
			return table_fail(c->table, &err);
		struct field f;
		decoder_field(c->decoder, c->row, i, &f);
		c->decoded = true;
		result_field(context, &f, c->table->stream->columns[i].type);
	}
	/* The row must not be given out with a column that failed, when that is to end the query. */
	if (c->decoded && c->table->module->provider->strict) {
		struct err err = ERR_INIT;
		if (!cursor_count_errors(c, &err)) {
			int code = table_fail(c->table, &err);
			sqlite3_result_error(context, err.msg, -1);
			return code;
		}
		c->decoded = true;
	}
	return SQLITE_OK;
}

int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	const struct cursor *c = (const struct cursor *)base;
	*ret = row_id(c->table, c->partition, c->record->offset, c->row);
	return SQLITE_OK;
}
