/* Inference over any samples (separated by 0xFE 0xFD), then a decoder over what was inferred: it must be creatable, decode every sample, and
 * what it decodes must be writable (JSON) and read back as the same fields. Byte 0 picks the set-up. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "codec/codec.h"
#include "codec/encode.h"
#include "codec/infer.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { SAMPLE_MAX = 32 };

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void write_and_read(const struct stream *s, struct field *fields)
{
	bool *given = malloc(s->column_n + 1);
	memset(given, true, s->column_n + 1);
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	if (!encode_value(s, fields, given, &out, &err)) {
		check(err.id != ERR_NONE && out.len == 0);
		goto done;
	}
	if (strcasecmp(s->format, "json") == 0) {
		struct record r = {.value = (const uint8_t *)out.data, .value_len = (uint32_t)out.len};
		struct decoder *d = decoder_create(s, NULL, NULL);
		decoder_load(d, &r);
		for (size_t i = 0; i < s->column_n; i++) {
			struct field f;
			decoder_field(d, 0, i, &f);
			check(f.type != FIELD_ERROR);
			if (fields[i].type == FIELD_TEXT && f.type == FIELD_TEXT)
				check(bytes_equal(f.bytes, fields[i].bytes));
			if (fields[i].type == FIELD_INTEGER && f.type == FIELD_INTEGER)
				check(f.u.i == fields[i].u.i);
			if (fields[i].type == FIELD_REAL)
				check(f.type == FIELD_REAL && f.u.d == fields[i].u.d);
		}
		decoder_destroy(d);
	}
done:
	buf_finish(&out);
	free(given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1)
		return 0;
	struct record records[SAMPLE_MAX] = {0};
	const struct record *samples[SAMPLE_MAX];
	size_t n = 0;
	struct stream *s = stream_create("t", "t");
	unsigned setup = data[0];
	const uint8_t *p = data + 1;
	const uint8_t *end = data + len;
	if (setup & 1) {
		s->explode = strdup(setup & 2 ? "$[*]" : "$.values[*]");
	}
	free(s->key_format);
	s->key_format = strdup(setup & 4 ? "auto" : "text");
	while (n < SAMPLE_MAX && p <= end) {
		const uint8_t *stop = p;
		while (stop < end && !(end - stop >= 2 && stop[0] == 0xFE && stop[1] == 0xFD))
			stop++;
		records[n].value = stop == p && (setup & 8) ? NULL : p;
		records[n].value_len = (uint32_t)(stop - p);
		records[n].key = records[n].value;
		records[n].key_len = records[n].value_len;
		samples[n] = &records[n];
		n++;
		p = stop < end ? stop + 2 : end + 1;
	}
	struct buf report = BUF_INIT;
	infer_stream(s, samples, n, &report);
	check(s->column_n > 0 && s->column_n <= CODEC_MAX_COLUMNS && report.len > 0);
	check(utf8_valid(report.data, report.len));
	struct err err = ERR_INIT;
	struct decoder *d = decoder_create(s, NULL, &err);
	check(d != NULL);
	struct field *fields = calloc(s->column_n, sizeof *fields);
	for (size_t i = 0; i < n; i++) {
		size_t rows = decoder_load(d, samples[i]);
		for (size_t row = 0; row < rows && row < 20; row++) {
			bool broken = false;
			for (size_t c = 0; c < s->column_n; c++) {
				decoder_field(d, row, c, &fields[c]);
				broken |= fields[c].type == FIELD_ERROR;
			}
			if (!broken && !s->explode)
				write_and_read(s, fields);
			decoder_error(d, row, true);
		}
	}
	free(fields);
	decoder_destroy(d);
	buf_finish(&report);
	stream_destroy(s);
	return 0;
}
