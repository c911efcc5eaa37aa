/* Values as text, for every printer. Locale-independent (the process never calls setlocale for LC_NUMERIC). */
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/time.h"
#include "core/utf8.h"
#include "shell/print.h"

/* Most plant values have few decimals: v = i / 10^k with i < 2^53 is exact division of exact numbers, so it rounds as strtod does and
 * the smallest such k is the shortest text. All others try 15, 16, 17 digits. */
static bool print_short_real(double v, char *out, size_t *ret_len)
{
	static const double scale[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
	double a = v < 0 ? -v : v;
	for (int k = 0; k < 10; k++) {
		double m = a * scale[k];
		if (m >= 1e15)
			return false;
		uint64_t i = (uint64_t)(m + 0.5);
		if ((double)i / scale[k] != a)
			continue;
		char digits[NUMBER_TEXT_MAX];
		size_t n = int_text((int64_t)i, digits);
		size_t at = 0;
		if (v < 0)
			out[at++] = '-';
		if (k == 0) {
			memcpy(out + at, digits, n);
			at += n;
			out[at++] = '.';
			out[at++] = '0';
		} else {
			size_t whole = n > (size_t)k ? n - (size_t)k : 0;
			if (whole == 0)
				out[at++] = '0';
			memcpy(out + at, digits, whole);
			at += whole;
			out[at++] = '.';
			for (size_t zero = (size_t)k - (n - whole); zero; zero--)
				out[at++] = '0';
			memcpy(out + at, digits + whole, n - whole);
			at += n - whole;
		}
		out[at] = '\0';
		*ret_len = at;
		return true;
	}
	return false;
}

size_t print_real(double v, char out[NUMBER_TEXT_MAX])
{
	size_t len;
	if (isnan(v) || isinf(v))
		return (size_t)snprintf(out, NUMBER_TEXT_MAX, "%s", isnan(v) ? "NaN" : v > 0 ? "Inf" : "-Inf");
	if ((v != 0 || !signbit(v)) && (fabs(v) >= 1e-5 || v == 0) && print_short_real(v, out, &len))
		return len;
	for (int digits = fabs(v) < 1e-300 ? 1 : 15; digits <= 17; digits++) {       /* subnormals have fewer digits */
		len = (size_t)snprintf(out, NUMBER_TEXT_MAX, "%.*g", digits, v);
		if (digits == 17 || strtod(out, NULL) == v)
			break;
	}
	if (!strpbrk(out, ".e")) {
		memcpy(out + len, ".0", 3);
		len += 2;
	}
	return len;
}

size_t print_instant(int64_t ms, bool local, char out[64])
{
	if (!local)
		return time_format(ms, out);
	int64_t seconds = ms / 1000 - (ms % 1000 < 0);
	time_t t = (time_t)seconds;
	struct tm tm;
	if (!localtime_r(&t, &tm) || tm.tm_year + 1900 < 0 || tm.tm_year + 1900 > 9999)
		return time_format(ms, out);
	long zone = tm.tm_gmtoff / 60;
	long away = zone < 0 ? -zone : zone;
	return (size_t)snprintf(out, 64, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02ld:%02ld", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		tm.tm_sec, (int)(ms - seconds * 1000), zone < 0 ? '-' : '+', away / 60 % 100, away % 60);
}

void print_hex(struct buf *to, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;
	buf_reserve(to, len * 2);
	for (size_t i = 0; i < len; i++) {
		to->data[to->len++] = digits[p[i] >> 4];
		to->data[to->len++] = digits[p[i] & 15];
	}
	if (to->cap)
		to->data[to->len] = '\0';
}

void print_base64(struct buf *to, const void *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
		char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=', left > 2 ? digits[v & 63] : '='};
		buf_add(to, four, 4);
	}
}

void print_json_string(struct buf *to, const void *text, size_t len, bool safe)
{
	const uint8_t *p = text;
	const uint8_t *end = p + len;
	const uint8_t *plain = p;
	buf_addc(to, '"');
	while (p < end) {
		uint32_t cp = *p;
		if (cp >= 0x20 && cp < 0x7F && cp != '"' && cp != '\\') {
			p++;
			continue;
		}
		size_t n = utf8_decode(p, end, &cp);
		if (n && cp >= 0x80 && !(safe && utf8_is_unsafe(cp))) {
			p += n;
			continue;
		}
		buf_add(to, plain, (size_t)(p - plain));
		static const char short_form[] = "\b\f\n\r\t\"\\";
		static const char short_name[] = "bfnrt\"\\";
		const char *s = cp && cp < 0x80 ? strchr(short_form, (int)cp) : NULL;
		if (n == 0)
			buf_adds(to, "\xEF\xBF\xBD");        /* U+FFFD for each malformed byte */
		else if (s && *s)
			buf_addf(to, "\\%c", short_name[s - short_form]);
		else if (cp == 0x7F && !safe)
			buf_addc(to, 0x7F);
		else if (cp >= 0x10000)
			buf_addf(to, "\\u%04x\\u%04x", (unsigned)(0xD800 + ((cp - 0x10000) >> 10)), (unsigned)(0xDC00 + ((cp - 0x10000) & 0x3FF)));
		else
			buf_addf(to, "\\u%04x", (unsigned)cp);
		p += n ? n : 1;
		plain = p;
	}
	buf_add(to, plain, (size_t)(p - plain));
	buf_addc(to, '"');
}

/* Strict RFC 8259, one document, depth at most JSON_DEPTH_MAX; one bit per level says object or array. */
enum { JSON_DEPTH_MAX = 1024 };

static const char *skip_white(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

static const char *skip_digits(const char *p, const char *end)
{
	const char *first = p;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p > first ? p : NULL;
}

static const char *skip_json_number(const char *p, const char *end)
{
	if (p < end && *p == '-')
		p++;
	if (p < end && *p == '0')
		p++;
	else if (!(p = skip_digits(p, end)))
		return NULL;
	if (p < end && *p == '.' && !(p = skip_digits(p + 1, end)))
		return NULL;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = skip_digits(p, end);
	}
	return p;
}

static const char *skip_json_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p != '\\')
			continue;
		if (++p == end || !strchr("\"\\/bfnrtu", *p) || !*p)
			return NULL;
		if (*p == 'u')
			for (int i = 0; i < 4; i++)
				if (++p == end || !strchr("0123456789abcdefABCDEF", *p) || !*p)
					return NULL;
	}
	return NULL;
}

