/* POSIX extended regular expressions for SQL, with \d \D \w \W \s \S \b, and (?i) at the start for any case. Patterns come from users' scripts:
 * their size and their repeat counts are limited, since the C library expands x{1000}{1000} in memory. Immutable once made; one thread. */
#ifndef WEIR_SQL_REGEXP_H
#define WEIR_SQL_REGEXP_H

#include <stdbool.h>
#include <stddef.h>
#include "core/err.h"

struct regexp;

bool regexp_create(const char *pattern, size_t len, struct regexp **ret, struct err *err);
void regexp_destroy(struct regexp *re);
bool regexp_matches(const struct regexp *re, const char *text, size_t len);      /* text may hold NUL */

#endif
