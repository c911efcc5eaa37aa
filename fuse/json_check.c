/* fuse/json_check.h. A bit per level says object or array; `want` says what may come next. */
#include "fuse/json_check.h"

#include "core/utf8.h"

enum { MAX_DEPTH = 512 };

enum want { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COLON, COMMA_OR_END, NOTHING };

struct check {
	const uint8_t *p, *end;
	uint8_t is_object[MAX_DEPTH / 8];
	int depth;
};

static bool word(struct check *c, const char *text, size_t len)
{
	if ((size_t)(c->end - c->p) < len || memcmp(c->p, text, len) != 0)
		return false;
	c->p += len;
	return true;
}

static bool digits(struct check *c)
{
	const uint8_t *from = c->p;
	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > from;
}

static bool number(struct check *c)
{
	if (*c->p == '-')
		c->p++;
	if (c->p < c->end && *c->p == '0')
		c->p++;
	else if (!digits(c))
		return false;
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if (!digits(c))
			return false;
	}
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		if (!digits(c))
			return false;
	}
	return true;
}

static bool is_hex(uint8_t b)
{
	return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F');
}

/* True if one of eight bytes is a quote, a backslash or below 0x20. */
static bool any_special(const uint8_t *p)
{
	const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
	uint64_t v;
	memcpy(&v, p, sizeof v);
	uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
	return (((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & highs;
}

static bool string(struct check *c)
{
	for (c->p++; c->p < c->end;) {
		while (c->end - c->p >= 8 && !any_special(c->p))
			c->p += 8;
		if (c->p == c->end)
			return false;
		uint8_t b = *c->p++;
		if (b == '"')
			return true;
		if (b < 0x20)
			return false;
		if (b != '\\')
			continue;
		if (c->p == c->end)
			return false;
		b = *c->p++;
		if (b == 'u') {
			if (c->end - c->p < 4 || !is_hex(c->p[0]) || !is_hex(c->p[1]) || !is_hex(c->p[2]) || !is_hex(c->p[3]))
				return false;
			c->p += 4;
		} else if (!memchr("\"\\/bfnrt", b, 8)) {
			return false;
		}
	}
	return false;
}

static bool open_level(struct check *c, bool object)
{
	if (c->depth == MAX_DEPTH)
		return false;
	uint8_t bit = (uint8_t)(1u << (c->depth % 8));
	uint8_t *at = &c->is_object[c->depth / 8];
	*at = object ? (uint8_t)(*at | bit) : (uint8_t)(*at & ~bit);
	c->depth++;
	return true;
}

static bool in_object(const struct check *c)
{
	int d = c->depth - 1;
	return c->is_object[d / 8] >> (d % 8) & 1;
}

static enum want after_value(const struct check *c)
{
	return c->depth ? COMMA_OR_END : NOTHING;
}

bool json_check(struct bytes doc, bool *ret_breaks)
{
	struct check c = {.p = doc.data, .end = doc.data ? doc.data + doc.len : NULL};
	enum want want = VALUE;
	bool breaks = false;
	if (!doc.data || !utf8_valid(doc.data, doc.len))
		return false;
	while (c.p < c.end) {
		uint8_t b = *c.p;
		if (b == ' ' || b == '\t' || b == '\n' || b == '\r') {
			breaks |= b == '\n' || b == '\r';
			c.p++;
			continue;
		}
		bool ok = false;
		switch (want) {
		case VALUE_OR_END:
			if (b == ']') {
				c.p++;
				c.depth--;
				want = after_value(&c);
				continue;
			}
			/* fall through */
		case VALUE:
			if (b == '{' || b == '[') {
				c.p++;
				ok = open_level(&c, b == '{');
				want = b == '{' ? KEY_OR_END : VALUE_OR_END;
				break;
			}
			ok = b == '"' ? string(&c) : b == 't' ? word(&c, "true", 4) : b == 'f' ? word(&c, "false", 5) : b == 'n' ? word(&c, "null", 4)
				: (b == '-' || (b >= '0' && b <= '9')) && number(&c);
			want = after_value(&c);
			break;
		case KEY_OR_END:
			if (b == '}') {
				c.p++;
				c.depth--;
				want = after_value(&c);
				continue;
			}
			/* fall through */
		case KEY:
			ok = b == '"' && string(&c);
			want = COLON;
			break;
		case COLON:
			c.p++;
			ok = b == ':';
			want = VALUE;
			break;
		case COMMA_OR_END:
			c.p++;
			if (b == ',') {
				want = in_object(&c) ? KEY : VALUE;
				ok = true;
			} else if (b == (in_object(&c) ? '}' : ']')) {
				c.depth--;
				want = after_value(&c);
				ok = true;
			}
			break;
		case NOTHING:
			break;
		}
		if (!ok)
			return false;
	}
	if (want != NOTHING)
		return false;
	*ret_breaks = breaks;
	return true;
}
