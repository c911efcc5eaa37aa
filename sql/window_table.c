/* sql/window_table.h */
#include "sql/window_table.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "core/hash.h"
#include "sql/aggregate/aggregate_sqlite.h"
#include "sql/live/group_plan.h"
#include "sql/live/waiting.h"
#include "sql/memory.h"
#include "vtab/table.h"

struct window_table {
	struct session *s;
	struct window_spec spec;
	struct stream *stream;
	char *event_time, *from, *name;
	int number;
	struct window_table *next;
};

struct row {
	uint8_t *data;                       /* of struct waiting_row */
	bool shared;                         /* data belongs to a row in front: the same row in another window */
	struct agg_at at;
	struct window_bounds window;
	uint64_t run;                        /* which window of which tracker: its bounds are known when it closes */
};

struct tracked_cursor {
	sqlite3_vtab_cursor base;
	struct window_table *table;
	struct row *rows;
	size_t n, cap, at;
	struct agg_value *values;            /* of the current row */
	size_t loaded;                       /* row whose values they are, + 1 */
	int value_n;
};

struct tracked_vtab {
	sqlite3_vtab base;
	struct window_table *table;
};

/* Columns: the stream's hidden ones, its payload, window_start, window_end. */
static int column_n(const struct window_table *t)
{
	return HIDDEN_N + (int)t->stream->column_n + 2;
}

static int free_vtab(sqlite3_vtab *base)
{
	free(base);
	return SQLITE_OK;
}

static int tracked_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	struct session *s = aux;
	struct window_table *t = s->window_tables;
	int number = argc > 3 ? atoi(argv[3]) : 0;
	while (t && t->number != number)
		t = t->next;
	if (!t) {
		*ret_text = sqlite3_mprintf("%s belongs to a statement that is over", argv[2]);
		return SQLITE_ERROR;
	}
	struct buf sql = BUF_INIT;
	buf_adds(&sql, "CREATE TABLE x(");
	for (int i = 0; i < HIDDEN_N; i++)
		buf_addf(&sql, "%s %s HIDDEN, ", hidden_names[i], i == HIDDEN_TS || i == HIDDEN_ROWTIME ? "TIMESTAMP_MS" : "");
	for (size_t i = 0; i < t->stream->column_n; i++) {
		sql_quote_name(&sql, t->stream->columns[i].name);
		buf_addf(&sql, " %s, ", column_type_name(t->stream->columns[i].type));
	}
	buf_adds(&sql, "window_start TIMESTAMP_MS, window_end TIMESTAMP_MS)");
	int rc = sqlite3_declare_vtab(db, sql.data);
	buf_finish(&sql);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	struct tracked_vtab *v = xcalloc(1, sizeof *v);
	v->table = t;
	*ret = &v->base;
	return SQLITE_OK;
}

static int tracked_create(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	return tracked_connect(db, aux, argc, argv, ret, ret_text);
}

/* idxStr: colUsed, in hex: only these columns are read. */
static int tracked_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	(void)base;
	info->estimatedCost = 1e7;
	info->estimatedRows = 1000000;
	info->idxStr = sqlite3_mprintf("%llx", (unsigned long long)info->colUsed);
	info->needToFreeIdxStr = 1;
	return SQLITE_OK;
}

static int tracked_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct tracked_cursor *c = xcalloc(1, sizeof *c);
	c->table = ((struct tracked_vtab *)base)->table;
	*ret = &c->base;
	return SQLITE_OK;
}

static void clear_rows(struct tracked_cursor *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->rows[i].shared)
			free(c->rows[i].data);
	c->n = c->at = c->loaded = 0;
}

static int tracked_close(sqlite3_vtab_cursor *base)
{
	struct tracked_cursor *c = (struct tracked_cursor *)base;
	clear_rows(c);
	free(c->rows);
	free(c->values);
	free(c);
	return SQLITE_OK;
}

/* What the trackers need stands in front: event time, place, keys, state, start, end; then the columns that are used. */
struct input {
	int key, key_n, state, start, end, columns, n;
};

