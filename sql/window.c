/* Window functions of FROM, read: tumble(t, size => '1m') and its kin, Flink's TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)), ksqlDB's WINDOW TUMBLING (..). */
#include "sql/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"
#include "core/zone.h"

enum { WINDOWS_MAX = 100000 };               /* that one row may be in */

/* ---- values of arguments ---- */

static bool fail_at(struct err *err, size_t at, const char *hint)
{
	err->sql_offset = (int)at;
	if (hint)
		err_hint(err, "%s", hint);
	return false;
}

/* '1m', 5 SECONDS, INTERVAL '5' SECOND, '1 month'. Returns the text of the duration. */
static char *duration_text(const char *text, struct span s)
{
	struct lex l = {.sql = text, .len = s.to, .at = s.from};
	struct buf b = BUF_INIT;
	struct token t = lex_next_solid(&l);
	if (token_is_word(&t, "interval"))
		t = lex_next_solid(&l);
	for (; t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		if (b.len)
			buf_addc(&b, ' ');
		if (t.kind == TOKEN_STRING)
			token_unquote(&t, &b);
		else
			buf_add(&b, t.text, t.len);
	}
	return buf_take(&b);
}

/* '1 month', '2mo', '1y', 'week': calendar units that have no fixed length, or (with a zone) days and weeks. */
static bool calendar_unit(const char *text, enum window_unit *ret_unit, int64_t *ret_n)
{
	static const struct {
		const char *word;
		enum window_unit unit;
	} words[] = {{"d", UNIT_DAY}, {"day", UNIT_DAY}, {"days", UNIT_DAY}, {"w", UNIT_WEEK}, {"week", UNIT_WEEK}, {"weeks", UNIT_WEEK}, {"mo", UNIT_MONTH}, {"mon", UNIT_MONTH}, {"month", UNIT_MONTH},
		{"months", UNIT_MONTH}, {"y", UNIT_YEAR}, {"year", UNIT_YEAR}, {"years", UNIT_YEAR}, {"quarter", UNIT_MONTH}, {"quarters", UNIT_MONTH}};
	char *end = NULL;
	long long n = strtoll(text, &end, 10);
	if (end == text)
		n = 1;
	end += strspn(end, " ");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(end, words[i].word) == 0 && n > 0 && n <= 100000) {
			*ret_unit = words[i].unit;
			*ret_n = n * (words[i].word[0] == 'q' ? 3 : 1);
			return true;
		}
	return false;
}

static bool duration(const char *text, const struct call_arg *a, const char *what, bool zero_ok, int64_t *ret, struct err *err)
{
	char *d = duration_text(text, a->value);
	bool ok = time_parse_duration(d, strlen(d), ret) && (*ret > 0 || zero_ok);
	if (!ok)
		err_set(err, ERR_SQL, "%s: \"%s\" is no duration", what, d);
	free(d);
	return ok || fail_at(err, a->value.from, "'250ms', '5s', '1m', '8h', '1d'");
}

static char *string_of(const char *text, const struct call_arg *a, const char *what, struct err *err)
{
	struct lex l = {.sql = text, .len = a->value.to, .at = a->value.from};
	struct token t = lex_next_solid(&l), end = lex_next_solid(&l);
	if ((t.kind != TOKEN_STRING && t.kind != TOKEN_QUOTED) || end.kind != TOKEN_END) {
		err_set(err, ERR_SQL, "%s: a text in quotes expected", what);
		fail_at(err, a->value.from, NULL);
		return NULL;
	}
	struct buf b = BUF_INIT;
	buf_reserve(&b, 1);
	token_unquote(&t, &b);
	return buf_take(&b);
}

static bool number(const char *text, const struct call_arg *a, const char *what, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
	char *s = span_text(text, a->value), *end = NULL;
	*ret = strtoll(s, &end, 10);
	bool ok = end != s && !*end && *ret >= min && *ret <= max;
	if (!ok)
		err_set(err, ERR_SQL, "%s: a whole number from %lld to %lld expected, not %s", what, (long long)min, (long long)max, s);
	free(s);
	return ok || fail_at(err, a->value.from, NULL);
}

