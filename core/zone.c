/* core/zone.h */
#include "core/zone.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/alloc.h"

enum { FILE_MAX_BYTES = 1 << 20, TYPES_MAX = 256, OFFSET_MIN_S = -89999, OFFSET_MAX_S = 93599 };    /* RFC 8536, 3.2 */

struct rule {                                /* when a year's summer time begins or ends: Mm.w.d, Jn or n, at a local time */
	char kind;                           /* 'M', 'J', 'n' */
	int month, week, day;
	int32_t at_s;
};

struct zone {
	int64_t *times_s;                    /* transitions, rising, UTC */
	int32_t *offsets_s;                  /* from each transition on */
	size_t n;
	int32_t first_s;                     /* before the first */
	bool footer, has_summer;             /* for instants behind the last transition: a POSIX TZ string */
	int32_t standard_s, summer_s;
	struct rule begins, ends;
};

int64_t civil_days(int64_t year, int month, int day)
{
	/* H. Hinnant's days_from_civil: March begins the year, so that the leap day is its last. */
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t yoe = year - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (int)((5 * doy + 2) / 153);
	*ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*ret_month = mp < 10 ? mp + 3 : mp - 9;
	*ret_year = yoe + era * 400 + (*ret_month <= 2);
}

/* ---- the footer: CET-1CEST,M3.5.0,M10.5.0/3 ---- */

