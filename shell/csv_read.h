/* RFC 4180 records from a file descriptor, for .import: quotes, doubled quotes, newlines in quotes, \r\n, a BOM. Streams; one record in memory. */
#ifndef WEIR_SHELL_CSV_READ_H
#define WEIR_SHELL_CSV_READ_H

#include "core/buf.h"
#include "core/err.h"

struct csv_reader {
	int fd;
	char separator;
	char bytes[65536];
	size_t at, len;
	bool end, begun;
	int64_t line;                        /* of the record's first byte, from 1 */
	int64_t next_line;
	struct buf text;                     /* fields one after the other */
	size_t *ends;                        /* end of each in text */
	bool *quoted;
	size_t field_n, field_cap;
};

void csv_reader_init(struct csv_reader *r, int fd, char separator);
void csv_reader_finish(struct csv_reader *r);
/* *ret_end true at the end of the file (no record). */
bool csv_reader_next(struct csv_reader *r, bool *ret_end, struct err *err);
const char *csv_reader_field(const struct csv_reader *r, size_t i, size_t *ret_len);

#endif
