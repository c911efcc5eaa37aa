/* The prompt: readline in callback mode, so that signals, resizes and the terminal's end are seen by one poll loop.
 * Ctrl-C drops what is typed and stays; during a statement it cancels that. Ctrl-D on an empty line leaves. History holds whole statements. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <readline/history.h>
#include <readline/readline.h>
#include "core/alloc.h"
#include "core/utf8.h"
#include "shell/command.h"
#include "shell/complete.h"
#include "shell/history.h"
#include "shell/version.h"

static struct {
	struct shell *sh;
	struct script script;
	struct buf entry;                    /* the open statement's lines, for the history */
	bool installed;
	bool line_done;                      /* the callback ran */
	bool end;                            /* Ctrl-D */
} repl;

const char *repl_readline_version(void)
{
	return rl_library_version;
}

/* The default prompt is cluster=> and, while a statement is open, what it waits for: -> '> "> *> (> */
static char *prompt_text(void)
{
	struct shell *sh = repl.sh;
	const struct script *s = &repl.script;
	char name[64] = "weir";
	const char *cluster = session_cluster(sh->session);
	if (*cluster)
		utf8_escape_into(name, sizeof name, cluster, strlen(cluster), false);
	bool open = s->scan.text || s->scan.open;
	if (open && sh->prompt2)
		return xstrdup(sh->prompt2);
	if (!open && sh->prompt1)
		return xstrdup(sh->prompt1);
	if (open) {
		size_t width = utf8_width(name, strlen(name));
		return xasprintf("%*s%c> ", (int)width, "", s->scan.open && s->scan.open != '-' ? s->scan.open : '-');
	}
	if (!script_active(s))
		return xasprintf("%s@> ", name);
	return sh->print.color ? xasprintf("\001\x1b[1m\002%s=>\001\x1b[0m\002 ", name) : xasprintf("%s=> ", name);
}

static void save_entry(void)
{
	if (repl.entry.len)
		history_add(repl.entry.data);
	buf_clear(&repl.entry);
}

static void take_lines(char *text)
{
	/* A pasted block is one line with newlines in it. */
	for (char *line = text, *next; line && !repl.sh->quit; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		buf_adds(&repl.entry, repl.entry.len ? "\n" : "");
		buf_adds(&repl.entry, line);
		bool last = !next;
		/* \s and the like should see the line that asked. */
		bool command = !repl.script.scan.text && (line[strspn(line, " \t")] == '\\' || line[strspn(line, " \t")] == '.');
		if (command && last)
			save_entry();
		script_line(repl.sh, &repl.script, line, strlen(line));
		if (!repl.script.scan.text && !repl.script.scan.open)
			save_entry();
	}
}

static void remove_prompt(void)
{
	if (repl.installed)
		rl_callback_handler_remove();
	repl.installed = false;
}

static void on_line(char *line)
{
	/* The terminal is given back before the statement runs. */
	remove_prompt();
	repl.line_done = true;
	if (!line) {
		repl.end = true;
		return;
	}
	take_lines(line);
	free(line);
}

static void show_prompt(void)
{
	char *prompt = prompt_text();
	repl.sh->print.screen_columns = shell_screen_columns();
	rl_callback_handler_install(prompt, on_line);
	repl.installed = true;
	repl.line_done = false;
	free(prompt);
}

/* Ctrl-C at the prompt. */
static void drop_line(void)
{
	rl_callback_sigcleanup();
	rl_point = rl_end;
	rl_redisplay();
	(void)!write(fileno(rl_outstream ? rl_outstream : stdout), "^C\n", 3);
	remove_prompt();
	rl_replace_line("", 0);
	buf_clear(&repl.entry);
	script_reset(&repl.script);
	signals_forget();
}

static bool asked_to_end(void)
{
	int n = signals_last();
	return n == SIGTERM || n == SIGHUP;
}

