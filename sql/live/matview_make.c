/* sql/live/matview_impl.h: what stands behind a view's name, and its late rows. */
#include "sql/live/matview_impl.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "sql/live/live_impl.h"

void matview_unmake(struct session *s, struct matview *v)
{
	struct err ignored = ERR_INIT;
	sqlite3_finalize(v->insert);
	sqlite3_finalize(v->late_insert);
	v->insert = v->late_insert = NULL;
	if (v->object)
		session_exec(s, v->object, &ignored);
	free(v->object);
	v->object = NULL;
	live_destroy(v->live);
	v->live = NULL;
	feed_table_destroy(v->late_feed);
	v->late_feed = NULL;
	if (v->late_table) {
		char *sql = xasprintf("DROP TABLE IF EXISTS %s", v->late_table);
		session_exec(s, sql, &ignored);
		free(sql);
	}
	free(v->late_table);
	free(v->table);
	v->late_table = v->table = NULL;
}

static bool prepare(struct session *s, const char *sql, sqlite3_stmt **ret, struct err *err)
{
	int rc = sqlite3_prepare_v2(s->db, sql, -1, ret, NULL);
	return rc == SQLITE_OK || session_sqlite_error(s, rc, -1, err);
}

static bool make_table(struct session *s, struct matview *v, struct err *err)
{
	sqlite3_stmt *out = live_stmt(v->live);
	struct buf sql = BUF_INIT, name = BUF_INIT, insert = BUF_INIT;
	int n = sqlite3_column_count(out);
	sql_quote_name(&name, v->name);
	v->table = xasprintf("temp.%s", name.data);
	buf_addf(&sql, "CREATE TABLE %s(", v->table);
	buf_addf(&insert, "INSERT INTO %s VALUES (", v->table);
	for (int i = 0; i < n; i++) {
		const char *type = sqlite3_column_decltype(out, i);
		buf_adds(&sql, i ? ", " : "");
		sql_quote_name(&sql, sqlite3_column_name(out, i));
		buf_addf(&sql, " %s", type ? type : "");
		buf_adds(&insert, i ? ", ?" : "?");
	}
	buf_addc(&sql, ')');
	buf_addc(&insert, ')');
	bool ok = session_exec(s, sql.data, err);
	if (ok) {
		v->object = xasprintf("DROP TABLE IF EXISTS %s", v->table);
		ok = prepare(s, insert.data, &v->insert, err);
	}
	buf_finish(&sql);
	buf_finish(&name);
	buf_finish(&insert);
	return ok;
}

static bool make_view(struct session *s, struct matview *v, struct err *err)
{
	struct buf sql = BUF_INIT, name = BUF_INIT, output = BUF_INIT;
	sql_quote_name(&name, v->name);
	group_plan_output(group_table_plan(v->live->groups), group_table_name(v->live->groups), &output);
	outer_wrap(&v->live->outer, &output);
	buf_addf(&sql, "CREATE TEMP VIEW %s AS %s", name.data, output.data);
	bool ok = session_exec(s, sql.data, err);
	if (ok)
		v->object = xasprintf("DROP VIEW IF EXISTS temp.%s", name.data);
	buf_finish(&sql);
	buf_finish(&name);
	buf_finish(&output);
	return ok;
}

static void on_late(void *arg, struct live *l);

static bool make_late(struct session *s, struct matview *v, struct err *err)
{
	static const char hidden[] = "_topic, _partition, _offset, _ts, _key, _value, _headers, _index, _error";
	struct buf sql = BUF_INIT;
	char *feed = xasprintf("weir_feed_%d", ++s->feed_n), *late = xasprintf("weir_late_%s", v->name);
	buf_adds(&sql, "temp.");
	sql_quote_name(&sql, late);
	v->late_table = buf_take(&sql);
	bool ok = feed_table_create(s->db, feed, v->live->streams[0].stream, &v->late_feed, err);
	if (ok) {
		buf_addf(&sql, "CREATE TABLE %s AS SELECT CAST(NULL AS TIMESTAMP_MS) AS window_start, CAST(NULL AS TIMESTAMP_MS) AS window_end, '' AS late_reason, *, %s FROM temp.\"%s\" WHERE 0", v->late_table,
			hidden, feed);
		ok = session_exec(s, sql.data, err);
		buf_clear(&sql);
	}
	if (ok) {
		buf_addf(&sql, "INSERT INTO %s SELECT ?1, ?2, ?3, *, %s FROM temp.\"%s\" WHERE _index = ?4", v->late_table, hidden, feed);
		ok = prepare(s, sql.data, &v->late_insert, err);
	}
	v->live->on_late = on_late;
	v->live->on_late_arg = v;
	buf_finish(&sql);
	free(feed);
	free(late);
	return ok;
}

