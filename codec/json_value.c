/* codec/json_value.h */
#include "codec/json_value.h"

#include <math.h>
#include <stdio.h>
#include "codec/number.h"
#include "core/utf8.h"

static const char out_of_memory[] = "out of memory";

static bool check_utf8(struct bytes text, struct field *ret, char reason[JSON_REASON_MAX])
{
	if (utf8_valid(text.data, text.len))
		return true;
	ret->type = FIELD_ERROR;
	snprintf(reason, JSON_REASON_MAX, "invalid UTF-8");
	return false;
}

/* A copy of JSON source text in which NaN and Infinity tokens outside strings read null, so that what leaves weir is JSON. */
static bool without_nan(struct bytes text, struct arena *arena, struct bytes *ret)
{
	/* "nan" -> "null" grows by one byte per three. */
	uint8_t *out = arena_alloc(arena, text.len + text.len / 3 + 1);
	if (!out)
		return false;
	uint8_t *to = out;
	const uint8_t *p = text.data;
	const uint8_t *end = p + text.len;
	while (p < end) {
		if (*p == '"') {
			const uint8_t *start = p++;
			while (*p != '"')
				p += *p == '\\' ? 2 : 1;
			p++;
			memcpy(to, start, (size_t)(p - start));
			to += p - start;
			continue;
		}
		bool sign = *p == '-' && p + 1 < end && (p[1] | 0x20) >= 'a';
		const uint8_t *word = p + sign;
		if ((*word | 0x20) == 'i' || *word == 'N' || (*word == 'n' && word + 1 < end && word[1] == 'a')) {
			p = word;
			while (p < end && (*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
				p++;
			memcpy(to, "null", 4);
			to += 4;
			continue;
		}
		/* Digits may hold e, words true false null hold neither i nor a leading N: copy whole words to keep it so. */
		if ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') {
			while (p < end && (*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
				*to++ = *p++;
			continue;
		}
		*to++ = *p++;
	}
	*ret = bytes_of(out, (size_t)(to - out));
	return true;
}

void json_value_field(const struct json_value *v, bool nan_null, struct arena *arena, struct field *ret, char reason[JSON_REASON_MAX])
{
	struct bytes text = bytes_of(v->start, v->len);
	struct field f = {.bytes = text};
	reason[0] = '\0';
	switch ((enum json_kind)v->kind) {
	case JSON_NONE:
		f.type = FIELD_ABSENT;
		f.bytes = bytes_of(NULL, 0);
		break;
	case JSON_NULL:
		f.type = FIELD_NULL;
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		f.type = FIELD_BOOLEAN;
		f.u.i = v->kind == JSON_TRUE;
		break;
	case JSON_INT:
		/* Beyond int64 (counters of controllers are often uint64) the digits stay text: a double would lose some. */
		f.type = number_int(v->start, v->len, &f.u.i) ? FIELD_INTEGER : FIELD_TEXT;
		break;
	case JSON_REAL:
		f.type = FIELD_REAL;
		if (!number_real(v->start, v->len, '.', &f.u.d) || !isfinite(f.u.d)) {
			f.type = FIELD_ERROR;
			bool cut = v->len > 60;
			snprintf(reason, JSON_REASON_MAX, "%.*s%s is beyond the range of a number", cut ? 60 : (int)v->len, (const char *)v->start, cut ? "..." : "");
		}
		break;
	case JSON_NAN:
		f.type = FIELD_NULL;
		if (!nan_null)
			snprintf(reason, JSON_REASON_MAX, "%.*s is not JSON, taken as null", (int)v->len, (const char *)v->start);
		break;
	case JSON_STRING:
		f.type = FIELD_TEXT;
		if (!check_utf8(text, &f, reason))
			break;
		if (v->flags & JSON_ESCAPED) {
			size_t lone = 0;
			uint8_t *out = arena_alloc(arena, v->len);
			if (!out) {
				f.type = FIELD_ERROR;
				snprintf(reason, JSON_REASON_MAX, out_of_memory);
				break;
			}
			f.bytes = bytes_of(out, json_unescape(v->start, v->len, out, &lone));
			if (lone)
				snprintf(reason, JSON_REASON_MAX, "lone surrogate replaced by U+FFFD");
		}
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		f.type = FIELD_JSON;
		if (!check_utf8(text, &f, reason))
			break;
		if (v->flags & JSON_HAS_NAN) {
			if (!without_nan(text, arena, &f.bytes)) {
				f.type = FIELD_ERROR;
				snprintf(reason, JSON_REASON_MAX, out_of_memory);
			} else if (!nan_null) {
				snprintf(reason, JSON_REASON_MAX, "NaN or Infinity inside is not JSON, taken as null");
			}
		}
		break;
	}
	*ret = f;
}
