/* Finds out how a topic's payload decodes and which columns it has, from sampled records. Pure; samples are borrowed for the call. */
#ifndef WEIR_CODEC_INFER_H
#define WEIR_CODEC_INFER_H

#include "core/batch.h"
#include "core/buf.h"
#include "core/schema.h"

/* s->format 'auto' (and key_format 'auto') is replaced by what the samples say; if s has no columns they are added:
 * JSON objects: nested objects become a.b columns, arrays stay JSON text (COLUMN_JSON), in order of first appearance, names deduplicated
 * case-insensitively with _2, _3; type = INTEGER REAL (both seen: REAL) TEXT BOOLEAN by majority, conflicts noted in column->note.
 * CSV: header names or c1, c2 ... Scalars / text / raw: one column `value`.
 * report gets one line for people: "json (198 of 200 messages; 2 could not be decoded), key text". No samples: format json assumed is WRONG;
 * format text, column value, and the report says that the topic is empty. */
void infer_stream(struct stream *s, const struct record *const *samples, size_t sample_n, struct buf *report);

#endif
