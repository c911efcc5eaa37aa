/* The tokenizer and the statement splitter against SQLite itself and against borders that are easy to get wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <dirent.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "core/alloc.h"
#include "sql/parse.h"
#include "sql/session.h"
#include "sql/split.h"

static const char *kinds(const char *sql, size_t len)
{
	static const char letters[] = "_ cwqsbnvto;!";     /* by enum token_kind */
	static char out[256];
	struct lex l = lex_begin(sql, len);
	size_t n = 0, covered = 0;
	struct token t;
	while ((t = lex_next(&l)).kind != TOKEN_END && n < sizeof out - 1) {
		assert_true(t.len > 0);
		assert_ptr_equal(t.text, sql + covered);
		covered += t.len;
		out[n++] = letters[t.kind];
	}
	assert_int_equal(covered, len);
	out[n] = 0;
	return out;
}

#define KINDS(sql, want) assert_string_equal(kinds(sql, sizeof(sql) - 1), want)

static void test_tokens(void **state)
{
	(void)state;
	KINDS("select a.b", "w wow");
	KINDS("'it''s'||\"a\"\"b\"", "soq");
	KINDS("[a b]`c`", "qq");
	KINDS("x'00ff' X'0' x'0g' xy", "b ! ! w");
	KINDS("1.5e-3 0x1F .5 1. 1e 1a 5.e3", "n n n n ! ! n");
	KINDS("?1 :a @b $c::d(e) $c::d(e f) : #", "v v v v ! wo ! !");
	KINDS(":'n' :\"n\" :'n", "t t !");
	KINDS("a--b\nc/*d;*/e/*f", "wc wcwc");
	KINDS("a/*", "woo");
	KINDS("->>->-", "ooo");
	KINDS("!= ! <> << <= == = || |", "o ! o o o o o o o");
	KINDS("\xEF\xBB\xBFselect", " w");
	KINDS("'open", "!");
	KINDS("\"open", "!");
	KINDS("[open", "!");
	KINDS("h\xC3\xA4n $x", "w v");
	KINDS("a\0b", "w!w");
	KINDS("\v", "!");
}

static void test_unquote(void **state)
{
	static const struct {
		const char *sql, *want;
	} rows[] = {{"'it''s'", "it's"}, {"\"a\"\"b\"", "a\"b"}, {"[a]", "a"}, {"`a``b`", "a`b"}, {":'v'", "v"}, {"plain", "plain"}, {"''", ""}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lex l = lex_begin(rows[i].sql, strlen(rows[i].sql));
		struct token t = lex_next(&l);
		struct buf b = BUF_INIT;
		token_unquote(&t, &b);
		assert_string_equal(b.data, rows[i].want);
		buf_finish(&b);
	}
}

static void check_split(const char *sql, const char *first, bool complete)
{
	struct split s;
	split_statement(sql, strlen(sql), &s);
	assert_int_equal(s.end, strlen(first));
	assert_memory_equal(sql, first, s.end);
	assert_int_equal(s.complete, complete);
}

static void test_split(void **state)
{
	(void)state;
	check_split("select ';' ; select 2", "select ';' ;", true);
	check_split("select 1 -- ; \n; x", "select 1 -- ; \n;", true);
	check_split("create trigger t after insert on a begin select 1; select 2; end; select 3;", "create trigger t after insert on a begin select 1; select 2; end;", true);
	check_split("explain create temp trigger t begin select case when 1 then 2 end; end; x;", "explain create temp trigger t begin select case when 1 then 2 end; end;", true);
	check_split("create table trigger_t(a); x;", "create table trigger_t(a);", true);
	check_split("create temp table t(a); x;", "create temp table t(a);", true);
	check_split("select /* ; */ 1", "select /* ; */ 1", false);
	check_split("\r\n\r\nselect 1;\r\n", "\r\n\r\nselect 1;", true);
	check_split(";select 1", ";", true);
	struct split s;
	split_statement("  -- x\n /* y */ ", 16, &s);
	assert_true(s.blank);
	split_statement("a\0b", 3, &s);
	assert_int_equal(s.nul_at, 1);
	split_statement("select 'a\0b'", 12, &s);
	assert_int_equal(s.nul_at, 9);
}

static void test_clauses(void **state)
{
	struct split s;
	(void)state;
#define SPLIT(sql) split_statement(sql, sizeof(sql) - 1, &s)
	SPLIT("select * from t emit changes");
	assert_int_equal(s.emit_at, 16);
	SPLIT("select emit from t");
	assert_true(s.emit_at == SIZE_MAX);
	SPLIT("select a as emit, final from t");
	assert_true(s.emit_at == SIZE_MAX);
	SPLIT("select (select 1 emit final)");
	assert_true(s.emit_at == SIZE_MAX);
	SPLIT("select 'emit changes'");
	assert_true(s.emit_at == SIZE_MAX);
	SPLIT("select * from a asof left join b on 1");
	assert_int_equal(s.asof_at, 16);
	SPLIT("select :'x', :y");
	assert_true(s.has_substitute && s.has_variable);
	SPLIT("select ':''x'");
	assert_false(s.has_substitute || s.has_variable);
}

