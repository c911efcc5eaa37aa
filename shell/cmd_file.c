/* Files and programs: \i \ir .read \o .output .once .open .backup .import \copy \cd \! */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/alloc.h"
#include "shell/command.h"
#include "shell/csv_read.h"

static bool include(struct command_call *c, const char *path, struct err *err)
{
	bool fatal_before = c->sh->fatal;
	int first = c->sh->first_exit;
	c->sh->first_exit = 0;
	bool ok = script_run_file(c->sh, path, err);
	bool failed = c->sh->first_exit != 0;
	if (first)
		c->sh->first_exit = first;
	/* At the prompt a failed script ends the script, not the prompt. */
	if (c->sh->interactive && !c->script->name)
		c->sh->fatal = fatal_before;
	return ok && !(failed && c->sh->fatal);
}

bool cmd_include(struct command_call *c, struct err *err)
{
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, "%c%s FILE", c->command->prefix, c->name);
	return include(c, c->args[0], err);
}

bool cmd_include_relative(struct command_call *c, struct err *err)
{
	const char *slash = c->script->name ? strrchr(c->script->name, '/') : NULL;
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, "\\ir FILE");
	if (!slash || c->args[0][0] == '/')
		return include(c, c->args[0], err);
	char *path = xasprintf("%.*s/%s", (int)(slash - c->script->name), c->script->name, c->args[0]);
	bool ok = include(c, path, err);
	free(path);
	return ok;
}

static bool redirect(struct command_call *c, bool once, struct err *err)
{
	struct shell *sh = c->sh;
	struct out o;
	const char *to = c->arg_n ? c->args[0] : "stdout";
	shell_close_redirect(sh);
	if (strcmp(to, "stdout") == 0)
		return true;
	if (sh->options->safe)
		return err_set(err, ERR_SCRIPT, "output to files and programs is not allowed under --safe");
	if (!(to[0] == '|' ? out_open_command(&o, to + 1, err) : out_open_file(&o, to, false, err)))
		return false;
	sh->redirect = o;
	sh->redirected = true;
	sh->redirect_once = once;
	return true;
}

bool cmd_output(struct command_call *c, struct err *err)
{
	return redirect(c, false, err);
}

bool cmd_once(struct command_call *c, struct err *err)
{
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, "%c%s FILE", c->command->prefix, c->name);
	return redirect(c, true, err);
}

bool cmd_open(struct command_call *c, struct err *err)
{
	return shell_open_session(c->sh, c->arg_n ? c->args[0] : NULL, err);
}

static char *text_literal(const char *text)
{
	struct buf b = BUF_INIT;
	struct cell cell = {.type = CELL_TEXT, .data = text, .len = strlen(text)};
	print_sql_literal(&b, &cell, false);
	return buf_take(&b);
}

bool cmd_backup(struct command_call *c, struct err *err)
{
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, ".backup FILE");
	char *literal = text_literal(c->args[c->arg_n - 1]);
	char *sql = xasprintf("VACUUM INTO %s", literal);
	bool ok = shell_run_internal(c->sh, sql);
	free(sql);
	free(literal);
	return ok;
}

bool cmd_cd(struct command_call *c, struct err *err)
{
	const char *to = c->arg_n ? c->args[0] : getenv("HOME");
	if (!to || chdir(to) < 0)
		return err_set(err, ERR_FILE, "%s: %s", to ? to : "HOME", to ? strerror(errno) : "not set");
	return true;
}

bool cmd_shell(struct command_call *c, struct err *err)
{
	const char *shell = getenv("SHELL");
	out_flush(shell_out(c->sh));
	signals_hold(true);
	int status = system(c->arg_n ? c->args[0] : shell && *shell ? shell : "/bin/sh");
	signals_hold(false);
	int code = status < 0 ? 127 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	char text[NUMBER_TEXT_MAX];
	text[int_text(code, text)] = '\0';
	session_set_variable(c->sh->session, "SHELL_EXIT_CODE", text);
	if (code == 0)
		return true;
	if (c->sh->interactive) {
		report_line(c->sh, "exit %d", code);
		return true;
	}
	return err_set(err, ERR_SCRIPT, "the command failed with exit code %d", code);
}

