/* The plan that xBestIndex hands to xFilter. The meaning of every bit and argument is the table above plan_best_index in plan.c. */
#ifndef WEIR_VTAB_PLAN_H
#define WEIR_VTAB_PLAN_H

#include "vtab/table.h"

enum { PLAN_ROWID = -1, PLAN_LIMIT = -2, PLAN_OFFSET = -3 };   /* plan_term.column, besides column numbers */

struct plan_term {
	int column;                          /* aliases (ROWTIME ..) are resolved; PLAN_ROWID, PLAN_LIMIT, PLAN_OFFSET */
	int op;                              /* SQLITE_INDEX_CONSTRAINT_* */
	bool in;                             /* the value is a list for sqlite3_vtab_in_first() */
};

/* Order of the rows as claimed to SQLite: each direction +1, -1, or 0 = not ordered by it. */
struct plan_order {
	int partition;                       /* partitions one after the other */
	int offset;
	int ts;
};

struct plan {
	struct plan_order order;
	uint64_t col_used;
	struct plan_term *terms;             /* in the order of xFilter's arguments */
	size_t term_n;
};

int plan_best_index(sqlite3_vtab *base, sqlite3_index_info *info);
void plan_parse(int number, const char *text, struct plan *ret);
void plan_finish(struct plan *plan);
int plan_alias(int column);              /* ROWTIME -> _ts and so on */

#endif