static bool instant(const char *text, const struct call_arg *a, int64_t *ret, struct err *err)
{
	char *s = duration_text(text, a->value);
	bool ok = time_parse_instant(s, strlen(s), time_now_ms(), ret);
	if (!ok)
		err_set(err, ERR_SQL, "origin: \"%s\" is no time", s);
	free(s);
	return ok || fail_at(err, a->value.from, "'2026-09-01T06:00+02:00', or ms since 1970");
}

/* ---- the functions ---- */

enum arg { ARG_SIZE, ARG_SLIDE, ARG_GAP, ARG_MAX, ARG_TS, ARG_TZ, ARG_ORIGIN, ARG_KEY, ARG_GRACE, ARG_TRUE_FOR, ARG_EXTEND, ARG_START, ARG_END, ARG_STATE, ARG_N, ARG_COUNT };

static const struct {
	const char *name;
	enum arg arg;
} arg_names[] = {{"size", ARG_SIZE}, {"slide", ARG_SLIDE}, {"step", ARG_SLIDE}, {"advance", ARG_SLIDE}, {"gap", ARG_GAP}, {"max", ARG_MAX}, {"ts", ARG_TS}, {"timecol", ARG_TS}, {"tz", ARG_TZ},
	{"origin", ARG_ORIGIN}, {"key", ARG_KEY}, {"grace", ARG_GRACE}, {"true_for", ARG_TRUE_FOR}, {"extend", ARG_EXTEND}, {"start", ARG_START}, {"end", ARG_END}, {"state", ARG_STATE}, {"expr", ARG_STATE},
	{"n", ARG_N}, {"offset", ARG_ORIGIN}};

#define BIT(a) (1u << (a))

static const struct function {
	const char *name;
	enum window_kind kind;
	unsigned takes, needs;
	enum arg positional[3], flink[3];    /* behind the table; ARG_COUNT ends the list */
	const char *syntax;
} functions[] = {
	{"tumble", WINDOW_TUMBLE, BIT(ARG_SIZE) | BIT(ARG_TS) | BIT(ARG_TZ) | BIT(ARG_ORIGIN) | BIT(ARG_GRACE), BIT(ARG_SIZE), {ARG_SIZE, ARG_COUNT, ARG_COUNT}, {ARG_SIZE, ARG_ORIGIN, ARG_COUNT},
		"tumble(t, size => '1m' [, ts => column] [, tz => 'Europe/Berlin'] [, origin => time] [, grace => '10s'])"},
	{"hop", WINDOW_HOP, BIT(ARG_SIZE) | BIT(ARG_SLIDE) | BIT(ARG_TS) | BIT(ARG_ORIGIN) | BIT(ARG_GRACE), BIT(ARG_SIZE) | BIT(ARG_SLIDE), {ARG_SIZE, ARG_SLIDE, ARG_COUNT}, {ARG_SLIDE, ARG_SIZE, ARG_ORIGIN},
		"hop(t, size => '10m', slide => '1m' [, ts => column] [, origin => time] [, grace => '10s'])"},
	{"cumulate", WINDOW_CUMULATE, BIT(ARG_SIZE) | BIT(ARG_SLIDE) | BIT(ARG_TS) | BIT(ARG_ORIGIN) | BIT(ARG_GRACE), BIT(ARG_SIZE) | BIT(ARG_SLIDE), {ARG_SIZE, ARG_SLIDE, ARG_COUNT},
		{ARG_SLIDE, ARG_SIZE, ARG_ORIGIN}, "cumulate(t, size => '1d', step => '1h' [, ts => column] [, origin => time])"},
	{"session", WINDOW_SESSION, BIT(ARG_GAP) | BIT(ARG_MAX) | BIT(ARG_TS) | BIT(ARG_KEY) | BIT(ARG_GRACE), BIT(ARG_GAP), {ARG_GAP, ARG_MAX, ARG_COUNT}, {ARG_GAP, ARG_COUNT, ARG_COUNT},
		"session(t, gap => '5m' [, max => '1h'] [, key => column] [, ts => column])"},
	{"state_window", WINDOW_STATE, BIT(ARG_STATE) | BIT(ARG_TRUE_FOR) | BIT(ARG_EXTEND) | BIT(ARG_TS) | BIT(ARG_KEY) | BIT(ARG_GRACE), BIT(ARG_STATE), {ARG_STATE, ARG_COUNT, ARG_COUNT},
		{ARG_STATE, ARG_COUNT, ARG_COUNT}, "state_window(t, expression [, true_for => '30s'] [, extend => 0 | 1 | 2] [, key => column] [, ts => column])"},
	{"event_window", WINDOW_EVENT, BIT(ARG_START) | BIT(ARG_END) | BIT(ARG_TRUE_FOR) | BIT(ARG_TS) | BIT(ARG_KEY) | BIT(ARG_GRACE), BIT(ARG_START) | BIT(ARG_END), {ARG_START, ARG_END, ARG_COUNT},
		{ARG_START, ARG_END, ARG_COUNT}, "event_window(t, start => condition, end => condition [, true_for => '30s'] [, key => column] [, ts => column])"},
	{"count_window", WINDOW_COUNT, BIT(ARG_N) | BIT(ARG_SLIDE) | BIT(ARG_TS) | BIT(ARG_KEY) | BIT(ARG_GRACE), BIT(ARG_N), {ARG_N, ARG_SLIDE, ARG_COUNT}, {ARG_N, ARG_SLIDE, ARG_COUNT},
		"count_window(t, n => 100 [, slide => 10] [, key => column] [, ts => column])"},
};

