/* SUBSCRIBE [TO] name | (query) [ENVELOPE UPSERT (KEY (a, ..))] [WITH (SNAPSHOT [= false])] [clauses of EMIT]: another word for SELECT .. EMIT CHANGES. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_SUBSCRIBE_H
#define WEIR_SQL_LIVE_SUBSCRIBE_H

#include "sql/session_impl.h"

bool is_subscribe(const char *text, size_t len);
/* Replaces the text by the SELECT. A materialized view's name stands for its query. */
bool subscribe_rewrite(struct session *s, struct buf *io_text, struct err *err);

#endif
