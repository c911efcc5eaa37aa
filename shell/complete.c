/* shell/complete.h: commands from the command table, their arguments by kind, everything else from session_complete. */
#include "shell/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <readline/readline.h>
#include "core/alloc.h"
#include "shell/command.h"

static struct {
	struct shell *sh;
	char **found;
	size_t n, next;
	bool quoted;                         /* the word begins with a double quote */
} state;

static void offer(const char *text)
{
	for (size_t i = 0; i < state.n; i++)
		if (strcmp(state.found[i], text) == 0)
			return;
	state.found = xreallocarray(state.found, state.n + 1, sizeof *state.found);
	state.found[state.n++] = xstrdup(text);
}

static bool plain_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.()'")] == '\0';
}

/* Names that need quotes get them: plant.sensors is a topic, not table sensors of cluster plant. */
static void add_name(void *arg, const char *name, const char *note)
{
	(void)arg;
	bool function = strchr(name, '(') || (note && strcmp(note, "function") == 0);
	bool quote = state.quoted || (!function && *name != '"' && *name != '\'' && !strchr(name, ' ') && (!plain_name(name) || strchr(name, '.')));
	if (quote && *name != '"') {
		char *text = xasprintf("\"%s\"", name);
		offer(text);
		free(text);
	} else {
		offer(name);
	}
}

static void add_words(const char *const *words, const char *prefix)
{
	for (; *words; words++)
		if (strncasecmp(*words, prefix, strlen(prefix)) == 0)
			offer(*words);
}

static void add_commands(const char *text)
{
	for (const struct command *c = command_table; c->name; c++) {
		char *name = xasprintf("%c%s", c->prefix, c->name);
		if (strncmp(name, text, strlen(text)) == 0)
			offer(name);
		free(name);
	}
}

static void add_variable(void *arg, const char *name, const char *value)
{
	(void)value;
	if (strncmp(name, arg, strlen(arg)) == 0)
		offer(name);
}

/* Arguments of a command. False = file names, readline's own. */
static bool complete_argument(const struct command *c, const char *text)
{
	static const char *const on_off[] = {"on", "off", NULL};
	char copy[64];
	switch (c->complete) {
	case COMPLETE_FILE:
		return false;
	case COMPLETE_ON_OFF:
		add_words(on_off, text);
		return true;
	case COMPLETE_MODE:
		for (int i = 0; print_modes[i]; i++)
			if (strncasecmp(print_modes[i]->name, text, strlen(text)) == 0)
				offer(print_modes[i]->name);
		return true;
	case COMPLETE_NAME:
		session_complete(state.sh->session, "SELECT * FROM ", text + state.quoted, add_name, NULL);
		return true;
	case COMPLETE_VARIABLE:
		snprintf(copy, sizeof copy, "%s", text);
		session_each_variable(state.sh->session, add_variable, copy);
		return true;
	case COMPLETE_COMMAND:
		for (const struct command *d = command_table; d->name; d++)
			if (d->prefix == c->prefix && strncmp(d->name, text, strlen(text)) == 0)
				offer(d->name);
		return true;
	case COMPLETE_NONE:
		return true;
	}
	return true;
}

static char *next_match(const char *text, int again)
{
	(void)text;
	if (!again)
		state.next = 0;
	return state.next < state.n ? strdup(state.found[state.next++]) : NULL;      /* readline frees it */
}

static void forget(void)
{
	for (size_t i = 0; i < state.n; i++)
		free(state.found[i]);
	free(state.found);
	state.found = NULL;
	state.n = 0;
}

static const struct command *command_of_line(const char *line)
{
	line += strspn(line, " \t");
	if (*line != '\\' && *line != '.')
		return NULL;
	char name[32];
	snprintf(name, sizeof name, "%.*s", (int)strcspn(line + 1, " \t"), line + 1);
	return command_find(*line, name);
}

static char **complete(const char *text, int start, int end)
{
	(void)end;
	char *line = xstrndup(rl_line_buffer, (size_t)start);
	size_t blank = strspn(line, " \t");
	bool open = state.sh->script && state.sh->script->scan.text;
	bool files = false;
	const struct command *c = open ? NULL : command_of_line(line);
	forget();
	state.quoted = *text == '"';
	rl_attempted_completion_over = 1;
	rl_completion_append_character = ' ';
	if (*text == '\\' || (*text == '.' && !open && !line[blank])) {
		add_commands(text);
	} else if (c) {
		files = !complete_argument(c, text);
	} else {
		struct buf before = BUF_INIT;
		if (open) {
			buf_add(&before, state.sh->script->sql.data, state.sh->script->sql.len);
			buf_addc(&before, '\n');
		}
		buf_adds(&before, line);
		session_complete(state.sh->session, before.data, text + state.quoted, add_name, NULL);
		if (state.n == 1 && strchr(state.found[0], '('))
			rl_completion_append_character = '\0';
		buf_finish(&before);
	}
	free(line);
	if (files) {
		rl_attempted_completion_over = 0;
		return rl_completion_matches(text, rl_filename_completion_function);
	}
	char **matches = state.n ? rl_completion_matches(text, next_match) : NULL;
	/* Names in and out of quotes have no common beginning: what was typed must not vanish then. */
	if (matches && matches[1] && strlen(matches[0]) < strlen(text)) {
		free(matches[0]);
		matches[0] = strdup(text);
	}
	return matches;
}

void complete_install(struct shell *sh)
{
	state.sh = sh;
	rl_attempted_completion_function = complete;
	rl_basic_word_break_characters = " \t\n()[],;=<>+-*/|&!";
	rl_completer_word_break_characters = " \t\n()[],;=<>+-*/|&!";
	rl_completer_quote_characters = NULL;
	rl_sort_completion_matches = 1;
}
