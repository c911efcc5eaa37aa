/* weir_windows(window, ts): the grid windows that hold ts, as a table-valued function. */
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "sql/window_table.h"

struct grid_cursor {
	sqlite3_vtab_cursor base;
	char *text;                          /* of spec */
	struct window_spec spec;
	struct window_bounds *bounds;
	size_t n, at;
};

enum { GRID_START, GRID_END, GRID_WINDOW, GRID_TS };

static int grid_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **ret_text)
{
	(void)aux, (void)argc, (void)argv, (void)ret_text;
	int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(window_start TIMESTAMP_MS, window_end TIMESTAMP_MS, \"window\" HIDDEN, ts HIDDEN)");
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
	*ret = xcalloc(1, sizeof **ret);
	return SQLITE_OK;
}

static int free_vtab(sqlite3_vtab *base)
{
	free(base);
	return SQLITE_OK;
}

/* Both arguments are needed: without them there is no plan. */
static int grid_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	int of[2] = {-1, -1};
	(void)base;
	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c = &info->aConstraint[i];
		if (c->op == SQLITE_INDEX_CONSTRAINT_EQ && c->usable && (c->iColumn == GRID_WINDOW || c->iColumn == GRID_TS))
			of[c->iColumn - GRID_WINDOW] = i;
	}
	if (of[0] < 0 || of[1] < 0)
		return SQLITE_CONSTRAINT;
	for (int i = 0; i < 2; i++) {
		info->aConstraintUsage[of[i]].argvIndex = i + 1;
		info->aConstraintUsage[of[i]].omit = 1;
	}
	info->estimatedCost = 1;
	info->estimatedRows = 1;
	return SQLITE_OK;
}

static int grid_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct grid_cursor *c = xcalloc(1, sizeof *c);
	(void)base;
	*ret = &c->base;
	return SQLITE_OK;
}

static int grid_close(sqlite3_vtab_cursor *base)
{
	struct grid_cursor *c = (struct grid_cursor *)base;
	window_spec_finish(&c->spec);
	free(c->text);
	free(c->bounds);
	free(c);
	return SQLITE_OK;
}

static int grid_filter(sqlite3_vtab_cursor *base, int number, const char *plan, int argc, sqlite3_value **argv)
{
	struct grid_cursor *c = (struct grid_cursor *)base;
	const char *text = (const char *)sqlite3_value_text(argv[0]);
	(void)number, (void)plan, (void)argc;
	c->n = c->at = 0;
	if (!text || sqlite3_value_type(argv[1]) != SQLITE_INTEGER)
		return SQLITE_OK;
	if (!c->text || strcmp(c->text, text) != 0) {
		struct err err = ERR_INIT;
		window_spec_finish(&c->spec);
		free(c->text);
		c->text = NULL;
		if (!window_from_text(text, &c->spec, &err)) {
			base->pVtab->zErrMsg = sqlite3_mprintf("%s", err.msg);
			return SQLITE_ERROR;
		}
		c->text = xstrdup(text);
		c->bounds = xreallocarray(c->bounds, window_assign_max(&c->spec) + 1, sizeof *c->bounds);
	}
	c->n = window_assign_max(&c->spec);
	window_assign(&c->spec, sqlite3_value_int64(argv[1]), c->bounds, &c->n);
	return SQLITE_OK;
}

static int grid_next(sqlite3_vtab_cursor *base)
{
	((struct grid_cursor *)base)->at++;
	return SQLITE_OK;
}

static int grid_eof(sqlite3_vtab_cursor *base)
{
	const struct grid_cursor *c = (const struct grid_cursor *)base;
	return c->at >= c->n;
}

static int grid_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int i)
{
	const struct grid_cursor *c = (const struct grid_cursor *)base;
	if (i == GRID_START || i == GRID_END)
		sqlite3_result_int64(context, i == GRID_START ? c->bounds[c->at].start_ms : c->bounds[c->at].end_ms);
	return SQLITE_OK;
}

static int grid_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)((struct grid_cursor *)base)->at;
	return SQLITE_OK;
}

const sqlite3_module window_grid_module = {
	.iVersion = 1, .xConnect = grid_connect, .xBestIndex = grid_best_index, .xDisconnect = free_vtab, .xOpen = grid_open, .xClose = grid_close, .xFilter = grid_filter, .xNext = grid_next,
	.xEof = grid_eof, .xColumn = grid_column, .xRowid = grid_rowid,
};
