/* sql/pending.h: an open-addressing table by lower-case name; a made entry stays as a hole with a NULL ddl until the table is empty. */
#include "sql/pending.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/hash.h"

struct pending {
	char *name, *ddl;
};

static uint64_t hash_name(const char *name)
{
	char lower[256];
	size_t n = 0;
	for (; name[n] && n < sizeof lower; n++)
		lower[n] = (char)(name[n] >= 'A' && name[n] <= 'Z' ? name[n] | 32 : name[n]);
	return hash_bytes(lower, n);
}

static struct pending *slot(struct pending *table, size_t cap, const char *name)
{
	size_t i = (size_t)hash_name(name) & (cap - 1);
	while (table[i].name && strcasecmp(table[i].name, name) != 0)
		i = (i + 1) & (cap - 1);
	return &table[i];
}

static struct pending *find(const struct session *s, const char *name)
{
	if (!s->pending_n)
		return NULL;
	struct pending *p = slot(s->pending, s->pending_cap, name);
	return p->ddl ? p : NULL;
}

static void clear(struct session *s)
{
	for (size_t i = 0; i < s->pending_cap; i++) {
		free(s->pending[i].name);
		free(s->pending[i].ddl);
	}
	free(s->pending);
	s->pending = NULL;
	s->pending_cap = s->pending_used = s->pending_n = 0;
}

void pending_finish(struct session *s)
{
	clear(s);
}

void pending_add(struct session *s, const char *name, const char *ddl)
{
	if ((s->pending_used + 1) * 2 > s->pending_cap) {
		size_t cap = s->pending_cap ? s->pending_cap * 2 : 64;
		struct pending *table = xcalloc(cap, sizeof *table);
		for (size_t i = 0; i < s->pending_cap; i++)
			if (s->pending[i].name)
				*slot(table, cap, s->pending[i].name) = s->pending[i];
		free(s->pending);
		s->pending = table;
		s->pending_cap = cap;
	}
	struct pending *p = slot(s->pending, s->pending_cap, name);
	if (!p->name) {
		p->name = xstrdup(name);
		s->pending_used++;
	}
	p->ddl = xstrdup(ddl);
	s->pending_n++;
}

bool pending_has(const struct session *s, const char *name)
{
	return find(s, name) != NULL;
}

static bool make(struct session *s, struct pending *p, struct err *err)
{
	char *ddl = p->ddl;
	p->ddl = NULL;                       /* also if it fails: it would fail each time */
	s->pending_n--;
	bool ok = session_exec(s, ddl, err);
	free(ddl);
	return ok;
}

bool pending_make(struct session *s, const char *name, struct err *err)
{
	struct pending *p = find(s, name);
	return !p || make(s, p, err);
}

bool pending_make_all(struct session *s, struct err *err)
{
	if (!s->pending_n)
		return true;
	/* One transaction for all; each by itself if the user has one open (then none of these was declared in it). */
	bool own = sqlite3_get_autocommit(s->db) && session_exec(s, "BEGIN", NULL), ok = true;
	for (size_t i = 0; i < s->pending_cap && ok; i++)
		if (s->pending[i].ddl)
			ok = make(s, &s->pending[i], err);
	if (own)
		ok = session_exec(s, "COMMIT", ok ? err : NULL) && ok;
	if (!s->pending_n)
		clear(s);
	return ok;
}

static bool looks_at_schema(const struct token *t)
{
	static const char *const names[] = {"sqlite_schema", "sqlite_master", "sqlite_temp_schema", "sqlite_temp_master", "weir_streams", "pragma_", "sqlite_dbpage", "dbstat"};
	struct buf b = BUF_INIT;
	bool yes = false;
	token_unquote(t, &b);
	for (size_t i = 0; i < sizeof names / sizeof *names && !yes; i++)
		yes = strncasecmp(b.data, names[i], strlen(names[i])) == 0;
	buf_finish(&b);
	return yes;
}

bool pending_before(struct session *s, const char *text, size_t len, struct err *err)
{
	/* Statements that see no table but those they name. All others (DDL, transactions, PRAGMA, SHOW ..) find everything made. */
	static const char *const named[] = {"select", "with", "values", "insert", "replace", "update", "delete", "explain", "set", "print", "describe", "desc"};
	if (!s->pending_n)
		return true;
	struct parse p = parse_begin(text, 0, len), q = p;
	bool all = true;
	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		all &= !parse_is(&p, named[i]);
	if (parse_word(&q, "create") && (parse_words(&q, "or replace"), parse_word(&q, "temp") || parse_word(&q, "temporary"), parse_is(&q, "stream")))
		return true;                     /* the name it creates is looked at when it runs */
	for (; !all && !parse_at_end(&p); parse_next(&p)) {
		if (!token_is_name(&p.token))
			continue;
		struct buf name = BUF_INIT;
		token_unquote(&p.token, &name);
		bool ok = pending_make(s, name.data, err);
		buf_finish(&name);
		if (!ok)
			return false;
		all = s->pending_n && looks_at_schema(&p.token);
	}
	return !all || pending_make_all(s, err);
}
