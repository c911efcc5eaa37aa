/* Records -> lines. One record is one line (in the row forms: one row is one line), always ended by LF, never with a CR, LF or NUL inside.
 *
 *   .ndjson       {"topic":"t","partition":0,"offset":7,"timestamp":"2026-09-01T04:00:00.000Z","key":"k","headers":[["n","v"]],"value":...}
 *                 A payload that is one valid JSON document stands there verbatim (CR and LF between its tokens become spaces); other valid UTF-8 is a
 *                 JSON string; anything else "value_b64". key and header values: a string, else "key_b64" / ["n",{"b64":".."}]. No "headers" if there are none.
 *   .csv          topic,partition,offset,timestamp,key,headers,value by RFC 4180 with LF; NULL is empty, an empty value is "". LF CR NUL inside: \n \r \0
 *   .txt          the value alone; LF CR NUL are written \n \r \0 (lossy); a tombstone is an empty line
 *   .rows.ndjson  the columns of the registered stream, decoded
 *   .rows.csv     the same as CSV
 * Thread: a renderer belongs to one. */
#ifndef WEIR_FUSE_RENDER_H
#define WEIR_FUSE_RENDER_H

#include "core/batch.h"
#include "core/buf.h"
#include "core/schema.h"

enum form { FORM_NDJSON, FORM_CSV, FORM_TXT, FORM_ROWS_NDJSON, FORM_ROWS_CSV, FORM_N };

const char *form_suffix(enum form form);                                  /* ".ndjson" ... Static */
/* "13.rows.csv" -> stem length 2, FORM_ROWS_CSV. rows false: "13.rows.csv" -> stem "13.rows", FORM_CSV. */
bool form_parse(const char *name, bool rows, size_t *ret_stem_len, enum form *ret);
static inline bool form_has_rows(enum form form)
{
	return form == FORM_ROWS_NDJSON || form == FORM_ROWS_CSV;
}

struct renderer;

/* stream: needed for the row forms (taken over, destroyed with the renderer, also on failure), NULL for the others. */
bool renderer_create(const char *topic, enum form form, struct stream *stream, struct renderer **ret, struct err *err);
void renderer_destroy(struct renderer *r);
void render_header(struct renderer *r, struct buf *to);                   /* the CSV forms' line of names; nothing for the others */
void render_record(struct renderer *r, int32_t partition, const struct record *record, struct buf *to);

void render_json_string(struct buf *to, const void *text, size_t len);   /* text is valid UTF-8; quotes included */
void render_real(struct buf *to, double d);                               /* shortest that reads back; null for NaN and infinities */
void render_base64(struct buf *to, struct bytes data);
void render_csv_text(struct buf *to, struct bytes text);                  /* one cell; text NULL = empty */

#endif
