/* Allocation that cannot return NULL. Small bookkeeping goes through these: when it fails nothing sensible is left to do, so the
 * process-wide handler runs (the shell installs one that says "out of memory" and exits 1; the default aborts). Payload-sized
 * allocations (batches, messages, results) must use malloc and report ERR_MEMORY instead. */
#ifndef WEIR_CORE_ALLOC_H
#define WEIR_CORE_ALLOC_H

#include <stddef.h>

void alloc_set_handler(void (*handler)(size_t bytes_n));   /* called once, before any thread starts */
_Noreturn void alloc_failed(size_t bytes_n);
void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
void *xreallocarray(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#endif
