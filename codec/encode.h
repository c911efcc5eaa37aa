/* Typed fields -> payload bytes, for INSERT. JSON and CSV / TSV / text. Pure. */
#ifndef WEIR_CODEC_ENCODE_H
#define WEIR_CODEC_ENCODE_H

#include "core/buf.h"
#include "core/field.h"
#include "core/schema.h"

/* fields[i] belongs to s->columns[i]; given[i] false = the column was not named in the INSERT (absent from the JSON); a NULL field is null.
 * 'a.b' columns (by path $.a.b) nest. BOOLEAN columns write true / false. COLUMN_JSON text goes in as JSON if it is valid JSON. Only columns
 * with origin VALUE are written. False with ERR_TYPE for what cannot be written (a BLOB in JSON, NaN). Output is appended. */
bool encode_value(const struct stream *s, const struct field *fields, const bool *given, struct buf *to, struct err *err);

/* JSON string literal with quotes; invalid UTF-8 becomes U+FFFD. */
void encode_json_string(struct buf *to, const void *text, size_t len);
/* Shortest decimal that reads back as the same double, always with a '.' or exponent (1.0, 0.1, 1e300), C locale. NaN and Inf give null. */
void encode_real(struct buf *to, double d);

#endif
