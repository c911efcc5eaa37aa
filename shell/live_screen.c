/* shell/live_screen.h. A frame is built in the output's buffer and written at once, so that nothing flickers: up over the last frame, clear, draw. */
#include "shell/live_screen.h"

#include <stdlib.h>
#include <string.h>
#include "core/time.h"
#include "core/utf8.h"
#include "sql/live/live.h"

enum { FRAME_MS = 150, LINES_AROUND = 7, ROOM_MIN = 3 };     /* borders, header, "and n more", status, the prompt's line */

void live_screen_init(struct live_screen *l, struct shell *sh, struct out *out, struct query *q)
{
	*l = (struct live_screen){.out = out};
	if (!out->tty || sh->redirected || !sh->print.mode->people || sh->gset_prefix || sh->print.expanded == EXPANDED_ON || shell_screen_rows() < LINES_AROUND + ROOM_MIN)
		return;
	const char *term = getenv("TERM");
	if (!term || strcmp(term, "dumb") == 0)
		return;
	l->on = query_set_frames(q, true, FRAME_MS);
	l->ms_before = time_mono_ms();
}

void live_screen_frame(struct live_screen *l, struct shell *sh, struct query *q)
{
	l->begun_at = l->out->pending.len;
	if (l->lines)
		out_addf(l->out, "\x1b[%dA\r\x1b[J", l->lines);
	l->begun_at = l->out->pending.len;
	l->row_n = 0;
	l->room = shell_screen_rows() - LINES_AROUND;
	if (l->room < ROOM_MIN)
		l->room = ROOM_MIN;
	l->open = true;
	print_begin(&l->print, &sh->print, l->out, query_stmt(q), "");
}

void live_screen_row(struct live_screen *l, struct query *q)
{
	if (l->row_n++ < l->room)
		print_row(&l->print, query_stmt(q));
}

/* 1234567 -> 1.2M */
static void add_short(struct buf *b, double v)
{
	static const char units[] = " kMG";
	int i = 0;
	for (; v >= 1000 && i < 3; i++)
		v /= 1000;
	buf_addf(b, i && v < 100 ? "%.1f%c" : "%.0f%c", v, units[i]);
	if (!i)
		b->data[--b->len] = 0;
}

static void add_status(struct live_screen *l, struct query *q)
{
	struct live_status st;
	struct buf b = BUF_INIT;
	int64_t now = time_mono_ms();
	if (!query_live_status(q, &st))
		return;
	if (now - l->ms_before >= 500) {
		l->rate = (double)(st.row_in_n - l->in_before) * 1000 / (double)(now - l->ms_before);
		l->in_before = st.row_in_n;
		l->ms_before = now;
	}
	if (l->row_n > l->room)
		buf_addf(&b, "and %lld more  ", (long long)(l->row_n - l->room));
	add_short(&b, (double)st.row_in_n);
	buf_adds(&b, " rows in, ");
	add_short(&b, l->rate);
	buf_adds(&b, "/s");
	if (st.windowed && st.watermark_ms != TIME_NONE && st.watermark_ms != INT64_MAX) {
		char text[TIME_TEXT_MAX];
		time_format(st.watermark_ms, text);
		buf_addf(&b, "  watermark %s", text);
	}
	if (st.late_n)
		buf_addf(&b, "  %lld late", (long long)st.late_n);
	if (st.lag_n > 0) {
		buf_adds(&b, "  lag ");
		add_short(&b, (double)st.lag_n);
	}
	buf_adds(&b, st.ended ? "" : "  Ctrl-C ends");
	int columns = shell_screen_columns();
	size_t len = columns > 1 ? utf8_prefix(b.data, b.len, (size_t)columns - 1, NULL) : b.len;
	out_adds(l->out, "\x1b[2m");
	out_add(l->out, b.data, len);
	out_adds(l->out, "\x1b[0m\n");
	buf_finish(&b);
}

void live_screen_idle(struct live_screen *l, struct shell *sh, struct query *q)
{
	(void)sh;
	if (!l->open)
		return;
	l->open = false;
	print_end(&l->print);
	add_status(l, q);
	l->lines = 0;
	for (size_t i = l->begun_at; i < l->out->pending.len; i++)
		l->lines += l->out->pending.data[i] == '\n';
	out_flush(l->out);
}
