/* Finding, splitting and running commands; \? and .help. */
#include "shell/command.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "shell/suggest.h"

static bool in_list(const char *list, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = list; p && *p; p += strcspn(p, " "), p += strspn(p, " "))
		if (strncmp(p, name, n) == 0 && (p[n] == ' ' || !p[n]))
			return n > 0;
	return false;
}

const struct command *command_find(char prefix, const char *name)
{
	for (const struct command *c = command_table; c->name; c++)
		if (c->prefix == prefix && (strcmp(c->name, name) == 0 || in_list(c->aliases, name)))
			return c;
	/* sqlite3 takes any unambiguous beginning of a dot command. */
	const struct command *found = NULL;
	size_t n = strlen(name);
	for (const struct command *c = command_table; prefix == '.' && n >= 2 && c->name; c++)
		if (c->prefix == '.' && strncmp(c->name, name, n) == 0) {
			if (found)
				return NULL;
			found = c;
		}
	return found;
}

/* :name, :'name', :"name" at p. Returns bytes used, 0 if it is no variable that is set. */
static size_t add_variable(struct shell *sh, const char *p, const char *end, struct buf *to)
{
	const char *q = p + 1;
	char quote = q < end && (*q == '\'' || *q == '"') ? *q++ : 0;
	const char *name = q;
	while (q < end && (*q == '_' || (*q >= '0' && *q <= '9') || (*q >= 'a' && *q <= 'z') || (*q >= 'A' && *q <= 'Z')))
		q++;
	if (q == name || (quote && (q == end || *q != quote)))
		return 0;
	char *key = xstrndup(name, (size_t)(q - name));
	const char *value = session_get_variable(sh->session, key);
	free(key);
	if (!value)
		return 0;
	if (quote)
		buf_addc(to, quote);
	for (const char *v = value; *v; v++) {
		if (*v == quote)
			buf_addc(to, quote);
		buf_addc(to, *v);
	}
	if (quote)
		buf_addc(to, *q++);
	return (size_t)(q - p);
}

static char escape_of(char c)
{
	static const char from[] = "nrtb0abfv";
	static const char to[] = "\n\r\t\b\0\a\b\f\v";
	const char *p = c ? strchr(from, c) : NULL;
	return p ? to[p - from] : c;
}

/* One argument: words and quoted parts next to each other. False = an open quote. */
static bool split_one(struct shell *sh, const char **p, const char *end, struct buf *to)
{
	while (*p < end && **p != ' ' && **p != '\t') {
		char c = **p;
		if (c == '\'' || c == '"') {
			for ((*p)++; *p < end && **p != c; (*p)++) {
				if (**p == '\\' && *p + 1 < end)
					buf_addc(to, escape_of(*++*p));
				else
					buf_addc(to, **p);
			}
			if (*p == end)
				return false;
			(*p)++;
			if (*p < end && **p == c)
				buf_addc(to, c);      /* '' inside: the next round goes on with the quoted part */
			continue;
		}
		size_t used = c == ':' ? add_variable(sh, *p, end, to) : 0;
		if (used) {
			*p += used;
			continue;
		}
		buf_addc(to, c);
		(*p)++;
	}
	return true;
}

static bool split(struct command_call *c, const char *rest, size_t len, struct err *err)
{
	const char *p = rest;
	const char *end = rest + len;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (c->command->flags & CMD_RAW) {
		if (p < end)
			c->args[c->arg_n++] = xstrndup(p, (size_t)(end - p));
		return true;
	}
	while (p < end) {
		struct buf arg = BUF_INIT;
		if (c->arg_n == COMMAND_ARGS_MAX)
			return err_set(err, ERR_SCRIPT, "more than %d arguments", COMMAND_ARGS_MAX);
		if (*p == '|') {               /* a command line takes all that follows */
			buf_add(&arg, p, (size_t)(end - p));
			p = end;
		} else if (!split_one(c->sh, &p, end, &arg)) {
			buf_finish(&arg);
			return err_set(err, ERR_SCRIPT, "this quote is not closed");
		}
		c->args[c->arg_n++] = buf_take(&arg);
		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
	}
	return true;
}