static void input_sql(const struct window_table *t, uint64_t used, struct input *in, struct buf *sql)
{
	const struct window_spec *w = &t->spec;
	*in = (struct input){.key = AT_N, .state = -1, .start = -1, .end = -1, .n = AT_N};
	buf_addf(sql, "SELECT weir_event_time(%s), _partition, _offset, _index", t->event_time);
	if (w->key) {
		buf_addf(sql, ", %s", w->key);
		in->key_n = list_length(w->key);
		in->n += in->key_n;
	}
	const struct {
		const char *text;
		int *column;
	} extra[] = {{w->state, &in->state}, {w->start, &in->start}, {w->end, &in->end}};
	for (size_t i = 0; i < sizeof extra / sizeof *extra; i++)
		if (extra[i].text) {
			buf_addf(sql, ", %s", extra[i].text);
			*extra[i].column = in->n++;
		}
	in->columns = in->n;
	for (int i = 0; i < column_n(t) - 2; i++, in->n++) {
		if (!(used >> (i < 63 ? i : 63) & 1)) {
			buf_adds(sql, ", NULL");
		} else if (i < HIDDEN_N) {
			buf_addf(sql, ", %s", hidden_names[i]);
		} else {
			buf_adds(sql, ", ");
			sql_quote_name(sql, t->stream->columns[i - HIDDEN_N].name);
		}
	}
	buf_addf(sql, " FROM %s", t->from);
}

struct run {
	uint64_t hash;
	uint8_t *key;
	size_t key_len;
	struct window_tracker t;
	size_t *rows;                        /* of the open window */
	size_t row_n, row_cap;
	size_t held_from;                    /* rows[held_from ..) are held: whose they are is not decided */
	struct slide {                       /* COUNT with a slide: the open windows, the oldest first */
		size_t *rows;
		int64_t row_n, start_ms;
	} *slides;
	size_t slide_n, slide_cap;
	int64_t seen_n;
};

/* The runs by their keys. */
struct runs {
	struct run *list;
	size_t n, cap;
	size_t *slots;                       /* open addressing: number in the list + 1 */
	size_t slot_n;                       /* a power of two */
};

static struct run *run_of(struct runs *all, const struct buf *key)
{
	uint64_t hash = hash_bytes(key->data, key->len);
	if (all->n * 2 >= all->slot_n) {
		all->slot_n = all->slot_n ? 2 * all->slot_n : 16;
		free(all->slots);
		all->slots = xcalloc(all->slot_n, sizeof *all->slots);
		for (size_t i = 0; i < all->n; i++) {
			size_t at = all->list[i].hash & (all->slot_n - 1);
			while (all->slots[at])
				at = (at + 1) & (all->slot_n - 1);
			all->slots[at] = i + 1;
		}
	}
	size_t at = hash & (all->slot_n - 1);
	for (; all->slots[at]; at = (at + 1) & (all->slot_n - 1)) {
		struct run *r = &all->list[all->slots[at] - 1];
		if (r->hash == hash && r->key_len == key->len && memcmp(r->key, key->data, key->len) == 0)
			return r;
	}
	if (all->n == all->cap) {
		all->cap = all->cap ? 2 * all->cap : 16;
		all->list = xreallocarray(all->list, all->cap, sizeof *all->list);
	}
	struct run *r = &all->list[all->n++];
	all->slots[at] = all->n;
	*r = (struct run){.hash = hash, .key = xmalloc(key->len + 1), .key_len = key->len};
	memcpy(r->key, key->data, key->len);
	return r;
}

static void add_to_run(struct run *r, size_t row)
{
	if (r->row_n == r->row_cap) {
		r->row_cap = r->row_cap ? 2 * r->row_cap : 8;
		r->rows = xreallocarray(r->rows, r->row_cap, sizeof *r->rows);
	}
	r->rows[r->row_n++] = row;
}

/* The window is over: its rows get its bounds, or none. */
static void close_run(struct tracked_cursor *c, struct run *r, struct window_bounds b, bool given_out)
{
	for (size_t i = 0; i < r->row_n; i++) {
		c->rows[r->rows[i]].window = b;
		c->rows[r->rows[i]].run = given_out;
	}
	r->row_n = r->held_from = 0;
}

