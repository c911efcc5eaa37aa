/* Is it delimited text, and with which delimiter, header and columns? A delimiter is believed when nearly all lines have the same number of
 * cells, two or more, and something beside the count speaks for it (three cells, or a column of numbers). */
#include <stdlib.h>
#include "codec/codec.h"
#include "codec/csv.h"
#include "codec/infer_parts.h"
#include "codec/json_path.h"
#include "codec/scalar.h"
#include "core/alloc.h"
#include "core/utf8.h"

enum {
	MAX_ROWS = 500,                      /* per message */
	COUNT_LIMIT = 512,                   /* more cells than this are counted as one class */
};

typedef void row_fn(void *arg, size_t message, size_t row, struct bytes line);

static void each_row(const struct record *const *samples, size_t sample_n, char delimiter, row_fn *fn, void *arg)
{
	for (size_t i = 0; i < sample_n; i++) {
		struct bytes value = record_value(samples[i]);
		struct csv_reader reader;
		struct csv_record record;
		if (!value.data || !utf8_valid(value.data, value.len))
			continue;
		csv_begin(&reader, value, delimiter);
		for (size_t row = 0; row < MAX_ROWS && csv_next(&reader, &record); row++)
			fn(arg, i, row, bytes_of(value.data + record.start, record.len));
	}
}

struct cell_counts {
	char delimiter;
	size_t rows[COUNT_LIMIT];
	size_t row_n;
};

static size_t count_cells(struct bytes line, char delimiter)
{
	struct csv_cell cell;
	size_t n = 0;
	while (csv_cell(&line, delimiter, &cell))
		n++;
	return n;
}

static void count_row(void *arg, size_t message, size_t row, struct bytes line)
{
	struct cell_counts *c = arg;
	size_t n = count_cells(line, c->delimiter);
	c->rows[n < COUNT_LIMIT ? n : COUNT_LIMIT - 1]++;
	c->row_n++;
}

/* What the cells of the usual rows are. */
struct columns {
	char delimiter, decimal;
	size_t cell_n;
	struct tally *tallies;               /* all rows */
	struct tally *first;                 /* first rows of messages only */
	struct bytes header;                 /* the first line of the first message */
	size_t message_n, same_header_n, multi_n;
	size_t last_message;
	size_t row_n;
	bool header_given;
};

static enum seen cell_seen(const struct csv_cell *cell, char decimal)
{
	bool b;
	if (cell->text.len == 0)
		return cell->quoted ? SEEN_TEXT : SEEN_NULL;
	if (cell->quoted)
		return SEEN_TEXT;
	switch (scalar_sniff(cell->text, decimal)) {
	case COLUMN_INTEGER:
		return SEEN_INTEGER;
	case COLUMN_REAL:
		return SEEN_REAL;
	default:
		/* 1, yes and the like are numbers and words; only the full words are taken for booleans. */
		return cell->text.len >= 4 && scalar_bool(cell->text, &b) ? SEEN_BOOLEAN : SEEN_TEXT;
	}
}

static void tally_row(void *arg, size_t message, size_t row, struct bytes line)
{
	struct columns *c = arg;
	struct csv_cell cell;
	if (row == 0) {
		if (!c->header.data)
			c->header = line;
		c->same_header_n += bytes_equal(c->header, line);
		c->message_n++;
	}
	c->multi_n += row == 1;
	if (row == 0 && c->header_given)
		return;
	c->row_n++;
	for (size_t i = 0; i < c->cell_n && csv_cell(&line, c->delimiter, &cell); i++) {
		enum seen seen = cell_seen(&cell, c->decimal);
		c->tallies[i].n[seen]++;
		if (row == 0)
			c->first[i].n[seen]++;
	}
}

static void columns_init(struct columns *c, char delimiter, char decimal, size_t cell_n)
{
	*c = (struct columns){.delimiter = delimiter, .decimal = decimal, .cell_n = cell_n};
	c->tallies = xcalloc(cell_n ? cell_n : 1, sizeof *c->tallies);
	c->first = xcalloc(cell_n ? cell_n : 1, sizeof *c->first);
}

static void columns_finish(struct columns *c)
{
	free(c->tallies);
	free(c->first);
}

