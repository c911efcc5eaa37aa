/* The table that the output of a group plan reads: its rows are groups. Three uses:
 *   bounded: a scan of it runs the input to its end, aggregates, and gives the groups;
 *   live: its owner steps the operator, and a scan gives what is ready then;
 *   view: its owner steps the operator, and a scan gives all groups as they are then; one key is found without looking at the others. The operator must not be stepped
 *   while a statement stands in a scan.
 * Thread: the connection's. */
#ifndef WEIR_SQL_LIVE_GROUP_TABLE_H
#define WEIR_SQL_LIVE_GROUP_TABLE_H

#include "sql/live/group.h"
#include "sql/session_impl.h"

struct group_tables;                         /* of one session */

enum group_table_use { GROUPS_BOUNDED, GROUPS_LIVE, GROUPS_VIEW, GROUPS_FINAL_VIEW };    /* the last: only groups of closed windows */

bool group_tables_create(struct session *s, struct group_tables **ret, struct err *err);    /* registers the module; lives until the database is closed */
void group_tables_destroy(struct group_tables *t);

struct group_table;
/* plan is moved in. input: the prepared plan->input, with variables bound, owned from now on. *ret_name (owned by the table) is the quoted name, with its schema.
 * On failure plan and input are given back to nobody: they are freed. */
bool group_table_create(struct session *s, struct group_plan *plan, sqlite3_stmt *input, const struct group_op_options *o, enum group_table_use use, struct group_table **ret, struct err *err);
const char *group_table_name(const struct group_table *t);
void group_table_destroy(struct group_table *t);                     /* drops the table; no statement may read it. NULL is fine */
struct group_op *group_table_op(struct group_table *t);              /* of a live one */
const struct group_plan *group_table_plan(const struct group_table *t);
sqlite3_stmt *group_table_input(struct group_table *t);
struct row_sink *group_table_sink(struct group_table *t);            /* that takes the input's rows; NULL = the input is no plain scan */

#endif
