/* sql/literal.h */
#include "sql/literal.h"

#include "sql/lex.h"

struct literal literal_begin(const char *const *names)
{
	return (struct literal){.names = names, .rows = BUF_INIT, .column = -1};
}

static void pad(struct literal *l)
{
	if (l->column < 0)
		return;
	for (; l->names[l->column]; l->column++)
		buf_adds(&l->rows, l->column ? ", NULL" : "NULL");
	buf_addc(&l->rows, ')');
}

void literal_row(struct literal *l)
{
	pad(l);
	buf_adds(&l->rows, l->column < 0 ? "(" : ", (");
	l->column = 0;
}

void literal_text(struct literal *l, const char *text)
{
	if (l->column++)
		buf_adds(&l->rows, ", ");
	sql_quote_text(&l->rows, text);
}

void literal_int(struct literal *l, int64_t v)
{
	if (l->column++)
		buf_adds(&l->rows, ", ");
	if (v == INT64_MIN)
		buf_adds(&l->rows, "(-9223372036854775807 - 1)");
	else
		buf_addf(&l->rows, "%lld", (long long)v);
}

void literal_finish(struct literal *l, struct buf *sql)
{
	bool empty = l->column < 0;
	pad(l);
	buf_adds(sql, "SELECT ");
	for (int i = 0; l->names[i]; i++) {
		buf_adds(sql, i ? ", " : "");
		if (empty)
			buf_adds(sql, "NULL AS ");
		else
			buf_addf(sql, "column%d AS ", i + 1);
		sql_quote_name(sql, l->names[i]);
	}
	if (empty)
		buf_adds(sql, " WHERE 0");
	else
		buf_addf(sql, " FROM (VALUES %s)", l->rows.data);
	buf_finish(&l->rows);
}
