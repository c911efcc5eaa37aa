/* Formats json and jsonl behind codec/format.h.
 * json: the message is one document. With EXPLODE its array's elements are the rows: the first pass over the document finds where they lie,
 * each row then scans its own element. Column paths: '$..' from the document, '@..' from the element; a column without a path is the member
 * of its name (dots nest), looked for in the element first.
 * jsonl: every non-blank line is a document and a row.
 * A malformed document makes every field of its row FIELD_ERROR. Fields are decoded when first asked for, and once. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "codec/codec.h"
#include "codec/format.h"
#include "codec/json_value.h"
#include "core/alloc.h"
#include "core/time.h"

/* One path to be found, and what was found for the current row. */
struct wanted_path {
	struct json_path path;
	char *name;                          /* for error texts */
	char *text;                          /* of a path added later: finds it again; NULL for columns */
	enum column_type type;
	int slot;
	uint64_t decoded_in;                 /* scan_no of the scan that field is from */
	struct field field;
};

/* A scanner and the paths it serves: one for the document, one for the element. */
struct side {
	struct json_scanner scanner;
	struct wanted_path *paths;
	size_t path_n;
	bool stale;                          /* paths were added since the program was compiled */
	bool bad;
	struct buf error;                    /* of the current document or element */
};

struct column_paths {
	int root, element;                   /* index in side.paths, -1 = none. Both: the element's, else the document's */
};

struct json_format {
	struct format base;
	const struct stream *stream;
	struct json_path explode;
	bool exploding;
	bool lines;
	struct column_paths *columns;
	struct side root, element;
	struct bytes payload;
	bool scanned;                        /* payload (or line) went through root.scanner */
	size_t row;                          /* the row that element (or, for lines, root) holds */
	bool row_scanned;
	struct json_span *line_spans;
	size_t line_n, line_cap;
	struct arena arena;
};

enum { ERROR_TEXT_MAX = 1000 };

void format_error_add(struct buf *to, const char *fmt, ...)
{
	if (to->len > ERROR_TEXT_MAX)
		return;
	if (to->len)
		buf_adds(to, "; ");
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(to, fmt, ap);
	va_end(ap);
	if (to->len > ERROR_TEXT_MAX)
		buf_adds(to, " ...");
}

static int side_add(struct side *s, struct json_path *path, const char *name, const char *text, enum column_type type)
{
	s->paths = xreallocarray(s->paths, s->path_n + 1, sizeof *s->paths);
	s->paths[s->path_n] = (struct wanted_path){.path = *path, .name = xstrdup(name), .text = text ? xstrdup(text) : NULL, .type = type, .slot = -1};
	*path = (struct json_path){0};
	s->stale = true;
	return (int)s->path_n++;
}

static void side_compile(struct side *s, const struct json_path *explode)
{
	const struct json_path **list = xreallocarray(NULL, s->path_n + 1, sizeof *list);
	int *slots = xreallocarray(NULL, s->path_n + 1, sizeof *slots);
	for (size_t i = 0; i < s->path_n; i++)
		list[i] = &s->paths[i].path;
	json_scanner_set_program(&s->scanner, json_program_create(list, s->path_n, explode, slots));
	for (size_t i = 0; i < s->path_n; i++)
		s->paths[i].slot = slots[i];
	free(list);
	free(slots);
	s->stale = false;
}

static void side_scan(struct side *s, struct bytes doc)
{
	buf_clear(&s->error);
	s->bad = !json_scan(&s->scanner, doc);
	if (s->bad)
		format_error_add(&s->error, "JSON: %s at byte %zu", s->scanner.error, s->scanner.error_at);
}

static void side_finish(struct side *s)
{
	json_scanner_finish(&s->scanner);
	for (size_t i = 0; i < s->path_n; i++) {
		json_path_finish(&s->paths[i].path);
		free(s->paths[i].name);
		free(s->paths[i].text);
	}
	free(s->paths);
	buf_finish(&s->error);
}

