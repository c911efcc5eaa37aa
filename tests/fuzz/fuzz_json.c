/* The JSON decoder over any bytes: byte 0 picks the set-up, the rest is the message. Besides memory safety: text that comes out is UTF-8,
 * an undecodable message says why, and whatever jansson takes as JSON is taken too (but for nesting beyond CODEC_MAX_DEPTH). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "codec/codec.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_field(const struct field *f)
{
	if (f->type == FIELD_TEXT || f->type == FIELD_JSON)
		check(utf8_valid(f->bytes.data, f->bytes.len));
}

static struct stream *make_stream(unsigned setup)
{
	static const char *const paths[] = {"$.a", "$.b.c", "$.b", "$[0]", "$[1].a", "$", "$.\"k k\"[2]", "$.a.a.a", "@.a", "@", NULL};
	struct stream *s = stream_create("t", "t");
	free(s->format);
	s->format = strdup(setup % 4 == 3 ? "jsonl" : "json");
	if (setup % 4 == 1)
		s->explode = strdup("$.a[*]");
	if (setup % 4 == 2)
		s->explode = strdup("$[*]");
	s->nan_null = setup & 4;
	for (int i = 0; paths[i]; i++)
		if (paths[i][0] == '$' || s->explode)
			stream_add_column(s, paths[i], i == 0 ? COLUMN_TIMESTAMP : COLUMN_ANY, COLUMN_FROM_VALUE, paths[i]);
	for (int i = 0; (setup & 8) && i < 12; i++)
		stream_add_column(s, (char[]){(char)('a' + i), 0}, COLUMN_ANY, COLUMN_FROM_VALUE, NULL);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1)
		return 0;
	struct stream *s = make_stream(data[0]);
	struct decoder *d = decoder_create(s, NULL, NULL);
	check(d != NULL);
	size_t doc_len = len - 1;
	uint8_t *doc = malloc(doc_len ? doc_len : 1);
	memcpy(doc, data + 1, doc_len);
	struct record r = {.value = doc, .value_len = (uint32_t)doc_len, .key = doc, .key_len = (uint32_t)doc_len};
	size_t rows = decoder_load(d, &r);
	check(rows >= 1);
	for (size_t row = 0; row < rows && row < 50; row++) {
		bool broken = false;
		for (size_t i = 0; i < s->column_n; i++) {
			struct field f;
			decoder_field(d, row, i, &f);
			check_field(&f);
			broken |= f.type == FIELD_ERROR;
		}
		const char *error = decoder_error(d, row, true);
		check(!broken || error[0]);
		check(utf8_valid(error, strlen(error)));
	}
	int slot = decoder_add_path(d, bytes_str("$.b.d"));
	if (slot >= 0) {
		struct field f;
		decoder_path_field(d, slot, &f);
		check_field(&f);
	}
	/* jansson ends at a NUL byte. */
	if (strcmp(s->format, "json") == 0 && !memchr(doc, '\0', doc_len)) {
		json_error_t e;
		json_t *tree = json_loadb((const char *)doc, doc_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
		const char *error = decoder_error(d, 0, false);
		if (tree)
			check(!strstr(error, "JSON: ") || strstr(error, "nested too deep"));
		json_decref(tree);
	}
	decoder_destroy(d);
	stream_destroy(s);
	free(doc);
	return 0;
}
