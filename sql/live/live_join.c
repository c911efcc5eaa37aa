/* sql/live/live_join.h */
#include "sql/live/live_join.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "sql/memory.h"

enum { FORGET_PART = 8 };                    /* rows are kept up to an eighth of the span longer than they need to be */

struct side {
	struct row_store *by_own, *by_next;  /* its rows, by the keys of its own ON and of the next topic's; may be the same, NULL = nobody looks there */
	struct within within;                /* to the topic before it */
	enum join_kind join;
};

struct live_join {
	struct side sides[JOIN_STREAMS_MAX];
	size_t n;
	int64_t span_ms;                     /* of all WITHIN together */
	char *from[JOIN_PHASES], *where[JOIN_PHASES];
	sqlite3_stmt *stmts[JOIN_PHASES];
	int step;                            /* next one of the chunk */
	int64_t forgot_ms;                   /* rows with event times before this went */
	int64_t now_ms;                      /* event time up to which rows without a partner were given out; TIME_NONE, WATERMARK_END */
};

/* Its stores, each once. */
static size_t stores_of(const struct side *side, struct row_store *ret[2])
{
	size_t n = 0;
	if (side->by_own)
		ret[n++] = side->by_own;
	if (side->by_next && side->by_next != side->by_own)
		ret[n++] = side->by_next;
	return n;
}

void live_join_destroy(struct live_join *j)
{
	struct row_store *stores[2];
	if (!j)
		return;
	for (int i = 0; i < JOIN_PHASES; i++) {
		sqlite3_finalize(j->stmts[i]);
		free(j->from[i]);
		free(j->where[i]);
	}
	for (size_t i = 0; i < j->n; i++) {
		size_t n = stores_of(&j->sides[i], stores);
		while (n)
			row_store_destroy(stores[--n]);
	}
	free(j);
}

const char *live_join_from(const struct live_join *j, int phase)
{
	return j->from[phase];
}

const char *live_join_where(const struct live_join *j, int phase)
{
	return j->where[phase] ? j->where[phase] : "";
}

sqlite3_stmt *live_join_first(const struct live_join *j)
{
	return j->stmts[0];
}

int64_t live_join_grace(const struct live_join *j)
{
	int64_t most = 0;
	for (size_t i = 1; i < j->n; i++)
		if (j->sides[i].within.grace_ms > most)
			most = j->sides[i].within.grace_ms;
	return most;
}

static int64_t before(int64_t ts_ms, int64_t by_ms)
{
	return ts_ms < INT64_MIN + by_ms ? INT64_MIN : ts_ms - by_ms;
}

int64_t live_join_watermark(const struct live_join *j)
{
	return j->now_ms == TIME_NONE || j->now_ms == WATERMARK_END ? j->now_ms : before(j->now_ms, j->span_ms);
}

void live_join_set(struct live_join *j, int phase, sqlite3_stmt *stmt)
{
	sqlite3_finalize(j->stmts[phase]);
	j->stmts[phase] = stmt;
}

int64_t live_join_bytes(const struct live_join *j)
{
	struct row_store *stores[2];
	int64_t bytes = 0;
	for (size_t i = 0; i < j->n; i++)
		for (size_t n = stores_of(&j->sides[i], stores); n; n--)
			bytes += row_store_bytes(stores[n - 1]);
	return bytes;
}

size_t live_join_row_n(const struct live_join *j)
{
	struct row_store *stores[2];
	size_t row_n = 0;
	for (size_t i = 0; i < j->n; i++)
		if (stores_of(&j->sides[i], stores))
			row_n += row_store_row_n(stores[0]);
	return row_n;
}

/* ---- the stores ---- */

static bool make_store(struct live *l, size_t stream, const struct join_on *on, struct row_store **ret, struct err *err)
{
	struct live_stream *st = &l->streams[stream];
	struct buf ts = BUF_INIT;
	if (!st->derived && st->stream->timestamp)
		sql_quote_name(&ts, st->stream->timestamp);
	else
		buf_adds(&ts, "_ts");
	struct row_store_def def = {.source = st->places_sql, .stream = st->derived ? NULL : st->stream, .columns_of = st->table_sql, .event_time = ts.data, .keys = (const char *const *)on->keys, .key_n = on->key_n,
		.text = l->join_text, .places = true, .memory_max_bytes = memory_limit()};
	bool ok = row_store_create(l->s, &def, ret, err);
	buf_finish(&ts);
	return ok;
}

