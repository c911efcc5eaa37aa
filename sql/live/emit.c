/* sql/live/emit.h */
#include "sql/live/emit.h"

#include <stdlib.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"

void emit_finish(struct emit *e)
{
	position_finish(&e->from);
	position_finish(&e->until);
	free(e->errors_to);
	*e = (struct emit){0};
}

static bool position_clause(struct parse *p, struct position *ret, struct err *err)
{
	struct buf b = BUF_INIT;
	size_t at = parse_offset(p);
	bool offsets = parse_word(p, "offsets");
	if (p->token.kind != TOKEN_STRING && (offsets || p->token.kind != TOKEN_WORD))
		return parse_fail(p, err, offsets ? "'0:100,1:5'" : "BEGINNING, NOW, END, a time or OFFSETS '..'");
	token_unquote(&p->token, &b);
	position_finish(ret);
	bool ok = position_parse(b.data, b.len, ret, err) && (!offsets || ret->kind == POSITION_OFFSETS || err_set(err, ERR_SQL, "OFFSETS '%s': partition:offset, .. expected", b.data));
	if (!ok)
		err->sql_offset = (int)at;
	else
		parse_next(p);
	buf_finish(&b);
	return ok;
}

/* '10s', 5 SECONDS, INTERVAL '5' SECOND */
static bool duration_clause(struct parse *p, int64_t *ret, struct err *err)
{
	struct buf b = BUF_INIT;
	size_t at = parse_offset(p);
	bool interval = parse_word(p, "interval"), string = p->token.kind == TOKEN_STRING;
	if (string || p->token.kind == TOKEN_NUMBER) {
		token_unquote(&p->token, &b);
		if (!string) {
			buf_clear(&b);
			buf_add(&b, p->token.text, p->token.len);
		}
		parse_next(p);
		if ((interval || !string) && p->token.kind == TOKEN_WORD) {
			buf_addc(&b, ' ');
			buf_add(&b, p->token.text, p->token.len);
			parse_next(p);
		}
	}
	bool ok = b.len && time_parse_duration(b.data, b.len, ret);
	if (!ok) {
		err_set(err, ERR_SQL, "\"%s\" is no duration", b.data);
		err_hint(err, "'250ms', '5s', '1m', '8h', '1d', or 5 SECONDS");
		err->sql_offset = (int)at;
	}
	buf_finish(&b);
	return ok;
}

static bool limit_clause(struct parse *p, int64_t *ret, struct err *err)
{
	char *end = NULL;
	if (p->token.kind != TOKEN_NUMBER)
		return parse_fail(p, err, "a number");
	char *text = xstrndup(p->token.text, p->token.len);
	*ret = strtoll(text, &end, 10);
	bool ok = *end == 0 && *ret >= 0;
	free(text);
	if (!ok)
		return parse_fail(p, err, "a whole number");
	parse_next(p);
	return true;
}

bool emit_parse(const char *text, size_t at, size_t to, struct emit *ret, struct err *err)
{
	struct emit e = {.grace_ms = -1, .idle_ms = -1, .limit = -1};
	struct parse p = parse_begin(text, at, to);
	bool ok = true;
	if (parse_word(&p, "emit")) {
		if (parse_word(&p, "changes"))
			e.kind = EMIT_CHANGES;
		else if (parse_word(&p, "final"))
			e.kind = EMIT_FINAL;
		else if (parse_word(&p, "every"))
			ok = duration_clause(&p, &e.every_ms, err) && (e.kind = EMIT_EVERY);
		else
			ok = parse_fail(&p, err, "CHANGES, FINAL or EVERY");
	}
	if (ok && e.kind == EMIT_EVERY && e.every_ms <= 0)
		ok = err_set(err, ERR_SQL, "EMIT EVERY: a duration above zero expected");
	while (ok && !parse_at_end(&p)) {
		if (parse_word(&p, "grace")) {
			parse_word(&p, "period");
			ok = duration_clause(&p, &e.grace_ms, err);
		} else if (parse_word(&p, "idle")) {
			ok = duration_clause(&p, &e.idle_ms, err);
		} else if (parse_word(&p, "from") || parse_words(&p, "starting at")) {
			ok = position_clause(&p, &e.from, err);
		} else if (parse_word(&p, "until")) {
			ok = position_clause(&p, &e.until, err);
		} else if (parse_word(&p, "limit")) {
			ok = limit_clause(&p, &e.limit, err);
		} else if (parse_words(&p, "on error into")) {
			free(e.errors_to);
			e.errors_to = NULL;
			ok = parse_name(&p, "a topic", &e.errors_to, err);
		} else {
			ok = parse_fail(&p, err, "GRACE, IDLE, FROM, UNTIL, LIMIT or the end of the statement");
		}
	}
	if (!ok) {
		emit_finish(&e);
		return false;
	}
	*ret = e;
	return true;
}
