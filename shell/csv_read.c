/* shell/csv_read.h */
#include "shell/csv_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/alloc.h"

void csv_reader_init(struct csv_reader *r, int fd, char separator)
{
	memset(r, 0, sizeof *r);
	r->fd = fd;
	r->separator = separator;
	r->next_line = 1;
	buf_init(&r->text);
}

void csv_reader_finish(struct csv_reader *r)
{
	buf_finish(&r->text);
	free(r->ends);
	free(r->quoted);
}

/* -1 at the end, -2 on a read error */
static int get(struct csv_reader *r)
{
	while (r->at == r->len && !r->end) {
		ssize_t n = read(r->fd, r->bytes, sizeof r->bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -2;
		r->end = n == 0;
		r->at = 0;
		r->len = (size_t)n;
	}
	return r->at == r->len ? -1 : (unsigned char)r->bytes[r->at++];
}

static void end_field(struct csv_reader *r, bool quoted)
{
	if (r->field_n == r->field_cap) {
		r->field_cap = r->field_cap ? r->field_cap * 2 : 32;
		r->ends = xreallocarray(r->ends, r->field_cap, sizeof *r->ends);
		r->quoted = xreallocarray(r->quoted, r->field_cap, sizeof *r->quoted);
	}
	r->ends[r->field_n] = r->text.len;
	r->quoted[r->field_n++] = quoted;
}

bool csv_reader_next(struct csv_reader *r, bool *ret_end, struct err *err)
{
	bool in_quotes = false;
	bool quoted = false;
	bool any = false;
	buf_clear(&r->text);
	r->field_n = 0;
	r->line = r->next_line;
	int c = get(r);
	if (!r->begun && c == 0xEF && r->len >= 3 && memcmp(r->bytes, "\xEF\xBB\xBF", 3) == 0) {
		r->at = 3;
		c = get(r);
	}
	r->begun = true;
	for (;; c = get(r)) {
		if (c == -2)
			return err_set(err, ERR_FILE, "read error: %s", strerror(errno));
		if (c == -1) {
			if (in_quotes)
				return err_set(err, ERR_SCRIPT, "line %lld: a quote is not closed", (long long)r->line);
			break;
		}
		any = true;
		if (c == '\n')
			r->next_line++;
		if (in_quotes) {
			if (c != '"') {
				buf_addc(&r->text, (char)c);
				continue;
			}
			c = get(r);
			if (c == '"') {
				buf_addc(&r->text, '"');
				continue;
			}
			in_quotes = false;
			if (c < 0) {
				if (c == -2)
					return err_set(err, ERR_FILE, "read error: %s", strerror(errno));
				break;
			}
			if (c == '\n')
				r->next_line++;
		}
		size_t start = r->field_n ? r->ends[r->field_n - 1] : 0;
		if (c == '"' && r->text.len == start && !quoted) {
			in_quotes = quoted = true;
		} else if (c == r->separator) {
			end_field(r, quoted);
			quoted = false;
		} else if (c == '\n') {
			break;
		} else {
			buf_addc(&r->text, (char)c);
		}
	}
	*ret_end = !any;
	if (!any)
		return true;
	size_t start = r->field_n ? r->ends[r->field_n - 1] : 0;
	if (c == '\n' && r->text.len > start && r->text.data[r->text.len - 1] == '\r')
		r->text.data[--r->text.len] = '\0';
	end_field(r, quoted);
	return true;
}

const char *csv_reader_field(const struct csv_reader *r, size_t i, size_t *ret_len)
{
	size_t start = i ? r->ends[i - 1] : 0;
	*ret_len = r->ends[i] - start;
	return r->text.data + start;
}
