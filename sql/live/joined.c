/* Subqueries that join topics (live_impl.h). */
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "sql/live/body.h"
#include "sql/live/live_impl.h"

static bool has_time(const char *text, const struct select *sel)
{
	bool has = false;
	for (size_t i = 0; i < sel->item_n; i++)
		has = has || select_item_named(text, &sel->items[i], "_ts");
	return has;
}

/* body is taken over. */
static struct joined *find(char *body)
{
	struct joined *j = xcalloc(1, sizeof *j);
	bool is = false;
	j->text = body;
	if (select_parse(body, 0, strlen(body), &j->select)) {
		for (size_t i = 1; i < j->select.from_n; i++)
			is = is || !span_empty(j->select.from[i].within_whole);
		is = is && span_empty(j->select.with) && !derived_obstacle(body, &j->select);
	}
	if (!is) {
		joined_free(j);
		return NULL;
	}
	j->has_time = has_time(body, &j->select);
	return j;
}

struct joined *joined_find(const char *text, const struct select *sel, struct span table)
{
	if (sel->from_n != 1 || span_empty(table) || text[table.from] != '(')
		return NULL;
	return find(span_text(text, (struct span){table.from + 1, table.to - 1}));
}

/* The only WITH table, where FROM names nothing else. */
static char *only_with(const char *text, const struct select *sel, struct span table)
{
	struct scope scope = {text, sel->with, NULL};
	char *body = NULL, *columns = NULL, *name = span_column_name(text, table);
	if (name && body_of_with(&scope, name, &body, &columns)) {
		char *before = body_with_before(&scope, name);
		struct span *tables = NULL;
		size_t n = 0;
		span_split(text, sel->with, &tables, &n);
		if (!before || *before || columns || n != 1) {
			free(body);
			body = NULL;
		}
		free(tables);
		free(before);
	}
	free(columns);
	free(name);
	return body;
}

bool joined_inline(char **io_text, size_t *io_emit_at)
{
	struct select sel;
	const char *text = *io_text;
	if (!select_parse(text, 0, *io_emit_at, &sel))
		return false;
	struct span name = sel.from_n == 1 && !span_empty(sel.with) ? body_name_in(&sel.from[0]) : (struct span){0, 0};
	char *body = span_empty(name) ? NULL : only_with(text, &sel, name);
	struct joined *j = body ? find(body) : NULL;
	if (j) {
		struct buf b = BUF_INIT;
		size_t behind = strlen(text) - *io_emit_at;
		buf_adds(&b, text);
		body_put_in_place(&b, &sel.from[0], name, j->text);
		span_replace(&b, sel.with, "");
		*io_emit_at = b.len - behind;
		free(*io_text);
		*io_text = buf_take(&b);
	}
	bool is = j != NULL;
	joined_free(j);
	select_finish(&sel);
	return is;
}

void joined_free(struct joined *j)
{
	if (!j)
		return;
	select_finish(&j->select);
	free(j->text);
	free(j);
}
