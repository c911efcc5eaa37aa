/* Window functions in bounded statements, anywhere in them, become plain SQL over the tables of window_table.h. Thread: the session's. */
#ifndef WEIR_SQL_WINDOW_REWRITE_H
#define WEIR_SQL_WINDOW_REWRITE_H

#include "sql/session_impl.h"

struct window_tables;                        /* those made for one statement; NULL = none */

/* *io_text is replaced if it holds windows: *ret_changed. *ret_tables: the caller frees it when the statement is finished. */
bool windows_rewrite(struct session *s, struct buf *io_text, bool *ret_changed, struct window_tables **ret_tables, struct err *err);
void window_tables_free(struct window_tables *t);

#endif
