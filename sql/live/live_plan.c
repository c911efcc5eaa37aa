/* Choosing a live query's strategy, and its statements. */
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "sql/live/from.h"
#include "sql/live/live_impl.h"
#include "sql/live/live_join.h"
#include "sql/live/matview.h"
#include "sql/memory.h"

enum { STATE_DEFAULT_MAX_BYTES = 1 << 30 };

/* What a phase's FROM and WHERE stand behind, or, for a subquery that joins, in. */
struct phase_head {
	const struct buf *text;
	size_t len;                          /* up to FROM */
	const struct span *subquery;         /* its place in the text; NULL = none */
};
static void phase_sql(struct live *l, const struct select *sel, const struct phase_head *head, int phase, struct buf *to);
static bool prepare_phases(struct live *l, const struct select *sel, const struct phase_head *head, const struct outer *outer, struct err *err);

static bool not_live(struct err *err, const char *why, const char *hint)
{
	err_set(err, ERR_SQL, "this query cannot be kept up to date: %s", why);
	if (hint)
		err_hint(err, "%s", hint);
	return false;
}

static bool not_built(struct err *err, const char *what)
{
	err_set(err, ERR_NOT_BUILT, "%s is not built yet", what);
	err_hint(err, "docs/limits.md lists what is missing");
	return false;
}

/* ---- the streams of FROM ---- */

static char *derived_text(const struct derived *d, const char *feed, bool places)
{
	struct buf b = BUF_INIT;
	derived_sql(d, feed, places, &b);
	return buf_take(&b);
}

/* How the query names the item. */
static char *alias_of(const char *text, const struct from_item *f, struct span table)
{
	char *name = f->alias ? xstrdup(f->alias) : span_column_name(text, table);
	return name ? name : xstrdup("weir_rows");
}

static bool add_stream(struct live *l, const struct select *sel, size_t item, struct from_stream *f, struct derived *derived, struct err *err)
{
	l->streams = xreallocarray(l->streams, l->stream_n + 1, sizeof *l->streams);
	struct live_stream *st = &l->streams[l->stream_n++];
	char *plain = xasprintf("weir_feed_%d", ++l->s->feed_n);
	struct from_stream *topic = derived ? derived_stream(derived) : f;
	*st = (struct live_stream){.item = item, .stream = topic->stream, .derived = derived, .alias = alias_of(l->join_text, &sel->from[item], f->table), .feed_name = xasprintf("temp.\"%s\"", plain)};
	topic->stream = NULL;
	st->table_sql = derived ? derived_text(derived, st->feed_name, false) : xstrdup(st->feed_name);
	st->places_sql = derived ? derived_text(derived, st->feed_name, true) : xstrdup(st->feed_name);
	if (!derived) {
		st->event_time = f->event_time;
		f->event_time = NULL;
	} else if (derived_time(derived) == DERIVED_OWN_TIME) {
		struct buf b = BUF_INIT;
		sql_quote_name(&b, st->alias);
		buf_adds(&b, "._ts");
		st->event_time = buf_take(&b);
	}
	bool ok = feed_table_create(l->s->db, plain, st->stream, &st->feed, err);
	free(plain);
	return ok;
}

static bool add_follow(struct live *l, const char *name, struct err *err)
{
	struct follow *f = NULL;
	if (!vtab_changelog_follow(l->s->db, name, &f, err))
		return false;
	l->follows = xreallocarray(l->follows, l->follow_n + 1, sizeof(struct follow *));
	l->follows[l->follow_n++] = f;
	return true;
}

struct choice {
	bool is_window;
	struct window_spec window;           /* owned */
	struct span table;
};

