/* A growable byte buffer that always ends in a NUL outside len, so .data can be used as a C string when it holds text.
 * Owner: whoever declared it; one thread at a time. It cannot fail to grow (core/alloc.h). Example:
 *     struct buf b = BUF_INIT; buf_addf(&b, "%d rows", n); use(b.data); buf_finish(&b); */
#ifndef WEIR_CORE_BUF_H
#define WEIR_CORE_BUF_H

#include <stdarg.h>
#include "core/bytes.h"

struct buf {
	char *data;     /* never NULL after the first add; BUF_INIT points at a static empty string */
	size_t len;
	size_t cap;     /* 0 while data is the static empty string */
};

extern char buf_empty[1];
#define BUF_INIT {.data = buf_empty, .len = 0, .cap = 0}

void buf_init(struct buf *b);
void buf_finish(struct buf *b);                 /* frees and returns to BUF_INIT */
void buf_clear(struct buf *b);                  /* len = 0, memory kept */
void buf_reserve(struct buf *b, size_t more);   /* room for `more` bytes beyond len */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_add_int(struct buf *b, int64_t v);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
char *buf_take(struct buf *b);                  /* caller frees; the buffer is empty afterwards */

/* The decimal text of v, with its NUL; returns its length. */
enum { INT_TEXT_MAX = 21 };
size_t int_text(int64_t v, char out[INT_TEXT_MAX]);

#endif
