/* EXPLAIN SCAN query: what each topic of the query would be asked for. The query is prepared and stepped with vtab/'s plan collection on, so that every scan
 * is planned (offsets and times are asked of the broker) and reads nothing. One row per partition of each scan, after one row with the predicates. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "sql/dialect.h"
#include "sql/literal.h"
#include "sql/select.h"

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

/* Runs a query with the plan collection on and appends to list. */
static bool collect(struct session *s, const char *text, size_t len, struct scan_plan_list *list, struct statement *inner, struct err *err)
{
	size_t used;
	sqlite3_stmt *stmt = NULL;
	*inner = (struct statement){.sql = BUF_INIT, .resolve = true};
	buf_add(&inner->sql, text, len);
	bool ok = resolve_prepare(s, inner, &stmt, &used, err) && variables_bind(s, stmt, err);
	if (ok) {
		int rc;
		vtab_collect_plans(s->db, list);
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
			;
		vtab_collect_plans(s->db, NULL);
		ok = rc == SQLITE_DONE || session_sqlite_error(s, rc, -1, err);
	}
	sqlite3_finalize(stmt);
	return ok;
}

/* ---- what SQLite is left with: each condition is planned alone, over the table that it is about */

struct left {
	struct session *s;
	const char *text;                    /* of the query */
	const struct select *sel;
	struct scan_plan_list *list;
};

static bool is_table(const struct from_item *f)
{
	return f->name && !f->is_call && !f->is_query;
}

/* SELECT 1 FROM <with> <item> WHERE <condition>. */
static bool plan_alone(struct left *l, const struct from_item *f, const char *condition, struct scan_plan_list *ret)
{
	struct buf sql = BUF_INIT;
	struct statement ignored_statement;
	struct err ignored = ERR_INIT;
	span_add(&sql, l->text, l->sel->with);
	buf_adds(&sql, " SELECT 1 FROM ");
	span_add(&sql, l->text, f->table);
	if (f->alias)
		buf_addf(&sql, " AS \"%s\"", f->alias);
	buf_addf(&sql, " WHERE %s", condition);
	bool ok = collect(l->s, sql.data, sql.len, ret, &ignored_statement, &ignored);
	statement_finish(&ignored_statement);
	buf_finish(&sql);
	return ok;
}

static struct scan_plan *plan_of(struct scan_plan_list *list, const char *table)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->plans[i].table && strcasecmp(list->plans[i].table, table) == 0)
			return &list->plans[i];
	return NULL;
}

static void append_line(char **lines, const char *line)
{
	char *old = *lines;
	*lines = old && *old ? xasprintf("%s\n%s", old, line) : xstrdup(line);
	free(old);
}

/* One line of text, cut to what a person reads. */
static char *as_line(const char *text, struct span term)
{
	enum { LINE_MAX = 100 };
	struct buf line = BUF_INIT;
	for (size_t i = term.from; i < term.to; i++) {
		bool blank = text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r';
		if (!blank)
			buf_addc(&line, text[i]);
		else if (line.len && line.data[line.len - 1] != ' ')
			buf_addc(&line, ' ');
	}
	if (line.len > LINE_MAX) {
		size_t cut = LINE_MAX;
		while (cut > 0 && ((unsigned char)line.data[cut] & 0xc0) == 0x80)
			cut--;
		line.len = cut;
		buf_adds(&line, "..");
	}
	return buf_take(&line);
}

