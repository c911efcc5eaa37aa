/* The tables behind window functions in bounded statements.
 *
 *   weir_windows(window, ts)     the windows of a grid (tumble, hop, cumulate) that hold an instant: window_start, window_end. Joined to the windowed table, it keeps
 *                                that table's columns, hidden ones and pushdown as they are.
 *   window_table_create          a table of the windowed stream's columns and window_start, window_end, for windows that follow rows (session, state, event, count):
 *                                a scan reads all rows, puts them into the order of event time, and gives each with its window. It belongs to one statement.
 * Thread: the connection's. */
#ifndef WEIR_SQL_WINDOW_TABLE_H
#define WEIR_SQL_WINDOW_TABLE_H

#include "sql/session_impl.h"
#include "sql/window.h"

extern const struct sqlite3_module window_grid_module;               /* weir_windows; window_grid_table.c */
bool window_tables_register(struct session *s, struct err *err);

struct window_table;
/* spec is moved in. from: what stands behind FROM to read the rows (table AS alias WHERE ..); event_time: expression in it. */
bool window_table_create(struct session *s, const struct stream *stream, struct window_spec *spec, const char *event_time, const char *from, struct window_table **ret, struct err *err);
const char *window_table_name(const struct window_table *t);         /* quoted, with its schema */
void window_table_destroy(struct window_table *t);                   /* no statement may read it; NULL is fine */

#endif
