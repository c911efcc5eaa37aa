/* \? \h \q \errverbose \tour \timing \stats .changes .eqp .rewrite .show .prompt */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "shell/command.h"

bool cmd_help(struct command_call *c, struct err *err)
{
	(void)err;
	command_help(c->sh, c->command->prefix, c->arg_n ? c->args[0] : NULL);
	return true;
}

static const struct {
	const char *name, *syntax, *help;
} statements[] = {
	{"SELECT", "SELECT .. FROM topic [WHERE _ts >= ts('-1h') ..] [LIMIT n]", "a topic is a table; its offsets are frozen when the query starts"},
	{"ATTACH CLUSTER", "ATTACH CLUSTER 'b1:9092,b2:9092' AS name [WITH (profile = 'p')]", "another cluster; name.\"topic\" names its topics"},
	{"CREATE STREAM", "CREATE STREAM s [(col TYPE [FROM '$.path' | FROM HEADER 'h' | FROM KEY], ..)] FROM TOPIC 't' [WITH (format = 'json', ..)]", "a topic with declared columns"},
	{"CREATE TABLE", "CREATE TABLE x (k TEXT PRIMARY KEY, ..) FROM TOPIC 't'", "the last value of each key"},
	{"PRINT", "PRINT 'topic' [FROM BEGINNING | '-1h'] [LIMIT n]", "messages as they are"},
	{"SHOW", "SHOW TOPICS | STREAMS | VIEWS | QUERIES | GROUPS | FUNCTIONS | CLUSTERS [LIKE '..']", "what is there"},
	{"DESCRIBE", "DESCRIBE [EXTENDED] name", "columns, where they come from, what inference saw"},
	{"EXPLAIN SCAN", "EXPLAIN SCAN query", "which offsets would be read, and why"},
	{"INSERT", "INSERT INTO stream (_key, col, ..) VALUES (..) | SELECT ..", "write messages; needs --write or SET write = on"},
	{"SET", "SET write = on; SET time_slack = '10m'", "session settings"},
};

bool cmd_sql_help(struct command_call *c, struct err *err)
{
	struct out *out = shell_out(c->sh);
	(void)err;
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
		if (!c->arg_n || strncasecmp(statements[i].name, c->args[0], strlen(c->args[0])) == 0)
			out_addf(out, "%s\n    %s\n", statements[i].syntax, statements[i].help);
	if (!c->arg_n)
		out_adds(out, "\nEverything else is SQLite's: https://sqlite.org/lang.html\n");
	out_flush(out);
	return true;
}

bool cmd_quit(struct command_call *c, struct err *err)
{
	int code = c->arg_n ? atoi(c->args[0]) : 0;
	(void)err;
	if (c->command->prefix == '\\' && c->script->outer && c->script->name && !c->arg_n) {
		c->script->stopped = true;       /* psql: \q in an included script ends only that */
		return true;
	}
	c->sh->quit = true;
	c->sh->quit_code = code;
	return true;
}

bool cmd_errverbose(struct command_call *c, struct err *err)
{
	(void)err;
	report_errverbose(c->sh);
	return true;
}

bool cmd_tour(struct command_call *c, struct err *err)
{
	const struct shell_host *h = c->sh->host;
	if (!h || !h->tour_n) {
		err_set(err, ERR_SCRIPT, "there is no tour here");
		err_hint(err, "weir demo has one");
		return false;
	}
	long step = c->arg_n ? strtol(c->args[0], NULL, 10) : (long)c->sh->tour_step + 1;
	if (step < 1 || (size_t)step > h->tour_n)
		return err_set(err, ERR_SCRIPT, c->arg_n ? "the tour has steps 1 to %zu" : "the tour's %zu steps are done; \\tour 1 begins again", h->tour_n);
	const struct tour_step *s = &h->tour[step - 1];
	c->sh->tour_step = (size_t)step;
	report_line(c->sh, "%s%ld/%zu  %s%s", c->sh->interactive ? "\n" : "", step, h->tour_n, s->title, "");
	if (s->text && *s->text)
		report_line(c->sh, "%s", s->text);
	report_line(c->sh, "\n%s\n", s->sql);
	bool ok = shell_run_internal(c->sh, s->sql);
	free(c->sh->last_sql);
	c->sh->last_sql = xstrdup(s->sql);
	if (c->sh->interactive && (size_t)step < h->tour_n)
		report_line(c->sh, "\\tour goes on");
	return ok;
}