const char *window_function_at(size_t i, const char **ret_syntax)
{
	if (i >= sizeof functions / sizeof *functions)
		return NULL;
	*ret_syntax = functions[i].syntax;
	return functions[i].name;
}

static const char *unit_hint = "with tz: '1d', '1w', '1 month', '1 year'; without: a duration such as '1m'";

static bool take_size(struct window_spec *w, const char *text, const struct call_arg *a, bool zoned, bool monday, struct err *err)
{
	char *d = duration_text(text, a->value);
	enum window_unit unit;
	int64_t n;
	/* Weeks begin on Monday, also without a zone; a number of days is just that. */
	bool calendar = calendar_unit(d, &unit, &n) && (zoned || unit == UNIT_MONTH || unit == UNIT_YEAR || (unit == UNIT_WEEK && monday));
	free(d);
	if (!calendar)
		return duration(text, a, "size", false, &w->size_ms, err);
	if (w->kind != WINDOW_TUMBLE) {
		err_set(err, ERR_SQL, "only tumble takes a size of calendar days, months or years");
		return fail_at(err, a->value.from, NULL);
	}
	w->unit = unit;
	w->unit_n = n;
	return true;
}

static bool take_arg(struct window_spec *w, const char *text, const struct function *f, enum arg arg, const struct call_arg *a, bool zoned, bool monday, struct err *err)
{
	int64_t n = 0;
	char *zone;
	switch (arg) {
	case ARG_SIZE:
		return take_size(w, text, a, zoned, monday, err);
	case ARG_SLIDE:
		if (f->kind == WINDOW_COUNT)
			return number(text, a, "slide", 1, INT32_MAX, &w->count_slide_n, err);
		return duration(text, a, "slide", false, &w->slide_ms, err);
	case ARG_GAP:
		return duration(text, a, "gap", true, &w->gap_ms, err);
	case ARG_MAX:
		return duration(text, a, "max", false, &w->max_ms, err);
	case ARG_GRACE:
		return duration(text, a, "grace", true, &w->grace_ms, err);
	case ARG_TRUE_FOR:
		return duration(text, a, "true_for", true, &w->true_for_ms, err);
	case ARG_EXTEND:
		if (!number(text, a, "extend", 0, 2, &n, err))
			return false;
		w->extend = (int)n;
		return true;
	case ARG_N:
		return number(text, a, "n", 1, INT32_MAX, &w->count_n, err);
	case ARG_ORIGIN:
		return instant(text, a, &w->origin_ms, err);
	case ARG_TZ:
		zone = string_of(text, a, "tz", err);
		if (!zone)
			return false;
		w->tz = zone;
		if (zone_load(zone, &w->zone, err))
			return true;
		err->id = ERR_SQL;
		err->sql_offset = (int)a->value.from;
		return false;
	case ARG_TS:
		w->ts = span_text(text, a->value);
		return true;
	case ARG_KEY:
		w->key = span_text(text, a->value);
		return true;
	case ARG_STATE:
		w->state = span_text(text, a->value);
		return true;
	case ARG_START:
		w->start = span_text(text, a->value);
		return true;
	case ARG_END:
		w->end = span_text(text, a->value);
		return true;
	case ARG_COUNT:
		break;
	}
	return false;
}

