/* The tokenizer, the splitter and the parser's cursor over any bytes: they end, they cover the input exactly, and what they report lies inside it. */
#include <stdint.h>
#include <stdlib.h>
#include "sql/parse.h"
#include "sql/session.h"
#include "sql/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* A copy without a terminator: reading past the end is a fault the sanitizer sees. */
	char *sql = malloc(len ? len : 1);
	check(sql);
	memcpy(sql, data, len);
	struct lex l = lex_begin(sql, len);
	struct token t;
	size_t covered = 0;
	while ((t = lex_next(&l)).kind != TOKEN_END) {
		check(t.len > 0 && t.text == sql + covered);
		covered += t.len;
		struct buf name = BUF_INIT;
		token_unquote(&t, &name);
		check(name.len <= t.len);
		buf_finish(&name);
	}
	check(covered == len);
	for (size_t at = 0; at < len;) {
		struct split s;
		split_statement(sql + at, len - at, &s);
		check(s.end > 0 && s.end <= len - at && s.start <= s.end && s.text_end <= s.end && s.start <= s.text_end);
		check(s.nul_at == SIZE_MAX || (s.nul_at < s.end && sql[at + s.nul_at] == 0));
		check(s.emit_at == SIZE_MAX || s.emit_at < s.end);
		struct parse p = parse_begin(sql + at, s.start, s.text_end);
		while (!parse_at_end(&p)) {
			struct bytes b = parse_until(&p, NULL);
			check(b.len <= len);
			parse_next(&p);
		}
		at += s.end;
	}
	session_is_complete(sql, len);
	free(sql);
	return 0;
}
