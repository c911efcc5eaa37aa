/* sql/functions.h. Pure functions are INNOCUOUS and DETERMINISTIC: SQLite then computes a constant call once per statement, and
 * every ts('-1h') of a statement sees the same now. Wrong arguments are errors, NULL gives NULL; what comes from data (ts_guess, header) never fails. */
#include "sql/functions.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include "core/time.h"
#include "core/utf8.h"
#include "sql/regexp.h"

static void fail(sqlite3_context *context, const char *fmt, const char *text)
{
	char *message = sqlite3_mprintf(fmt, text);
	sqlite3_result_error(context, message ? message : "out of memory", -1);
	sqlite3_free(message);
}

static bool text_of(sqlite3_value *v, const char **ret, size_t *ret_len)
{
	*ret = (const char *)sqlite3_value_text(v);
	*ret_len = (size_t)sqlite3_value_bytes(v);
	return *ret != NULL;
}

/* ---- time ---- */

static void call_ts(sqlite3_context *context, int n, sqlite3_value **args)
{
	int64_t ms;
	const char *text;
	size_t len;
	const struct catalog *catalog = sqlite3_user_data(context);
	(void)n;
	switch (sqlite3_value_type(args[0])) {
	case SQLITE_NULL:
		return;
	case SQLITE_INTEGER:
		sqlite3_result_value(context, args[0]);
		return;
	case SQLITE_FLOAT: {
		double d = floor(sqlite3_value_double(args[0]));
		if (d > -9.2e18 && d < 9.2e18)
			sqlite3_result_int64(context, (int64_t)d);
		return;
	}
	default:
		if (text_of(args[0], &text, &len) && time_parse_instant(text, len, catalog->now_ms ? catalog->now_ms : time_now_ms(), &ms))
			sqlite3_result_int64(context, ms);
		else
			fail(context, "ts('%.40s'): not a time; '2026-09-01T06:00+02:00', '-1h', 'now', '*', 't' and 'y' are understood (ts_guess() gives NULL instead)", text);
	}
}

/* Seconds, ms, us or ns by magnitude: each covers 1973 to 5138. */
static int64_t guess_unit(double v)
{
	double a = fabs(v);
	if (a < 1e11)
		return (int64_t)floor(v * 1000);
	if (a < 1e14)
		return (int64_t)floor(v);
	if (a < 1e17)
		return (int64_t)floor(v / 1000);
	return (int64_t)floor(v / 1e6);
}

static int64_t guess_unit_int(int64_t v)
{
	static const struct {
		int64_t below, divide;
	} units[] = {{INT64_C(100000000000000), 1}, {INT64_C(100000000000000000), 1000}, {INT64_MAX, 1000000}};
	if (v > -INT64_C(100000000000) && v < INT64_C(100000000000))
		return v * 1000;
	uint64_t a = v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v;
	for (size_t i = 0; i < 2; i++)
		if (a < (uint64_t)units[i].below)
			return v / units[i].divide - (v < 0 && v % units[i].divide != 0);
	return v / 1000000 - (v < 0 && v % 1000000 != 0);
}

static void call_ts_guess(sqlite3_context *context, int n, sqlite3_value **args)
{
	const char *text;
	size_t len;
	int64_t ms;
	(void)n;
	switch (sqlite3_value_numeric_type(args[0])) {
	case SQLITE_INTEGER:
		sqlite3_result_int64(context, guess_unit_int(sqlite3_value_int64(args[0])));
		return;
	case SQLITE_FLOAT: {
		double d = sqlite3_value_double(args[0]);
		if (fabs(d) < 9e18)
			sqlite3_result_int64(context, guess_unit(d));
		return;
	}
	case SQLITE_TEXT:
		if (text_of(args[0], &text, &len) && time_parse_iso(text, len, &ms))
			sqlite3_result_int64(context, ms);
		return;
	default:
		return;
	}
}

static void call_time_text(sqlite3_context *context, int n, sqlite3_value **args)
{
	char out[TIME_TEXT_MAX];
	(void)n;
	int type = sqlite3_value_numeric_type(args[0]);
	if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
		return;
	size_t len = time_format(sqlite3_value_int64(args[0]), out);
	sqlite3_result_text(context, out, (int)len, SQLITE_TRANSIENT);
}

