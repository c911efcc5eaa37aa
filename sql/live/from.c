/* sql/live/from.h */
#include "sql/live/from.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"

static bool lookup(struct session *s, const char *name, struct stream **ret, struct err *err)
{
	char *schema = NULL;
	bool ok = stream_lookup(s, name, ret, &schema, err);
	free(schema);
	return ok;
}

static bool is_builtin(const char *name)
{
	static const char *const prefixes[] = {"sqlite_", "weir_", "pragma_", "json_"};
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (strncasecmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* CTE names hide topics. */
static bool named_by_with(const char *text, const struct select *sel, const char *name)
{
	struct lex l = {.sql = text, .len = sel->with.to, .at = sel->with.from};
	bool same = false;
	for (struct token t = lex_next_solid(&l); t.kind != TOKEN_END && !same; t = lex_next_solid(&l)) {
		struct buf b = BUF_INIT;
		if (!token_is_name(&t))
			continue;
		token_unquote(&t, &b);
		same = strcasecmp(b.data, name) == 0;
		buf_finish(&b);
	}
	return same;
}

static bool find(struct session *s, const char *schema, const char *name, struct from_stream *ret, struct err *err)
{
	char *local = NULL;
	ret->name = schema ? xasprintf("%s.%s", schema, name) : xstrdup(name);
	if (!lookup(s, ret->name, &ret->stream, err))
		return false;
	if (ret->stream || (!schema && resolve_table_exists(s, name)))
		return true;
	/* Unknown: SQLite's message about it comes if it is no topic either. */
	struct err ignored = ERR_INIT;
	if (!resolve_stream(s, schema, name, &local, &ignored))
		return ignored.id == ERR_TOPIC_UNKNOWN || ignored.id == ERR_NO_CLUSTER || ignored.id == ERR_CLUSTER_UNKNOWN || err_set(err, ignored.id, "%s", ignored.msg);
	free(ret->name);
	ret->name = local;
	return lookup(s, ret->name, &ret->stream, err);
}

bool from_stream(struct session *s, const char *text, const struct select *sel, size_t item, struct from_stream *ret, struct err *err)
{
	const struct from_item *f = &sel->from[item];
	struct from_stream r = {.table = f->table};
	*ret = r;
	if (f->is_query)
		return true;
	if (f->is_call && (!window_from_call(text, f, &r.is_window, &r.window, &r.table, err)))
		return false;
	if (f->is_call && !r.is_window)
		return true;
	char *name = r.is_window ? span_column_name(text, r.table) : xstrdup(f->name);
	bool ok = true;
	if (name && !is_builtin(name) && !named_by_with(text, sel, name))
		ok = find(s, r.is_window ? NULL : f->schema, name, &r, err);
	if (ok && r.stream && r.stream->timestamp) {
		struct buf b = BUF_INIT;
		sql_quote_name(&b, f->alias ? f->alias : name);
		buf_addc(&b, '.');
		sql_quote_name(&b, r.stream->timestamp);
		r.event_time = buf_take(&b);
	}
	free(name);
	if (!ok) {
		from_stream_finish(&r);
		return false;
	}
	*ret = r;
	return true;
}

void from_stream_finish(struct from_stream *f)
{
	stream_destroy(f->stream);
	free(f->name);
	free(f->event_time);
	window_spec_finish(&f->window);
	*f = (struct from_stream){0};
}
