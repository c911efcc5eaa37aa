/* Mode plot: a picture of the result instead of its rows.
 *
 *   first column a time or a number         a line chart, one line for each further column of numbers
 *   .. and the second one text              one line for each of its values (window_start, line, avg(value)): the third column is drawn
 *   first column text                       bars of the first column of numbers
 *
 * Lines are drawn in braille, 2 x 4 dots a character, where colour tells the lines apart or there is one; else, and without UTF-8, each line has a mark
 * of its own. Rows are kept (PLOT_ROWS at most) and drawn at the end. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/time.h"
#include "core/utf8.h"
#include "shell/print_impls.h"

enum { PLOT_ROWS = 200000, SERIES_MAX = 8, BAR_ROWS = 40, HEIGHT = 17, WIDTH = 80, AXIS = 12, LABEL_MAX = 30, DOTS_X = 2, DOTS_Y = 4 };

struct point {
	double x, y;
	int series;
};

struct plot {
	struct point *points;
	size_t point_n, point_cap;
	struct buf series[SERIES_MAX];       /* names as they came */
	int series_n;
	int series_hidden_n;                 /* more than SERIES_MAX: not drawn */
	char *bar_labels[BAR_ROWS];
	double bar_values[BAR_ROWS];
	int bar_n;
	int64_t bar_hidden_n;
	bool time_x, number_x;               /* x is an instant; x is a number that is none */
	bool full;
	int64_t skipped_n;                   /* rows without an x or a number */
};

static void plot_begin(struct print *p)
{
	p->plot = xcalloc(1, sizeof *p->plot);
}

static bool number_of(const struct cell *c, double *ret)
{
	if (c->type != CELL_INTEGER && c->type != CELL_REAL)
		return false;
	*ret = c->type == CELL_INTEGER ? (double)c->integer : c->real;
	return isfinite(*ret);
}

/* A label that is safe to print and not too wide; the ends of long names tell more than their middle. */
static char *label_of(const char *text, size_t len)
{
	struct buf b = BUF_INIT;
	size_t width, tail = 0;
	utf8_escape(&b, text, len, false);
	if (utf8_width(b.data, b.len) > LABEL_MAX) {
		struct buf cut = BUF_INIT;
		buf_add(&cut, b.data, utf8_prefix(b.data, b.len, LABEL_MAX / 3, &width));
		buf_adds(&cut, "..");
		size_t room = LABEL_MAX - 2 - width;
		for (uint32_t cp; utf8_width(b.data + tail, b.len - tail) > room; )
			tail += utf8_decode((const uint8_t *)b.data + tail, (const uint8_t *)b.data + b.len, &cp);      /* utf8_escape left no malformed byte */
		buf_add(&cut, b.data + tail, b.len - tail);
		buf_finish(&b);
		b = cut;
	}
	buf_adds(&b, "");
	return buf_take(&b);
}

static int series_find(struct plot *g, const char *name, size_t len)
{
	for (int i = 0; i < g->series_n; i++)
		if (g->series[i].len == len && memcmp(g->series[i].data, name, len) == 0)
			return i;
	if (g->series_n == SERIES_MAX) {
		g->series_hidden_n++;
		return -1;
	}
	buf_init(&g->series[g->series_n]);
	buf_add(&g->series[g->series_n], name, len);
	return g->series_n++;
}

static void add_point(struct plot *g, double x, double y, int series)
{
	if (series < 0)
		return;
	if (g->point_n == PLOT_ROWS) {
		g->full = true;
		return;
	}
	if (g->point_n == g->point_cap) {
		g->point_cap = g->point_cap ? 2 * g->point_cap : 256;
		g->points = xreallocarray(g->points, g->point_cap, sizeof *g->points);
	}
	g->points[g->point_n++] = (struct point){x, y, series};
}