static const struct field *decode_field(struct json_format *f, struct side *s, struct wanted_path *w)
{
	char reason[JSON_REASON_MAX];
	json_value_field(&s->scanner.values[w->slot], f->stream->nan_null, &f->arena, &w->field, reason);
	if (w->type == COLUMN_TIMESTAMP && w->field.type == FIELD_TEXT) {
		int64_t ms;
		if (time_parse_iso((const char *)w->field.bytes.data, w->field.bytes.len, &ms)) {
			w->field.type = FIELD_INTEGER;
			w->field.u.i = ms;
		} else {
			w->field.type = FIELD_ERROR;
			snprintf(reason, sizeof reason, "not an ISO 8601 time");
		}
	}
	if (reason[0])
		format_error_add(&s->error, "%s: %s", w->name, reason);
	w->decoded_in = s->scanner.scan_no;
	return &w->field;
}

static inline const struct field *side_field(struct json_format *f, struct side *s, int index)
{
	struct wanted_path *w = &s->paths[index];
	return w->decoded_in == s->scanner.scan_no ? &w->field : decode_field(f, s, w);
}

static bool parse_explode(const char *text, struct json_path *ret, struct err *err)
{
	size_t len = strlen(text);
	if (len < 4 || strcmp(text + len - 3, "[*]") != 0 || text[0] != '$' || !json_path_parse(bytes_of(text, len - 3), ret))
		return err_set(err, ERR_OPTION, "EXPLODE path \"%s\" is not a path to an array's elements, like $.values[*] or $[*]", text);
	return true;
}

static bool parse_column_path(const char *text, struct json_path *ret)
{
	if (text[0] == '$' || text[0] == '@')
		return json_path_parse(bytes_str(text), ret);
	char *full = xasprintf("$.%s", text);
	bool ok = json_path_parse(bytes_str(full), ret);
	free(full);
	return ok;
}

static bool add_column(struct json_format *f, const struct format_spec *spec, size_t i, struct err *err)
{
	const struct column *c = &f->stream->columns[i];
	struct json_path path;
	if (c->path) {
		if (!parse_column_path(c->path, &path))
			return err_set(err, ERR_OPTION, "column \"%s\": \"%s\" is not a JSON path like $.a.b, $.\"a b\"[0] or $", c->name, c->path);
		if (path.element && !f->exploding) {
			json_path_finish(&path);
			return err_set(err, ERR_OPTION, "column \"%s\": path \"%s\" is from an array's element, but the table has no EXPLODE", c->name, c->path);
		}
		if (path.element)
			f->columns[i].element = side_add(&f->element, &path, c->name, NULL, c->type);
		else
			f->columns[i].root = side_add(&f->root, &path, c->name, NULL, c->type);
		return true;
	}
	if (spec->origin == COLUMN_FROM_KEY) {
		json_path_parse(bytes_str("$"), &path);
		f->columns[i].root = side_add(&f->root, &path, c->name, NULL, c->type);
		return true;
	}
	if (f->exploding) {
		json_path_from_name(c->name, true, &path);
		f->columns[i].element = side_add(&f->element, &path, c->name, NULL, c->type);
	}
	json_path_from_name(c->name, false, &path);
	f->columns[i].root = side_add(&f->root, &path, c->name, NULL, c->type);
	return true;
}

static void json_destroy(struct format *base)
{
	struct json_format *f = (struct json_format *)base;
	side_finish(&f->root);
	side_finish(&f->element);
	json_path_finish(&f->explode);
	arena_finish(&f->arena);
	free(f->line_spans);
	free(f->columns);
	free(f);
}

