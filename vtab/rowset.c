/* vtab/rowset.h. Cells of a row lie one after the other in one array; their bytes in one buffer, so a million rows are a few allocations. */
#include "vtab/rowset.h"

#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/buf.h"
#include "core/utf8.h"

enum cell_type { CELL_NULL, CELL_INT, CELL_REAL, CELL_TEXT, CELL_BLOB };

struct cell {
	enum cell_type type;
	union {
		int64_t i;
		double d;
		size_t at;                   /* TEXT, BLOB: position in bytes */
	} u;
	size_t len;
};

struct rowset {
	int column_n;
	struct cell *cells;
	size_t row_n, row_cap;
	struct buf bytes;
};

void rowset_row(struct rowset *r)
{
	if (r->row_n == r->row_cap) {
		r->row_cap = r->row_cap ? 2 * r->row_cap : 16;
		r->cells = xreallocarray(r->cells, r->row_cap, (size_t)r->column_n * sizeof *r->cells);
	}
	memset(&r->cells[r->row_n++ * (size_t)r->column_n], 0, (size_t)r->column_n * sizeof *r->cells);
}

static struct cell *cell_at(struct rowset *r, int column)
{
	static struct cell nowhere;
	if (r->row_n == 0 || column < 0 || column >= r->column_n)
		return &nowhere;
	return &r->cells[(r->row_n - 1) * (size_t)r->column_n + (size_t)column];
}

void rowset_int(struct rowset *r, int column, int64_t v)
{
	*cell_at(r, column) = (struct cell){.type = CELL_INT, .u.i = v};
}

void rowset_real(struct rowset *r, int column, double v)
{
	*cell_at(r, column) = (struct cell){.type = CELL_REAL, .u.d = v};
}

void rowset_bytes(struct rowset *r, int column, const void *data, size_t len, bool is_text)
{
	*cell_at(r, column) = (struct cell){.type = !data ? CELL_NULL : is_text && utf8_valid(data, len) ? CELL_TEXT : CELL_BLOB, .u.at = r->bytes.len, .len = len};
	if (data)
		buf_add(&r->bytes, data, len);
}

void rowset_text(struct rowset *r, int column, const char *text)
{
	rowset_bytes(r, column, text, text ? strlen(text) : 0, true);
}

/* ---- the module ---- */

struct rowset_module {
	const struct rowset_def *def;
	void *ctx;
	struct err *last_error;
	int column_n;
};

struct rowset_table {
	sqlite3_vtab base;
	struct rowset_module *module;
};

struct rowset_cursor {
	sqlite3_vtab_cursor base;
	struct rowset rows;
	size_t at;
};

static int rowset_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	struct rowset_module *m = aux;
	char *sql = sqlite3_mprintf("CREATE TABLE x(%s)", m->def->columns);
	int rc = sql ? sqlite3_declare_vtab(db, sql) : SQLITE_NOMEM;
	sqlite3_free(sql);
	if (rc != SQLITE_OK) {
		*ret_text = sqlite3_mprintf("%s: %s", m->def->name, sqlite3_errmsg(db));
		return rc;
	}
	sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	struct rowset_table *t = xcalloc(1, sizeof *t);
	t->module = m;
	*ret = &t->base;
	return SQLITE_OK;
}

static int rowset_disconnect(sqlite3_vtab *base)
{
	free(base);
	return SQLITE_OK;
}

/* idxNum bit 0: argument for filter_column, bit 1: for filter_column_2 (after it). Both are rechecked by SQLite. */
static int rowset_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct rowset_def *def = ((struct rowset_table *)base)->module->def;
	const int columns[2] = {def->filter_column, def->filter_column_2};
	int argument_n = 0;
	info->estimatedCost = 100000;
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < info->nConstraint; i++) {
			const struct sqlite3_index_constraint *c = &info->aConstraint[i];
			if (columns[k] < 0 || c->iColumn != columns[k] || c->op != SQLITE_INDEX_CONSTRAINT_EQ || !c->usable || sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") != 0)
				continue;
			info->aConstraintUsage[i].argvIndex = ++argument_n;
			info->idxNum |= 1 << k;
			info->estimatedCost /= 100;
			break;
		}
	}
	info->estimatedRows = 1000 / (1 + 9 * argument_n);
	return SQLITE_OK;
}

static int rowset_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct rowset_cursor *c = xcalloc(1, sizeof *c);
	buf_init(&c->rows.bytes);
	c->rows.column_n = ((struct rowset_table *)base)->module->column_n;
	*ret = &c->base;
	return SQLITE_OK;
}

