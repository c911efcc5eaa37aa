/* Modes that need no widths: csv tsv list quote insert raw line expanded html. Each row is put together in p->scratch and handed over whole.
 *
 * csv follows RFC 4180 with \n as row end (.separator , \r\n for the letter of it): a cell is quoted if it holds the separator, a quote, CR or
 * LF, or begins or ends with a space; NULL is nothing at all and the empty string is "", so that both can be told apart. tsv is the same with a tab. */
#include <stdlib.h>
#include <string.h>
#include "core/utf8.h"
#include "shell/print_impls.h"

static const char *column_separator(const struct print *p)
{
	return p->set->column_separator ? p->set->column_separator : p->impl->column_separator;
}

static const char *row_separator(const struct print *p)
{
	return p->set->row_separator ? p->set->row_separator : "\n";
}

static bool with_header(const struct print *p)
{
	return p->set->headers && !p->set->tuples_only;
}

static void finish_row(struct print *p)
{
	buf_adds(&p->scratch, row_separator(p));
	out_add(p->out, p->scratch.data, p->scratch.len);
}

static bool formula_start(char c)
{
	return c == '=' || c == '+' || c == '-' || c == '@' || c == '\t' || c == '\r';
}

/* Text in scratch from `from` on is quoted in place if it must be. */
static void quote_csv(struct print *p, size_t from, const char *separator)
{
	struct buf *b = &p->scratch;
	size_t len = b->len - from;
	const char *text = b->data + from;
	size_t quote_n = 0;
	bool must = len == 0 || text[0] == ' ' || text[len - 1] == ' ';
	char first = separator[0];
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '"')
			quote_n++;
		else if (c == first || c == '\n' || c == '\r')
			must = true;
	}
	if (!must && !quote_n)
		return;
	buf_reserve(b, quote_n + 2);
	char *to = b->data + b->len + quote_n + 2;
	b->len += quote_n + 2;
	*to = '\0';
	*--to = '"';
	for (size_t i = len; i; i--) {
		char c = b->data[from + i - 1];
		*--to = c;
		if (c == '"')
			*--to = '"';
	}
	*--to = '"';
}

static void csv_text(struct print *p, const char *text, size_t len, bool is_text)
{
	struct buf *b = &p->scratch;
	size_t from = b->len;
	if (p->set->csv_safe && is_text && len && formula_start(text[0]))
		buf_addc(b, '\'');
	if (p->safe)
		utf8_escape(b, text, len, true);
	else
		buf_add(b, text, len);
	quote_csv(p, from, column_separator(p));
}

static void csv_begin(struct print *p)
{
	if (!with_header(p))
		return;
	buf_clear(&p->scratch);
	for (int i = 0; i < p->column_n; i++) {
		if (i)
			buf_adds(&p->scratch, column_separator(p));
		csv_text(p, p->columns[i].name, p->columns[i].name_len, true);
	}
	finish_row(p);
}

static void csv_row(struct print *p, const struct cell *cells)
{
	struct buf *b = &p->scratch;
	const char *separator = column_separator(p);
	buf_clear(b);
	for (int i = 0; i < p->column_n; i++) {
		const struct cell *c = &cells[i];
		if (i)
			buf_adds(b, separator);
		if (c->type == CELL_TEXT)
			csv_text(p, c->data, c->len, true);
		else if (c->type == CELL_BLOB && !c->len)
			buf_adds(b, "\"\"");
		else if (c->type != CELL_NULL || p->set->null_text)
			print_cell_text(p, i, c, false, b);
	}
	finish_row(p);
}

/* list: sqlite3's, no quoting at all. */
static void list_begin(struct print *p)
{
	if (!with_header(p))
		return;
	buf_clear(&p->scratch);
	for (int i = 0; i < p->column_n; i++) {
		buf_adds(&p->scratch, i ? column_separator(p) : "");
		if (p->safe)
			utf8_escape(&p->scratch, p->columns[i].name, p->columns[i].name_len, true);
		else
			buf_adds(&p->scratch, p->columns[i].name);
	}
	finish_row(p);
}

static void list_row(struct print *p, const struct cell *cells)
{
	buf_clear(&p->scratch);
	for (int i = 0; i < p->column_n; i++) {
		buf_adds(&p->scratch, i ? column_separator(p) : "");
		print_cell_text(p, i, &cells[i], false, &p->scratch);
	}
	finish_row(p);
}

