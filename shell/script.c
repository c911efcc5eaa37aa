/* shell/script.h */
#include "shell/script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/alloc.h"
#include "shell/command.h"

void script_init(struct script *s, const char *name)
{
	*s = (struct script){.name = name, .sql = BUF_INIT};
}

void script_finish(struct script *s)
{
	buf_finish(&s->sql);
}

bool script_active(const struct script *s)
{
	return s->if_n == 0 || s->ifs[s->if_n - 1].active;
}

void script_reset(struct script *s)
{
	buf_clear(&s->sql);
	sqlscan_reset(&s->scan);
}

static void run_open(struct shell *sh, struct script *s)
{
	struct origin at = {s->name, s->sql_line, s->sql_column};
	if (s->scan.text) {
		struct buf sql = s->sql;
		buf_init(&s->sql);
		script_reset(s);
		free(sh->last_sql);
		sh->last_sql = xstrndup(sql.data, sql.len);
		shell_run_sql(sh, sql.data, sql.len, &at);
		buf_finish(&sql);
	} else {
		script_reset(s);
	}
}

/* column: 1 + characters before text in its line */
static void add_sql(struct shell *sh, struct script *s, const char *text, size_t len, int column)
{
	if (!s->sql.len) {
		s->sql_line = s->line;
		s->sql_column = column;
	}
	buf_add(&s->sql, text, len);
}

static int column_of(const char *line, size_t at)
{
	int column = 1;
	for (size_t i = 0; i < at; i++)
		column += ((unsigned char)line[i] & 0xC0) != 0x80;
	return column;
}

static size_t first_nonblank(const char *line, size_t len)
{
	size_t i = 0;
	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	return i;
}