static struct format *create(const struct format_spec *spec, const struct format_impl *impl, bool lines, struct err *err)
{
	const struct stream *s = spec->stream;
	struct json_format *f = xcalloc(1, sizeof *f);
	f->base.impl = impl;
	f->stream = s;
	f->lines = lines;
	f->root.error = f->element.error = (struct buf)BUF_INIT;
	json_scanner_init(&f->root.scanner);
	json_scanner_init(&f->element.scanner);
	f->columns = xreallocarray(NULL, s->column_n ? s->column_n : 1, sizeof *f->columns);
	if (s->explode && spec->origin == COLUMN_FROM_VALUE && !lines) {
		if (!parse_explode(s->explode, &f->explode, err))
			goto fail;
		f->exploding = true;
	}
	for (size_t i = 0; i < s->column_n; i++) {
		f->columns[i] = (struct column_paths){.root = -1, .element = -1};
		if (s->columns[i].origin == spec->origin && spec->wanted[i] && !add_column(f, spec, i, err))
			goto fail;
	}
	side_compile(&f->root, f->exploding ? &f->explode : NULL);
	side_compile(&f->element, NULL);
	return &f->base;
fail:
	json_destroy(&f->base);
	return NULL;
}

static struct format *json_create(const struct format_spec *spec, struct err *err)
{
	return create(spec, &format_json, false, err);
}

static struct format *jsonl_create(const struct format_spec *spec, struct err *err)
{
	return create(spec, &format_jsonl, true, err);
}

/* Scans the document (or the first line) once per load, and again when a path was added meanwhile. */
static void scan_root(struct json_format *f)
{
	if (f->scanned && !f->root.stale)
		return;
	if (f->root.stale)
		side_compile(&f->root, f->exploding ? &f->explode : NULL);
	side_scan(&f->root, f->payload);
	f->scanned = true;
}

static bool line_span_add(struct json_format *f, size_t start, size_t len)
{
	if (f->line_n == f->line_cap) {
		size_t cap = f->line_cap ? f->line_cap * 2 : 64;
		struct json_span *grown = realloc(f->line_spans, cap * sizeof *grown);
		if (!grown)
			return false;
		f->line_spans = grown;
		f->line_cap = cap;
	}
	f->line_spans[f->line_n++] = (struct json_span){.start = (uint32_t)start, .len = (uint32_t)len};
	return true;
}

static void find_lines(struct json_format *f)
{
	const uint8_t *start = f->payload.data;
	const uint8_t *end = start + f->payload.len;
	f->line_n = 0;
	for (const uint8_t *p = start; p < end;) {
		const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));
		const uint8_t *stop = nl ? nl : end;
		const uint8_t *q = p;
		while (q < stop && (*q == ' ' || *q == '\t' || *q == '\r'))
			q++;
		if (q < stop && !line_span_add(f, (size_t)(p - start), (size_t)(stop - p)))
			break;
		p = stop + 1;
	}
}

static size_t json_load(struct format *base, struct bytes payload)
{
	struct json_format *f = (struct json_format *)base;
	arena_reset(&f->arena);
	f->payload = payload.data ? payload : bytes_of("", 0);
	f->scanned = false;
	f->row_scanned = false;
	if (f->lines) {
		find_lines(f);
		return f->line_n ? f->line_n : 1;
	}
	if (!f->exploding)
		return 1;
	scan_root(f);
	return !f->root.bad && f->root.scanner.span_n ? f->root.scanner.span_n : 1;
}

/* Makes row the current one. False: the row is undecodable. */
static bool select_row(struct json_format *f, size_t row)
{
	if (f->lines) {
		if (!f->row_scanned || f->row != row || f->root.stale) {
			if (f->root.stale)
				side_compile(&f->root, NULL);
			struct bytes line = f->payload;
			if (row < f->line_n)
				line = bytes_of(f->payload.data + f->line_spans[row].start, f->line_spans[row].len);
			side_scan(&f->root, line);
			f->row = row;
			f->row_scanned = true;
		}
		return !f->root.bad;
	}
	scan_root(f);
	if (f->root.bad || !f->exploding)
		return !f->root.bad;
	if (!f->row_scanned || f->row != row) {
		struct bytes element = bytes_of("", 0);
		if (row < f->root.scanner.span_n)
			element = bytes_of(f->payload.data + f->root.scanner.spans[row].start, f->root.scanner.spans[row].len);
		side_scan(&f->element, element);
		f->row = row;
		f->row_scanned = true;
	}
	return !f->element.bad;
}

