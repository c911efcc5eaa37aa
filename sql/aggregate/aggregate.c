/* sql/aggregate/aggregate.h: the table, and the aggregates as SQL functions of SQLite's own GROUP BY. */
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"
#include "sql/aggregate/agg_impl.h"
#include "sql/aggregate/aggregate_sqlite.h"

static const struct aggregate *const tables[] = {agg_basic, agg_order, agg_quantiles, agg_sets, agg_spark, agg_stats, agg_time};

const struct aggregate *aggregate_find(const char *name, size_t name_len, int n)
{
	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (const struct aggregate *a = tables[t]; a->name; a++)
			if (strlen(a->name) == name_len && strncasecmp(a->name, name, name_len) == 0 && (n < 0 || (n >= a->args_min && (n <= a->args_max || a->args_max < 0))))
				return a;
	return NULL;
}

/* The index-th name in the order of the alphabet, over all tables. */
bool aggregate_is_sqlites(const char *name, size_t name_len)
{
	static const char *const names[] = {"json_group_array", "json_group_object"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i]) == name_len && strncasecmp(names[i], name, name_len) == 0)
			return true;
	return false;
}

const struct aggregate *aggregate_at(size_t index)
{
	const struct aggregate *last = NULL;
	for (size_t i = 0; i <= index; i++) {
		const struct aggregate *next = NULL;
		for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
			for (const struct aggregate *a = tables[t]; a->name; a++)
				if ((!last || strcmp(a->name, last->name) > 0) && (!next || strcmp(a->name, next->name) < 0))
					next = a;
		if (!next)
			return NULL;
		last = next;
	}
	return last;
}

/* ---- for SQLite ---- */

struct context {
	bool failed;
	struct agg_memory memory;
	int64_t row_n;
	_Alignas(16) unsigned char state[];
};

void agg_from_sqlite(sqlite3_value *v, struct agg_value *ret)
{
	*ret = (struct agg_value){.type = AGG_NULL};
	switch (sqlite3_value_type(v)) {
	case SQLITE_INTEGER:
		*ret = (struct agg_value){.type = AGG_INTEGER, .i = sqlite3_value_int64(v)};
		break;
	case SQLITE_FLOAT:
		*ret = (struct agg_value){.type = AGG_REAL, .d = sqlite3_value_double(v)};
		break;
	case SQLITE_TEXT: {
		const void *text = sqlite3_value_text(v);
		*ret = (struct agg_value){.type = AGG_TEXT, .bytes = bytes_of(text, (size_t)sqlite3_value_bytes(v))};
		break;
	}
	case SQLITE_BLOB: {
		const void *blob = sqlite3_value_blob(v);
		*ret = (struct agg_value){.type = AGG_BLOB, .bytes = bytes_of(blob ? blob : "", (size_t)sqlite3_value_bytes(v))};
		break;
	}
	default:
		break;
	}
}

void agg_to_sqlite(sqlite3_context *c, const struct agg_value *v)
{
	switch (v->type) {
	case AGG_NULL:
		break;
	case AGG_INTEGER:
		sqlite3_result_int64(c, v->i);
		break;
	case AGG_REAL:
		sqlite3_result_double(c, v->d);
		break;
	case AGG_TEXT:
		sqlite3_result_text64(c, (const char *)v->bytes.data, v->bytes.len, SQLITE_TRANSIENT, SQLITE_UTF8);
		break;
	case AGG_BLOB:
		sqlite3_result_blob64(c, v->bytes.data, v->bytes.len, SQLITE_TRANSIENT);
		break;
	}
}

void agg_result_to_sqlite(sqlite3_context *c, const struct agg_result *r)
{
	struct agg_value v = {.type = r->type, .i = r->i, .d = r->d, .bytes = bytes_of(r->text.data, r->text.len)};
	agg_to_sqlite(c, &v);
	if (r->json && r->type == AGG_TEXT)
		sqlite3_result_subtype(c, 'J');
}

