/* A value that the scanner found -> a field. */
#ifndef WEIR_CODEC_JSON_VALUE_H
#define WEIR_CODEC_JSON_VALUE_H

#include "codec/arena.h"
#include "codec/json_scan.h"
#include "core/field.h"

enum { JSON_REASON_MAX = 120 };

/* Decodes v. Text without escapes points into the message, other text into the arena. reason becomes "" or what was wrong (the field may
 * still have a value: a lone surrogate becomes U+FFFD). nan_null: NaN and Infinity are NULL without a reason. */
void json_value_field(const struct json_value *v, bool nan_null, struct arena *arena, struct field *ret, char reason[JSON_REASON_MAX]);

#endif