static void one_line(void)
{
	show_prompt();
	while (!repl.line_done) {
		enum { PUMP_MS = 20, WAIT_MS = 1000 };
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
		int again = session_pump(repl.sh->session, PUMP_MS);     /* views are kept up to date while nobody types */
		int n = poll(&p, 1, again < 0 ? WAIT_MS : again);
		if (asked_to_end())
			break;
		if (signals_last() == SIGINT) {
			drop_line();
			return;
		}
		if (signals_resized()) {
			rl_resize_terminal();
			repl.sh->print.screen_columns = shell_screen_columns();
		}
		if (signals_continued()) {
			rl_prep_terminal(1);
			rl_forced_update_display();
		}
		if (n > 0 && (p.revents & (POLLIN | POLLHUP | POLLERR)))
			rl_callback_read_char();
		if (n > 0 && (p.revents & POLLNVAL))
			repl.end = repl.line_done = true;
	}
	remove_prompt();
}

bool repl_confirm(struct shell *sh, const char *question)
{
	char answer[16] = "";
	if (!sh->interactive || isatty(STDIN_FILENO) != 1)
		return false;
	report_line(sh, "%s [y/N]", question);
	/* The statement is running: its progress line must not be drawn over the answer. */
	ticker_lock(&sh->ticker);
	bool progress = sh->ticker.progress;
	sh->ticker.progress = false;
	ticker_unlock(&sh->ticker);
	ssize_t n = read(STDIN_FILENO, answer, sizeof answer - 1);
	ticker_lock(&sh->ticker);
	sh->ticker.progress = progress;
	ticker_unlock(&sh->ticker);
	return n > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

static void banner(struct shell *sh)
{
	if (sh->quiet)
		return;
	const char *cluster = session_cluster(sh->session);
	if (sh->host && sh->host->banner)
		report_line(sh, "%s", sh->host->banner);
	else if (*cluster)
		report_line(sh, "weir " WEIR_VERSION ", cluster %s. \\? for commands, \\dt for topics, \\q to leave.", cluster);
	else
		report_line(sh, "weir " WEIR_VERSION ", not connected; local SQL works. To connect:\n  weir -b host:9092            or at this prompt: \\c host:9092\n"
			"  weir -P name                 a profile of ~/.config/weir/config\n  weir demo                    a simulated plant to try it on");
}

static void run_rc(struct shell *sh)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	struct err err = ERR_INIT;
	if (sh->options->no_rc || (!config && !home))
		return;
	char *path = config && *config == '/' ? xasprintf("%s/weir/weirrc", config) : xasprintf("%s/.config/weir/weirrc", home ? home : "");
	if (access(path, R_OK) == 0 && !script_run_file(sh, path, &err))
		report_error(sh, &err, NULL, NULL, 0);
	sh->fatal = false;
	free(path);
}

/* rl_instream stays stdin; the prompt goes to stderr if stdout is redirected, so that data stays clean. */
static void init_readline(struct shell *sh)
{
	rl_readline_name = "weir";
	rl_catch_signals = 0;
	rl_catch_sigwinch = 0;
	rl_change_environment = 0;
	if (!sh->out.tty)
		rl_outstream = stderr;
	rl_initialize();
	using_history();
	stifle_history(HISTORY_MAX);
	complete_install(sh);
}

void repl_run(struct shell *sh)
{
	struct err err = ERR_INIT;
	repl.sh = sh;
	buf_init(&repl.entry);
	sh->print.footer = true;
	sh->keep_going = true;
	init_readline(sh);
	setenv("LESS", "-SFRX", 0);              /* for less as pager: long lines stay lines, one screen needs no key, colours */
	history_watch(add_history);
	if (!history_open(&err) && !sh->quiet)
		report_line(sh, "weir: %s", err.msg);
	run_rc(sh);
	script_init(&repl.script, NULL);
	sh->script = &repl.script;
	sh->script_depth = 1;
	if (!sh->quit)
		banner(sh);
	while (!sh->quit && !repl.end && !asked_to_end() && !sh->out.closed && !sh->out.failed) {
		signals_forget();
		sh->fatal = false;
		one_line();
	}
	if (repl.end && !sh->quit)
		(void)!write(STDERR_FILENO, "\n", 1);
	remove_prompt();
	sh->script = NULL;
	script_finish(&repl.script);
	buf_finish(&repl.entry);
	history_close();
	history_watch(NULL);
	clear_history();
}
