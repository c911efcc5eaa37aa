/* Streams that were declared but that SQLite has not been told of yet. CREATE VIRTUAL TABLE makes SQLite search its whole schema, so a script that
 * declares a thousand topics and asks about three pays for a thousand; here the DDL waits until a statement names the stream, or looks at
 * the schema. Only streams of the session wait (not those kept in a file), and never inside a transaction. Thread: the session's. */
#ifndef WEIR_SQL_PENDING_H
#define WEIR_SQL_PENDING_H

#include "sql/session_impl.h"

/* Takes a copy of both. The caller has checked that the DDL is good and that the name is free. */
void pending_add(struct session *s, const char *name, const char *ddl);
bool pending_has(const struct session *s, const char *name);
/* Makes the one that waits under this name; true also if there is none. */
bool pending_make(struct session *s, const char *name, struct err *err);
bool pending_make_all(struct session *s, struct err *err);
/* Makes what a statement that is about to be prepared may see. */
bool pending_before(struct session *s, const char *text, size_t len, struct err *err);
void pending_finish(struct session *s);

#endif
