/* The shell's state and its parts. One struct shell a process, owned by the main thread; the ticker's thread sees only what ticker.h hands it.
 *
 *   main.c      options -> shell_main
 *   script.c    lines of a file, of -c, of the prompt -> statements and commands
 *   run.c       a statement: prepare, step, print, its errors and summaries
 *   report.c    what goes to stderr
 *   command.c   the table of \ and . commands; cmd_*.c do the work
 *   repl.c complete.c   readline; nothing else includes it */
#ifndef WEIR_SHELL_SHELL_H
#define WEIR_SHELL_SHELL_H

#include "shell/host.h"
#include "shell/out.h"
#include "shell/print.h"
#include "shell/ticker.h"
#include "sql/session.h"

struct script;

/* Where a piece of text came from, for messages: name:line:column. name NULL = typed at the prompt. Both count from 1, columns in characters. */
struct origin {
	const char *name;
	int line, column;
};

struct shell {
	const struct options *options;
	const struct shell_host *host;       /* may be NULL */
	struct session *session;
	char *db_path;
	struct ticker ticker;

	struct out out;                      /* standard output */
	struct out redirect;                 /* \o, .output, .once, \g FILE */
	bool redirected;
	bool redirect_once;
	struct print_settings print;
	char *insert_table;                  /* .mode insert TABLE */

	bool interactive;                    /* a prompt with readline */
	bool stderr_tty, color_stderr;
	bool timing, stats, rewrite, changes, keep_going, quiet, eqp;
	int echo;                            /* 1 = every statement to stderr */
	bool pager;
	char *pager_command;                 /* \pset pager CMD; NULL = $PAGER or less */
	char *prompt1, *prompt2;             /* NULL = the default */

	struct script *script;               /* the one being read */
	int script_depth;
	char *last_sql;                      /* for \g, \watch, \p, \w, \e on an empty buffer */

	/* One-shot changes for the next statement */
	bool once_expanded;                  /* \gx */
	const struct print_impl *once_mode;  /* \plot; NULL = print.mode */
	char *gset_prefix;                   /* \gset; NULL = print */

	struct err last_error;               /* \errverbose */
	char last_error_where[512];
	int first_exit;                      /* of the first error, 0 = none */
	bool quit;
	int quit_code;
	bool fatal;                          /* stop reading scripts now (error, signal, closed output) */
	int64_t notice_n;
	size_t tour_step;                    /* the last one shown */
	char **mounts;                       /* \mount: directories, absolute */
	size_t mount_n;
};

bool shell_create(struct shell *sh, const struct options *o, const struct shell_host *host, struct err *err);
void shell_finish(struct shell *sh);
bool shell_open_session(struct shell *sh, const char *db_path, struct err *err);     /* .open; the old one stays on failure */
void shell_end_mounts(struct shell *sh);                 /* cmd_mount.c */
struct out *shell_out(struct shell *sh);                 /* where data goes now */
void shell_close_redirect(struct shell *sh);
void shell_end_once(struct shell *sh);      /* \gx, \plot, \gset, \g FILE hold for one statement, also one that could not be run */
int shell_exit_code(const struct shell *sh);
int shell_screen_columns(void);                          /* 0 = not known */
int shell_screen_rows(void);

/* run.c: all statements of the text. False = an error was reported (and stop, unless keep_going). */
bool shell_run_sql(struct shell *sh, const char *sql, size_t len, const struct origin *at);
bool shell_run_internal(struct shell *sh, const char *sql);      /* of a command: errors are reported without place */
/* First row and column as a cell's SQL truth; false with err on failure. */
bool shell_query_true(struct shell *sh, const char *sql, bool *ret, struct err *err);
/* Calls each for every row of a query (all columns as text, NULL = SQL NULL; each may be NULL); errors are returned, not reported. */
bool shell_query_each(struct shell *sh, const char *sql, void (*each)(void *arg, int n, const char *const *text), void *arg, struct err *err);

/* report.c: all on stderr, the progress line is taken away first. */
void report_line(struct shell *sh, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void report_notice(struct shell *sh, enum notice_level level, const char *text);
/* Counts for the exit code. sql/len: the statement's text, for the line with a caret; at: where the text begins (NULL = no place). */
void report_error(struct shell *sh, const struct err *err, const struct origin *at, const char *sql, size_t len);
void report_usage(const struct err *err);                /* before there is a shell */
void report_errverbose(struct shell *sh);
int explain_error(const char *what);                     /* weir explain; the exit code */

/* repl.c */
void repl_run(struct shell *sh);
bool repl_confirm(struct shell *sh, const char *question);       /* y/N on the terminal; false if there is none */

/* signals.c */
void signals_install(void);
void signals_watch(struct session *s);                   /* whose statement a signal cancels; NULL = none */
int signals_last(void);                                  /* 0 = none since signals_forget */
void signals_forget(void);                               /* SIGINT only: TERM and HUP stay */
void signals_hold(bool hold);                            /* while a child owns the terminal SIGINT is its business */
bool signals_resized(void);                              /* since the last call */
bool signals_continued(void);

#endif
