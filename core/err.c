/* core/err.h */
#include "core/err.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "core/utf8.h"

static const struct err_info table[] = {
#define ERROR(number, id, exit_code, title, advice) {number, exit_code, #id, title, advice},
#include "core/errors.def"
#undef ERROR
};

static void format_safe(char *to, size_t to_size, const char *fmt, va_list ap)
{
	char raw[2048];
	int n = vsnprintf(raw, sizeof raw, fmt, ap);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
	utf8_escape_into(to, to_size, raw, len, true);
}

bool err_vset(struct err *err, enum err_id id, const char *fmt, va_list ap)
{
	if (!err)
		return false;
	err->id = id;
	err->hint[0] = '\0';
	err->sql_offset = -1;
	format_safe(err->msg, sizeof err->msg, fmt, ap);
	return false;
}

bool err_set(struct err *err, enum err_id id, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	err_vset(err, id, fmt, ap);
	va_end(ap);
	return false;
}

void err_hint(struct err *err, const char *fmt, ...)
{
	if (!err)
		return;
	va_list ap;
	va_start(ap, fmt);
	format_safe(err->hint, sizeof err->hint, fmt, ap);
	va_end(ap);
}

void err_clear(struct err *err)
{
	if (!err)
		return;
	err->id = ERR_NONE;
	err->msg[0] = '\0';
	err->hint[0] = '\0';
	err->sql_offset = -1;
}

const struct err_info *err_info_get(int number)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].number == number)
			return &table[i];
	return NULL;
}

const struct err_info *err_info_at(int index)
{
	return index >= 0 && (size_t)index < sizeof table / sizeof *table ? &table[index] : NULL;
}

int err_exit_code(const struct err *err)
{
	if (!err || err->id == ERR_NONE)
		return EXIT_OK;
	const struct err_info *info = err_info_get((int)err->id);
	return info ? info->exit_code : EXIT_USAGE;
}