static const char *arg_name(enum arg arg)
{
	for (size_t i = 0; i < sizeof arg_names / sizeof *arg_names; i++)
		if (arg_names[i].arg == arg)
			return arg_names[i].name;
	return "";
}

/* DESCRIPTOR(ts): the span inside. */
static bool is_descriptor(const char *text, struct span s, struct span *ret)
{
	struct lex l = {.sql = text, .len = s.to, .at = s.from};
	struct token t = lex_next_solid(&l), open = lex_next_solid(&l);
	if (!token_is_word(&t, "descriptor") || !token_is_op(&open, "("))
		return false;
	*ret = (struct span){l.at, s.to - 1};
	return true;
}

/* TABLE t [PARTITION BY k]: Flink's way to name the table. */
static bool take_table(const char *text, struct span s, struct span *ret_table, struct window_spec *w)
{
	struct lex l = {.sql = text, .len = s.to, .at = s.from};
	struct token t = lex_next_solid(&l);
	*ret_table = s;
	if (!token_is_word(&t, "table"))
		return true;
	t = lex_next_solid(&l);
	ret_table->from = (size_t)(t.text - text);
	for (; t.kind != TOKEN_END; t = lex_next_solid(&l))
		if (token_is_word(&t, "partition")) {
			ret_table->to = (size_t)(t.text - text);
			t = lex_next_solid(&l);          /* BY */
			struct span key = {l.at, s.to};
			while (key.from < key.to && strchr(" (\t\n", text[key.from]))
				key.from++;
			while (key.to > key.from && strchr(" )\t\n", text[key.to - 1]))
				key.to--;
			w->key = span_text(text, key);
			while (ret_table->to > ret_table->from && strchr(" \t\n", text[ret_table->to - 1]))
				ret_table->to--;
			return true;
		}
	return true;
}

static bool check_slide(const struct window_spec *w, const char *what, const char *slide, struct err *err)
{
	if (w->kind == WINDOW_COUNT && w->count_slide_n && w->count_n / w->count_slide_n > WINDOWS_MAX)
		return err_set(err, ERR_SQL, "%s: each row would be in %lld windows", what, (long long)(w->count_n / w->count_slide_n));
	if (w->kind != WINDOW_HOP && w->kind != WINDOW_CUMULATE)
		return true;
	if (w->slide_ms > w->size_ms)
		return err_set(err, ERR_SQL, "%s: the %s is longer than the size", what, slide);
	if (w->size_ms / w->slide_ms > WINDOWS_MAX)
		return err_set(err, ERR_SQL, "%s: each row would be in %lld windows", what, (long long)(w->size_ms / w->slide_ms));
	return true;
}

static bool check(struct window_spec *w, const struct function *f, unsigned seen, size_t at, struct err *err)
{
	for (int a = 0; a < ARG_COUNT; a++)
		if ((f->needs & BIT(a)) && !(seen & BIT(a))) {
			err_set(err, ERR_SQL, "%s: %s is missing", f->name, arg_name((enum arg)a));
			return fail_at(err, at, f->syntax);
		}
	if (!check_slide(w, f->name, w->kind == WINDOW_HOP ? "slide" : "step", err))
		return fail_at(err, at, w->kind == WINDOW_HOP && w->slide_ms > w->size_ms ? "Flink puts the slide first: name them, hop(t, size => '10m', slide => '1m')" : NULL);
	if (w->zone && w->unit == UNIT_MS) {
		err_set(err, ERR_SQL, "%s: tz is for windows of days, weeks, months and years", f->name);
		return fail_at(err, at, unit_hint);
	}
	return true;
}

