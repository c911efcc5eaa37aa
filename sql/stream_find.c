/* The stream behind a topic, for the mount's row forms: what somebody registered for it under whatever name, else what inference says. */
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "sql/session_impl.h"

static bool same_cluster(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcasecmp(a, b) == 0);
}

bool session_stream(struct session *s, const char *cluster, const char *topic, struct stream **ret, struct err *err)
{
	static const char sql[] = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage = 0 UNION ALL SELECT name FROM sqlite_temp_schema WHERE type = 'table' AND rootpage = 0";
	sqlite3_stmt *stmt = NULL;
	struct stream *found = NULL;
	char *schema = NULL, *name = NULL;
	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return session_sqlite_error(s, sqlite3_errcode(s->db), -1, err);
	while (!found && sqlite3_step(stmt) == SQLITE_ROW) {
		struct err ignored = ERR_INIT;
		struct stream *st = NULL;
		if (stream_lookup(s, (const char *)sqlite3_column_text(stmt, 0), &st, &schema, &ignored) && st && strcmp(st->topic, topic) == 0 && same_cluster(st->cluster, cluster)) {
			found = st;
			st = NULL;
		}
		stream_destroy(st);
		free(schema);
		schema = NULL;
	}
	sqlite3_finalize(stmt);
	if (!found) {
		bool ok = resolve_stream(s, cluster, topic, &name, err) && stream_lookup(s, name, &found, &schema, err);
		free(name);
		free(schema);
		if (!ok)
			return false;
		if (!found)
			return err_set(err, ERR_UNSUPPORTED, "\"%s\" is not a stream here", topic);
	}
	*ret = found;
	return true;
}