/* .import: rows become multi-row INSERT statements, so that tables and topics work alike. */
struct import {
	struct command_call *call;
	char *table;
	char *path;
	char separator;
	long skip;
	struct csv_reader reader;
	size_t column_n;                     /* of the table */
	struct buf sql;
	int64_t row_n, pending_n;
	int64_t short_n, long_n;             /* rows with too few or too many fields */
};

enum { IMPORT_ROWS = 500, IMPORT_BYTES = 1024 * 1024 };

/* Runs without printing; the notices of the session still come. */
static bool run_quietly(struct command_call *c, const char *sql, struct err *err)
{
	return shell_query_each(c->sh, sql, NULL, NULL, err);
}

static void count_each(void *arg, int n, const char *const *text)
{
	(void)n;
	(void)text;
	(*(size_t *)arg)++;
}

static void add_table(struct buf *b, const char *table)
{
	buf_addc(b, '"');
	for (const char *p = table; *p; p++)
		buf_adds(b, *p == '"' ? "\"\"" : (char[]){*p, 0});
	buf_addc(b, '"');
}

static bool flush_rows(struct import *im, struct err *err)
{
	bool ok = true;
	if (im->pending_n)
		ok = run_quietly(im->call, im->sql.data, err);
	im->row_n += ok ? im->pending_n : 0;
	im->pending_n = 0;
	buf_clear(&im->sql);
	return ok;
}

static bool add_record(struct import *im, struct err *err)
{
	struct csv_reader *r = &im->reader;
	if (!im->pending_n) {
		buf_adds(&im->sql, "INSERT INTO ");
		add_table(&im->sql, im->table);
		buf_adds(&im->sql, " VALUES");
	}
	buf_adds(&im->sql, im->pending_n ? ",(" : "(");
	for (size_t i = 0; i < im->column_n; i++) {
		struct cell cell = {.type = CELL_NULL};
		if (i < r->field_n) {
			cell.type = CELL_TEXT;
			cell.data = csv_reader_field(r, i, &cell.len);
			if (!cell.len && !r->quoted[i])
				cell.type = CELL_NULL;
		}
		buf_adds(&im->sql, i ? "," : "");
		print_sql_literal(&im->sql, &cell, false);
	}
	buf_addc(&im->sql, ')');
	im->pending_n++;
	im->short_n += r->field_n < im->column_n;
	im->long_n += r->field_n > im->column_n;
	return im->pending_n < IMPORT_ROWS && im->sql.len < IMPORT_BYTES ? true : flush_rows(im, err);
}

/* The table's columns; if there is no such table, one is made from the record just read, and *ret_header is set. */
static bool find_table(struct import *im, bool *ret_header, struct err *err)
{
	struct csv_reader *r = &im->reader;
	char *literal = text_literal(im->table);
	char *sql = xasprintf("SELECT name FROM pragma_table_info(%s)", literal);
	bool ok = shell_query_each(im->call->sh, sql, count_each, &im->column_n, err);
	free(sql);
	free(literal);
	*ret_header = false;
	if (!ok || im->column_n)
		return ok;
	struct buf create = BUF_INIT;
	buf_adds(&create, "CREATE TABLE ");
	add_table(&create, im->table);
	for (size_t i = 0; i < r->field_n; i++) {
		size_t len;
		const char *field = csv_reader_field(r, i, &len);
		char *name = len ? xstrndup(field, len) : xasprintf("column%zu", i + 1);
		buf_adds(&create, i ? ", " : "(");
		add_table(&create, name);
		buf_adds(&create, " TEXT");
		free(name);
	}
	buf_addc(&create, ')');
	ok = run_quietly(im->call, create.data, err);
	buf_finish(&create);
	im->column_n = r->field_n;
	*ret_header = true;
	return ok;
}

