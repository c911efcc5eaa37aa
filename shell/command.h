/* Commands of the prompt and of scripts: \name (psql's) and .name (sqlite3's). One table (command_table.c) makes dispatch, \?, .help,
 * completion and docs. A handler gets its arguments split and unquoted; it prints data to shell_out, all else with report_*. */
#ifndef WEIR_SHELL_COMMAND_H
#define WEIR_SHELL_COMMAND_H

#include "shell/script.h"
#include "shell/shell.h"

enum { COMMAND_ARGS_MAX = 64 };

enum command_flags {
	CMD_RAW = 1,                         /* the rest of the line is one argument, as it stands */
	CMD_UNSAFE = 2,                      /* files or programs: refused under --safe */
	CMD_ALWAYS = 4,                      /* also in a dead \if branch */
	CMD_BUFFER = 8,                      /* acts on the open statement */
};

/* What Tab offers for the arguments. */
enum command_complete { COMPLETE_NONE, COMPLETE_NAME, COMPLETE_FILE, COMPLETE_MODE, COMPLETE_ON_OFF, COMPLETE_VARIABLE, COMPLETE_COMMAND };

struct command_call {
	struct shell *sh;
	struct script *script;
	const struct command *command;
	const char *name;                    /* as typed, without \ or . : an alias may mean more, e.g. dt+ */
	int arg_n;
	char **args;
	struct origin at;
};

struct command {
	char prefix;                         /* \ or . */
	const char *name;
	const char *aliases;                 /* separated by spaces; may be NULL */
	const char *args;
	const char *help;
	const char *group;
	bool (*run)(struct command_call *c, struct err *err);
	unsigned flags;
	enum command_complete complete;
};

extern const struct command command_table[];     /* ends with .name NULL; groups stand together */
const struct command *command_find(char prefix, const char *name);
/* line begins with \ or . and ends where the line does. Errors are reported; sets sh->fatal as a failed statement does. */
void command_run(struct shell *sh, struct script *s, const char *line, size_t len, const struct origin *at);
void command_help(struct shell *sh, char prefix, const char *what);     /* \? and .help; what may be NULL */
bool command_on_off(const char *text, bool *ret, struct err *err);
/* Runs the open statement, or the last one if none is open. */
bool command_run_buffer(struct command_call *c, struct err *err);

#define COMMAND(name) bool cmd_##name(struct command_call *c, struct err *err)
COMMAND(help); COMMAND(sql_help); COMMAND(quit); COMMAND(errverbose); COMMAND(tour);
COMMAND(describe); COMMAND(list_topics); COMMAND(list_views); COMMAND(list_indexes); COMMAND(list_functions); COMMAND(list_clusters); COMMAND(connect); COMMAND(conninfo);
COMMAND(tables); COMMAND(schema); COMMAND(databases); COMMAND(indexes); COMMAND(dump);
COMMAND(go); COMMAND(gx); COMMAND(plot); COMMAND(gset); COMMAND(watch); COMMAND(print_buffer); COMMAND(reset_buffer); COMMAND(write_buffer); COMMAND(edit); COMMAND(history);
COMMAND(expanded); COMMAND(tuples_only); COMMAND(unaligned); COMMAND(field_separator); COMMAND(html); COMMAND(pset); COMMAND(mode); COMMAND(headers); COMMAND(width);
COMMAND(nullvalue); COMMAND(separator); COMMAND(timestamps); COMMAND(timing); COMMAND(stats); COMMAND(rewrite); COMMAND(changes); COMMAND(eqp); COMMAND(echo_mode); COMMAND(bail);
COMMAND(show); COMMAND(prompt_text); COMMAND(pager);
COMMAND(output); COMMAND(once); COMMAND(include); COMMAND(include_relative); COMMAND(open); COMMAND(import); COMMAND(copy); COMMAND(backup); COMMAND(cd); COMMAND(shell); COMMAND(mount); COMMAND(umount);
COMMAND(set); COMMAND(unset); COMMAND(echo); COMMAND(qecho); COMMAND(warn); COMMAND(if); COMMAND(elif); COMMAND(else); COMMAND(endif); COMMAND(assert);
#undef COMMAND

#endif