static void json_field(struct format *base, size_t row, size_t column, struct field *ret)
{
	struct json_format *f = (struct json_format *)base;
	const struct column_paths *c = &f->columns[column];
	const struct field *found = NULL;
	/* The usual case first: one row a message, scanned already. */
	bool ready = f->scanned && !f->exploding && !f->root.stale && !f->root.bad;
	if (!ready && !select_row(f, row)) {
		*ret = (struct field){.type = FIELD_ERROR};
		return;
	}
	if (c->element >= 0)
		found = side_field(f, &f->element, c->element);
	if (c->root >= 0 && (!found || found->type == FIELD_ABSENT))
		found = side_field(f, &f->root, c->root);
	*ret = found ? *found : (struct field){.type = FIELD_ABSENT};
}

static void json_error(struct format *base, size_t row, bool force, struct buf *to)
{
	struct json_format *f = (struct json_format *)base;
	if (force && select_row(f, row)) {
		for (size_t i = 0; i < f->stream->column_n; i++) {
			struct field unused;
			if (f->columns[i].root >= 0 || f->columns[i].element >= 0)
				json_field(base, row, i, &unused);
		}
	}
	bool row_is_current = f->row_scanned && f->row == row;
	if (f->lines ? row_is_current : f->scanned)
		if (f->root.error.len)
			format_error_add(to, "%s", f->root.error.data);
	if (f->exploding && row_is_current && f->element.error.len)
		format_error_add(to, "%s", f->element.error.data);
}

static int json_add_path(struct format *base, struct bytes text)
{
	struct json_format *f = (struct json_format *)base;
	struct json_path path;
	if (!text.data || text.len == 0 || memchr(text.data, '\\', text.len) || memchr(text.data, '\0', text.len))
		return -1;
	char *full;
	int len = (int)text.len;
	const char *t = (const char *)text.data;
	if (t[0] == '$') {
		full = xasprintf("%.*s", len, t);
	} else if (t[0] >= '0' && t[0] <= '9') {
		full = xasprintf("$[%.*s]", len, t);
	} else {
		/* A label. SQLite versions differ in how they take '.', '[' and '"' in it, or a leading '-'. */
		if (strchr("@-[", t[0]) || memchr(t, '.', text.len) || memchr(t, '[', text.len) || memchr(t, '"', text.len) || memchr(t, ']', text.len))
			return -1;
		full = xasprintf("$.%.*s", len, t);
	}
	int slot = -1;
	for (size_t i = 0; i < f->root.path_n && slot < 0; i++)
		if (f->root.paths[i].text && strcmp(f->root.paths[i].text, full) == 0)
			slot = (int)i;
	if (slot < 0 && json_path_parse(bytes_str(full), &path))
		slot = side_add(&f->root, &path, full, full, COLUMN_ANY);
	free(full);
	return slot;
}

static void json_path_field(struct format *base, int slot, struct field *ret)
{
	struct json_format *f = (struct json_format *)base;
	scan_root(f);
	if (f->root.bad)
		*ret = (struct field){.type = FIELD_ERROR};
	else
		*ret = *side_field(f, &f->root, slot);
}

const struct format_impl format_json = {
	.name = "json", .multi_row = false, .create = json_create, .destroy = json_destroy, .load = json_load, .field = json_field,
	.error = json_error, .add_path = json_add_path, .path_field = json_path_field,
};

const struct format_impl format_jsonl = {
	.name = "jsonl", .multi_row = true, .create = jsonl_create, .destroy = json_destroy, .load = json_load, .field = json_field, .error = json_error,
};
