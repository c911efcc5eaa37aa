/* What weir knows of a stream: which topic, how its payload decodes, and its columns. Built by inference, by DDL, or read back from
 * the arguments of a virtual table. Plain owned data; one owner. */
#ifndef WEIR_CORE_SCHEMA_H
#define WEIR_CORE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include "core/bytes.h"
#include "core/err.h"
#include "core/hash.h"

enum column_type { COLUMN_ANY, COLUMN_INTEGER, COLUMN_REAL, COLUMN_TEXT, COLUMN_BOOLEAN, COLUMN_TIMESTAMP, COLUMN_BLOB, COLUMN_JSON };

enum column_origin {
	COLUMN_FROM_VALUE,                   /* path in the value: '$.a.b' (JSON), field name or '$[n]' / n (CSV) */
	COLUMN_FROM_KEY,                     /* the key: whole if path is NULL, else a path in it */
	COLUMN_FROM_HEADER,                  /* path = header name; last one wins */
};

struct column {
	char *name;
	char *path;                          /* NULL: for VALUE the whole value (text/raw), for KEY the whole key */
	enum column_type type;
	enum column_origin origin;
	bool primary_key;                    /* the key of a changelog table */
	char *note;                          /* inference's remark for DESCRIBE, e.g. "also TEXT in 3 of 200 messages"; may be NULL */
};

enum stream_kind {
	STREAM_LOG,                          /* every record is a row */
	STREAM_CHANGELOG,                    /* last value per key, a tombstone deletes */
};

struct stream {
	char *name;
	char *cluster;                       /* attached cluster or profile; NULL = current */
	char *topic;
	char *format;                        /* text raw json csv tsv auto ... ; never NULL */
	char *key_format;                    /* never NULL, default "text" */
	char *explode;                       /* '$.values[*]' or NULL */
	char *timestamp;                     /* column that is event time, or NULL = _ts */
	char delimiter;                      /* CSV; ',' by default, '\t' for tsv */
	char decimal;                        /* '.' or ',' */
	bool header;                         /* CSV: each message begins with a header line */
	bool nan_null;                       /* NaN and Infinity in JSON are NULL without _error */
	enum partitioner partitioner;
	bool partitioner_given;              /* false: detect */
	enum stream_kind kind;
	struct column *columns;
	size_t column_n;
};

struct stream *stream_create(const char *name, const char *topic);   /* defaults: format auto, key_format text */
struct stream *stream_copy(const struct stream *s);
void stream_destroy(struct stream *s);
struct column *stream_add_column(struct stream *s, const char *name, enum column_type type, enum column_origin origin, const char *path);   /* copies; the pointer is valid until the next add */
int stream_find_column(const struct stream *s, const char *name);    /* ASCII case-insensitive; -1 = none */
const char *column_type_name(enum column_type type);                 /* INTEGER REAL TEXT BOOLEAN TIMESTAMP_MS BLOB JSON, "" for ANY */
enum column_type column_type_parse(const char *text);                /* any SQL type word, by SQLite's affinity rules plus ours */

#endif
