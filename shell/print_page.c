/* Modes with columns: box, table, column, markdown. The first page (a screenful on a terminal, PAGE_ROWS otherwise) is kept to find the widths;
 * it is laid out when it is full, when it has waited PAGE_WAIT_*_MS since its first row (print_tick), or at the end. Later rows stream
 * with these widths. On a terminal cells are cut with an ellipsis so that a row fits; a row wider than the first page's widths is
 * let run over if the screen has room. If columns would get narrower than NARROW the rows are shown expanded (\x off prevents it).
 * In a file or pipe nothing is ever cut. */
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "core/utf8.h"
#include "shell/print_impls.h"

enum {
	PAGE_ROWS = 1000,
	PAGE_BYTES = 1024 * 1024,
	PAGE_WAIT_TERMINAL_MS = 100,
	PAGE_WAIT_FILE_MS = 2000,
	NARROW = 6,
	ELLIPSIS_WIDTH = 1,
};

struct style {
	const char *top[4], *middle[4], *bottom[4];      /* left end, line, crossing, right end; NULL first = no such rule */
	const char *left, *between, *right;              /* around cells */
	bool pad;                                        /* a space on both sides of a cell */
};

enum { STYLE_BOX, STYLE_TABLE, STYLE_COLUMN, STYLE_MARKDOWN };

static const struct style styles[] = {
	[STYLE_BOX] = {{"┌", "─", "┬", "┐"}, {"├", "─", "┼", "┤"}, {"└", "─", "┴", "┘"}, "│", "│", "│", true},
	[STYLE_TABLE] = {{"+", "-", "+", "+"}, {"+", "-", "+", "+"}, {"+", "-", "+", "+"}, "|", "|", "|", true},
	[STYLE_COLUMN] = {{NULL, NULL, NULL, NULL}, {"", "-", "  ", ""}, {NULL, NULL, NULL, NULL}, "", "  ", "", false},
	[STYLE_MARKDOWN] = {{NULL, NULL, NULL, NULL}, {"|", "-", "|", "|"}, {NULL, NULL, NULL, NULL}, "|", "|", "|", true},
};

struct page_cell {
	size_t at, len;                      /* in page->text */
	size_t width;
	bool right;                          /* a number */
	bool null;
};

struct page {
	const struct style *style;
	struct buf text;
	struct page_cell *cells;             /* row after row */
	size_t cell_n, cell_cap;
	size_t row_n;                        /* held */
	size_t row_max;
	int64_t first_row_ms;
	size_t *widths;
	bool *right;
	bool laid_out;
	bool expanded;                       /* too many columns: shown as \x */
	struct cell *one;                    /* for the expanded form */
};

static void page_begin(struct print *p)
{
	struct page *g = p->page = xcalloc(1, sizeof *g);
	int variant = p->impl->variant;
	g->style = &styles[variant == STYLE_BOX && p->ascii ? STYLE_TABLE : variant];
	buf_init(&g->text);
	g->widths = xcalloc((size_t)p->column_n + 1, sizeof *g->widths);
	g->right = xcalloc((size_t)p->column_n + 1, sizeof *g->right);
	g->row_max = p->screen_columns ? 200 : PAGE_ROWS;
}

