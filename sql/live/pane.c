/* Pane queries. The operator of group.c does the windows: its only aggregate collects where the rows of a window are, so lateness, order and the closing
 * of windows are the same as for incremental queries. When a window is given out, its rows go into a second feed, the window's bounds into a table of
 * one row, and the user's SELECT runs over their join. */
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/live/live_impl.h"

/* Live, a batch often holds a record or two in blocks that have room for hundreds. Records that a window keeps are copied out of such batches into dense
 * ones, one that is being filled for each partition. */
struct dense {
	struct batch_pool *pool;
	struct batch **open;                 /* by partition */
	int32_t open_n;
	const struct batch *from;            /* the record copied last: several rows may come of it */
	size_t from_record, record;
	struct batch *batch;
};

struct pane {
	struct dense dense;
	struct feed_table *feed;
	char *feed_name, *bounds_name;
	sqlite3_stmt *set_bounds;
	size_t next;                         /* ready row to run next */
};

/* ---- dense batches ---- */

enum { DENSE_RECORDS = 512, DENSE_BYTES = 64 << 10, DENSE_FREE_MAX = 4 };

static void dense_finish(struct dense *d)
{
	for (int32_t i = 0; i < d->open_n; i++)
		batch_unref(d->open[i]);
	free(d->open);
	batch_pool_unref(d->pool);
}

static bool dense_copy(struct dense *d, struct batch **io, size_t *io_record)
{
	const struct batch *b = *io;
	const struct record *r = &b->records[*io_record];
	const struct record *last = d->batch ? &d->batch->records[d->record] : NULL;
	if (d->from != b || d->from_record != *io_record || d->batch->partition != b->partition || last->offset != r->offset) {
		if (!d->pool)
			d->pool = batch_pool_create(DENSE_RECORDS, DENSE_BYTES, DENSE_FREE_MAX);
		if (b->partition >= d->open_n) {
			d->open = xreallocarray(d->open, (size_t)b->partition + 1, sizeof(struct batch *));
			while (d->open_n <= b->partition)
				d->open[d->open_n++] = NULL;
		}
		struct batch **open = &d->open[b->partition];
		struct bytes headers = bytes_of(r->headers, r->headers ? r->headers_len : 0);
		if (!*open || !batch_add(*open, r, record_key(r), record_value(r), headers)) {
			batch_unref(*open);
			*open = batch_create(d->pool, b->partition, (size_t)r->key_len + r->value_len + r->headers_len);
			if (!*open || !batch_add(*open, r, record_key(r), record_value(r), headers))
				return false;
		}
		d->from = b;
		d->from_record = *io_record;
		d->batch = *open;
		d->record = (*open)->record_n - 1;
	}
	*io = d->batch;
	*io_record = d->record;
	return true;
}

/* ---- the aggregate that collects rows ---- */

struct place {
	struct agg_at at;
	struct batch *batch;
	size_t record;
};

struct places {
	struct place *list;
	size_t n, cap;
};

/* args: the batch's address and the record's number, put there by pane_row. */
static bool places_step(void *state, const struct agg_value *args, int n, const struct agg_at *at, struct agg_memory *memory, struct err *err)
{
	struct places *p = state;
	(void)n, (void)err;
	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 16;
		memory->bytes += (int64_t)((cap - p->cap) * sizeof *p->list);
		p->list = xreallocarray(p->list, cap, sizeof *p->list);
		p->cap = cap;
	}
	struct batch *b = (struct batch *)(intptr_t)args[0].i;
	const struct record *r = &b->records[args[1].i];
	/* Of several rows of one message the record is kept once. */
	if (p->n && p->list[p->n - 1].batch == b && p->list[p->n - 1].record == (size_t)args[1].i)
		return true;
	memory->bytes += r->key_len + r->value_len + r->headers_len;
	p->list[p->n++] = (struct place){*at, batch_ref(b), (size_t)args[1].i};
	return true;
}

static void places_finish(void *state, struct agg_memory *memory)
{
	struct places *p = state;
	for (size_t i = 0; i < p->n; i++) {
		const struct record *r = &p->list[i].batch->records[p->list[i].record];
		memory->bytes -= r->key_len + r->value_len + r->headers_len;
		batch_unref(p->list[i].batch);
	}
	memory->bytes -= (int64_t)(p->cap * sizeof *p->list);
	free(p->list);
	*p = (struct places){0};
}

static bool places_final(const void *state, struct agg_result *ret, struct err *err)
{
	(void)err;
	ret->type = AGG_INTEGER;
	ret->i = (int64_t)(intptr_t)state;
	return true;
}

static const struct aggregate collect = {
	.name = "weir_rows", .args_min = 2, .args_max = 2, .state_size = sizeof(struct places), .step = places_step, .final = places_final, .finish = places_finish, .ordered = true,
};

