/* Printers: rows of a statement become text of one mode. A mode is one `struct print_impl`; the table of them is print_modes.
 *
 *     print_begin(&p, &settings, out, stmt, table)      before the first row: column names and kinds
 *     print_row(&p, stmt)                               copies what it keeps: the row may change afterwards
 *     print_tick(&p, now)                               from the ticker: lays out a first page that has waited long enough
 *     print_end(&p)                                     after the last row, also of a statement that failed half way
 *
 * Modes with columns (box, table, column, markdown) collect a first page to find the widths, then stream with these.
 * On a terminal nothing unsafe is ever written raw (core/utf8.h), in any mode, unless settings.raw.
 * Thread: whoever holds the ticker's lock. */
#ifndef WEIR_SHELL_PRINT_H
#define WEIR_SHELL_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "shell/out.h"

struct sqlite3_stmt;

enum cell_type { CELL_NULL, CELL_INTEGER, CELL_REAL, CELL_TEXT, CELL_BLOB };

struct cell {
	enum cell_type type;
	int64_t integer;
	double real;
	const char *data;                    /* TEXT and BLOB; borrowed until the next step */
	size_t len;
};

/* What the declared type of a result column says about how to show it. */
enum column_kind { KIND_PLAIN, KIND_TIMESTAMP, KIND_BOOLEAN, KIND_JSON };

struct print_column {
	char *name;
	size_t name_len;
	enum column_kind kind;
};

enum print_timestamps { TIMESTAMPS_AUTO, TIMESTAMPS_RAW, TIMESTAMPS_TEXT };
enum print_expanded { EXPANDED_AUTO, EXPANDED_OFF, EXPANDED_ON };

struct print_settings {
	const struct print_impl *mode;
	enum print_expanded expanded;        /* \x */
	enum print_timestamps timestamps;
	bool headers;
	bool headers_given;                  /* .headers was said: insert mode names its columns */
	bool tuples_only;                    /* \t: no header, no borders' footer */
	bool csv_safe;
	bool raw;
	bool color;
	bool color_always;                   /* also where the output is no terminal */
	bool footer;                         /* "(12 rows)" after a result of the modes for people */
	bool ascii;                          /* no box characters */
	char *null_text;                     /* NULL = the mode's own */
	char *column_separator;              /* NULL = the mode's own */
	char *row_separator;
	bool local_time;                     /* --tz: show instants in the process's time zone with its offset */
	int screen_columns;                  /* 0 = not a terminal: nothing is cut */
	int widths[64];                      /* .width: 0 = automatic, negative = right-aligned */
	int width_n;
};

struct print {
	const struct print_settings *set;
	const struct print_impl *impl;
	struct out *out;
	const char *table;                   /* insert mode's name */
	struct print_column *columns;
	struct cell *cells;                  /* of the current row */
	int column_n;
	int64_t row_n;
	bool safe;                           /* escape what is unsafe on a terminal */
	bool color, ascii;                   /* of the settings, where the output is a terminal */
	int screen_columns;
	struct buf scratch;
	struct page *page;                   /* of the modes with columns */
	struct plot *plot;                   /* of mode plot */
};

struct print_impl {
	const char *name;
	const char *help;
	bool people;                         /* times as text, NULL shown, a footer on a terminal */
	const char *column_separator;
	const char *null_text;
	void (*begin)(struct print *p);
	void (*row)(struct print *p, const struct cell *cells);
	void (*tick)(struct print *p, int64_t now_ms);       /* may be NULL */
	void (*end)(struct print *p);
	int variant;                         /* for impls that share functions */
};

extern const struct print_impl *const print_modes[];     /* NULL-terminated */
const struct print_impl *print_mode_find(const char *name);      /* also sqlite3's and psql's names (tabs, aligned, unaligned) */
extern const struct print_impl print_expanded;

void print_begin(struct print *p, const struct print_settings *set, struct out *out, struct sqlite3_stmt *stmt, const char *table);
void print_row(struct print *p, struct sqlite3_stmt *stmt);
void print_tick(struct print *p, int64_t now_ms);
void print_end(struct print *p);         /* frees; p can be begun again */

/* The statement's side, for the commands that read values themselves. */
int print_stmt_column_n(struct sqlite3_stmt *stmt);                      /* 0 for NULL */
const char *print_stmt_column_name(struct sqlite3_stmt *stmt, int i);
void print_stmt_cell(struct sqlite3_stmt *stmt, int i, struct cell *ret);

/* Values as text. */
enum { NUMBER_TEXT_MAX = 32 };
size_t print_real(double v, char out[NUMBER_TEXT_MAX]);                  /* the shortest text that reads back to v; always with . or e (or Inf) */
size_t print_instant(int64_t ms, bool local, char out[64]);              /* RFC 3339 */
void print_hex(struct buf *to, const void *data, size_t len);
void print_base64(struct buf *to, const void *data, size_t len);
void print_json_string(struct buf *to, const void *text, size_t len, bool safe);        /* with quotes; always valid JSON and UTF-8 */
bool print_json_valid(const char *text, size_t len);
void print_sql_literal(struct buf *to, const struct cell *c, bool safe);
void print_sql_name(struct buf *to, const char *name);                   /* quoted if it must be */
/* As people read it: NULL text, instants, x'..', control characters escaped if safe or single_line. */
void print_cell_text(const struct print *p, int column, const struct cell *c, bool single_line, struct buf *to);

#endif
