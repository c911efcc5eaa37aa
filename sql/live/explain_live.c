/* EXPLAIN of a live query says which strategy runs it, why, and what it holds; EXPLAIN [QUERY PLAN] of a bounded GROUP BY shows the plan that will run. */
#include <stdlib.h>
#include "core/time.h"
#include "sql/dialect.h"
#include "sql/literal.h"
#include "sql/live/grouped.h"
#include "sql/live/live.h"

static void add(struct literal *l, const char *what, const char *value)
{
	literal_row(l);
	literal_text(l, what);
	literal_text(l, value);
}

static void add_duration(struct literal *l, const char *what, int64_t ms)
{
	char text[TIME_TEXT_MAX];
	time_format_duration(ms, text);
	add(l, what, text);
}

static void explain_live(struct live *live, struct buf *to)
{
	static const char *const columns[] = {"what", "value", NULL};
	static const char *const strategies[] = {"stateless", "incremental", "pane"};
	static const char *const emits[] = {"windows when they close, the others at the end", "each change", "windows when they close", "what changed, at intervals"};
	struct live_status st;
	struct literal l = literal_begin(columns);
	live_status(live, &st);
	bool bounded = st.emit.kind == EMIT_NONE;
	add(&l, "strategy", strategies[st.strategy]);
	add(&l, "why", st.why);
	add(&l, "state", st.state);
	add(&l, "gives out", emits[st.emit.kind]);
	if (st.emit.kind == EMIT_EVERY)
		add_duration(&l, "interval", st.emit.every_ms);
	if (st.windowed) {
		add(&l, "event time", st.event_time);
		if (st.emit.grace_ms == NO_ROW_LATE_MS)
			add(&l, "grace", "none is needed: every row counts");
		else
			add_duration(&l, "grace", st.emit.grace_ms);
		if (st.idle_ms == INT64_MAX)
			add(&l, "idle partitions", "a recorded range: none is idle");
		else
			add_duration(&l, "idle partitions after", st.idle_ms);
	}
	add(&l, "from", st.emit.from.text ? st.emit.from.text : bounded || st.emit.from.kind == POSITION_BEGINNING ? "beginning" : "now");
	add(&l, "until", st.emit.until.text ? st.emit.until.text : bounded ? "end" : "stopped");
	add(&l, "SQL", live_sql(live));
	literal_finish(&l, to);
}

bool explain_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	size_t live_at;
	parse_word(&p, "explain");
	bool plan = parse_words(&p, "query plan");
	size_t from = parse_offset(&p);
	*ret_ours = false;
	if (!grouped_live_at(s, text + from, len - from, &live_at, err))
		return false;
	if (live_at != SIZE_MAX) {
		struct live *live = NULL;
		*ret_ours = true;
		if (!live_create(s, text + from, len - from, live_at, &live, err)) {
			if (err->sql_offset >= 0)
				err->sql_offset += (int)from;
			return false;
		}
		explain_live(live, &st->sql);
		live_destroy(live);
		st->rewritten = true;
		return true;
	}
	if (!grouped_statement(s, text + from, len - from, st, ret_ours, err))
		return false;
	if (*ret_ours) {
		struct buf sql = BUF_INIT;
		buf_adds(&sql, plan ? "EXPLAIN QUERY PLAN " : "EXPLAIN ");
		buf_add(&sql, st->sql.data, st->sql.len);
		buf_finish(&st->sql);
		st->sql = sql;
	}
	return true;
}
