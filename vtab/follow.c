/* vtab/follow.h. The state is loaded as a statement's is, to the ends frozen then, and the endless source begins at exactly these ends. */
#include "vtab/follow.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "core/time.h"
#include "vtab/changelog.h"
#include "vtab/scan.h"

enum { POLL_MAX_MS = 50 };               /* of one table: whoever polls has a stream to serve as well */

struct follow {
	int refs;
	struct module *module;
	struct follow *next, **prev;         /* module's list; prev NULL = not in it any more */
	struct stream *versions;             /* of a table of versions, with its name; NULL = a plain state, shared by topic */
	char *cluster;                       /* NULL = current */
	char *topic;
	struct changelog *log;
	struct source *source;               /* NULL = no more changes */
	struct scan_stats seen;
	struct err failed;
};

static struct follow *find(const struct module *m, const char *cluster, const char *topic)
{
	for (struct follow *f = m->follows; f; f = f->next)
		if (!f->versions && same_name(f->cluster, cluster) && strcmp(f->topic, topic) == 0)
			return f;
	return NULL;
}

struct changelog *follow_state(const struct table *t)
{
	const struct follow *f = t->module->follows ? find(t->module, t->stream->cluster, t->stream->topic) : NULL;
	return f ? f->log : NULL;
}

static struct table *find_table(struct module *m, const char *name)
{
	/* Preparing connects a table that nobody has used yet. */
	sqlite3_stmt *stmt = NULL;
	char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\"", name);
	if (sql && sqlite3_prepare_v2(m->db, sql, -1, &stmt, NULL) == SQLITE_OK)
		sqlite3_finalize(stmt);
	sqlite3_free(sql);
	for (struct table *t = m->tables; t; t = t->next)
		if (!t->feed && !t->versions && t->stream->kind == STREAM_CHANGELOG && sqlite3_stricmp(t->stream->name, name) == 0)
			return t;
	return NULL;
}

static bool open_source(struct follow *f, const struct frozen *bounds, struct err *err)
{
	struct provider *p = f->module->provider;
	size_t n = (size_t)bounds->info.partition_n;
	struct scan_range *ranges = xreallocarray(NULL, n, sizeof *ranges);
	for (size_t i = 0; i < n; i++)
		ranges[i] = (struct scan_range){bounds->bounds[i].partition, bounds->bounds[i].end, SCAN_END_NEVER};
	struct scan_request request = {
		.topic = f->topic, .ranges = ranges, .range_n = n, .need = SCAN_NEED_KEY | SCAN_NEED_VALUE | SCAN_NEED_HEADERS, .live = true, .new_partitions = true,
		.max_message_bytes = p->max_message_bytes, .gap_policy = GAP_WARN, .cancel = p->cancel,
	};
	bool ok = scan_open(f->module, f->cluster, &request, &f->source, err);
	free(ranges);
	return ok;
}

static struct table *changelog_table(struct module *m, const char *name, struct err *err)
{
	struct table *t = m ? find_table(m, name) : NULL;
	if (!t)
		err_set(err, ERR_OPTION, "\"%s\" is no changelog table: there is nothing to follow", name);
	return t;
}

static void unlist(struct follow *f)
{
	*f->prev = f->next;
	if (f->next)
		f->next->prev = f->prev;
	f->prev = NULL;
}

static bool start(struct table *t, const char *versions_name, struct follow **ret, struct err *err)
{
	struct module *m = t->module;
	const struct frozen *bounds = NULL;
	struct changelog *log = NULL;
	module_enter_statement(m);
	if (!frozen_get(m, t->stream->cluster, t->stream->topic, &bounds, err) || !changelog_load(t, versions_name != NULL, &log, err))
		return false;
	struct follow *f = xcalloc(1, sizeof *f);
	if (versions_name) {
		f->versions = stream_copy(t->stream);
		free(f->versions->name);
		f->versions->name = xstrdup(versions_name);
	}
	f->refs = 1;
	f->module = m;
	f->cluster = t->stream->cluster ? xstrdup(t->stream->cluster) : NULL;
	f->topic = xstrdup(t->stream->topic);
	f->log = log;
	f->failed = (struct err)ERR_INIT;
	f->next = m->follows;
	f->prev = &m->follows;
	if (f->next)
		f->next->prev = &f->next;
	m->follows = f;
	if (m->provider->until.kind == POSITION_NONE && !open_source(f, bounds, err)) {
		follow_unref(f);
		return false;
	}
	*ret = f;
	return true;
}

