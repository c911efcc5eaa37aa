/* Unknown tables become topics. SQLite says "no such table: X"; if X is a topic of the current cluster (or cluster.topic of another one) its payload
 * is sampled, a temp virtual table with explicit columns is made, a notice says so, and the statement is prepared again. One statement may name several.
 *
 * cluster."topic" is not a SQLite name (the part before the dot would be a database): both parts are replaced by one quoted name "cluster.topic", with
 * the topic as alias where the statement gives none, so that "topic".column keeps working.
 *
 * Views: SQLite ties a view in the file to tables in the file and refuses virtual tables that reach the network there, so CREATE VIEW over
 * topics makes a TEMP view (dialect.c), kept in weir_catalog. Tables made here live in temp, so they never enter the file. */
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "sql/pending.h"
#include "sql/session_impl.h"
#include "sql/stream_ddl.h"

enum { MAX_TABLES = 64, SAMPLE_N = 200 };

static const char no_table[] = "no such table: ";

/* ---- what exists ---- */

bool resolve_table_exists(struct session *s, const char *name)
{
	if (sqlite3_table_column_metadata(s->db, NULL, name, NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	if (pending_has(s, name))
		return true;
	/* That call knows no views. */
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_prepare_v2(s->db, "SELECT 1 FROM sqlite_temp_schema WHERE name = ?1 COLLATE NOCASE AND type = 'view' UNION ALL"
		" SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type = 'view'", -1, &stmt, NULL) != SQLITE_OK)
		return false;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	bool found = sqlite3_step(stmt) == SQLITE_ROW;
	sqlite3_finalize(stmt);
	return found;
}

static bool is_database(struct session *s, const char *name)
{
	for (int i = 0;; i++) {
		const char *db = sqlite3_db_name(s->db, i);
		if (!db)
			return false;
		if (sqlite3_stricmp(db, name) == 0)
			return true;
	}
}

static int auto_index(struct session *s, const char *name)
{
	for (size_t i = 0; i < s->auto_stream_n; i++)
		if (strcasecmp(s->auto_streams[i], name) == 0)
			return (int)i;
	return -1;
}

static void auto_add(struct session *s, const char *name)
{
	if (auto_index(s, name) >= 0)
		return;
	s->auto_streams = xreallocarray(s->auto_streams, s->auto_stream_n + 1, sizeof(char *));
	s->auto_streams[s->auto_stream_n++] = xstrdup(name);
}

static bool drop_temp(struct session *s, const char *name)
{
	struct buf sql = BUF_INIT;
	buf_adds(&sql, "DROP TABLE IF EXISTS temp.");
	sql_quote_name(&sql, name);
	bool ok = session_exec(s, sql.data, NULL);
	buf_finish(&sql);
	return ok;
}

bool resolve_drop_auto(struct session *s, const char *name)
{
	int i = auto_index(s, name);
	if (i < 0 || !drop_temp(s, name))
		return false;
	free(s->auto_streams[i]);
	s->auto_streams[i] = s->auto_streams[--s->auto_stream_n];
	return true;
}

void resolve_forget_auto(struct session *s)
{
	for (size_t i = s->auto_stream_n; i-- > 0;) {
		char *name = xstrdup(s->auto_streams[i]);
		resolve_drop_auto(s, name);
		free(name);
	}
}

/* ---- registering ---- */

/* Names in SQL know no case, topics do: the exact topic first, else the only one that differs in case alone. */
static bool find_topic(struct session *s, const char *cluster, const char *name, char **ret, struct err *err)
{
	struct provider *p = &s->catalog->provider;
	struct topic_info info;
	if (p->impl->topic_info(p, cluster, name, 0, &info, err)) {
		*ret = xstrdup(name);
		return true;
	}
	if (err->id != ERR_TOPIC_UNKNOWN)
		return false;
	char **names = NULL;
	size_t n = 0, hits = 0, hit = 0;
	struct err ignored = ERR_INIT;
	if (!p->impl->topic_names(p, cluster, &names, &n, &ignored))
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(names[i], name) == 0) {
			hits++;
			hit = i;
		}
	if (hits == 1) {
		*ret = xstrdup(names[hit]);
		err_clear(err);
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return hits == 1;
}

static bool register_topic(struct session *s, const char *cluster, const char *topic, const char *name, struct err *err)
{
	struct stream *st = stream_create(name, topic);
	struct buf report = BUF_INIT, ddl = BUF_INIT, shown = BUF_INIT;
	if (cluster)
		st->cluster = xstrdup(cluster);
	bool ok = stream_infer(&s->catalog->provider, st, SAMPLE_N, &report, err);
	if (ok) {
		stream_to_ddl(st, "temp", &ddl);
		ok = session_exec(s, ddl.data, err);
	}
	if (ok) {
		auto_add(s, name);
		stream_to_create(st, &shown);
		catalog_notice(s->catalog, NOTICE_INFO, "%s is topic \"%s\" of %s: %s", name, topic, s->catalog->provider.impl->cluster_name(&s->catalog->provider, cluster), report.data);
		catalog_notice(s->catalog, NOTICE_INFO, "%s", shown.data);
	}
	buf_finish(&shown);
	buf_finish(&ddl);
	buf_finish(&report);
	stream_destroy(st);
	return ok;
}

bool resolve_stream(struct session *s, const char *cluster, const char *name, char **ret_name, struct err *err)
{
	char *topic = NULL;
	char *local = cluster ? xasprintf("%s.%s", cluster, name) : xstrdup(name);
	if (resolve_table_exists(s, local)) {
		*ret_name = local;
		return true;
	}
	if (!find_topic(s, cluster, name, &topic, err) || !register_topic(s, cluster, topic, local, err)) {
		free(topic);
		free(local);
		return false;
	}
	free(topic);
	*ret_name = local;
	return true;
}

/* ---- names in the statement ---- */

struct name_ref {
	struct token first, second;          /* cluster . topic */
	bool in_from;                        /* stands where a table stands: after FROM, JOIN, ',' or INTO, and not before another '.' */
	bool aliased;
	bool column_follows;                 /* cluster.topic.column */
};

static char *unquoted(const struct token *t)
{
	struct buf b = BUF_INIT;
	token_unquote(t, &b);
	return buf_take(&b);
}

static bool is_alias(const struct token *t)
{
	static const char *const words[] = {
		"as", "where", "group", "order", "limit", "having", "join", "left", "inner", "cross", "natural", "full", "right", "outer", "on", "using", "union",
		"except", "intersect", "window", "indexed", "not", "set", "values", "select", "with", "default", "returning", "offset",
	};
	if (t->kind == TOKEN_QUOTED || t->kind == TOKEN_STRING || token_is_word(t, "as"))
		return true;
	if (t->kind != TOKEN_WORD)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (token_is_word(t, words[i]))
			return false;
	return true;
}

/* The next `a . b` whose joined text is the name that SQLite missed. */
static bool next_ref(struct lex *l, const char *missing, struct name_ref *ret)
{
	struct token before = {.kind = TOKEN_END}, t = lex_next_solid(l);
	for (; t.kind != TOKEN_END; before = t, t = lex_next_solid(l)) {
		struct lex ahead = *l;
		struct token dot = lex_next_solid(&ahead);
		struct token second = lex_next_solid(&ahead);
		if (!token_is_name(&t) || token_is_op(&before, ".") || !token_is_op(&dot, ".") || !token_is_name(&second))
			continue;
		char *a = unquoted(&t), *b = unquoted(&second);
		char *joined = xasprintf("%s.%s", a, b);
		bool same = strcasecmp(joined, missing) == 0;
		free(a);
		free(b);
		free(joined);
		if (!same)
			continue;
		struct token after = lex_next_solid(&ahead);
		*ret = (struct name_ref){.first = t, .second = second, .column_follows = token_is_op(&after, "."), .aliased = is_alias(&after)};
		ret->in_from = !ret->column_follows && (token_is_word(&before, "from") || token_is_word(&before, "join") || token_is_op(&before, ",") || token_is_op(&before, "("));
		l->at = (size_t)(second.text + second.len - l->sql);
		return true;
	}
	return false;
}

/* Replaces every cluster.topic by "cluster.topic". An alias keeps "topic".column working, unless cluster.topic.column is used anywhere. */
static void rewrite_qualified(struct buf *sql, const char *missing, const char *local)
{
	struct buf out = BUF_INIT;
	struct lex l = lex_begin(sql->data, sql->len);
	struct name_ref r;
	bool columns = false;
	while (next_ref(&l, missing, &r))
		columns |= r.column_follows;
	l = lex_begin(sql->data, sql->len);
	const char *from = sql->data;
	while (next_ref(&l, missing, &r)) {
		buf_add(&out, from, (size_t)(r.first.text - from));
		sql_quote_name(&out, local);
		if (r.in_from && !r.aliased && !columns) {
			char *topic = unquoted(&r.second);
			buf_adds(&out, " AS ");
			sql_quote_name(&out, topic);
			free(topic);
		}
		from = r.second.text + r.second.len;
	}
	buf_add(&out, from, (size_t)(sql->data + sql->len - from));
	buf_finish(sql);
	*sql = out;
}

/* Where `name` stands as a table in the text, for the caret; -1 if it cannot be told. */
static int find_name(const struct buf *sql, const char *name)
{
	struct lex l = lex_begin(sql->data, sql->len);
	struct name_ref r;
	if (next_ref(&l, name, &r))
		return (int)(r.first.text - sql->data);
	l = lex_begin(sql->data, sql->len);
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END; t = lex_next_solid(&l)) {
		if (!token_is_name(&t))
			continue;
		char *text = unquoted(&t);
		bool same = strcasecmp(text, name) == 0;
		free(text);
		if (same)
			return (int)(t.text - sql->data);
	}
	return -1;
}

