/* ns per message of the JSON decoder for 2 of 9 and 9 of 9 fields of a 187-byte message, beside jansson. Prints a table, never fails.
 * Usage: bench_json [rounds] */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "codec/codec.h"

enum { MESSAGE_N = 4096, MESSAGE_CAP = 256 };

static char messages[MESSAGE_N][MESSAGE_CAP];
static struct record records[MESSAGE_N];

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static size_t make_messages(void)
{
	size_t total = 0;
	unsigned seed = 42;
	for (int i = 0; i < MESSAGE_N; i++) {
		seed = seed * 1664525u + 1013904223u;
		int n = snprintf(messages[i], MESSAGE_CAP,
			"{\"ts\":%lld,\"site\":\"dresden\",\"line\":\"L%u\",\"machine\":\"press-%02u\",\"tag\":\"hydraulic/pressure\",\"value\":%.3f,\"unit\":\"bar\","
			"\"quality\":\"GOOD\",\"batch\":\"B-%06u-%08u-2026-reheat\"}",
			1733904005123ll + i, seed >> 28, seed >> 20 & 31, (double)(seed >> 8 & 0xFFFFF) / 1000.0, seed >> 12 & 0xFFFFF, seed & 0xFFFFFF);
		records[i] = (struct record){.value = (const uint8_t *)messages[i], .value_len = (uint32_t)n};
		total += (size_t)n;
	}
	return total / MESSAGE_N;
}

static double run_decoder(const struct stream *s, const bool *wanted, int rounds, double *ret_sum)
{
	struct err err;
	struct decoder *d = decoder_create(s, wanted, &err);
	double best = 1e18;
	for (int r = 0; r < rounds; r++) {
		double start = now_ns();
		for (int i = 0; i < MESSAGE_N; i++) {
			decoder_load(d, &records[i]);
			for (size_t c = 0; c < s->column_n; c++) {
				if (!wanted[c])
					continue;
				struct field f;
				decoder_field(d, 0, c, &f);
				*ret_sum += f.type == FIELD_REAL ? f.u.d : (double)f.bytes.len;
			}
		}
		double t = now_ns() - start;
		if (t < best)
			best = t;
	}
	decoder_destroy(d);
	return best / MESSAGE_N;
}

static double run_jansson(int rounds, double *ret_sum)
{
	double best = 1e18;
	for (int r = 0; r < rounds; r++) {
		double start = now_ns();
		for (int i = 0; i < MESSAGE_N; i++) {
			json_error_t e;
			json_t *root = json_loadb((const char *)records[i].value, records[i].value_len, 0, &e);
			*ret_sum += json_real_value(json_object_get(root, "value")) + (double)json_string_length(json_object_get(root, "line"));
			json_decref(root);
		}
		double t = now_ns() - start;
		if (t < best)
			best = t;
	}
	return best / MESSAGE_N;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100;
	size_t bytes = make_messages();
	struct stream *s = stream_create("t", "t");
	static const char *const names[] = {"ts", "site", "line", "machine", "tag", "value", "unit", "quality", "batch"};
	free(s->format);
	s->format = strdup("json");
	bool two[9] = {[2] = true, [5] = true};
	bool none[9] = {false};
	bool all[9];
	for (int i = 0; i < 9; i++) {
		char path[32];
		snprintf(path, sizeof path, "$.%s", names[i]);
		stream_add_column(s, names[i], COLUMN_ANY, COLUMN_FROM_VALUE, path);
		all[i] = true;
	}
	double sum = 0;
	printf("%zu-byte messages, best of %d rounds over %d messages\n", bytes, rounds, MESSAGE_N);
	printf("  load only   %8.1f ns/message\n", run_decoder(s, none, rounds, &sum));
	printf("  2 of 9      %8.1f ns/message\n", run_decoder(s, two, rounds, &sum));
	printf("  9 of 9      %8.1f ns/message\n", run_decoder(s, all, rounds, &sum));
	printf("  jansson     %8.1f ns/message\n", run_jansson(rounds / 4 + 1, &sum));
	fprintf(stderr, "checksum %.1f\n", sum);
	stream_destroy(s);
	return 0;
}
