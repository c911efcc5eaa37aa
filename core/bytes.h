/* A borrowed run of bytes. data == NULL means "absent" (a Kafka null, SQL NULL); an empty run has data != NULL and len 0. Never NUL-terminated. */
#ifndef WEIR_CORE_BYTES_H
#define WEIR_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *data;
	size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){.data = data, .len = len};
}

static inline struct bytes bytes_str(const char *s)
{
	return (struct bytes){.data = (const uint8_t *)s, .len = s ? strlen(s) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	if (!a.data || !b.data)
		return !a.data && !b.data;
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

#endif
