/* Numeric comparisons on decoded fields: whatever they reject, SQLite rejects too; what SQLite rejects among plain numbers, they reject. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "core/bytes.h"
#include "vtab/number_filter.h"

static sqlite3 *db;
static sqlite3_stmt *compare[5];
static const int ops[] = {SQLITE_INDEX_CONSTRAINT_EQ, SQLITE_INDEX_CONSTRAINT_GT, SQLITE_INDEX_CONSTRAINT_GE, SQLITE_INDEX_CONSTRAINT_LT, SQLITE_INDEX_CONSTRAINT_LE};

static const int64_t integers[] = {0, 1, -1, 42, 92, INT64_C(9007199254740992), INT64_C(9007199254740993), INT64_C(-9007199254740993), INT64_MAX, INT64_MIN};
static const double reals[] = {0.0, -0.0, 0.1, 42.0, 91.999999999999986, 92.0, 92.00000000000001, 1e300, -1e300, 9007199254740992.0, 9007199254740994.0, 9.223372036854775807e18, 5e-324};
enum { INTEGER_N = sizeof integers / sizeof *integers, REAL_N = sizeof reals / sizeof *reals, VALUE_N = INTEGER_N + REAL_N + 3 };

/* The i-th value as a field and as a bound parameter. */
static struct field value_at(int i, sqlite3_stmt *stmt, int parameter)
{
	if (i < INTEGER_N) {
		sqlite3_bind_int64(stmt, parameter, integers[i]);
		return (struct field){.type = FIELD_INTEGER, .u.i = integers[i]};
	}
	i -= INTEGER_N;
	if (i < REAL_N) {
		sqlite3_bind_double(stmt, parameter, reals[i]);
		return (struct field){.type = FIELD_REAL, .u.d = reals[i]};
	}
	i -= REAL_N;
	if (i == 0) {
		sqlite3_bind_text(stmt, parameter, "42", -1, SQLITE_STATIC);
		return (struct field){.type = FIELD_TEXT, .bytes = bytes_str("42")};
	}
	sqlite3_bind_null(stmt, parameter);
	return (struct field){.type = i == 1 ? FIELD_NULL : FIELD_ERROR};
}

struct taken {
	struct number_filter filter;
	int op;
	bool ok;
};

/* number_filter_add wants a sqlite3_value: a function hands one over. */
static void take(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	struct taken *t = sqlite3_user_data(context);
	t->filter = (struct number_filter){0};
	t->ok = number_filter_add(&t->filter, 7, t->op, argv[0]);
}

static void test_against_sqlite(void **state)
{
	struct taken taken = {0};
	assert_int_equal(sqlite3_create_function(db, "take", 1, SQLITE_UTF8, &taken, take, NULL, NULL), SQLITE_OK);
	sqlite3_stmt *taker = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT take(?1)", -1, &taker, NULL), SQLITE_OK);
	int rejected = 0, exact = 0;
	for (size_t o = 0; o < 5; o++) {
		for (int c = 0; c < VALUE_N; c++) {
			taken.op = ops[o];
			value_at(c, taker, 1);
			assert_int_equal(sqlite3_step(taker), SQLITE_ROW);
			sqlite3_reset(taker);
			if (!taken.ok)
				continue;
			assert_int_equal(taken.filter.terms[0].column, 7);
			for (int f = 0; f < VALUE_N; f++) {
				struct field field = value_at(f, compare[o], 1);
				value_at(c, compare[o], 2);
				assert_int_equal(sqlite3_step(compare[o]), SQLITE_ROW);
				bool passes = sqlite3_column_int(compare[o], 0) != 0;
				sqlite3_reset(compare[o]);
				bool keeps = number_term_keeps(&taken.filter.terms[0], &field);
				assert_true(keeps || !passes);
				rejected += !keeps;
				exact += keeps == passes;
			}
		}
	}
	sqlite3_finalize(taker);
	assert_true(rejected > 1000);
	assert_true(exact > rejected);
}

static void test_limits(void **state)
{
	assert_true(number_filter_possible(COLUMN_REAL));
	assert_true(number_filter_possible(COLUMN_INTEGER));
	assert_false(number_filter_possible(COLUMN_TEXT));
	assert_false(number_filter_possible(COLUMN_ANY));
	struct number_term term = {.op = SQLITE_INDEX_CONSTRAINT_GT, .value = 1};
	struct field nan_field = {.type = FIELD_REAL, .u.d = NAN};
	assert_false(number_term_keeps(&term, &nan_field));
}

int main(void)
{
	static const char *const sql[] = {"SELECT ?1 = ?2", "SELECT ?1 > ?2", "SELECT ?1 >= ?2", "SELECT ?1 < ?2", "SELECT ?1 <= ?2"};
	if (sqlite3_open(":memory:", &db) != SQLITE_OK)
		return 1;
	for (size_t i = 0; i < 5; i++)
		if (sqlite3_prepare_v2(db, sql[i], -1, &compare[i], NULL) != SQLITE_OK)
			return 1;
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_sqlite), cmocka_unit_test(test_limits)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < 5; i++)
		sqlite3_finalize(compare[i]);
	sqlite3_close(db);
	return failed;
}
