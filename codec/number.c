/* codec/number.h. Three ways, fastest first: mantissa and power of ten both exact in a double (Clinger 1990); up to 19 digits with
 * |exponent| <= 19 by 128-bit integer arithmetic, rounded once; everything else by strtod in the C locale. */
#include "codec/number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 u128;

static const double exact_tens[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static const uint64_t tens[] = {
	1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull, 100000000ull, 1000000000ull, 10000000000ull,
	100000000000ull, 1000000000000ull, 10000000000000ull, 100000000000000ull, 1000000000000000ull, 10000000000000000ull,
	100000000000000000ull, 1000000000000000000ull, 10000000000000000000ull,
};

enum { MANTISSA_DIGITS = 19, EXPONENT_LIMIT = 100000 };

bool number_int(const uint8_t *text, size_t len, int64_t *ret)
{
	const uint8_t *p = text;
	const uint8_t *end = text + len;
	bool negative = p < end && *p == '-';
	p += p < end && (*p == '-' || *p == '+');
	if (p == end)
		return false;
	uint64_t n = 0;
	const uint64_t max = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
	for (; p < end; p++) {
		uint8_t d = (uint8_t)(*p - '0');
		if (d > 9)
			return false;
		if (n > max / 10 || n * 10 > max - d)
			return false;
		n = n * 10 + d;
	}
	*ret = negative ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

/* value * 2^exp2, `sticky` = bits below value were lost; rounds half to even. value != 0, and far from subnormal and overflow. */
static double round_u128(u128 value, bool sticky, int exp2)
{
	uint64_t high = (uint64_t)(value >> 64);
	int bits = high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)value);
	int drop = bits - 53;
	if (drop <= 0)
		return ldexp((double)(uint64_t)value, exp2);      /* only reached with sticky false: quotients have more than 53 bits */
	uint64_t kept = (uint64_t)(value >> drop);
	u128 rest = value & (((u128)1 << drop) - 1);
	u128 half = (u128)1 << (drop - 1);
	if (rest > half || (rest == half && (sticky || (kept & 1))))
		kept++;
	return ldexp((double)kept, exp2 + drop);
}

/* mantissa * 10^exp10, |exp10| <= 19, mantissa != 0. */
static double scale_exact(uint64_t mantissa, int exp10)
{
	if (exp10 >= 0)
		return round_u128((u128)mantissa * tens[exp10], false, 0);
	int shift = __builtin_clzll(mantissa);
	u128 n = (u128)(mantissa << shift) << 64;               /* >= 2^127, so the quotient by 10^19 < 2^64 has at least 63 bits */
	uint64_t d = tens[-exp10];
	u128 q = n / d;
	return round_u128(q, q * d != n, -64 - shift);
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static double slow_real(const uint8_t *text, size_t len, char point)
{
	char local[128];
	char *copy = len < sizeof local ? local : malloc(len + 1);
	if (!copy)
		return NAN;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (point != '.') {
		char *at = memchr(copy, point, len);
		if (at)
			*at = '.';
	}
	pthread_once(&c_locale_once, make_c_locale);
	double d = c_locale ? strtod_l(copy, NULL, c_locale) : strtod(copy, NULL);
	if (copy != local)
		free(copy);
	return d;
}

bool number_real(const uint8_t *text, size_t len, char point, double *ret)
{
	const uint8_t *p = text;
	const uint8_t *end = text + len;
	bool negative = p < end && *p == '-';
	p += p < end && (*p == '-' || *p == '+');
	uint64_t mantissa = 0;
	/* Up to 19 digits in all, which is nearly every number: no counting of significant ones. */
	if (end - p <= MANTISSA_DIGITS) {
		const uint8_t *start = p;
		const uint8_t *dot = NULL;
		for (; p < end; p++) {
			uint8_t digit = (uint8_t)(*p - '0');
			if (digit < 10)
				mantissa = mantissa * 10 + digit;
			else if (*p == (uint8_t)point && !dot)
				dot = p;
			else
				break;
		}
		if (p == end && p - start > (dot != NULL)) {
			long fraction_n = dot ? end - dot - 1 : 0;
			if (mantissa <= 1ull << 53)
				*ret = (double)mantissa / exact_tens[fraction_n];
			else
				*ret = scale_exact(mantissa, (int)-fraction_n);
			if (negative)
				*ret = -*ret;
			return true;
		}
		p = start;
		mantissa = 0;
	}
	int digit_n = 0;                     /* significant ones taken into mantissa */
	long exp10 = 0;
	bool any = false;
	bool exact = true;
	for (; p < end && (uint8_t)(*p - '0') < 10; p++) {
		any = true;
		if (digit_n == MANTISSA_DIGITS) {
			exact = false;
			continue;
		}
		mantissa = mantissa * 10 + (uint64_t)(*p - '0');
		digit_n += mantissa != 0;
	}
	if (p < end && *p == (uint8_t)point) {
		for (p++; p < end && (uint8_t)(*p - '0') < 10; p++) {
			any = true;
			if (digit_n == MANTISSA_DIGITS) {
				exact = false;
				continue;
			}
			mantissa = mantissa * 10 + (uint64_t)(*p - '0');
			digit_n += mantissa != 0;
			exp10--;
		}
	}
	if (!any)
		return false;
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		bool minus = p < end && *p == '-';
		p += p < end && (*p == '-' || *p == '+');
		if (p == end)
			return false;
		long e = 0;
		for (; p < end && (uint8_t)(*p - '0') < 10; p++)
			if (e < EXPONENT_LIMIT)
				e = e * 10 + (*p - '0');
		exp10 += minus ? -e : e;
	}
	if (p != end)
		return false;
	double d;
	if (mantissa == 0 && exact)
		d = 0;
	else if (exact && mantissa <= 1ull << 53 && exp10 >= -22 && exp10 <= 22)
		d = exp10 < 0 ? (double)mantissa / exact_tens[-exp10] : (double)mantissa * exact_tens[exp10];
	else if (exact && exp10 >= -19 && exp10 <= 19)
		d = scale_exact(mantissa, (int)exp10);
	else {
		*ret = slow_real(text, len, point);
		return true;
	}
	*ret = negative ? -d : d;
	return true;
}
