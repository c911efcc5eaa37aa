/* The table of modes and what all printers share: reading the statement's columns and values. */
#include "shell/print.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "shell/print_impls.h"

const struct print_impl *const print_modes[] = {
	&print_box, &print_table, &print_column, &print_line, &print_expanded, &print_csv, &print_tsv, &print_json, &print_ndjson, &print_markdown,
	&print_html, &print_insert, &print_list, &print_quote, &print_raw, &print_plot, NULL,
};

const struct print_impl *print_mode_find(const char *name)
{
	static const struct {
		const char *alias, *name;
	} aliases[] = {{"tabs", "tsv"}, {"aligned", "table"}, {"unaligned", "list"}, {"jsonl", "ndjson"}, {"jsonlines", "ndjson"}, {"md", "markdown"},
		{"vertical", "expanded"}, {"sql", "insert"}, {"columns", "column"}, {"lines", "line"}};
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (strcasecmp(name, aliases[i].alias) == 0)
			name = aliases[i].name;
	for (int i = 0; print_modes[i]; i++)
		if (strcasecmp(name, print_modes[i]->name) == 0)
			return print_modes[i];
	return NULL;
}

int print_stmt_column_n(sqlite3_stmt *stmt)
{
	return stmt ? sqlite3_column_count(stmt) : 0;
}

const char *print_stmt_column_name(sqlite3_stmt *stmt, int i)
{
	const char *name = sqlite3_column_name(stmt, i);
	return name ? name : "";
}

void print_stmt_cell(sqlite3_stmt *stmt, int i, struct cell *ret)
{
	*ret = (struct cell){.type = CELL_NULL};
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		ret->type = CELL_INTEGER;
		ret->integer = sqlite3_column_int64(stmt, i);
		break;
	case SQLITE_FLOAT:
		ret->type = CELL_REAL;
		ret->real = sqlite3_column_double(stmt, i);
		break;
	case SQLITE_TEXT:
		ret->type = CELL_TEXT;
		ret->data = (const char *)sqlite3_column_text(stmt, i);
		ret->len = (size_t)sqlite3_column_bytes(stmt, i);
		break;
	case SQLITE_BLOB:
		ret->type = CELL_BLOB;
		ret->data = sqlite3_column_blob(stmt, i);
		ret->len = (size_t)sqlite3_column_bytes(stmt, i);
		break;
	}
	if (ret->type >= CELL_TEXT && !ret->data) {      /* empty blob, or no memory for the conversion */
		ret->data = "";
		ret->len = 0;
	}
}

static enum column_kind column_kind_of(sqlite3_stmt *stmt, int i)
{
	const char *type = sqlite3_column_decltype(stmt, i);
	if (!type)
		return KIND_PLAIN;
	if (strcasecmp(type, "TIMESTAMP_MS") == 0)
		return KIND_TIMESTAMP;
	if (strcasecmp(type, "BOOLEAN") == 0 || strcasecmp(type, "BOOL") == 0)
		return KIND_BOOLEAN;
	return strcasecmp(type, "JSON") == 0 ? KIND_JSON : KIND_PLAIN;
}

static const struct print_impl *chosen(const struct print_settings *set)
{
	return set->expanded == EXPANDED_ON && set->mode->people ? &print_expanded : set->mode;
}

void print_begin(struct print *p, const struct print_settings *set, struct out *out, sqlite3_stmt *stmt, const char *table)
{
	*p = (struct print){.set = set, .impl = chosen(set), .out = out, .table = table, .column_n = print_stmt_column_n(stmt), .scratch = BUF_INIT};
	p->safe = out->tty && !set->raw;
	p->color = set->color && (out->tty || set->color_always);
	p->ascii = set->ascii && out->tty;
	p->screen_columns = out->tty ? set->screen_columns : 0;
	p->cells = xcalloc((size_t)p->column_n + 1, sizeof *p->cells);
	p->columns = xcalloc((size_t)p->column_n + 1, sizeof *p->columns);
	for (int i = 0; i < p->column_n; i++) {
		p->columns[i].name = xstrdup(print_stmt_column_name(stmt, i));
		p->columns[i].name_len = strlen(p->columns[i].name);
		p->columns[i].kind = column_kind_of(stmt, i);
	}
	p->impl->begin(p);
}

void print_row(struct print *p, sqlite3_stmt *stmt)
{
	for (int i = 0; i < p->column_n; i++)
		print_stmt_cell(stmt, i, &p->cells[i]);
	p->row_n++;
	p->impl->row(p, p->cells);
}

void print_tick(struct print *p, int64_t now_ms)
{
	if (p->impl && p->impl->tick)
		p->impl->tick(p, now_ms);
}

void print_end(struct print *p)
{
	if (!p->impl)
		return;
	p->impl->end(p);
	for (int i = 0; i < p->column_n; i++)
		free(p->columns[i].name);
	free(p->columns);
	free(p->cells);
	buf_finish(&p->scratch);
	p->impl = NULL;
}
