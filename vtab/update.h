/* INSERT into a topic; DELETE and UPDATE by key on a changelog table. Connection's thread. */
#ifndef WEIR_VTAB_UPDATE_H
#define WEIR_VTAB_UPDATE_H

#include "vtab/table.h"

struct writer;
void writer_destroy(struct writer *w);
int update_row(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *ret_rowid);
int update_begin(sqlite3_vtab *base);
int update_sync(sqlite3_vtab *base);
int update_commit(sqlite3_vtab *base);
int update_rollback(sqlite3_vtab *base);

#endif
