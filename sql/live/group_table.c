/* sql/live/group_table.h */
#include "sql/live/group_table.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "sql/aggregate/aggregate_sqlite.h"
#include "sql/memory.h"
#include "vtab/sink.h"

struct group_table {
	struct group_tables *tables;
	struct session *s;
	struct group_plan plan;
	struct group_op_options options;
	struct group_op *op;                 /* live: for its whole life; bounded: of the running scan */
	sqlite3_stmt *input;
	bool sinks;                          /* the input may go past SQLite */
	struct row_sink sink;
	enum group_table_use use;
	int number;
	char *name;                          /* temp."weir_groups_1" */
	struct group_table *next;
};

struct group_tables {
	struct session *s;
	struct group_table *list;
	int number;                          /* last one given */
};

struct group_vtab {
	sqlite3_vtab base;
	struct group_table *table;
};

struct group_cursor {
	sqlite3_vtab_cursor base;
	struct group_table *table;
	size_t at;
	struct group_rows rows;              /* of a view's scan */
	struct group_fill *fill;             /* what some of them point at */
};

/* ---- the virtual table ---- */

static int fail(struct group_table *t, sqlite3_vtab *base, const struct err *err)
{
	t->s->catalog->provider.last_error = *err;
	sqlite3_free(base->zErrMsg);
	base->zErrMsg = sqlite3_mprintf("%s", err->msg);
	return err->id == ERR_INTERRUPTED || err->id == ERR_TIMEOUT ? SQLITE_INTERRUPT : SQLITE_ERROR;
}

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	struct group_tables *tables = aux;
	struct group_table *t = tables->list;
	int number = argc > 3 ? atoi(argv[3]) : 0;
	while (t && t->number != number)
		t = t->next;
	if (!t) {
		*ret_text = sqlite3_mprintf("%s belongs to a statement that is over", argv[2]);
		return SQLITE_ERROR;
	}
	struct buf sql = BUF_INIT;
	buf_adds(&sql, "CREATE TABLE x(window_start TIMESTAMP_MS, window_end TIMESTAMP_MS");
	for (size_t i = 0; i < t->plan.key_n; i++) {
		const struct group_key *k = &t->plan.keys[i];
		const char *type = k->kind == GROUP_KEY_COLUMN ? sqlite3_column_decltype(t->input, k->column) : "TIMESTAMP_MS";
		buf_addf(&sql, ", \"" GROUP_KEY_NAME "\" %s", i + 1, type ? type : "");
	}
	for (size_t i = 0; i < t->plan.call_n; i++)
		buf_addf(&sql, ", \"" GROUP_CALL_NAME "\"", i + 1);
	buf_addf(&sql, ", %s HIDDEN)", GROUP_ABSENT_NAME);
	int rc = sqlite3_declare_vtab(db, sql.data);
	buf_finish(&sql);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	struct group_vtab *v = xcalloc(1, sizeof *v);
	v->table = t;
	*ret = &v->base;
	return SQLITE_OK;
}

static int create_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	return connect_table(db, aux, argc, argv, ret, ret_text);
}

static int disconnect_table(sqlite3_vtab *base)
{
	free(base);
	return SQLITE_OK;
}

static bool is_view(const struct group_table *t)
{
	return t->use == GROUPS_VIEW || t->use == GROUPS_FINAL_VIEW;
}

enum { VIEW_BY_KEY = 1, VIEW_BY_START = 2, VIEW_ABSENT = 4 };

/* Views: arguments are the values of all GROUP_KEY_COLUMN keys, in their order, if each is given by an equality (VIEW_BY_KEY), then that of window_start
 * (VIEW_BY_START). SQLite checks both again. */
static void index_view(const struct group_table *t, sqlite3_index_info *info)
{
	int *of_key = xcalloc(t->plan.key_n + 1, sizeof *of_key);    /* constraint + 1 */
	int start = 0, n = 0;
	bool all = true;
	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c = &info->aConstraint[i];
		if (!c->usable || c->op != SQLITE_INDEX_CONSTRAINT_EQ || c->iColumn < 0 || sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") != 0)
			continue;
		size_t k = (size_t)c->iColumn - 2;
		if (c->iColumn == 0 || (c->iColumn >= 2 && k < t->plan.key_n && t->plan.keys[k].kind == GROUP_KEY_WINDOW_START))
			start = i + 1;
		else if (c->iColumn >= 2 && k < t->plan.key_n && t->plan.keys[k].kind == GROUP_KEY_COLUMN)
			of_key[k] = i + 1;
	}
	for (size_t k = 0; k < t->plan.key_n; k++)
		all = all && (t->plan.keys[k].kind != GROUP_KEY_COLUMN || of_key[k]);
	if (all) {
		info->idxNum |= VIEW_BY_KEY;
		for (size_t k = 0; k < t->plan.key_n; k++)
			if (of_key[k])
				info->aConstraintUsage[of_key[k] - 1].argvIndex = ++n;
		info->estimatedCost = t->plan.windowed && !start ? 1e3 : 10;
		info->estimatedRows = t->plan.windowed && !start ? 100 : 1;
	}
	if (start && t->plan.windowed) {
		info->idxNum |= VIEW_BY_START;
		info->aConstraintUsage[start - 1].argvIndex = ++n;
		if (!all)
			info->estimatedCost = 1e4;
	}
	free(of_key);
}

