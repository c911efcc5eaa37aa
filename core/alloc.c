/* core/alloc.h */
#include "core/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void (*alloc_handler)(size_t bytes_n);

void alloc_set_handler(void (*handler)(size_t bytes_n))
{
	alloc_handler = handler;
}

_Noreturn void alloc_failed(size_t bytes_n)
{
	if (alloc_handler)
		alloc_handler(bytes_n);
	abort();
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);
	if (!p)
		alloc_failed(n);
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	if (!p)
		alloc_failed(size);
	return p;
}

void *xrealloc(void *p, size_t n)
{
	void *grown = realloc(p, n ? n : 1);
	if (!grown)
		alloc_failed(n);
	return grown;
}

void *xreallocarray(void *p, size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		alloc_failed(SIZE_MAX);
	return xrealloc(p, count * size);
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
	n = strnlen(s, n);
	char *copy = xmalloc(n + 1);
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = NULL;
	if (vasprintf(&s, fmt, ap) < 0)
		alloc_failed(0);
	va_end(ap);
	return s;
}