/* The topics of FROM, or of the FROM of a subquery that joins them. */
static bool take_from(struct live *l, const struct select *sel, struct choice *ret, struct err *err)
{
	struct from_stream item;
	l->join_text = l->text;
	bool subquery = sel->from_n == 1 && (sel->from[0].is_query || sel->from[0].is_call);
	if (subquery && !from_stream(l->s, l->text, sel, 0, &item, err))
		return false;
	if (subquery && !item.stream && (l->joined = joined_find(l->text, sel, item.table))) {
		bool windowed = item.is_window || !span_empty(sel->ksql_window);
		ret->is_window = item.is_window;
		ret->window = item.window;
		ret->table = item.table;
		item.window = (struct window_spec){0};
		l->join_text = l->joined->text;
		sel = &l->joined->select;
		if (windowed && !l->joined->has_time) {
			from_stream_finish(&item);
			return derived_no_time(err);
		}
	}
	if (subquery)
		from_stream_finish(&item);
	for (size_t i = 0; i < sel->from_n; i++) {
		struct from_stream f;
		if (!from_stream(l->s, l->join_text, sel, i, &f, err))
			return false;
		struct derived *derived = NULL;
		bool ok = f.stream || derived_find(l->s, l->join_text, sel, f.table, &derived, err);
		for (size_t k = 0; ok && derived && derived_follow(derived, k); k++)
			ok = add_follow(l, derived_follow(derived, k), err);
		if (f.stream && f.stream->kind == STREAM_CHANGELOG && !f.is_window) {
			ok = add_follow(l, f.name, err);
		} else if (f.stream || derived) {
			if (f.is_window) {
				ret->is_window = true;
				l->timed = l->stream_n;
				ret->window = f.window;
				ret->table = f.table;
				f.window = (struct window_spec){0};
			}
			ok = add_stream(l, sel, i, &f, derived, err) && ok;
		}
		from_stream_finish(&f);
		if (!ok)
			return false;
	}
	for (size_t i = 0; !l->stream_n && i < sel->from_n; i++)
		if (sel->from[i].name && matview_select(l->s, sel->from[i].name))
			return not_live(err, "a materialized view is read as it is now", "SUBSCRIBE TO the view follows its changes");
	if (!l->stream_n)
		return not_live(err, "no topic stands in its FROM", "EMIT follows a topic: SELECT .. FROM \"topic\" .. EMIT CHANGES");
	if (l->stream_n > JOIN_STREAMS_MAX)
		return not_built(err, "a live join of more than 8 topics");
	bool windowed = ret->is_window || !span_empty(sel->ksql_window);
	for (size_t i = 0; i < l->stream_n; i++)
		if (l->streams[i].derived && derived_time(l->streams[i].derived) == DERIVED_NO_TIME && (l->stream_n > 1 || (windowed && !ret->window.ts)))
			return derived_no_time(err);
	return l->stream_n < 2 || live_join_plan(l, sel, err);
}

/* ---- statements ---- */

static bool prepare(struct live *l, const char *sql, size_t len, sqlite3_stmt **ret, struct err *err)
{
	struct statement st = {.sql = BUF_INIT, .resolve = true};
	size_t used;
	buf_add(&st.sql, sql, len);
	bool ok = resolve_prepare(l->s, &st, ret, &used, err) && variables_bind(l->s, *ret, err);
	statement_finish(&st);
	err->sql_offset = -1;                /* the text is ours, not the user's */
	return ok;
}

static void add_sql(struct live *l, const char *sql, size_t len)
{
	if (l->sql.len)
		buf_adds(&l->sql, "; ");
	buf_add(&l->sql, sql, len);
}

/* Event times that are not the records' own need a statement of their own: rows that WHERE drops move the watermark, too. */
static bool prepare_times(struct live *l, const char *window_ts, struct err *err)
{
	struct live_stream *st = &l->streams[0];
	const char *ts = window_ts ? window_ts : st->event_time;
	if (!ts)
		return true;
	struct buf sql = BUF_INIT, alias = BUF_INIT;
	sql_quote_name(&alias, st->alias);
	buf_addf(&sql, "SELECT weir_event_time(%s), %s._partition, %s._offset, %s._index FROM %s AS %s", ts, alias.data, alias.data, alias.data, st->places_sql, alias.data);
	bool ok = prepare(l, sql.data, sql.len, &st->times, err);
	buf_finish(&sql);
	buf_finish(&alias);
	return ok;
}

