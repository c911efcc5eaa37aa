/* sql/live/live_join.h */
#include "sql/live/live_join.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "sql/memory.h"

struct live_join {
	struct row_store *a, *b;
	struct within within;
	bool left, right;                    /* rows of a, of b without a partner are given out */
	char *from[JOIN_PHASES], *where[JOIN_PHASES];
	sqlite3_stmt *stmts[JOIN_PHASES];
	int phase;                           /* next one; -1 = the chunk's first step is still to come */
	int64_t now_ms;                      /* event time up to which rows without a partner were given out; TIME_NONE, WATERMARK_END */
};

void live_join_destroy(struct live_join *j)
{
	if (!j)
		return;
	for (int i = 0; i < JOIN_PHASES; i++) {
		sqlite3_finalize(j->stmts[i]);
		free(j->from[i]);
		free(j->where[i]);
	}
	row_store_destroy(j->a);
	row_store_destroy(j->b);
	free(j);
}

const char *live_join_from(const struct live_join *j, int phase)
{
	return j->from[phase];
}

const char *live_join_where(const struct live_join *j, int phase)
{
	return j->where[phase];
}

sqlite3_stmt *live_join_first(const struct live_join *j)
{
	return j->stmts[0];
}

int64_t live_join_grace(const struct live_join *j)
{
	return j->within.grace_ms > 0 ? j->within.grace_ms : 0;
}

static int64_t before(int64_t ts_ms, int64_t by_ms)
{
	return ts_ms < INT64_MIN + by_ms ? INT64_MIN : ts_ms - by_ms;
}

int64_t live_join_watermark(const struct live_join *j)
{
	return j->now_ms == TIME_NONE || j->now_ms == WATERMARK_END ? j->now_ms : before(j->now_ms, j->within.before_ms + j->within.after_ms);
}

void live_join_set(struct live_join *j, int phase, sqlite3_stmt *stmt)
{
	j->stmts[phase] = stmt;
}

int64_t live_join_bytes(const struct live_join *j)
{
	return row_store_bytes(j->a) + row_store_bytes(j->b);
}

size_t live_join_row_n(const struct live_join *j)
{
	return row_store_row_n(j->a) + row_store_row_n(j->b);
}

static bool make_store(struct live *l, int side, const struct join_on *on, struct row_store **ret, struct err *err)
{
	struct live_stream *st = &l->streams[side];
	struct buf ts = BUF_INIT;
	if (!st->derived && st->stream->timestamp)
		sql_quote_name(&ts, st->stream->timestamp);
	else
		buf_adds(&ts, "_ts");
	struct row_store_def def = {.source = st->places_sql, .stream = st->derived ? NULL : st->stream, .columns_of = st->table_sql, .event_time = ts.data, .keys = (const char *const *)on->keys, .key_n = on->key_n, .text = l->text, .places = true,
		.memory_max_bytes = memory_limit()};
	bool ok = row_store_create(l->s, &def, ret, err);
	buf_finish(&ts);
	return ok;
}

static char *item_sql(const char *table, const char *alias)
{
	struct buf b = BUF_INIT;
	buf_addf(&b, "%s AS ", table);
	sql_quote_name(&b, alias);
	return buf_take(&b);
}

static void stream_time_sql(const struct live_stream *st, struct buf *to)
{
	if (!st->derived) {
		event_time_sql(st->stream, st->alias, to);
		return;
	}
	buf_adds(to, "weir_event_time(");
	sql_quote_name(to, st->alias);
	buf_adds(to, "._ts)");
}

/* b's time lies in [a's - before, a's + after]; one of the two is a stored row, whose _et is indexed. */
static void time_condition(struct buf *to, const struct live_join *j, const char *stored, bool stored_is_b, const char *other_time)
{
	int64_t down = stored_is_b ? j->within.before_ms : j->within.after_ms, up = stored_is_b ? j->within.after_ms : j->within.before_ms;
	sql_quote_name(to, stored);
	buf_addf(to, "._et BETWEEN %s - %lld AND %s + %lld", other_time, (long long)down, other_time, (long long)up);
}

