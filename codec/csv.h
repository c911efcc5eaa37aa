/* Splits delimited text (RFC 4180, any one-byte delimiter) into records and cells without copying. Lenient where files in the field are: LF,
 * CRLF and CR end a record, blank lines are skipped, a quote inside an unquoted cell is an ordinary byte, one BOM is skipped. Pure. */
#ifndef WEIR_CODEC_CSV_H
#define WEIR_CODEC_CSV_H

#include "core/bytes.h"

struct csv_reader {
	const uint8_t *start, *p, *end;
	size_t line;                         /* of p, from 1 */
	uint8_t delimiter;
};

struct csv_record {
	uint32_t start, len;                 /* in the text, line end not included */
	uint32_t line;                       /* where it begins, from 1 */
};

enum csv_fault { CSV_OK, CSV_UNTERMINATED, CSV_AFTER_QUOTE };

struct csv_cell {
	struct bytes text;                   /* without the outer quotes; doubled quotes still doubled */
	bool quoted;
	bool doubled;                        /* holds "" (or text after a closing quote): csv_unquote is needed */
	enum csv_fault fault;
};

void csv_begin(struct csv_reader *r, struct bytes text, char delimiter);
/* False at the end. A record whose quote is not closed reaches to the end of the text. */
bool csv_next(struct csv_reader *r, struct csv_record *ret);
/* Takes the next cell of a record: start with *at = record bytes; false when none is left (at->data becomes NULL after the last cell). */
bool csv_cell(struct bytes *at, char delimiter, struct csv_cell *ret);
/* The value of a doubled cell into out (at least text.len bytes); returns its length. */
size_t csv_unquote(const struct csv_cell *cell, uint8_t *out);

#endif