static void run_command(struct shell *sh, struct script *s, const char *line, size_t at, size_t len)
{
	while (len > at && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	struct origin where = {s->name, s->line, column_of(line, at)};
	command_run(sh, s, line + at, len - at, &where);
}

/* A dot begins a command, unless it is a number like .5 */
static bool command_start(const char *line, size_t at, size_t len)
{
	if (at >= len)
		return false;
	return line[at] == '\\' || (line[at] == '.' && at + 1 < len && ((line[at + 1] >= 'a' && line[at + 1] <= 'z') || (line[at + 1] >= 'A' && line[at + 1] <= 'Z')));
}

void script_line(struct shell *sh, struct script *s, const char *line, size_t len)
{
	s->line++;
	if (memchr(line, 0, len)) {
		struct err err = ERR_INIT;
		size_t at = (size_t)((const char *)memchr(line, 0, len) - line);
		err_set(&err, ERR_SCRIPT, "NUL byte in the script");
		err.sql_offset = (int)at;
		struct origin where = {s->name, s->line, 1};
		char *copy = xstrndup(line, at);
		report_error(sh, &err, &where, copy, at);
		free(copy);
		sh->fatal = !sh->keep_going && !sh->interactive;
		script_reset(s);
		return;
	}
	size_t at = first_nonblank(line, len);
	if (!s->scan.text && !s->scan.open && command_start(line, at, len)) {
		script_reset(s);
		run_command(sh, s, line, at, len);
		return;
	}
	if (!script_active(s))
		return;
	if (s->sql.len) {
		buf_addc(&s->sql, '\n');
		sqlscan_feed(&s->scan, "\n", 1);
	}
	size_t used = sqlscan_feed(&s->scan, line, len);
	add_sql(sh, s, line, used, 1);
	if (used < len) {
		/* A backslash outside quotes. Complete statements before it run first; the rest is the command's. */
		run_command(sh, s, line, used, len);
		if (s->scan.text)
			s->scan.scanned = s->sql.len;
		return;
	}
	if (s->scan.semicolon && !s->scan.open && session_is_complete(s->sql.data, s->sql.len))
		run_open(sh, s);
	else if (!s->scan.text && !s->scan.open)
		script_reset(s);
}

static void complain(struct shell *sh, const struct origin *at, const char *sql, size_t len, size_t offset, const char *what)
{
	struct err err = ERR_INIT;
	err_set(&err, ERR_SCRIPT, "%s", what);
	err.sql_offset = (int)offset;
	report_error(sh, &err, at, sql, len);
	sh->fatal = !sh->keep_going;
}

void script_end(struct shell *sh, struct script *s)
{
	if (sh->quit || sh->fatal || s->stopped)
		return;
	struct origin at = {s->name, s->sql_line, s->sql_column};
	if (s->scan.open == '*' && !s->scan.text) {
		/* SQLite takes it as a comment to the end of the text; that it swallows the rest is worth a word. */
		report_line(sh, "weir: warning: %s:%d: this comment is not closed", s->name ? s->name : "-", s->sql_line);
	} else if (s->scan.open && s->scan.open != '-') {
		complain(sh, &at, s->sql.data, s->sql.len, s->scan.open_at, s->scan.open == '*' ? "this comment is not closed" : "this quote is not closed");
		return;
	}
	if (s->scan.text)
		run_open(sh, s);
	if (s->if_n && !sh->fatal) {
		struct origin where = {s->name, s->ifs[s->if_n - 1].line, 1};
		complain(sh, &where, "\\if", 3, 0, "\\if without \\endif");
	}
}

/* Reads lines from fd with read(2), so that a signal ends the wait and a line typed into a pipe is seen at once. */
struct line_reader {
	int fd;
	struct buf data;
	size_t at;
	bool end;
};

static bool read_line(struct line_reader *r, const char **ret, size_t *ret_len)
{
	size_t searched = r->at;
	for (;;) {
		const char *nl = r->data.len > searched ? memchr(r->data.data + searched, '\n', r->data.len - searched) : NULL;
		if (nl || (r->end && r->data.len > r->at)) {
			*ret = r->data.data + r->at;
			*ret_len = (nl ? (size_t)(nl - r->data.data) : r->data.len) - r->at;
			r->at += *ret_len + (nl ? 1 : 0);
			return true;
		}
		if (r->end)
			return false;
		searched = r->data.len;
		if (r->at > 65536) {
			memmove(r->data.data, r->data.data + r->at, r->data.len - r->at);
			r->data.len -= r->at;
			searched -= r->at;
			r->at = 0;
		}
		buf_reserve(&r->data, 65536);
		ssize_t n = read(r->fd, r->data.data + r->data.len, 65536);
		if (n > 0)
			r->data.len += (size_t)n;
		else if (n == 0)
			r->end = true;
		else if (errno != EINTR || signals_last())
			return false;
	}
}

static bool stop(const struct shell *sh, const struct script *s)
{
	return sh->quit || sh->fatal || s->stopped || signals_last();
}

static void enter(struct shell *sh, struct script *s, const char *name)
{
	script_init(s, name);
	s->outer = sh->script;
	sh->script = s;
	sh->script_depth++;
}

static void leave(struct shell *sh, struct script *s)
{
	sh->script = s->outer;
	sh->script_depth--;
	script_finish(s);
}

bool script_run_text(struct shell *sh, const char *name, const char *text)
{
	struct script s;
	enter(sh, &s, name);
	const char *end = text + strlen(text);
	for (const char *p = text; p <= end && !stop(sh, &s);) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		script_line(sh, &s, p, (size_t)((nl ? nl : end) - p));
		p = (nl ? nl : end) + 1;
	}
	script_end(sh, &s);
	leave(sh, &s);
	return !sh->fatal;
}

static void run_lines(struct shell *sh, struct script *s, int fd)
{
	struct line_reader r = {.fd = fd, .data = BUF_INIT};
	const char *line;
	size_t len;
	while (!stop(sh, s) && read_line(&r, &line, &len)) {
		if (s->line == 0) {
			if (len >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) {
				line += 3;
				len -= 3;
			}
			if (len >= 2 && line[0] == '#' && line[1] == '!') {
				s->line++;
				continue;
			}
		}
		script_line(sh, s, line, len);
	}
	if (!signals_last())
		script_end(sh, s);
	buf_finish(&r.data);
}

bool script_run_file(struct shell *sh, const char *path, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct stat st;
	if (sh->script_depth >= SCRIPT_DEPTH_MAX)
		return err_set(err, ERR_SCRIPT, "%s: scripts nested more than %d deep", path, SCRIPT_DEPTH_MAX);
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (!is_stdin)
			close(fd);
		return err_set(err, ERR_FILE, "%s: is a directory", path);
	}
	struct script s;
	enter(sh, &s, is_stdin ? "stdin" : path);
	run_lines(sh, &s, fd);
	leave(sh, &s);
	if (!is_stdin)
		close(fd);
	return true;
}