/* raw: the bytes themselves, blobs too. */
static void raw_begin(struct print *p)
{
	(void)p;
}

static void raw_row(struct print *p, const struct cell *cells)
{
	buf_clear(&p->scratch);
	for (int i = 0; i < p->column_n; i++) {
		buf_adds(&p->scratch, i ? column_separator(p) : "");
		if (cells[i].type == CELL_BLOB && p->safe)
			utf8_escape(&p->scratch, cells[i].data, cells[i].len, true);
		else if (cells[i].type == CELL_BLOB)
			buf_add(&p->scratch, cells[i].data, cells[i].len);
		else
			print_cell_text(p, i, &cells[i], false, &p->scratch);
	}
	finish_row(p);
}

static void quote_row(struct print *p, const struct cell *cells)
{
	buf_clear(&p->scratch);
	for (int i = 0; i < p->column_n; i++) {
		buf_adds(&p->scratch, i ? column_separator(p) : "");
		print_sql_literal(&p->scratch, &cells[i], p->safe);
	}
	finish_row(p);
}

static void quote_begin(struct print *p)
{
	if (!with_header(p))
		return;
	buf_clear(&p->scratch);
	for (int i = 0; i < p->column_n; i++) {
		struct cell c = {.type = CELL_TEXT, .data = p->columns[i].name, .len = p->columns[i].name_len};
		buf_adds(&p->scratch, i ? column_separator(p) : "");
		print_sql_literal(&p->scratch, &c, p->safe);
	}
	finish_row(p);
}

static void insert_row(struct print *p, const struct cell *cells)
{
	struct buf *b = &p->scratch;
	buf_clear(b);
	buf_adds(b, "INSERT INTO ");
	print_sql_name(b, p->table ? p->table : "table");
	if (p->set->headers_given && with_header(p)) {
		for (int i = 0; i < p->column_n; i++) {
			buf_addc(b, i ? ',' : '(');
			print_sql_name(b, p->columns[i].name);
		}
		buf_addc(b, ')');
	}
	buf_adds(b, " VALUES(");
	for (int i = 0; i < p->column_n; i++) {
		if (i)
			buf_addc(b, ',');
		print_sql_literal(b, &cells[i], p->safe);
	}
	buf_adds(b, ");\n");
	out_add(p->out, b->data, b->len);
}

/* line (sqlite3: name = value) and expanded (psql's \x). Multi-line text keeps its lines, indented under the value. */
enum { AS_LINE, AS_EXPANDED };

static size_t name_width(const struct print *p)
{
	size_t max = 0;
	for (int i = 0; i < p->column_n; i++) {
		size_t w = utf8_width(p->columns[i].name, p->columns[i].name_len);
		max = w > max ? w : max;
	}
	return max;
}

static void add_spaces(struct buf *b, size_t n)
{
	while (n--)
		buf_addc(b, ' ');
}

static void line_row(struct print *p, const struct cell *cells)
{
	struct buf *b = &p->scratch;
	struct buf value = BUF_INIT;
	bool line = p->impl->variant == AS_LINE;
	size_t width = name_width(p);
	buf_clear(b);
	if (line && p->row_n > 1)
		buf_addc(b, '\n');
	if (!line && p->set->tuples_only)
		buf_adds(b, p->row_n > 1 ? "\n" : "");
	else if (!line) {
		size_t from = b->len;
		buf_addf(b, "-[ RECORD %lld ]", (long long)p->row_n);
		while (b->len - from < width + 1)
			buf_addc(b, '-');
		buf_adds(b, b->len - from > width + 1 ? "------------\n" : "+------------\n");
	}
	for (int i = 0; i < p->column_n; i++) {
		size_t w = utf8_width(p->columns[i].name, p->columns[i].name_len);
		if (line)
			add_spaces(b, width - w);
		if (p->color)
			buf_adds(b, "\x1b[1m");
		utf8_escape(b, p->columns[i].name, p->columns[i].name_len, false);
		if (p->color)
			buf_adds(b, "\x1b[0m");
		if (!line)
			add_spaces(b, width - w);
		buf_adds(b, line ? " = " : " | ");
		buf_clear(&value);
		print_cell_text(p, i, &cells[i], false, &value);
		if (cells[i].type == CELL_NULL && p->color)
			buf_addf(b, "\x1b[2m%s\x1b[0m\n", value.data);
		else {
			/* Continuation lines line up under the first. */
			const char *q = value.data;
			for (const char *nl; (nl = strchr(q, '\n')); q = nl + 1) {
				buf_add(b, q, (size_t)(nl + 1 - q));
				add_spaces(b, width);
				buf_adds(b, line ? "   " : " | ");
			}
			buf_add(b, q, value.len - (size_t)(q - value.data));
			buf_addc(b, '\n');
		}
	}
	buf_finish(&value);
	out_add(p->out, b->data, b->len);
}