static bool same_keys(const struct join_on *a, const struct join_on *b)
{
	bool same = a->key_n == b->key_n;
	for (size_t i = 0; same && i < a->key_n; i++)
		same = strcasecmp(a->keys[i], b->keys[i]) == 0;
	return same;
}

/* The conjuncts of ON that joins topic i, seen from it, or from the one before it. */
static bool read_on(const struct live *l, const struct select *sel, size_t i, bool from_before, struct join_on *ret, struct err *err)
{
	const struct live_stream *own = &l->streams[i], *side = &l->streams[from_before ? i - 1 : i];
	const struct stream *stream = side->derived ? NULL : side->stream;
	if (!from_before)
		return join_on_read(l->join_text, sel, own->item, stream, false, ret, err);
	struct select mirror = *sel;
	struct from_item items[2] = {sel->from[own->item], sel->from[side->item]};
	items[1].on = sel->from[own->item].on;
	items[1].using_list = sel->from[own->item].using_list;
	mirror.from_n = 2;
	mirror.from = items;
	return join_on_read(l->join_text, &mirror, 1, stream, false, ret, err);
}

static bool make_stores(struct live *l, const struct select *sel, struct err *err)
{
	struct live_join *j = l->join;
	for (size_t i = 0; i < j->n; i++) {
		struct side *side = &j->sides[i];
		struct join_on own = {.keys = NULL}, next = {.keys = NULL};
		bool has_next = i + 1 < j->n, ok = (!i || read_on(l, sel, i, false, &own, err)) && (!has_next || read_on(l, sel, i + 1, true, &next, err));
		ok = ok && (!i || make_store(l, i, &own, &side->by_own, err));
		if (ok && has_next && i && same_keys(&own, &next))
			side->by_next = side->by_own;
		else if (ok && has_next)
			ok = make_store(l, i, &next, &side->by_next, err);
		join_on_finish(&own);
		join_on_finish(&next);
		if (!ok)
			return false;
	}
	return true;
}

/* ---- the phases' statements ---- */

static void name_column(struct buf *to, const char *alias, const char *column)
{
	sql_quote_name(to, alias);
	buf_addf(to, ".%s", column);
}

/* Event time of topic i as a phase that begins with topic `first` sees it. */
static void time_sql(const struct live *l, size_t i, bool feed, struct buf *to)
{
	const struct live_stream *st = &l->streams[i];
	if (!feed) {
		name_column(to, st->alias, "_et");
	} else if (!st->derived) {
		event_time_sql(st->stream, st->alias, to);
	} else {
		buf_adds(to, "weir_event_time(");
		name_column(to, st->alias, "_ts");
		buf_addc(to, ')');
	}
}

/* Topic i's time lies in [time of the one before it - before, + after]. The one farther from `first` is looked up: its _et is indexed. */
static void time_condition(const struct live *l, size_t i, size_t first, bool feed, struct buf *to)
{
	const struct within *w = &l->join->sides[i].within;
	bool own = i > first;
	size_t stored = own ? i : i - 1, other = own ? i - 1 : i;
	struct buf t = BUF_INIT;
	time_sql(l, other, feed && other == first, &t);
	name_column(to, l->streams[stored].alias, "_et");
	buf_addf(to, " BETWEEN %s - %lld AND %s + %lld", t.data, (long long)(own ? w->before_ms : w->after_ms), t.data, (long long)(own ? w->after_ms : w->before_ms));
	buf_finish(&t);
}