static int rowset_close(sqlite3_vtab_cursor *base)
{
	struct rowset_cursor *c = (struct rowset_cursor *)base;
	free(c->rows.cells);
	buf_finish(&c->rows.bytes);
	free(c);
	return SQLITE_OK;
}

static int rowset_filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv)
{
	struct rowset_cursor *c = (struct rowset_cursor *)base;
	struct rowset_module *m = ((struct rowset_table *)base->pVtab)->module;
	const char *filters[2] = {NULL, NULL};
	int used = 0;
	c->rows.row_n = 0;
	c->at = 0;
	buf_clear(&c->rows.bytes);
	for (int k = 0; k < 2; k++) {
		if (!(number >> k & 1) || used >= argc)
			continue;
		sqlite3_value *v = argv[used++];
		if (sqlite3_value_type(v) == SQLITE_NULL)
			return SQLITE_OK;    /* = NULL is never true */
		if (sqlite3_value_type(v) == SQLITE_TEXT)
			filters[k] = (const char *)sqlite3_value_text(v);
	}
	struct err err = ERR_INIT;
	if (m->def->fill(m->ctx, filters[0], filters[1], &c->rows, &err))
		return SQLITE_OK;
	c->rows.row_n = 0;
	if (m->last_error)
		*m->last_error = err;
	sqlite3_free(base->pVtab->zErrMsg);
	base->pVtab->zErrMsg = sqlite3_mprintf("%s", err.msg);
	return err.id == ERR_INTERRUPTED || err.id == ERR_TIMEOUT ? SQLITE_INTERRUPT : SQLITE_ERROR;
}

static int rowset_next(sqlite3_vtab_cursor *base)
{
	((struct rowset_cursor *)base)->at++;
	return SQLITE_OK;
}

static int rowset_eof(sqlite3_vtab_cursor *base)
{
	const struct rowset_cursor *c = (const struct rowset_cursor *)base;
	return c->at >= c->rows.row_n;
}

static int rowset_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	const struct rowset_cursor *c = (const struct rowset_cursor *)base;
	const struct cell *cell = &c->rows.cells[c->at * (size_t)c->rows.column_n + (size_t)column];
	const char *data = c->rows.bytes.data + cell->u.at;
	switch (cell->type) {
	case CELL_NULL:
		break;
	case CELL_INT:
		sqlite3_result_int64(context, cell->u.i);
		break;
	case CELL_REAL:
		sqlite3_result_double(context, cell->u.d);
		break;
	case CELL_TEXT:
		sqlite3_result_text64(context, data, cell->len, SQLITE_TRANSIENT, SQLITE_UTF8);
		break;
	case CELL_BLOB:
		sqlite3_result_blob64(context, data, cell->len, SQLITE_TRANSIENT);
		break;
	}
	return SQLITE_OK;
}

static int rowset_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct rowset_cursor *)base)->at + 1;
	return SQLITE_OK;
}

/* xCreate NULL: the table exists by its name in every schema and cannot be created. */
static const sqlite3_module methods = {
	.iVersion = 1,
	.xConnect = rowset_connect,
	.xBestIndex = rowset_best_index,
	.xDisconnect = rowset_disconnect,
	.xOpen = rowset_open,
	.xClose = rowset_close,
	.xFilter = rowset_filter,
	.xNext = rowset_next,
	.xEof = rowset_eof,
	.xColumn = rowset_column,
	.xRowid = rowset_rowid,
};

/* Columns = commas outside parentheses and quotes, plus one. */
static int count_columns(const char *text)
{
	int n = 1, depth = 0;
	char quote = '\0';
	for (; *text; text++) {
		if (quote)
			quote = *text == quote ? '\0' : quote;
		else if (*text == '"' || *text == '\'')
			quote = *text;
		else if (*text == '(' || *text == ')')
			depth += *text == '(' ? 1 : -1;
		else if (*text == ',' && depth == 0)
			n++;
	}
	return n;
}

bool rowset_register(sqlite3 *db, const struct rowset_def *def, void *ctx, struct err *last_error, struct err *err)
{
	struct rowset_module *m = xcalloc(1, sizeof *m);
	*m = (struct rowset_module){def, ctx, last_error, count_columns(def->columns)};
	if (sqlite3_create_module_v2(db, def->name, &methods, m, free) != SQLITE_OK)
		return err_set(err, ERR_INTERNAL, "the table %s cannot be registered: %s", def->name, sqlite3_errmsg(db));
	return true;
}