/* A row that waits for its order outlives its chunk. */
static void pin(void *arg, const struct agg_value *values, bool hold)
{
	const struct live *l = arg;
	struct batch *b = (struct batch *)(intptr_t)values[group_table_plan(l->groups)->calls[0].column].i;
	if (hold)
		batch_ref(b);
	else
		batch_unref(b);
}

/* ---- planning ---- */

static void make_plan(struct live *l, struct window_spec *spec, struct group_plan *p)
{
	*p = (struct group_plan){.windowed = true, .at_n = AT_N, .grouped = true, .state = -1, .start = -1, .end = -1, .input = BUF_INIT, .output = BUF_INIT, .tracker_key = AT_N};
	struct buf alias = BUF_INIT;
	const struct live_stream *st = &l->streams[0];
	p->window = *spec;
	*spec = (struct window_spec){0};
	sql_quote_name(&alias, st->alias);
	const char *ts = p->window.ts ? p->window.ts : st->event_time;
	if (ts)
		buf_addf(&p->input, "SELECT weir_event_time(%s)", ts);
	else
		buf_addf(&p->input, "SELECT %s._ts", alias.data);
	buf_addf(&p->input, ", %s._partition, %s._offset, %s._index", alias.data, alias.data, alias.data);
	int n = AT_N;
	if (p->window.key) {
		buf_addf(&p->input, ", %s", p->window.key);
		p->tracker_key_n = list_length(p->window.key);
		n += p->tracker_key_n;
	}
	const struct {
		const char *text;
		int *column;
	} extra[] = {{p->window.state, &p->state}, {p->window.start, &p->start}, {p->window.end, &p->end}};
	for (size_t i = 0; i < sizeof extra / sizeof *extra; i++)
		if (extra[i].text) {
			buf_addf(&p->input, ", %s", extra[i].text);
			*extra[i].column = n++;
		}
	buf_addf(&p->input, " FROM %s AS %s", st->places_sql, alias.data);
	p->calls = xcalloc(1, sizeof *p->calls);
	p->calls[0] = (struct group_call){.def = &collect, .column = n, .column_n = 2, .filter = -1};
	p->call_n = 1;
	p->input_column_n = n + 2;
	p->stream = xstrdup(st->alias);
	p->stream_alias = xstrdup(st->alias);
	buf_finish(&alias);
}

static bool prepare(struct live *l, const struct buf *sql, sqlite3_stmt **ret, struct err *err)
{
	struct statement st = {.sql = BUF_INIT, .resolve = true};
	size_t used;
	buf_add(&st.sql, sql->data, sql->len);
	bool ok = resolve_prepare(l->s, &st, ret, &used, err) && variables_bind(l->s, *ret, err);
	statement_finish(&st);
	err->sql_offset = -1;
	if (l->sql.len)
		buf_adds(&l->sql, "; ");
	buf_add(&l->sql, sql->data, sql->len);
	return ok;
}

/* The user's SELECT, its window function replaced by the pane's feed and the table of bounds. */
static void add_select(struct live *l, const struct select *sel, struct buf *sql)
{
	const struct from_item *f = &sel->from[l->streams[0].item];
	size_t behind = f->alias ? f->alias_span.to : f->table.to;
	buf_add(sql, l->text + sel->whole.from, f->table.from - sel->whole.from);
	if (l->streams[0].derived)
		derived_sql(l->streams[0].derived, l->pane->feed_name, false, sql);
	else
		buf_adds(sql, l->pane->feed_name);
	buf_adds(sql, " AS ");
	sql_quote_name(sql, l->streams[0].alias);
	buf_addf(sql, " CROSS JOIN %s", l->pane->bounds_name);
	buf_add(sql, l->text + behind, sel->whole.to - behind);
}