static void call_duration(sqlite3_context *context, int n, sqlite3_value **args)
{
	const char *text;
	size_t len;
	int64_t ms;
	(void)n;
	if (sqlite3_value_type(args[0]) == SQLITE_NULL)
		return;
	if (sqlite3_value_type(args[0]) == SQLITE_INTEGER)
		sqlite3_result_value(context, args[0]);
	else if (text_of(args[0], &text, &len) && time_parse_duration(text, len, &ms))
		sqlite3_result_int64(context, ms);
	else
		fail(context, "duration('%.40s'): not a duration; '250ms', '5s', '1m', '8h', '1d', '1h30m' and '5 SECONDS' are understood", text);
}

static void call_duration_text(sqlite3_context *context, int n, sqlite3_value **args)
{
	char out[TIME_TEXT_MAX];
	(void)n;
	if (sqlite3_value_numeric_type(args[0]) != SQLITE_INTEGER)
		return;
	size_t len = time_format_duration(sqlite3_value_int64(args[0]), out);
	sqlite3_result_text(context, out, (int)len, SQLITE_TRANSIENT);
}

/* ---- headers ---- */

static json_t *header_value(json_t *headers, const char *name, size_t name_len)
{
	json_t *found = NULL;
	size_t i;
	json_t *pair;
	if (json_is_object(headers)) {
		const char *key;
		json_t *value;
		json_object_foreach(headers, key, value)
			if (strlen(key) == name_len && memcmp(key, name, name_len) == 0)
				found = value;
		return found;
	}
	json_array_foreach(headers, i, pair) {
		json_t *key = json_array_get(pair, 0);
		if (json_is_string(key) && json_string_length(key) == name_len && memcmp(json_string_value(key), name, name_len) == 0)
			found = json_array_get(pair, 1);
	}
	return found;
}

static void call_header(sqlite3_context *context, int n, sqlite3_value **args)
{
	const char *text, *name;
	size_t len, name_len;
	(void)n;
	if (!text_of(args[0], &text, &len) || !text_of(args[1], &name, &name_len))
		return;
	json_t *headers = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	json_t *value = header_value(headers, name, name_len);
	if (json_is_string(value))
		sqlite3_result_text64(context, json_string_value(value), json_string_length(value), SQLITE_TRANSIENT, SQLITE_UTF8);
	else if (json_is_integer(value))
		sqlite3_result_int64(context, json_integer_value(value));
	else if (json_is_real(value))
		sqlite3_result_double(context, json_real_value(value));
	else if (value && !json_is_null(value)) {
		char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		sqlite3_result_text(context, dump, -1, SQLITE_TRANSIENT);
		free(dump);
	}
	json_decref(headers);
}

/* Event time of a column: numbers are ms, text is ISO. Unlike ts(), what is no time is NULL: one bad message must not end a query. */
static void call_event_time(sqlite3_context *context, int n, sqlite3_value **args)
{
	int64_t ms = 0;
	const char *text;
	size_t len;
	(void)n;
	switch (sqlite3_value_type(args[0])) {
	case SQLITE_INTEGER:
		sqlite3_result_value(context, args[0]);
		return;
	case SQLITE_FLOAT: {
		double d = sqlite3_value_double(args[0]);
		if (d >= -9.2e18 && d <= 9.2e18)
			sqlite3_result_int64(context, (sqlite3_int64)floor(d));
		return;
	}
	default:
		if (text_of(args[0], &text, &len) && time_parse_iso(text, len, &ms))
			sqlite3_result_int64(context, ms);
		return;
	}
}

/* ---- patterns ---- */

static void call_regexp(sqlite3_context *context, int n, sqlite3_value **args)
{
	const char *text, *pattern;
	size_t len, pattern_len;
	(void)n;
	if (!text_of(args[0], &pattern, &pattern_len) || !text_of(args[1], &text, &len))
		return;
	struct regexp *re = sqlite3_get_auxdata(context, 0);
	struct regexp *made = NULL;
	if (!re) {
		struct err err = ERR_INIT;
		if (!regexp_create(pattern, pattern_len, &made, &err)) {
			sqlite3_result_error(context, err.msg, -1);
			return;
		}
		re = made;
	}
	sqlite3_result_int(context, regexp_matches(re, text, len));
	if (made)
		sqlite3_set_auxdata(context, 0, made, (void (*)(void *))regexp_destroy);
}