static bool import_rows(struct import *im, struct err *err)
{
	bool end = false;
	bool first = true;
	for (long skipped = 0; !end; ) {
		if (!csv_reader_next(&im->reader, &end, err))
			return false;
		if (end || skipped++ < im->skip)
			continue;
		bool header = false;
		if (first && !find_table(im, &header, err))
			return false;
		first = false;
		if (!header && !add_record(im, err))
			return false;
		if (signals_last())
			return err_set(err, ERR_INTERRUPTED, "interrupted");
	}
	return flush_rows(im, err);
}

static bool import(struct import *im, struct err *err)
{
	int fd = open(im->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_FILE, "%s: %s", im->path, strerror(errno));
	struct err ignored = ERR_INIT;
	csv_reader_init(&im->reader, fd, im->separator);
	buf_init(&im->sql);
	/* One transaction: fast, and all or nothing. Inside the user's own transaction this fails and that one rules. */
	bool own = run_quietly(im->call, "BEGIN", &ignored);
	bool ok = import_rows(im, err);
	if (own && ok)
		ok = run_quietly(im->call, "COMMIT", err);
	if (own && !ok)
		run_quietly(im->call, "ROLLBACK", &ignored);
	if (!ok && err->id == ERR_SCRIPT) {
		char text[sizeof err->msg];
		memcpy(text, err->msg, sizeof text);
		err_set(err, ERR_SCRIPT, "%s: %.900s", im->path, text);
	}
	if (ok && im->short_n)
		report_line(im->call->sh, "%lld rows had too few fields; the rest is NULL", (long long)im->short_n);
	if (ok && im->long_n)
		report_line(im->call->sh, "%lld rows had too many fields; the rest was left out", (long long)im->long_n);
	if (ok && im->call->sh->interactive)
		report_line(im->call->sh, "%lld rows imported", (long long)im->row_n);
	buf_finish(&im->sql);
	csv_reader_finish(&im->reader);
	close(fd);
	return ok;
}

bool cmd_import(struct command_call *c, struct err *err)
{
	const char *separator = c->sh->print.column_separator;
	struct import im = {.call = c, .separator = separator ? *separator : '\0'};
	int operand = 0;
	for (int i = 0; i < c->arg_n; i++) {
		if (strcmp(c->args[i], "--csv") == 0 || strcmp(c->args[i], "-csv") == 0)
			im.separator = ',';
		else if (strcmp(c->args[i], "--tsv") == 0)
			im.separator = '\t';
		else if ((strcmp(c->args[i], "--skip") == 0 || strcmp(c->args[i], "-skip") == 0) && i + 1 < c->arg_n)
			im.skip = strtol(c->args[++i], NULL, 10);
		else if (operand == 0 && ++operand)
			im.path = c->args[i];
		else if (operand == 1 && ++operand)
			im.table = c->args[i];
		else
			operand = 3;
	}
	if (operand != 2)
		return err_set(err, ERR_SCRIPT, ".import [--csv|--tsv] [--skip N] FILE TABLE");
	const char *dot = strrchr(im.path, '.');
	if (!im.separator)
		im.separator = dot && (strcasecmp(dot, ".tsv") == 0 || strcasecmp(dot, ".tab") == 0) ? '\t' : ',';
	return import(&im, err);
}

/* \copy WHAT TO|FROM FILE [format]: WHAT is a name or a query in parentheses. */
struct copy {
	char *what, *file, *format;
	bool to;
};

static char *take_word(const char **p)
{
	*p += strspn(*p, " \t");
	const char *start = *p;
	if (*start == '\'' || *start == '"') {
		const char *end = strchr(start + 1, *start);
		if (end) {
			*p = end + 1;
			return xstrndup(start + 1, (size_t)(end - start - 1));
		}
	}
	*p += strcspn(*p, " \t");
	return xstrndup(start, (size_t)(*p - start));
}

