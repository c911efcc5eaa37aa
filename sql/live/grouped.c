/* sql/live/grouped.h. The input and the output are prepared before anything is decided: what SQLite refuses in either (a column that is neither grouped nor
 * aggregated) goes back to SQLite as the user wrote it, so nothing is lost but the speed. */
#include "sql/live/grouped.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "sql/live/derived.h"
#include "sql/live/from.h"
#include "sql/live/group_table.h"
#include "sql/memory.h"

/* The item of FROM whose rows have offsets and event time: the windowed one, else the first topic. */
static bool find_stream(struct session *s, const char *text, const struct select *sel, struct from_stream *ret, size_t *ret_item, struct err *err)
{
	*ret = (struct from_stream){0};
	for (size_t i = 0; i < sel->from_n; i++) {
		struct from_stream f;
		if (!from_stream(s, text, sel, i, &f, err)) {
			from_stream_finish(ret);
			return false;
		}
		if (f.stream && (!ret->stream || f.is_window)) {
			from_stream_finish(ret);
			*ret = f;
			*ret_item = i;
		} else {
			from_stream_finish(&f);
		}
	}
	return true;
}

static void free_table(void *data)
{
	group_table_destroy(data);
}

/* True: *ret is the table, out its output's SQL. False: the reason is in err (or it just does not fit: err->id none). */
static bool make_table(struct session *s, const struct group_plan_request *r, struct group_table **ret, struct buf *out, struct err *err)
{
	struct group_plan plan;
	const char *why = NULL;
	struct statement input = {.sql = BUF_INIT, .resolve = true};
	sqlite3_stmt *stmt = NULL;
	size_t used;
	if (!group_plan_make(r, &plan, &why, err))
		return false;
	buf_add(&input.sql, plan.input.data, plan.input.len);
	bool ok = resolve_prepare(s, &input, &stmt, &used, err) && variables_bind(s, stmt, err);
	statement_finish(&input);
	if (!ok) {
		sqlite3_finalize(stmt);
		group_plan_finish(&plan);
		return false;
	}
	struct group_op_options o = {.lateness = false, .memory_max_bytes = memory_limit()};
	if (!group_fill_parse(r->text, r->select, &plan, &o, err)) {
		sqlite3_finalize(stmt);
		group_plan_finish(&plan);
		return false;
	}
	if (!group_table_create(s, &plan, stmt, &o, GROUPS_BOUNDED, ret, err))
		return false;
	group_plan_output(group_table_plan(*ret), group_table_name(*ret), out);
	return true;
}

/* Does SQLite take the output? */
static bool output_prepares(struct session *s, const struct buf *sql, struct err *err)
{
	struct statement st = {.sql = BUF_INIT, .resolve = true};
	sqlite3_stmt *stmt = NULL;
	size_t used;
	buf_add(&st.sql, sql->data, sql->len);
	bool ok = resolve_prepare(s, &st, &stmt, &used, err);
	sqlite3_finalize(stmt);
	statement_finish(&st);
	return ok;
}

static bool try_grouped(struct session *s, const char *text, const struct select *sel, struct statement *st, bool *ret_ours, struct err *err)
{
	struct group_plan_request r = {.text = text, .select = sel, .has_index = true};
	struct from_stream f;
	if (!find_stream(s, text, sel, &f, &r.stream_item, err))
		return false;
	r.event_time = f.event_time;
	for (int pass = 0; f.stream && pass < 2 && !*ret_ours; pass++) {
		struct group_table *table = NULL;
		struct err why = ERR_INIT;
		struct buf out = BUF_INIT;
		r.expand_aliases = pass == 1;
		if (make_table(s, &r, &table, &out, &why) && output_prepares(s, &out, &why)) {
			st->sql = out;
			st->rewritten = true;
			st->resolve = true;
			st->data = table;
			st->free_data = free_table;
			*ret_ours = true;
		} else {
			group_table_destroy(table);
			buf_finish(&out);
		}
		err_clear(&s->catalog->provider.last_error);
		/* Nobody else knows FILL. */
		if (!*ret_ours && pass == 1 && !span_empty(sel->fill_whole)) {
			*err = why;
			from_stream_finish(&f);
			return false;
		}
	}
	from_stream_finish(&f);
	return true;
}

static size_t grace_at(const char *text, size_t len)
{
	struct select sel;
	struct parse p = parse_begin(text, 0, len);
	size_t at = SIZE_MAX;
	if ((!parse_is(&p, "select") && !parse_is(&p, "with")) || !select_parse(text, 0, len, &sel))
		return at;
	p = parse_begin(text, sel.whole.to, len);
	if (parse_is(&p, "grace"))
		at = parse_offset(&p);
	for (size_t i = 0; at == SIZE_MAX && i < sel.from_n; i++) {
		struct window_spec w = {.grace_ms = -1};
		struct span table;
		struct err ignored = ERR_INIT;
		bool is = false;
		if (window_from_call(text, &sel.from[i], &is, &w, &table, &ignored) && is && w.grace_ms >= 0)
			at = len;
		if (is)
			window_spec_finish(&w);
	}
	if (at == SIZE_MAX && !span_empty(sel.ksql_window)) {
		struct window_spec w = {.grace_ms = -1};
		struct err ignored = ERR_INIT;
		if (window_from_ksql(text, sel.ksql_window, &w, &ignored) && w.grace_ms >= 0)
			at = len;
		window_spec_finish(&w);
	}
	select_finish(&sel);
	return at;
}

static bool follows_derived(struct session *s, const char *text, size_t len, size_t *ret, struct err *err)
{
	struct select sel;
	struct parse p = parse_begin(text, 0, len);
	bool ok = true;
	*ret = SIZE_MAX;
	if ((!parse_is(&p, "select") && !parse_is(&p, "with")) || !select_parse(text, 0, len, &sel))
		return true;
	for (size_t i = 0; ok && i < sel.from_n; i++) {
		struct window_spec w = {.grace_ms = -1};
		struct derived *d = NULL;
		struct span table;
		struct err ignored = ERR_INIT;
		bool is = false;
		if (!window_from_call(text, &sel.from[i], &is, &w, &table, &ignored) || !is)
			continue;
		if (window_is_stateful(&w))
			ok = derived_find(s, text, &sel, table, &d, err);
		if (d)
			*ret = len;
		derived_free(d);
		window_spec_finish(&w);
	}
	select_finish(&sel);
	return ok;
}

bool grouped_live_at(struct session *s, const char *text, size_t len, size_t *ret, struct err *err)
{
	struct split sp;
	split_statement(text, len, &sp);
	*ret = sp.emit_at != SIZE_MAX ? sp.emit_at : grace_at(text, len);
	return *ret != SIZE_MAX || follows_derived(s, text, len, ret, err);
}

bool grouped_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct select sel;
	struct parse p = parse_begin(text, 0, len);
	*ret_ours = false;
	if (s->catalog->sqlite_aggregates || (!parse_is(&p, "select") && !parse_is(&p, "with")) || !select_parse(text, 0, len, &sel))
		return true;
	bool ok = true;
	if (sel.group_n > 0 && !sel.compound)
		ok = try_grouped(s, text, &sel, st, ret_ours, err);
	select_finish(&sel);
	return ok;
}
