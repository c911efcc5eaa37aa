/* Shared by the parts of inference (infer.c decides the format, infer_json.c and infer_csv.c find columns): counting types of values, and
 * adding columns under free names. */
#ifndef WEIR_CODEC_INFER_PARTS_H
#define WEIR_CODEC_INFER_PARTS_H

#include "core/batch.h"
#include "core/buf.h"
#include "core/schema.h"

enum seen { SEEN_INTEGER, SEEN_REAL, SEEN_BIG, SEEN_TEXT, SEEN_BOOLEAN, SEEN_JSON, SEEN_NULL, SEEN_N };

struct tally {
	uint32_t n[SEEN_N];
};

/* The column type by majority; *note (may be NULL) becomes an allocated remark on what else was seen, or NULL. total = messages or rows
 * looked at, unit = "messages" or "rows". */
enum column_type tally_type(const struct tally *t, size_t total, const char *unit, char **ret_note);

/* Adds a VALUE column. The name gets _2, _3 .. if it is taken (case-insensitively) or is that of a hidden column. Takes note.
 * False once CODEC_MAX_COLUMNS is reached (note is freed). */
bool infer_add_column(struct stream *s, const char *name, enum column_type type, const char *path, char *note);

/* Columns of the decodable JSON documents among samples; s->explode is respected. Returns how many columns were left out. */
size_t infer_json_columns(struct stream *s, const struct record *const *samples, size_t sample_n, bool lines);

struct csv_guess {
	char delimiter;
	char decimal;
	bool header;
	size_t row_n, good_n;                /* rows seen, and those with the usual number of cells */
	size_t cell_n;
};

/* True if the samples look like delimited text; fills *ret. */
bool infer_csv_guess(const struct record *const *samples, size_t sample_n, struct csv_guess *ret);
/* Columns by s->delimiter, header, decimal. Returns how many were left out. */
size_t infer_csv_columns(struct stream *s, const struct record *const *samples, size_t sample_n);

#endif
