/* codec/encode.h. JSON members are put into a small tree first, so that columns 'a.b' and 'a.c' meet in one object wherever they stand. */
#include "codec/encode.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "codec/codec.h"
#include "codec/json_scan.h"
#include "core/alloc.h"
#include "core/utf8.h"

void encode_json_string(struct buf *to, const void *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *p = text;
	const uint8_t *end = p + len;
	const uint8_t *plain = p;
	buf_reserve(to, len + 2);
	buf_addc(to, '"');
	while (p < end) {
		uint8_t c = *p;
		uint32_t cp;
		size_t n = 1;
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			p++;
			continue;
		}
		if (c >= 0x80 && (n = utf8_decode(p, end, &cp)) != 0) {
			p += n;
			continue;
		}
		buf_add(to, plain, (size_t)(p - plain));
		static const char from[] = "\"\\\b\f\n\r\t";
		static const char into[] = "\"\\bfnrt";
		const char *simple = c ? strchr(from, c) : NULL;
		if (c >= 0x80) {
			buf_adds(to, "\xEF\xBF\xBD");
		} else if (simple) {
			char out[2] = {'\\', into[simple - from]};
			buf_add(to, out, 2);
		} else {
			char out[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
			buf_add(to, out, 6);
		}
		plain = ++p;
	}
	buf_add(to, plain, (size_t)(p - plain));
	buf_addc(to, '"');
}

/* snprintf follows the process's locale: whatever it put for the point becomes '.'; the exponent loses '+' and leading zeros. */
static size_t normalize(char *text)
{
	char *to = text;
	bool pointed = false;
	for (const char *p = text; *p; p++) {
		if ((*p >= '0' && *p <= '9') || *p == '-') {
			*to++ = *p;
		} else if (*p == 'e') {
			*to++ = *p++;
			if (*p == '-')
				*to++ = '-';
			p += *p == '+' || *p == '-';
			while (*p == '0' && p[1])
				p++;
			while (*p)
				*to++ = *p++;
			pointed = true;
			break;
		} else if (!pointed) {
			*to++ = '.';
			pointed = true;
		}
	}
	if (!pointed) {
		*to++ = '.';
		*to++ = '0';
	}
	*to = '\0';
	return (size_t)(to - text);
}

void encode_real(struct buf *to, double d)
{
	char text[64];
	if (!isfinite(d)) {
		buf_adds(to, "null");
		return;
	}
	if (fabs(d) < 1e15 && d == (double)(int64_t)d && (d != 0 || !signbit(d))) {
		buf_add(to, text, (size_t)snprintf(text, sizeof text, "%" PRId64 ".0", (int64_t)d));
		return;
	}
	/* strtod reads in the same locale as snprintf wrote. */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, d);
		if (digits == 17 || strtod(text, NULL) == d)
			break;
	}
	buf_add(to, text, normalize(text));
}

/* True if text is JSON to the letter (no NaN). */
static bool is_json(struct bytes text)
{
	struct json_path path;
	const struct json_path *paths = &path;
	struct json_scanner scanner;
	int slot;
	if (text.len >= UINT32_MAX || !json_path_parse(bytes_str("$"), &path))
		return false;
	json_scanner_init(&scanner);
	json_scanner_set_program(&scanner, json_program_create(&paths, 1, NULL, &slot));
	bool ok = json_scan(&scanner, text) && !scanner.empty && !scanner.bom && scanner.values[slot].kind != JSON_NAN
		&& !(scanner.values[slot].flags & JSON_HAS_NAN) && utf8_valid(text.data, text.len);
	json_scanner_finish(&scanner);
	json_path_finish(&path);
	return ok;
}

