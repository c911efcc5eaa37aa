/* EXPLAIN SCAN query: what each topic of the query would be asked for. The query is prepared and stepped with vtab/'s plan collection on, so that every scan
 * is planned (offsets and times are asked of the broker) and reads nothing. One row per partition of each scan, after one row with the predicates. */
#include <stdio.h>
#include <stdlib.h>
#include "core/alloc.h"
#include "sql/dialect.h"
#include "sql/literal.h"

/* A guess of speed for "seconds expected": what one core decodes. */
enum { MESSAGES_PER_S = 2500000, BYTES_PER_S = 400000000 };   /* a scan on two cores with the broker beside it; a network is slower */

static void add_lines(struct literal *l, const struct scan_plan *plan, const char *what, const char *lines)
{
	for (const char *p = lines ? lines : ""; *p;) {
		size_t n = strcspn(p, "\n");
		char *line = xstrndup(p, n);
		literal_row(l);
		literal_text(l, plan->table);
		literal_text(l, what);
		literal_text(l, line);
		free(line);
		p += n + (p[n] == '\n');
	}
}

static void add_plan(struct literal *l, const struct scan_plan *plan)
{
	int64_t wanted = 0;
	char text[160];
	for (size_t i = 0; i < plan->range_n; i++)
		wanted += plan->ranges[i].end > plan->ranges[i].start ? plan->ranges[i].end - plan->ranges[i].start : 0;
	literal_row(l);
	literal_text(l, plan->table);
	literal_text(l, "topic");
	snprintf(text, sizeof text, "%s on %s", plan->topic ? plan->topic : "", plan->cluster ? plan->cluster : "");
	literal_text(l, text);
	literal_text(l, NULL);
	literal_int(l, wanted);
	if (plan->bytes_estimate >= 0)
		literal_int(l, plan->bytes_estimate);
	else
		literal_text(l, NULL);
	snprintf(text, sizeof text, "%.3f", (double)wanted / MESSAGES_PER_S + (plan->bytes_estimate > 0 ? (double)plan->bytes_estimate / BYTES_PER_S : 0));
	literal_text(l, text);
	add_lines(l, plan, "pushed", plan->pushed);
	add_lines(l, plan, "not pushed", plan->not_pushed);
	for (size_t i = 0; i < plan->range_n; i++) {
		const struct scan_range *r = &plan->ranges[i];
		const struct scan_range *b = NULL;
		for (size_t k = 0; plan->bounds && k < plan->range_n; k++)
			if (plan->bounds[k].partition == r->partition)
				b = &plan->bounds[k];
		literal_row(l);
		literal_text(l, plan->table);
		snprintf(text, sizeof text, "partition %d", r->partition);
		literal_text(l, text);
		snprintf(text, sizeof text, "%lld..%lld", (long long)r->start, (long long)r->end);
		literal_text(l, text);
		snprintf(text, sizeof text, "%lld..%lld", b ? (long long)b->start : 0, b ? (long long)b->end : 0);
		literal_text(l, text);
		literal_int(l, r->end > r->start ? r->end - r->start : 0);
		if (plan->bytes_estimate >= 0 && wanted > 0)
			literal_int(l, (int64_t)((double)plan->bytes_estimate * (double)(r->end - r->start) / (double)wanted));
	}
}

bool explain_scan_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	static const char *const names[] = {"table", "what", "plan", "topic holds", "records", "bytes", "seconds", NULL};
	struct parse p = parse_begin(text, 0, len);
	parse_words(&p, "explain scan");
	struct statement inner = {.sql = BUF_INIT, .resolve = true};
	size_t from = parse_offset(&p), used;
	if (!parse_is(&p, "select") && !parse_is(&p, "with") && !parse_is(&p, "values"))
		return parse_fail(&p, err, "a SELECT");
	buf_add(&inner.sql, text + from, len - from);
	struct scan_plan_list list = {.plans = NULL, .n = 0};
	sqlite3_stmt *stmt = NULL;
	bool ok = resolve_prepare(s, &inner, &stmt, &used, err);
	if (!ok && err->sql_offset >= 0)
		err->sql_offset = inner.rewritten ? -1 : err->sql_offset + (int)from;
	if (ok)
		ok = variables_bind(s, stmt, err);
	if (ok) {
		int rc;
		vtab_collect_plans(s->db, &list);
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
			;
		vtab_collect_plans(s->db, NULL);
		ok = rc == SQLITE_DONE || session_sqlite_error(s, rc, -1, err);
	}
	sqlite3_finalize(stmt);
	if (ok) {
		struct literal l = literal_begin(names);
		for (size_t i = 0; i < list.n; i++)
			add_plan(&l, &list.plans[i]);
		literal_finish(&l, &st->sql);
		st->rewritten = true;
	}
	scan_plan_list_finish(&list);
	statement_finish(&inner);
	return ok;
}
