/* Decimal text -> int64 or double, correctly rounded, independent of the locale. Pure. */
#ifndef WEIR_CODEC_NUMBER_H
#define WEIR_CODEC_NUMBER_H

#include "core/bytes.h"

/* [+-]digits that fit int64. False: not that, or too large. */
bool number_int(const uint8_t *text, size_t len, int64_t *ret);

/* [+-]digits[.digits][e[+-]digits]; also .5 and 5. (as CSV writers emit); `point` is '.' or ','. False: not that. *ret is infinite if the
 * number is beyond double. */
bool number_real(const uint8_t *text, size_t len, char point, double *ret);

#endif
