/* UTF-8: checking what comes from outside, and making it safe to show. All functions are pure and thread-safe. */
#ifndef WEIR_CORE_UTF8_H
#define WEIR_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"

/* True if the bytes are well-formed UTF-8 by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. NUL is allowed. */
bool utf8_valid(const void *data, size_t len);

/* Decodes one code point at p (p < end). Returns its length in bytes, or 0 if malformed. */
size_t utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *ret_cp);

/* Encodes cp (a scalar value) into out; returns 1..4. */
size_t utf8_encode(uint32_t cp, uint8_t out[4]);

/* True for code points that must not reach a terminal raw: C0 and C1 controls, DEL, bidi overrides and isolates, zero-width
 * direction marks, line and paragraph separators, BOM in the middle, tag characters. */
bool utf8_is_unsafe(uint32_t cp);

/* Appends text with unsafe code points as \n \t \r \0 \xNN \u{NNNN} and malformed bytes as \xNN. keep_newline leaves \n and \t as they are. */
void utf8_escape(struct buf *to, const void *text, size_t len, bool keep_newline);

/* The same into a fixed array, cut at a code point's edge, always NUL-terminated. */
void utf8_escape_into(char *to, size_t to_size, const void *text, size_t len, bool keep_newline);

/* Appends a bar of n eighths of a column: full blocks and at most one part of a block. */
void utf8_add_bar(struct buf *to, int eighth_n);

/* Columns that a terminal uses for the text (wide = 2, combining = 0). Needs no locale. */
size_t utf8_width(const void *text, size_t len);
/* Length in bytes of the longest prefix of at most `width` columns; *ret_width = its columns. */
size_t utf8_prefix(const void *text, size_t len, size_t width, size_t *ret_width);

#endif