void agg_from_row(sqlite3_stmt *stmt, struct agg_value *ret, int n)
{
	for (int i = 0; i < n; i++) {
		struct agg_value *v = &ret[i];
		switch (sqlite3_column_type(stmt, i)) {
		case SQLITE_INTEGER:
			*v = (struct agg_value){.type = AGG_INTEGER, .i = sqlite3_column_int64(stmt, i)};
			break;
		case SQLITE_FLOAT:
			*v = (struct agg_value){.type = AGG_REAL, .d = sqlite3_column_double(stmt, i)};
			break;
		case SQLITE_TEXT: {
			const void *data = sqlite3_column_text(stmt, i);
			*v = (struct agg_value){.type = AGG_TEXT, .bytes = bytes_of(data, (size_t)sqlite3_column_bytes(stmt, i))};
			break;
		}
		case SQLITE_BLOB: {
			const void *data = sqlite3_column_blob(stmt, i);
			*v = (struct agg_value){.type = AGG_BLOB, .bytes = bytes_of(data ? data : "", (size_t)sqlite3_column_bytes(stmt, i))};
			break;
		}
		default:
			*v = (struct agg_value){.type = AGG_NULL};
			break;
		}
	}
}

void agg_from_fields(const struct field *fields, struct agg_value *ret, int n)
{
	for (int i = 0; i < n; i++) {
		const struct field *f = &fields[i];
		switch (f->type) {
		case FIELD_INTEGER:
		case FIELD_BOOLEAN:
			ret[i] = (struct agg_value){.type = AGG_INTEGER, .i = f->u.i};
			break;
		case FIELD_REAL:
			ret[i] = (struct agg_value){.type = AGG_REAL, .d = f->u.d};
			break;
		case FIELD_TEXT:
		case FIELD_JSON:
			ret[i] = (struct agg_value){.type = AGG_TEXT, .bytes = f->bytes};
			break;
		case FIELD_BLOB:
			ret[i] = (struct agg_value){.type = AGG_BLOB, .bytes = f->bytes};
			break;
		case FIELD_ABSENT:
		case FIELD_NULL:
		case FIELD_ERROR:
			ret[i] = (struct agg_value){.type = AGG_NULL};
			break;
		}
	}
}

static void sqlite_step(sqlite3_context *c, int n, sqlite3_value **argv)
{
	enum { ARGS_MAX = 8 };
	const struct aggregate *def = sqlite3_user_data(c);
	struct context **slot = sqlite3_aggregate_context(c, sizeof *slot);
	struct agg_value args[ARGS_MAX];
	struct err err = ERR_INIT;
	if (!slot || n > ARGS_MAX) {
		sqlite3_result_error_nomem(c);
		return;
	}
	/* SQLite aligns to 8 bytes, and a state may want 16: it lives in memory of our own. */
	if (!*slot)
		*slot = xcalloc(1, sizeof(struct context) + def->state_size);
	if ((*slot)->failed)
		return;
	for (int i = 0; i < n; i++)
		agg_from_sqlite(argv[i], &args[i]);
	struct agg_at at = {.ts_ms = TIME_NONE, .offset = (*slot)->row_n++};
	if (!def->step((*slot)->state, args, n, &at, &(*slot)->memory, &err)) {
		(*slot)->failed = true;
		sqlite3_result_error(c, err.msg, -1);
	}
}

static void sqlite_final(sqlite3_context *c)
{
	const struct aggregate *def = sqlite3_user_data(c);
	struct context **slot = sqlite3_aggregate_context(c, 0);
	struct context *own = slot && *slot ? *slot : NULL, *use = own ? own : xcalloc(1, sizeof(struct context) + def->state_size);
	struct agg_result r = {.type = AGG_NULL, .text = BUF_INIT};
	struct err err = ERR_INIT;
	if (use->failed) {
		/* the error was told */
	} else if (!def->final(use->state, &r, &err)) {
		sqlite3_result_error(c, err.msg, -1);
	} else {
		agg_result_to_sqlite(c, &r);
	}
	buf_finish(&r.text);
	if (def->finish)
		def->finish(use->state, &use->memory);
	free(use);
}

bool aggregates_register(sqlite3 *db, struct err *err)
{
	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (const struct aggregate *a = tables[t]; a->name; a++) {
			for (int n = a->args_min; !a->replaces_sqlite && n <= a->args_max; n++)
				if (sqlite3_create_function_v2(db, a->name, n, SQLITE_UTF8 | SQLITE_INNOCUOUS, (void *)(uintptr_t)a, NULL, sqlite_step, sqlite_final, NULL) != SQLITE_OK)
					return err_set(err, ERR_INTERNAL, "function %s: %s", a->name, sqlite3_errmsg(db));
		}
	return true;
}
