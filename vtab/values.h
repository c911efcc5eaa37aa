/* Right-hand values of comparisons as SQLite would see them, as intervals of integers. Pure. */
#ifndef WEIR_VTAB_VALUES_H
#define WEIR_VTAB_VALUES_H

#include "vtab/scan.h"

enum rhs_kind { RHS_NUMBER, RHS_NOT_A_NUMBER /* text or blob: above every integer */, RHS_NULL };

/* The integers v for which `v op value` is true, in a column of INTEGER or NUMERIC affinity. */
enum rhs_kind value_interval(int op, sqlite3_value *value, struct interval *ret);

/* The times t in the years 0..9999 for which `time_format(t) op value` is true as SQLite compares texts. False: the value is no text, or
 * sorts where such an interval says nothing. */
bool value_time_interval(int op, sqlite3_value *value, struct interval *ret);

#endif