bool pane_plan(struct live *l, const char *text, const struct select *sel, struct window_spec *spec, struct span table, struct err *err)
{
	(void)text, (void)table;
	struct pane *p = l->pane = xcalloc(1, sizeof *p);
	struct group_plan plan;
	struct group_op_options o = {.lateness = true, .on_late = live_note_late, .pin = pin, .arg = l, .memory_max_bytes = 1 << 30};
	struct buf sql = BUF_INIT;
	sqlite3_stmt *input = NULL;
	int number = ++l->s->feed_n;
	char *feed = xasprintf("weir_feed_%d", number);
	p->feed_name = xasprintf("temp.\"%s\"", feed);
	p->bounds_name = xasprintf("temp.\"weir_window_%d\"", number);
	l->strategy = LIVE_PANE;
	l->windowed = true;
	l->emit.grace_ms = o.grace_ms = l->emit.grace_ms >= 0 ? l->emit.grace_ms : spec->grace_ms >= 0 ? spec->grace_ms : 0;
	bool ok = feed_table_create(l->s->db, feed, l->streams[0].stream, &p->feed, err);
	free(feed);
	if (ok) {
		buf_addf(&sql, "CREATE TABLE %s(window_start TIMESTAMP_MS, window_end TIMESTAMP_MS); INSERT INTO %s VALUES (0, 0)", p->bounds_name, p->bounds_name);
		ok = session_exec(l->s, sql.data, err);
		buf_clear(&sql);
	}
	make_plan(l, spec, &plan);
	buf_addf(&sql, "UPDATE %s SET window_start = ?1, window_end = ?2", p->bounds_name);
	ok = ok && (sqlite3_prepare_v2(l->s->db, sql.data, -1, &p->set_bounds, NULL) == SQLITE_OK || session_sqlite_error(l->s, SQLITE_ERROR, -1, err));
	ok = ok && prepare(l, &plan.input, &input, err);
	char *ts = plan.window.ts ? xstrdup(plan.window.ts) : NULL;
	if (!ok) {
		sqlite3_finalize(input);
		group_plan_finish(&plan);
	} else {
		ok = group_table_create(l->s, &plan, input, &o, GROUPS_LIVE, &l->groups, err);
		l->input = ok ? input : NULL;
	}
	if (ok) {
		buf_clear(&sql);
		add_select(l, sel, &sql);
		outer_wrap(&l->outer, &sql);
		ok = prepare(l, &sql, &l->output, err);
	}
	const char *event = ts ? ts : l->streams[0].event_time;
	if (ok && event) {
		struct buf times = BUF_INIT, alias = BUF_INIT;
		sql_quote_name(&alias, l->streams[0].alias);
		buf_addf(&times, "SELECT weir_event_time(%s), _partition, _offset, _index FROM %s AS %s", event, l->streams[0].places_sql, alias.data);
		ok = prepare(l, &times, &l->streams[0].times, err);
		buf_finish(&times);
		buf_finish(&alias);
	}
	free(ts);
	buf_finish(&sql);
	return ok;
}

void pane_destroy(struct pane *p)
{
	if (!p)
		return;
	dense_finish(&p->dense);
	sqlite3 *db = p->set_bounds ? sqlite3_db_handle(p->set_bounds) : NULL;
	sqlite3_finalize(p->set_bounds);
	feed_table_destroy(p->feed);
	if (db) {
		char *sql = xasprintf("DROP TABLE IF EXISTS %s", p->bounds_name);
		sqlite3_exec(db, sql, NULL, NULL, NULL);
		free(sql);
	}
	free(p->feed_name);
	free(p->bounds_name);
	free(p);
}

/* ---- running ---- */

bool pane_row(struct live *l, const struct chunk_time *place, struct err *err)
{
	int n = sqlite3_column_count(l->input);
	if (!place)
		return err_set(err, ERR_INTERNAL, "a row of the chunk was not found in it");
	struct batch *b = l->pieces[place->piece].batch;
	size_t record = place->record;
	bool sparse = b->record_n * 4 < b->record_cap && b->block_used * 4 < b->block_cap;
	if (sparse && !dense_copy(&l->pane->dense, &b, &record))
		return err_set(err, ERR_MEMORY, "no memory for the rows of a window");
	l->values[n] = (struct agg_value){.type = AGG_INTEGER, .i = (int64_t)(intptr_t)b};
	l->values[n + 1] = (struct agg_value){.type = AGG_INTEGER, .i = (int64_t)record};
	return true;
}

static int by_at(const void *a, const void *b)
{
	return agg_at_compare(&((const struct place *)a)->at, &((const struct place *)b)->at);
}

bool pane_next(struct live *l, bool *ret_more, struct err *err)
{
	struct group_op *op = group_table_op(l->groups);
	struct pane *p = l->pane;
	*ret_more = false;
	feed_table_clear(p->feed);
	if (p->next >= group_op_ready_n(op)) {
		p->next = 0;
		group_op_clear(op);
		return true;
	}
	const struct group_row *row = group_op_ready(op, p->next++);
	struct agg_result r;
	if (!group_row_call(op, row, 0, &r, err))
		return false;
	struct places *places = (struct places *)(intptr_t)r.i;
	qsort(places->list, places->n, sizeof *places->list, by_at);
	for (size_t i = 0; i < places->n; i++)
		feed_table_add(p->feed, places->list[i].batch, places->list[i].record, places->list[i].record + 1);
	struct window_bounds b = group_row_window(row);
	sqlite3_bind_int64(p->set_bounds, 1, b.start_ms);
	sqlite3_bind_int64(p->set_bounds, 2, b.end_ms);
	int rc = sqlite3_step(p->set_bounds);
	sqlite3_reset(p->set_bounds);
	if (rc != SQLITE_DONE)
		return session_sqlite_error(l->s, rc, -1, err);
	*ret_more = true;
	return true;
}
