/* Rejecting messages by their bytes, before they are copied and decoded. A term like  line = 'L1'  on a JSON field can only be true if the
 * message holds the bytes L1 - or a backslash, which may hide an escaped spelling. The filter is necessary, never sufficient: SQLite
 * checks every row that passes. */
#ifndef WEIR_VTAB_PREFILTER_H
#define WEIR_VTAB_PREFILTER_H

#include "core/bytes.h"
#include "core/schema.h"
#include "vtab/sqlite.h"

struct needle {
	uint8_t *data;                       /* owned; folded to lower case if the term folds */
	size_t len;
};

struct prefilter_term {
	bool in_key;                         /* else in the value */
	bool fold;                           /* ASCII letters compare without case (LIKE) */
	bool escapes;                        /* the text may be written with backslashes (JSON) */
	struct needle *needles;              /* one of them must be there */
	size_t needle_n;
};

struct prefilter {
	struct prefilter_term *terms;        /* all must hold */
	size_t term_n;
};

bool prefilter_possible(const struct stream *s, size_t column);
/* Starts a term; then one call of prefilter_add_* per value. A term that turns out useless (any value not usable) is dropped by
 * prefilter_end_term, which says whether it was kept. */
void prefilter_begin_term(struct prefilter *f, const struct stream *s, size_t column);
/* False: this value says nothing about the bytes (a number, NULL in a list is skipped and true). */
bool prefilter_add_equal(struct prefilter *f, sqlite3_value *value);
bool prefilter_add_like(struct prefilter *f, sqlite3_value *pattern);
bool prefilter_add_glob(struct prefilter *f, sqlite3_value *pattern);
void prefilter_drop_term(struct prefilter *f);
bool prefilter_keep(void *filter, struct bytes key, struct bytes value);   /* scan_filter.keep */
bool prefilter_reads_key(const struct prefilter *f);
bool prefilter_reads_value(const struct prefilter *f);
void prefilter_finish(struct prefilter *f);

#endif
