/* What is there: \d \dt \dv \di \df \l \c \conninfo .tables .schema .indexes .databases .dump */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/utf8.h"
#include "shell/command.h"

/* psql's * and ? and sqlite3's % and _ become a LIKE pattern, as an SQL literal. NULL = everything. */
static char *pattern_literal(const char *pattern)
{
	struct buf b = BUF_INIT;
	buf_addc(&b, '\'');
	for (const char *p = pattern ? pattern : "%"; *p; p++)
		buf_adds(&b, *p == '*' ? "%" : *p == '?' ? "_" : *p == '\'' ? "''" : (char[]){*p, 0});
	buf_addc(&b, '\'');
	return buf_take(&b);
}

static bool run_format(struct command_call *c, const char *fmt, const char *arg)
{
	char *sql = xasprintf(fmt, arg);
	bool ok = shell_run_internal(c->sh, sql);
	free(sql);
	return ok;
}

static bool connected(struct command_call *c)
{
	return *session_cluster(c->sh->session) != '\0';
}

#define LOCAL_NAMES "SELECT type, name, CASE WHEN sql LIKE 'CREATE VIRTUAL%%' THEN 'virtual' END AS kind FROM " \
	"(SELECT type, name, sql FROM sqlite_schema UNION ALL SELECT type, name, sql FROM sqlite_temp_schema) "

struct counter {
	int n;
};

static void count_row(void *arg, int n, const char *const *text)
{
	(void)n;
	(void)text;
	((struct counter *)arg)->n++;
}

static bool list_local(struct command_call *c, const char *types, const char *pattern)
{
	char *literal = pattern_literal(pattern);
	char *sql = xasprintf(LOCAL_NAMES "WHERE type IN (%s) AND NOT (%d AND kind IS NOT NULL) AND name NOT LIKE 'sqlite\\_%%' ESCAPE '\\' AND name LIKE %s ORDER BY name", types, connected(c), literal);
	struct counter rows = {0};
	struct err ignored = ERR_INIT;
	bool ok = true;
	/* Beside topics an empty list says nothing. */
	if (!connected(c) || (shell_query_each(c->sh, sql, count_row, &rows, &ignored) && rows.n))
		ok = shell_run_internal(c->sh, sql);
	free(sql);
	free(literal);
	return ok;
}

bool cmd_list_topics(struct command_call *c, struct err *err)
{
	const char *pattern = c->arg_n ? c->args[0] : NULL;
	(void)err;
	if (connected(c)) {
		char *literal = pattern_literal(pattern);
		bool ok = strchr(c->name, '+') ? run_format(c, "SELECT * FROM weir_topics WHERE topic LIKE %s ORDER BY topic", literal)
			: pattern ? run_format(c, "SHOW TOPICS LIKE %s", literal) : shell_run_internal(c->sh, "SHOW TOPICS");
		free(literal);
		if (!ok)
			return false;
	}
	return list_local(c, "'table'", pattern);
}

bool cmd_describe(struct command_call *c, struct err *err)
{
	if (!c->arg_n)
		return cmd_list_topics(c, err);
	struct buf sql = BUF_INIT;
	buf_adds(&sql, strchr(c->name, '+') ? "DESCRIBE EXTENDED " : "DESCRIBE ");
	print_sql_name(&sql, c->args[0]);
	bool ok = shell_run_internal(c->sh, sql.data);
	buf_finish(&sql);
	return ok;
}

bool cmd_list_views(struct command_call *c, struct err *err)
{
	(void)err;
	char *literal = pattern_literal(c->arg_n ? c->args[0] : NULL);
	bool ok = run_format(c, LOCAL_NAMES "WHERE type = 'view' AND name LIKE %s ORDER BY name", literal);
	free(literal);
	return ok;
}

bool cmd_list_indexes(struct command_call *c, struct err *err)
{
	(void)err;
	char *literal = pattern_literal(c->arg_n ? c->args[0] : NULL);
	bool ok = run_format(c, "SELECT name, tbl_name AS \"table\", sql FROM sqlite_schema WHERE type = 'index' AND name LIKE %s ORDER BY name", literal);
	free(literal);
	return ok;
}