static const char *skip_json_scalar(const char *p, const char *end)
{
	static const char *const words[] = {"true", "false", "null"};
	if (*p == '"')
		return skip_json_string(p, end);
	for (int i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);
		if ((size_t)(end - p) >= n && memcmp(p, words[i], n) == 0)
			return p + n;
	}
	return skip_json_number(p, end);
}

bool print_json_valid(const char *text, size_t len)
{
	const char *p = text;
	const char *end = text + len;
	uint8_t is_object[JSON_DEPTH_MAX / 8] = {0};
	int depth = 0;
	if (!utf8_valid(text, len))
		return false;
	for (;;) {
		/* A value begins here. */
		p = skip_white(p, end);
		if (p == end)
			return false;
		if (*p == '{' || *p == '[') {
			bool object = *p == '{';
			if (depth == JSON_DEPTH_MAX)
				return false;
			uint8_t bit = (uint8_t)(1u << (depth & 7));
			is_object[depth / 8] = (uint8_t)(object ? is_object[depth / 8] | bit : is_object[depth / 8] & ~bit);
			depth++;
			p = skip_white(p + 1, end);
			if (p < end && *p == (object ? '}' : ']')) {
				p++;
				depth--;
			} else if (object) {
				goto key;
			} else {
				continue;
			}
		} else if (!(p = skip_json_scalar(p, end))) {
			return false;
		}
		/* A value ended here. */
		for (;;) {
			p = skip_white(p, end);
			if (depth == 0)
				return p == end;
			bool object = is_object[(depth - 1) / 8] >> ((depth - 1) & 7) & 1;
			if (p == end)
				return false;
			if (*p == ',') {
				p++;
				if (object)
					goto key;
				break;
			}
			if (*p != (object ? '}' : ']'))
				return false;
			p++;
			depth--;
		}
		continue;
key:
		p = skip_white(p, end);
		if (p == end || *p != '"' || !(p = skip_json_string(p, end)))
			return false;
		p = skip_white(p, end);
		if (p == end || *p++ != ':')
			return false;
	}
}

