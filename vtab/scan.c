/* From the plan's arguments to offset ranges: what xFilter's values mean, bounds frozen for the statement, times turned into offsets.
 *
 * Time. The lower bound of _ts seeks: what lies before the first offset with ts >= x has ts < x, whatever the order. The upper bound can stop
 * a scan only where times rise: on LogAppendTime topics, or up to provider->time_slack_ms of disorder. Each row is checked all the same. */
#include "vtab/scan.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"
#include "vtab/held.h"
#include "vtab/values.h"

enum { ROWID_OFFSET_BITS = 48 };

static void narrow(struct interval *i, struct interval by)
{
	if (by.lo > i->lo)
		i->lo = by.lo;
	if (by.hi < i->hi)
		i->hi = by.hi;
}

bool column_is_whole_key(const struct stream *s, size_t column)
{
	const struct column *c = &s->columns[column];
	return c->origin == COLUMN_FROM_KEY && !c->path && c->type == COLUMN_TEXT && strcmp(s->key_format, "text") == 0;
}

/* ---- arguments ---- */

static bool error_time_text(struct table *t, sqlite3_value *value, struct err *err)
{
	int64_t ms;
	const char *text = (const char *)sqlite3_value_text(value);
	size_t len = text ? (size_t)sqlite3_value_bytes(value) : 0;
	err_set(err, ERR_TYPE, "_ts of %s is compared with the text '%.*s'; it is a number of milliseconds, and SQLite puts every number before every text",
		t->stream->topic, len > 60 ? 60 : (int)len, text ? text : "");
	if (text && time_parse_instant(text, len, time_now_ms(), &ms))
		err_hint(err, "write ts('%.*s'), or compare _time with the text of a time", (int)(len > 60 ? 60 : len), text);
	else
		err_hint(err, "write ts('-1h') or ts('2026-09-01T06:00+02:00'), or compare _time with the text of a time");
	return false;
}

/* Calls each() for every value of an argument: one, or those of an IN list. NULLs are passed on. */
static bool each_value(const struct plan_term *term, sqlite3_value *arg, bool (*each)(void *ctx, sqlite3_value *value), void *ctx)
{
	if (!term->in)
		return each(ctx, arg);
	sqlite3_value *v = NULL;
	for (int rc = sqlite3_vtab_in_first(arg, &v); rc == SQLITE_OK && v; rc = sqlite3_vtab_in_next(arg, &v))
		if (!each(ctx, v))
			return false;
	return true;
}

struct values {
	struct scan *scan;
	struct table *table;
	struct err *err;
	const struct plan_term *term;
	struct interval hull;                /* of all values */
	bool any;
	bool unknown;                        /* some value says nothing */
};

static void hull_add(struct values *v, struct interval i)
{
	if (interval_empty(i))
		return;
	if (!v->any || i.lo < v->hull.lo)
		v->hull.lo = i.lo;
	if (!v->any || i.hi > v->hull.hi)
		v->hull.hi = i.hi;
	v->any = true;
}

static bool take_integer(void *ctx, sqlite3_value *value)
{
	struct values *v = ctx;
	struct interval i;
	enum rhs_kind kind = value_interval(v->term->op, value, &i);
	if (kind == RHS_NOT_A_NUMBER && v->term->column == HIDDEN_TS && sqlite3_value_type(value) == SQLITE_TEXT)
		return error_time_text(v->table, value, v->err);
	hull_add(v, i);
	if (v->term->in && v->term->column == HIDDEN_PARTITION && !interval_empty(i)) {
		struct scan *s = v->scan;
		s->partitions = xreallocarray(s->partitions, s->partition_n + 1, sizeof *s->partitions);
		s->partitions[s->partition_n++] = i.lo;
	}
	return true;
}

static bool take_time(void *ctx, sqlite3_value *value)
{
	struct values *v = ctx;
	struct interval i;
	if (sqlite3_value_type(value) == SQLITE_NULL)
		return true;
	if (!value_time_interval(v->term->op, value, &i)) {
		v->unknown = true;
		return true;
	}
	hull_add(v, i);
	return true;
}