/* Appends the plain text of a number, boolean or text; NULL gives nothing. */
static bool add_plain(struct buf *to, const struct column *c, const struct field *f, struct err *err)
{
	switch (f->type) {
	case FIELD_ABSENT:
	case FIELD_NULL:
		return true;
	case FIELD_INTEGER:
		if (c->type == COLUMN_BOOLEAN && (f->u.i == 0 || f->u.i == 1))
			buf_adds(to, f->u.i ? "true" : "false");
		else if (c->type == COLUMN_REAL)
			encode_real(to, (double)f->u.i);
		else
			buf_addf(to, "%" PRId64, f->u.i);
		return true;
	case FIELD_BOOLEAN:
		buf_adds(to, f->u.i ? "true" : "false");
		return true;
	case FIELD_REAL:
		if (!isfinite(f->u.d))
			return err_set(err, ERR_TYPE, "column \"%s\": NaN and infinity cannot be written", c->name);
		encode_real(to, f->u.d);
		return true;
	case FIELD_TEXT:
	case FIELD_JSON:
		buf_add(to, f->bytes.data, f->bytes.len);
		return true;
	case FIELD_BLOB:
	case FIELD_ERROR:
		break;
	}
	return err_set(err, ERR_TYPE, "column \"%s\": a BLOB cannot be written as text; use hex() or a raw topic", c->name);
}

static bool add_json(struct buf *to, const struct column *c, const struct field *f, struct err *err)
{
	switch (f->type) {
	case FIELD_ABSENT:
	case FIELD_NULL:
		buf_adds(to, "null");
		return true;
	case FIELD_TEXT:
	case FIELD_JSON:
		if ((f->type == FIELD_JSON || c->type == COLUMN_JSON) && is_json(f->bytes))
			buf_add(to, f->bytes.data, f->bytes.len);
		else
			encode_json_string(to, f->bytes.data, f->bytes.len);
		return true;
	case FIELD_BLOB:
	case FIELD_ERROR:
		return err_set(err, ERR_TYPE, "column \"%s\": JSON has no BLOB; use hex() or cast it to TEXT", c->name);
	case FIELD_INTEGER:
	case FIELD_BOOLEAN:
	case FIELD_REAL:
		break;
	}
	return add_plain(to, c, f, err);
}

/* One member of the object to be written. Links are indexes + 0 = none; [0] is the document. */
struct member {
	struct bytes key;
	size_t first, last, next;
	int column;                          /* -1 = an object only */
};

struct members {
	struct member *at;
	size_t n, cap;
};

static size_t member_add(struct members *m, size_t parent, struct bytes key)
{
	for (size_t i = m->n ? m->at[parent].first : 0; i; i = m->at[i].next)
		if (bytes_equal(m->at[i].key, key))
			return i;
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->at = xreallocarray(m->at, m->cap, sizeof *m->at);
	}
	size_t added = m->n++;
	m->at[added] = (struct member){.key = key, .column = -1};
	if (added) {
		if (m->at[parent].last)
			m->at[m->at[parent].last].next = added;
		else
			m->at[parent].first = added;
		m->at[parent].last = added;
	}
	return added;
}

static bool write_members(const struct members *m, const struct stream *s, const struct field *fields, struct buf *to, struct err *err)
{
	size_t up[CODEC_MAX_DEPTH];
	size_t depth = 0;
	size_t at = m->at[0].first;
	buf_addc(to, '{');
	for (;;) {
		if (!at) {
			buf_addc(to, '}');
			if (depth == 0)
				return true;
			at = m->at[up[--depth]].next;
			if (at)
				buf_addc(to, ',');
			continue;
		}
		encode_json_string(to, m->at[at].key.data, m->at[at].key.len);
		buf_addc(to, ':');
		if (m->at[at].column < 0) {
			buf_addc(to, '{');
			up[depth++] = at;
			at = m->at[at].first;
			continue;
		}
		const struct column *c = &s->columns[m->at[at].column];
		if (!add_json(to, c, &fields[m->at[at].column], err))
			return false;
		at = m->at[at].next;
		if (at)
			buf_addc(to, ',');
	}
}