static void add_bar(struct print *p, struct plot *g, const struct cell *cells)
{
	double y;
	for (int i = 1; i < p->column_n; i++) {
		if (!number_of(&cells[i], &y))
			continue;
		if (g->bar_n == BAR_ROWS) {
			g->bar_hidden_n++;
			return;
		}
		if (g->bar_n == 0 && g->series_n == 0)
			series_find(g, p->columns[i].name, p->columns[i].name_len);
		g->bar_labels[g->bar_n] = cells[0].type == CELL_TEXT ? label_of(cells[0].data, cells[0].len) : xstrdup("NULL");
		g->bar_values[g->bar_n++] = y;
		return;
	}
	g->skipped_n++;
}

static void plot_row(struct print *p, const struct cell *cells)
{
	static const double from_ms = 946684800e3, to_ms = 4102444800e3;     /* 2000 to 2100: an integer there is an instant */
	struct plot *g = p->plot;
	double x = 0, y;
	int64_t ms;
	if (p->column_n < 2) {
		g->skipped_n++;
		return;
	}
	if (number_of(&cells[0], &x)) {
		bool time = p->columns[0].kind == KIND_TIMESTAMP || (cells[0].type == CELL_INTEGER && x >= from_ms && x < to_ms);
		g->time_x = g->time_x || time;
		g->number_x = g->number_x || !time;
	} else if (cells[0].type == CELL_TEXT && time_parse_iso(cells[0].data, cells[0].len, &ms)) {
		x = (double)ms;
		g->time_x = true;
	} else if (cells[0].type == CELL_TEXT) {
		add_bar(p, g, cells);
		return;
	} else {
		g->skipped_n++;
		return;
	}
	if (p->column_n > 2 && cells[1].type == CELL_TEXT) {
		bool drawn = false;
		for (int i = 2; i < p->column_n && !drawn; i++) {
			drawn = number_of(&cells[i], &y);
			if (drawn)
				add_point(g, x, y, series_find(g, cells[1].data, cells[1].len));
		}
		g->skipped_n += !drawn;
		return;
	}
	bool any = false;
	for (int i = 1; i < p->column_n; i++) {
		if (!number_of(&cells[i], &y))
			continue;
		any = true;
		add_point(g, x, y, series_find(g, p->columns[i].name, p->columns[i].name_len));
	}
	g->skipped_n += !any;
}

/* ---- drawing */

static const char *const colors[SERIES_MAX] = {"\033[36m", "\033[33m", "\033[32m", "\033[35m", "\033[31m", "\033[34m", "\033[37m", "\033[90m"};
static const char marks[SERIES_MAX + 1] = "*+ox#@%&";

struct canvas {
	uint8_t *dots;                       /* braille bits of each character */
	int8_t *owner;                       /* the last series drawn there, -1 = none */
	int columns, rows;
	int per_x, per_y;                    /* dots in a character */
};

static void dot(struct canvas *c, int x, int y, int series)
{
	static const uint8_t bits[DOTS_Y][DOTS_X] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
	if (x < 0 || y < 0 || x >= c->columns * c->per_x || y >= c->rows * c->per_y)
		return;
	int at = y / c->per_y * c->columns + x / c->per_x;
	c->dots[at] |= bits[y % c->per_y][x % c->per_x];
	c->owner[at] = (int8_t)series;
}

/* Bresenham. */
static void line(struct canvas *c, int x0, int y0, int x1, int y1, int series)
{
	int dx = abs(x1 - x0), dy = -abs(y1 - y0), sx = x0 < x1 ? 1 : -1, sy = y0 < y1 ? 1 : -1, error = dx + dy;
	for (;;) {
		dot(c, x0, y0, series);
		if (x0 == x1 && y0 == y1)
			return;
		int twice = 2 * error;
		if (twice >= dy) {
			error += dy;
			x0 += sx;
		}
		if (twice <= dx) {
			error += dx;
			y0 += sy;
		}
	}
}

static int by_series_and_x(const void *a, const void *b)
{
	const struct point *p = a, *q = b;
	return p->series != q->series ? (p->series > q->series) - (p->series < q->series) : (p->x > q->x) - (p->x < q->x);
}

