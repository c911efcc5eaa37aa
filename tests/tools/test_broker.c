/* weir-test-broker [--brokers N] FILE...: the embedded broker as a process, filled from files of records (their form: tests/sql/README.md,
 * "What the broker reads"). Prints bootstrap=ADDRESS when every record can be read, and ends when its standard input does. Until then it
 * takes commands, one a line, each answered with "ok" or "error TEXT":
 *     down ID | up ID | rtt ID MS | leader TOPIC PARTITION ID | fail API_KEY CODE COUNT | topic NAME PARTITIONS | load FILE */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/buf.h"
#include "core/headers.h"
#include "core/time.h"
#include "kafka/embedded.h"

struct loader {
	struct embedded *broker;
	const char *path;
	int line;
	struct sink *sink;                   /* of the last topic line */
	int partition_n;
	struct buf key, value, headers, part;
};

/* All of the text, and within the limits. */
static bool read_number(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	char *end;
	errno = 0;
	long long v = strtoll(s, &end, 10);
	if (end == s || *end || isspace((unsigned char)*s) || errno || v < min || v > max)
		return false;
	*ret = v;
	return true;
}

static bool bad(struct loader *l, struct err *err, const char *what)
{
	return err_set(err, ERR_USAGE, "%s:%d: %s", l->path, l->line, what);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "-" null, "." empty, else hex. *ret points into `to`. */
static bool read_bytes(const char *s, size_t len, struct buf *to, size_t *ret_from, bool *ret_null)
{
	*ret_from = to->len;
	*ret_null = len == 1 && s[0] == '-';
	if (len == 1 && (s[0] == '-' || s[0] == '.'))
		return true;
	if (len == 0 || len % 2)
		return false;
	for (size_t i = 0; i < len; i += 2) {
		int high = hex_digit(s[i]);
		int low = hex_digit(s[i + 1]);
		if (high < 0 || low < 0)
			return false;
		buf_addc(to, (char)(high << 4 | low));
	}
	return true;
}

static bool read_field(const char *s, struct buf *to, struct bytes *ret)
{
	size_t from;
	bool null;
	buf_clear(to);
	buf_reserve(to, 1);
	if (!read_bytes(s, strlen(s), to, &from, &null))
		return false;
	*ret = null ? bytes_of(NULL, 0) : bytes_of(to->data, to->len);
	return true;
}

static bool read_headers(struct loader *l, char *s)
{
	buf_clear(&l->headers);
	if (strcmp(s, "-") == 0)
		return true;
	for (char *save, *item = strtok_r(s, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		char *colon = strchr(item, ':');
		size_t name_at;
		size_t value_at;
		bool name_null;
		bool value_null;
		buf_clear(&l->part);
		buf_reserve(&l->part, 1);
		if (!colon || !read_bytes(item, (size_t)(colon - item), &l->part, &name_at, &name_null) || name_null)
			return false;
		if (!read_bytes(colon + 1, strlen(colon + 1), &l->part, &value_at, &value_null))
			return false;
		headers_add(&l->headers, bytes_of(l->part.data, value_at), value_null ? bytes_of(NULL, 0) : bytes_of(l->part.data + value_at, l->part.len - value_at));
	}
	return true;
}

static bool close_sink(struct loader *l, struct err *err)
{
	bool ok = !l->sink || l->sink->impl->flush(l->sink, err);
	if (l->sink)
		l->sink->impl->destroy(l->sink);
	l->sink = NULL;
	return ok;
}

static bool topic_line(struct loader *l, char **field, int n, struct err *err)
{
	if (n != 4)
		return bad(l, err, "expected: topic NAME PARTITIONS COMPRESSION");
	int64_t n_partitions;
	if (!read_number(field[2], 1, 10000, &n_partitions))
		return bad(l, err, "the number of partitions must be 1..10000");
	l->partition_n = (int)n_partitions;
	if (!close_sink(l, err))
		return false;
	const char *settings[] = {"linger.ms", "200", "batch.num.messages", "100000", "batch.size", "900000", "compression.codec", field[3],
		"message.max.bytes", "50000000", "queue.buffering.max.messages", "1000000", NULL};
	struct err ignored = ERR_INIT;
	embedded_create_topic(l->broker, field[1], l->partition_n, &ignored);      /* may be there: a second topic line adds records */
	return embedded_open_sink_with(l->broker, field[1], PARTITIONER_MURMUR2, settings, &l->sink, err);
}

static bool record_line(struct loader *l, char **field, int n, struct err *err)
{
	if (!l->sink)
		return bad(l, err, "a record before the first topic line");
	if (n != 5)
		return bad(l, err, "expected: PARTITION TIMESTAMP_MS KEY VALUE HEADERS");
	int64_t partition;
	struct sink_record r = {.ts_ms = 0};
	if (!read_number(field[0], 0, l->partition_n - 1, &partition))
		return bad(l, err, "no such partition");
	if (!read_number(field[1], INT64_MIN, INT64_MAX, &r.ts_ms))
		return bad(l, err, "the timestamp is not a number");
	r.partition = (int32_t)partition;
	if (!read_field(field[2], &l->key, &r.key) || !read_field(field[3], &l->value, &r.value) || !read_headers(l, field[4]))
		return bad(l, err, "malformed bytes");
	r.headers = bytes_of(l->headers.len ? l->headers.data : NULL, l->headers.len);
	return l->sink->impl->put(l->sink, &r, err);
}

static bool load(struct embedded *broker, const char *path, struct err *err)
{
	struct loader l = {.broker = broker, .path = path, .key = BUF_INIT, .value = BUF_INIT, .headers = BUF_INIT, .part = BUF_INIT};
	FILE *f = fopen(path, "r");
	if (!f)
		return err_set(err, ERR_FILE, "%s cannot be opened", path);
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	bool ok = true;
	while (ok && (len = getline(&text, &cap, f)) > 0) {
		l.line++;
		if (text[len - 1] == '\n')
			text[--len] = '\0';
		if (len == 0)
			continue;
		char *field[6] = {text};
		int n = 0;
		for (char *save, *s = strtok_r(text, " ", &save); s && n < 6; s = strtok_r(NULL, " ", &save))
			field[n++] = s;
		ok = strcmp(field[0], "topic") == 0 ? topic_line(&l, field, n, err) : record_line(&l, field, n, err);
	}
	struct err flush_err = ERR_INIT;
	if (!close_sink(&l, ok ? err : &flush_err))
		ok = false;
	free(text);
	fclose(f);
	buf_finish(&l.key);
	buf_finish(&l.value);
	buf_finish(&l.headers);
	buf_finish(&l.part);
	return ok;
}

/* name, then its arguments: s text, n number, p number of partitions */
static const struct command {
	const char *name, *args;
} commands[] = {{"down", "n"}, {"up", "n"}, {"rtt", "nn"}, {"leader", "snn"}, {"fail", "nnn"}, {"topic", "sp"}, {"load", "s"}};

static bool command(struct embedded *broker, char *line, struct err *err)
{
	char *arg[6] = {NULL};
	int v[6] = {0};
	int n = 0;
	for (char *save, *s = strtok_r(line, " \n", &save); s && n < 6; s = strtok_r(NULL, " \n", &save))
		arg[n++] = s;
	size_t which = 0;
	while (which < sizeof commands / sizeof *commands && (n == 0 || strcmp(arg[0], commands[which].name) != 0))
		which++;
	if (which == sizeof commands / sizeof *commands)
		return err_set(err, ERR_USAGE, "unknown command");
	if ((size_t)n != 1 + strlen(commands[which].args))
		return err_set(err, ERR_USAGE, "%s takes %zu arguments", arg[0], strlen(commands[which].args));
	for (int i = 1; i < n; i++) {
		int64_t number = 0;
		char kind = commands[which].args[i - 1];
		if (kind != 's' && !read_number(arg[i], kind == 'p' ? 1 : INT32_MIN, kind == 'p' ? 10000 : INT32_MAX, &number))
			return err_set(err, ERR_USAGE, "%s is not a number that %s takes", arg[i], arg[0]);
		v[i] = (int)number;
	}
	switch (which) {
	case 0:
	case 1:
		return embedded_set_broker_up(broker, v[1], which == 1, err);
	case 2:
		return embedded_set_rtt_ms(broker, v[1], v[2], err);
	case 3:
		return embedded_set_leader(broker, arg[1], v[2], v[3], err);
	case 4:
		return embedded_fail_requests(broker, v[1], v[2], v[3], err);
	case 5:
		return embedded_create_topic(broker, arg[1], v[2], err);
	default:
		return load(broker, arg[1], err);
	}
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int first = 1;
	int64_t broker_n = 1;
	bool usage_ok = true;
	if (argc > 2 && strcmp(argv[1], "--brokers") == 0) {
		usage_ok = read_number(argv[2], 1, 100, &broker_n);
		first = 3;
	}
	struct embedded *broker = usage_ok ? embedded_create((int)broker_n, &err) : NULL;
	if (!broker) {
		fprintf(stderr, "%s\n", err.id ? err.msg : "usage: weir-test-broker [--brokers N] FILE...");
		return 1;
	}
	for (int i = first; i < argc; i++) {
		if (!load(broker, argv[i], &err)) {
			fprintf(stderr, "%s\n", err.msg);
			embedded_destroy(broker);
			return 1;
		}
	}
	printf("bootstrap=%s\n", embedded_bootstrap(broker));
	fflush(stdout);
	char *line = NULL;
	size_t cap = 0;
	while (getline(&line, &cap, stdin) > 0) {
		err_clear(&err);
		if (command(broker, line, &err))
			printf("ok\n");
		else
			printf("error %s\n", err.msg);
		fflush(stdout);
	}
	free(line);
	embedded_destroy(broker);
	return 0;
}