static bool read_args(const char *text, const struct from_item *item, const struct function *f, struct window_spec *w, struct span *ret_table, struct err *err)
{
	unsigned seen = 0;
	size_t position = 0;
	bool zoned = false, flink = item->is_table_word;
	for (size_t i = 0; i < item->arg_n; i++)
		zoned |= item->args[i].name && strcasecmp(item->args[i].name, "tz") == 0;
	if (!item->arg_n || span_empty(item->args[0].value)) {
		err_set(err, ERR_SQL, "%s: a table is missing", f->name);
		return fail_at(err, item->table.from, f->syntax);
	}
	take_table(text, item->args[0].value, ret_table, w);
	seen |= w->key ? BIT(ARG_KEY) : 0u;
	for (size_t i = 1; i < item->arg_n; i++) {
		struct call_arg a = item->args[i];
		enum arg arg = ARG_COUNT;
		struct span inner;
		if (is_descriptor(text, a.value, &inner)) {
			a.value = inner;
			arg = ARG_TS;
		} else if (a.name) {
			for (size_t k = 0; k < sizeof arg_names / sizeof *arg_names && arg == ARG_COUNT; k++)
				if (strcasecmp(a.name, arg_names[k].name) == 0)
					arg = arg_names[k].arg;
			/* size => of a count is a number of rows */
			if (f->kind == WINDOW_COUNT && arg == ARG_SIZE)
				arg = ARG_N;
		} else if (position < 3) {
			arg = (flink ? f->flink : f->positional)[position++];
			w->positional_hop |= f->kind == WINDOW_HOP && !flink;
		}
		if (arg == ARG_COUNT || !(f->takes & BIT(arg))) {
			err_set(err, ERR_SQL, a.name ? "%s takes no %s" : "%s: too many arguments%s", f->name, a.name ? a.name : "");
			return fail_at(err, a.value.from, f->syntax);
		}
		if (seen & BIT(arg)) {
			err_set(err, ERR_SQL, "%s: %s is given twice", f->name, arg_name(arg));
			return fail_at(err, a.value.from, f->syntax);
		}
		seen |= BIT(arg);
		if (span_empty(a.value)) {
			err_set(err, ERR_SQL, "%s: %s has no value", f->name, arg_name(arg));
			return fail_at(err, a.value.from, f->syntax);
		}
		if (!take_arg(w, text, f, arg, &a, zoned, !flink && f->kind == WINDOW_TUMBLE, err)) {
			if (!err->hint[0])
				err_hint(err, "%s", f->syntax);
			return false;
		}
	}
	return check(w, f, seen, item->table.from, err);
}

bool window_from_call(const char *text, const struct from_item *item, bool *ret_is, struct window_spec *ret, struct span *ret_table, struct err *err)
{
	*ret_is = false;
	for (size_t i = 0; item->is_call && item->name && i < sizeof functions / sizeof *functions; i++) {
		if (strcasecmp(item->name, functions[i].name) != 0)
			continue;
		struct window_spec w = {.kind = functions[i].kind, .grace_ms = -1};
		struct span table = {0, 0};
		if (!read_args(text, item, &functions[i], &w, &table, err)) {
			window_spec_finish(&w);
			return false;
		}
		*ret = w;
		*ret_table = table;
		*ret_is = true;
	}
	return true;
}

/* ---- ksqlDB ---- */

/* n UNIT: the span of both. */
static bool ksql_duration(struct parse *p, int64_t *ret, struct err *err)
{
	size_t from = parse_offset(p);
	if (p->token.kind != TOKEN_NUMBER && p->token.kind != TOKEN_STRING)
		return parse_fail(p, err, "a duration (1 MINUTE)");
	bool number = p->token.kind == TOKEN_NUMBER;
	size_t to = from + p->token.len;
	parse_next(p);
	if (number && p->token.kind == TOKEN_WORD) {
		to = parse_offset(p) + p->token.len;
		parse_next(p);
	}
	struct call_arg a = {.value = {from, to}};
	return duration(p->lex.sql, &a, "WINDOW", true, ret, err);
}