static size_t add_row(struct tracked_cursor *c, const struct waiting_row *row, bool shared)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->rows = xreallocarray(c->rows, c->cap, sizeof *c->rows);
	}
	c->rows[c->n] = (struct row){.data = row->data, .shared = shared, .at = row->at};
	return c->n++;
}

static void store_row(struct tracked_cursor *c, struct run *r, struct waiting_row *row)
{
	add_to_run(r, add_row(c, row, false));
	row->data = NULL;
}

static void slide_row(struct tracked_cursor *c, struct run *r, struct waiting_row *row)
{
	const struct window_spec *w = &c->table->spec;
	if (r->seen_n++ % w->count_slide_n == 0) {
		if (r->slide_n == r->slide_cap) {
			r->slide_cap = r->slide_cap ? 2 * r->slide_cap : 4;
			r->slides = xreallocarray(r->slides, r->slide_cap, sizeof *r->slides);
		}
		r->slides[r->slide_n++] = (struct slide){NULL, 0, row->at.ts_ms};
	}
	for (size_t i = 0; i < r->slide_n; i++) {
		struct slide *s = &r->slides[i];
		if ((s->row_n & (s->row_n - 1)) == 0)        /* 0, 1, 2, 4 .. of them: full */
			s->rows = xreallocarray(s->rows, s->row_n ? 2 * (size_t)s->row_n : 1, sizeof *s->rows);
		s->rows[s->row_n++] = add_row(c, row, i > 0);
	}
	if (!r->slide_n)
		return;
	row->data = NULL;
	struct slide first = r->slides[0];
	if (first.row_n < w->count_n)
		return;
	for (int64_t i = 0; i < first.row_n; i++) {
		c->rows[first.rows[i]].window = (struct window_bounds){first.start_ms, c->rows[c->n - 1].at.ts_ms};
		c->rows[first.rows[i]].run = 1;
	}
	free(first.rows);
	memmove(r->slides, r->slides + 1, --r->slide_n * sizeof *r->slides);
}

/* The window closes; the held rows go with it, or stay behind for the next one, or are in none. */
static void close_before(struct tracked_cursor *c, struct run *r, unsigned effect, struct window_bounds closed)
{
	size_t held = r->row_n - r->held_from, from = r->held_from;
	size_t *kept = held ? xreallocarray(NULL, held, sizeof *kept) : NULL;
	if (held)
		memcpy(kept, r->rows + from, held * sizeof *kept);
	bool stay = held && !(effect & TRACKER_HELD_BEFORE);
	if (stay)
		r->row_n = from;
	if (effect & TRACKER_CLOSED_BEFORE)
		close_run(c, r, closed, !(effect & TRACKER_SHORT));
	for (size_t i = 0; stay && (effect & TRACKER_HELD_AFTER) && i < held; i++)
		add_to_run(r, kept[i]);
	free(kept);
}

static bool truthy(const struct agg_value *v)
{
	return (v->type == AGG_INTEGER && v->i != 0) || (v->type == AGG_REAL && v->d != 0);
}

/* Rows come in the order of event time. */
static void track_row(struct tracked_cursor *c, const struct input *in, const struct agg_value *values, struct waiting_row *row, struct runs *runs)
{
	struct buf key = BUF_INIT, state = BUF_INIT;
	struct window_bounds closed = {0, 0};
	for (int i = 0; i < in->key_n; i++)
		agg_value_encode(&values[in->key + i], &key);
	struct run *r = run_of(runs, &key);
	struct window_row wr = {.ts_ms = row->at.ts_ms, .start = in->start >= 0 && truthy(&values[in->start]), .end = in->end >= 0 && truthy(&values[in->end])};
	if (in->state >= 0 && values[in->state].type != AGG_NULL) {
		agg_value_encode(&values[in->state], &state);
		wr.state = state.data;
		wr.state_len = state.len;
	}
	bool slides = c->table->spec.kind == WINDOW_COUNT && c->table->spec.count_slide_n;
	unsigned effect = slides ? 0 : tracker_step(&r->t, &c->table->spec, &wr, &closed);
	if (slides) {
		slide_row(c, r, row);
	} else if (effect & TRACKER_HELD) {
		store_row(c, r, row);
	} else {
		if (effect & (TRACKER_CLOSED_BEFORE | TRACKER_HELD_DROP))
			close_before(c, r, effect, closed);
		if (effect & TRACKER_IN)
			store_row(c, r, row);
		r->held_from = r->row_n;
	}
	if (effect & TRACKER_CLOSED_AFTER)
		close_run(c, r, r->t.now, !(effect & TRACKER_SHORT_AFTER));
	buf_finish(&key);
	buf_finish(&state);
}