/* The conditions of WHERE (with_where) and ON that are about this table alone. Those that its scan does not mention are added to plan->not_pushed. */
static void tell_left(struct left *l, const struct from_item *f, const struct span *terms, size_t n, struct scan_plan *plan, struct buf *ret_all)
{
	for (size_t i = 0; i < n; i++) {
		struct scan_plan_list alone = {.no_bytes = true};
		char *condition = span_text(l->text, terms[i]);
		if (plan_alone(l, f, condition, &alone)) {              /* else it is about another table, or about two */
			const struct scan_plan *p = plan_of(&alone, plan ? plan->table : f->name);
			if (ret_all)
				buf_addf(ret_all, "%s(%s)", ret_all->len ? " AND " : "", condition);
			/* What a subquery gives is not known here: it ran over nothing. */
			if (plan && p && !*p->pushed && !*p->not_pushed && !span_has_word(l->text, terms[i], "select")) {
				char *line = as_line(l->text, terms[i]), *said = xasprintf("%s: SQLite checks each row that the scan gives", line);
				append_line(&plan->not_pushed, said);
				free(said);
				free(line);
			}
		}
		free(condition);
		scan_plan_list_finish(&alone);
	}
}

/* Moves the first plan of `from`. */
static struct scan_plan *add_to(struct scan_plan_list *list, struct scan_plan_list *from)
{
	list->plans = xreallocarray(list->plans, list->n + 1, sizeof *list->plans);
	list->plans[list->n] = from->plans[0];
	from->plans[0] = (struct scan_plan){.table = NULL};
	return &list->plans[list->n++];
}

/* Conditions that no scan took; and tables that the run did not reach, because the tables before them in the join gave no row. */
static void tell_rest(struct left *l)
{
	struct span *terms = NULL;
	size_t on_n = 0, all_n;
	bool outer = false, both = false;
	for (size_t i = 0; i < l->sel->from_n; i++) {
		outer = outer || l->sel->from[i].join >= JOIN_LEFT;
		both = both || l->sel->from[i].join > JOIN_LEFT;
		if (!span_empty(l->sel->from[i].on))
			span_split_and(l->text, l->sel->from[i].on, &terms, &on_n);
	}
	all_n = on_n;
	if (!span_empty(l->sel->where))
		span_split_and(l->text, l->sel->where, &terms, &all_n);
	for (size_t i = 0; i < l->sel->from_n; i++) {
		const struct from_item *f = &l->sel->from[i];
		if (!is_table(f))
			continue;
		/* What WHERE says about the side of an outer join that may be missing is checked behind the join. */
		size_t n = outer && (i > 0 || both) ? on_n : all_n;
		struct scan_plan *plan = plan_of(l->list, f->name);
		struct buf all = BUF_INIT;
		if (!plan) {
			struct scan_plan_list found = {.plans = NULL};
			tell_left(l, f, terms, n, NULL, &all);
			plan_alone(l, f, all.len ? all.data : "true", &found);
			if (plan_of(&found, f->name))                  /* else it is a view or a CTE, whose tables the run has found */
				plan = add_to(l->list, &found);
			scan_plan_list_finish(&found);
		}
		buf_finish(&all);
		if (plan)
			tell_left(l, f, terms, n, plan, NULL);
	}
	free(terms);
}

bool explain_scan_statement(struct session *s, const char *text, size_t len, struct statement *st, bool *ret_ours, struct err *err)
{
	static const char *const names[] = {"table", "what", "plan", "topic holds", "records", "bytes", "seconds", NULL};
	struct parse p = parse_begin(text, 0, len);
	parse_words(&p, "explain scan");
	size_t from = parse_offset(&p);
	if (!parse_is(&p, "select") && !parse_is(&p, "with") && !parse_is(&p, "values"))
		return parse_fail(&p, err, "a SELECT");
	struct statement inner;
	struct scan_plan_list list = {.plans = NULL};
	bool ok = collect(s, text + from, len - from, &list, &inner, err);
	if (!ok && err->sql_offset >= 0)
		err->sql_offset = inner.rewritten ? -1 : err->sql_offset + (int)from;
	struct select sel;
	if (ok && !inner.rewritten && select_parse(text, from, len, &sel)) {
		struct left l = {.s = s, .text = text, .sel = &sel, .list = &list};
		if (!sel.compound)
			tell_rest(&l);
		select_finish(&sel);
	}
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