static void group_options(struct live *l, const struct window_spec *w, struct group_op_options *o)
{
	int64_t grace = l->emit.grace_ms >= 0 ? l->emit.grace_ms : w->grace_ms >= 0 && l->windowed ? w->grace_ms : l->emit.kind == EMIT_FINAL ? 0 : l->emit.kind == EMIT_NONE ? NO_ROW_LATE_MS : EMIT_CHANGES_GRACE_MS;
	int64_t limit = memory_limit();
	if (!l->join)
		l->emit.grace_ms = grace;
	else if (l->emit.grace_ms < 0 && l->windowed)
		l->emit.grace_ms = w->grace_ms;
	o->lateness = true;
	o->grace_ms = grace;
	o->changes = l->emit.kind == EMIT_CHANGES || l->emit.kind == EMIT_EVERY;
	o->memory_max_bytes = limit > 0 ? limit : STATE_DEFAULT_MAX_BYTES;
	o->on_late = live_note_late;
	o->arg = l;
}

/* The input's table is the feed. */
static void over_feed(const struct live *l, const struct group_plan *plan, struct buf *to)
{
	buf_add(to, plan->input.data, plan->stream_span.from);
	buf_adds(to, l->streams[0].table_sql);
	buf_add(to, plan->input.data + plan->stream_span.to, plan->input.len - plan->stream_span.to);
}

/* *ret_ok false without an error: it does not fit, *ret_why says why. */
static bool try_incremental(struct live *l, const struct select *sel, bool expand_aliases, bool *ret_ok, const char **ret_why, struct err *err)
{
	struct live_stream *st = &l->streams[l->timed];
	bool no_places = l->join && (st->derived || l->joined);
	struct group_plan_request r = {.text = l->text, .select = sel, .event_time = l->joined ? NULL : st->event_time, .stream_item = l->joined ? 0 : st->item, .at_elsewhere = !l->join, .want_at = !no_places,
		.expand_aliases = expand_aliases, .has_index = true};
	struct group_plan plan;
	struct group_op_options o = {.fill = FILL_NONE};
	struct buf sql = BUF_INIT;
	*ret_ok = false;
	if (!group_plan_make(&r, &plan, ret_why, err))
		return *ret_why != NULL;
	l->windowed = plan.windowed;
	if (!group_fill_parse(l->text, sel, &plan, &o, err)) {
		group_plan_finish(&plan);
		return false;
	}
	group_options(l, &plan.window, &o);
	if (no_places && plan.at_n == AT_N) {
		group_plan_finish(&plan);
		return not_built(err, "an aggregate or window that follows the order of rows, over a live join with a subquery, WITH table or view,");
	}
	if (l->join && l->windowed && plan.window.ts) {
		group_plan_finish(&plan);
		return not_built(err, "ts => in a window over a live join");
	}
	struct phase_head head = {&plan.input, plan.from_at, l->joined ? &plan.stream_span : NULL};
	if (l->join)                                 /* one more of the first phase, for the types of its columns */
		phase_sql(l, sel, &head, 0, &sql);
	else
		over_feed(l, &plan, &sql);
	bool ok = !l->join || prepare_phases(l, sel, &head, NULL, err);
	ok = ok && prepare(l, sql.data, sql.len, &l->input, err);
	if (!ok) {
		sqlite3_finalize(l->input);
		l->input = NULL;
		group_plan_finish(&plan);
		buf_finish(&sql);
		return false;
	}
	add_sql(l, sql.data, sql.len);
	buf_clear(&sql);
	bool view = l->view;
	o.keep = view;
	o.changes = o.changes && !view;
	if (!group_table_create(l->s, &plan, l->input, &o, !view ? GROUPS_LIVE : l->emit.kind == EMIT_FINAL ? GROUPS_FINAL_VIEW : GROUPS_VIEW, &l->groups, err)) {
		l->input = NULL;
		buf_finish(&sql);
		return false;
	}
	group_plan_output(group_table_plan(l->groups), group_table_name(l->groups), &sql);
	outer_wrap(&l->outer, &sql);
	ok = prepare(l, sql.data, sql.len, &l->output, err);
	if (ok) {
		add_sql(l, sql.data, sql.len);
		*ret_ok = true;
		ok = l->join || prepare_times(l, group_table_plan(l->groups)->window.ts, err);
	}
	buf_finish(&sql);
	return ok;
}