static bool unknown(char prefix, const char *name, struct err *err)
{
	struct suggest s;
	char other = prefix == '.' ? '\\' : '.';
	err_set(err, ERR_SCRIPT, "no command %c%s", prefix, name);
	if (command_find(other, name)) {
		err_hint(err, "did you mean %c%s?", other, name);
		return false;
	}
	suggest_init(&s, name);
	for (const struct command *c = command_table; c->name; c++)
		if (c->prefix == prefix)
			suggest_offer(&s, c->name);
	if (s.best)
		err_hint(err, "did you mean %c%s? %s lists all", prefix, s.best, prefix == '.' ? ".help" : "\\?");
	else
		err_hint(err, "%s lists all", prefix == '.' ? ".help" : "\\?");
	return false;
}

static bool run(struct command_call *c, const char *rest, size_t len, struct err *err)
{
	if (c->sh->options->safe && (c->command->flags & CMD_UNSAFE))
		return err_set(err, ERR_SCRIPT, "%c%s is not allowed under --safe", c->command->prefix, c->name);
	return split(c, rest, len, err) && c->command->run(c, err);
}

void command_run(struct shell *sh, struct script *s, const char *line, size_t len, const struct origin *at)
{
	struct err err = ERR_INIT;
	size_t n = 1;
	if (n < len && (line[n] == '?' || line[n] == '!'))
		n++;
	else
		while (n < len && line[n] != ' ' && line[n] != '\t' && line[n] != '|')
			n++;
	char *name = xstrndup(line + 1, n - 1);
	const struct command *command = command_find(line[0], name);
	bool live = script_active(s);
	char *args[COMMAND_ARGS_MAX];
	struct command_call c = {.sh = sh, .script = s, .command = command, .name = name, .args = args, .at = *at};
	bool ok = true;
	bool reported = false;
	if (!live && !(command && (command->flags & CMD_ALWAYS))) {
		ok = true;
	} else if (!command) {
		ok = unknown(line[0], name, &err);
	} else {
		ok = run(&c, line + n, len - n, &err);
		reported = !ok && err.id == ERR_NONE;    /* a statement that it ran has said so */
	}
	for (int i = 0; i < c.arg_n; i++)
		free(args[i]);
	free(name);
	if (ok)
		return;
	if (!reported) {
		if (err.sql_offset < 0)
			err.sql_offset = 0;
		report_error(sh, &err, at, line, len);
	}
	bool prompt = sh->interactive && !s->name;
	if (!prompt && !sh->keep_going)
		sh->fatal = true;
}

bool command_on_off(const char *text, bool *ret, struct err *err)
{
	static const char *const yes[] = {"on", "true", "yes", "1"};
	static const char *const no[] = {"off", "false", "no", "0"};
	for (int i = 0; i < 4; i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*ret = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return err_set(err, ERR_SCRIPT, "\"%s\" is neither on nor off", text);
}

void command_help(struct shell *sh, char prefix, const char *what)
{
	struct out *out = shell_out(sh);
	const char *group = NULL;
	int found = 0;
	if (what && (*what == '\\' || *what == '.'))
		prefix = *what++;
	for (const struct command *c = command_table; c->name; c++) {
		if (c->prefix != prefix || (what && strcmp(c->name, what) != 0 && !in_list(c->aliases, what) && !strstr(c->help, what)))
			continue;
		if (!what && c->group != group)
			out_addf(out, "%s%s\n", group ? "\n" : "", c->group);
		group = c->group;
		struct buf left = BUF_INIT;
		buf_addf(&left, "  %c%s %s", c->prefix, c->name, c->args);
		out_addf(out, "%-34s%s%s%s%s\n", left.data, left.len >= 34 ? "  " : "", c->help, c->aliases ? "; also " : "", c->aliases ? c->aliases : "");
		buf_finish(&left);
		found++;
	}
	if (!found)
		out_addf(out, "nothing about \"%s\"\n", what ? what : "");
	else if (!what)
		out_addf(out, "\n%s\n", prefix == '\\' ? "Statements end with ; or \\g. .help lists sqlite3's commands, \\h the statements that weir adds." : "\\? lists psql's commands.");
	out_flush(out);
}
