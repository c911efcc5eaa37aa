/* Record headers in one run of bytes, in the broker's order: repeated names, empty names, NULL and binary values all kept.
 * Encoding (private to this pair of files): per header u32 name_len, i32 value_len (-1 = NULL), name bytes, value bytes; native endian. */
#ifndef WEIR_CORE_HEADERS_H
#define WEIR_CORE_HEADERS_H

#include "core/buf.h"

void headers_add(struct buf *to, struct bytes name, struct bytes value);     /* value.data NULL = NULL value */

struct header_iter {
	const uint8_t *p, *end;
};
static inline struct header_iter headers_begin(const uint8_t *encoded, size_t len)
{
	return (struct header_iter){.p = encoded, .end = encoded ? encoded + len : encoded};
}
bool headers_next(struct header_iter *it, struct bytes *ret_name, struct bytes *ret_value);   /* false at the end */

#endif