static void html_add(struct buf *to, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		static const char special[] = "<>&\"'";
		static const char *const names[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"};
		const char *s = text[i] ? strchr(special, text[i]) : NULL;
		if (s)
			buf_adds(to, names[s - special]);
		else
			buf_addc(to, text[i]);
	}
}

static void html_begin(struct print *p)
{
	struct buf text = BUF_INIT;
	out_adds(p->out, "<table>\n");
	if (!with_header(p))
		return;
	buf_clear(&p->scratch);
	buf_adds(&p->scratch, "<tr>");
	for (int i = 0; i < p->column_n; i++) {
		buf_clear(&text);
		utf8_escape(&text, p->columns[i].name, p->columns[i].name_len, true);
		buf_adds(&p->scratch, "<th>");
		html_add(&p->scratch, text.data, text.len);
		buf_adds(&p->scratch, "</th>");
	}
	buf_adds(&p->scratch, "</tr>\n");
	out_add(p->out, p->scratch.data, p->scratch.len);
	buf_finish(&text);
}

static void html_row(struct print *p, const struct cell *cells)
{
	struct buf text = BUF_INIT;
	buf_clear(&p->scratch);
	buf_adds(&p->scratch, "<tr>");
	for (int i = 0; i < p->column_n; i++) {
		buf_clear(&text);
		print_cell_text(p, i, &cells[i], false, &text);
		buf_adds(&p->scratch, cells[i].type == CELL_INTEGER || cells[i].type == CELL_REAL ? "<td align=\"right\">" : "<td>");
		if (cells[i].type != CELL_NULL || p->set->null_text)
			html_add(&p->scratch, text.data, text.len);
		buf_adds(&p->scratch, "</td>");
	}
	buf_adds(&p->scratch, "</tr>\n");
	out_add(p->out, p->scratch.data, p->scratch.len);
	buf_finish(&text);
}

static void html_end(struct print *p)
{
	out_adds(p->out, "</table>\n");
}

static void nothing(struct print *p)
{
	(void)p;
}

const struct print_impl print_csv = {.name = "csv", .help = "RFC 4180, with a header", .column_separator = ",", .null_text = "", .begin = csv_begin, .row = csv_row, .end = nothing};
const struct print_impl print_tsv = {.name = "tsv", .help = "as csv with tabs (default in a pipe)", .column_separator = "\t", .null_text = "", .begin = csv_begin, .row = csv_row,
	.end = nothing};
const struct print_impl print_list = {.name = "list", .help = "values with | between, no quoting", .column_separator = "|", .null_text = "", .begin = list_begin, .row = list_row,
	.end = nothing};
const struct print_impl print_raw = {.name = "raw", .help = "the bytes as they are, no header", .column_separator = "\t", .null_text = "", .begin = raw_begin, .row = raw_row,
	.end = nothing};
const struct print_impl print_quote = {.name = "quote", .help = "SQL literals", .column_separator = ",", .null_text = "NULL", .begin = quote_begin, .row = quote_row, .end = nothing};
const struct print_impl print_insert = {.name = "insert", .help = "INSERT statements (.mode insert TABLE)", .column_separator = ",", .null_text = "NULL", .begin = nothing,
	.row = insert_row, .end = nothing};
const struct print_impl print_line = {.name = "line", .help = "one value a line: name = value", .people = true, .column_separator = "", .null_text = "NULL", .begin = nothing,
	.row = line_row, .end = nothing, .variant = AS_LINE};
const struct print_impl print_expanded = {.name = "expanded", .help = "one value a line, a rule before each row (\\x)", .people = true, .column_separator = "", .null_text = "NULL",
	.begin = nothing, .row = line_row, .end = nothing, .variant = AS_EXPANDED};
const struct print_impl print_html = {.name = "html", .help = "an HTML table", .people = true, .column_separator = "", .null_text = "", .begin = html_begin, .row = html_row,
	.end = html_end};
