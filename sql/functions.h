/* weir's scalar functions, and the one table that SHOW FUNCTIONS, completion and the documentation share. Thread: the connection's. */
#ifndef WEIR_SQL_FUNCTIONS_H
#define WEIR_SQL_FUNCTIONS_H

#include "sql/catalog.h"
#include "vtab/sqlite.h"

struct function_info {
	const char *name;
	int args_min, args_max;
	const char *signature;               /* ts(x) -> INTEGER */
	const char *help;                    /* one line */
	void (*call)(sqlite3_context *context, int n, sqlite3_value **args);
};

/* The table's rows; NULL after the last. */
const struct function_info *function_info_at(size_t index);
/* catalog is borrowed until the database closes; its provider's last_error receives what a function could not do. */
bool functions_register(sqlite3 *db, struct catalog *catalog, struct err *err);

#endif
