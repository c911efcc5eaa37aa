/* The open statement: \g \gx \plot \gset \watch \p \r \w \e \s */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "core/alloc.h"
#include "core/time.h"
#include "shell/command.h"
#include "shell/history.h"
#include "shell/print_impls.h"

bool command_run_buffer(struct command_call *c, struct err *err)
{
	struct script *s = c->script;
	if (s->scan.text) {
		struct origin at = {s->name, s->sql_line, s->sql_column};
		char *sql = xstrndup(s->sql.data, s->sql.len);
		script_reset(s);
		free(c->sh->last_sql);
		c->sh->last_sql = sql;
		char *copy = xstrdup(sql);           /* a command in between may change last_sql */
		bool ok = shell_run_sql(c->sh, copy, strlen(copy), &at);
		free(copy);
		return ok;
	}
	if (!c->sh->last_sql) {
		shell_end_once(c->sh);
		return err_set(err, ERR_SCRIPT, "no statement to run");
	}
	char *copy = xstrdup(c->sh->last_sql);
	bool ok = shell_run_internal(c->sh, copy);
	free(copy);
	return ok;
}

/* \g FILE: a statement whose file cannot be opened is over too. */
static bool redirect_argument(struct command_call *c, struct err *err)
{
	if (!c->arg_n || cmd_once(c, err))
		return true;
	script_reset(c->script);
	return false;
}

bool cmd_go(struct command_call *c, struct err *err)
{
	return redirect_argument(c, err) && command_run_buffer(c, err);
}

bool cmd_gx(struct command_call *c, struct err *err)
{
	if (!redirect_argument(c, err))
		return false;
	c->sh->once_expanded = true;
	return command_run_buffer(c, err);
}

bool cmd_plot(struct command_call *c, struct err *err)
{
	if (!redirect_argument(c, err))
		return false;
	c->sh->once_mode = &print_plot;
	return command_run_buffer(c, err);
}

bool cmd_gset(struct command_call *c, struct err *err)
{
	free(c->sh->gset_prefix);
	c->sh->gset_prefix = xstrdup(c->arg_n ? c->args[0] : "");
	return command_run_buffer(c, err);
}

/* Waits, but not longer than a signal takes to come. */
static bool wait_ms(int64_t ms)
{
	int64_t until = time_mono_ms() + ms;
	for (int64_t left = ms; left > 0 && !signals_last(); left = until - time_mono_ms())
		poll(NULL, 0, left < 50 ? (int)left : 50);
	return !signals_last();
}

bool cmd_watch(struct command_call *c, struct err *err)
{
	struct shell *sh = c->sh;
	double seconds = 2;
	long count = 0;
	int plain = 0;
	for (int i = 0; i < c->arg_n; i++) {
		const char *a = c->args[i];
		char *end;
		bool is_count = strncmp(a, "c=", 2) == 0 || (plain == 1 && !strchr(a, '='));
		double v = strtod(strchr(a, '=') ? strchr(a, '=') + 1 : a, &end);
		if (*end || v < 0 || v > 1e6 || (strchr(a, '=') && strncmp(a, "c=", 2) != 0 && strncmp(a, "i=", 2) != 0))
			return err_set(err, ERR_SCRIPT, "\\watch [i=SECONDS] [c=COUNT]: \"%s\" is neither", a);
		if (is_count)
			count = (long)v;
		else
			seconds = v;
		plain += !strchr(a, '=');
	}
	bool pager = sh->pager;
	bool ok = true;
	sh->pager = false;
	for (long n = 1; ok; n++) {
		char stamp[TIME_TEXT_MAX];
		time_format(time_now_ms() / 1000 * 1000, stamp);
		if (shell_out(sh)->tty && sh->interactive) {
			out_adds(shell_out(sh), "\x1b[H\x1b[2J\x1b[3J");
			report_line(sh, "%s (every %gs, Ctrl-C ends)", stamp, seconds);
		}
		ok = command_run_buffer(c, err);
		if (sh->fatal || sh->quit || signals_last() || (count && n >= count) || !wait_ms((int64_t)(seconds * 1000)))
			break;
	}
	sh->pager = pager;
	if (sh->interactive && signals_last())
		report_line(sh, "%s", "");       /* the terminal has echoed ^C */
	if (sh->interactive)
		signals_forget();
	return ok;
}

