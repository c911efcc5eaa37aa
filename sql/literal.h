/* A small result made here and shown as rows: SELECT over VALUES. For DESCRIBE, EXPLAIN SCAN and the like. Cells are text, or numbers where asked. */
#ifndef WEIR_SQL_LITERAL_H
#define WEIR_SQL_LITERAL_H

#include <stdint.h>
#include "core/buf.h"

struct literal {
	const char *const *names;            /* column names, NULL-terminated; borrowed */
	struct buf rows;
	int column;                          /* cells in the current row */
};

struct literal literal_begin(const char *const *names);
void literal_row(struct literal *l);     /* starts a row; missing cells become NULL */
void literal_text(struct literal *l, const char *text);    /* NULL = NULL */
void literal_int(struct literal *l, int64_t v);
void literal_finish(struct literal *l, struct buf *sql);   /* appends the SELECT, frees */

#endif