static bool take_key(void *ctx, sqlite3_value *value)
{
	struct values *v = ctx;
	struct scan *s = v->scan;
	int type = sqlite3_value_type(value);
	if (type == SQLITE_NULL)
		return true;
	/* A number may equal keys of several spellings; SQLite sorts that out. */
	if (type != SQLITE_TEXT && type != SQLITE_BLOB) {
		v->unknown = true;
		return true;
	}
	const void *data = type == SQLITE_TEXT ? (const void *)sqlite3_value_text(value) : sqlite3_value_blob(value);
	size_t len = (size_t)sqlite3_value_bytes(value);
	s->keys = xreallocarray(s->keys, s->key_n + 1, sizeof *s->keys);
	struct scan_key *key = &s->keys[s->key_n++];
	key->data = xmalloc(len);
	key->len = len;
	if (len)
		memcpy(key->data, data, len);
	return true;
}

static bool take_needle(void *ctx, sqlite3_value *value)
{
	struct values *v = ctx;
	bool useful = v->term->op == SQLITE_INDEX_CONSTRAINT_LIKE ? prefilter_add_like(&v->scan->prefilter, value)
	            : v->term->op == SQLITE_INDEX_CONSTRAINT_GLOB ? prefilter_add_glob(&v->scan->prefilter, value)
	                                                          : prefilter_add_equal(&v->scan->prefilter, value);
	v->unknown = v->unknown || !useful;
	return true;
}

static const char *op_text(const struct plan_term *term)
{
	if (term->in)
		return "IN (..)";
	switch (term->op) {
	case SQLITE_INDEX_CONSTRAINT_EQ: return "=";
	case SQLITE_INDEX_CONSTRAINT_GT: return ">";
	case SQLITE_INDEX_CONSTRAINT_GE: return ">=";
	case SQLITE_INDEX_CONSTRAINT_LT: return "<";
	case SQLITE_INDEX_CONSTRAINT_LE: return "<=";
	case SQLITE_INDEX_CONSTRAINT_LIKE: return "LIKE";
	case SQLITE_INDEX_CONSTRAINT_GLOB: return "GLOB";
	default: return "?";
	}
}

static void explain_value(struct buf *to, const struct plan_term *term, sqlite3_value *value)
{
	if (term->in)
		return;
	char text[120];
	const unsigned char *v = sqlite3_value_text(value);
	if (!v) {
		buf_adds(to, " NULL");
		return;
	}
	bool quoted = sqlite3_value_type(value) == SQLITE_TEXT;
	sqlite3_snprintf(sizeof text, text, quoted ? " '%.80s'" : " %.80s", v);
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	buf_adds(to, text);
}

static const char *term_name(const struct table *t, const struct plan_term *term)
{
	return term->column == PLAN_ROWID ? "rowid" : term->column < HIDDEN_N ? hidden_names[term->column] : t->stream->columns[payload_column(term->column)].name;
}

static void explain(struct scan *scan, bool pushed, const struct table *t, const struct plan_term *term, sqlite3_value *value, const char *how)
{
	if (!scan->explain)
		return;
	struct buf *to = pushed ? &scan->pushed : &scan->not_pushed;
	buf_addf(to, "%s%s %s", to->len ? "\n" : "", term_name(t, term), op_text(term));
	explain_value(to, term, value);
	buf_addf(to, ": %s", how);
}

static bool take_as_of(struct scan *scan, struct table *t, sqlite3_value *arg, struct err *err)
{
	switch (sqlite3_value_numeric_type(arg)) {
	case SQLITE_NULL:
		scan->nothing = true;
		return true;
	case SQLITE_INTEGER:
		scan->as_of_ms = sqlite3_value_int64(arg);
		return true;
	case SQLITE_FLOAT: {
		double d = floor(sqlite3_value_double(arg));
		scan->as_of_ms = d >= 9.2e18 ? INT64_MAX : d <= -9.2e18 ? INT64_MIN : (int64_t)d;
		return true;
	}
	default:
		return error_time_text(t, arg, err);
	}
}

