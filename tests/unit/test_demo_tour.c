/* docs/tour.md is what the tour's table says; WEIR_UPDATE=1 writes it anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "shell/demo/tour.h"
#include "sql/session.h"

static void test_docs(void **state)
{
	const char *root = getenv("WEIR_SOURCE_ROOT");
	if (!root) {
		print_message("WEIR_SOURCE_ROOT is not set: run by meson test\n");
		skip();
	}
	struct buf want = BUF_INIT, have = BUF_INIT;
	tour_markdown(&want);
	char *path = xasprintf("%s/docs/tour.md", root);
	if (getenv("WEIR_UPDATE")) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(want.data, 1, want.len, f), want.len);
		assert_int_equal(fclose(f), 0);
	}
	FILE *f = fopen(path, "r");
	if (!f)
		fail_msg("%s is missing: WEIR_UPDATE=1 makes it", path);
	char chunk[4096];
	size_t n;
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(&have, chunk, n);
	fclose(f);
	assert_string_equal(have.data, want.data);
	buf_finish(&want);
	buf_finish(&have);
	free(path);
}

static void test_table(void **state)
{
	for (int i = 0; i < DEMO_TOUR_N; i++) {
		const struct tour_step *s = &demo_tour[i];
		assert_true(s->title && *s->title && s->text && *s->text && s->sql);
		size_t len = strlen(s->sql);
		assert_true(len > 0 && s->sql[len - 1] == ';');
		assert_true(session_is_complete(s->sql, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docs),
		cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