/* FROM of a phase: topic `first` gives its new rows (feed) or those that expired, the others the rows they keep. Of these, topic `without` (0: none) may be missing. */
static char *phase_from(const struct live *l, const struct select *sel, size_t first, bool feed, size_t without)
{
	struct buf b = BUF_INIT;
	size_t i = 0;
	for (size_t k = 0; k < sel->from_n; k++) {
		const struct from_item *f = &sel->from[k];
		const char *words = without && (i == without || (i > without && f->join == JOIN_LEFT)) ? "LEFT JOIN" : "JOIN";
		if (i == l->join->n || l->streams[i].item != k) {
			buf_adds(&b, k ? " " : "");
			span_add(&b, l->join_text, f->whole);
			continue;
		}
		const struct side *side = &l->join->sides[i];
		const struct row_store *store = i > first || !side->by_next ? side->by_own : side->by_next;
		if (k)
			buf_addf(&b, " %s ", words);
		buf_adds(&b, i == first && feed ? l->streams[i].table_sql : row_store_name(store));
		buf_adds(&b, " AS ");
		sql_quote_name(&b, l->streams[i].alias);
		if (k) {
			struct buf on = BUF_INIT;
			join_on_text(l->join_text, sel, k, &on);
			buf_adds(&b, " ON ");
			if (i)
				time_condition(l, i, first, feed, &b);
			buf_addf(&b, "%s(%s)", i ? " AND " : "", on.len ? on.data : "1");
			buf_finish(&on);
		}
		i++;
	}
	return buf_take(&b);
}

/* Rows of topic i that expired and have none of `other`. */
static char *lone_where(const struct live *l, size_t i, size_t other)
{
	struct buf b = BUF_INIT;
	name_column(&b, l->streams[i].alias, "_expired = 1 AND ");
	name_column(&b, l->streams[other].alias, "_et IS NULL");
	return buf_take(&b);
}

/* RIGHT, FULL: of two topics only. */
static char *right_from(const struct live *l, const struct select *sel)
{
	const struct live_stream *a = &l->streams[0], *b = &l->streams[1];
	struct buf to = BUF_INIT, on = BUF_INIT;
	join_on_text(l->join_text, sel, b->item, &on);
	buf_addf(&to, "%s AS ", row_store_name(l->join->sides[1].by_own));
	sql_quote_name(&to, b->alias);
	buf_addf(&to, " LEFT JOIN %s AS ", row_store_name(l->join->sides[0].by_next));
	sql_quote_name(&to, a->alias);
	buf_adds(&to, " ON ");
	time_condition(l, 1, 1, false, &to);
	buf_addf(&to, " AND (%s)", on.len ? on.data : "1");
	for (size_t k = 2; k < sel->from_n; k++) {
		buf_addc(&to, ' ');
		span_add(&to, l->join_text, sel->from[k].whole);
	}
	buf_finish(&on);
	return buf_take(&to);
}

static bool no_bound(const struct from_item *f, struct err *err)
{
	err_set(err, ERR_SQL, "a live join of two topics needs a bound in time: JOIN \"%s\" WITHIN '1h' ON ..", from_item_alias(f));
	err_hint(err, "or ASOF JOIN for the latest row, or CREATE TABLE .. FROM TOPIC for the last value of each key");
	return false;
}

static bool read_items(struct live *l, const struct select *sel, struct err *err)
{
	struct live_join *j = l->join;
	size_t i = 0;
	for (size_t k = 0; k < sel->from_n; k++) {
		const struct from_item *f = &sel->from[k];
		bool outward = f->join == JOIN_RIGHT || f->join == JOIN_FULL, topic = i < j->n && l->streams[i].item == k;
		struct side *side = &j->sides[topic ? i : 0];
		if (!topic && outward)
			return err_set(err, ERR_SQL, "a live join has no moment at which it is certain that a row of \"%s\" has no partner: LEFT JOIN or JOIN", from_item_alias(f));
		if (!topic)
			continue;
		if ((outward && (j->n > 2 || k != 1)) || (i == 0 && k && f->join != JOIN_INNER && f->join != JOIN_CROSS && f->join != JOIN_COMMA)) {
			err_set(err, ERR_NOT_BUILT, "a live RIGHT or FULL JOIN of more than two topics, or an outer join of a topic to a table before it, is not built yet");
			err_hint(err, "docs/limits.md lists what is missing");
			return false;
		}
		side->join = f->join;
		if (i && span_empty(f->within_whole))
			return no_bound(f, err);
		if (i && !within_read(l->join_text, f, &side->within, err))
			return false;
		j->span_ms += i ? side->within.before_ms + side->within.after_ms : 0;
		i++;
	}
	return true;
}

