/* core/time.h. Calendar arithmetic is Howard Hinnant's days_from_civil / civil_from_days (public domain algorithm), which needs no libc time zone. */
#include "core/time.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 86400000 };

int64_t time_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t time_mono_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t time_mono_ms(void)
{
	return time_mono_us() / 1000;
}

static int64_t days_from_civil(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, int *m, int *d)
{
	z += 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = yoe + era * 400 + (*m <= 2);
}

static void put2(char *p, int v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
}

size_t time_format(int64_t ms, char out[TIME_TEXT_MAX])
{
	int64_t days = ms / DAY_MS;
	int64_t rest = ms % DAY_MS;
	if (rest < 0) {
		rest += DAY_MS;
		days--;
	}
	int64_t y;
	int m, d;
	civil_from_days(days, &y, &m, &d);
	char *p = out;
	if (y >= 0 && y <= 9999) {
		put2(p, (int)(y / 100));
		put2(p + 2, (int)(y % 100));
		p += 4;
	} else {
		p += snprintf(p, 16, "%+05lld", (long long)y);
	}
	*p++ = '-';
	put2(p, m);
	p[2] = '-';
	put2(p + 3, d);
	p[5] = 'T';
	int s = (int)(rest / 1000);
	put2(p + 6, s / 3600);
	p[8] = ':';
	put2(p + 9, s / 60 % 60);
	p[11] = ':';
	put2(p + 12, s % 60);
	p[14] = '.';
	int frac = (int)(rest % 1000);
	p[15] = (char)('0' + frac / 100);
	put2(p + 16, frac % 100);
	p[18] = 'Z';
	p[19] = '\0';
	return (size_t)(p + 19 - out);
}

/* Reads exactly n digits. */
static bool digits(const char **p, const char *end, int n, int *ret)
{
	if (end - *p < n)
		return false;
	int v = 0;
	for (int i = 0; i < n; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return false;
		v = v * 10 + ((*p)[i] - '0');
	}
	*p += n;
	*ret = v;
	return true;
}

static bool eat(const char **p, const char *end, char c)
{
	if (*p < end && **p == c) {
		(*p)++;
		return true;
	}
	return false;
}

static int month_days(int y, int m)
{
	static const int n[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return m == 2 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)) ? 29 : n[m - 1];
}

static bool parse_zone(const char **p, const char *end, int64_t *ret_ms)
{
	if (*p == end) {
		*ret_ms = 0;
		return true;
	}
	if (eat(p, end, 'Z') || eat(p, end, 'z')) {
		*ret_ms = 0;
		return *p == end;
	}
	int sign = **p == '+' ? 1 : **p == '-' ? -1 : 0;
	int h, m = 0;
	if (!sign)
		return false;
	(*p)++;
	if (!digits(p, end, 2, &h))
		return false;
	if (*p < end) {
		eat(p, end, ':');
		if (!digits(p, end, 2, &m))
			return false;
	}
	if (*p != end || h > 23 || m > 59)
		return false;
	*ret_ms = sign * ((int64_t)h * HOUR_MS + (int64_t)m * MINUTE_MS);
	return true;
}

bool time_parse_iso(const char *text, size_t len, int64_t *ret_ms)
{
	const char *p = text;
	const char *end = text + len;
	int y, mo, d, h = 0, mi = 0, s = 0, ms = 0;
	if (!digits(&p, end, 4, &y) || !eat(&p, end, '-') || !digits(&p, end, 2, &mo) || !eat(&p, end, '-') || !digits(&p, end, 2, &d))
		return false;
	if (mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo))
		return false;
	int64_t zone = 0;
	if (p < end) {
		if (!eat(&p, end, 'T') && !eat(&p, end, ' ') && !eat(&p, end, 't'))
			return false;
		if (!digits(&p, end, 2, &h) || !eat(&p, end, ':') || !digits(&p, end, 2, &mi))
			return false;
		if (eat(&p, end, ':')) {
			if (!digits(&p, end, 2, &s))
				return false;
			if (eat(&p, end, '.') || eat(&p, end, ',')) {
				const char *first = p;
				int scale = 100;
				for (; p < end && isdigit((unsigned char)*p); p++) {
					ms += (*p - '0') * scale;
					scale /= 10;
				}
				if (p == first)
					return false;
			}
		}
		/* 60 is a leap second: it maps to the next minute, as POSIX time does. */
		if (h > 24 || mi > 59 || s > 60 || (h == 24 && (mi || s || ms)))
			return false;
		if (p < end && *p == ' ')
			p++;
		if (!parse_zone(&p, end, &zone))
			return false;
	}
	*ret_ms = days_from_civil(y, mo, d) * DAY_MS + (int64_t)h * HOUR_MS + (int64_t)mi * MINUTE_MS + (int64_t)s * SECOND_MS + ms - zone;
	return true;
}

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {
	{"ms", 1}, {"msec", 1}, {"millis", 1}, {"millisecond", 1}, {"milliseconds", 1},
	{"s", SECOND_MS}, {"sec", SECOND_MS}, {"secs", SECOND_MS}, {"second", SECOND_MS}, {"seconds", SECOND_MS},
	{"m", MINUTE_MS}, {"min", MINUTE_MS}, {"mins", MINUTE_MS}, {"minute", MINUTE_MS}, {"minutes", MINUTE_MS},
	{"h", HOUR_MS}, {"hr", HOUR_MS}, {"hour", HOUR_MS}, {"hours", HOUR_MS},
	{"d", DAY_MS}, {"day", DAY_MS}, {"days", DAY_MS}, {"w", 7 * (int64_t)DAY_MS}, {"week", 7 * (int64_t)DAY_MS}, {"weeks", 7 * (int64_t)DAY_MS},
};

