/* Windows that lie on a grid: tumble, hop, cumulate, and calendar windows in a time zone. See sql/window.h. */
#include "core/time.h"
#include "core/zone.h"
#include "sql/window.h"

enum { DAY_MS = 86400000, MONDAY = -3 };     /* 1969-12-29, in days since 1970 */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Start of the cell of width `step` that holds ts; false where it does not fit in 64 bits. */
static bool cell(int64_t ts, int64_t origin, int64_t step, int64_t *ret)
{
	int64_t from, k, start;
	if (__builtin_sub_overflow(ts, origin, &from))
		return false;
	k = floor_div(from, step);
	return !__builtin_mul_overflow(k, step, &start) && !__builtin_add_overflow(start, origin, ret);
}

/* ---- calendar ---- */

/* The day of the origin on the zone's calendar. Without one it is 1970-01-01 there, not the day it was there at 1970-01-01Z. */
static int64_t origin_day(const struct window_spec *w)
{
	return w->origin_ms ? floor_div(w->origin_ms + zone_offset_s(w->zone, w->origin_ms) * INT64_C(1000), DAY_MS) : 0;
}

/* Number of the unit (day, week, month, year, in groups of unit_n) that holds a local time. */
static int64_t unit_of(const struct window_spec *w, int64_t local_ms)
{
	int64_t days = floor_div(local_ms, DAY_MS), year;
	int month, day;
	int64_t origin = origin_day(w), origin_year;
	int origin_month, ignored;
	switch (w->unit) {
	case UNIT_DAY:
		return floor_div(days - origin, w->unit_n);
	case UNIT_WEEK:
		return floor_div(days - (w->origin_ms ? origin : MONDAY), 7 * w->unit_n);
	case UNIT_MONTH:
	case UNIT_YEAR:
		civil_from_days(days, &year, &month, &day);
		civil_from_days(origin, &origin_year, &origin_month, &ignored);
		return floor_div((year - origin_year) * 12 + month - origin_month, w->unit == UNIT_YEAR ? 12 * w->unit_n : w->unit_n);
	case UNIT_MS:
		break;
	}
	return 0;
}

static int64_t unit_start_ms(const struct window_spec *w, int64_t k)
{
	int64_t origin = origin_day(w), origin_year, days = 0;
	int origin_month, ignored;
	switch (w->unit) {
	case UNIT_DAY:
		days = origin + k * w->unit_n;
		break;
	case UNIT_WEEK:
		days = (w->origin_ms ? origin : MONDAY) + k * 7 * w->unit_n;
		break;
	case UNIT_MONTH:
	case UNIT_YEAR: {
		civil_from_days(origin, &origin_year, &origin_month, &ignored);
		int64_t months = origin_year * 12 + origin_month - 1 + k * (w->unit == UNIT_YEAR ? 12 * w->unit_n : w->unit_n);
		days = civil_days(floor_div(months, 12), (int)(months - 12 * floor_div(months, 12)) + 1, 1);
		break;
	}
	case UNIT_MS:
		break;
	}
	return zone_to_utc(w->zone, days * DAY_MS);
}

static bool calendar(const struct window_spec *w, int64_t ts_ms, struct window_bounds *ret)
{
	/* Years beyond some hundred thousand have no calendar. */
	if (ts_ms < -INT64_C(9000000000000000) || ts_ms > INT64_C(9000000000000000))
		return false;
	int64_t k = unit_of(w, ts_ms + zone_offset_s(w->zone, ts_ms) * INT64_C(1000));
	*ret = (struct window_bounds){unit_start_ms(w, k), unit_start_ms(w, k + 1)};
	return true;
}

/* ---- all ---- */

size_t window_assign_max(const struct window_spec *w)
{
	switch (w->kind) {
	case WINDOW_HOP:
	case WINDOW_CUMULATE:
		return (size_t)((w->size_ms + w->slide_ms - 1) / w->slide_ms);
	default:
		return 1;
	}
}

bool window_assign(const struct window_spec *w, int64_t ts_ms, struct window_bounds *ret, size_t *n_io)
{
	size_t room = *n_io;
	int64_t start, end;
	*n_io = 0;
	if (ts_ms == TIME_NONE)
		return true;
	if (w->kind == WINDOW_TUMBLE) {
		struct window_bounds b;
		if (w->unit != UNIT_MS) {
			if (!calendar(w, ts_ms, &b))
				return true;
		} else {
			if (!cell(ts_ms, w->origin_ms, w->size_ms, &start) || __builtin_add_overflow(start, w->size_ms, &end))
				return true;
			b = (struct window_bounds){start, end};
		}
		if (!room)
			return false;
		ret[0] = b;
		*n_io = 1;
		return true;
	}
	if (w->kind == WINDOW_HOP) {
		int64_t last;
		if (!cell(ts_ms, w->origin_ms, w->slide_ms, &last))
			return true;
		/* last, last - slide, ..: as long as it still holds ts. */
		int64_t k = floor_div(w->size_ms - (ts_ms - last) - 1, w->slide_ms);
		for (int64_t i = k; i >= 0; i--) {
			if (__builtin_sub_overflow(last, i * w->slide_ms, &start) || __builtin_add_overflow(start, w->size_ms, &end))
				continue;
			if (*n_io == room)
				return false;
			ret[(*n_io)++] = (struct window_bounds){start, end};
		}
		return true;
	}
	if (w->kind == WINDOW_CUMULATE) {
		if (!cell(ts_ms, w->origin_ms, w->size_ms, &start))
			return true;
		for (int64_t step = w->slide_ms;; step += w->slide_ms) {
			int64_t length = step < w->size_ms ? step : w->size_ms;
			if (!__builtin_add_overflow(start, length, &end) && end > ts_ms) {
				if (*n_io == room)
					return false;
				ret[(*n_io)++] = (struct window_bounds){start, end};
			}
			if (length == w->size_ms)
				break;
		}
	}
	return true;
}

struct window_bounds window_next(const struct window_spec *w, struct window_bounds b)
{
	struct window_bounds next = b;
	if (w->kind == WINDOW_TUMBLE && w->unit != UNIT_MS) {
		calendar(w, b.end_ms, &next);
		return next;
	}
	int64_t by = w->kind == WINDOW_HOP ? w->slide_ms : w->size_ms;
	if (__builtin_add_overflow(b.start_ms, by, &next.start_ms) || __builtin_add_overflow(b.end_ms, by, &next.end_ms))
		return b;
	return next;
}
