/* vtab/update.h: writing is not built yet; every attempt says so. */
#include "vtab/update.h"

#include <stdlib.h>

struct writer {
	struct sink *sink;
};

void writer_destroy(struct writer *w)
{
	if (!w)
		return;
	if (w->sink)
		w->sink->impl->destroy(w->sink);
	free(w);
}

int update_row(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *ret_rowid)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_NOT_BUILT, "writing to a topic is not built yet");
	return table_fail((struct table *)base, &err);
}

int update_begin(sqlite3_vtab *base)
{
	return SQLITE_OK;
}

int update_sync(sqlite3_vtab *base)
{
	return SQLITE_OK;
}

int update_commit(sqlite3_vtab *base)
{
	return SQLITE_OK;
}

int update_rollback(sqlite3_vtab *base)
{
	return SQLITE_OK;
}