bool cmd_list_functions(struct command_call *c, struct err *err)
{
	(void)err;
	char *literal = pattern_literal(c->arg_n ? c->args[0] : NULL);
	bool ok = c->arg_n ? run_format(c, "SHOW FUNCTIONS LIKE %s", literal) : shell_run_internal(c->sh, "SHOW FUNCTIONS");
	free(literal);
	return ok;
}

bool cmd_list_clusters(struct command_call *c, struct err *err)
{
	(void)err;
	return shell_run_internal(c->sh, "SHOW CLUSTERS");
}

bool cmd_connect(struct command_call *c, struct err *err)
{
	if (!c->arg_n)
		return cmd_conninfo(c, err);
	const char *name = c->args[0];
	if (strchr(name, ':')) {
		/* An address: attached under its own text, and made the current one. */
		if (!session_attach_cluster(c->sh->session, name, name, err))
			return false;
	}
	return session_use_cluster(c->sh->session, name, err) && (c->sh->interactive ? cmd_conninfo(c, err) : true);
}

bool cmd_conninfo(struct command_call *c, struct err *err)
{
	const char *cluster = session_cluster(c->sh->session);
	struct out *out = shell_out(c->sh);
	char name[256];
	(void)err;
	utf8_escape_into(name, sizeof name, cluster, strlen(cluster), false);
	if (*name)
		out_addf(out, "You are connected to cluster \"%s\"", name);
	else
		out_adds(out, "You are connected to no cluster");
	out_addf(out, ", database %s.\n", c->sh->db_path ? c->sh->db_path : "in memory");
	out_flush(out);
	return true;
}

struct names {
	char **list;
	size_t n;
};

static void take_name(void *arg, int n, const char *const *text)
{
	struct names *names = arg;
	if (n < 1 || !text[0])
		return;
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i], text[0]) == 0)
			return;
	names->list = xreallocarray(names->list, names->n + 1, sizeof *names->list);
	names->list[names->n++] = xstrdup(text[0]);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_names(struct command_call *c, struct names *names)
{
	struct out *out = shell_out(c->sh);
	size_t width = 0;
	size_t screen = out->tty ? (size_t)shell_screen_columns() : 0;
	if (names->n)
		qsort(names->list, names->n, sizeof *names->list, compare_names);
	for (size_t i = 0; i < names->n; i++) {
		size_t w = utf8_width(names->list[i], strlen(names->list[i]));
		width = w > width ? w : width;
	}
	size_t columns = screen > width + 2 ? screen / (width + 2) : 1;
	size_t rows = (names->n + columns - 1) / columns;
	for (size_t r = 0; r < rows; r++) {
		for (size_t i = r; i < names->n; i += rows) {
			struct buf b = BUF_INIT;
			utf8_escape(&b, names->list[i], strlen(names->list[i]), false);
			out_adds(out, b.data);
			if (i + rows < names->n)
				out_pad(out, ' ', width + 2 - utf8_width(names->list[i], strlen(names->list[i])));
			buf_finish(&b);
		}
		out_addc(out, '\n');
	}
	out_flush(out);
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
}

static bool list_names(struct command_call *c, const char *condition, bool topics, struct err *err)
{
	struct names names = {NULL, 0};
	char *literal = pattern_literal(c->arg_n ? c->args[0] : NULL);
	char *sql = xasprintf("SELECT name FROM (SELECT type, name, tbl_name FROM sqlite_schema UNION ALL SELECT type, name, tbl_name FROM sqlite_temp_schema) "
		"WHERE %s LIKE %s AND name NOT LIKE 'sqlite\\_%%' ESCAPE '\\'", condition, literal);
	bool ok = shell_query_each(c->sh, sql, take_name, &names, err);
	free(sql);
	if (ok && topics && connected(c)) {
		sql = xasprintf("SELECT topic FROM weir_topics WHERE topic LIKE %s", literal);
		ok = shell_query_each(c->sh, sql, take_name, &names, err);
		free(sql);
	}
	free(literal);
	print_names(c, &names);
	return ok;
}

bool cmd_tables(struct command_call *c, struct err *err)
{
	return list_names(c, "type IN ('table','view') AND name", true, err);
}

bool cmd_indexes(struct command_call *c, struct err *err)
{
	return list_names(c, "type = 'index' AND tbl_name", false, err);
}

