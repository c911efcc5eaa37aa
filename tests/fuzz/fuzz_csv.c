/* The CSV decoder over any bytes: byte 0 picks delimiter, header and decimal, the rest is the message. */
#include <stdlib.h>
#include <string.h>
#include "codec/codec.h"
#include "codec/infer.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1)
		return 0;
	struct stream *s = stream_create("t", "t");
	unsigned setup = data[0];
	free(s->format);
	s->format = strdup(setup & 1 ? "tsv" : "csv");
	s->delimiter = setup & 2 ? ';' : ',';
	s->header = setup & 4;
	s->decimal = setup & 8 ? ',' : '.';
	size_t n = len - 1;
	uint8_t *doc = malloc(n ? n : 1);
	memcpy(doc, data + 1, n);
	struct record r = {.value = doc, .value_len = (uint32_t)n};
	const struct record *sample = &r;
	if (setup & 16) {
		infer_stream(s, &sample, 1, NULL);
	} else {
		stream_add_column(s, "a", COLUMN_ANY, COLUMN_FROM_VALUE, NULL);
		stream_add_column(s, "b", COLUMN_REAL, COLUMN_FROM_VALUE, setup & 32 ? "$[2]" : NULL);
		stream_add_column(s, "c", COLUMN_BOOLEAN, COLUMN_FROM_VALUE, NULL);
		stream_add_column(s, "d", COLUMN_TIMESTAMP, COLUMN_FROM_VALUE, setup & 64 ? "1" : "dd");
	}
	struct decoder *d = decoder_create(s, NULL, NULL);
	check(d != NULL);
	size_t rows = decoder_load(d, &r);
	check(rows >= 1);
	for (size_t row = 0; row < rows && row < 100; row++) {
		for (size_t i = 0; i < s->column_n; i++) {
			struct field f;
			decoder_field(d, row, i, &f);
			if (f.type == FIELD_TEXT)
				check(utf8_valid(f.bytes.data, f.bytes.len));
			if (f.type == FIELD_ERROR)
				check(decoder_error(d, row, false)[0]);
		}
		decoder_error(d, row, true);
	}
	decoder_destroy(d);
	stream_destroy(s);
	free(doc);
	return 0;
}
