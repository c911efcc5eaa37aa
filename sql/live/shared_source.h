/* One reader of a topic for several queries: materialized views over the same topic cost one fetch, one inflation and one copy of each message.
 *
 * Each query has a source of its own (core/source.h), a member of a reader; what one member makes the reader fetch waits in the others' queues, by
 * reference. A member whose queue is full holds up the others (they are told SOURCE_IDLE: step the other queries, then call again); one that nobody asks
 * for a second leaves, and later opens a reader of its own where it stood. Readers of one topic that come to stand at about the same offsets become one.
 * A member may be given records before its position again, and skips them as it must after any seek.
 * Thread: one, the session's. */
#ifndef WEIR_SQL_LIVE_SHARED_SOURCE_H
#define WEIR_SQL_LIVE_SHARED_SOURCE_H

#include "core/provider.h"

struct shared_reader;                        /* a list of them belongs to whoever opens the sources, and is empty when all are destroyed */

/* r: all ranges are endless. The strings are copied, cancel is borrowed. */
bool shared_source_open(struct shared_reader **list, struct provider *p, const char *cluster, const struct scan_request *r, struct source **ret, struct err *err);
size_t shared_reader_n(const struct shared_reader *list);

#endif
