/* How results look: .mode \x \t \a \f \H \pset .headers .width .nullvalue .separator .timestamps */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "shell/command.h"
#include "shell/suggest.h"

static void replace(char **to, const char *text)
{
	free(*to);
	*to = text ? xstrdup(text) : NULL;
}

static void say(struct command_call *c, const char *fmt, const char *value)
{
	if (c->sh->interactive && !c->sh->quiet)
		report_line(c->sh, fmt, value);
}

static bool set_mode(struct command_call *c, const char *name, struct err *err)
{
	const struct print_impl *mode = print_mode_find(name);
	if (!mode) {
		struct suggest s;
		suggest_init(&s, name);
		for (int i = 0; print_modes[i]; i++)
			suggest_offer(&s, print_modes[i]->name);
		err_set(err, ERR_SCRIPT, "no mode \"%s\"", name);
		if (s.best)
			err_hint(err, "did you mean %s?", s.best);
		else
			err_hint(err, "%s", c->command->help);
		return false;
	}
	c->sh->print.mode = mode;
	replace(&c->sh->print.column_separator, NULL);
	replace(&c->sh->print.row_separator, NULL);
	return true;
}

bool cmd_mode(struct command_call *c, struct err *err)
{
	if (!c->arg_n) {
		out_addf(shell_out(c->sh), "current output mode: %s\n", c->sh->print.mode->name);
		out_flush(shell_out(c->sh));
		return true;
	}
	if (!set_mode(c, c->args[0], err))
		return false;
	replace(&c->sh->insert_table, c->arg_n > 1 ? c->args[1] : NULL);
	return true;
}

bool cmd_expanded(struct command_call *c, struct err *err)
{
	struct print_settings *p = &c->sh->print;
	bool on = p->expanded != EXPANDED_ON;
	if (c->arg_n && strcasecmp(c->args[0], "auto") == 0) {
		p->expanded = EXPANDED_AUTO;
	} else {
		if (c->arg_n && !command_on_off(c->args[0], &on, err))
			return false;
		p->expanded = on ? EXPANDED_ON : EXPANDED_OFF;
	}
	say(c, "Expanded display is %s.", p->expanded == EXPANDED_AUTO ? "used automatically" : on ? "on" : "off");
	return true;
}

bool cmd_tuples_only(struct command_call *c, struct err *err)
{
	bool on = !c->sh->print.tuples_only;
	if (c->arg_n && !command_on_off(c->args[0], &on, err))
		return false;
	c->sh->print.tuples_only = on;
	say(c, "Tuples only is %s.", on ? "on" : "off");
	return true;
}

static bool flip_mode(struct command_call *c, const char *name, struct err *err)
{
	const char *people = c->sh->out.tty ? "box" : "tsv";
	const char *to = c->sh->print.mode == print_mode_find(name) ? people : name;
	say(c, "Output format is %s.", to);
	return set_mode(c, to, err);
}

bool cmd_unaligned(struct command_call *c, struct err *err)
{
	return flip_mode(c, "list", err);
}

bool cmd_html(struct command_call *c, struct err *err)
{
	return flip_mode(c, "html", err);
}

bool cmd_field_separator(struct command_call *c, struct err *err)
{
	(void)err;
	if (c->arg_n)
		replace(&c->sh->print.column_separator, c->args[0]);
	say(c, "Field separator is \"%s\".", c->sh->print.column_separator ? c->sh->print.column_separator : c->sh->print.mode->column_separator);
	return true;
}

bool cmd_headers(struct command_call *c, struct err *err)
{
	bool on;
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, ".headers on|off");
	if (!command_on_off(c->args[0], &on, err))
		return false;
	c->sh->print.headers = on;
	c->sh->print.headers_given = true;
	c->sh->print.tuples_only = false;
	return true;
}

bool cmd_width(struct command_call *c, struct err *err)
{
	struct print_settings *p = &c->sh->print;
	enum { WIDTH_MAX = (int)(sizeof p->widths / sizeof *p->widths) };
	for (int i = 0; i < c->arg_n; i++) {
		char *end;
		long v = strtol(c->args[i], &end, 10);
		if (i >= WIDTH_MAX || *end || v < -10000 || v > 10000)
			return err_set(err, ERR_SCRIPT, ".width: \"%s\" is no width", c->args[i]);
	}
	p->width_n = c->arg_n;
	for (int i = 0; i < c->arg_n; i++)
		p->widths[i] = (int)strtol(c->args[i], NULL, 10);
	return true;
}