static bool encode_json(const struct stream *s, const struct field *fields, const bool *given, struct buf *to, struct err *err)
{
	struct json_path *paths = xcalloc(s->column_n ? s->column_n : 1, sizeof *paths);
	struct members m = {0};
	size_t n = 0;
	int whole = -1;
	bool ok = false;
	member_add(&m, 0, bytes_of("", 0));
	for (size_t i = 0; i < s->column_n; i++) {
		const struct column *c = &s->columns[i];
		if (c->origin != COLUMN_FROM_VALUE || !given[i])
			continue;
		n++;
		if (!c->path) {
			json_path_from_name(c->name, false, &paths[i]);
		} else {
			char *full = c->path[0] == '$' || c->path[0] == '@' ? xstrdup(c->path) : xasprintf("$.%s", c->path);
			bool parsed = json_path_parse(bytes_str(full), &paths[i]);
			free(full);
			if (!parsed) {
				err_set(err, ERR_OPTION, "column \"%s\": \"%s\" is not a JSON path", c->name, c->path);
				goto out;
			}
		}
		if (paths[i].element) {
			err_set(err, ERR_UNSUPPORTED, "column \"%s\" is an array's element (EXPLODE): rows cannot be written back into arrays", c->name);
			goto out;
		}
		if (paths[i].step_n == 0)
			whole = (int)i;
		size_t at = 0;
		for (size_t k = 0; k < paths[i].step_n; k++) {
			if (paths[i].steps[k].is_index) {
				err_set(err, ERR_UNSUPPORTED, "column \"%s\": path \"%s\" is inside an array and cannot be written", c->name, c->path);
				goto out;
			}
			if (m.at[at].column >= 0) {
				err_set(err, ERR_TYPE, "column \"%s\" lies inside column \"%s\": write one of them", c->name, s->columns[m.at[at].column].name);
				goto out;
			}
			at = member_add(&m, at, paths[i].steps[k].key);
		}
		if (at && m.at[at].first) {
			err_set(err, ERR_TYPE, "column \"%s\" holds other columns that are written too: write one of them", c->name);
			goto out;
		}
		if (at)
			m.at[at].column = (int)i;
	}
	if (whole >= 0 && n > 1)
		err_set(err, ERR_TYPE, "column \"%s\" is the whole value: no other column can be written with it", s->columns[whole].name);
	else if (whole >= 0)
		ok = add_json(to, &s->columns[whole], &fields[whole], err);
	else
		ok = write_members(&m, s, fields, to, err);
out:
	for (size_t i = 0; i < s->column_n; i++)
		json_path_finish(&paths[i]);
	free(paths);
	free(m.at);
	return ok;
}

static void add_cell(struct buf *to, const char *text, size_t len, char delimiter, bool force_quotes)
{
	bool quote = force_quotes || memchr(text, delimiter, len) || memchr(text, '"', len) || memchr(text, '\n', len) || memchr(text, '\r', len)
		|| (len && (text[0] == ' ' || text[len - 1] == ' '));
	if (!quote) {
		buf_add(to, text, len);
		return;
	}
	buf_addc(to, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			buf_addc(to, '"');
		buf_addc(to, text[i]);
	}
	buf_addc(to, '"');
}

/* The cell number that a path '$[n]' or 'n' names; -1 = none. */
static long cell_index(const char *path)
{
	struct json_path parsed;
	char *end;
	long n = -1;
	if (!path)
		return -1;
	if (path[0] >= '0' && path[0] <= '9') {
		n = strtol(path, &end, 10);
		return *end ? -1 : n;
	}
	if (path[0] == '$' && json_path_parse(bytes_str(path), &parsed)) {
		if (parsed.step_n == 1 && parsed.steps[0].is_index)
			n = (long)parsed.steps[0].index;
		json_path_finish(&parsed);
	}
	return n;
}