static void x_label(const struct print *p, const struct plot *g, double x, char out[64])
{
	if (g->time_x && !g->number_x)
		out[print_instant((int64_t)x, p->set->local_time, out)] = '\0';
	else
		snprintf(out, 64, "%.6g", x);
}

static void draw_legend(struct print *p, const struct plot *g, bool braille)
{
	out_pad(p->out, ' ', AXIS + 1);
	for (int i = 0; i < g->series_n; i++) {
		if (i)
			out_adds(p->out, "   ");
		if (p->color)
			out_addf(p->out, "%s", colors[i]);
		if (braille)
			out_adds(p->out, p->color ? "● " : "");
		else
			out_addf(p->out, "%c ", marks[i]);
		char *label = label_of(g->series[i].data, g->series[i].len);
		out_addf(p->out, "%s%s", label, p->color ? "\033[0m" : "");
		free(label);
	}
	out_addc(p->out, '\n');
}

static void draw_row(struct print *p, const struct canvas *c, int row, bool braille)
{
	int color = -1;
	for (int x = 0; x < c->columns; x++) {
		int at = row * c->columns + x;
		uint8_t utf8[4];
		if (p->color && c->dots[at] && c->owner[at] != color) {
			color = c->owner[at];
			out_addf(p->out, "%s", colors[color]);
		}
		if (!c->dots[at])
			out_addc(p->out, ' ');
		else if (braille)
			out_add(p->out, utf8, utf8_encode(0x2800u + c->dots[at], utf8));
		else
			out_addc(p->out, marks[c->owner[at]]);
	}
	if (color >= 0)
		out_adds(p->out, "\033[0m");
	out_addc(p->out, '\n');
}

static void draw_lines(struct print *p, struct plot *g)
{
	bool unicode = !p->ascii, braille = unicode && (p->color || g->series_n < 2);
	struct canvas c = {.columns = (p->screen_columns > AXIS + 20 ? p->screen_columns : WIDTH) - AXIS - 2, .rows = HEIGHT, .per_x = braille ? DOTS_X : 1, .per_y = braille ? DOTS_Y : 1};
	c.dots = xcalloc((size_t)(c.columns * c.rows), 1);
	c.owner = xcalloc((size_t)(c.columns * c.rows), 1);
	double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
	for (size_t i = 0; i < g->point_n; i++) {
		x0 = fmin(x0, g->points[i].x);
		x1 = fmax(x1, g->points[i].x);
		y0 = fmin(y0, g->points[i].y);
		y1 = fmax(y1, g->points[i].y);
	}
	double low = y0, high = y1;
	if (y0 == y1) {                              /* a level line stands in the middle */
		low = y0 - fmax(fabs(y0) * 0.01, 1e-9);
		high = y1 + fmax(fabs(y1) * 0.01, 1e-9);
	}
	double scale_x = x1 > x0 ? (c.columns * c.per_x - 1) / (x1 - x0) : 0, scale_y = (c.rows * c.per_y - 1) / (high - low);
	qsort(g->points, g->point_n, sizeof *g->points, by_series_and_x);
	for (size_t i = 0; i < g->point_n; i++) {
		const struct point *q = &g->points[i];
		int x = (int)((q->x - x0) * scale_x + 0.5), y = c.rows * c.per_y - 1 - (int)((q->y - low) * scale_y + 0.5);
		if (i && q[-1].series == q->series)
			line(&c, (int)((q[-1].x - x0) * scale_x + 0.5), c.rows * c.per_y - 1 - (int)((q[-1].y - low) * scale_y + 0.5), x, y, q->series);
		else
			dot(&c, x, y, q->series);
	}
	draw_legend(p, g, braille);
	for (int row = 0; row < c.rows; row++) {
		char text[32] = "";
		bool labelled = row == 0 || row == c.rows - 1 || row == c.rows / 2;
		if (labelled)
			snprintf(text, sizeof text, "%.5g", high - (high - low) * row / (c.rows - 1));
		out_addf(p->out, "%*s %s", AXIS - 1, text, unicode ? (labelled ? "┤" : "│") : "|");
		draw_row(p, &c, row, braille);
	}
	out_pad(p->out, ' ', AXIS);
	out_adds(p->out, unicode ? "└" : "+");
	for (int x = 0; x < c.columns; x++)
		out_adds(p->out, unicode ? "─" : "-");
	char from[64], to[64];
	x_label(p, g, x0, from);
	x_label(p, g, x1, to);
	int gap = c.columns - (int)strlen(from) - (int)strlen(to);
	out_addf(p->out, "\n%*s%s%*s%s\n", AXIS + 1, "", from, gap > 1 ? gap : 1, "", x1 > x0 ? to : "");
	free(c.dots);
	free(c.owner);
}

