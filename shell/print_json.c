/* json (one array) and ndjson (one object a line). Numbers shortest, BLOB as base64 text, BOOLEAN columns as true and false, JSON columns
 * embedded if they hold one valid document (else as a string), instants as integers unless .timestamps text. A name that comes twice gets
 * _2, _3 ...: an object with the same key twice would lose a value in most readers. Output is always valid JSON and valid UTF-8. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "shell/print_impls.h"

enum { JSON_ARRAY, JSON_LINES };

static bool name_taken(const struct print *p, int before, const char *name)
{
	for (int i = 0; i < before; i++)
		if (strcmp(p->columns[i].name, name) == 0)
			return true;
	return false;
}

/* Column names become `"name":`, ready to copy. Uniqueness is decided on the names first. */
static void json_begin(struct print *p)
{
	for (int i = 0; i < p->column_n; i++) {
		struct print_column *c = &p->columns[i];
		for (int n = 2; name_taken(p, i, c->name) && n < 10000; n++) {
			char *base = n == 2 ? xstrdup(c->name) : xstrndup(c->name, (size_t)(strrchr(c->name, '_') - c->name));
			free(c->name);
			c->name = xasprintf("%s_%d", base, n);
			free(base);
		}
	}
	for (int i = 0; i < p->column_n; i++) {
		struct buf b = BUF_INIT;
		print_json_string(&b, p->columns[i].name, strlen(p->columns[i].name), p->safe);
		buf_addc(&b, ':');
		p->columns[i].name_len = b.len;
		free(p->columns[i].name);
		p->columns[i].name = buf_take(&b);
	}
}

/* A document that is embedded must not break the line it stands on. White space is all it can hold of line ends: inside strings they are escaped. */
static void add_document(struct buf *to, const char *text, size_t len)
{
	size_t from = to->len;
	buf_add(to, text, len);
	for (char *p = to->data + from; p < to->data + to->len; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
}

/* On a terminal only plain ASCII is embedded as it is. */
static bool document_is_safe(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x7F)
			return false;
	return true;
}

static void json_value(struct print *p, int i, const struct cell *c)
{
	struct buf *b = &p->scratch;
	char number[64];
	switch (c->type) {
	case CELL_NULL:
		buf_add(b, "null", 4);
		return;
	case CELL_INTEGER:
		if (p->columns[i].kind == KIND_BOOLEAN && (c->integer == 0 || c->integer == 1))
			buf_adds(b, c->integer ? "true" : "false");
		else if (p->columns[i].kind == KIND_TIMESTAMP && p->set->timestamps == TIMESTAMPS_TEXT) {
			buf_addc(b, '"');
			buf_add(b, number, print_instant(c->integer, p->set->local_time, number));
			buf_addc(b, '"');
		} else
			buf_add(b, number, int_text(c->integer, number));
		return;
	case CELL_REAL:
		if (isinf(c->real) || isnan(c->real))
			buf_adds(b, "null");
		else
			buf_add(b, number, print_real(c->real, number));
		return;
	case CELL_BLOB:
		buf_addc(b, '"');
		print_base64(b, c->data, c->len);
		buf_addc(b, '"');
		return;
	case CELL_TEXT:
		if (p->columns[i].kind == KIND_JSON && print_json_valid(c->data, c->len) && (!p->safe || document_is_safe(c->data, c->len)))
			add_document(b, c->data, c->len);
		else
			print_json_string(b, c->data, c->len, p->safe);
		return;
	}
}

static void json_row(struct print *p, const struct cell *cells)
{
	struct buf *b = &p->scratch;
	buf_clear(b);
	if (p->impl->variant == JSON_ARRAY)
		buf_adds(b, p->row_n == 1 ? "[" : ",\n");
	for (int i = 0; i < p->column_n; i++) {
		buf_addc(b, i ? ',' : '{');
		buf_add(b, p->columns[i].name, p->columns[i].name_len);
		json_value(p, i, &cells[i]);
	}
	buf_addc(b, '}');
	if (p->impl->variant == JSON_LINES)
		buf_addc(b, '\n');
	out_add(p->out, b->data, b->len);
}

static void json_end(struct print *p)
{
	if (p->impl->variant == JSON_ARRAY)
		out_adds(p->out, p->row_n ? "]\n" : "[]\n");
}

const struct print_impl print_json = {.name = "json", .help = "one JSON array of objects", .column_separator = "", .null_text = "null",
	.begin = json_begin, .row = json_row, .end = json_end, .variant = JSON_ARRAY};
const struct print_impl print_ndjson = {.name = "ndjson", .help = "one JSON object a line (aka jsonl)", .column_separator = "", .null_text = "null",
	.begin = json_begin, .row = json_row, .end = json_end, .variant = JSON_LINES};