static void skip_space(const char **p, const char *end)
{
	while (*p < end && isspace((unsigned char)**p))
		(*p)++;
}

bool time_parse_duration(const char *text, size_t len, int64_t *ret_ms)
{
	const char *p = text;
	const char *end = text + len;
	double total = 0;
	int parts = 0;
	for (skip_space(&p, end); p < end; skip_space(&p, end), parts++) {
		double v = 0;
		double scale = 1;
		bool any = false;
		bool dot = false;
		for (; p < end && (isdigit((unsigned char)*p) || (*p == '.' && !dot)); p++) {
			if (*p == '.') {
				dot = true;
				continue;
			}
			any = true;
			if (dot)
				v += (*p - '0') * (scale /= 10);
			else
				v = v * 10 + (*p - '0');
		}
		skip_space(&p, end);
		const char *word = p;
		while (p < end && isalpha((unsigned char)*p))
			p++;
		const struct unit *unit = NULL;
		for (size_t i = 0; i < sizeof units / sizeof *units && !unit; i++)
			if (strlen(units[i].name) == (size_t)(p - word) && strncasecmp(units[i].name, word, (size_t)(p - word)) == 0)
				unit = &units[i];
		if (!any || !unit)
			return false;
		total += v * (double)unit->ms;
	}
	if (!parts || total > 9.0e15)
		return false;
	*ret_ms = (int64_t)(total + 0.5);
	return true;
}

static bool parse_offset(const char *p, const char *end, int64_t base, int64_t *ret_ms)
{
	skip_space(&p, end);
	if (p == end) {
		*ret_ms = base;
		return true;
	}
	int64_t d;
	if ((*p != '+' && *p != '-') || !time_parse_duration(p + 1, (size_t)(end - p - 1), &d))
		return false;
	*ret_ms = *p == '+' ? base + d : base - d;
	return true;
}

bool time_parse_instant(const char *text, size_t len, int64_t now_ms, int64_t *ret_ms)
{
	const char *p = text;
	const char *end = text + len;
	skip_space(&p, end);
	while (end > p && isspace((unsigned char)end[-1]))
		end--;
	if (p == end)
		return false;
	int64_t today = now_ms - (now_ms % DAY_MS + DAY_MS) % DAY_MS;
	if (*p == '*')
		return parse_offset(p + 1, end, now_ms, ret_ms);
	if (*p == '+' || *p == '-')
		return parse_offset(p, end, now_ms, ret_ms);
	static const struct {
		const char *word;
		int day;       /* 1 = now, 0 = today's midnight, -1 = yesterday's */
	} words[] = {{"today", 0}, {"yesterday", -1}, {"now", 1}, {"t", 0}, {"y", -1}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i].word);
		if ((size_t)(end - p) >= n && strncasecmp(p, words[i].word, n) == 0 && (p + n == end || !isalpha((unsigned char)p[n])))
			return parse_offset(p + n, end, words[i].day == 1 ? now_ms : today + words[i].day * (int64_t)DAY_MS, ret_ms);
	}
	bool all_digits = true;
	for (const char *q = p; q < end; q++)
		all_digits = all_digits && isdigit((unsigned char)*q);
	if (all_digits && end - p <= 18 && end - p > 4) {
		int64_t v = 0;
		for (const char *q = p; q < end; q++)
			v = v * 10 + (*q - '0');
		*ret_ms = v;
		return true;
	}
	return time_parse_iso(p, (size_t)(end - p), ret_ms);
}

size_t time_format_duration(int64_t ms, char out[TIME_TEXT_MAX])
{
	long long v = ms < 0 ? 0 : ms;
	int n;
	if (v < SECOND_MS)
		n = snprintf(out, TIME_TEXT_MAX, "%lldms", v);
	else if (v < MINUTE_MS)
		n = snprintf(out, TIME_TEXT_MAX, "%lld.%llds", v / SECOND_MS, v % SECOND_MS / 100);
	else if (v < HOUR_MS)
		n = snprintf(out, TIME_TEXT_MAX, "%lldm %02llds", v / MINUTE_MS, v % MINUTE_MS / SECOND_MS);
	else if (v < DAY_MS)
		n = snprintf(out, TIME_TEXT_MAX, "%lldh %02lldm", v / HOUR_MS, v % HOUR_MS / MINUTE_MS);
	else
		n = snprintf(out, TIME_TEXT_MAX, "%lldd %lldh", v / DAY_MS, v % DAY_MS / HOUR_MS);
	return (size_t)n;
}
