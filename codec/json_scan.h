/* The JSON skip-scanner: one pass over a message that checks its whole structure (RFC 8259) and notes where the wanted values lie. Nothing
 * is decoded here: numbers stay digits and strings stay escaped until a field is asked for (codec/json_value.h). Iterative, at most
 * CODEC_MAX_DEPTH levels; the last of repeated keys wins, which is why there is no early exit.
 * Taken beyond RFC 8259: NaN, nan, Infinity, inf (and with '-'), as plant exporters write them, and one BOM. Not checked: UTF-8 inside
 * strings that nobody asked for. Thread: one owner. */
#ifndef WEIR_CODEC_JSON_SCAN_H
#define WEIR_CODEC_JSON_SCAN_H

#include "codec/json_path.h"

enum json_kind { JSON_NONE, JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_INT, JSON_REAL, JSON_NAN, JSON_STRING, JSON_OBJECT, JSON_ARRAY };

enum {
	JSON_ESCAPED = 1,                    /* a string with backslashes */
	JSON_HAS_NAN = 2,                    /* an object or array with a NaN token somewhere inside */
};

struct json_value {
	const uint8_t *start;                /* a string's text without its quotes; else the whole source text */
	uint32_t len;
	uint8_t kind;                        /* enum json_kind */
	uint8_t flags;
};

struct json_span {
	uint32_t start, len;                 /* in the message */
};

struct json_frame;

struct json_scanner {
	struct json_program *program;        /* owned */
	struct json_value *values;           /* one per slot: what the last scan found, JSON_NONE = not there */
	struct json_span *spans;             /* elements of the exploded array */
	size_t span_n, span_cap;
	struct json_frame *stack;
	struct buf key;                      /* an escaped key, unescaped */
	uint8_t *copy;                       /* of a document that is not its own sentinel, while it is scanned */
	size_t copy_cap;
	uint64_t scan_no;
	const char *error;                   /* static text; NULL after a good scan */
	size_t error_at;                     /* byte offset in the document */
	bool empty;                          /* only white space (or nothing): not an error */
	bool bom;
};

void json_scanner_init(struct json_scanner *s);
void json_scanner_finish(struct json_scanner *s);
/* Takes ownership; the scanner can be used from now on, also again with another program. */
void json_scanner_set_program(struct json_scanner *s, struct json_program *program);
/* False: s->error and error_at say why and values mean nothing. doc.len must fit uint32_t. */
bool json_scan(struct json_scanner *s, struct bytes doc);

/* Unescapes a checked string into out (at least len bytes); returns the length. *ret_lone counts lone surrogates (made U+FFFD). */
size_t json_unescape(const uint8_t *text, size_t len, uint8_t *out, size_t *ret_lone);

#endif
