/* core/utf8.h. The checker is Bjoern Hoehrmann's idea reduced to range tests: the second byte's range depends on the first. */
#include "core/utf8.h"

#include <stdio.h>
#include <string.h>

size_t utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *ret_cp)
{
	size_t room = (size_t)(end - p);
	uint8_t c = p[0];
	if (c < 0x80) {
		*ret_cp = c;
		return 1;
	}
	if (c < 0xC2 || c > 0xF4)
		return 0;
	size_t n = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
	if (room < n)
		return 0;
	uint8_t low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
	uint8_t high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
	if (p[1] < low || p[1] > high)
		return 0;
	uint32_t cp = n == 2 ? c & 0x1Fu : n == 3 ? c & 0x0Fu : c & 0x07u;
	cp = cp << 6 | (p[1] & 0x3Fu);
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3Fu);
	}
	*ret_cp = cp;
	return n;
}

size_t utf8_encode(uint32_t cp, uint8_t out[4])
{
	if (cp < 0x80) {
		out[0] = (uint8_t)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (uint8_t)(0xC0 | cp >> 6);
		out[1] = (uint8_t)(0x80 | (cp & 0x3F));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (uint8_t)(0xE0 | cp >> 12);
		out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
		out[2] = (uint8_t)(0x80 | (cp & 0x3F));
		return 3;
	}
	out[0] = (uint8_t)(0xF0 | cp >> 18);
	out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3F));
	out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
	out[3] = (uint8_t)(0x80 | (cp & 0x3F));
	return 4;
}

