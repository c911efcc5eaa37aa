/* ->, ->> and json_extract on _value, answered by the decoder of the row at hand instead of a second parse. */
#ifndef WEIR_VTAB_PATH_FUNCTIONS_H
#define WEIR_VTAB_PATH_FUNCTIONS_H

#include "vtab/table.h"

int path_function_find(sqlite3_vtab *base, int argc, const char *name, void (**ret_function)(sqlite3_context *, int, sqlite3_value **), void **ret_arg);
void path_functions_rest(struct module *m);      /* when the last cursor closes */

#endif
