/* ->, ->> and json_extract on _value, answered by the decoder of the row at hand instead of a second parse. */
#ifndef WEIR_VTAB_PATH_FUNCTIONS_H
#define WEIR_VTAB_PATH_FUNCTIONS_H

#include "vtab/table.h"

bool path_functions_register(struct module *m);
void path_functions_finish(struct module *m);

#endif
