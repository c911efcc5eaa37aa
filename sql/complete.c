/* Completion: names that start with the prefix, by where the cursor stands. After FROM, JOIN, INTO ..: tables, streams, topics; after `x.`: columns of x;
 * elsewhere: columns of the statement's tables, functions, keywords. Topics come from cached metadata or one request of at most 300 ms. */
#include <stdlib.h>
#include "core/alloc.h"
#include "core/time.h"
#include "sql/aggregate/aggregate.h"
#include "sql/dialect.h"
#include "sql/functions.h"
#include "sql/live/matview.h"
#include "sql/pending.h"
#include "sql/settings.h"
#include "sql/window.h"

enum { BROKER_MS = 300 };

struct completion {
	struct session *s;
	const char *prefix;
	size_t prefix_len;
	void (*add)(void *arg, const char *name, const char *note);
	void *arg;
};

static bool plain(const char *name)
{
	if (!*name || (*name >= '0' && *name <= '9'))
		return false;
	for (const char *p = name; *p; p++)
		if (!(*p == '_' || (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')))
			return false;
	return sqlite3_keyword_check(name, (int)strlen(name)) == 0;
}

/* Offers a name; one that SQL needs quoted is offered quoted, also when the prefix has no quote yet. */
static void offer(struct completion *c, const char *name, const char *note, bool is_name)
{
	bool quoted_prefix = c->prefix[0] == '"';
	const char *prefix = c->prefix + quoted_prefix;
	if (sqlite3_strnicmp(name, prefix, (int)(c->prefix_len - quoted_prefix)) != 0)
		return;
	if (!is_name || (plain(name) && !quoted_prefix)) {
		c->add(c->arg, name, note);
		return;
	}
	struct buf b = BUF_INIT;
	sql_quote_name(&b, name);
	c->add(c->arg, b.data, note);
	buf_finish(&b);
}

static void offer_query(struct completion *c, const char *sql, const char *arg, const char *note)
{
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(c->s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return;
	if (arg)
		sqlite3_bind_text(stmt, 1, arg, -1, SQLITE_STATIC);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		const char *type = sqlite3_column_count(stmt) > 1 ? (const char *)sqlite3_column_text(stmt, 1) : NULL;
		if (name)
			offer(c, name, type && *type ? type : note, true);
	}
	sqlite3_finalize(stmt);
}

static void offer_topics(struct completion *c)
{
	struct catalog *catalog = c->s->catalog;
	char **names = NULL;
	size_t n = 0;
	struct err ignored = ERR_INIT;
	if (!catalog->current)
		return;
	int64_t before = atomic_load(&catalog->cancel.deadline_ms), mine = time_mono_ms() + BROKER_MS;
	if (!before || mine < before)
		atomic_store(&catalog->cancel.deadline_ms, mine);
	bool ok = catalog->provider.impl->topic_names(&catalog->provider, NULL, &names, &n, &ignored);
	atomic_store(&catalog->cancel.deadline_ms, before);
	if (!ok)
		return;
	for (size_t i = 0; i < n; i++) {
		if (names[i][0] != '_' || c->prefix[c->prefix[0] == '"'] == '_')
			offer(c, names[i], "topic", true);
		free(names[i]);
	}
	free(names);
}

static void offer_tables(struct completion *c)
{
	offer_query(c, "SELECT name, iif(sql LIKE 'create virtual table%using kafka%', 'stream', type) FROM (SELECT * FROM sqlite_schema UNION ALL SELECT * FROM sqlite_temp_schema)"
		" WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'weir\\_%' ESCAPE '\\' ORDER BY 1", NULL, "table");
	for (size_t i = 0; matview_name_at(c->s, i); i++)
		offer(c, matview_name_at(c->s, i), "materialized view", true);
	if (sqlite3_strnicmp(c->prefix, "weir", c->prefix_len < 4 ? (int)c->prefix_len : 4) == 0 && c->prefix_len)
		offer_query(c, "SELECT name FROM pragma_module_list WHERE name LIKE 'weir\\_%' ESCAPE '\\' ORDER BY 1", NULL, "weir's own");
	offer_topics(c);
}

/* What may stand in FROM besides names. */
static void offer_table_functions(struct completion *c)
{
	const char *name, *syntax;
	for (size_t i = 0; (name = window_function_at(i, &syntax)); i++)
		offer(c, name, syntax, false);
	if (matview_name_at(c->s, 0)) {
		offer(c, "late", "late(v): rows of a materialized view that came too late for their window", false);
		offer(c, "absent", "absent(v): windows of a materialized view in which a group has no rows", false);
	}
}

static void offer_columns(struct completion *c, const char *table)
{
	/* Hidden columns only when their underscore is typed: there are twelve of every topic table. */
	offer_query(c, c->prefix[0] == '_' ? "SELECT name, type FROM pragma_table_xinfo(?1)" : "SELECT name, type FROM pragma_table_info(?1)", table, "column");
}

static char *name_of(const struct token *t)
{
	struct buf b = BUF_INIT;
	token_unquote(t, &b);
	return buf_take(&b);
}

struct context {
	bool table;                          /* a table's name is expected */
	bool inside;                         /* .. inside of a window's call */
	bool after_emit;
	char *qualifier;                     /* x of `x.` */
	char *tables[16];
	char *aliases[16];
	size_t table_n;
	bool first_word;
	bool after_show, after_set, after_use;
};

static bool opens_tables(const struct token *t)
{
	static const char *const words[] = {"from", "join", "into", "update", "table", "describe", "desc", "print", "extended", "stream"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (token_is_word(t, words[i]))
			return true;
	return false;
}

static bool is_table_function(const struct token *t)
{
	const char *name, *syntax;
	for (size_t i = 0; (name = window_function_at(i, &syntax)); i++)
		if (token_is_word(t, name))
			return true;
	return token_is_word(t, "late") || token_is_word(t, "absent");
}

static void read_context(const char *text, size_t len, struct context *ret)
{
	struct lex l = lex_begin(text, len);
	struct token before = {.kind = TOKEN_END}, before_that = before, t;
	bool in_from = false;
	ret->first_word = true;
	while ((t = lex_next_solid(&l)).kind != TOKEN_END) {
		if (t.kind == TOKEN_SEMICOLON) {
			for (size_t i = 0; i < ret->table_n; i++) {
				free(ret->tables[i]);
				free(ret->aliases[i]);
			}
			*ret = (struct context){.first_word = true};
			before = before_that = (struct token){.kind = TOKEN_END};
			in_from = false;
			continue;
		}
		bool inside = in_from && token_is_op(&before, "(") && is_table_function(&before_that);
		ret->first_word = false;
		if (token_is_name(&t) && (inside || (!is_table_function(&t) && (opens_tables(&before) || (in_from && token_is_op(&before, ","))))) && ret->table_n < 16) {
			ret->tables[ret->table_n] = name_of(&t);
			ret->aliases[ret->table_n++] = NULL;
		} else if (ret->table_n && t.kind == TOKEN_WORD && !ret->aliases[ret->table_n - 1] && token_is_name(&before) && in_from &&
			   sqlite3_keyword_check(t.text, (int)t.len) == 0) {
			ret->aliases[ret->table_n - 1] = name_of(&t);
		}
		if (token_is_word(&t, "from") || token_is_word(&t, "join"))
			in_from = true;
		else if (token_is_word(&t, "where") || token_is_word(&t, "group") || token_is_word(&t, "order") || token_is_word(&t, "on") || token_is_word(&t, "select"))
			in_from = false;
		ret->after_show = token_is_word(&t, "show");
		ret->after_set = token_is_word(&t, "set") && before.kind == TOKEN_END;
		ret->after_use = token_is_word(&t, "use") && before.kind == TOKEN_END;
		ret->after_emit = token_is_word(&t, "emit");
		ret->inside = in_from && token_is_op(&t, "(") && is_table_function(&before);
		ret->table = ret->inside || opens_tables(&t) || (in_from && token_is_op(&t, ","));
		free(ret->qualifier);
		ret->qualifier = token_is_op(&t, ".") && token_is_name(&before) ? name_of(&before) : NULL;
		before_that = before;
		before = t;
	}
}

static const char *const emit_words[] = {"CHANGES", "EVERY", "FINAL"};
static const char *const live_words[] = {"ASOF", "BEGINNING", "EMIT", "FILL", "GRACE", "IDLE", "STARTING", "SYSTEM_TIME", "TOLERANCE", "UNTIL", "WITHIN"};

static void offer_words(struct completion *c, bool first_word)
{
	const char *seen = NULL;
	for (size_t i = 0; dialect_at(i); i++) {
		const struct dialect_def *d = dialect_at(i);
		size_t n = strcspn(d->words, " ");
		char *word = xstrndup(d->words, n);
		if (first_word && (!seen || strncmp(seen, d->words, n + 1) != 0))
			offer(c, word, d->syntax, false);
		free(word);
		seen = d->words;
	}
	for (size_t i = 0; !first_word && c->prefix_len && i < sizeof live_words / sizeof *live_words; i++)
		offer(c, live_words[i], "keyword", false);
	int n = sqlite3_keyword_count();
	for (int i = 0; i < n; i++) {
		const char *word = NULL;
		int len = 0;
		if (sqlite3_keyword_name(i, &word, &len) != SQLITE_OK || !c->prefix_len || (size_t)len < c->prefix_len || sqlite3_strnicmp(word, c->prefix, (int)c->prefix_len) != 0)
			continue;
		char *copy = xstrndup(word, (size_t)len);
		c->add(c->arg, copy, "keyword");
		free(copy);
	}
}

static void offer_functions(struct completion *c)
{
	const struct function_info *f;
	for (size_t i = 0; (f = function_info_at(i)); i++)
		offer(c, f->name, f->signature, false);
	for (size_t i = 0; aggregate_at(i); i++)
		offer(c, aggregate_at(i)->name, aggregate_at(i)->signature, false);
	if (c->prefix_len)
		offer_query(c, "SELECT DISTINCT name FROM pragma_function_list WHERE name GLOB '[a-z]*' AND name NOT GLOB 'weir_*' ORDER BY 1", NULL, "function");
}

void session_complete(struct session *s, const char *before_cursor, const char *prefix, void (*add)(void *arg, const char *name, const char *note), void *arg)
{
	struct completion c = {.s = s, .prefix = prefix, .prefix_len = strlen(prefix), .add = add, .arg = arg};
	struct context x = {0};
	size_t len = strlen(before_cursor);
	if (len >= c.prefix_len && memcmp(before_cursor + len - c.prefix_len, prefix, c.prefix_len) == 0)
		len -= c.prefix_len;             /* whether or not the caller's text holds the prefix */
	pending_make_all(s, NULL);
	read_context(before_cursor, len, &x);
	if (x.qualifier) {
		const char *table = x.qualifier;
		for (size_t i = 0; i < x.table_n; i++)
			if (x.aliases[i] && sqlite3_stricmp(x.aliases[i], x.qualifier) == 0)
				table = x.tables[i];
		offer_columns(&c, table);
	} else if (x.after_show) {
		static const char *const words[] = {"ALL", "BROKERS", "CLUSTERS", "COLUMNS", "CONFIGS", "ERRORS", "FUNCTIONS", "GROUPS", "PARTITIONS", "PROFILES", "QUERIES", "SETTINGS", "STATS", "STREAMS", "TABLES", "TOPICS", "VIEWS"};
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			offer(&c, words[i], NULL, false);
	} else if (x.after_set) {
		for (size_t i = 0; setting_at(i); i++)
			offer(&c, setting_at(i)->name, setting_at(i)->help, false);
	} else if (x.after_use) {
		for (size_t i = 0; i < s->catalog->cluster_n; i++)
			offer(&c, s->catalog->clusters[i]->name, s->catalog->clusters[i]->shown, true);
	} else if (x.after_emit) {
		for (size_t i = 0; i < sizeof emit_words / sizeof *emit_words; i++)
			offer(&c, emit_words[i], NULL, false);
	} else if (x.table) {
		offer_tables(&c);
		if (!x.inside)
			offer_table_functions(&c);
	} else {
		for (size_t i = 0; i < x.table_n; i++)
			offer_columns(&c, x.tables[i]);
		if (!x.first_word)
			offer_functions(&c);
		offer_words(&c, x.first_word);
	}
	free(x.qualifier);
	for (size_t i = 0; i < x.table_n; i++) {
		free(x.tables[i]);
		free(x.aliases[i]);
	}
}
