/* codec/scalar.h */
#include "codec/scalar.h"

#include <math.h>
#include <strings.h>
#include "codec/number.h"
#include "core/time.h"

static struct bytes trim(struct bytes t)
{
	while (t.len && (t.data[0] == ' ' || t.data[0] == '\t' || t.data[0] == '\n' || t.data[0] == '\r')) {
		t.data++;
		t.len--;
	}
	while (t.len && (t.data[t.len - 1] == ' ' || t.data[t.len - 1] == '\t' || t.data[t.len - 1] == '\n' || t.data[t.len - 1] == '\r'))
		t.len--;
	return t;
}

bool scalar_bool(struct bytes text, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"true", true}, {"false", false}, {"on", true}, {"off", false}, {"yes", true}, {"no", false},
		{"t", true}, {"f", false}, {"y", true}, {"n", false}, {"1", true}, {"0", false},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strlen(words[i].word) == text.len && strncasecmp(words[i].word, (const char *)text.data, text.len) == 0) {
			*ret = words[i].value;
			return true;
		}
	}
	return false;
}

enum column_type scalar_sniff(struct bytes t, char point)
{
	int64_t i;
	double d;
	size_t sign = t.len && t.data[0] == '-';
	if (t.len <= sign || t.data[0] == '+')
		return COLUMN_TEXT;
	const uint8_t *p = t.data + sign;
	if ((*p < '0' || *p > '9') || (*p == '0' && t.len > sign + 1 && p[1] >= '0' && p[1] <= '9'))
		return COLUMN_TEXT;
	if (number_int(t.data, t.len, &i))
		return COLUMN_INTEGER;
	if (memchr(t.data, point, t.len) || memchr(t.data, 'e', t.len) || memchr(t.data, 'E', t.len))
		if (number_real(t.data, t.len, point, &d) && isfinite(d))
			return COLUMN_REAL;
	return COLUMN_TEXT;
}

void scalar_convert(struct field *f, enum column_type type, char point)
{
	struct bytes t = trim(f->bytes);
	int64_t i;
	double d;
	bool b;
	if (type == COLUMN_ANY) {
		type = scalar_sniff(f->bytes, point);
		t = f->bytes;
	}
	switch (type) {
	case COLUMN_INTEGER:
	case COLUMN_REAL:
	case COLUMN_TIMESTAMP:
		if (number_int(t.data, t.len, &i)) {
			f->type = FIELD_INTEGER;
			f->u.i = i;
			/* 5 in a REAL column is 5.0: the text formats have no type of their own to keep. */
			if (type == COLUMN_REAL) {
				f->type = FIELD_REAL;
				f->u.d = (double)i;
			}
			f->bytes = t;
		} else if ((memchr(t.data, point, t.len) || memchr(t.data, 'e', t.len) || memchr(t.data, 'E', t.len))
			   && number_real(t.data, t.len, point, &d) && isfinite(d)) {
			f->type = FIELD_REAL;
			f->u.d = d;
			f->bytes = t;
		} else if (type == COLUMN_TIMESTAMP && time_parse_iso((const char *)t.data, t.len, &i)) {
			f->type = FIELD_INTEGER;
			f->u.i = i;
			f->bytes = t;
		}
		break;
	case COLUMN_BOOLEAN:
		if (scalar_bool(t, &b)) {
			f->type = FIELD_BOOLEAN;
			f->u.i = b;
		}
		break;
	case COLUMN_BLOB:
		f->type = FIELD_BLOB;
		break;
	case COLUMN_ANY:
	case COLUMN_TEXT:
	case COLUMN_JSON:
		break;
	}
}
