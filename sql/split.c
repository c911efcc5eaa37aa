/* sql/split.h. The state machine for triggers is the one of sqlite3_complete(): a ';' ends the statement unless it began with
 * CREATE [TEMP] TRIGGER, where only ";END;" does. */
#include "sql/split.h"

#include <stdint.h>
#include "sql/session.h"

enum state { ST_START, ST_NORMAL, ST_EXPLAIN, ST_CREATE, ST_TRIGGER, ST_SEMI, ST_END };
enum input { IN_OTHER, IN_EXPLAIN, IN_CREATE, IN_TEMP, IN_TRIGGER, IN_END };

static enum input classify(const struct token *t)
{
	static const struct {
		const char *word;
		enum input input;
	} words[] = {
		{"explain", IN_EXPLAIN}, {"create", IN_CREATE}, {"temp", IN_TEMP}, {"temporary", IN_TEMP}, {"trigger", IN_TRIGGER}, {"end", IN_END},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (token_is_word(t, words[i].word))
			return words[i].input;
	return IN_OTHER;
}

static enum state advance(enum state s, enum input in)
{
	/* rows: state; columns: input. A ';' is handled by the caller. */
	static const enum state next[][6] = {
		/*             OTHER       EXPLAIN     CREATE     TEMP        TRIGGER     END */
		[ST_START] = {ST_NORMAL, ST_EXPLAIN, ST_CREATE, ST_NORMAL, ST_NORMAL, ST_NORMAL},
		[ST_NORMAL] = {ST_NORMAL, ST_NORMAL, ST_NORMAL, ST_NORMAL, ST_NORMAL, ST_NORMAL},
		[ST_EXPLAIN] = {ST_EXPLAIN, ST_NORMAL, ST_CREATE, ST_NORMAL, ST_NORMAL, ST_NORMAL},
		[ST_CREATE] = {ST_NORMAL, ST_NORMAL, ST_NORMAL, ST_CREATE, ST_TRIGGER, ST_NORMAL},
		[ST_TRIGGER] = {ST_TRIGGER, ST_TRIGGER, ST_TRIGGER, ST_TRIGGER, ST_TRIGGER, ST_TRIGGER},
		[ST_SEMI] = {ST_TRIGGER, ST_TRIGGER, ST_TRIGGER, ST_TRIGGER, ST_TRIGGER, ST_END},
		[ST_END] = {ST_TRIGGER, ST_TRIGGER, ST_TRIGGER, ST_TRIGGER, ST_TRIGGER, ST_TRIGGER},
	};
	return next[s][in];
}

/* EMIT and ASOF are ordinary names in SQLite, so they count only in front of the words that make them ours. */
static bool is_emit(const struct token *word, struct lex ahead)
{
	if (!token_is_word(word, "emit"))
		return false;
	struct token t = lex_next_solid(&ahead);
	return token_is_word(&t, "changes") || token_is_word(&t, "final") || token_is_word(&t, "every") || token_is_word(&t, "event");
}

static bool is_asof(const struct token *word, struct lex ahead)
{
	if (!token_is_word(word, "asof"))
		return false;
	struct token t = lex_next_solid(&ahead);
	if (token_is_word(&t, "left"))
		t = lex_next_solid(&ahead);
	return token_is_word(&t, "join");
}

void split_statement(const char *sql, size_t len, struct split *ret)
{
	struct split s = {.start = len, .end = len, .text_end = 0, .blank = true, .nul_at = SIZE_MAX, .emit_at = SIZE_MAX, .asof_at = SIZE_MAX};
	struct lex l = lex_begin(sql, len);
	enum state state = ST_START;
	int depth = 0;
	struct token before = {.kind = TOKEN_END};
	for (;;) {
		struct token t = lex_next(&l);
		size_t at = (size_t)(t.text - sql);
		if (t.kind == TOKEN_END)
			break;
		if (t.kind == TOKEN_COMMENT && t.text[0] == '/')
			s.open = t.len < 4 || t.text[t.len - 1] != '/' || t.text[t.len - 2] != '*';
		if (t.kind == TOKEN_SPACE || t.kind == TOKEN_COMMENT)
			continue;
		const char *nul = t.kind == TOKEN_ILLEGAL || t.kind == TOKEN_STRING || t.kind == TOKEN_QUOTED ? memchr(t.text, 0, t.len) : NULL;
		if (nul && s.nul_at == SIZE_MAX)
			s.nul_at = (size_t)(nul - sql);
		if (t.kind == TOKEN_SEMICOLON) {
			if (state == ST_TRIGGER || state == ST_SEMI) {
				state = ST_SEMI;
			} else {
				s.end = l.at;
				s.complete = true;
				break;
			}
		} else {
			if (s.blank)
				s.start = at;
			s.blank = false;
			state = advance(state, classify(&t));
		}
		s.text_end = l.at;
		if (t.kind == TOKEN_ILLEGAL && t.len && (t.text[0] == '\'' || t.text[0] == '"' || t.text[0] == '`' || t.text[0] == '[' || t.text[0] == ':'))
			s.open = true;
		s.has_substitute |= t.kind == TOKEN_SUBSTITUTE;
		s.has_variable |= t.kind == TOKEN_VARIABLE;
		if (token_is_op(&t, "("))
			depth++;
		else if (token_is_op(&t, ")"))
			depth--;
		if (t.kind == TOKEN_WORD && !token_is_op(&before, ".") && !token_is_word(&before, "as")) {
			if (s.emit_at == SIZE_MAX && depth <= 0 && is_emit(&t, l))
				s.emit_at = at;
			if (s.asof_at == SIZE_MAX && is_asof(&t, l))
				s.asof_at = at;
		}
		before = t;
	}
	if (s.blank)
		s.text_end = s.start = s.end;
	*ret = s;
}

bool session_is_complete(const char *sql, size_t len)
{
	struct split sp;
	for (;;) {
		split_statement(sql, len, &sp);
		if (sp.blank)
			return !sp.open || sp.complete;
		if (!sp.complete)
			return false;
		sql += sp.end;
		len -= sp.end;
	}
}