static void test_complete(void **state)
{
	static const char *const texts[] = {
		"select 1;", "select 1", "", "  ", "-- x", "/* x", "/* x */", "select ';", "select ';';", "create trigger t begin select 1;",
		"create trigger t begin select 1; end;", "create temp trigger t begin x; end", "explain create trigger x begin y;", "a;b", "a;b;", "a; -- c", "a; /* c */ ", "select \"",
		"create table t(a); ", ";;;", "create trigger x begin a; end; select 1", "[a;", "[a;];", "`;`;",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct split s;
		split_statement(texts[i], strlen(texts[i]), &s);
		bool blank = s.blank && !s.complete;
		/* SQLite wants a ';' even after nothing; a prompt with nothing typed is complete. An open comment is not. */
		bool want = blank ? !s.open : sqlite3_complete(texts[i]);
		if (session_is_complete(texts[i], strlen(texts[i])) != want)
			fail_msg("%s: want %d", texts[i], want);
	}
}

/* Every statement of the SQLite corpus ends where SQLite's own parser ends it. */
static void test_corpus(void **state)
{
	char path[4096];
	const char *root = getenv("WEIR_SOURCE_ROOT");
	int statements = 0;
	(void)state;
	assert_non_null(root);
	snprintf(path, sizeof path, "%s/tests/sql/sqlite", root);
	DIR *dir = opendir(path);
	/* Some statements write files (VACUUM INTO): not into the folder the test was started in. */
	char scratch[] = "/tmp/weir-test-lex-XXXXXX";
	assert_non_null(mkdtemp(scratch));
	assert_int_equal(chdir(scratch), 0);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		size_t n = strlen(e->d_name);
		if (n < 5 || strcmp(e->d_name + n - 4, ".sql") != 0)
			continue;
		char file[8192];
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		FILE *f = fopen(file, "rb");
		assert_non_null(f);
		char *text = xcalloc(1, 1 << 20);
		size_t len = fread(text, 1, (1 << 20) - 1, f);
		fclose(f);
		sqlite3 *db = NULL;
		assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
		for (size_t at = 0; at < len;) {
			struct split s;
			const char *tail = NULL;
			sqlite3_stmt *stmt = NULL;
			if (strncmp(text + at + (text[at] == '\n'), "-- case", 7) == 0) {
				sqlite3_close(db);
				assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
			}
			split_statement(text + at, len - at, &s);
			if (s.blank) {               /* SQLite skips a lone ';' on its way to the next statement */
				at += s.end;
				continue;
			}
			int rc = sqlite3_prepare_v2(db, text + at, -1, &stmt, &tail);
			if (rc == SQLITE_OK && stmt) {
				assert_int_equal(s.end, (size_t)(tail - text) - at);
				statements++;
				while (sqlite3_step(stmt) == SQLITE_ROW)
					;
			}
			sqlite3_finalize(stmt);
			assert_true(s.end > 0);
			at += s.end;
		}
		sqlite3_close(db);
		free(text);
	}
	closedir(dir);
	DIR *left = opendir(scratch);
	for (struct dirent *e; left && (e = readdir(left));)
		remove(e->d_name);
	closedir(left);
	rmdir(scratch);
	assert_true(statements >= 300);
}

static void test_parse(void **state)
{
	const char *sql = "SHOW /* x */ TOPICS like 'a%' ;";
	struct err err = ERR_INIT;
	char *text = NULL;
	(void)state;
	struct parse p = parse_begin(sql, 0, strlen(sql));
	assert_false(parse_words(&p, "show streams"));
	assert_true(parse_words(&p, "show topics"));
	assert_true(parse_word(&p, "LIKE"));
	assert_true(parse_text(&p, "a pattern", &text, &err));
	assert_string_equal(text, "a%");
	free(text);
	assert_true(parse_end(&p, &err));
	assert_false(parse_want(&p, "x", &err));
	assert_int_equal(err.id, ERR_SQL);
	const char *list = "f(a, b), c) d";
	p = parse_begin(list, 0, strlen(list));
	struct bytes got = parse_until(&p, NULL);
	assert_int_equal(got.len, 7);
}

static void test_position(void **state)
{
	int line, column;
	(void)state;
	sql_position("ab\nc\xC3\xA4x", 7, 6, &line, &column);
	assert_int_equal(line, 2);
	assert_int_equal(column, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens), cmocka_unit_test(test_unquote), cmocka_unit_test(test_split), cmocka_unit_test(test_clauses),
		cmocka_unit_test(test_complete), cmocka_unit_test(test_corpus), cmocka_unit_test(test_parse), cmocka_unit_test(test_position),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