/* The windows without rows: what FILL puts in depends on all rows, so no index is used. */
static bool index_absent(const struct group_table *t, sqlite3_index_info *info)
{
	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c = &info->aConstraint[i];
		if (c->op != SQLITE_INDEX_CONSTRAINT_EQ || (size_t)c->iColumn != 2 + t->plan.key_n + t->plan.call_n)
			continue;
		info->idxNum = VIEW_ABSENT;
		info->aConstraintUsage[i].argvIndex = 1;
		info->aConstraintUsage[i].omit = 1;
		return true;
	}
	return false;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct group_table *t = ((struct group_vtab *)base)->table;
	info->estimatedCost = 1e6;
	info->estimatedRows = 1000;
	if (is_view(t) && !index_absent(t, info) && t->options.fill == FILL_NONE)
		index_view(t, info);
	info->idxStr = sqlite3_mprintf("incremental aggregation of %s%s%s", t->plan.stream ? t->plan.stream : "rows", t->plan.windowed ? " in windows" : "",
		info->idxNum & VIEW_BY_KEY ? ", by key" : "");
	info->needToFreeIdxStr = 1;
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct group_cursor *c = xcalloc(1, sizeof *c);
	c->table = ((struct group_vtab *)base)->table;
	*ret = &c->base;
	return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
	struct group_cursor *c = (struct group_cursor *)base;
	free(c->rows.list);
	group_fill_free(c->fill);
	if (c->table->use == GROUPS_BOUNDED) {
		group_op_destroy(c->table->op);
		c->table->op = NULL;
	}
	free(c);
	return SQLITE_OK;
}

struct row_sink *group_table_sink(struct group_table *t)
{
	return t->sinks ? &t->sink : NULL;
}

struct aggregation {
	struct group_table *table;
	struct agg_value *values;
};

static bool take_fields(void *arg, const struct field *fields, struct err *err)
{
	struct aggregation *a = arg;
	agg_from_fields(fields, a->values, a->table->sink.n);
	return group_op_row(a->table->op, a->values, NULL, NULL, err);
}

/* Runs the input to its end. */
static bool aggregate_all(struct group_table *t, struct err *err)
{
	int n = t->plan.input_column_n, rc = SQLITE_ROW;
	struct agg_value *values = xcalloc((size_t)n + 1, sizeof *values);
	bool ok = true;
	sqlite3_reset(t->input);
	struct aggregation a = {t, values};
	if (t->sinks) {
		t->sink.row = take_fields;
		t->sink.arg = &a;
		row_sink_next(t->s->db, &t->sink);
	}
	while (ok && (rc = sqlite3_step(t->input)) == SQLITE_ROW) {
		agg_from_row(t->input, values, n);
		ok = group_op_row(t->op, values, NULL, NULL, err);
	}
	if (ok && rc != SQLITE_DONE)
		ok = session_sqlite_error(t->s, rc, -1, err);
	row_sink_next(t->s->db, NULL);
	sqlite3_reset(t->input);
	free(values);
	return ok && group_op_advance(t->op, WATERMARK_END, false, err);
}

static void take_row(void *arg, const struct group_row *row)
{
	struct group_cursor *c = arg;
	group_rows_add(&c->rows, row->group, row->window);
}

/* See best_index for the arguments. */
static void scan_view(struct group_cursor *c, int number, sqlite3_value **argv)
{
	const struct group_table *t = c->table;
	struct agg_value *key = NULL;
	int64_t start = 0;
	int at = 0, n = 0;
	bool null = false;
	if (number & VIEW_BY_KEY) {
		key = xcalloc(t->plan.key_n + 1, sizeof *key);
		for (size_t i = 0; i < t->plan.key_n; i++)
			if (t->plan.keys[i].kind == GROUP_KEY_COLUMN) {
				null |= sqlite3_value_type(argv[at]) == SQLITE_NULL;
				agg_from_sqlite(argv[at++], &key[n++]);
			}
	}
	if (number & VIEW_BY_START) {
		null |= sqlite3_value_type(argv[at]) != SQLITE_INTEGER;
		start = sqlite3_value_int64(argv[at]);
	}
	if (!null)
		group_op_visit(t->op, t->use == GROUPS_VIEW, key, number & VIEW_BY_START ? &start : NULL, take_row, c);
	free(key);
}

static int filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv)
{
	struct group_cursor *c = (struct group_cursor *)base;
	struct group_table *t = c->table;
	struct err err = ERR_INIT;
	c->at = 0;
	if (is_view(t)) {
		bool absent = number & VIEW_ABSENT;
		c->rows.n = 0;
		group_fill_free(c->fill);
		c->fill = NULL;
		scan_view(c, number, argv);
		bool ok = (!absent && t->options.fill == FILL_NONE) || group_op_fill(t->op, absent ? FILL_NULL : t->options.fill, t->use == GROUPS_VIEW, absent, &c->rows, &c->fill, &err);
		return ok ? SQLITE_OK : fail(t, base->pVtab, &err);
	}
	if (t->use == GROUPS_LIVE)
		return SQLITE_OK;
	group_op_destroy(t->op);
	t->op = group_op_create(&t->plan, &t->options);
	return aggregate_all(t, &err) ? SQLITE_OK : fail(t, base->pVtab, &err);
}

