/* Is this exactly one JSON document by RFC 8259 (UTF-8, no BOM, no NaN, at most 512 levels), so that it can stand verbatim inside a line?
 * Stricter than codec/json_scan.h, which takes what plants write. Iterative, no allocation. Pure. */
#ifndef WEIR_FUSE_JSON_CHECK_H
#define WEIR_FUSE_JSON_CHECK_H

#include "core/bytes.h"

/* *ret_breaks: the document holds CR or LF (between tokens; they cannot be elsewhere). */
bool json_check(struct bytes doc, bool *ret_breaks);

#endif