/* Appends the row's cells to the page. */
static void page_take(struct print *p, const struct cell *cells)
{
	struct page *g = p->page;
	size_t n = (size_t)p->column_n;
	if (g->cell_n + n > g->cell_cap) {
		g->cell_cap = g->cell_cap ? g->cell_cap * 2 : n * 64;
		g->cells = xreallocarray(g->cells, g->cell_cap, sizeof *g->cells);
	}
	for (int i = 0; i < p->column_n; i++) {
		struct page_cell *c = &g->cells[g->cell_n++];
		*c = (struct page_cell){.at = g->text.len};
		struct cell shown = cells[i];
		/* What no screen can show need not be escaped and measured. */
		size_t most = (size_t)p->screen_columns * 16 + 64;
		bool cut = p->screen_columns && shown.len > most && (shown.type == CELL_TEXT || shown.type == CELL_BLOB);
		if (cut)
			shown.len = most;
		while (cut && shown.type == CELL_TEXT && shown.len && ((unsigned char)shown.data[shown.len] & 0xC0) == 0x80)
			shown.len--;
		print_cell_text(p, i, &shown, true, &g->text);
		if (p->impl->variant == STYLE_MARKDOWN && memchr(g->text.data + c->at, '|', g->text.len - c->at)) {
			char *plain = xstrndup(g->text.data + c->at, g->text.len - c->at);
			g->text.len = c->at;
			for (const char *q = plain; *q; q++) {
				buf_adds(&g->text, *q == '|' ? "\\" : "");
				buf_addc(&g->text, *q);
			}
			free(plain);
		}
		c->len = g->text.len - c->at;
		c->width = utf8_width(g->text.data + c->at, c->len);
		c->right = (shown.type == CELL_INTEGER && (p->columns[i].kind != KIND_TIMESTAMP || p->set->timestamps == TIMESTAMPS_RAW)) || shown.type == CELL_REAL;
		c->null = shown.type == CELL_NULL;
	}
	g->row_n++;
}

static size_t frame_width(const struct print *p, const struct style *s)
{
	size_t n = (size_t)p->column_n;
	return utf8_width(s->left, strlen(s->left)) + utf8_width(s->right, strlen(s->right)) + (n - 1) * utf8_width(s->between, strlen(s->between)) + (s->pad ? 2 * n : 0);
}

/* Narrows the widest columns until all fit into `room`. Returns the cap that was needed. */
static size_t fit(size_t *widths, size_t n, size_t room)
{
	size_t max = 0;
	size_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		max = widths[i] > max ? widths[i] : max;
		sum += widths[i];
	}
	size_t cap = max;
	while (sum > room && cap > 1) {
		cap--;
		sum = 0;
		for (size_t i = 0; i < n; i++)
			sum += widths[i] < cap ? widths[i] : cap;
	}
	size_t spare = room > sum ? room - sum : 0;
	for (size_t i = 0; i < n; i++) {
		if (widths[i] <= cap)
			continue;
		size_t more = spare && cap < max ? 1 : 0;    /* the rest goes to the first ones */
		widths[i] = cap + more;
		spare -= more;
	}
	return cap;
}

static void add_rule(struct print *p, const char *const part[4])
{
	struct page *g = p->page;
	struct buf *b = &p->scratch;
	if (!part[0])
		return;
	buf_adds(b, part[0]);
	for (int i = 0; i < p->column_n; i++) {
		size_t n = g->widths[i] + (g->style->pad ? 2 : 0);
		bool mark = p->impl->variant == STYLE_MARKDOWN && g->right[i];
		buf_adds(b, i ? part[2] : "");
		for (size_t k = 0; k < n; k++)
			buf_adds(b, mark && k == n - 1 ? ":" : part[1]);
	}
	buf_adds(b, part[3]);
	buf_addc(b, '\n');
}

static void add_spaces(struct buf *b, size_t n)
{
	static const char spaces[] = "                                                                ";
	for (; n > sizeof spaces - 1; n -= sizeof spaces - 1)
		buf_add(b, spaces, sizeof spaces - 1);
	buf_add(b, spaces, n);
}

enum cell_look { LOOK_PLAIN, LOOK_HEADER, LOOK_NULL };

static void add_cell(struct print *p, int i, const char *text, size_t len, size_t width, bool right, enum cell_look look, bool cut)
{
	struct page *g = p->page;
	struct buf *b = &p->scratch;
	size_t want = g->widths[i];
	size_t shown = len;
	bool ellipsis = false;
	if (cut && width > want) {
		ellipsis = true;
		shown = utf8_prefix(text, len, want > ELLIPSIS_WIDTH ? want - ELLIPSIS_WIDTH : 0, &width);
		width += ELLIPSIS_WIDTH;
	}
	size_t pad = want > width ? want - width : 0;
	bool last = i == p->column_n - 1 && !*g->style->right;
	if (g->style->pad)
		buf_addc(b, ' ');
	if (right)
		add_spaces(b, pad);
	if (p->color && look != LOOK_PLAIN)
		buf_adds(b, look == LOOK_HEADER ? "\x1b[1m" : "\x1b[2m");
	buf_add(b, text, shown);
	if (ellipsis)
		buf_adds(b, p->ascii ? "~" : "…");
	if (p->color && look != LOOK_PLAIN)
		buf_adds(b, "\x1b[0m");
	if (!right && !last)
		add_spaces(b, pad);
	if (g->style->pad)
		buf_addc(b, ' ');
}

