/* CREATE STREAM and its relatives <-> struct stream. The text that a table keeps in SQLite's schema is vtab/'s (stream_to_ddl); this is the
 * spelling people write and read. */
#ifndef WEIR_SQL_STREAM_DDL_H
#define WEIR_SQL_STREAM_DDL_H

#include "sql/session_impl.h"

/* One line: CREATE STREAM "x" ("line" TEXT, ..) FROM TOPIC 'x' WITH (format = 'json'); reads back to the same stream. */
void stream_to_create(const struct stream *s, struct buf *to);

/* CREATE [OR REPLACE] [TEMP] STREAM ..; CREATE TABLE .. FROM TOPIC ..; CREATE TABLE .. WITH (kafka_topic = ..). *ret_ours false: SQLite's. */
bool stream_create_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);
/* DROP STREAM [IF EXISTS] x */
bool stream_drop_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err);

#endif