bool live_join_plan(struct live *l, const struct select *sel, struct err *err)
{
	const struct live_stream *a = &l->streams[0], *b = &l->streams[1];
	const struct from_item *f = &sel->from[b->item];
	struct live_join *j = l->join = xcalloc(1, sizeof *j);
	struct join_on on_a, on_b;
	if (a->item != 0 || b->item != 1) {
		err_set(err, ERR_NOT_BUILT, "a live join of two topics with a table in front of them or between them is not built yet");
		err_hint(err, "put the two topics first in FROM, then the tables");
		return false;
	}
	for (size_t i = 2; i < sel->from_n; i++)
		if (sel->from[i].join == JOIN_RIGHT || sel->from[i].join == JOIN_FULL) {
			err_set(err, ERR_SQL, "a live join has no moment at which it is certain that a row of \"%s\" has no partner: LEFT JOIN or JOIN", from_item_alias(&sel->from[i]));
			return false;
		}
	if (span_empty(f->within_whole)) {
		err_set(err, ERR_SQL, "a live join of two topics needs a bound in time: JOIN \"%s\" WITHIN '1h' ON ..", from_item_alias(f));
		err_hint(err, "or ASOF JOIN for the latest row, or CREATE TABLE .. FROM TOPIC for the last value of each key");
		return false;
	}
	j->phase = -1;
	j->now_ms = TIME_NONE;
	j->left = f->join == JOIN_LEFT || f->join == JOIN_FULL;
	j->right = f->join == JOIN_RIGHT || f->join == JOIN_FULL;
	if (!within_read(l->text, f, &j->within, err) || !join_on_read(l->text, sel, b->item, b->derived ? NULL : b->stream, false, &on_b, err))
		return false;
	/* The same conjuncts, seen from the other side. */
	struct select mirror = *sel;
	struct from_item items[2] = {sel->from[1], sel->from[0]};
	mirror.from_n = 2;
	items[1].on = f->on;
	items[1].using_list = f->using_list;
	mirror.from = items;
	bool ok = join_on_read(l->text, &mirror, 1, a->derived ? NULL : a->stream, false, &on_a, err);
	if (ok) {
		struct buf from = BUF_INIT, on = BUF_INIT, ta = BUF_INIT, tb = BUF_INIT;
		ok = make_store(l, 0, &on_a, &j->a, err) && make_store(l, 1, &on_b, &j->b, err);
		if (ok) {
			char *feed_a = item_sql(a->table_sql, a->alias), *feed_b = item_sql(b->table_sql, b->alias), *rows_a = item_sql(row_store_name(j->a), a->alias), *rows_b = item_sql(row_store_name(j->b), b->alias);
			stream_time_sql(a, &ta);
			stream_time_sql(b, &tb);
			join_on_text(l->text, sel, b->item, &on);
			const char *rest = on.len ? on.data : "1";
			buf_addf(&from, "%s JOIN %s ON ", feed_a, rows_b);
			time_condition(&from, j, b->alias, true, ta.data);
			buf_addf(&from, " AND (%s)", rest);
			j->from[0] = buf_take(&from);
			j->where[0] = xstrdup("");
			buf_addf(&from, "%s JOIN %s ON ", rows_a, feed_b);
			time_condition(&from, j, a->alias, false, tb.data);
			buf_addf(&from, " AND (%s)", rest);
			j->from[1] = buf_take(&from);
			j->where[1] = xstrdup("");
			struct buf name = BUF_INIT;
			for (int side = 0; side < 2; side++) {
				if (!(side ? j->right : j->left))
					continue;
				const char *own = side ? b->alias : a->alias, *other = side ? a->alias : b->alias;
				struct buf own_et = BUF_INIT;
				sql_quote_name(&own_et, own);
				buf_adds(&own_et, "._et");
				buf_addf(&from, "%s LEFT JOIN %s ON ", side ? rows_b : rows_a, side ? rows_a : rows_b);
				time_condition(&from, j, other, side == 0, own_et.data);
				buf_addf(&from, " AND (%s)", rest);
				j->from[2 + side] = buf_take(&from);
				buf_clear(&name);
				sql_quote_name(&name, own);
				buf_adds(&name, "._expired = 1 AND ");
				sql_quote_name(&name, other);
				buf_adds(&name, "._et IS NULL");
				j->where[2 + side] = xstrdup(name.data);
				buf_finish(&own_et);
			}
			buf_finish(&name);
			/* The tables behind the two topics: looked up for each pair, and for each row without a partner. */
			for (int i = 0; i < JOIN_PHASES && sel->from_n > 2; i++) {
				if (!j->from[i])
					continue;
				buf_adds(&from, j->from[i]);
				buf_addc(&from, ' ');
				span_add(&from, l->text, (struct span){sel->from[2].whole.from, sel->from_span.to});
				free(j->from[i]);
				j->from[i] = buf_take(&from);
			}
			free(feed_a);
			free(feed_b);
			free(rows_a);
			free(rows_b);
		}
		buf_finish(&from);
		buf_finish(&on);
		buf_finish(&ta);
		buf_finish(&tb);
		join_on_finish(&on_a);
	}
	join_on_finish(&on_b);
	return ok;
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

/* A row of a waits for rows of b up to its time + after; one of b for rows of a up to its time + before. */
static void expire(struct live_join *j, bool side_b)
{
	int64_t w = j->now_ms;
	if (w != TIME_NONE)
		row_store_expire(side_b ? j->b : j->a, w == WATERMARK_END ? w : before(w, side_b ? j->within.before_ms : j->within.after_ms));
}

/* Only behind the last phase: a row that expires now may have had its partner among the oldest of the other side. */
static void forget(struct live_join *j)
{
	int64_t w = live_join_watermark(j);
	if (w == TIME_NONE || w == WATERMARK_END)
		return;
	row_store_forget(j->a, w);
	row_store_forget(j->b, w);
}

bool live_join_next(struct live *l, sqlite3_stmt **ret, struct err *err)
{
	struct live_join *j = l->join;
	*ret = NULL;
	for (;;) {
		switch (++j->phase) {
		case 0: {
			struct seeing s = {l, 1};
			if (l->chunk_loaded && !row_store_load(j->b, see, &s, err))
				return false;
			if (l->chunk_loaded)
				*ret = j->stmts[0];
			break;
		}
		case 1:
			if (l->chunk_loaded)
				*ret = j->stmts[1];
			break;
		case 2: {
			struct seeing s = {l, 0};
			if (l->chunk_loaded && !row_store_load(j->a, see, &s, err))
				return false;
			live_watermark(l);
			j->now_ms = l->ended && !l->chunk_loaded ? WATERMARK_END : l->watermark.value_ms;
			expire(j, false);
			*ret = j->stmts[2];
			break;
		}
		case 3:
			row_store_end_expired(j->a);
			expire(j, true);
			*ret = j->stmts[3];
			break;
		default:
			row_store_end_expired(j->b);
			forget(j);
			j->phase = -1;
			return true;
		}
		if (*ret)
			return true;
	}
}