bool cmd_print_buffer(struct command_call *c, struct err *err)
{
	const char *text = c->script->scan.text ? c->script->sql.data : c->sh->last_sql;
	(void)err;
	out_addf(shell_out(c->sh), "%s\n", text ? text : "-- no statement");
	out_flush(shell_out(c->sh));
	return true;
}

bool cmd_reset_buffer(struct command_call *c, struct err *err)
{
	(void)err;
	script_reset(c->script);
	return true;
}

bool cmd_write_buffer(struct command_call *c, struct err *err)
{
	const char *text = c->script->scan.text ? c->script->sql.data : c->sh->last_sql;
	struct out o;
	if (!c->arg_n || !text)
		return err_set(err, ERR_SCRIPT, c->arg_n ? "no statement to write" : "\\w FILE");
	if (!(c->args[0][0] == '|' ? out_open_command(&o, c->args[0] + 1, err) : out_open_file(&o, c->args[0], false, err)))
		return false;
	out_addf(&o, "%s\n", text);
	out_finish(&o);
	return out_ok(&o) || err_set(err, ERR_FILE, "%s: %s", c->args[0], strerror(o.error_n));
}

/* The editor gets the terminal. False if it could not be run or failed. */
static bool run_editor(const char *path, struct err *err)
{
	const char *editor = getenv("WEIR_EDITOR");
	editor = editor && *editor ? editor : getenv("VISUAL");
	editor = editor && *editor ? editor : getenv("EDITOR");
	editor = editor && *editor ? editor : "vi";
	struct buf quoted = BUF_INIT;
	buf_addf(&quoted, "%s '", editor);
	for (const char *p = path; *p; p++)
		buf_adds(&quoted, *p == '\'' ? "'\\''" : (char[]){*p, 0});
	buf_addc(&quoted, '\'');
	signals_hold(true);
	int status = system(quoted.data);
	signals_hold(false);
	buf_finish(&quoted);
	return status == 0 || err_set(err, ERR_FILE, "the editor (%s) failed", editor);
}

static char *slurp(const char *path, struct err *err)
{
	struct buf b = BUF_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	while (fd >= 0) {
		buf_reserve(&b, 65536);
		n = read(fd, b.data + b.len, 65536);
		if (n <= 0)
			break;
		b.len += (size_t)n;
		b.data[b.len] = '\0';
	}
	int saved = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		buf_finish(&b);
		err_set(err, ERR_FILE, "%s: %s", path, strerror(saved));
		return NULL;
	}
	return buf_take(&b);
}

bool cmd_edit(struct command_call *c, struct err *err)
{
	char path[] = "/tmp/weir-edit-XXXXXX.sql";
	const char *file = c->arg_n ? c->args[0] : path;
	if (!c->arg_n) {
		int fd = mkstemps(path, 4);
		if (fd < 0)
			return err_set(err, ERR_FILE, "%s: %s", path, strerror(errno));
		struct out o;
		out_init(&o, fd);
		o.owns_fd = true;
		const char *text = c->script->scan.text ? c->script->sql.data : c->sh->last_sql ? c->sh->last_sql : "";
		out_addf(&o, "%s%s", text, *text && text[strlen(text) - 1] != '\n' ? "\n" : "");
		out_finish(&o);
	}
	char *text = run_editor(file, err) ? slurp(file, err) : NULL;
	if (!c->arg_n)
		unlink(path);
	if (!text)
		return false;
	script_reset(c->script);
	report_line(c->sh, "%s", text);
	history_add(text);
	/* As if it had been typed: complete statements run, the rest stays open. */
	for (char *line = text, *next; line && !c->sh->quit; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (*line || next)
			script_line(c->sh, c->script, line, strlen(line));
	}
	free(text);
	return true;
}

static void history_line(void *arg, const char *line)
{
	out_addf(arg, "%s\n", line);
}

bool cmd_history(struct command_call *c, struct err *err)
{
	if (!c->arg_n) {
		history_each(history_line, shell_out(c->sh));
		out_flush(shell_out(c->sh));
		return true;
	}
	struct out o;
	if (!out_open_file(&o, c->args[0], false, err))
		return false;
	history_each(history_line, &o);
	out_finish(&o);
	return out_ok(&o) || err_set(err, ERR_FILE, "%s: %s", c->args[0], strerror(o.error_n));
}