bool live_join_plan(struct live *l, const struct select *sel, struct err *err)
{
	struct live_join *j = l->join = xcalloc(1, sizeof *j);
	j->n = l->stream_n;
	j->now_ms = j->forgot_ms = TIME_NONE;
	if (!read_items(l, sel, err) || !make_stores(l, sel, err))
		return false;
	for (size_t i = 0; i < j->n; i++) {
		enum join_kind next = i + 1 < j->n ? j->sides[i + 1].join : JOIN_INNER;
		j->from[i] = phase_from(l, sel, i, true, 0);
		if (next == JOIN_LEFT || next == JOIN_FULL) {
			j->from[JOIN_STREAMS_MAX + i] = phase_from(l, sel, i, false, i + 1);
			j->where[JOIN_STREAMS_MAX + i] = lone_where(l, i, i + 1);
		}
	}
	if (j->sides[1].join == JOIN_RIGHT || j->sides[1].join == JOIN_FULL) {
		j->from[JOIN_STREAMS_MAX + 1] = right_from(l, sel);
		j->where[JOIN_STREAMS_MAX + 1] = lone_where(l, 1, 0);
	}
	return true;
}

/* ---- running ---- */

struct seeing {
	struct live *l;
	int source;
};

static bool see(void *arg, const struct agg_at *at)
{
	struct seeing *s = arg;
	struct watermark_part *p = watermark_part(&s->l->watermark, s->source, at->partition, 0);
	p->row_n++;
	if (at->ts_ms != TIME_NONE)
		watermark_see(&s->l->watermark, p, at->ts_ms);
	return true;
}

static bool load(struct live *l, size_t i, struct err *err)
{
	struct row_store *stores[2] = {NULL, NULL};
	struct seeing s = {l, (int)i};
	size_t n = stores_of(&l->join->sides[i], stores);
	return row_store_load(stores[0], see, &s, err) && (n < 2 || row_store_load(stores[1], NULL, NULL, err));
}

/* The store whose marks topic i's lone rows have. */
static struct row_store *marked(const struct live_join *j, size_t i)
{
	return j->sides[i].by_next ? j->sides[i].by_next : j->sides[i].by_own;
}

/* When no partner can come any more: of the next topic up to after, of those before it up to all their befores. */
static void expire(struct live_join *j, size_t i)
{
	int64_t wait_ms = i + 1 < j->n ? j->sides[i + 1].within.after_ms : 0, befores_ms = 0;
	for (size_t k = 1; k <= i; k++)
		befores_ms += j->sides[k].within.before_ms;
	if (befores_ms > wait_ms)
		wait_ms = befores_ms;
	if (j->now_ms != TIME_NONE)
		row_store_expire(marked(j, i), j->now_ms == WATERMARK_END ? j->now_ms : before(j->now_ms, wait_ms));
}

/* Only behind the last phase: a row that expires now may have had its partner among the oldest of another side. It walks over all keys, so not for every chunk. */
static void forget(struct live_join *j)
{
	struct row_store *stores[2];
	int64_t w = live_join_watermark(j);
	if (w == TIME_NONE || w == WATERMARK_END || (j->forgot_ms != TIME_NONE && w < j->forgot_ms + j->span_ms / FORGET_PART))
		return;
	j->forgot_ms = w;
	for (size_t i = 0; i < j->n; i++)
		for (size_t n = stores_of(&j->sides[i], stores); n; n--)
			row_store_forget(stores[n - 1], w);
}

/* Steps of a chunk: for each topic, from the last to the first, its new rows with what the others keep, then they are kept, too; then, from the first to the last,
 * its lone rows. A step's end is the next one's begin. */
bool live_join_next(struct live *l, sqlite3_stmt **ret, struct err *err)
{
	struct live_join *j = l->join;
	int n = (int)j->n;
	for (*ret = NULL; !*ret && j->step <= 2 * n; j->step++) {
		int step = j->step;
		if (step > 0 && step <= n && l->chunk_loaded && !load(l, (size_t)(n - step), err))
			return false;
		if (step < n) {
			if (l->chunk_loaded)
				*ret = j->stmts[n - 1 - step];
			continue;
		}
		if (step == n) {
			live_watermark(l);
			j->now_ms = l->ended && !l->chunk_loaded ? WATERMARK_END : l->watermark.value_ms;
		} else {
			row_store_end_expired(marked(j, (size_t)(step - n - 1)));
		}
		if (step < 2 * n) {
			*ret = j->stmts[JOIN_STREAMS_MAX + step - n];
			if (*ret)
				expire(j, (size_t)(step - n));
		}
	}
	if (*ret)
		return true;
	forget(j);
	j->step = 0;
	return true;
}