static size_t number_columns(const struct columns *c)
{
	size_t n = 0;
	for (size_t i = 0; i < c->cell_n; i++) {
		const uint32_t *t = c->tallies[i].n;
		uint32_t numbers = t[SEEN_INTEGER] + t[SEEN_REAL];
		n += numbers > 0 && numbers * 10 >= (numbers + t[SEEN_TEXT] + t[SEEN_BOOLEAN]) * 7;
	}
	return n;
}

/* Every message starts with the same line, has more, and that line holds words where others hold numbers. */
static bool has_header(const struct columns *c)
{
	if (c->message_n == 0 || c->same_header_n != c->message_n || c->multi_n != c->message_n)
		return false;
	bool any = false;
	for (size_t i = 0; i < c->cell_n; i++) {
		const uint32_t *f = c->first[i].n;
		const uint32_t *t = c->tallies[i].n;
		if (f[SEEN_INTEGER] + f[SEEN_REAL] + f[SEEN_NULL] > 0)
			return false;
		any |= t[SEEN_INTEGER] + t[SEEN_REAL] > 0;
	}
	return any || c->message_n > 1;
}

bool infer_csv_guess(const struct record *const *samples, size_t sample_n, struct csv_guess *ret)
{
	static const char delimiters[] = "\t;,|";
	bool found = false;
	for (const char *d = delimiters; *d; d++) {
		struct cell_counts counts = {.delimiter = *d};
		each_row(samples, sample_n, *d, count_row, &counts);
		size_t usual = 0;
		for (size_t n = 1; n < COUNT_LIMIT; n++)
			if (counts.rows[n] > counts.rows[usual])
				usual = n;
		if (usual < 2 || counts.row_n < 1 || counts.rows[usual] * 10 < counts.row_n * 9)
			continue;
		if (found && ret->cell_n >= usual)
			continue;
		struct csv_guess guess = {.delimiter = *d, .decimal = '.', .row_n = counts.row_n, .good_n = counts.rows[usual], .cell_n = usual};
		struct columns c;
		columns_init(&c, *d, '.', usual);
		each_row(samples, sample_n, *d, tally_row, &c);
		size_t numbers = number_columns(&c);
		guess.header = has_header(&c);
		columns_finish(&c);
		if (*d != ',') {
			columns_init(&c, *d, ',', usual);
			each_row(samples, sample_n, *d, tally_row, &c);
			if (number_columns(&c) > numbers) {
				guess.decimal = ',';
				numbers = number_columns(&c);
			}
			columns_finish(&c);
		}
		if (usual < 3 && numbers == 0 && !guess.header)
			continue;
		*ret = guess;
		found = true;
	}
	return found;
}

size_t infer_csv_columns(struct stream *s, const struct record *const *samples, size_t sample_n)
{
	struct cell_counts counts = {.delimiter = s->delimiter};
	struct columns c;
	size_t left_out = 0;
	each_row(samples, sample_n, s->delimiter, count_row, &counts);
	size_t usual = 0;
	for (size_t n = 1; n < COUNT_LIMIT; n++)
		if (counts.rows[n] > counts.rows[usual])
			usual = n;
	columns_init(&c, s->delimiter, s->decimal, usual);
	c.header_given = s->header;
	each_row(samples, sample_n, s->delimiter, tally_row, &c);
	struct bytes names = c.header;
	for (size_t i = 0; i < usual; i++) {
		struct buf name = BUF_INIT;
		struct buf path = BUF_INIT;
		struct csv_cell cell;
		char *note;
		enum column_type type = tally_type(&c.tallies[i], c.row_n, "rows", &note);
		buf_addf(&path, "$[%zu]", i);
		if (s->header && csv_cell(&names, s->delimiter, &cell)) {
			buf_reserve(&name, cell.text.len + 1);
			name.len = csv_unquote(&cell, (uint8_t *)name.data);
			while (name.len && name.data[name.len - 1] == ' ')
				name.len--;
			name.data[name.len] = '\0';
			size_t lead = strspn(name.data, " ");
			if (name.len > lead && strlen(name.data) == name.len) {
				memmove(name.data, name.data + lead, name.len - lead + 1);
				name.len -= lead;
				buf_clear(&path);
				buf_addc(&path, '$');
				json_path_add_key(&path, name.data, name.len);
			} else {
				buf_clear(&name);
			}
		}
		if (name.len == 0)
			buf_addf(&name, "c%zu", i + 1);
		left_out += !infer_add_column(s, name.data, type, path.data, note);
		buf_finish(&name);
		buf_finish(&path);
	}
	columns_finish(&c);
	return left_out;
}