static const struct record *find_record(const struct live *l, const struct agg_at *at, struct chunk_piece *ret)
{
	for (size_t i = 0; i < l->piece_n; i++) {
		const struct chunk_piece *p = &l->pieces[i];
		if (p->batch->partition != at->partition)
			continue;
		size_t lo = p->from, hi = p->to;
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;
			if (p->batch->records[mid].offset < at->offset)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo < p->to && p->batch->records[lo].offset == at->offset) {
			*ret = (struct chunk_piece){p->batch, lo, lo + 1};
			return &p->batch->records[lo];
		}
	}
	return NULL;
}

/* A late row, with its window and the reason, becomes a row of late(v). */
static void on_late(void *arg, struct live *l)
{
	static const char *const reasons[] = {[LATE_LATE] = "late", [LATE_IDLE] = "idle", [LATE_NO_TIME] = "no time"};
	struct matview *v = arg;
	for (size_t i = 0; i < l->late_n; i++) {
		const struct late_row *r = &l->late[i];
		struct chunk_piece piece;
		if (!find_record(l, &r->at, &piece))
			continue;
		feed_table_clear(v->late_feed);
		feed_table_add(v->late_feed, piece.batch, piece.from, piece.to);
		sqlite3_clear_bindings(v->late_insert);
		if (r->reason != LATE_NO_TIME) {
			sqlite3_bind_int64(v->late_insert, 1, r->window.start_ms);
			sqlite3_bind_int64(v->late_insert, 2, r->window.end_ms);
		}
		sqlite3_bind_text(v->late_insert, 3, reasons[r->reason], -1, SQLITE_STATIC);
		sqlite3_bind_int(v->late_insert, 4, r->at.index);
		sqlite3_step(v->late_insert);
		sqlite3_reset(v->late_insert);
	}
	feed_table_clear(v->late_feed);
}

bool matview_make(struct session *s, struct matview *v, struct err *err)
{
	struct split sp;
	split_statement(v->text, strlen(v->text), &sp);
	size_t emit_at = sp.emit_at == SIZE_MAX ? strlen(v->text) : sp.emit_at;
	bool ok = live_create_view(s, v->text, strlen(v->text), emit_at, &v->live, err);
	ok = ok && (v->live->strategy == LIVE_INCREMENTAL ? make_view(s, v, err) : make_table(s, v, err));
	ok = ok && (!v->live->windowed || make_late(s, v, err));
	if (!ok)
		matview_unmake(s, v);
	return ok;
}

/* late(v): a table of its own. absent(v): the rows that FILL (NULL) would put into v. */
bool matview_add_function(struct matview *v, bool late, struct buf *to, struct err *err)
{
	if (late && !v->late_table)
		return err_set(err, ERR_SQL, "%s has no windows, so no row of it can be late", v->name);
	if (late) {
		buf_adds(to, v->late_table);
		return true;
	}
	struct group_table *t = v->live->groups;
	if (!t || !group_plan_can_fill(group_table_plan(t)))
		return err_set(err, ERR_SQL, "%s has no tumbling or hopping windows of groups, so none of them can be absent", v->name);
	const struct group_plan *p = group_table_plan(t);
	struct buf output = BUF_INIT;
	buf_add(&output, p->output.data, p->output_table_at);
	buf_addf(&output, "%s WHERE %s = 1", group_table_name(t), GROUP_ABSENT_NAME);
	outer_wrap(&v->live->outer, &output);
	buf_addf(to, "(%s)", output.data);
	buf_finish(&output);
	return true;
}