static void print_schema_line(void *arg, int n, const char *const *text)
{
	struct out *out = arg;
	if (n < 1 || !text[0])
		return;
	if (!out->tty) {
		out_addf(out, "%s;\n", text[0]);
		return;
	}
	struct buf b = BUF_INIT;
	utf8_escape(&b, text[0], strlen(text[0]), true);
	out_addf(out, "%s;\n", b.data);
	buf_finish(&b);
}

bool cmd_schema(struct command_call *c, struct err *err)
{
	char *literal = pattern_literal(c->arg_n ? c->args[0] : NULL);
	char *sql = xasprintf("SELECT sql FROM (SELECT rowid AS r, 0 AS t, sql, name, tbl_name FROM sqlite_schema UNION ALL SELECT rowid, 1, sql, name, tbl_name FROM sqlite_temp_schema) "
		"WHERE (name LIKE %s OR tbl_name LIKE %s) AND name NOT LIKE 'sqlite\\_%%' ESCAPE '\\' ORDER BY t, r", literal, literal);
	bool ok = shell_query_each(c->sh, sql, print_schema_line, shell_out(c->sh), err);
	out_flush(shell_out(c->sh));
	free(sql);
	free(literal);
	return ok;
}

bool cmd_databases(struct command_call *c, struct err *err)
{
	(void)err;
	return shell_run_internal(c->sh, "SELECT name, CASE WHEN file = '' THEN '(in memory)' ELSE file END AS file FROM pragma_database_list");
}

struct dump {
	struct command_call *call;
	struct names tables, later;
	const char *failed;
};

static void dump_object(void *arg, int n, const char *const *text)
{
	struct dump *d = arg;
	struct out *out = shell_out(d->call->sh);
	(void)n;
	bool is_table = strcmp(text[0], "table") == 0;
	if (!text[2])
		return;
	if (!is_table) {
		take_name(&d->later, 1, &text[2]);
		return;
	}
	out_addf(out, "%s;\n", text[2]);
	if (strncasecmp(text[2], "CREATE VIRTUAL", 14) != 0)
		take_name(&d->tables, 1, &text[1]);
}

/* The rows of one table as INSERT statements, through the ordinary printer. */
static bool dump_rows(struct command_call *c, const char *table)
{
	struct shell *sh = c->sh;
	const struct print_impl *mode = sh->print.mode;
	bool given = sh->print.headers_given;
	char *insert_table = sh->insert_table;
	struct buf sql = BUF_INIT;
	struct buf quoted = BUF_INIT;
	for (const char *p = table; *p; p++)
		buf_adds(&quoted, *p == '"' ? "\"\"" : (char[]){*p, 0});
	buf_addf(&sql, "SELECT * FROM main.\"%s\"", quoted.data);
	sh->print.mode = print_mode_find("insert");
	sh->print.headers_given = false;
	sh->insert_table = xstrdup(table);
	bool ok = shell_run_internal(sh, sql.data);
	free(sh->insert_table);
	sh->insert_table = insert_table;
	sh->print.mode = mode;
	sh->print.headers_given = given;
	buf_finish(&quoted);
	buf_finish(&sql);
	return ok;
}

static void free_names(struct names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->list[i]);
	free(n->list);
}

bool cmd_dump(struct command_call *c, struct err *err)
{
	struct dump d = {.call = c};
	struct out *out = shell_out(c->sh);
	char *literal = pattern_literal(c->arg_n ? c->args[0] : NULL);
	out_adds(out, "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");
	char *sql = xasprintf("SELECT type, name, sql FROM sqlite_schema WHERE tbl_name LIKE %s AND name NOT LIKE 'sqlite\\_%%' ESCAPE '\\' ORDER BY type <> 'table', rowid", literal);
	bool ok = shell_query_each(c->sh, sql, dump_object, &d, err);
	for (size_t i = 0; i < d.tables.n && ok; i++)
		ok = dump_rows(c, d.tables.list[i]);
	for (size_t i = 0; i < d.later.n; i++)
		out_addf(out, "%s;\n", d.later.list[i]);
	out_adds(out, ok ? "COMMIT;\n" : "ROLLBACK; -- due to errors\n");
	out_flush(out);
	free_names(&d.tables);
	free_names(&d.later);
	free(sql);
	free(literal);
	return ok;
}
