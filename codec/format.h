/* What a payload format implements, behind the decoder. One instance decodes one side (value or key) for one decoder.
 * codec/decoder.c holds the table of formats; headers and laziness across sides are its business, rows are the format's. */
#ifndef WEIR_CODEC_FORMAT_H
#define WEIR_CODEC_FORMAT_H

#include "core/buf.h"
#include "core/field.h"
#include "core/schema.h"

struct format {
	const struct format_impl *impl;
};

struct format_spec {
	const struct stream *stream;         /* borrowed for the instance's life */
	const bool *wanted;                  /* per column; only columns whose origin is `origin` count. Borrowed during create */
	enum column_origin origin;           /* COLUMN_FROM_VALUE or COLUMN_FROM_KEY */
	const char *format;                  /* the name asked for */
};

struct format_impl {
	const char *name;
	bool multi_row;                      /* a payload may give several rows */
	struct format *(*create)(const struct format_spec *spec, struct err *err);
	void (*destroy)(struct format *f);
	/* Takes a payload, borrowed until the next load; data NULL = none. Returns the rows, >= 1. */
	size_t (*load)(struct format *f, struct bytes payload);
	void (*field)(struct format *f, size_t row, size_t column, struct field *ret);
	/* Appends why the payload or its row could not be decoded; nothing if all is well. force: decode all wanted columns first. */
	void (*error)(struct format *f, size_t row, bool force, struct buf *to);
	/* As decoder_add_path; NULL where the format has no paths. */
	int (*add_path)(struct format *f, struct bytes path);
	void (*path_field)(struct format *f, int slot, struct field *ret);
};

extern const struct format_impl format_text, format_raw, format_json, format_jsonl, format_csv, format_tsv;

/* Joins parts of an error text by "; ", and cuts it at a sane length. */
void format_error_add(struct buf *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
