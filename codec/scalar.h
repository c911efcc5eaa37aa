/* Values of formats that have only text (text, csv, tsv): what a run of characters is, by the column's type. Pure. */
#ifndef WEIR_CODEC_SCALAR_H
#define WEIR_CODEC_SCALAR_H

#include "core/field.h"
#include "core/schema.h"

/* f is FIELD_TEXT. Turns it into what `type` says if it is written as that (spaces around are allowed); what is not stays TEXT, so that a
 * value keeps its own type. f->bytes keeps the source text. An integer beyond int64 stays TEXT. */
void scalar_convert(struct field *f, enum column_type type, char point);

/* The type that the text of an untyped field has: INTEGER or REAL if it is written plainly as one and would print the same again
 * (007, +5 and 1_000 are TEXT), else TEXT. */
enum column_type scalar_sniff(struct bytes text, char point);

/* true/false, on/off, yes/no, t/f, y/n, 1/0 in any case. */
bool scalar_bool(struct bytes text, bool *ret);

#endif