static bool read_all(struct tracked_cursor *c, uint64_t used, struct err *err)
{
	const struct window_table *t = c->table;
	struct statement st = {.sql = BUF_INIT, .resolve = true};
	struct input in;
	struct waiting waiting = {.rows = NULL};
	struct waiting_row row;
	struct runs runs = {.list = NULL};
	size_t sql_used;
	sqlite3_stmt *stmt = NULL;
	int rc = SQLITE_DONE;
	input_sql(t, used, &in, &st.sql);
	bool ok = resolve_prepare(t->s, &st, &stmt, &sql_used, err) && variables_bind(t->s, stmt, err);
	struct agg_value *values = xcalloc((size_t)in.n + 1, sizeof *values);
	while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		agg_from_row(stmt, values, in.n);
		if (values[AT_TIME].type != AGG_INTEGER)
			continue;                        /* a row without a time is in no window */
		struct agg_at at = {values[AT_TIME].i, values[AT_OFFSET].i, (int32_t)values[AT_PARTITION].i, (int32_t)values[AT_INDEX].i};
		ok = waiting_add(&waiting, &at, values, in.n) || err_set(err, ERR_MEMORY, "out of memory: the rows of %s must be sorted by their time", t->stream->topic);
		if (ok && memory_limit() > 0 && waiting.bytes > memory_limit()) {
			ok = err_set(err, ERR_LIMIT, "the rows of %s that must be sorted by their time take more than %lld MB", t->stream->topic, (long long)(memory_limit() >> 20));
			err_hint(err, "narrow them with WHERE, or SET memory_limit");
		}
	}
	if (ok && rc != SQLITE_DONE)
		ok = session_sqlite_error(t->s, rc, -1, err);
	sqlite3_finalize(stmt);
	statement_finish(&st);
	c->value_n = in.n;
	c->values = xreallocarray(c->values, (size_t)in.n + 1, sizeof *c->values);
	while (ok && waiting_next(&waiting, INT64_MAX, &row)) {
		waiting_values(&row, values, in.n);
		track_row(c, &in, values, &row, &runs);
		free(row.data);
	}
	for (size_t i = 0; i < runs.n; i++) {
		struct run *r = &runs.list[i];
		struct window_bounds b = {0, 0};
		unsigned effect = tracker_advance(&r->t, &t->spec, INT64_MAX, &b);
		close_run(c, r, b, (effect & TRACKER_CLOSED_BEFORE) && !(effect & TRACKER_SHORT));      /* with what is held */
		tracker_finish(&r->t);
		free(r->key);
		free(r->rows);
		for (size_t k = 0; k < r->slide_n; k++)
			free(r->slides[k].rows);
		free(r->slides);
	}
	waiting_finish(&waiting);
	free(runs.list);
	free(runs.slots);
	free(values);
	/* The columns that a statement sees begin here. */
	c->value_n = in.columns;
	return ok;
}

static void skip_unwindowed(struct tracked_cursor *c)
{
	while (c->at < c->n && !c->rows[c->at].run)
		c->at++;
}