static void drop_incremental(struct live *l)
{
	sqlite3_finalize(l->output);
	l->output = NULL;
	group_table_destroy(l->groups);
	l->groups = NULL;
	l->input = NULL;
	buf_clear(&l->sql);
}

/* SELECT *: in the order of FROM, whichever side leads in a phase. */
static void add_items(const char *text, const struct select *sel, struct buf *to)
{
	buf_adds(to, "SELECT ");
	for (size_t i = 0; i < sel->item_n; i++) {
		char *item = span_text(text, sel->items[i].whole);
		buf_adds(to, i ? ", " : "");
		for (size_t k = 0; strcmp(item, "*") == 0 && k < sel->from_n; k++) {
			buf_adds(to, k ? ", " : "");
			sql_quote_name(to, from_item_alias(&sel->from[k]));
			buf_adds(to, ".*");
		}
		buf_adds(to, strcmp(item, "*") == 0 ? "" : item);
		free(item);
	}
}

/* FROM and WHERE of a phase, with the user's WHERE. */
static void add_phase(const struct live *l, const struct select *sel, int phase, struct buf *to)
{
	const char *where = live_join_where(l->join, phase);
	buf_addf(to, " FROM %s", live_join_from(l->join, phase));
	if (*where)
		buf_addf(to, " WHERE %s", where);
	if (!span_empty(sel->where)) {
		buf_adds(to, *where ? " AND (" : " WHERE (");
		span_add(to, l->join_text, sel->where);
		buf_addc(to, ')');
	}
}

static void phase_sql(struct live *l, const struct select *sel, const struct phase_head *head, int phase, struct buf *to)
{
	if (!head->subquery) {
		buf_add(to, head->text->data, head->len);
		add_phase(l, sel, phase, to);
		return;
	}
	buf_add(to, head->text->data, head->subquery->from);
	buf_addc(to, '(');
	add_items(l->joined->text, &l->joined->select, to);
	add_phase(l, &l->joined->select, phase, to);
	buf_addc(to, ')');
	buf_add(to, head->text->data + head->subquery->to, head->text->len - head->subquery->to);
}

/* One statement for each phase of the join. outer: what goes around each; NULL = nothing. */
static bool prepare_phases(struct live *l, const struct select *sel, const struct phase_head *head, const struct outer *outer, struct err *err)
{
	for (int i = 0; i < JOIN_PHASES; i++) {
		struct buf sql = BUF_INIT;
		sqlite3_stmt *stmt = NULL;
		if (!live_join_from(l->join, i))
			continue;
		phase_sql(l, sel, head, i, &sql);
		if (outer)
			outer_wrap(outer, &sql);
		bool ok = prepare(l, sql.data, sql.len, &stmt, err);
		add_sql(l, sql.data, sql.len);
		buf_finish(&sql);
		live_join_set(l->join, i, stmt);
		if (!ok)
			return false;
	}
	return true;
}