bool utf8_valid(const void *data, size_t len)
{
	const uint8_t *p = data;
	const uint8_t *end = p + len;
	while (p < end) {
		/* Payloads are nearly always ASCII: eight bytes a step. */
		while (end - p >= 8) {
			uint64_t w;
			memcpy(&w, p, 8);
			if (w & 0x8080808080808080ull)
				break;
			p += 8;
		}
		if (p == end)
			break;
		if (*p < 0x80) {
			p++;
			continue;
		}
		uint32_t cp;
		size_t n = utf8_decode(p, end, &cp);
		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

bool utf8_is_unsafe(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0xAD || cp == 0x061C || cp == 0x180E
		|| (cp >= 0x200B && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) || (cp >= 0x2060 && cp <= 0x206F)
		|| cp == 0xFEFF || (cp >= 0xFFF9 && cp <= 0xFFFB) || (cp >= 0xE0000 && cp <= 0xE0FFF);
}

/* Writes the shown form of the code point (or malformed byte) at p; returns bytes consumed. */
static size_t show_one(const uint8_t *p, const uint8_t *end, bool keep_newline, char out[16], size_t *ret_out_len)
{
	uint32_t cp;
	size_t n = utf8_decode(p, end, &cp);
	int m;
	if (n == 0) {
		m = snprintf(out, 16, "\\x%02x", p[0]);
		n = 1;
	} else if (!utf8_is_unsafe(cp) || (keep_newline && (cp == '\n' || cp == '\t'))) {
		memcpy(out, p, n);
		m = (int)n;
	} else if (cp == '\n' || cp == '\r' || cp == '\t' || cp == 0) {
		m = snprintf(out, 16, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : cp == '\t' ? 't' : '0');
	} else if (cp < 0x100) {
		m = snprintf(out, 16, "\\x%02x", (unsigned)cp);
	} else {
		m = snprintf(out, 16, "\\u{%x}", (unsigned)cp);
	}
	*ret_out_len = (size_t)m;
	return n;
}

void utf8_escape(struct buf *to, const void *text, size_t len, bool keep_newline)
{
	const uint8_t *p = text;
	const uint8_t *end = p + len;
	const uint8_t *plain = p;
	while (p < end) {
		if (*p >= 0x20 && *p < 0x7F) {
			p++;
			continue;
		}
		buf_add(to, plain, (size_t)(p - plain));
		char out[16];
		size_t n;
		p += show_one(p, end, keep_newline, out, &n);
		buf_add(to, out, n);
		plain = p;
	}
	buf_add(to, plain, (size_t)(p - plain));
}

void utf8_escape_into(char *to, size_t to_size, const void *text, size_t len, bool keep_newline)
{
	const uint8_t *p = text;
	const uint8_t *end = p + len;
	size_t used = 0;
	while (p < end) {
		char out[16];
		size_t n;
		size_t step = show_one(p, end, keep_newline, out, &n);
		if (used + n + 1 > to_size)
			break;
		memcpy(to + used, out, n);
		used += n;
		p += step;
	}
	if (to_size)
		to[used] = '\0';
}

struct range {
	uint32_t first, last;
};

/* Combining marks and joiners that take no column (Unicode 15, the blocks met in plant data). */
static const struct range zero_width[] = {
	{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0670, 0x0670}, {0x06D6, 0x06DC},
	{0x0900, 0x0902}, {0x093A, 0x093A}, {0x093C, 0x093C}, {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A},
	{0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0x302A, 0x302D}, {0x3099, 0x309A},
	{0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF},
};
static const struct range two_wide[] = {
	{0x1100, 0x115F}, {0x231A, 0x231B}, {0x2329, 0x232A}, {0x23E9, 0x23EC}, {0x23F0, 0x23F0}, {0x23F3, 0x23F3}, {0x25FD, 0x25FE},
	{0x2614, 0x2615}, {0x2648, 0x2653}, {0x267F, 0x267F}, {0x2693, 0x2693}, {0x26A1, 0x26A1}, {0x26AA, 0x26AB}, {0x26BD, 0x26BE},
	{0x26C4, 0x26C5}, {0x26CE, 0x26CE}, {0x26D4, 0x26D4}, {0x26EA, 0x26EA}, {0x26F2, 0x26F3}, {0x26F5, 0x26F5}, {0x26FA, 0x26FA},
	{0x26FD, 0x26FD}, {0x2705, 0x2705}, {0x270A, 0x270B}, {0x2728, 0x2728}, {0x274C, 0x274C}, {0x274E, 0x274E}, {0x2753, 0x2755},
	{0x2757, 0x2757}, {0x2795, 0x2797}, {0x27B0, 0x27B0}, {0x27BF, 0x27BF}, {0x2B1B, 0x2B1C}, {0x2B50, 0x2B50}, {0x2B55, 0x2B55},
	{0x2E80, 0x303E}, {0x3041, 0x33FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xA000, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3},
	{0xF900, 0xFAFF}, {0xFE10, 0xFE19}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x16FE0, 0x18CFF}, {0x1B000, 0x1B2FF},
	{0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A}, {0x1F200, 0x1F320}, {0x1F32D, 0x1F335},
	{0x1F337, 0x1F37C}, {0x1F37E, 0x1F393}, {0x1F3A0, 0x1F3CA}, {0x1F3CF, 0x1F3D3}, {0x1F3E0, 0x1F3F0}, {0x1F3F4, 0x1F3F4},
	{0x1F3F8, 0x1F43E}, {0x1F440, 0x1F440}, {0x1F442, 0x1F4FC}, {0x1F4FF, 0x1F53D}, {0x1F54B, 0x1F567}, {0x1F57A, 0x1F57A},
	{0x1F595, 0x1F596}, {0x1F5A4, 0x1F5A4}, {0x1F5FB, 0x1F64F}, {0x1F680, 0x1F6C5}, {0x1F6CC, 0x1F6CC}, {0x1F6D0, 0x1F6D2},
	{0x1F6D5, 0x1F6DF}, {0x1F6EB, 0x1F6EC}, {0x1F6F4, 0x1F6FC}, {0x1F7E0, 0x1F7EB}, {0x1F90C, 0x1F9FF}, {0x1FA70, 0x1FAFF},
	{0x20000, 0x3FFFD},
};

static bool in_ranges(uint32_t cp, const struct range *r, size_t n)
{
	size_t low = 0;
	size_t high = n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (cp > r[mid].last)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && cp >= r[low].first;
}

static size_t cp_width(uint32_t cp)
{
	if (cp < 0x20 || cp == 0x7F)
		return 0;
	if (cp < 0x300)
		return 1;
	if (in_ranges(cp, zero_width, sizeof zero_width / sizeof *zero_width))
		return 0;
	return in_ranges(cp, two_wide, sizeof two_wide / sizeof *two_wide) ? 2 : 1;
}

size_t utf8_prefix(const void *text, size_t len, size_t width, size_t *ret_width)
{
	const uint8_t *start = text;
	const uint8_t *p = start;
	const uint8_t *end = p + len;
	size_t w = 0;
	while (p < end) {
		uint32_t cp = 0xFFFD;
		size_t n = utf8_decode(p, end, &cp);
		if (n == 0) {
			cp = 0xFFFD;
			n = 1;
		}
		size_t cw = cp_width(cp);
		if (w + cw > width)
			break;
		w += cw;
		p += n;
	}
	if (ret_width)
		*ret_width = w;
	return (size_t)(p - start);
}

size_t utf8_width(const void *text, size_t len)
{
	size_t w = 0;
	utf8_prefix(text, len, SIZE_MAX / 2, &w);
	return w;
}

void utf8_add_bar(struct buf *to, int eighth_n)
{
	for (; eighth_n > 0; eighth_n -= 8) {
		uint8_t utf8[4];
		buf_add(to, utf8, utf8_encode(eighth_n >= 8 ? 0x2588 : 0x2590 - (uint32_t)eighth_n, utf8));
	}
}
