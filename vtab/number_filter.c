/* vtab/number_filter.h. Integers beyond 2^53 do not fit in a double: such fields are kept and such constants not taken, and SQLite compares. */
#include "vtab/number_filter.h"

#define EXACT_MAX (INT64_C(1) << 53)

bool number_filter_possible(enum column_type type)
{
	return type == COLUMN_INTEGER || type == COLUMN_REAL;
}

bool number_filter_add(struct number_filter *f, size_t column, int op, sqlite3_value *value)
{
	if (f->term_n == NUMBER_TERM_MAX)
		return false;
	switch (sqlite3_value_type(value)) {
	case SQLITE_INTEGER: {
		int64_t i = sqlite3_value_int64(value);
		if (i < -EXACT_MAX || i > EXACT_MAX)
			return false;
		break;
	}
	case SQLITE_FLOAT:
		break;
	default:
		return false;
	}
	f->terms[f->term_n++] = (struct number_term){.column = column, .op = op, .value = sqlite3_value_double(value)};
	return true;
}

bool number_term_keeps(const struct number_term *term, const struct field *field)
{
	double v;
	switch (field->type) {
	case FIELD_ABSENT:
	case FIELD_NULL:
	case FIELD_ERROR:
		return false;
	case FIELD_INTEGER:
		if (field->u.i < -EXACT_MAX || field->u.i > EXACT_MAX)
			return true;
		v = (double)field->u.i;
		break;
	case FIELD_REAL:
		v = field->u.d;
		break;
	default:
		return true;
	}
	switch (term->op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		return v >= term->value && v <= term->value;
	case SQLITE_INDEX_CONSTRAINT_GT:
		return v > term->value;
	case SQLITE_INDEX_CONSTRAINT_GE:
		return v >= term->value;
	case SQLITE_INDEX_CONSTRAINT_LT:
		return v < term->value;
	case SQLITE_INDEX_CONSTRAINT_LE:
		return v <= term->value;
	default:
		return true;
	}
}