static bool take_term(struct scan *scan, struct table *t, const struct plan_term *term, sqlite3_value *arg, struct err *err)
{
	struct values v = {.scan = scan, .table = t, .err = err, .term = term};
	if (term->column == as_of_column(t))
		return take_as_of(scan, t, arg, err);
	if (term->op == SQLITE_INDEX_CONSTRAINT_EQ && !term->in && (term->column == HIDDEN_KEY || term->column >= HIDDEN_N) && !scan->equal) {
		scan->equal = true;
		scan->equal_column = term->column;
		scan->equal_hash = held_hash_value(arg);
		scan->nothing = scan->nothing || sqlite3_value_type(arg) == SQLITE_NULL;
	}
	switch (term->column) {
	case PLAN_LIMIT:
	case PLAN_OFFSET: {
		int64_t n = sqlite3_value_int64(arg);
		if (n < 0 && term->column == PLAN_LIMIT)
			scan->row_hint = INT64_MIN / 2;      /* LIMIT -1 is no limit */
		else if (n > 0)
			scan->row_hint += n < INT32_MAX ? n : INT32_MAX;
		return true;
	}
	case PLAN_ROWID:
	case HIDDEN_PARTITION:
	case HIDDEN_OFFSET:
	case HIDDEN_TS: {
		if (!each_value(term, arg, take_integer, &v))
			return false;
		struct interval hull = v.any ? v.hull : (struct interval){1, 0};
		struct interval *to = term->column == PLAN_ROWID ? &scan->rowid : term->column == HIDDEN_PARTITION ? &scan->partition : term->column == HIDDEN_OFFSET ? &scan->offset : &scan->ts;
		narrow(to, hull);
		scan->nothing = scan->nothing || interval_empty(*to);
		if (term->column == HIDDEN_TS)
			scan->ts_given = true;
		else
			explain(scan, true, t, term, arg, "only these offsets are read");
		if (term->in && term->column == HIDDEN_PARTITION)
			scan->partition_listed = true;
		return true;
	}
	case HIDDEN_TIME:
		each_value(term, arg, take_time, &v);
		if (v.unknown)
			return true;
		if (!v.any) {
			/* Rows of years outside 0..9999 could still match a strange text. */
			scan->nothing = scan->nothing || sqlite3_value_type(arg) == SQLITE_NULL;
			return true;
		}
		narrow(&scan->time_ts, v.hull);
		scan->time_given = true;
		return true;
	default:
		break;
	}
	if (term->column == HIDDEN_KEY || (term->op == SQLITE_INDEX_CONSTRAINT_EQ && column_is_whole_key(t->stream, payload_column(term->column)))) {
		/* A second term on the key narrows no further: SQLite checks it. */
		if (scan->keyed)
			return true;
		each_value(term, arg, take_key, &v);
		scan->keyed = !v.unknown;
		if (scan->keyed && scan->key_n == 0)
			scan->nothing = true;
		return true;
	}
	if (number_filter_possible(t->stream->columns[payload_column(term->column)].type)) {
		bool taken = !term->in && !t->multi_row && number_filter_add(&scan->numbers, payload_column(term->column), term->op, arg);
		if (taken)
			explain(scan, true, t, term, arg, "compared as soon as it is decoded");
		return true;
	}
	if (!prefilter_possible(t->stream, payload_column(term->column)))
		return true;
	prefilter_begin_term(&scan->prefilter, t->stream, payload_column(term->column));
	each_value(term, arg, take_needle, &v);
	if (v.unknown)
		prefilter_drop_term(&scan->prefilter);
	explain(scan, !v.unknown, t, term, arg, v.unknown ? "every row is decoded and compared (the value could be a number's text)" : "messages without these bytes are dropped before decoding");
	return true;
}

