/* sql/regexp.h */
#include "sql/regexp.h"

#include <regex.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "core/buf.h"

enum { MAX_PATTERN = 4096, MAX_REPEAT = 5000 };

struct regexp {
	regex_t compiled;
};

/* \d and \D are unknown to POSIX; inside brackets \d stands for its range. */
static void translate(const char *p, size_t len, struct buf *to)
{
	bool bracket = false;
	size_t open = 0;
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\\' && i + 1 < len && (p[i + 1] == 'd' || p[i + 1] == 'D') && !(bracket && p[i + 1] == 'D')) {
			buf_adds(to, bracket ? "0-9" : p[i + 1] == 'd' ? "[0-9]" : "[^0-9]");
			i++;
			continue;
		}
		if (!bracket && p[i] == '\\' && i + 1 < len) {
			buf_add(to, p + i, 2);
			i++;
			continue;
		}
		if (!bracket && p[i] == '[') {
			bracket = true;
			open = i + (i + 1 < len && p[i + 1] == '^');
		} else if (bracket && p[i] == '[' && i + 1 < len && p[i + 1] == ':') {
			while (i + 1 < len && !(p[i] == ':' && p[i + 1] == ']'))
				buf_addc(to, p[i++]);
			if (i + 1 < len)
				buf_addc(to, p[i++]);
			if (i >= len)
				return;
		} else if (bracket && p[i] == ']' && i > open + 1) {
			bracket = false;
		}
		buf_addc(to, p[i]);
	}
}

/* Product of the repeat counts: an upper bound on how far the library copies a sub-pattern. */
static bool repeats_are_small(const char *p, size_t len)
{
	long product = 1;
	for (size_t i = 0; i < len; i++) {
		if (p[i] != '{' || (i && p[i - 1] == '\\'))
			continue;
		long most = 1, n = 0;
		for (i++; i < len && p[i] != '}'; i++) {
			if (p[i] < '0' || p[i] > '9') {
				n = 0;
				continue;
			}
			n = n > MAX_REPEAT ? n : n * 10 + (p[i] - '0');
			if (n > most)
				most = n;
		}
		product *= most;
		if (product > MAX_REPEAT)
			return false;
	}
	return true;
}

bool regexp_create(const char *pattern, size_t len, struct regexp **ret, struct err *err)
{
	int flags = REG_EXTENDED | REG_NOSUB;
	if (len >= 4 && memcmp(pattern, "(?i)", 4) == 0) {
		flags |= REG_ICASE;
		pattern += 4;
		len -= 4;
	}
	if (len > MAX_PATTERN || memchr(pattern, 0, len))
		return err_set(err, ERR_SQL, "regexp: a pattern has at most %d bytes and no NUL", MAX_PATTERN);
	if (!repeats_are_small(pattern, len))
		return err_set(err, ERR_SQL, "regexp: the repeat counts of '%.40s' multiply to more than %d", pattern, MAX_REPEAT);
	struct buf posix = BUF_INIT;
	translate(pattern, len, &posix);
	struct regexp *re = xmalloc(sizeof *re);
	int rc = regcomp(&re->compiled, posix.data, flags);
	buf_finish(&posix);
	if (rc != 0) {
		char why[128];
		regerror(rc, &re->compiled, why, sizeof why);
		free(re);
		return err_set(err, ERR_SQL, "regexp '%.*s': %s", (int)(len < 40 ? len : 40), pattern, why);
	}
	*ret = re;
	return true;
}

void regexp_destroy(struct regexp *re)
{
	if (!re)
		return;
	regfree(&re->compiled);
	free(re);
}

bool regexp_matches(const struct regexp *re, const char *text, size_t len)
{
	regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)len};
	return regexec(&re->compiled, text, 1, &range, REG_STARTEND) == 0;
}
