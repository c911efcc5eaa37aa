/* What an item of FROM is to a live or grouped query: a topic's stream, a window over one, a changelog table, or anything else. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_FROM_H
#define WEIR_SQL_LIVE_FROM_H

#include "core/schema.h"
#include "sql/session_impl.h"
#include "sql/window.h"

struct from_stream {
	struct stream *stream;               /* NULL: no topic. STREAM_LOG or STREAM_CHANGELOG; owned */
	char *name;                          /* of the table in SQL, cluster.topic joined; owned */
	bool is_window;
	struct window_spec window;           /* owned */
	struct span table;                   /* the table's name in the text */
	char *event_time;                    /* expression over the alias, NULL = _ts; owned */
};

/* Registers topics that are named for the first time. False: wrong window arguments, or the broker cannot be asked. */
bool from_stream(struct session *s, const char *text, const struct select *sel, size_t item, struct from_stream *ret, struct err *err);
void from_stream_finish(struct from_stream *f);

#endif