bool scan_init(struct scan *scan, struct table *t, const struct plan *plan, int argc, sqlite3_value **argv, bool explain_it, struct err *err)
{
	*scan = (struct scan){
		.order = plan->order, .partition = INTERVAL_ALL, .offset = INTERVAL_ALL, .rowid = INTERVAL_ALL, .ts = INTERVAL_ALL, .time_ts = INTERVAL_ALL, .explain = explain_it,
	};
	buf_init(&scan->pushed);
	buf_init(&scan->not_pushed);
	for (size_t i = 0; i < plan->term_n && i < (size_t)argc; i++) {
		if (!take_term(scan, t, &plan->terms[i], argv[i], err)) {
			scan_finish(scan);
			return false;
		}
	}
	if (scan->row_hint < 0)
		scan->row_hint = 0;
	return true;
}

void scan_finish(struct scan *scan)
{
	free(scan->partitions);
	for (size_t i = 0; i < scan->key_n; i++)
		free(scan->keys[i].data);
	free(scan->keys);
	prefilter_finish(&scan->prefilter);
	free(scan->ranges);
	buf_finish(&scan->pushed);
	buf_finish(&scan->not_pushed);
	*scan = (struct scan){0};
}

bool scan_key_matches(const struct scan *scan, struct bytes key)
{
	for (size_t i = 0; i < scan->key_n; i++)
		if (key.data && key.len == scan->keys[i].len && (key.len == 0 || memcmp(key.data, scan->keys[i].data, key.len) == 0))
			return true;
	return false;
}

/* ---- ranges ---- */

static bool partition_wanted(const struct scan *s, int32_t partition)
{
	if (!interval_has(s->partition, partition))
		return false;
	if (!s->partition_listed)
		return true;
	for (size_t i = 0; i < s->partition_n; i++)
		if (s->partitions[i] == partition)
			return true;
	return false;
}

/* What the rowid interval leaves of a partition's offsets. Rowids of rows that do not fit the layout are negative (cursor_rowid). */
static struct interval rowid_offsets(const struct scan *s, int64_t partition, int64_t end)
{
	const int64_t step = (int64_t)1 << ROWID_OFFSET_BITS;
	if (partition >= 1 << 15 || end > step)
		return INTERVAL_ALL;
	int64_t first = partition << ROWID_OFFSET_BITS;
	struct interval i = INTERVAL_ALL;
	if (s->rowid.lo > first)
		i.lo = s->rowid.lo - first;
	if (s->rowid.hi < first)
		return (struct interval){1, 0};
	if (s->rowid.hi - first < step)
		i.hi = s->rowid.hi - first;
	return i;
}

static bool apply_times(struct scan *s, struct table *t, const struct frozen *f, struct err *err)
{
	struct interval ts = s->ts;
	if (s->time_given)
		narrow(&ts, s->time_ts);
	if ((!s->ts_given && !s->time_given) || t->stream->kind == STREAM_CHANGELOG)
		return true;
	struct provider *p = t->module->provider;
	int64_t *at = xreallocarray(NULL, (size_t)f->info.partition_n, sizeof *at);
	bool ok = false;
	if (ts.lo != INT64_MIN) {
		if (f->info.time_seek) {
			if (!p->impl->topic_offsets_at(p, t->stream->cluster, t->stream->topic, f->info.partition_n, ts.lo, at, err))
				goto out;
			for (size_t i = 0; i < s->range_n; i++)
				if (at[s->ranges[i].partition] > s->ranges[i].start)
					s->ranges[i].start = at[s->ranges[i].partition];
		}
		if (s->explain)
			buf_addf(f->info.time_seek ? &s->pushed : &s->not_pushed, "%s_ts >= %lld: %s", (f->info.time_seek ? s->pushed : s->not_pushed).len ? "\n" : "", (long long)ts.lo,
				f->info.time_seek ? "seek by time index" : "this broker has no time index; every row is checked");
	}
	if (ts.hi != INT64_MAX) {
		struct topic_info info = f->info;
		bool append = f->info.time_seek && p->impl->topic_info(p, t->stream->cluster, t->stream->topic, TOPIC_ASK_CONFIG, &info, err) && info.ts_type == TS_TYPE_APPEND;
		int64_t slack = append ? 0 : p->time_slack_ms;
		bool stop = f->info.time_seek && slack >= 0 && ts.hi < INT64_MAX - 1 - slack;
		s->read_past_upper = !stop;
		if (stop) {
			if (!p->impl->topic_offsets_at(p, t->stream->cluster, t->stream->topic, f->info.partition_n, ts.hi + 1 + slack, at, err))
				goto out;
			for (size_t i = 0; i < s->range_n; i++)
				if (at[s->ranges[i].partition] < s->ranges[i].end)
					s->ranges[i].end = at[s->ranges[i].partition];
		}
		if (s->explain)
			buf_addf(stop ? &s->pushed : &s->not_pushed, "%s_ts <= %lld: %s", (stop ? s->pushed : s->not_pushed).len ? "\n" : "", (long long)ts.hi,
				append ? "the scan stops there (LogAppendTime)" : stop ? "the scan stops there (time_slack)"
				       : "read to the end, each row checked: producers set the times, older ones may come later (SET time_slack = '10m' stops the scan)");
	}
	ok = true;
out:
	free(at);
	return ok;
}

