/* Rows kept in memory for joins by time: found by key and event time. Behind ASOF JOIN and JOIN .. WITHIN, bounded and live.
 *
 * A store is a virtual table (module weir_rows) with the columns of the table it stands for, hidden ones too, and three more hidden ones that a statement may
 * compare with =, <=, >=:
 *     _et        the row's event time, ms
 *     _asof      = t: of the rows that meet the key's equalities, only the last one whose event time is <= t (of equal times the later row); _before = t: < t
 *     _expired   = 1: only rows marked by row_store_expire
 * Equality with all key columns, and bounds of _et, are a look-up. Thread: the session's. */
#ifndef WEIR_SQL_LIVE_ROW_STORE_H
#define WEIR_SQL_LIVE_ROW_STORE_H

#include "sql/aggregate/aggregate.h"
#include "sql/session_impl.h"

struct row_store;

struct row_store_def {
	const char *source;                  /* what to read: a quoted table name */
	const struct stream *stream;         /* its columns; NULL: those of columns_of (NULL: source), asked with SELECT * */
	const char *columns_of;
	const char *event_time;              /* expression over the source; it is passed through weir_event_time() */
	const char *const *keys;             /* column names; may be none */
	size_t key_n;
	const char *text;                    /* the statement: columns whose names do not occur in it are not kept (a '*' keeps all) */
	bool places;                         /* the source has _partition, _offset and _index; of a stream they and its time are kept, named or not */
	bool lazy;                           /* bounded: read the source at the first scan. Otherwise row_store_load reads */
	int64_t memory_max_bytes;            /* 0 = no limit */
};

bool row_stores_register(struct session *s, struct err *err);
bool row_store_create(struct session *s, const struct row_store_def *def, struct row_store **ret, struct err *err);
void row_store_destroy(struct row_store *r);                         /* no statement may read it; NULL is fine */
const char *row_store_name(const struct row_store *r);               /* quoted, with its schema */
/* Steps the source once through and adds its rows. keep (may be NULL): false leaves a row out. */
bool row_store_load(struct row_store *r, bool (*keep)(void *arg, const struct agg_at *at), void *arg, struct err *err);
/* Marks rows with an event time before this as expired, each once. */
size_t row_store_expire(struct row_store *r, int64_t before_ms);
void row_store_end_expired(struct row_store *r);                     /* the marks were seen */
/* Rows with an event time before this go; none of them may be marked. */
void row_store_forget(struct row_store *r, int64_t before_ms);
int64_t row_store_bytes(const struct row_store *r);
size_t row_store_row_n(const struct row_store *r);

#endif