static void add_row(struct print *p, const struct page_cell *cells)
{
	struct page *g = p->page;
	const struct style *s = g->style;
	struct buf *b = &p->scratch;
	size_t total = frame_width(p, s);
	for (int i = 0; i < p->column_n; i++)
		total += cells[i].width > g->widths[i] ? cells[i].width : g->widths[i];
	bool cut = p->screen_columns && total > (size_t)p->screen_columns;
	buf_adds(b, s->left);
	for (int i = 0; i < p->column_n; i++) {
		buf_adds(b, i ? s->between : "");
		bool fixed = i < p->set->width_n && p->set->widths[i] != 0;
		bool right = fixed ? p->set->widths[i] < 0 : cells[i].right;
		add_cell(p, i, g->text.data + cells[i].at, cells[i].len, cells[i].width, right, cells[i].null ? LOOK_NULL : LOOK_PLAIN, cut || fixed);
	}
	buf_adds(b, s->right);
	buf_addc(b, '\n');
}

static void add_header(struct print *p)
{
	struct page *g = p->page;
	const struct style *s = g->style;
	struct buf *b = &p->scratch;
	if (!p->set->headers || p->set->tuples_only) {
		add_rule(p, s->top);
		return;
	}
	add_rule(p, s->top);
	buf_adds(b, s->left);
	for (int i = 0; i < p->column_n; i++) {
		struct buf name = BUF_INIT;
		utf8_escape(&name, p->columns[i].name, p->columns[i].name_len, false);
		buf_adds(b, i ? s->between : "");
		add_cell(p, i, name.data, name.len, utf8_width(name.data, name.len), g->right[i], LOOK_HEADER, true);
		buf_finish(&name);
	}
	buf_adds(b, s->right);
	buf_addc(b, '\n');
	add_rule(p, s->middle);
}

static void drop_rows(struct page *g)
{
	g->cell_n = 0;
	g->row_n = 0;
	buf_clear(&g->text);
}

/* The expanded form of held rows: the texts are final, so they are handed on as TEXT cells. */
static void show_expanded(struct print *p)
{
	struct page *g = p->page;
	const struct print_impl *mine = p->impl;
	int64_t rows = p->row_n;
	for (size_t r = 0; r < g->row_n; r++) {
		for (int i = 0; i < p->column_n; i++) {
			const struct page_cell *c = &g->cells[r * (size_t)p->column_n + (size_t)i];
			g->one[i] = (struct cell){.type = c->null ? CELL_NULL : CELL_TEXT, .data = g->text.data + c->at, .len = c->len};
		}
		p->impl = &print_expanded;
		p->row_n = rows - (int64_t)g->row_n + (int64_t)r + 1;
		p->impl->row(p, g->one);
		p->impl = mine;
	}
	p->row_n = rows;
	drop_rows(g);
}

static void show_rows(struct print *p)
{
	struct page *g = p->page;
	for (size_t r = 0; r < g->row_n; r++)
		add_row(p, g->cells + r * (size_t)p->column_n);
	out_add(p->out, p->scratch.data, p->scratch.len);
	buf_clear(&p->scratch);
	drop_rows(g);
}

