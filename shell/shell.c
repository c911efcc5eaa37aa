/* Making and ending the shell; what the options mean for it; the batch. */
#include "shell/shell.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "core/alloc.h"
#include "core/time.h"
#include "shell/script.h"

int shell_screen_columns(void)
{
	struct winsize w;
	const char *columns = getenv("COLUMNS");
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col)
			return w.ws_col;
	int n = columns ? atoi(columns) : 0;
	return n > 0 ? n : 80;
}

int shell_screen_rows(void)
{
	struct winsize w;
	const char *lines = getenv("LINES");
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row)
		return w.ws_row;
	int n = lines ? atoi(lines) : 0;
	return n > 0 ? n : 24;
}

struct out *shell_out(struct shell *sh)
{
	return sh->redirected ? &sh->redirect : &sh->out;
}

void shell_close_redirect(struct shell *sh)
{
	if (!sh->redirected)
		return;
	sh->redirected = false;
	sh->redirect_once = false;
	bool ok_before = out_ok(&sh->redirect);
	out_finish(&sh->redirect);
	if (ok_before && sh->redirect.failed) {
		struct err err = ERR_INIT;
		err_set(&err, ERR_WRITE_OUTPUT, "write error: %s", strerror(sh->redirect.error_n));
		report_error(sh, &err, NULL, NULL, 0);
	}
}

static void on_notice(void *arg, enum notice_level level, const char *text)
{
	report_notice(arg, level, text);
}

static bool on_confirm(void *arg, const char *cluster, const char *topic)
{
	struct shell *sh = arg;
	if (!sh->interactive)
		return false;
	char *question = xasprintf("Write to topic \"%s\" of cluster \"%s\"?", topic, cluster);
	bool yes = repl_confirm(sh, question);
	free(question);
	return yes;
}

/* What the options ask of every scan. */
static void configure(struct shell *sh)
{
	const struct options *o = sh->options;
	struct provider *p = session_provider(sh->session);
	struct err checked = ERR_INIT;               /* by options_parse */
	if (o->from)
		position_parse(o->from, strlen(o->from), &p->from, &checked);
	if (o->until)
		position_parse(o->until, strlen(o->until), &p->until, &checked);
	p->strict = o->strict;
	p->write_allowed = o->write;
	p->gap_policy = o->gap_policy;
	p->max_message_bytes = (size_t)o->max_message_bytes;
}

static void copy_variable(void *arg, const char *name, const char *value)
{
	session_set_variable(arg, name, value);
}

bool shell_open_session(struct shell *sh, const char *db_path, struct err *err)
{
	const struct options *o = sh->options;
	struct session_options so = {
		.db_path = db_path,
		.brokers = sh->host && sh->host->brokers ? sh->host->brokers : o->brokers,
		.properties_file = o->properties,
		.profile = o->profile,
		.settings = (const char *const *)o->settings,
		.safe = o->safe,
		.notice = on_notice,
		.confirm_write = on_confirm,
		.arg = sh,
	};
	struct session *s;
	if (!session_create(&so, &s, err))
		return false;
	if (sh->session) {
		session_each_variable(sh->session, copy_variable, s);
		session_destroy(sh->session);
	}
	sh->session = s;
	free(sh->db_path);
	sh->db_path = db_path ? xstrdup(db_path) : NULL;
	configure(sh);
	return true;
}

static bool want_color(enum color_when when, int fd)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	if (when != COLOR_AUTO)
		return when == COLOR_ALWAYS;
	return isatty(fd) == 1 && !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

/* An output that can show box characters: UTF-8 and not a dumb terminal. */
static bool plain_terminal(void)
{
	const char *term = getenv("TERM");
	return strcmp(nl_langinfo(CODESET), "UTF-8") != 0 || !term || strcmp(term, "dumb") == 0;
}

static void init_output(struct shell *sh)
{
	const struct options *o = sh->options;
	out_init(&sh->out, STDOUT_FILENO);
	sh->stderr_tty = isatty(STDERR_FILENO) == 1;
	sh->color_stderr = want_color(o->color, STDERR_FILENO);
	sh->print = (struct print_settings){.mode = print_mode_find(o->mode ? o->mode : sh->out.tty ? "box" : "tsv"), .headers = !o->no_header};
	sh->print.color = want_color(o->color, STDOUT_FILENO);
	sh->print.color_always = o->color == COLOR_ALWAYS;
	sh->print.ascii = plain_terminal();
	sh->print.csv_safe = o->csv_safe;
	sh->print.raw = o->raw;
	sh->print.null_text = o->null_text ? xstrdup(o->null_text) : NULL;
	sh->print.screen_columns = shell_screen_columns();
	if (o->tz && strcmp(o->tz, "UTC") != 0) {
		setenv("TZ", o->tz, 1);
		tzset();
		sh->print.local_time = true;
	}
}