static bool skip_name(const char **p)
{
	const char *s = *p;
	if (*s == '<') {
		while (*s && *s != '>')
			s++;
		if (!*s)
			return false;
		*p = s + 1;
		return true;
	}
	while ((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z'))
		s++;
	bool ok = s - *p >= 3;
	*p = s;
	return ok;
}

static bool number(const char **p, int max, int *ret)
{
	int n = 0;
	const char *s = *p;
	while (*s >= '0' && *s <= '9' && n <= max)
		n = 10 * n + (*s++ - '0');
	if (s == *p || n > max)
		return false;
	*p = s;
	*ret = n;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool clock_s(const char **p, int32_t *ret)
{
	int sign = 1, h = 0, m = 0, s = 0;
	if (**p == '-' || **p == '+')
		sign = *(*p)++ == '-' ? -1 : 1;
	if (!number(p, 167, &h))
		return false;
	if (**p == ':' && (++*p, !number(p, 59, &m)))
		return false;
	if (**p == ':' && (++*p, !number(p, 59, &s)))
		return false;
	*ret = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool rule(const char **p, struct rule *ret)
{
	*ret = (struct rule){.kind = 'n', .at_s = 7200};
	if (**p != ',')
		return false;
	++*p;
	if (**p == 'M') {
		ret->kind = 'M';
		++*p;
		if (!number(p, 12, &ret->month) || *(*p)++ != '.' || !number(p, 5, &ret->week) || *(*p)++ != '.' || !number(p, 6, &ret->day) || ret->month < 1 || ret->week < 1)
			return false;
	} else {
		if (**p == 'J') {
			ret->kind = 'J';
			++*p;
		}
		if (!number(p, 366, &ret->day))
			return false;
	}
	return **p != '/' || (++*p, clock_s(p, &ret->at_s));
}

static bool parse_footer(struct zone *z, const char *text)
{
	int32_t west = 0;
	const char *p = text;
	if (!skip_name(&p) || !clock_s(&p, &west))
		return false;
	z->standard_s = -west;
	if (!*p)
		return true;
	if (!skip_name(&p))
		return false;
	z->summer_s = z->standard_s + 3600;
	if (*p && *p != ',') {
		if (!clock_s(&p, &west))
			return false;
		z->summer_s = -west;
	}
	z->has_summer = true;
	return rule(&p, &z->begins) && rule(&p, &z->ends) && !*p;
}

static bool is_leap(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

/* The rule's instant in a year, as seconds on the clock that is changed. */
static int64_t rule_local_s(const struct rule *r, int64_t year)
{
	int64_t days;
	if (r->kind == 'M') {
		int64_t first = civil_days(year, r->month, 1);
		int weekday = (int)(((first + 4) % 7 + 7) % 7);
		int day = 1 + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
		static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
		int length = lengths[r->month - 1] + (r->month == 2 && is_leap(year));
		days = first + (day > length ? day - 7 : day) - 1;
	} else if (r->kind == 'J') {
		days = civil_days(year, 1, 1) + r->day - 1 + (is_leap(year) && r->day > 59);
	} else {
		days = civil_days(year, 1, 1) + r->day;
	}
	return days * 86400 + r->at_s;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int32_t footer_offset(const struct zone *z, int64_t utc_s)
{
	int64_t year;
	int month, day;
	if (!z->has_summer)
		return z->standard_s;
	civil_from_days(floor_div(utc_s + z->standard_s, 86400), &year, &month, &day);
	int64_t begins = rule_local_s(&z->begins, year) - z->standard_s, ends = rule_local_s(&z->ends, year) - z->summer_s;
	bool summer = begins < ends ? utc_s >= begins && utc_s < ends : utc_s >= begins || utc_s < ends;
	return summer ? z->summer_s : z->standard_s;
}

/* ---- TZif ---- */

struct reader {
	const uint8_t *p, *end;
	bool bad;
};

static int64_t big(struct reader *r, int n)
{
	uint64_t v = 0;
	if (r->end - r->p < n) {
		r->bad = true;
		return 0;
	}
	for (int i = 0; i < n; i++)
		v = v << 8 | r->p[i];
	r->p += n;
	return n == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

static void skip(struct reader *r, uint64_t n)
{
	if ((uint64_t)(r->end - r->p) < n)
		r->bad = true;
	else
		r->p += n;
}

struct counts {
	uint32_t utc, std, leap, times, types, chars;
};

static bool header(struct reader *r, struct counts *c)
{
	if (r->end - r->p < 44 || memcmp(r->p, "TZif", 4) != 0 || r->p[4] < '2')
		return false;
	skip(r, 20);
	uint32_t *fields[] = {&c->utc, &c->std, &c->leap, &c->times, &c->types, &c->chars};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		*fields[i] = (uint32_t)big(r, 4);
	return !r->bad && c->types > 0 && c->types <= TYPES_MAX && c->times <= FILE_MAX_BYTES;
}

static bool parse(struct zone *z, struct reader *r)
{
	struct counts c;
	if (!header(r, &c))
		return false;
	/* The first block, with times of 32 bits, is repeated by the second with 64. */
	skip(r, (uint64_t)c.times * 5 + (uint64_t)c.types * 6 + c.chars + (uint64_t)c.leap * 8 + c.std + c.utc);
	if (r->bad || !header(r, &c) || (uint64_t)(r->end - r->p) < (uint64_t)c.times * 9 + (uint64_t)c.types * 6)
		return false;
	z->n = c.times;
	z->times_s = xcalloc(z->n + 1, sizeof *z->times_s);
	z->offsets_s = xcalloc(z->n + 1, sizeof *z->offsets_s);
	for (size_t i = 0; i < z->n; i++)
		z->times_s[i] = big(r, 8);
	const uint8_t *of = r->p;
	skip(r, z->n);
	int32_t types[TYPES_MAX];
	for (uint32_t i = 0; i < c.types; i++) {
		types[i] = (int32_t)big(r, 4);
		if (types[i] < OFFSET_MIN_S || types[i] > OFFSET_MAX_S)
			return false;
		skip(r, 2);
	}
	for (size_t i = 0; i < z->n; i++) {
		if (of[i] >= c.types || (i && z->times_s[i] <= z->times_s[i - 1]))
			return false;
		z->offsets_s[i] = types[of[i]];
	}
	z->first_s = types[0];
	skip(r, (uint64_t)c.chars + (uint64_t)c.leap * 12 + c.std + c.utc);
	if (r->bad)
		return false;
	size_t left = (size_t)(r->end - r->p);
	if (left >= 2 && r->p[0] == '\n' && r->p[left - 1] == '\n' && left < 256) {
		char text[256];
		memcpy(text, r->p + 1, left - 2);
		text[left - 2] = 0;
		z->footer = *text && parse_footer(z, text);
	}
	return true;
}

bool zone_parse(const void *data, size_t len, struct zone **ret, struct err *err)
{
	struct zone *z = xcalloc(1, sizeof *z);
	struct reader r = {data, (const uint8_t *)data + len, false};
	if (!parse(z, &r)) {
		zone_destroy(z);
		return err_set(err, ERR_OPTION, "not a time zone file (TZif)");
	}
	*ret = z;
	return true;
}

static bool name_ok(const char *name)
{
	if (!*name || *name == '/' || strstr(name, "..") || strlen(name) > 100)
		return false;
	for (const char *p = name; *p; p++)
		if (!((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || strchr("_-+/", *p)))
			return false;
	return true;
}

bool zone_load(const char *name, struct zone **ret, struct err *err)
{
	static const char *const folders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo"};
	struct stat st;
	int fd = -1;
	for (size_t i = 0; name_ok(name) && fd < 0 && i < sizeof folders / sizeof *folders; i++) {
		char *path = xasprintf("%s/%s", folders[i], name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		free(path);
	}
	bool ok = false;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_MAX_BYTES) {
		char *data = xmalloc((size_t)st.st_size);
		ok = read(fd, data, (size_t)st.st_size) == (ssize_t)st.st_size && zone_parse(data, (size_t)st.st_size, ret, err);
		free(data);
	}
	if (fd >= 0)
		close(fd);
	if (!ok) {
		err_set(err, ERR_OPTION, "no time zone \"%s\"", name);
		err_hint(err, "names are those of /usr/share/zoneinfo (package tzdata): Europe/Berlin, UTC");
	}
	return ok;
}

void zone_destroy(struct zone *z)
{
	if (!z)
		return;
	free(z->times_s);
	free(z->offsets_s);
	free(z);
}

int32_t zone_offset_s(const struct zone *z, int64_t utc_ms)
{
	if (!z)
		return 0;
	int64_t s = floor_div(utc_ms, 1000);
	if (!z->n || s < z->times_s[0])
		return z->n || !z->footer ? z->first_s : footer_offset(z, s);
	if (z->footer && s >= z->times_s[z->n - 1])
		return footer_offset(z, s);
	size_t lo = 0, hi = z->n;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;
		if (z->times_s[mid] <= s)
			lo = mid;
		else
			hi = mid;
	}
	return z->offsets_s[lo];
}

int64_t zone_to_utc(const struct zone *z, int64_t local_ms)
{
	enum { DAY_MS = 86400000 };
	if (!z || local_ms < INT64_MIN + 2 * DAY_MS || local_ms > INT64_MAX - 2 * DAY_MS)
		return local_ms;
	/* The offset before and after any change near by. */
	int64_t before = zone_offset_s(z, local_ms - DAY_MS) * INT64_C(1000), after = zone_offset_s(z, local_ms + DAY_MS) * INT64_C(1000);
	int64_t early = local_ms - before, late = local_ms - after;
	if (zone_offset_s(z, early) * INT64_C(1000) == before)
		return early;
	if (zone_offset_s(z, late) * INT64_C(1000) == after)
		return late;
	return early;                        /* skipped: on by the gap */
}