/* Fixes the widths from the held rows. */
static void lay_out(struct print *p)
{
	struct page *g = p->page;
	size_t n = (size_t)p->column_n;
	g->laid_out = true;
	for (size_t i = 0; i < n; i++) {
		struct buf name = BUF_INIT;
		utf8_escape(&name, p->columns[i].name, p->columns[i].name_len, false);
		g->widths[i] = p->set->headers && !p->set->tuples_only ? utf8_width(name.data, name.len) : 0;
		buf_finish(&name);
		bool any = false;
		g->right[i] = true;
		for (size_t r = 0; r < g->row_n; r++) {
			const struct page_cell *c = &g->cells[r * n + i];
			g->widths[i] = c->width > g->widths[i] ? c->width : g->widths[i];
			any |= !c->null;
			g->right[i] &= c->right || c->null;
		}
		g->right[i] &= any;
		if (p->impl->variant == STYLE_MARKDOWN && g->widths[i] < 3)
			g->widths[i] = 3;
	}
	for (size_t i = 0; i < n && i < (size_t)p->set->width_n; i++)
		if (p->set->widths[i])
			g->widths[i] = (size_t)abs(p->set->widths[i]);
	if (p->screen_columns) {
		size_t frame = frame_width(p, g->style);
		size_t room = (size_t)p->screen_columns > frame ? (size_t)p->screen_columns - frame : 0;
		size_t cap = fit(g->widths, n, room);
		size_t sum = 0;
		for (size_t i = 0; i < n; i++)
			sum += g->widths[i];
		g->expanded = p->set->expanded == EXPANDED_AUTO && g->row_n && (cap < NARROW || sum > room) && p->column_n > 3;
	}
	if (g->expanded) {
		g->one = xcalloc(n, sizeof *g->one);
		return;
	}
	add_header(p);
}

static void flush_page(struct print *p)
{
	struct page *g = p->page;
	buf_clear(&p->scratch);
	if (!g->laid_out)
		lay_out(p);
	if (g->expanded)
		show_expanded(p);
	else
		show_rows(p);
}

static void page_row(struct print *p, const struct cell *cells)
{
	struct page *g = p->page;
	if (!g->row_n && !g->laid_out)
		g->first_row_ms = time_mono_ms();
	page_take(p, cells);
	if (g->laid_out || g->row_n >= g->row_max || g->text.len >= PAGE_BYTES)
		flush_page(p);
}

static void page_tick(struct print *p, int64_t now_ms)
{
	struct page *g = p->page;
	if (!g->laid_out && g->row_n && now_ms - g->first_row_ms >= (p->out->tty ? PAGE_WAIT_TERMINAL_MS : PAGE_WAIT_FILE_MS))
		flush_page(p);
}

static void page_end(struct print *p)
{
	struct page *g = p->page;
	if (p->column_n) {
		if (!g->laid_out || g->row_n)
			flush_page(p);
		if (!g->expanded) {
			buf_clear(&p->scratch);
			add_rule(p, g->style->bottom);
			out_add(p->out, p->scratch.data, p->scratch.len);
		}
	}
	buf_finish(&g->text);
	free(g->cells);
	free(g->widths);
	free(g->right);
	free(g->one);
	free(g);
	p->page = NULL;
}

const struct print_impl print_box = {.name = "box", .help = "a table drawn with lines (default on a terminal)", .people = true, .column_separator = "", .null_text = "NULL",
	.begin = page_begin, .row = page_row, .tick = page_tick, .end = page_end, .variant = STYLE_BOX};
const struct print_impl print_table = {.name = "table", .help = "a table drawn with + - |", .people = true, .column_separator = "", .null_text = "NULL", .begin = page_begin,
	.row = page_row, .tick = page_tick, .end = page_end, .variant = STYLE_TABLE};
const struct print_impl print_column = {.name = "column", .help = "columns under dashes", .people = true, .column_separator = "", .null_text = "NULL", .begin = page_begin,
	.row = page_row, .tick = page_tick, .end = page_end, .variant = STYLE_COLUMN};
const struct print_impl print_markdown = {.name = "markdown", .help = "a Markdown table", .people = true, .column_separator = "", .null_text = "NULL", .begin = page_begin,
	.row = page_row, .tick = page_tick, .end = page_end, .variant = STYLE_MARKDOWN};