void print_sql_name(struct buf *to, const char *name)
{
	bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || *name == '_';
	for (const char *p = name; *p && plain; p++)
		plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '_';
	if (plain && !sqlite3_keyword_check(name, (int)strlen(name))) {
		buf_adds(to, name);
		return;
	}
	buf_addc(to, '"');
	for (const char *p = name; *p; p++) {
		if (*p == '"')
			buf_addc(to, '"');
		buf_addc(to, *p);
	}
	buf_addc(to, '"');
}

static bool text_needs_cast(const char *text, size_t len, bool safe)
{
	if (memchr(text, 0, len) || !utf8_valid(text, len))
		return true;
	const uint8_t *p = (const uint8_t *)text;
	const uint8_t *end = p + len;
	while (safe && p < end) {
		uint32_t cp;
		p += utf8_decode(p, end, &cp);
		if (utf8_is_unsafe(cp) && cp != '\n' && cp != '\t')
			return true;
	}
	return false;
}

void print_sql_literal(struct buf *to, const struct cell *c, bool safe)
{
	char number[NUMBER_TEXT_MAX];
	switch (c->type) {
	case CELL_NULL:
		buf_adds(to, "NULL");
		return;
	case CELL_INTEGER:
		buf_add(to, number, int_text(c->integer, number));
		return;
	case CELL_REAL:
		if (isinf(c->real))
			buf_adds(to, c->real > 0 ? "9e999" : "-9e999");
		else
			buf_add(to, number, print_real(c->real, number));
		return;
	case CELL_BLOB:
		buf_adds(to, "x'");
		print_hex(to, c->data, c->len);
		buf_addc(to, '\'');
		return;
	case CELL_TEXT:
		break;
	}
	if (text_needs_cast(c->data, c->len, safe)) {
		buf_adds(to, "CAST(x'");
		print_hex(to, c->data, c->len);
		buf_adds(to, "' AS TEXT)");
		return;
	}
	buf_addc(to, '\'');
	const char *p = c->data;
	const char *end = p + c->len;
	for (const char *q; (q = memchr(p, '\'', (size_t)(end - p))); p = q + 1) {
		buf_add(to, p, (size_t)(q - p));
		buf_adds(to, "''");
	}
	buf_add(to, p, (size_t)(end - p));
	buf_addc(to, '\'');
}

static bool instants_as_text(const struct print *p)
{
	return p->set->timestamps == TIMESTAMPS_TEXT || (p->set->timestamps == TIMESTAMPS_AUTO && p->impl->people);
}

void print_cell_text(const struct print *p, int column, const struct cell *c, bool single_line, struct buf *to)
{
	char number[64];
	switch (c->type) {
	case CELL_NULL:
		buf_adds(to, p->set->null_text ? p->set->null_text : p->impl->null_text);
		return;
	case CELL_INTEGER:
		if (p->columns[column].kind == KIND_TIMESTAMP && instants_as_text(p))
			buf_add(to, number, print_instant(c->integer, p->set->local_time, number));
		else
			buf_add(to, number, int_text(c->integer, number));
		return;
	case CELL_REAL:
		buf_add(to, number, print_real(c->real, number));
		return;
	case CELL_BLOB:
		buf_adds(to, p->impl->people ? "x'" : "");
		print_hex(to, c->data, c->len);
		buf_adds(to, p->impl->people ? "'" : "");
		return;
	case CELL_TEXT:
		if (single_line || p->safe)
			utf8_escape(to, c->data, c->len, !single_line);
		else
			buf_add(to, c->data, c->len);
		return;
	}
}