static int next(sqlite3_vtab_cursor *base)
{
	((struct group_cursor *)base)->at++;
	return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *base)
{
	const struct group_cursor *c = (const struct group_cursor *)base;
	if (is_view(c->table))
		return c->at >= c->rows.n;
	return !c->table->op || c->at >= group_op_ready_n(c->table->op);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int i)
{
	struct group_cursor *c = (struct group_cursor *)base;
	struct group_table *t = c->table;
	const struct group_row *row = is_view(t) ? &c->rows.list[c->at] : group_op_ready(t->op, c->at);
	if (i < 2) {
		struct window_bounds b = group_row_window(row);
		if (t->plan.windowed)
			sqlite3_result_int64(context, i ? b.end_ms : b.start_ms);
		return SQLITE_OK;
	}
	size_t k = (size_t)i - 2;
	if (k < t->plan.key_n) {
		struct agg_value v;
		group_row_key(t->op, row, k, &v);
		agg_to_sqlite(context, &v);
		return SQLITE_OK;
	}
	if (k == t->plan.key_n + t->plan.call_n)
		return SQLITE_OK;
	struct agg_result r;
	struct err err = ERR_INIT;
	if (!group_row_call(t->op, row, k - t->plan.key_n, &r, &err))
		return fail(t, base->pVtab, &err);
	agg_result_to_sqlite(context, &r);
	buf_finish(&r.text);
	return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct group_cursor *)base)->at + 1;
	return SQLITE_OK;
}

static const sqlite3_module methods = {
	.iVersion = 1,
	.xCreate = create_table,
	.xConnect = connect_table,
	.xBestIndex = best_index,
	.xDisconnect = disconnect_table,
	.xDestroy = disconnect_table,
	.xOpen = open_cursor,
	.xClose = close_cursor,
	.xFilter = filter,
	.xNext = next,
	.xEof = eof,
	.xColumn = column,
	.xRowid = rowid,
};

/* ---- their owner ---- */

bool group_tables_create(struct session *s, struct group_tables **ret, struct err *err)
{
	struct group_tables *t = xcalloc(1, sizeof *t);
	t->s = s;
	if (sqlite3_create_module_v2(s->db, "weir_aggregation", &methods, t, NULL) != SQLITE_OK) {
		free(t);
		return err_set(err, ERR_INTERNAL, "the module weir_aggregation cannot be registered: %s", sqlite3_errmsg(s->db));
	}
	*ret = t;
	return true;
}

void group_tables_destroy(struct group_tables *t)
{
	if (!t)
		return;
	while (t->list)
		group_table_destroy(t->list);
	free(t);
}

bool group_table_create(struct session *s, struct group_plan *plan, sqlite3_stmt *input, const struct group_op_options *o, enum group_table_use use, struct group_table **ret, struct err *err)
{
	struct group_tables *tables = s->groups;
	struct group_table *t = xcalloc(1, sizeof *t);
	t->tables = tables;
	t->s = s;
	t->plan = *plan;
	*plan = (struct group_plan){.input = BUF_INIT, .output = BUF_INIT};
	t->options = *o;
	t->input = input;
	t->use = use;
	t->sinks = row_sink_init(&t->sink, input);
	t->number = ++tables->number;
	t->name = xasprintf("temp.\"weir_aggregation_%d\"", t->number);
	t->next = tables->list;
	tables->list = t;
	char *sql = xasprintf("CREATE VIRTUAL TABLE %s USING weir_aggregation(%d)", t->name, t->number);
	bool ok = session_exec(s, sql, err);
	free(sql);
	if (!ok) {
		free(t->name);
		t->name = NULL;
		group_table_destroy(t);
		return false;
	}
	if (use != GROUPS_BOUNDED)
		t->op = group_op_create(&t->plan, &t->options);
	*ret = t;
	return true;
}

void group_table_destroy(struct group_table *t)
{
	if (!t)
		return;
	if (t->name) {
		char *sql = xasprintf("DROP TABLE IF EXISTS %s", t->name);
		struct err ignored = ERR_INIT;
		session_exec(t->s, sql, &ignored);
		free(sql);
	}
	struct group_table **p = &t->tables->list;
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	group_op_destroy(t->op);
	sqlite3_finalize(t->input);
	row_sink_finish(&t->sink);
	group_plan_finish(&t->plan);
	free(t->name);
	free(t);
}

const char *group_table_name(const struct group_table *t)
{
	return t->name;
}

struct group_op *group_table_op(struct group_table *t)
{
	return t->op;
}

const struct group_plan *group_table_plan(const struct group_table *t)
{
	return &t->plan;
}

sqlite3_stmt *group_table_input(struct group_table *t)
{
	return t->input;
}
