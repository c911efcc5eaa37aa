/* vtab/values.h */
#include "vtab/values.h"

#include <math.h>
#include "core/time.h"

static void intersect_integer(int op, int64_t v, struct interval *i)
{
	switch (op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		*i = (struct interval){v, v};
		break;
	case SQLITE_INDEX_CONSTRAINT_GT:
		*i = v == INT64_MAX ? (struct interval){1, 0} : (struct interval){v + 1, INT64_MAX};
		break;
	case SQLITE_INDEX_CONSTRAINT_GE:
		*i = (struct interval){v, INT64_MAX};
		break;
	case SQLITE_INDEX_CONSTRAINT_LT:
		*i = v == INT64_MIN ? (struct interval){1, 0} : (struct interval){INT64_MIN, v - 1};
		break;
	case SQLITE_INDEX_CONSTRAINT_LE:
		*i = (struct interval){INT64_MIN, v};
		break;
	default:
		*i = INTERVAL_ALL;
	}
}

/* A number above or below all integers, or any text: only its side counts. */
static void beyond(int op, bool above, struct interval *i)
{
	bool wants_less = op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE;
	bool wants_more = op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE;
	*i = (above ? wants_less : wants_more) ? INTERVAL_ALL : (struct interval){1, 0};
}

enum rhs_kind value_interval(int op, sqlite3_value *value, struct interval *ret)
{
	static const double two_63 = 9223372036854775808.0;
	switch (sqlite3_value_numeric_type(value)) {
	case SQLITE_NULL:
		*ret = (struct interval){1, 0};
		return RHS_NULL;
	case SQLITE_INTEGER:
		intersect_integer(op, sqlite3_value_int64(value), ret);
		return RHS_NUMBER;
	case SQLITE_FLOAT: {
		double d = sqlite3_value_double(value);
		if (d >= two_63 || d < -two_63) {
			beyond(op, d > 0, ret);
			return RHS_NUMBER;
		}
		double down = floor(d);
		if (down == d) {
			intersect_integer(op, (int64_t)d, ret);
		} else if (op == SQLITE_INDEX_CONSTRAINT_EQ) {
			*ret = (struct interval){1, 0};
		} else {
			/* v > 2.5 is v > 2, v >= 2.5 too; v < 2.5 is v <= 2. */
			bool more = op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE;
			intersect_integer(more ? SQLITE_INDEX_CONSTRAINT_GT : SQLITE_INDEX_CONSTRAINT_LE, (int64_t)down, ret);
		}
		return RHS_NUMBER;
	}
	default:
		beyond(op, true, ret);
		return RHS_NOT_A_NUMBER;
	}
}

/* Years 0000 to 9999: there texts of times sort as the times do. */
static const int64_t text_first_ms = -62167219200000, text_last_ms = 253402300799999;

static int compare_time(int64_t ms, const uint8_t *text, size_t len)
{
	char formatted[TIME_TEXT_MAX];
	size_t n = time_format(ms, formatted);
	int c = memcmp(formatted, text, n < len ? n : len);
	return c ? c : n < len ? -1 : n > len;
}

/* The first ms in the range whose text is >= text (or > text); text_last_ms + 1 if none. */
static int64_t first_time(const uint8_t *text, size_t len, bool after_equal)
{
	int64_t lo = text_first_ms, hi = text_last_ms + 1;
	while (lo < hi) {
		int64_t middle = lo + (hi - lo) / 2;
		int c = compare_time(middle, text, len);
		if (c > 0 || (c == 0 && !after_equal))
			hi = middle;
		else
			lo = middle + 1;
	}
	return lo;
}

bool value_time_interval(int op, sqlite3_value *value, struct interval *ret)
{
	if (sqlite3_value_type(value) != SQLITE_TEXT)
		return false;
	const uint8_t *text = sqlite3_value_text(value);
	size_t len = (size_t)sqlite3_value_bytes(value);
	/* Years before 0 and after 9999 begin with - and +, below every digit. */
	if (len == 0 || text[0] < '0')
		return false;
	int64_t at_least = first_time(text, len, false);
	int64_t above = first_time(text, len, true);
	switch (op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		*ret = (struct interval){at_least, above - 1};
		return true;
	case SQLITE_INDEX_CONSTRAINT_GT:
		*ret = (struct interval){above, INT64_MAX};
		return true;
	case SQLITE_INDEX_CONSTRAINT_GE:
		*ret = (struct interval){at_least, INT64_MAX};
		return true;
	case SQLITE_INDEX_CONSTRAINT_LT:
		*ret = (struct interval){INT64_MIN, at_least - 1};
		return true;
	case SQLITE_INDEX_CONSTRAINT_LE:
		*ret = (struct interval){INT64_MIN, above - 1};
		return true;
	default:
		return false;
	}
}