/* The query as it is, over the feed. */
static bool plan_stateless(struct live *l, const struct select *sel, struct err *err)
{
	const struct from_item *f = &sel->from[l->streams[0].item];
	struct buf sql = BUF_INIT;
	if (sel->distinct)
		return not_live(err, "DISTINCT over an endless topic", "over a window it is kept: FROM tumble(t, size => '1m')");
	if (!span_empty(sel->order_by))
		return not_live(err, "ORDER BY over an endless topic", "rows come in the order of the topic; over a window they can be sorted: FROM tumble(t, size => '1m')");
	if (!span_empty(sel->limit)) {
		char *text = span_text(l->text, sel->limit), *end = NULL;
		l->emit.limit = strtoll(text, &end, 10);
		bool number = end != text && !*end;
		free(text);
		if (!number)
			return not_live(err, "a LIMIT that is no number", NULL);
	}
	if (l->joined)
		return not_built(err, "this query around a live join");
	if (l->join) {
		add_items(l->text, sel, &sql);
		struct phase_head head = {&sql, sql.len, NULL};
		bool joined = prepare_phases(l, sel, &head, &l->outer, err);
		buf_finish(&sql);
		l->strategy = LIVE_STATELESS;
		l->why = "pairs within a bound in time";
		l->output = joined ? live_join_first(l->join) : NULL;
		return joined;
	}
	size_t to = span_empty(sel->tail) ? sel->whole.to : sel->tail.from;
	buf_add(&sql, l->text + sel->whole.from, f->table.from - sel->whole.from);
	buf_adds(&sql, l->streams[0].table_sql);
	buf_adds(&sql, " AS ");
	sql_quote_name(&sql, l->streams[0].alias);
	size_t behind = f->alias ? f->alias_span.to : f->table.to;
	if (span_empty(sel->where)) {
		buf_add(&sql, l->text + behind, to - behind);
	} else {
		buf_add(&sql, l->text + behind, sel->where.from - behind);
		span_add_ordered_where(&sql, l->text, sel->where);
		buf_add(&sql, l->text + sel->where.to, to - sel->where.to);
	}
	outer_wrap(&l->outer, &sql);
	bool ok = prepare(l, sql.data, sql.len, &l->output, err);
	add_sql(l, sql.data, sql.len);
	buf_finish(&sql);
	l->strategy = LIVE_STATELESS;
	return ok;
}

static bool choose(struct live *l, const struct select *sel, struct choice *c, struct err *err)
{
	bool fits = false, windowed = c->is_window || !span_empty(sel->ksql_window);
	const char *why = NULL;
	if (sel->compound)
		return not_live(err, "UNION, EXCEPT or INTERSECT", "run a live query for each part");
	bool ok = try_incremental(l, sel, false, &fits, &why, err);
	if (!ok && err->id == ERR_SQL) {
		struct err again = ERR_INIT;
		drop_incremental(l);
		if (try_incremental(l, sel, true, &fits, &why, &again) && fits)
			err_clear(err);
	}
	if (fits) {
		l->strategy = LIVE_INCREMENTAL;
		l->why = "its aggregates have partial states";
		if (l->view && (!span_empty(sel->limit) || l->emit.limit >= 0))
			return not_live(err, "LIMIT in a materialized view", "the query that reads the view may have one");
		if (!l->windowed && l->emit.kind == EMIT_FINAL && l->emit.until.kind == POSITION_NONE && l->s->catalog->provider.until.kind == POSITION_NONE)
			return not_live(err, "EMIT FINAL without a window has no moment at which a group is final", "group by window_start over tumble(..), or EMIT CHANGES, or say UNTIL");
		return true;
	}
	struct err cause = *err;
	drop_incremental(l);
	if (windowed && why && strncmp(why, "a window without", 16) == 0)
		return not_live(err, why, "GROUP BY window_start, ..: each window is a group of its own");
	if (windowed && c->is_window && l->emit.kind == EMIT_NONE && l->emit.grace_ms < 0 && c->window.grace_ms < 0)
		return not_built(err, "a window that follows rows of a view, a WITH table or a subquery, without GROUP BY,");
	if (windowed && c->is_window && l->join)
		return not_built(err, "a window over a live join, without GROUP BY and aggregates,");
	if (windowed && c->is_window) {
		err_clear(err);
		l->why = why ? why : cause.msg[0] ? "its columns are neither grouped nor aggregated" : "it needs all rows of a window";
		return pane_plan(l, l->text, sel, &c->window, c->table, err);
	}
	if (cause.id != ERR_NONE && !ok)
		return false;
	if (why && strcmp(why, "no aggregate") == 0) {
		if (span_has_word(l->text, sel->items_span, "over"))
			return not_live(err, "a window function (OVER) over an endless topic", "over a window it is kept: FROM tumble(t, size => '1m')");
		l->why = "each row stands for itself";
		return plan_stateless(l, sel, err);
	}
	return not_live(err, why ? why : "it does not fit", "over a window any SELECT is kept: FROM tumble(t, size => '1m')");
}