static int tracked_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv)
{
	struct tracked_cursor *c = (struct tracked_cursor *)base;
	struct err err = ERR_INIT;
	(void)number, (void)argc, (void)argv;
	clear_rows(c);
	if (!read_all(c, strtoull(text, NULL, 16), &err)) {
		c->table->s->catalog->provider.last_error = err;
		sqlite3_free(base->pVtab->zErrMsg);
		base->pVtab->zErrMsg = sqlite3_mprintf("%s", err.msg);
		return err.id == ERR_INTERRUPTED || err.id == ERR_TIMEOUT ? SQLITE_INTERRUPT : SQLITE_ERROR;
	}
	skip_unwindowed(c);
	return SQLITE_OK;
}

static int tracked_next(sqlite3_vtab_cursor *base)
{
	struct tracked_cursor *c = (struct tracked_cursor *)base;
	c->at++;
	skip_unwindowed(c);
	return SQLITE_OK;
}

static int tracked_eof(sqlite3_vtab_cursor *base)
{
	const struct tracked_cursor *c = (const struct tracked_cursor *)base;
	return c->at >= c->n;
}

static int tracked_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int i)
{
	struct tracked_cursor *c = (struct tracked_cursor *)base;
	const struct row *r = &c->rows[c->at];
	int last = column_n(c->table) - 2;
	if (i >= last) {
		sqlite3_result_int64(context, i == last ? r->window.start_ms : r->window.end_ms);
		return SQLITE_OK;
	}
	if (c->loaded != c->at + 1) {
		struct waiting_row w = {.data = r->data};
		waiting_values(&w, c->values, c->value_n + last);
		c->loaded = c->at + 1;
	}
	agg_to_sqlite(context, &c->values[c->value_n + i]);
	return SQLITE_OK;
}

static int tracked_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct tracked_cursor *)base)->at + 1;
	return SQLITE_OK;
}

static const sqlite3_module tracked_methods = {
	.iVersion = 1, .xCreate = tracked_create, .xConnect = tracked_connect, .xBestIndex = tracked_best_index, .xDisconnect = free_vtab, .xDestroy = free_vtab, .xOpen = tracked_open,
	.xClose = tracked_close, .xFilter = tracked_filter, .xNext = tracked_next, .xEof = tracked_eof, .xColumn = tracked_column, .xRowid = tracked_rowid,
};

bool window_tables_register(struct session *s, struct err *err)
{
	if (sqlite3_create_module_v2(s->db, "weir_windows", &window_grid_module, NULL, NULL) != SQLITE_OK || sqlite3_create_module_v2(s->db, "weir_windowed", &tracked_methods, s, NULL) != SQLITE_OK)
		return err_set(err, ERR_INTERNAL, "the window tables cannot be registered: %s", sqlite3_errmsg(s->db));
	return true;
}

bool window_table_create(struct session *s, const struct stream *stream, struct window_spec *spec, const char *event_time, const char *from, struct window_table **ret, struct err *err)
{
	struct window_table *t = xcalloc(1, sizeof *t);
	t->s = s;
	t->spec = *spec;
	*spec = (struct window_spec){.grace_ms = -1};
	t->stream = stream_copy(stream);
	t->event_time = xstrdup(event_time);
	t->from = xstrdup(from);
	t->number = ++s->feed_n;
	t->next = s->window_tables;
	s->window_tables = t;
	t->name = xasprintf("temp.\"weir_windowed_%d\"", t->number);
	char *sql = xasprintf("CREATE VIRTUAL TABLE %s USING weir_windowed(%d)", t->name, t->number);
	bool ok = session_exec(s, sql, err);
	free(sql);
	if (!ok) {
		free(t->name);
		t->name = NULL;
		window_table_destroy(t);
		return false;
	}
	*ret = t;
	return true;
}

const char *window_table_name(const struct window_table *t)
{
	return t->name;
}

void window_table_destroy(struct window_table *t)
{
	struct err ignored = ERR_INIT;
	if (!t)
		return;
	if (t->name) {
		char *sql = xasprintf("DROP TABLE IF EXISTS %s", t->name);
		session_exec(t->s, sql, &ignored);
		free(sql);
	}
	struct window_table **p = &t->s->window_tables;
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	window_spec_finish(&t->spec);
	stream_destroy(t->stream);
	free(t->event_time);
	free(t->from);
	free(t->name);
	free(t);
}
