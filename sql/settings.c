/* sql/settings.h */
#include "sql/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include "core/time.h"
#include "sql/memory.h"

static bool bad(const char *name, const char *value, const char *want, struct err *err)
{
	return err_set(err, ERR_SQL, "SET %s = %s: %s expected", name, value, want);
}

static bool on_off(const char *name, const char *value, bool *ret, struct err *err)
{
	static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(value, words[i]) == 0) {
			*ret = i % 2;
			return true;
		}
	return bad(name, value, "on or off", err);
}

/* 16777216, 16M, 1G, 512k */
static bool bytes_n(const char *name, const char *value, int64_t *ret, struct err *err)
{
	static const char units[] = "kmgt";
	char *end = NULL;
	errno = 0;
	long long n = strtoll(value, &end, 10);
	int shift = 0;
	if (end != value && *end) {
		const char *u = strchr(units, *end | 32);
		if (u) {
			shift = 10 * (int)(u - units + 1);
			end++;
			end += strcasecmp(end, "b") == 0 ? 1 : strcasecmp(end, "ib") == 0 ? 2 : 0;
		}
	}
	if (errno || end == value || *end || n <= 0 || n > (INT64_MAX >> shift))
		return bad(name, value, "bytes (16777216, 16M)", err);
	*ret = (int64_t)n << shift;
	return true;
}

static void add_on_off(bool v, struct buf *to)
{
	buf_adds(to, v ? "on" : "off");
}

static bool set_write(struct catalog *c, const char *value, struct err *err)
{
	bool on = false;
	if (!on_off("write", value, &on, err))
		return false;
	/* Switched on here, each topic asks once; --write asked for it knowingly and stays as it is. */
	if (on && !c->provider.write_allowed)
		c->write_by_set = true;
	if (!on)
		c->write_by_set = false;
	c->provider.write_allowed = on;
	return true;
}

static void get_write(const struct catalog *c, struct buf *to)
{
	add_on_off(c->provider.write_allowed, to);
}

static bool set_time_slack(struct catalog *c, const char *value, struct err *err)
{
	int64_t ms = -1;
	if (strcasecmp(value, "none") != 0 && strcasecmp(value, "off") != 0 && !time_parse_duration(value, strlen(value), &ms))
		return bad("time_slack", value, "a duration ('10m') or none", err);
	c->provider.time_slack_ms = ms;
	return true;
}

static void get_time_slack(const struct catalog *c, struct buf *to)
{
	char text[TIME_TEXT_MAX] = "none";
	if (c->provider.time_slack_ms >= 0)
		time_format_duration(c->provider.time_slack_ms, text);
	buf_adds(to, text);
}

static bool set_strict(struct catalog *c, const char *value, struct err *err)
{
	return on_off("strict", value, &c->provider.strict, err);
}

static void get_strict(const struct catalog *c, struct buf *to)
{
	add_on_off(c->provider.strict, to);
}

static bool set_on_gap(struct catalog *c, const char *value, struct err *err)
{
	if (strcasecmp(value, "fail") != 0 && strcasecmp(value, "warn") != 0)
		return bad("on_gap", value, "fail or warn", err);
	c->provider.gap_policy = strcasecmp(value, "warn") == 0 ? GAP_WARN : GAP_FAIL;
	return true;
}

static void get_on_gap(const struct catalog *c, struct buf *to)
{
	buf_adds(to, c->provider.gap_policy == GAP_WARN ? "warn" : "fail");
}

static bool set_max_message(struct catalog *c, const char *value, struct err *err)
{
	int64_t n = 0;
	if (!bytes_n("max_message", value, &n, err))
		return false;
	c->provider.max_message_bytes = (size_t)n;
	return true;
}

static void get_max_message(const struct catalog *c, struct buf *to)
{
	buf_addf(to, "%zu", c->provider.max_message_bytes ? c->provider.max_message_bytes : (size_t)16 << 20);
}

#ifndef WEIR_EXTENSION
static bool set_memory_limit(struct catalog *c, const char *value, struct err *err)
{
	int64_t n = 0;
	if (!bytes_n("memory_limit", value, &n, err))
		return false;
	memory_set_limit(n);
	return true;
}