static bool toggle(struct command_call *c, bool *value, const char *name, struct err *err)
{
	bool to = !*value;
	if (c->arg_n && !command_on_off(c->args[0], &to, err))
		return false;
	*value = to;
	if (c->sh->interactive && !c->sh->quiet)
		report_line(c->sh, "%s is %s.", name, to ? "on" : "off");
	return true;
}

bool cmd_timing(struct command_call *c, struct err *err)
{
	return toggle(c, &c->sh->timing, "Timing", err);
}

bool cmd_stats(struct command_call *c, struct err *err)
{
	return toggle(c, &c->sh->stats, "Stats", err);
}

bool cmd_changes(struct command_call *c, struct err *err)
{
	return toggle(c, &c->sh->changes, "Changes", err);
}

bool cmd_eqp(struct command_call *c, struct err *err)
{
	return toggle(c, &c->sh->eqp, "Query plans", err);
}

bool cmd_rewrite(struct command_call *c, struct err *err)
{
	return toggle(c, &c->sh->rewrite, "Rewrite", err);
}

static void show_quoted(struct out *out, const char *name, const char *value, const char *otherwise)
{
	out_addf(out, "%14s: ", name);
	if (!value) {
		out_addf(out, "%s\n", otherwise);
		return;
	}
	struct buf b = BUF_INIT;
	print_json_string(&b, value, strlen(value), true);
	out_addf(out, "%s\n", b.data);
	buf_finish(&b);
}

static const char *on(bool v)
{
	return v ? "on" : "off";
}

bool cmd_show(struct command_call *c, struct err *err)
{
	const struct shell *sh = c->sh;
	struct out *out = shell_out(c->sh);
	static const char *const stamps[] = {"auto", "raw", "text"};
	static const char *const expanded[] = {"auto", "off", "on"};
	(void)err;
	out_addf(out, "%14s: %s\n", "mode", sh->print.mode->name);
	out_addf(out, "%14s: %s\n", "headers", on(sh->print.headers && !sh->print.tuples_only));
	out_addf(out, "%14s: %s\n", "expanded", expanded[sh->print.expanded]);
	show_quoted(out, "nullvalue", sh->print.null_text, "(of the mode)");
	show_quoted(out, "colseparator", sh->print.column_separator, "(of the mode)");
	show_quoted(out, "rowseparator", sh->print.row_separator, "\"\\n\"");
	out_addf(out, "%14s: %s\n", "timestamps", stamps[sh->print.timestamps]);
	out_addf(out, "%14s: %s\n", "tz", sh->options->tz ? sh->options->tz : "UTC");
	out_addf(out, "%14s: %s\n", "timer", on(sh->timing));
	out_addf(out, "%14s: %s\n", "stats", on(sh->stats));
	out_addf(out, "%14s: %s\n", "changes", on(sh->changes));
	out_addf(out, "%14s: %s\n", "eqp", on(sh->eqp));
	out_addf(out, "%14s: %s\n", "rewrite", on(sh->rewrite));
	out_addf(out, "%14s: %s\n", "echo", on(sh->echo));
	out_addf(out, "%14s: %s\n", "bail", on(!sh->keep_going));
	out_addf(out, "%14s: %s\n", "pager", on(sh->pager));
	out_addf(out, "%14s: %s\n", "output", sh->redirected ? "redirected" : "stdout");
	out_addf(out, "%14s: %s\n", "filename", sh->db_path ? sh->db_path : ":memory:");
	out_addf(out, "%14s: %s\n", "cluster", *session_cluster(sh->session) ? session_cluster(sh->session) : "(none)");
	out_flush(out);
	return true;
}

bool cmd_prompt_text(struct command_call *c, struct err *err)
{
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, ".prompt MAIN [CONTINUE]");
	free(c->sh->prompt1);
	c->sh->prompt1 = xstrdup(c->args[0]);
	if (c->arg_n > 1) {
		free(c->sh->prompt2);
		c->sh->prompt2 = xstrdup(c->args[1]);
	}
	return true;
}
