/* shell/sqlscan.h */
#include "shell/sqlscan.h"

#include <string.h>

void sqlscan_reset(struct sqlscan *s)
{
	*s = (struct sqlscan){.open = 0};
}

static size_t scan(struct sqlscan *s, const char *text, size_t len, bool stop_at_semicolon)
{
	size_t i = 0;
	for (; i < len; i++) {
		char c = text[i];
		char next = i + 1 < len ? text[i + 1] : 0;
		if (s->open == '-') {
			if (c == '\n')
				s->open = 0;
		} else if (s->open == '*') {
			if (c == '*' && next == '/') {
				s->open = 0;
				i++;
			}
		} else if (s->open) {
			if (c == (s->open == '[' ? ']' : s->open))
				s->open = 0;      /* a doubled quote closes and opens again at once */
		} else if (c == '\\') {
			break;
		} else if ((c == '-' && next == '-') || (c == '/' && next == '*')) {
			s->open = c == '-' ? '-' : '*';
			s->open_at = s->scanned + i;
			i++;
		} else if (c == '\'' || c == '"' || c == '`' || c == '[') {
			s->open = c;
			s->open_at = s->scanned + i;
			s->text = true;
		} else if (c == ';') {
			s->semicolon = true;
			if (stop_at_semicolon) {
				i++;
				break;
			}
		} else if (!strchr(" \t\r\n\f\v", c) || !c) {
			s->text = true;
		}
	}
	if (i > len)
		i = len;
	s->scanned += i;
	return i;
}

size_t sqlscan_feed(struct sqlscan *s, const char *text, size_t len)
{
	return scan(s, text, len, false);
}

size_t sqlscan_statement(const char *text, size_t len)
{
	struct sqlscan s;
	size_t at = 0;
	sqlscan_reset(&s);
	while (at < len) {
		at += scan(&s, text + at, len - at, true);
		if (s.semicolon)
			return at;
		if (at < len)
			at++;             /* an unquoted backslash is part of the statement here */
	}
	return len;
}

size_t sqlscan_blank(const char *text, size_t len)
{
	size_t i = 0;
	while (i < len) {
		if (strchr(" \t\r\n\f\v", text[i]) && text[i]) {
			i++;
		} else if (i + 1 < len && text[i] == '-' && text[i + 1] == '-') {
			const char *nl = memchr(text + i, '\n', len - i);
			i = nl ? (size_t)(nl - text) + 1 : len;
		} else if (i + 1 < len && text[i] == '/' && text[i + 1] == '*') {
			for (i += 2; i < len && !(text[i - 1] == '*' && text[i] == '/'); i++)
				;
			i = i < len ? i + 1 : len;
		} else {
			break;
		}
	}
	return i;
}