static void draw_bars(struct print *p, const struct plot *g)
{
	size_t widest = 0;
	double most = 0;
	for (int i = 0; i < g->bar_n; i++) {
		size_t width = utf8_width(g->bar_labels[i], strlen(g->bar_labels[i]));
		widest = width > widest ? width : widest;
		most = fmax(most, fabs(g->bar_values[i]));
	}
	struct buf bar = BUF_INIT;
	int room = (p->screen_columns > 60 ? p->screen_columns : WIDTH) - (int)widest - 16;
	for (int i = 0; i < g->bar_n; i++) {
		double v = g->bar_values[i];
		int eighth_n = most > 0 ? (int)(fabs(v) / most * room * 8 + 0.5) : 0;
		out_adds(p->out, g->bar_labels[i]);
		out_pad(p->out, ' ', widest - utf8_width(g->bar_labels[i], strlen(g->bar_labels[i])));
		out_addf(p->out, " %12.6g ", v);
		if (p->color)
			out_addf(p->out, "%s", v < 0 ? colors[4] : colors[0]);
		bar.len = 0;
		if (v >= 0 && !p->ascii)
			utf8_add_bar(&bar, eighth_n);
		else
			for (int k = 0; k < eighth_n / 8; k++)
				buf_adds(&bar, !p->ascii ? "░" : v < 0 ? "-" : "#");
		out_add(p->out, bar.data, bar.len);
		out_addf(p->out, "%s\n", p->color ? "\033[0m" : "");
	}
	buf_finish(&bar);
}

static void plot_end(struct print *p)
{
	struct plot *g = p->plot;
	if (g->bar_n && (size_t)g->bar_n >= g->point_n)
		draw_bars(p, g);
	else if (g->point_n)
		draw_lines(p, g);
	else if (p->column_n)
		out_adds(p->out, "nothing to draw: a first column of times, numbers or names, and a column of numbers are needed\n");
	if (g->full)
		out_addf(p->out, "the first %d points are drawn: average them over windows\n", PLOT_ROWS);
	if (g->series_hidden_n)
		out_addf(p->out, "the first %d lines are drawn\n", SERIES_MAX);
	if (g->bar_hidden_n)
		out_addf(p->out, "%lld more rows are not drawn\n", (long long)g->bar_hidden_n);
	if (g->skipped_n && (g->point_n || g->bar_n))
		out_addf(p->out, "%lld row%s without a number left out\n", (long long)g->skipped_n, g->skipped_n == 1 ? "" : "s");
	for (int i = 0; i < g->series_n; i++)
		buf_finish(&g->series[i]);
	for (int i = 0; i < g->bar_n; i++)
		free(g->bar_labels[i]);
	free(g->points);
	free(g);
	p->plot = NULL;
}

const struct print_impl print_plot = {.name = "plot", .help = "a chart: lines over a time or number in the first column, or bars", .people = true, .column_separator = "", .null_text = "",
	.begin = plot_begin, .row = plot_row, .end = plot_end};
