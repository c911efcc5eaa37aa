/* vtab/prefilter.h. Why it is sound:
 *   - SQLite compares a TEXT literal with a string field byte by byte (only BINARY collation gets here), and the decoder gives a string's
 *     bytes as they stand in the message unless it is escaped, which takes a backslash.
 *   - A number can equal a text through its affinity ('12' = 12), and its text in SQL need not be its text in the message (1.2e1).
 *     So a value that could be the text of a number says nothing.
 *   - LIKE folds ASCII letters only; a run of the pattern without % and _ must be there as it is. Such a run must hold a byte that no
 *     number's text has, for the same reason.
 *   - An object or array is its source text. NULL and a missing field make every such term NULL, so the row falls out anyway. */
#include "vtab/prefilter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"

static bool format_keeps_bytes(const char *format, bool whole)
{
	return strcmp(format, "json") == 0 || (whole && (strcmp(format, "text") == 0));
}

bool prefilter_possible(const struct stream *s, size_t column)
{
	const struct column *c = &s->columns[column];
	switch (c->origin) {
	case COLUMN_FROM_VALUE:
		return format_keeps_bytes(s->format, !c->path);
	case COLUMN_FROM_KEY:
		return format_keeps_bytes(s->key_format, !c->path);
	case COLUMN_FROM_HEADER:
		break;
	}
	return false;
}

void prefilter_begin_term(struct prefilter *f, const struct stream *s, size_t column)
{
	f->terms = xreallocarray(f->terms, f->term_n + 1, sizeof *f->terms);
	bool in_key = s->columns[column].origin == COLUMN_FROM_KEY;
	f->terms[f->term_n++] = (struct prefilter_term){
		.in_key = in_key,
		.escapes = strcmp(in_key ? s->key_format : s->format, "json") == 0,
	};
}

static void add_needle(struct prefilter *f, const uint8_t *data, size_t len, bool fold)
{
	struct prefilter_term *term = &f->terms[f->term_n - 1];
	term->needles = xreallocarray(term->needles, term->needle_n + 1, sizeof *term->needles);
	struct needle *n = &term->needles[term->needle_n++];
	n->data = xmalloc(len);
	n->len = len;
	memcpy(n->data, data, len);
	term->fold = fold;
	for (size_t i = 0; fold && i < len; i++)
		if (n->data[i] >= 'A' && n->data[i] <= 'Z')
			n->data[i] = (uint8_t)(n->data[i] + ('a' - 'A'));
}

/* Bytes that can stand in the text that SQLite makes of a number. */
static bool number_byte(uint8_t c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
}

static bool only_number_bytes(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!number_byte(data[i]))
			return false;
	return true;
}

bool prefilter_add_equal(struct prefilter *f, sqlite3_value *value)
{
	if (sqlite3_value_type(value) == SQLITE_NULL)
		return true;
	if (sqlite3_value_type(value) != SQLITE_TEXT)
		return false;
	const uint8_t *text = sqlite3_value_text(value);
	size_t len = (size_t)sqlite3_value_bytes(value);
	/* Spaces around a number do not matter to affinity, and 0x.. is not a number there. */
	size_t from = 0, to = len;
	while (from < to && strchr(" \t\n\v\f\r", text[from]))
		from++;
	while (to > from && strchr(" \t\n\v\f\r", text[to - 1]))
		to--;
	if (only_number_bytes(text + from, to - from))
		return false;
	add_needle(f, text, len, false);
	return true;
}

/* Takes the longest run of the pattern that must stand in the text as it is. */
static bool add_longest_run(struct prefilter *f, sqlite3_value *pattern, const char *wild, bool fold)
{
	if (sqlite3_value_type(pattern) != SQLITE_TEXT)
		return false;
	const uint8_t *text = sqlite3_value_text(pattern);
	size_t len = (size_t)sqlite3_value_bytes(pattern);
	const uint8_t *best = NULL;
	size_t best_len = 0;
	for (size_t i = 0; i < len;) {
		size_t start = i;
		/* LIKE works on C strings: what stands behind a NUL is not looked at. */
		while (i < len && text[i] && !strchr(wild, text[i]))
			i++;
		if (i - start > best_len && !only_number_bytes(text + start, i - start)) {
			best = text + start;
			best_len = i - start;
		}
		if (i < len && (text[i] == '[' || text[i] == '\0'))
			break;               /* a class of GLOB: its end is not worth finding */
		i++;
	}
	if (!best)
		return false;
	add_needle(f, best, best_len, fold);
	return true;
}

bool prefilter_add_like(struct prefilter *f, sqlite3_value *pattern)
{
	return add_longest_run(f, pattern, "%_", true);
}

bool prefilter_add_glob(struct prefilter *f, sqlite3_value *pattern)
{
	return add_longest_run(f, pattern, "*?[", false);
}

static void term_finish(struct prefilter_term *term)
{
	for (size_t i = 0; i < term->needle_n; i++)
		free(term->needles[i].data);
	free(term->needles);
}

void prefilter_drop_term(struct prefilter *f)
{
	term_finish(&f->terms[--f->term_n]);
}

static bool find_folded(const uint8_t *hay, size_t n, const struct needle *needle)
{
	if (needle->len > n)
		return false;
	uint8_t lower = needle->data[0];
	uint8_t upper = lower >= 'a' && lower <= 'z' ? (uint8_t)(lower - ('a' - 'A')) : lower;
	size_t last = n - needle->len;
	for (size_t i = 0; i <= last; i++) {
		if (hay[i] != lower && hay[i] != upper)
			continue;
		size_t k = 1;
		for (; k < needle->len; k++) {
			uint8_t c = hay[i + k];
			if (c >= 'A' && c <= 'Z')
				c = (uint8_t)(c + ('a' - 'A'));
			if (c != needle->data[k])
				break;
		}
		if (k == needle->len)
			return true;
	}
	return false;
}

static bool term_holds(const struct prefilter_term *term, struct bytes hay)
{
	if (!hay.data)
		return false;                /* NULL: no row of it can make the term true */
	for (size_t i = 0; i < term->needle_n; i++) {
		const struct needle *n = &term->needles[i];
		if (term->fold ? find_folded(hay.data, hay.len, n) : memmem(hay.data, hay.len, n->data, n->len) != NULL)
			return true;
	}
	return term->escapes && hay.len && memchr(hay.data, '\\', hay.len);
}

bool prefilter_keep(void *filter, struct bytes key, struct bytes value)
{
	const struct prefilter *f = filter;
	for (size_t i = 0; i < f->term_n; i++)
		if (!term_holds(&f->terms[i], f->terms[i].in_key ? key : value))
			return false;
	return true;
}

bool prefilter_reads_key(const struct prefilter *f)
{
	for (size_t i = 0; i < f->term_n; i++)
		if (f->terms[i].in_key)
			return true;
	return false;
}

bool prefilter_reads_value(const struct prefilter *f)
{
	for (size_t i = 0; i < f->term_n; i++)
		if (!f->terms[i].in_key)
			return true;
	return false;
}

void prefilter_finish(struct prefilter *f)
{
	for (size_t i = 0; i < f->term_n; i++)
		term_finish(&f->terms[i]);
	free(f->terms);
	*f = (struct prefilter){0};
}