static bool set_variables(struct shell *sh)
{
	for (size_t i = 0; i < sh->options->variable_n; i++) {
		const char *v = sh->options->variables[i];
		char *name = xstrndup(v, strcspn(v, "="));
		session_set_variable(sh->session, name, strchr(v, '=') + 1);
		free(name);
	}
	return true;
}

bool shell_create(struct shell *sh, const struct options *o, const struct shell_host *host, struct err *err)
{
	*sh = (struct shell){.options = o, .host = host, .keep_going = o->keep_going, .quiet = o->quiet, .echo = o->echo, .pager = true};
	setlocale(LC_CTYPE, "");
	init_output(sh);
	ticker_init(&sh->ticker);
	if (!shell_open_session(sh, o->db, err)) {
		ticker_finish(&sh->ticker);
		free(sh->print.null_text);
		return false;
	}
	sh->ticker.max_bytes = o->max_bytes;
	return set_variables(sh);
}

void shell_finish(struct shell *sh)
{
	shell_close_redirect(sh);
	signals_watch(NULL);
	ticker_finish(&sh->ticker);
	shell_end_mounts(sh);
	session_destroy(sh->session);
	out_finish(&sh->out);
	free(sh->print.null_text);
	free(sh->print.column_separator);
	free(sh->print.row_separator);
	free(sh->insert_table);
	free(sh->pager_command);
	free(sh->prompt1);
	free(sh->prompt2);
	free(sh->last_sql);
	free(sh->db_path);
}

int shell_exit_code(const struct shell *sh)
{
	int signal_number = signals_last();
	if (sh->out.closed)
		return EXIT_PIPE;
	if (signal_number == SIGTERM || signal_number == SIGHUP || (signal_number == SIGINT && !sh->interactive))
		return 128 + signal_number;
	if (sh->quit && sh->quit_code)
		return sh->quit_code;
	return sh->interactive ? EXIT_OK : sh->first_exit;
}

/* -c and -f in their order, or standard input. */
static void run_batch(struct shell *sh)
{
	const struct options *o = sh->options;
	for (size_t i = 0; i < o->item_n && !sh->quit && !sh->fatal && !signals_last(); i++) {
		struct err err = ERR_INIT;
		if (!o->items[i].is_file)
			script_run_text(sh, "-c", o->items[i].text);
		else if (!script_run_file(sh, o->items[i].text, &err)) {
			report_error(sh, &err, NULL, NULL, 0);
			sh->fatal = !sh->keep_going;
		}
	}
	if (!o->item_n) {
		struct err err = ERR_INIT;
		if (!script_run_file(sh, "-", &err))
			report_error(sh, &err, NULL, NULL, 0);
	}
}

int shell_main(const struct options *o, const struct shell_host *host)
{
	struct shell sh;
	struct err err = ERR_INIT;
	signals_install();
	if (!shell_create(&sh, o, host, &err)) {
		report_usage(&err);
		return err_exit_code(&err);
	}
	sh.interactive = !o->item_n && isatty(STDIN_FILENO) == 1 && !o->dry_run;
	if (o->timeout_ms && !sh.interactive)
		sh.ticker.deadline_ms = time_mono_ms() + o->timeout_ms;
	/* Closing the session rolls back what --dry-run had to create. */
	if (o->dry_run)
		shell_query_each(&sh, "BEGIN", NULL, NULL, &err);
	if (sh.interactive)
		repl_run(&sh);
	else
		run_batch(&sh);
	shell_close_redirect(&sh);
	out_flush(&sh.out);
	if (sh.out.failed && !sh.first_exit) {
		err_set(&err, ERR_WRITE_OUTPUT, "write error: %s", strerror(sh.out.error_n));
		report_error(&sh, &err, NULL, NULL, 0);
	}
	int code = shell_exit_code(&sh);
	shell_finish(&sh);
	return code;
}
