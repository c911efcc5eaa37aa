/* Payload bytes -> typed fields. A decoder belongs to one cursor: it is compiled once for the columns a query touches, then loaded with
 * record after record. Decoding is lazy (the first field asks for it) and happens once per record; one record may give several rows
 * (EXPLODE, later Sparkplug, OPC UA). A field that cannot be decoded is data: FIELD_ERROR, decoder_error() says why, the row stays.
 * Thread: one. No recursion on payload, every limit checked.
 *
 * Column paths, JSON: '$.a.b' '$."a b"[0]' '$' from the document; with EXPLODE '$.values[*]' also '@.a' and '@' from the row's element (an
 * array's elements, or the one object or scalar that stands in its place). No path (NULL): the member named like the column, dots nest, with
 * EXPLODE the element's member before the document's; so leave path NULL when a DDL gives none. Of repeated keys the last counts.
 * CSV and TSV: a header name (header = true), '$[n]' or 'n' counted from 0, or nothing: by name with a header, else by the column's place.
 * Values keep their own type: the column's type turns text into numbers only in text formats, and ISO text into ms for TIMESTAMP_MS.
 * An error text is complete only for wanted columns: ask for all columns (wanted NULL) when _error is selected.
 *     struct decoder *d = decoder_create(stream, wanted, err);
 *     size_t n = decoder_load(d, record);  for (row < n) decoder_field(d, row, column, &f); */
#ifndef WEIR_CODEC_CODEC_H
#define WEIR_CODEC_CODEC_H

#include "core/batch.h"
#include "core/field.h"
#include "core/schema.h"

struct decoder;

enum {
	CODEC_MAX_DEPTH = 512,               /* nesting of a JSON document; deeper is an error, at constant stack */
	CODEC_MAX_COLUMNS = 1900,            /* SQLite's own limit is 2000 with our hidden columns beside */
	CODEC_MAX_MESSAGE_MS = 100,          /* no single message may take longer to decode */
};

/* True if the format (or key format) name is known; *ret_multi_row (may be NULL) says whether a record may give several rows even without EXPLODE. */
bool codec_known(const char *format, bool *ret_multi_row);
/* Comma-separated names of all formats, for messages and completion. Static. */
const char *codec_names(void);

/* wanted[i] says whether column i of stream->columns will be asked for; NULL = all. stream is borrowed for the decoder's life.
 * format 'auto' must have been resolved before (codec/infer.h). */
struct decoder *decoder_create(const struct stream *stream, const bool *wanted, struct err *err);
void decoder_destroy(struct decoder *d);

/* Takes the record's key, value and headers (borrowed until the next load). Returns the number of rows it gives, >= 1 always:
 * a tombstone, an empty explode array or an undecodable message is one row of NULLs. Costs a few ns for one-row formats (nothing is decoded yet). */
size_t decoder_load(struct decoder *d, const struct record *record);

/* Value of a column (index into stream->columns) in a row. Bytes are borrowed until the next load. */
void decoder_field(struct decoder *d, size_t row, size_t column, struct field *ret);

/* Why the loaded record could not be decoded (whole or in part), "" if it could, or was not decoded yet. Borrowed until the next load.
 * force = true decodes first (the _error column); false only reports what has been decoded (the summary's count). */
const char *decoder_error(struct decoder *d, size_t row, bool force);

/* A JSON path asked for by an expression on _value (->, ->>, json_extract): it joins the decoder's one pass from the next record on.
 * Path: '$', '$.a.b', '$."a b"[3]', or a bare key / index as SQLite's -> takes it. Returns a slot >= 0, or -1 if the path is not plain
 * enough (wildcards, '#-1'): the caller then falls back to SQLite's own function. The same path gives the same slot. */
int decoder_add_path(struct decoder *d, struct bytes path);
void decoder_path_field(struct decoder *d, int slot, struct field *ret);

#endif