bool vtab_changelog_follow(sqlite3 *db, const char *table, struct follow **ret, struct err *err)
{
	struct table *t = changelog_table(module_of(db), table, err);
	if (!t)
		return false;
	struct follow *f = find(t->module, t->stream->cluster, t->stream->topic);
	if (!f)
		return start(t, NULL, ret, err);
	f->refs++;
	*ret = f;
	return true;
}

bool vtab_changelog_versions(sqlite3 *db, const char *table, const char *name, struct follow **ret, struct err *err)
{
	struct table *t = changelog_table(module_of(db), table, err);
	struct follow *f = NULL;
	if (!t || !start(t, name, &f, err))
		return false;
	char *sql = sqlite3_mprintf("CREATE VIRTUAL TABLE temp.\"%w\" USING kafka_feed", name);
	char *text = NULL;
	int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, &text) : SQLITE_NOMEM;
	sqlite3_free(sql);
	if (rc != SQLITE_OK) {
		err_set(err, rc == SQLITE_NOMEM ? ERR_MEMORY : ERR_OPTION, "the versions of \"%s\": %s", table, text ? text : sqlite3_errstr(rc));
		sqlite3_free(text);
		unlist(f);
		follow_unref(f);
		return false;
	}
	*ret = f;
	return true;
}

void vtab_changelog_unfollow(struct follow *f)
{
	if (f && f->versions) {
		char *sql = sqlite3_mprintf("DROP TABLE temp.\"%w\"", f->versions->name);
		if (sql)
			sqlite3_exec(f->module->db, sql, NULL, NULL, NULL);
		sqlite3_free(sql);
		unlist(f);
	}
	follow_unref(f);
}

struct follow *follow_ref(struct follow *f)
{
	f->refs++;
	return f;
}

void follow_unref(struct follow *f)
{
	if (!f || --f->refs)
		return;
	source_destroy(f->source);
	changelog_unref(f->log);
	if (f->prev)
		unlist(f);
	stream_destroy(f->versions);
	free(f->cluster);
	free(f->topic);
	free(f);
}

struct follow *follow_versions(const struct module *m, const char *name)
{
	for (struct follow *f = m->follows; f; f = f->next)
		if (f->versions && sqlite3_stricmp(f->versions->name, name) == 0)
			return f;
	return NULL;
}

const struct stream *follow_stream(const struct follow *f)
{
	return f->versions;
}

struct changelog *follow_log(const struct follow *f)
{
	return f->log;
}

/* Takes what is there now. */
static bool poll_one(struct follow *f, int wait_ms, size_t *applied, struct err *err)
{
	struct provider *p = f->module->provider;
	if (f->failed.id) {
		*err = f->failed;
		return false;
	}
	if (!f->source || changelog_in_use(f->log))
		return true;
	int64_t until_mono_ms = time_mono_ms() + wait_ms + POLL_MAX_MS;
	for (;; wait_ms = 0) {
		struct batch *b = NULL;
		enum source_status status = source_next(f->source, wait_ms, &b, err);
		stats_add(p, f->source, &f->seen);
		bool ok = status != SOURCE_ERROR;
		for (size_t i = 0; status == SOURCE_BATCH && ok && i < b->record_n; i++) {
			ok = changelog_apply(f->log, b->partition, &b->records[i], err);
			(*applied)++;
		}
		batch_unref(b);
		if (!ok && err->id != ERR_INTERRUPTED && err->id != ERR_TIMEOUT) {
			f->failed = *err;
			source_destroy(f->source);
			f->source = NULL;
		}
		if (!ok || status != SOURCE_BATCH || time_mono_ms() >= until_mono_ms)
			return ok;
	}
}

bool vtab_changelog_poll(sqlite3 *db, int wait_ms, size_t *ret_applied, struct err *err)
{
	struct module *m = module_of(db);
	size_t applied = 0;
	bool ok = true;
	for (struct follow *f = m ? m->follows : NULL; f && ok; f = f->next) {
		ok = poll_one(f, wait_ms, &applied, err);
		wait_ms = 0;                         /* all together wait no longer than that */
	}
	if (ret_applied)
		*ret_applied = applied;
	return ok;
}

struct source *vtab_changelog_source(const struct follow *f)
{
	return f->source;
}
