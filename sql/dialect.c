/* The dialect's own statements: one table by first words. What it does not list is SQLite's. The small ones (clusters, SET) live here. */
#include "sql/dialect.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "sql/live/matview.h"
#include "sql/persist.h"
#include "sql/settings.h"
#include "sql/stream_ddl.h"

/* ---- ATTACH CLUSTER 'b1:9092,b2:9092' [AS name] [WITH (profile = 'p')], DETACH CLUSTER, USE ---- */

struct cluster_args {
	char *name, *brokers, *profile;
	bool if_exists;
};

static void cluster_args_free(void *data)
{
	struct cluster_args *a = data;
	free(a->name);
	free(a->brokers);
	free(a->profile);
	free(a);
}

static struct cluster_args *cluster_args_create(struct statement *st)
{
	struct cluster_args *a = xcalloc(1, sizeof *a);
	st->data = a;
	st->free_data = cluster_args_free;
	return a;
}

static bool run_attach(struct session *s, struct statement *st, struct err *err)
{
	struct cluster_args *a = st->data;
	struct attach_request r = {.name = a->name, .brokers = a->brokers, .profile = a->profile};
	bool first = !s->catalog->current;
	if (!catalog_attach(s->catalog, &r, err))
		return false;
	if (first && !catalog_use(s->catalog, a->name, err))
		return false;
	return persist_cluster(s, a->name, a->brokers, a->profile, err);
}

static bool attach_options(struct parse *p, struct cluster_args *a, struct err *err)
{
	if (!parse_want(p, "(", err))
		return false;
	do {
		int at = (int)parse_offset(p);
		char *key = NULL;
		if (!parse_name(p, "profile", &key, err))
			return false;
		bool known = strcasecmp(key, "profile") == 0;
		if (!known) {
			err_set(err, ERR_FORBIDDEN_SETTING, "ATTACH CLUSTER .. WITH (%s ..): only profile is taken here", key);
			err_hint(err, "client settings and credentials belong in a [profile] of your configuration file");
			err->sql_offset = at;
		}
		free(key);
		if (!known || !parse_want(p, "=", err) || !parse_name(p, "a profile's name", &a->profile, err))
			return false;
	} while (parse_op(p, ","));
	return parse_want(p, ")", err);
}

static bool attach(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct cluster_args *a = cluster_args_create(st);
	parse_words(&p, "attach cluster");
	if (!parse_is(&p, "as") && !parse_name(&p, "'host:port,host:port' or a profile's name", &a->brokers, err))
		return false;
	if (parse_word(&p, "as") && !parse_name(&p, "a name", &a->name, err))
		return false;
	if (parse_word(&p, "with") && !attach_options(&p, a, err))
		return false;
	if (!parse_end(&p, err))
		return false;
	/* A word without a port that names a profile is that profile. */
	if (a->brokers && !a->profile && !strchr(a->brokers, ':')) {
		struct buf profiles = BUF_INIT;
		catalog_profiles(s->catalog, &profiles);
		size_t n = strlen(a->brokers);
		for (const char *q = profiles.data; *q && a->brokers;) {
			size_t m = strcspn(q, "\n");
			if (m == n && strncmp(q, a->brokers, n) == 0) {
				a->profile = a->brokers;
				a->brokers = NULL;
			}
			q += m + (q[m] == '\n');
		}
		buf_finish(&profiles);
	}
	if (!a->name && !a->profile)
		return err_set(err, ERR_SQL, "ATTACH CLUSTER '%s' AS name: the name is missing", a->brokers ? a->brokers : "");
	if (!a->name)
		a->name = xstrdup(a->profile);
	st->run = run_attach;
	return true;
}

static bool run_detach(struct session *s, struct statement *st, struct err *err)
{
	struct cluster_args *a = st->data;
	if (s->catalog->current && sqlite3_stricmp(s->catalog->current->name, a->name) == 0)
		resolve_forget_auto(s);
	if (!catalog_detach(s->catalog, a->name, err)) {
		if (a->if_exists)
			err_clear(err);
		return a->if_exists;
	}
	return persist_forget(s, "cluster", a->name, err);
}

static bool detach(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct cluster_args *a = cluster_args_create(st);
	parse_words(&p, "detach cluster");
	a->if_exists = parse_words(&p, "if exists");
	st->run = run_detach;
	return parse_name(&p, "a cluster", &a->name, err) && parse_end(&p, err);
}

static bool run_use(struct session *s, struct statement *st, struct err *err)
{
	struct cluster_args *a = st->data;
	return session_use_cluster(s, a->name, err);
}

static bool use(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct cluster_args *a = cluster_args_create(st);
	parse_word(&p, "use");
	parse_word(&p, "cluster");
	st->run = run_use;
	return parse_name(&p, "a cluster", &a->name, err) && parse_end(&p, err);
}

/* ---- SET name = value ---- */

struct set_args {
	char *name, *value;
};

static void set_args_free(void *data)
{
	struct set_args *a = data;
	free(a->name);
	free(a->value);
	free(a);
}

