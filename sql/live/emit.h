/* What follows a live SELECT: EMIT CHANGES | FINAL | EVERY '5s', then in any order GRACE 'd', IDLE 'd', FROM x or STARTING AT x, UNTIL x, ON ERROR INTO 'topic', LIMIT n.
 * x: BEGINNING, NOW, END, '-1h', a time, OFFSETS '0:100,1:5'. Thread: any. */
#ifndef WEIR_SQL_LIVE_EMIT_H
#define WEIR_SQL_LIVE_EMIT_H

#include "core/position.h"
#include "sql/parse.h"

enum emit_kind { EMIT_NONE, EMIT_CHANGES, EMIT_FINAL, EMIT_EVERY };

struct emit {
	enum emit_kind kind;
	int64_t every_ms;
	int64_t grace_ms;                    /* -1 = not given */
	int64_t idle_ms;                     /* -1 = not given */
	int64_t limit;                       /* -1 = none */
	struct position from, until;
	char *errors_to;                     /* ON ERROR INTO; owned */
};

#define NO_ROW_LATE_MS ((int64_t)1000000000000000)    /* the grace of a SELECT without EMIT and GRACE: every row counts */
enum { EMIT_IDLE_MS = 30000, EMIT_CHANGES_GRACE_MS = 24 * 3600 * 1000, EMIT_SKEW_MS = 3600 * 1000 };

/* Parses text[at, to): EMIT and what follows it, or only the clauses behind it (SELECT .. GRACE '10s'). false: ERR_SQL with sql_offset. */
bool emit_parse(const char *text, size_t at, size_t to, struct emit *ret, struct err *err);
void emit_finish(struct emit *e);

#endif