bool window_from_ksql(const char *text, struct span window, struct window_spec *ret, struct err *err)
{
	struct window_spec w = {.grace_ms = -1};
	struct parse p = parse_begin(text, window.from, window.to);
	int64_t ignored = 0;
	bool size = false, slide = false, ok = true;
	parse_word(&p, "window");
	if (parse_word(&p, "tumbling"))
		w.kind = WINDOW_TUMBLE;
	else if (parse_word(&p, "hopping"))
		w.kind = WINDOW_HOP;
	else if (parse_word(&p, "session"))
		w.kind = WINDOW_SESSION;
	else
		return parse_fail(&p, err, "TUMBLING, HOPPING or SESSION");
	if (!parse_want(&p, "(", err))
		return false;
	while (ok && !parse_op(&p, ")")) {
		if (parse_word(&p, "size"))
			ok = ksql_duration(&p, &w.size_ms, err) && (size = true);
		else if (parse_words(&p, "advance by"))
			ok = ksql_duration(&p, &w.slide_ms, err) && (slide = true);
		else if (parse_words(&p, "grace period"))
			ok = ksql_duration(&p, &w.grace_ms, err);
		else if (parse_word(&p, "retention"))
			ok = ksql_duration(&p, &ignored, err);
		else if (w.kind == WINDOW_SESSION && !size && (p.token.kind == TOKEN_NUMBER || p.token.kind == TOKEN_STRING))
			ok = ksql_duration(&p, &w.gap_ms, err) && (size = true);
		else
			ok = parse_fail(&p, err, w.kind == WINDOW_SESSION ? "a gap (5 MINUTES), RETENTION or GRACE PERIOD" : "SIZE, ADVANCE BY, RETENTION or GRACE PERIOD");
		if (ok && !token_is_op(&p.token, ")"))
			ok = parse_want(&p, ",", err);
	}
	if (ok && (!size || (w.kind == WINDOW_HOP && !slide) || (w.kind != WINDOW_SESSION && w.size_ms <= 0) || (slide && w.slide_ms <= 0))) {
		err_set(err, ERR_SQL, "WINDOW: %s is missing or zero", !size || w.size_ms <= 0 ? "the size" : "ADVANCE BY");
		ok = fail_at(err, window.from, NULL);
	}
	if (ok && !check_slide(&w, "WINDOW HOPPING", "ADVANCE BY", err))
		ok = fail_at(err, window.from, NULL);
	if (ok)
		*ret = w;
	return ok;
}

/* ---- as text ---- */

void window_to_text(const struct window_spec *w, struct buf *to)
{
	buf_addf(to, "%d %lld %lld %lld %d %lld %s", (int)w->kind, (long long)w->size_ms, (long long)w->slide_ms, (long long)w->origin_ms, (int)w->unit, (long long)w->unit_n, w->tz ? w->tz : "UTC");
}

bool window_from_text(const char *text, struct window_spec *ret, struct err *err)
{
	struct window_spec w = {.grace_ms = -1};
	int kind = 0, unit = 0;
	long long size = 0, slide = 0, origin = 0, n = 0;
	char tz[128] = "";
	if (sscanf(text, "%d %lld %lld %lld %d %lld %127s", &kind, &size, &slide, &origin, &unit, &n, tz) != 7 || kind < WINDOW_TUMBLE || kind > WINDOW_CUMULATE || unit < UNIT_MS || unit > UNIT_YEAR ||
	    (unit == UNIT_MS ? size <= 0 : n <= 0) || (kind != WINDOW_TUMBLE && (slide <= 0 || slide > size || size / slide > WINDOWS_MAX)))
		return err_set(err, ERR_SQL, "weir_windows: \"%s\" is no window", text);
	w.kind = (enum window_kind)kind;
	w.unit = (enum window_unit)unit;
	w.size_ms = size;
	w.slide_ms = slide;
	w.origin_ms = origin;
	w.unit_n = n;
	if (strcmp(tz, "UTC") != 0 && !zone_load(tz, &w.zone, err))
		return false;
	*ret = w;
	return true;
}

void window_spec_finish(struct window_spec *w)
{
	zone_destroy(w->zone);
	free(w->tz);
	free(w->ts);
	free(w->key);
	free(w->state);
	free(w->start);
	free(w->end);
	*w = (struct window_spec){.grace_ms = -1};
}
