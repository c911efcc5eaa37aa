/* Everything on stderr: notices, errors with their place and a caret, `weir explain`. All text is made safe for a terminal here or came
 * from err_set, which does so. One write per report, so that lines of several processes do not mix. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/utf8.h"
#include "shell/shell.h"
#include "shell/suggest.h"

static void emit(struct shell *sh, const struct buf *b)
{
	if (sh) {
		ticker_lock(&sh->ticker);
		ticker_clear_progress(&sh->ticker);
		if (sh->out.tty && !sh->out.hold_lines)
			out_flush(&sh->out);
	}
	for (size_t at = 0; at < b->len;) {
		ssize_t n = write(STDERR_FILENO, b->data + at, b->len - at);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	if (sh)
		ticker_unlock(&sh->ticker);
}

void report_line(struct shell *sh, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	struct buf b = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	utf8_escape(&b, text.data, text.len, true);
	buf_addc(&b, '\n');
	emit(sh, &b);
	buf_finish(&b);
	buf_finish(&text);
}

void report_notice(struct shell *sh, enum notice_level level, const char *text)
{
	if (level == NOTICE_INFO && sh->quiet)
		return;
	struct buf b = BUF_INIT;
	const char *on = !sh->color_stderr ? "" : level == NOTICE_WARNING ? "\x1b[33m" : "\x1b[2m";
	buf_adds(&b, on);
	buf_adds(&b, level == NOTICE_WARNING ? "weir: warning: " : sh->interactive ? "" : "weir: ");
	utf8_escape(&b, text, strlen(text), true);
	buf_adds(&b, *on ? "\x1b[0m\n" : "\n");
	emit(sh, &b);
	sh->notice_n++;
	buf_finish(&b);
}

/* The table's advice helps where the message alone does not say what to do. */
static const char *advice_of(const struct err *err)
{
	switch (err->id) {
	case ERR_SQL:
	case ERR_SCRIPT:
	case ERR_USAGE:
	case ERR_FILE:
	case ERR_ASSERT:
	case ERR_INTERRUPTED:
	case ERR_WRITE_OUTPUT:
		return "";
	default: {
		const struct err_info *info = err_info_get((int)err->id);
		return info ? info->advice : "";
	}
	}
}

static void add_message(struct buf *b, const struct err *err, const char *where, bool color)
{
	const char *hint = *err->hint ? err->hint : advice_of(err);
	buf_addf(b, "%sweir: %s%s%s", color ? "\x1b[1m" : "", where, *where ? ": " : "", color ? "\x1b[0;31m" : "");
	buf_adds(b, *err->msg ? err->msg : "error");
	buf_adds(b, color ? "\x1b[0m" : "");
	if (*hint)
		buf_addf(b, " (%s)", hint);
	buf_addf(b, "%s [WEIR-%04d]%s\n", color ? "\x1b[2m" : "", (int)err->id, color ? "\x1b[0m" : "");
}

void report_usage(const struct err *err)
{
	struct buf b = BUF_INIT;
	const char *hint = err->hint;
	buf_addf(&b, "weir: %s", err->msg);
	if (*hint)
		buf_addf(&b, " (%s)", hint);
	buf_addc(&b, '\n');
	emit(NULL, &b);
	buf_finish(&b);
}

struct place {
	int line, column;
	const char *text;                    /* the line's text, without its end */
	size_t len, offset;                  /* offset of the error in it */
};

static struct place find_place(const struct origin *at, const char *sql, size_t len, size_t offset)
{
	struct place p = {.line = at->line, .column = at->column, .text = sql};
	if (offset > len)
		offset = len;
	/* SQLite says "incomplete input" at the very end: point behind the last thing that is there. */
	const char *start = sql;
	for (const char *q = sql; q < sql + offset; q++)
		if (*q == '\n') {
			p.line++;
			start = q + 1;
		}
	const char *end = memchr(start, '\n', len - (size_t)(start - sql));
	if (!end)
		end = sql + len;
	if (end > start && end[-1] == '\r')
		end--;
	p.text = start;
	p.len = (size_t)(end - start);
	p.offset = (size_t)(sql + offset - start);
	if (p.offset > p.len)
		p.offset = p.len;
	int before = 0;
	for (size_t i = 0; i < p.offset; i++)
		before += ((unsigned char)start[i] & 0xC0) != 0x80;
	p.column = before + (start == sql ? at->column : 1);
	return p;
}

