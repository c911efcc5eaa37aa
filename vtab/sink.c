/* vtab/sink.h, and the cursor's side of it */
#include "vtab/sink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"
#include "core/utf8.h"
#include "vtab/cursor.h"

/* The program that SQLite made of the statement tells for certain: one virtual table, no condition, no order, no expression. */
static bool is_scan(sqlite3_stmt *stmt)
{
	static const char *const harmless[] = {"Init", "Goto", "Transaction", "Integer", "VFilter", "VColumn", "ResultRow", "VNext", "Halt", "Noop", "Explain"};
	sqlite3_stmt *program = NULL;
	char *sql = sqlite3_mprintf("EXPLAIN %s", sqlite3_sql(stmt));
	int opened = 0;
	bool ok = sqlite3_prepare_v2(sqlite3_db_handle(stmt), sql, -1, &program, NULL) == SQLITE_OK;
	while (ok && sqlite3_step(program) == SQLITE_ROW) {
		const char *op = (const char *)sqlite3_column_text(program, 1);
		if (strcmp(op, "VOpen") == 0) {
			opened++;
			continue;
		}
		ok = false;
		for (size_t i = 0; i < sizeof harmless / sizeof *harmless && !ok; i++)
			ok = strcmp(op, harmless[i]) == 0;
	}
	sqlite3_finalize(program);
	sqlite3_free(sql);
	return ok && opened == 1;
}

bool row_sink_init(struct row_sink *sink, sqlite3_stmt *stmt)
{
	*sink = (struct row_sink){.n = sqlite3_column_count(stmt)};
	if (!is_scan(stmt))
		return false;
	sink->names = xcalloc((size_t)sink->n + 1, sizeof *sink->names);
	sink->columns = xcalloc((size_t)sink->n + 1, sizeof *sink->columns);
	sink->fields = xcalloc((size_t)sink->n + 1, sizeof *sink->fields);
	for (int i = 0; i < sink->n; i++) {
		const char *name = sqlite3_column_origin_name(stmt, i);
		if (!name) {
			row_sink_finish(sink);
			return false;
		}
		sink->names[i] = xstrdup(name);
	}
	return true;
}

void row_sink_finish(struct row_sink *sink)
{
	for (int i = 0; sink->names && i < sink->n; i++)
		free(sink->names[i]);
	free(sink->names);
	free(sink->columns);
	free(sink->fields);
	*sink = (struct row_sink){0};
}

void row_sink_next(sqlite3 *db, struct row_sink *sink)
{
	struct module *m = module_of(db);
	if (m)
		m->sink = sink;
}

static int find_column(const struct table *t, const char *name)
{
	static const int hidden[] = {HIDDEN_PARTITION, HIDDEN_OFFSET, HIDDEN_TS, HIDDEN_KEY, HIDDEN_SIZE, HIDDEN_INDEX, HIDDEN_ROWTIME, HIDDEN_ROWPARTITION, HIDDEN_ROWOFFSET};
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (strcasecmp(hidden_names[hidden[i]], name) == 0)
			return hidden[i];
	for (size_t i = 0; i < t->stream->column_n; i++)
		if (strcasecmp(t->stream->columns[i].name, name) == 0)
			return HIDDEN_N + (int)i;
	return -1;
}

bool sink_fits(struct row_sink *sink, const struct table *t)
{
	if (sink->table == t)
		return true;
	sink->table = NULL;
	for (int i = 0; i < sink->n; i++) {
		sink->columns[i] = find_column(t, sink->names[i]);
		if (sink->columns[i] < 0)
			return false;
	}
	sink->table = t;
	return true;
}

static struct field integer(int64_t v)
{
	return (struct field){.type = FIELD_INTEGER, .u.i = v};
}

static struct field text_or_blob(const uint8_t *data, size_t len)
{
	if (!data)
		return (struct field){.type = FIELD_NULL};
	return (struct field){.type = utf8_valid(data, len) ? FIELD_TEXT : FIELD_BLOB, .bytes = bytes_of(data, len)};
}

/* As columns.c gives them to SQLite. */
static struct field hidden_field(const struct cursor *c, int column)
{
	const struct record *r = c->record;
	switch (plan_alias(column)) {
	case HIDDEN_PARTITION:
		return integer(c->partition);
	case HIDDEN_OFFSET:
		return integer(r->offset);
	case HIDDEN_TS:
		return r->ts_ms == TIME_NONE ? (struct field){.type = FIELD_NULL} : integer(r->ts_ms);
	case HIDDEN_KEY:
		return text_or_blob(r->key, r->key_len);
	case HIDDEN_SIZE:
		return integer((int64_t)r->size - r->headers_len);
	default:
		return integer((int64_t)c->row);
	}
}

bool sink_row(struct row_sink *sink, struct cursor *c, struct err *err)
{
	for (int i = 0; i < sink->n; i++) {
		int column = sink->columns[i];
		if (column < HIDDEN_N) {
			sink->fields[i] = hidden_field(c, column);
			continue;
		}
		size_t k = payload_column(column);
		if ((!c->payload || !c->wanted[k]) && !cursor_widen(c, err))
			return false;
		decoder_field(c->decoder, c->row, k, &sink->fields[i]);
		c->decoded = true;
		if (sink->fields[i].type == FIELD_REAL && isnan(sink->fields[i].u.d))
			sink->fields[i].type = FIELD_NULL;       /* as sqlite3_result_double has it */
	}
	return (!c->table->module->provider->strict || !c->decoded || cursor_count_errors(c, err)) && sink->row(sink->arg, sink->fields, err);
}