/* ASOF and FOR SYSTEM_TIME AS OF become plain joins; the statement's end moves. */
static bool rewrite_joins(struct live *l, size_t *io_emit_at, struct err *err)
{
	struct buf text = BUF_INIT;
	bool changed = false;
	buf_add(&text, l->text, *io_emit_at);
	bool ok = time_joins_rewrite(l->s, &text, true, &changed, &l->joins, err);
	if (ok && changed) {
		*io_emit_at = text.len;
		free(l->text);
		l->text = buf_take(&text);
	}
	buf_finish(&text);
	return ok;
}

/* A query over a result that is kept up to date: that result's own query is planned, the rest goes around its output. */
static bool unfold(struct live *l, size_t *io_emit_at, struct err *err)
{
	struct buf text = BUF_INIT;
	buf_adds(&text, l->text);
	bool ok = outer_unfold(l->s, &text, io_emit_at, &l->outer, err);
	for (size_t i = 0; ok && i < l->outer.table_n; i++)
		ok = add_follow(l, l->outer.tables[i], err);
	free(l->text);
	l->text = buf_take(&text);
	return ok;
}

bool live_plan(struct live *l, size_t emit_at, struct err *err)
{
	struct select sel;
	struct choice c = {.window = {.grace_ms = -1}};
	if (!emit_parse(l->text, emit_at, strlen(l->text), &l->emit, err))
		return false;
	if (!unfold(l, &emit_at, err))
		return false;
	if (!rewrite_joins(l, &emit_at, err))
		return false;
	bool inlined = joined_inline(&l->text, &emit_at);
	if (!select_parse(l->text, 0, emit_at, &sel))
		return not_live(err, "it is not a SELECT that could be read", NULL);
	if (l->view && l->emit.kind == EMIT_NONE)
		l->emit.kind = EMIT_CHANGES;
	if (l->view && l->emit.from.kind == POSITION_NONE)
		l->emit.from.kind = POSITION_BEGINNING;
	bool ok = !l->outer.before.len || span_empty(sel.limit) || not_live(err, "LIMIT in the view, WITH table or subquery that it reads", "the live query itself may have one");
	ok = ok && take_from(l, &sel, &c, err) && choose(l, &sel, &c, err);
	if (ok) {
		bool bounded = l->emit.until.kind != POSITION_NONE || l->emit.kind == EMIT_NONE || l->s->catalog->provider.until.kind != POSITION_NONE;
		/* A recorded range gives the same rows however fast it is read: silence means nothing in it. */
		int64_t idle = l->emit.idle_ms >= 0 ? l->emit.idle_ms : bounded ? INT64_MAX : EMIT_IDLE_MS;
		if (l->join && l->emit.grace_ms < 0)
			l->emit.grace_ms = live_join_grace(l->join);
		l->join_watermark_ms = TIME_NONE;
		watermark_init(&l->watermark, l->emit.grace_ms, idle, EMIT_SKEW_MS);
	}
	if (l->outer.before.len || inlined || l->joined)
		err->sql_offset = -1;            /* the text is the view's */
	window_spec_finish(&c.window);
	select_finish(&sel);
	return ok;
}
