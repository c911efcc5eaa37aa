/* One decoded value. Text and blob bytes are borrowed from the message or from the decoder's scratch memory: valid until the decoder's
 * next record. */
#ifndef WEIR_CORE_FIELD_H
#define WEIR_CORE_FIELD_H

#include "core/bytes.h"

enum field_type {
	FIELD_ABSENT,                        /* the path is not there: SQL NULL */
	FIELD_NULL,                          /* it is there and null: SQL NULL */
	FIELD_INTEGER,
	FIELD_REAL,
	FIELD_BOOLEAN,                       /* i = 0 or 1; an INTEGER in SQL */
	FIELD_TEXT,                          /* valid UTF-8, may hold NUL */
	FIELD_JSON,                          /* an object or array as its source text; TEXT in SQL with subtype 'J' */
	FIELD_BLOB,
	FIELD_ERROR,                         /* could not be decoded: SQL NULL, and the row's error text says why */
};

struct field {
	enum field_type type;
	union {
		int64_t i;
		double d;
	} u;
	struct bytes bytes;                  /* TEXT, JSON, BLOB; for INTEGER and REAL from text formats the source text (so that 0.10 or 1E2 prints as sent) */
};

#endif
