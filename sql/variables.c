/* Variables of -v and \set: :name as a value is bound (a whole number or a decimal as a number, anything else as text), :'name' and :"name"
 * are replaced in the text as a quoted literal or name. Nothing is ever replaced inside strings, names or comments: the tokenizer decides. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/session_impl.h"

static struct variable *find(struct session *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->variable_n; i++)
		if (strlen(s->variables[i].name) == len && memcmp(s->variables[i].name, name, len) == 0)
			return &s->variables[i];
	return NULL;
}

void session_set_variable(struct session *s, const char *name, const char *value)
{
	struct variable *v = find(s, name, strlen(name));
	if (!value) {
		if (!v)
			return;
		free(v->name);
		free(v->value);
		*v = s->variables[--s->variable_n];
		return;
	}
	char *copy = xstrdup(value);
	if (v) {
		free(v->value);
		v->value = copy;
		return;
	}
	s->variables = xreallocarray(s->variables, s->variable_n + 1, sizeof *s->variables);
	s->variables[s->variable_n++] = (struct variable){.name = xstrdup(name), .value = copy};
}

const char *session_get_variable(struct session *s, const char *name)
{
	struct variable *v = find(s, name, strlen(name));
	return v ? v->value : NULL;
}

void session_each_variable(struct session *s, void (*each)(void *arg, const char *name, const char *value), void *arg)
{
	for (size_t i = 0; i < s->variable_n; i++)
		each(arg, s->variables[i].name, s->variables[i].value);
}

void variables_finish(struct session *s)
{
	for (size_t i = 0; i < s->variable_n; i++) {
		free(s->variables[i].name);
		free(s->variables[i].value);
	}
	free(s->variables);
}

static bool not_set(const char *name, size_t at, struct err *err)
{
	err_set(err, ERR_SQL, "variable %s is not set", name);
	err_hint(err, "set it with -v %s=value or \\set %s value", name, name);
	err->sql_offset = (int)at;
	return false;
}

bool variables_substitute(struct session *s, const char *text, size_t len, struct buf *to, struct err *err)
{
	struct lex l = lex_begin(text, len);
	for (;;) {
		struct token t = lex_next(&l);
		if (t.kind == TOKEN_END)
			return true;
		if (t.kind != TOKEN_SUBSTITUTE) {
			buf_add(to, t.text, t.len);
			continue;
		}
		struct buf name = BUF_INIT;
		token_unquote(&t, &name);
		struct variable *v = find(s, name.data, name.len);
		bool ok = v || not_set(name.data, (size_t)(t.text - text), err);
		buf_finish(&name);
		if (!ok)
			return false;
		if (t.text[1] == '\'')
			sql_quote_text(to, v->value);
		else
			sql_quote_name(to, v->value);
	}
}

/* Only text that reads back the same is a number: 007 and 1e5 stay text, as article and order numbers need. */
static bool as_integer(const char *text, sqlite3_int64 *ret)
{
	char *end = NULL, back[32];
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return false;
	snprintf(back, sizeof back, "%lld", n);
	if (strcmp(back, text) != 0)
		return false;
	*ret = n;
	return true;
}

static bool as_real(const char *text, double *ret)
{
	const char *p = text + (*text == '-');
	size_t whole = strspn(p, "0123456789");
	if (!whole || p[whole] != '.' || (whole > 1 && p[0] == '0'))
		return false;
	size_t fraction = strspn(p + whole + 1, "0123456789");
	if (!fraction || p[whole + 1 + fraction])
		return false;
	*ret = strtod(text, NULL);
	return true;
}

bool variables_bind(struct session *s, sqlite3_stmt *stmt, struct err *err)
{
	int n = sqlite3_bind_parameter_count(stmt);
	for (int i = 1; i <= n; i++) {
		const char *name = sqlite3_bind_parameter_name(stmt, i);
		if (!name || name[0] == '?')
			continue;
		struct variable *v = find(s, name + 1, strlen(name + 1));
		if (!v)
			return not_set(name + 1, 0, err);
		sqlite3_int64 whole = 0;
		double real = 0;
		if (as_integer(v->value, &whole))
			sqlite3_bind_int64(stmt, i, whole);
		else if (as_real(v->value, &real))
			sqlite3_bind_double(stmt, i, real);
		else
			sqlite3_bind_text(stmt, i, v->value, -1, SQLITE_TRANSIENT);
	}
	return true;
}
