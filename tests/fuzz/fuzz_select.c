/* The clauses of a SELECT, the window calls in its FROM, what follows EMIT: over any text. Spans lie inside the text and in their order; an error is a whole error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sql/live/emit.h"
#include "sql/select.h"
#include "sql/window.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_span(struct span s, size_t len)
{
	check(s.from <= len && s.to <= len);
}

static void check_select(const struct select *s, size_t len)
{
	check_span(s->whole, len);
	check_span(s->where, len);
	check_span(s->having, len);
	check_span(s->tail, len);
	check_span(s->fill, len);
	for (size_t i = 0; i < s->item_n; i++)
		check_span(s->items[i].whole, len);
	for (size_t i = 0; i < s->group_n; i++)
		check_span(s->groups[i], len);
	struct span *parts = NULL;
	size_t n = 0, last = 0;
	span_split_and(s->text, s->where, &parts, &n);
	for (size_t i = 0; i < n; i++) {
		check_span(parts[i], len);
		check(parts[i].from >= last);
		last = parts[i].to;
	}
	free(parts);
}

static void check_window(bool ok, struct window_spec *w, const struct err *err)
{
	struct window_bounds b[4];
	size_t n = sizeof b / sizeof *b;
	check(ok || (err->id != ERR_NONE && err->msg[0]));
	if (ok && w->kind != WINDOW_NONE && !window_is_stateful(w)) {
		struct buf text = BUF_INIT;
		struct window_spec again = {0};
		struct err e = ERR_INIT;
		if (window_assign(w, 1800000000000, b, &n))
			for (size_t i = 0; i < n; i++)
				check(b[i].start_ms <= 1800000000000 && b[i].end_ms > 1800000000000);
		window_to_text(w, &text);
		check(window_from_text(text.data, &again, &e));
		window_spec_finish(&again);
		buf_finish(&text);
	}
	window_spec_finish(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct select s = {0};
	struct err err = ERR_INIT;
	char *text = malloc(len + 1);
	check(text);
	memcpy(text, data, len);
	text[len] = '\0';
	if (select_parse(text, 0, len, &s)) {
		check_select(&s, len);
		for (size_t i = 0; i < s.from_n; i++) {
			struct window_spec w = {0};
			struct span table = {0};
			bool is = false, ok;
			err_clear(&err);
			ok = window_from_call(text, &s.from[i], &is, &w, &table, &err);
			check_span(table, len);
			if (ok && is)
				check_window(ok, &w, &err);
			else {
				check(ok || (err.id != ERR_NONE && err.sql_offset <= (int)len));
				window_spec_finish(&w);
			}
		}
		if (!span_empty(s.ksql_window)) {
			struct window_spec w = {0};
			err_clear(&err);
			bool ok = window_from_ksql(text, s.ksql_window, &w, &err);
			check_window(ok, &w, &err);
		}
		size_t end = s.whole.to;
		struct emit e = {0};
		err_clear(&err);
		if (emit_parse(text, end, len, &e, &err))
			emit_finish(&e);
		else {
			check(err.id != ERR_NONE && err.sql_offset <= (int)len);
			emit_finish(&e);
		}
		select_finish(&s);
	}
	struct position p = {0};
	err_clear(&err);
	if (!position_parse(text, len, &p, &err))
		check(err.id != ERR_NONE);
	position_finish(&p);
	struct window_spec w = {0};
	err_clear(&err);
	if (strlen(text) == len)
		check_window(window_from_text(text, &w, &err), &w, &err);
	err_clear(&err);
	free(text);
	return 0;
}