/* The source line, cut around the error so that it fits the screen, and a caret under it. */
static void add_caret(struct buf *b, const struct place *p, bool color)
{
	int screen = shell_screen_columns();
	size_t width = screen > 20 ? (size_t)screen - 4 : 76;
	struct buf before = BUF_INIT;
	struct buf rest = BUF_INIT;
	utf8_escape(&before, p->text, p->offset, false);
	utf8_escape(&rest, p->text + p->offset, p->len - p->offset, false);
	size_t before_width = utf8_width(before.data, before.len);
	size_t skip = 0;
	bool cut = before_width > width * 2 / 3;
	if (cut) {
		size_t skipped;
		skip = utf8_prefix(before.data, before.len, before_width - width / 2, &skipped);
		before_width -= skipped;
	}
	size_t room = width > before_width ? width - before_width : 1;
	buf_adds(b, cut ? "  …" : "  ");
	buf_add(b, before.data + skip, before.len - skip);
	buf_add(b, rest.data, utf8_prefix(rest.data, rest.len, room, NULL));
	buf_adds(b, "\n  ");
	for (size_t i = 0; i < before_width + cut; i++)
		buf_addc(b, ' ');
	buf_adds(b, color ? "\x1b[1;31m^\x1b[0m\n" : "^\n");
	buf_finish(&before);
	buf_finish(&rest);
}

void report_error(struct shell *sh, const struct err *err, const struct origin *at, const char *sql, size_t len)
{
	struct buf b = BUF_INIT;
	char where[512] = "";
	struct place p = {.text = NULL};
	if (at && sql) {
		size_t offset = err->sql_offset >= 0 ? (size_t)err->sql_offset : strspn(sql, " \t\r\n");
		p = find_place(at, sql, len, offset);
		if (at->name) {
			char name[300];
			utf8_escape_into(name, sizeof name, at->name, strlen(at->name), false);
			snprintf(where, sizeof where, "%s:%d:%d", name, p.line, p.column);
		}
	} else if (at && at->name) {
		snprintf(where, sizeof where, "%.400s:%d", at->name, at->line);
	}
	if (err->id == ERR_INTERRUPTED && sh->interactive)
		buf_addf(&b, "%sinterrupted%s\n", sh->color_stderr ? "\x1b[2m" : "", sh->color_stderr ? "\x1b[0m" : "");
	else {
		add_message(&b, err, where, sh->color_stderr);
		if (p.text && p.len && sh->stderr_tty && err->sql_offset >= 0)
			add_caret(&b, &p, sh->color_stderr);
	}
	emit(sh, &b);
	buf_finish(&b);
	sh->last_error = *err;
	snprintf(sh->last_error_where, sizeof sh->last_error_where, "%s", where);
	if (!sh->first_exit)
		sh->first_exit = err_exit_code(err);
}

void report_errverbose(struct shell *sh)
{
	const struct err *e = &sh->last_error;
	const struct err_info *info = err_info_get((int)e->id);
	if (e->id == ERR_NONE || !info) {
		report_line(sh, "There is no previous error.");
		return;
	}
	report_line(sh, "WEIR-%04d %s: %s\n  where: %s\n  message: %s\n  hint: %s\n  exit code: %d\n  %s", info->number, info->name, info->title,
		*sh->last_error_where ? sh->last_error_where : "(typed)", e->msg, *e->hint ? e->hint : "-", info->exit_code, info->advice);
}

int explain_error(const char *what)
{
	if (!what || strcmp(what, "all") == 0) {
		const struct err_info *info;
		for (int i = 0; (info = err_info_at(i)); i++)
			printf("WEIR-%04d  exit %-3d  %s\n", info->number, info->exit_code, info->title);
		return fflush(stdout) == 0 ? EXIT_OK : EXIT_USAGE;
	}
	const char *digits = what + strcspn(what, "0123456789");
	const struct err_info *info = err_info_get(atoi(digits));
	if (!info) {
		struct err err = ERR_INIT;
		err_set(&err, ERR_USAGE, "no error \"%s\"", what);
		err_hint(&err, "weir explain all lists them");
		report_usage(&err);
		return EXIT_USAGE;
	}
	printf("WEIR-%04d %s\n\n%s\n\nExit code %d.\n", info->number, info->title, info->advice, info->exit_code);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_USAGE;
}
