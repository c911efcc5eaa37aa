/* Variables and scripts: \set \unset \echo \qecho \warn .print .echo .bail \assert \if \elif \else \endif */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "shell/command.h"

static void print_variable(void *arg, const char *name, const char *value)
{
	out_addf(arg, "%s = '%s'\n", name, value ? value : "");
}

/* Names that steer the shell itself, as in psql. */
static void special(struct shell *sh, const char *name, const char *value)
{
	struct err ignored;
	bool on = false;
	bool is_switch = command_on_off(value, &on, &ignored);
	if (strcmp(name, "ON_ERROR_STOP") == 0 && is_switch)
		sh->keep_going = !on;
	else if (strcmp(name, "QUIET") == 0 && is_switch)
		sh->quiet = on;
	else if (strcmp(name, "ECHO") == 0)
		sh->echo = strcmp(value, "all") == 0 || strcmp(value, "queries") == 0;
}

bool cmd_set(struct command_call *c, struct err *err)
{
	struct buf value = BUF_INIT;
	if (!c->arg_n) {
		session_each_variable(c->sh->session, print_variable, shell_out(c->sh));
		out_flush(shell_out(c->sh));
		return true;
	}
	for (const char *p = c->args[0]; *p; p++)
		if (!(*p == '_' || (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')))
			return err_set(err, ERR_SCRIPT, "\\set: \"%s\" is no variable name (letters, digits, _)", c->args[0]);
	for (int i = 1; i < c->arg_n; i++)
		buf_adds(&value, c->args[i]);
	session_set_variable(c->sh->session, c->args[0], value.data);
	special(c->sh, c->args[0], value.data);
	buf_finish(&value);
	return true;
}

bool cmd_unset(struct command_call *c, struct err *err)
{
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, "\\unset NAME");
	session_set_variable(c->sh->session, c->args[0], NULL);
	return true;
}

static void join(struct command_call *c, struct buf *to)
{
	bool no_newline = c->command->prefix == '\\' && c->arg_n && strcmp(c->args[0], "-n") == 0;
	for (int i = no_newline; i < c->arg_n; i++) {
		buf_adds(to, i > no_newline ? " " : "");
		buf_adds(to, c->args[i]);
	}
	if (!no_newline)
		buf_addc(to, '\n');
}

bool cmd_echo(struct command_call *c, struct err *err)
{
	struct buf b = BUF_INIT;
	(void)err;
	join(c, &b);
	out_add(&c->sh->out, b.data, b.len);
	out_flush(&c->sh->out);
	buf_finish(&b);
	return true;
}

bool cmd_qecho(struct command_call *c, struct err *err)
{
	struct buf b = BUF_INIT;
	(void)err;
	join(c, &b);
	out_add(shell_out(c->sh), b.data, b.len);
	out_flush(shell_out(c->sh));
	buf_finish(&b);
	return true;
}

bool cmd_warn(struct command_call *c, struct err *err)
{
	struct buf b = BUF_INIT;
	(void)err;
	join(c, &b);
	if (b.len && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	report_line(c->sh, "%s", b.data);
	buf_finish(&b);
	return true;
}

bool cmd_echo_mode(struct command_call *c, struct err *err)
{
	bool on;
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, ".echo on|off");
	if (!command_on_off(c->args[0], &on, err))
		return false;
	c->sh->echo = on;
	return true;
}

bool cmd_bail(struct command_call *c, struct err *err)
{
	bool on;
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, ".bail on|off");
	if (!command_on_off(c->args[0], &on, err))
		return false;
	c->sh->keep_going = !on;
	return true;
}

bool cmd_assert(struct command_call *c, struct err *err)
{
	bool value = false;
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, "\\assert QUERY");
	char *sql = c->args[0];
	size_t n = strlen(sql);
	if (n && sql[n - 1] == ';')
		sql[n - 1] = '\0';
	if (!shell_query_true(c->sh, sql, &value, err)) {
		err->sql_offset = -1;
		return false;
	}
	return value || err_set(err, ERR_ASSERT, "assertion failed: %s", sql);
}

/* psql's booleans; anything else is an error. */
static bool condition(struct command_call *c, bool *ret, struct err *err)
{
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, "\\%s wants true or false", c->name);
	if (strcasecmp(c->args[0], "t") == 0 || strcasecmp(c->args[0], "f") == 0) {
		*ret = c->args[0][0] == 't' || c->args[0][0] == 'T';
		return true;
	}
	if (command_on_off(c->args[0], ret, err))
		return true;
	return err_set(err, ERR_SCRIPT, "\\%s: \"%s\" is neither true nor false", c->name, c->args[0]);
}

bool cmd_if(struct command_call *c, struct err *err)
{
	struct script *s = c->script;
	bool parent = script_active(s);
	bool value = false;
	if (s->if_n == SCRIPT_IF_MAX)
		return err_set(err, ERR_SCRIPT, "\\if nested more than %d deep", SCRIPT_IF_MAX);
	if (parent && !condition(c, &value, err))
		return false;
	s->ifs[s->if_n++] = (struct script_if){.active = parent && value, .done = value, .parent = parent, .line = s->line};
	return true;
}

static struct script_if *open_if(struct command_call *c, struct err *err)
{
	if (c->script->if_n)
		return &c->script->ifs[c->script->if_n - 1];
	err_set(err, ERR_SCRIPT, "\\%s without \\if", c->name);
	return NULL;
}

bool cmd_elif(struct command_call *c, struct err *err)
{
	struct script_if *i = open_if(c, err);
	bool value = false;
	if (!i)
		return false;
	if (i->seen_else)
		return err_set(err, ERR_SCRIPT, "\\elif after \\else");
	if (i->parent && !i->done && !condition(c, &value, err))
		return false;
	i->active = i->parent && !i->done && value;
	i->done |= i->active;
	return true;
}

bool cmd_else(struct command_call *c, struct err *err)
{
	struct script_if *i = open_if(c, err);
	if (!i)
		return false;
	if (i->seen_else)
		return err_set(err, ERR_SCRIPT, "\\else after \\else");
	i->seen_else = true;
	i->active = i->parent && !i->done;
	i->done = true;
	return true;
}

bool cmd_endif(struct command_call *c, struct err *err)
{
	if (!open_if(c, err))
		return false;
	c->script->if_n--;
	return true;
}