/* Eighths of a character: U+2588 and its left parts. */
static void call_bar(sqlite3_context *context, int n, sqlite3_value **args)
{
	enum { WIDTH = 20, WIDTH_MAX = 1000 };
	int type = sqlite3_value_numeric_type(args[0]), max_type = sqlite3_value_numeric_type(args[1]);
	double v = sqlite3_value_double(args[0]), max = sqlite3_value_double(args[1]);
	int width = n > 2 ? sqlite3_value_int(args[2]) : WIDTH;
	if (width < 1 || width > WIDTH_MAX) {
		sqlite3_result_error(context, "bar(x, max, width): width is a whole number from 1 to 1000", -1);
		return;
	}
	if ((type != SQLITE_INTEGER && type != SQLITE_FLOAT) || (max_type != SQLITE_INTEGER && max_type != SQLITE_FLOAT) || !(max > 0))
		return;
	double share = v / max;
	int eighth_n = share >= 1 ? width * 8 : share > 0 ? (int)(share * width * 8 + 0.5) : 0;
	struct buf text = BUF_INIT;
	utf8_add_bar(&text, eighth_n);
	sqlite3_result_text(context, text.data, (int)text.len, SQLITE_TRANSIENT);
	buf_finish(&text);
}

static void call_version(sqlite3_context *context, int n, sqlite3_value **args)
{
	(void)n, (void)args;
	sqlite3_result_text(context, WEIR_VERSION, -1, SQLITE_STATIC);
}

static const struct function_info functions[] = {
	{"ts", 1, 1, "ts(x) -> INTEGER", "ms since 1970 UTC of a time: '2026-09-01T06:00+02:00', '-1h', 'now', '*', 't', 'y', 't+6h'; numbers pass; bad text is an error", call_ts},
	{"ts_guess", 1, 1, "ts_guess(x) -> INTEGER", "the same from data: ISO text, or seconds, ms, us or ns told apart by magnitude; NULL if it is neither", call_ts_guess},
	{"time_text", 1, 1, "time_text(ms) -> TEXT", "RFC 3339 UTC text of ms since 1970", call_time_text},
	{"duration", 1, 1, "duration(text) -> INTEGER", "ms of '250ms', '5s', '1m', '8h', '1d', '1h30m', '5 SECONDS'", call_duration},
	{"dur", 1, 1, "dur(text) -> INTEGER", "short for duration()", call_duration},
	{"duration_text", 1, 1, "duration_text(ms) -> TEXT", "a duration for people: 950ms, 12.3s, 2h 03m", call_duration_text},
	{"header", 2, 2, "header(_headers, name) -> TEXT", "value of a message header; the last one if the name repeats, NULL if there is none", call_header},
	{"regexp", 2, 2, "regexp(pattern, text) -> INTEGER", "1 if the POSIX extended regular expression matches; also: text REGEXP pattern. \\d \\w \\s and a leading (?i) work", call_regexp},
	{"bar", 2, 3, "bar(x, max [, width]) -> TEXT", "x as a bar whose full length, 20 characters unless told, is max", call_bar},
	{"weir_event_time", 1, 1, "weir_event_time(x) -> INTEGER", "what windows take as event time of a value: ms as they are, ISO text as ms, NULL for anything else", call_event_time},
	{"weir_version", 0, 0, "weir_version() -> TEXT", "weir's version", call_version},
};

const struct function_info *function_info_at(size_t index)
{
	return index < sizeof functions / sizeof *functions ? &functions[index] : NULL;
}

bool functions_register(sqlite3 *db, struct catalog *catalog, struct err *err)
{
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		const struct function_info *f = &functions[i];
		for (int n = f->args_min; n <= f->args_max; n++) {
			int rc = sqlite3_create_function_v2(db, f->name, n, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, catalog, f->call, NULL, NULL, NULL);
			if (rc != SQLITE_OK)
				return err_set(err, ERR_INTERNAL, "function %s: %s", f->name, sqlite3_errmsg(db));
		}
	}
	return true;
}
