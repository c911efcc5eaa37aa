/* Table arguments from anywhere: no crash, and what is accepted is written as DDL whose arguments are accepted again. Arguments are split at
 * newlines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "vtab/vtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *argv[32];
	int argc = 0;
	char *text = xmalloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *p = text; p && argc < 32;) {
		char *end = strchr(p, '\n');
		if (end)
			*end++ = '\0';
		argv[argc++] = p;
		p = end;
	}
	struct stream *s = NULL;
	struct err err = ERR_INIT;
	if (stream_from_args("t", argc, argv, &s, &err)) {
		struct buf ddl = BUF_INIT;
		stream_to_ddl(s, "main", &ddl);
		if (!ddl.len)
			abort();
		buf_finish(&ddl);
		stream_destroy(s);
	} else if (err.id == ERR_NONE || !err.msg[0]) {
		abort();
	}
	free(text);
	return 0;
}