static bool encode_csv(const struct stream *s, const struct field *fields, const bool *given, char delimiter, struct buf *to, struct err *err)
{
	long order[CODEC_MAX_COLUMNS];       /* column of each cell, -1 = none */
	long cell_n = 0;
	for (size_t i = 0; i < s->column_n; i++) {
		const struct column *c = &s->columns[i];
		if (c->origin != COLUMN_FROM_VALUE)
			continue;
		long at = cell_index(c->path);
		if (at < 0)
			at = cell_n;
		if (at >= CODEC_MAX_COLUMNS)
			return err_set(err, ERR_OPTION, "column \"%s\": cell %ld is beyond the limit of %d", c->name, at, CODEC_MAX_COLUMNS);
		while (cell_n <= at)
			order[cell_n++] = -1;
		order[at] = (long)i;
	}
	for (long k = 0; s->header && k < cell_n; k++) {
		const struct column *c = order[k] >= 0 ? &s->columns[order[k]] : NULL;
		if (k)
			buf_addc(to, delimiter);
		struct json_path path;
		if (c && c->path && c->path[0] == '$' && json_path_parse(bytes_str(c->path), &path)) {
			struct bytes name = path.step_n == 1 && !path.steps[0].is_index ? path.steps[0].key : bytes_str(c->name);
			add_cell(to, (const char *)name.data, name.len, delimiter, false);
			json_path_finish(&path);
		} else if (c) {
			const char *name = c->path && cell_index(c->path) < 0 ? c->path : c->name;
			add_cell(to, name, strlen(name), delimiter, false);
		}
	}
	if (s->header)
		buf_addc(to, '\n');
	struct buf cell = BUF_INIT;
	bool ok = true;
	for (long k = 0; k < cell_n && ok; k++) {
		if (k)
			buf_addc(to, delimiter);
		if (order[k] < 0 || !given[order[k]])
			continue;
		const struct field *f = &fields[order[k]];
		buf_clear(&cell);
		ok = add_plain(&cell, &s->columns[order[k]], f, err);
		char *point = f->type == FIELD_REAL && s->decimal && s->decimal != '.' ? strchr(cell.data, '.') : NULL;
		if (point)
			*point = s->decimal;
		bool text = f->type == FIELD_TEXT || f->type == FIELD_JSON;
		/* An empty text must not come back as NULL, nor be taken for a blank line. */
		add_cell(to, cell.data, cell.len, delimiter, text && cell.len == 0);
	}
	buf_finish(&cell);
	return ok;
}

static bool encode_plain(const struct stream *s, const struct field *fields, const bool *given, struct buf *to, struct err *err)
{
	int found = -1;
	for (size_t i = 0; i < s->column_n; i++) {
		if (s->columns[i].origin != COLUMN_FROM_VALUE || !given[i])
			continue;
		if (found >= 0)
			return err_set(err, ERR_TYPE, "format %s has one value: columns \"%s\" and \"%s\" cannot both be written", s->format, s->columns[found].name, s->columns[i].name);
		found = (int)i;
	}
	if (found < 0)
		return true;
	if (fields[found].type == FIELD_BLOB) {
		buf_add(to, fields[found].bytes.data, fields[found].bytes.len);
		return true;
	}
	return add_plain(to, &s->columns[found], &fields[found], err);
}

bool encode_value(const struct stream *s, const struct field *fields, const bool *given, struct buf *to, struct err *err)
{
	size_t before = to->len;
	bool ok;
	if (strcasecmp(s->format, "json") == 0 || strcasecmp(s->format, "jsonl") == 0)
		ok = encode_json(s, fields, given, to, err);
	else if (strcasecmp(s->format, "csv") == 0 || strcasecmp(s->format, "tsv") == 0)
		ok = encode_csv(s, fields, given, strcasecmp(s->format, "tsv") == 0 ? '\t' : s->delimiter ? s->delimiter : ',', to, err);
	else if (strcasecmp(s->format, "text") == 0 || strcasecmp(s->format, "raw") == 0)
		ok = encode_plain(s, fields, given, to, err);
	else
		ok = err_set(err, ERR_UNSUPPORTED, "format %s cannot be written", s->format);
	if (!ok && to->len > before) {
		to->len = before;
		to->data[before] = '\0';
	}
	return ok;
}