static bool parse_copy(const char *text, struct copy *ret, struct err *err)
{
	const char *p = text;
	if (*p == '(') {
		int depth = 0;
		char quote = 0;
		for (; *p; p++) {
			if (quote)
				quote = *p == quote ? 0 : quote;
			else if (*p == '\'' || *p == '"')
				quote = *p;
			else if (*p == '(')
				depth++;
			else if (*p == ')' && --depth == 0)
				break;
		}
		if (!*p)
			return err_set(err, ERR_SCRIPT, "\\copy: the parenthesis is not closed");
		ret->what = xstrndup(text + 1, (size_t)(p - text - 1));
		p++;
	} else {
		ret->what = take_word(&p);
	}
	char *direction = take_word(&p);
	ret->to = strcasecmp(direction, "to") == 0;
	bool ok = ret->to || strcasecmp(direction, "from") == 0;
	free(direction);
	ret->file = take_word(&p);
	ret->format = take_word(&p);
	if (strcasecmp(ret->format, "with") == 0 || strcasecmp(ret->format, "format") == 0) {
		free(ret->format);
		ret->format = take_word(&p);
	}
	if (!ok || !*ret->file || !*ret->what)
		return err_set(err, ERR_SCRIPT, "\\copy TABLE|(QUERY) TO|FROM FILE [csv|tsv|json ..]");
	if (!*ret->format) {
		free(ret->format);
		ret->format = xstrdup("csv");
	}
	return print_mode_find(ret->format) || err_set(err, ERR_SCRIPT, "\\copy: no format \"%s\"", ret->format);
}

static bool copy_to(struct command_call *c, const struct copy *copy, struct err *err)
{
	struct shell *sh = c->sh;
	struct out saved = sh->redirect;
	bool redirected = sh->redirected;
	bool once = sh->redirect_once;
	const struct print_impl *mode = sh->print.mode;
	struct out o;
	if (strcasecmp(copy->file, "stdout") == 0)
		out_init(&o, STDOUT_FILENO);
	else if (!out_open_file(&o, copy->file, false, err))
		return false;
	struct buf sql = BUF_INIT;
	bool name = !strpbrk(copy->what, " \t(") ;
	if (name) {
		buf_adds(&sql, "SELECT * FROM ");
		buf_adds(&sql, strpbrk(copy->what, "\"") ? copy->what : "");
		if (!strpbrk(copy->what, "\""))
			print_sql_name(&sql, copy->what);
	} else {
		buf_adds(&sql, copy->what);
	}
	sh->redirect = o;
	sh->redirected = true;
	sh->redirect_once = false;
	sh->print.mode = print_mode_find(copy->format);
	bool ok = shell_run_internal(sh, sql.data);
	sh->print.mode = mode;
	if (sh->redirected)
		out_finish(&sh->redirect);
	if (ok && sh->redirected && sh->redirect.failed)
		ok = err_set(err, ERR_WRITE_OUTPUT, "%s: %s", copy->file, strerror(sh->redirect.error_n));
	sh->redirect = saved;
	sh->redirected = redirected;
	sh->redirect_once = once;
	buf_finish(&sql);
	return ok;
}

bool cmd_copy(struct command_call *c, struct err *err)
{
	struct copy copy = {NULL, NULL, NULL, false};
	bool ok = parse_copy(c->arg_n ? c->args[0] : "", &copy, err);
	if (ok && copy.to) {
		ok = copy_to(c, &copy, err);
	} else if (ok) {
		struct import im = {.call = c, .separator = print_mode_find(copy.format) == print_mode_find("tsv") ? '\t' : ',', .table = copy.what, .path = copy.file, .skip = 0};
		ok = import(&im, err);
	}
	free(copy.what);
	free(copy.file);
	free(copy.format);
	return ok;
}
