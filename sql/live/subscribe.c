/* sql/live/subscribe.h
 *
 * With ENVELOPE UPSERT the first column, _state, says what a row means: 'upsert', or 'delete' for a tombstone; then come the key columns. */
#include "sql/live/subscribe.h"

#include <stdlib.h>
#include "core/alloc.h"
#include "sql/live/matview.h"
#include "sql/select.h"

bool is_subscribe(const char *text, size_t len)
{
	struct parse p = parse_begin(text, 0, len);
	return parse_is(&p, "subscribe");
}

struct parts {
	struct span query;                   /* inside parentheses, or empty */
	char *name;
	struct span keys;                    /* of KEY ( .. ); empty = no envelope */
	bool upsert;
	int snapshot;                        /* -1 = not said */
	struct span rest;                    /* clauses of EMIT */
};

static bool group(struct parse *p, struct span *ret, struct err *err)
{
	if (!parse_want(p, "(", err))
		return false;
	ret->from = parse_offset(p);
	for (int depth = 1; !parse_at_end(p); parse_next(p)) {
		if (token_is_op(&p->token, "("))
			depth++;
		else if (token_is_op(&p->token, ")") && --depth == 0) {
			ret->to = parse_offset(p);
			parse_next(p);
			return true;
		}
	}
	return parse_fail(p, err, ")");
}

static bool read_parts(const struct buf *text, struct parts *ret, struct err *err)
{
	struct parse p = parse_begin(text->data, 0, text->len);
	struct span with = {0, 0}, envelope = {0, 0};
	ret->snapshot = -1;
	parse_word(&p, "subscribe");
	parse_word(&p, "to");
	if (token_is_op(&p.token, "(")) {
		if (!group(&p, &ret->query, err))
			return false;
	} else if (!parse_name(&p, "a topic, a view or (a query)", &ret->name, err)) {
		return false;
	}
	for (;;) {
		if (parse_words(&p, "envelope upsert")) {
			ret->upsert = true;
			if (!group(&p, &envelope, err))
				return false;
			struct parse k = parse_begin(text->data, envelope.from, envelope.to);
			parse_word(&k, "key");
			if (!group(&k, &ret->keys, err))
				return false;
		} else if (parse_word(&p, "with")) {
			if (!group(&p, &with, err))
				return false;
			struct parse w = parse_begin(text->data, with.from, with.to);
			if (!parse_word(&w, "snapshot"))
				return parse_fail(&w, err, "SNAPSHOT");
			parse_op(&w, "=");
			ret->snapshot = !parse_is(&w, "false");
		} else {
			break;
		}
	}
	ret->rest = (struct span){parse_at_end(&p) ? text->len : parse_offset(&p), text->len};
	return true;
}

/* The SELECT list gets _state and the keys in front. */
static bool add_envelope(const struct parts *parts, const struct buf *text, const char *query, struct buf *to, struct err *err)
{
	struct select sel;
	bool found = select_parse(query, 0, strlen(query), &sel);
	if (!found)
		return err_set(err, ERR_SQL, "SUBSCRIBE TO (..) takes a SELECT");
	bool topic = parts->name && sel.group_n == 0;
	buf_add(to, query, sel.items_span.from);
	buf_adds(to, topic ? "iif(_value IS NULL, 'delete', 'upsert') AS _state, " : "'upsert' AS _state, ");
	span_add(to, text->data, parts->keys);
	buf_adds(to, ", ");
	buf_adds(to, query + sel.items_span.from);
	select_finish(&sel);
	return true;
}

bool subscribe_rewrite(struct session *s, struct buf *io_text, struct err *err)
{
	struct parts parts = {.name = NULL};
	struct buf query = BUF_INIT, out = BUF_INIT;
	bool ok = read_parts(io_text, &parts, err), view = false;
	if (ok && parts.name) {
		const char *of_view = matview_select(s, parts.name);
		view = of_view != NULL;
		if (view) {
			struct split sp;
			split_statement(of_view, strlen(of_view), &sp);
			buf_add(&query, of_view, sp.emit_at == SIZE_MAX ? strlen(of_view) : sp.emit_at);
		} else {
			buf_adds(&query, "SELECT * FROM ");
			sql_quote_name(&query, parts.name);
		}
	} else if (ok) {
		buf_add(&query, io_text->data + parts.query.from, parts.query.to - parts.query.from);
	}
	if (ok && parts.upsert)
		ok = add_envelope(&parts, io_text, query.data, &out, err);
	else if (ok)
		buf_add(&out, query.data, query.len);
	if (ok) {
		buf_adds(&out, " EMIT CHANGES");
		if (parts.snapshot > 0)
			buf_adds(&out, " FROM BEGINNING");
		if (parts.rest.to > parts.rest.from) {
			buf_addc(&out, ' ');
			span_add(&out, io_text->data, parts.rest);
		}
		buf_finish(io_text);
		*io_text = out;
		out = (struct buf)BUF_INIT;
	}
	free(parts.name);
	buf_finish(&query);
	buf_finish(&out);
	return ok;
}