static bool run_set(struct session *s, struct statement *st, struct err *err)
{
	struct set_args *a = st->data;
	if (strcasecmp(a->name, "auto.offset.reset") == 0) {
		catalog_notice(s->catalog, NOTICE_INFO, "auto.offset.reset is ignored: a SELECT reads the whole topic unless WHERE or --from says otherwise");
		return true;
	}
	return setting_set(s->catalog, a->name, a->value, err);
}

static bool set(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	struct parse p = parse_begin(text, 0, len);
	struct set_args *a = xcalloc(1, sizeof *a);
	struct buf value = BUF_INIT;
	st->data = a;
	st->free_data = set_args_free;
	st->run = run_set;
	parse_word(&p, "set");
	if (!parse_name(&p, "a setting", &a->name, err))
		return false;
	if (!parse_op(&p, "=") && !parse_word(&p, "to"))
		return parse_fail(&p, err, "=");
	/* A quoted value, or the words as they stand: SET write = on; SET max_message = 16M is one illegal number to SQL, and meant. */
	while (!parse_at_end(&p)) {
		token_unquote(&p.token, &value);
		parse_next(&p);
	}
	a->value = buf_take(&value);
	return a->value[0] || parse_fail(&p, err, "a value");
}

/* Never reached: session.c makes a SELECT .. EMIT of it before. The entry is for help and completion. */
static bool subscribe(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	(void)s, (void)text, (void)len, (void)st, (void)ret_ours;
	return err_set(err, ERR_INTERNAL, "SUBSCRIBE was not rewritten");
}

/* CREATE opens many statements; only a few are ours. */
static bool create(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	bool ok = matview_create_statement(s, text, len, st, ret_ours, err);
	if (!ok || *ret_ours)
		return ok;
	if (!stream_create_statement(s, text, len, st, ret_ours, err))
		return false;
	return *ret_ours || view_create_statement(s, text, len, st, ret_ours, err);
}

static const struct dialect_def defs[] = {
	{"ATTACH CLUSTER", attach, "ATTACH CLUSTER 'host:9092,..' AS name [WITH (profile = 'p')]"},
	{"CREATE", create, "CREATE [OR REPLACE] STREAM [IF NOT EXISTS] s [(columns)] FROM TOPIC 't' [WITH (format = ..)]"},
	{"DESC", describe_statement, "DESCRIBE [EXTENDED] name"},
	{"DESCRIBE", describe_statement, "DESCRIBE [EXTENDED] name"},
	{"DETACH CLUSTER", detach, "DETACH CLUSTER [IF EXISTS] name"},
	{"DROP MATERIALIZED VIEW", matview_drop_statement, "DROP MATERIALIZED VIEW [IF EXISTS] v"},
	{"DROP STREAM", stream_drop_statement, "DROP STREAM [IF EXISTS] s"},
	{"DROP VIEW", view_drop_statement, "DROP VIEW [IF EXISTS] v"},
	{"EXPLAIN SCAN", explain_scan_statement, "EXPLAIN SCAN query"},
	{"EXPLAIN", explain_statement, "EXPLAIN SELECT .. EMIT .."},
	{"LIST", show_statement, "LIST TOPICS"},
	{"PAUSE", matview_pause_statement, "PAUSE id | view"},
	{"PRINT", print_statement, "PRINT 'topic' [FROM BEGINNING | '-1h'] [LIMIT n]"},
	{"REFRESH", matview_refresh_statement, "REFRESH MATERIALIZED VIEW v"},
	{"RESUME", matview_pause_statement, "RESUME id | view"},
	{"SET", set, "SET name = value"},
	{"SHOW", show_statement, "SHOW [ALL] TOPICS | STREAMS | TABLES | VIEWS | GROUPS | FUNCTIONS | CLUSTERS | CONFIGS | BROKERS | PARTITIONS | QUERIES | SETTINGS | PROFILES [LIKE 'pattern']"},
	{"SUBSCRIBE", subscribe, "SUBSCRIBE TO name | (query) [ENVELOPE UPSERT (KEY (..))]"},
	{"TERMINATE", matview_pause_statement, "TERMINATE id | view"},
	{"USE", use, "USE cluster"},
};

const struct dialect_def *dialect_at(size_t index)
{
	return index < sizeof defs / sizeof *defs ? &defs[index] : NULL;
}

bool dialect_takes_emit(const char *text, size_t len)
{
	static const char *const words[] = {"create", "explain"};
	struct parse p = parse_begin(text, 0, len);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (parse_is(&p, words[i]))
			return true;
	return false;
}

bool dialect_reads_windows(const char *text, size_t len)
{
	struct parse p = parse_begin(text, 0, len);
	if (parse_word(&p, "explain"))
		return !parse_is(&p, "scan");
	if (!parse_word(&p, "create"))
		return false;
	parse_words(&p, "or replace");
	return parse_is(&p, "materialized");
}

bool dialect_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	for (size_t i = 0; i < sizeof defs / sizeof *defs; i++) {
		struct parse p = parse_begin(text, 0, len);
		if (parse_words(&p, defs[i].words)) {
			*ret_ours = true;
			return defs[i].handle(s, text, len, st, ret_ours, err);
		}
	}
	*ret_ours = false;
	return true;
}