static void get_memory_limit(const struct catalog *c, struct buf *to)
{
	buf_addf(to, "%lld", (long long)memory_limit());
}
#endif

static bool bound(const char *name, const char *value, struct position *ret, struct err *err)
{
	struct position p = {.kind = POSITION_NONE};
	struct err ignored = ERR_INIT;
	if (strcasecmp(value, "none") != 0 && !position_parse(value, strlen(value), &p, &ignored))
		return bad(name, value, "a time ('-1h', '2026-09-01T06:00Z'), beginning, end, offsets ('0:100,1:5') or none", err);
	position_finish(ret);
	*ret = p;
	return true;
}

static void add_bound(const struct position *p, struct buf *to)
{
	char text[TIME_TEXT_MAX];
	if (p->kind == POSITION_TIME)
		time_format(p->ts_ms, text);
	buf_adds(to, p->kind == POSITION_TIME ? text : p->kind ? p->text : "none");
}

static bool set_from(struct catalog *c, const char *value, struct err *err)
{
	return bound("from", value, &c->provider.from, err);
}

static void get_from(const struct catalog *c, struct buf *to)
{
	add_bound(&c->provider.from, to);
}

static bool set_until(struct catalog *c, const char *value, struct err *err)
{
	return bound("until", value, &c->provider.until, err);
}

static void get_until(const struct catalog *c, struct buf *to)
{
	add_bound(&c->provider.until, to);
}

static bool set_aggregate(struct catalog *c, const char *value, struct err *err)
{
	bool sqlite = strcasecmp(value, "sqlite") == 0;
	if (!sqlite && strcasecmp(value, "auto") != 0)
		return bad("aggregate", value, "auto or sqlite", err);
	c->sqlite_aggregates = sqlite;
	return true;
}

static void get_aggregate(const struct catalog *c, struct buf *to)
{
	buf_adds(to, c->sqlite_aggregates ? "sqlite" : "auto");
}

static const struct setting settings[] = {
	{"aggregate", "auto | sqlite", "auto: GROUP BY over topics runs in weir's hash tables where it can; sqlite: always in SQLite's sorter", set_aggregate, get_aggregate},
	{"from", "time | offsets | none", "read every topic from here on: a time (the broker's time index), beginning, or '0:100,1:5' for these partitions only", set_from, get_from},
	{"max_message", "bytes", "a larger message comes without its value and with a row in weir_errors", set_max_message, get_max_message},
#ifndef WEIR_EXTENSION
	{"memory_limit", "bytes", "what SQLite may use for sorting and grouping; beyond it a query fails", set_memory_limit, get_memory_limit},
#endif
	{"on_gap", "fail | warn", "what to do when offsets vanish during a scan", set_on_gap, get_on_gap},
	{"strict", "on | off", "the first message that cannot be decoded ends the query", set_strict, get_strict},
	{"time_slack", "duration | none", "no record is out of time order by more than this: lets an upper bound on _ts end the scan", set_time_slack, get_time_slack},
	{"until", "time | offsets | none", "read every topic up to here: a time, end, or '0:100,1:5'; a live query ends there", set_until, get_until},
	{"write", "on | off", "INSERT into topics; asks once per topic", set_write, get_write},
};

const struct setting *setting_at(size_t index)
{
	return index < sizeof settings / sizeof *settings ? &settings[index] : NULL;
}

bool setting_set(struct catalog *c, const char *name, const char *value, struct err *err)
{
	const struct setting *s;
	struct buf known = BUF_INIT;
	for (size_t i = 0; (s = setting_at(i)); i++) {
		if (strcasecmp(s->name, name) == 0) {
			buf_finish(&known);
			return s->set(c, value, err);
		}
		buf_addf(&known, "%s%s", i ? ", " : "", s->name);
	}
	err_set(err, ERR_SQL, "no setting \"%s\"", name);
	err_hint(err, "known: %s", known.data);
	buf_finish(&known);
	return false;
}