/* A table of SQLite's that is spelled almost so: one edit away. */
static bool one_edit(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), i = 0;
	if (n > m + 1 || m > n + 1)
		return false;
	while (i < n && i < m && (a[i] | 32) == (b[i] | 32))
		i++;
	if (n == m)
		return strcasecmp(a + i + (i < n), b + i + (i < m)) == 0 || (i + 1 < n && (a[i] | 32) == (b[i + 1] | 32) && (a[i + 1] | 32) == (b[i] | 32) && strcasecmp(a + i + 2, b + i + 2) == 0);
	return n > m ? strcasecmp(a + i + 1, b + i) == 0 : strcasecmp(a + i, b + i + 1) == 0;
}

static void hint_tables(struct session *s, const char *name, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	if (err->hint[0] || sqlite3_prepare_v2(s->db, "SELECT name FROM sqlite_schema UNION SELECT name FROM sqlite_temp_schema", -1, &stmt, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *have = (const char *)sqlite3_column_text(stmt, 0);
		if (have && one_edit(name, have)) {
			err_hint(err, "did you mean \"%s\"?", have);
			break;
		}
	}
	sqlite3_finalize(stmt);
}

/* Table functions of the dialect that are not there yet: better than "no such table". */
static bool is_future(const char *name)
{
	static const char *const names[] = {"late", "grid", "state_periods", "gaps", "lttb"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/* A name that is not in the text stands in a TEMP view of ours: "topic", or "cluster.topic" as resolve_prepare wrote it there. A name with a
 * database in front (main.x) stands in a view or trigger of the file, which cannot read topics. */
static bool hidden_reference(struct session *s, const char *name)
{
	const char *dot = strchr(name, '.');
	if (!dot)
		return true;
	char *first = xstrndup(name, (size_t)(dot - name));
	bool ok = !is_database(s, first);
	free(first);
	return ok;
}

/* "cluster.topic" in one quoted name, made by rewrite_qualified. */
static bool resolve_joined(struct session *s, const char *name, struct err *err)
{
	const char *dot = strchr(name, '.');
	char *local = NULL;
	if (!dot)
		return false;
	char *cluster = xstrndup(name, (size_t)(dot - name));
	bool ok = catalog_knows(s->catalog, cluster) && resolve_stream(s, cluster, dot + 1, &local, err);
	free(local);
	free(cluster);
	return ok;
}

/* SQLite missed `name`. True = something was registered or rewritten, prepare again. */
static bool resolve_name(struct session *s, struct statement *st, const char *name, struct err *err)
{
	struct lex l = lex_begin(st->sql.data, st->sql.len);
	struct name_ref r;
	struct err cause = ERR_INIT;
	char *local = NULL;
	int at = find_name(&st->sql, name);
	const char *bare = strncmp(name, "main.", 5) == 0 || strncmp(name, "temp.", 5) == 0 ? name + 5 : name;
	if (pending_has(s, bare))            /* named by a view */
		return pending_make(s, bare, err);
	if (strncasecmp(name, "sqlite_", 7) == 0)
		return false;
	if (at < 0 && !hidden_reference(s, name))
		return false;
	if (next_ref(&l, name, &r)) {
		char *cluster = unquoted(&r.first), *topic = unquoted(&r.second);
		bool ok = false;
		if (!is_database(s, cluster) && catalog_knows(s->catalog, cluster)) {
			ok = resolve_stream(s, cluster, topic, &local, &cause);
			if (ok) {
				rewrite_qualified(&st->sql, name, local);
				st->rewritten = true;
			} else {
				*err = cause;
				err->sql_offset = at;
			}
		}
		if (!ok && !cause.id) {
			if (is_database(s, cluster))
				err_hint(err, "topics have no database in front: write \"%s\" alone, or cluster.\"%s\"", topic, topic);
			else
				err_hint(err, "\"%s\" is neither an attached cluster, a profile nor a database: ATTACH CLUSTER 'host:9092' AS %s", cluster, cluster);
			err->sql_offset = at;
		}
		free(local);
		free(cluster);
		free(topic);
		return ok;
	}
	if (is_future(name)) {
		err_set(err, ERR_NOT_BUILT, "%s(..) is not built yet", name);
		err->sql_offset = at;
		return false;
	}
	if (resolve_joined(s, name, &cause))
		return true;
	err_clear(&cause);
	if (!s->catalog->current) {
		err_hint(err, "no cluster is named, so topics are not looked at: start with -b host:9092, -P profile, or try weir demo");
		hint_tables(s, name, err);
		err->sql_offset = at;
		return false;
	}
	if (resolve_stream(s, NULL, name, &local, &cause)) {
		free(local);
		return true;
	}
	if (cause.id == ERR_TOPIC_UNKNOWN) {
		const char *cluster = session_cluster(s);
		char hint[sizeof cause.hint];
		memcpy(hint, cause.hint, sizeof hint);
		err_set(err, ERR_TOPIC_UNKNOWN, "no table \"%s\", and no such topic on cluster %s", name, cluster);
		if (hint[0])
			err_hint(err, "%s", hint);
		hint_tables(s, name, err);
	} else {
		*err = cause;
	}
	err->sql_offset = at;
	return false;
}

/* Statements that may read or write rows; DDL must not register a topic behind the user's back (DROP TABLE plant). */
static bool may_resolve(const struct buf *sql)
{
	static const char *const first[] = {"select", "with", "values", "insert", "replace", "update", "delete", "explain"};
	struct parse p = parse_begin(sql->data, 0, sql->len);
	for (size_t i = 0; i < sizeof first / sizeof *first; i++)
		if (parse_is(&p, first[i]))
			return true;
	if (!parse_word(&p, "create"))
		return false;
	if (!parse_word(&p, "temp"))
		parse_word(&p, "temporary");
	return parse_word(&p, "table");      /* CREATE TABLE .. AS SELECT */
}

bool resolve_prepare(struct session *s, struct statement *st, sqlite3_stmt **ret, size_t *ret_used, struct err *err)
{
	for (int tries = 0;; tries++) {
		const char *tail = NULL;
		sqlite3_stmt *stmt = NULL;
		int rc = st->sql.len > INT_MAX - 1 ? SQLITE_TOOBIG : sqlite3_prepare_v3(s->db, st->sql.data, (int)st->sql.len + 1, 0, &stmt, &tail);
		if (rc == SQLITE_OK) {
			*ret = stmt;
			*ret_used = (size_t)(tail - st->sql.data);
			return true;
		}
		session_sqlite_error(s, rc, 0, err);
		if (err->id != ERR_SQL || strncmp(err->msg, no_table, sizeof no_table - 1) != 0 || !st->resolve || tries == MAX_TABLES || !may_resolve(&st->sql))
			return false;
		char name[sizeof err->msg];
		memcpy(name, err->msg + sizeof no_table - 1, strlen(err->msg) - (sizeof no_table - 1) + 1);
		if (!resolve_name(s, st, name, err))
			return false;
		err_clear(err);
	}
}