static void apply_keys(struct scan *s, struct table *t, const struct frozen *f)
{
	if (!s->keyed)
		return;
	size_t sampled = 0;
	s->partitioner = f->info.partition_n == 1 ? PARTITIONER_NONE : table_partitioner(t, f, false, &sampled);
	if (s->partitioner == PARTITIONER_NONE) {
		if (s->explain)
			buf_addf(&s->not_pushed, "%s_key: all partitions are read and keys compared (%s)", s->not_pushed.len ? "\n" : "", f->info.partition_n == 1 ? "there is one" : "the partitioner is not known: partitioner = 'murmur2' | 'consistent'");
		return;
	}
	size_t kept = 0;
	for (size_t i = 0; i < s->range_n; i++) {
		bool wanted = false;
		for (size_t k = 0; k < s->key_n && !wanted; k++)
			wanted = hash_partition(s->partitioner, bytes_of(s->keys[k].data, s->keys[k].len), f->info.partition_n) == s->ranges[i].partition;
		if (wanted)
			s->ranges[kept++] = s->ranges[i];
	}
	s->range_n = kept;
	if (s->explain) {
		buf_addf(&s->pushed, "%s_key: %zu of %d partitions (%s partitioner, ", s->pushed.len ? "\n" : "", kept, f->info.partition_n, partitioner_name(s->partitioner));
		if (t->stream->partitioner_given)
			buf_adds(&s->pushed, "as declared)");
		else
			buf_addf(&s->pushed, "detected: %zu sampled keys agree; partitioner = 'none' reads all)", sampled);
	}
}

bool scan_ranges(struct scan *s, struct table *t, struct err *err)
{
	const struct frozen *f = NULL;
	if (s->nothing)
		return true;
	if (!frozen_get(t->module, t->stream->cluster, t->stream->topic, &f, err))
		return false;
	t->partition_estimate = f->info.partition_n > 0 ? f->info.partition_n : 1;
	t->row_estimate = 0;
	s->ranges = xreallocarray(NULL, (size_t)f->info.partition_n, sizeof *s->ranges);
	for (int32_t p = 0; p < f->info.partition_n; p++) {
		const struct partition_bounds *b = &f->bounds[p];
		if (b->end > b->low && t->row_estimate < INT64_MAX / 2 - (b->end - b->low))
			t->row_estimate += b->end - b->low;
		if (!partition_wanted(s, b->partition))
			continue;
		struct interval o = {b->low, b->end - 1};
		if (b->end <= b->low)
			continue;
		narrow(&o, s->offset);
		narrow(&o, rowid_offsets(s, b->partition, b->end));
		if (!interval_empty(o))
			s->ranges[s->range_n++] = (struct scan_range){.partition = b->partition, .start = o.lo, .end = o.hi + 1};
	}
	if (s->range_n && !apply_times(s, t, f, err))
		return false;
	apply_keys(s, t, f);
	size_t kept = 0;
	for (size_t i = 0; i < s->range_n; i++)
		if (s->ranges[i].start < s->ranges[i].end)
			s->ranges[kept++] = s->ranges[i];
	s->range_n = s->nothing ? 0 : kept;
	return true;
}