bool cmd_nullvalue(struct command_call *c, struct err *err)
{
	if (!c->arg_n)
		return err_set(err, ERR_SCRIPT, ".nullvalue TEXT");
	replace(&c->sh->print.null_text, c->args[0]);
	return true;
}

/* sqlite3 expands \t and \n in separators even where they are not quoted. */
static char *unescape(const char *text)
{
	struct buf b = BUF_INIT;
	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1]) {
			p++;
			buf_addc(&b, *p == 't' ? '\t' : *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p);
		} else {
			buf_addc(&b, *p);
		}
	}
	return buf_take(&b);
}

bool cmd_separator(struct command_call *c, struct err *err)
{
	struct print_settings *p = &c->sh->print;
	if (!c->arg_n || !*c->args[0])
		return err_set(err, ERR_SCRIPT, ".separator COLUMN [ROW]");
	free(p->column_separator);
	p->column_separator = unescape(c->args[0]);
	if (c->arg_n > 1) {
		free(p->row_separator);
		p->row_separator = unescape(c->args[1]);
	}
	return true;
}

bool cmd_timestamps(struct command_call *c, struct err *err)
{
	static const char *const names[] = {"auto", "raw", "text"};
	for (int i = 0; i < 3; i++)
		if (c->arg_n && strcasecmp(c->args[0], names[i]) == 0) {
			c->sh->print.timestamps = (enum print_timestamps)i;
			return true;
		}
	return err_set(err, ERR_SCRIPT, ".timestamps raw|text|auto");
}

static bool pset_format(struct command_call *c, const char *value, struct err *err)
{
	return set_mode(c, value, err);
}

static bool pset_null(struct command_call *c, const char *value, struct err *err)
{
	(void)err;
	replace(&c->sh->print.null_text, value);
	return true;
}

static bool pset_separator(struct command_call *c, const char *value, struct err *err)
{
	(void)err;
	replace(&c->sh->print.column_separator, value);
	return true;
}

static bool pset_footer(struct command_call *c, const char *value, struct err *err)
{
	return command_on_off(value, &c->sh->print.footer, err);
}

static bool pset_tuples_only(struct command_call *c, const char *value, struct err *err)
{
	return command_on_off(value, &c->sh->print.tuples_only, err);
}

static bool pset_pager(struct command_call *c, const char *value, struct err *err)
{
	struct err ignored;
	(void)err;
	if (strcasecmp(value, "always") == 0) {
		c->sh->pager = true;
	} else if (!command_on_off(value, &c->sh->pager, &ignored)) {
		c->sh->pager = true;
		replace(&c->sh->pager_command, value);
	}
	return true;
}

static bool pset_expanded(struct command_call *c, const char *value, struct err *err)
{
	(void)value;
	c->args++;
	c->arg_n--;
	bool ok = cmd_expanded(c, err);
	c->args--;
	c->arg_n++;
	return ok;
}

static bool pset_border(struct command_call *c, const char *value, struct err *err)
{
	return set_mode(c, strcmp(value, "0") == 0 ? "column" : strcmp(value, "1") == 0 ? "table" : "box", err);
}

bool cmd_pset(struct command_call *c, struct err *err)
{
	static const struct {
		const char *name;
		bool (*set)(struct command_call *c, const char *value, struct err *err);
		const char *otherwise;
	} settings[] = {{"format", pset_format, "aligned"}, {"null", pset_null, ""}, {"expanded", pset_expanded, "on"}, {"x", pset_expanded, "on"}, {"fieldsep", pset_separator, "|"},
		{"csv_fieldsep", pset_separator, ","}, {"footer", pset_footer, "on"}, {"tuples_only", pset_tuples_only, "on"}, {"t", pset_tuples_only, "on"}, {"pager", pset_pager, "on"},
		{"border", pset_border, "2"}};
	if (!c->arg_n)
		return cmd_show(c, err);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (strcasecmp(c->args[0], settings[i].name) == 0)
			return settings[i].set(c, c->arg_n > 1 ? c->args[1] : settings[i].otherwise, err);
	err_set(err, ERR_SCRIPT, "\\pset: no setting \"%s\"", c->args[0]);
	err_hint(err, "%s", c->command->help);
	return false;
}
