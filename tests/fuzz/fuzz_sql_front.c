/* The whole front end up to a prepared statement, over any text, with no cluster and nothing run: no crash, no hang, an error is a whole error. */
#include <stdint.h>
#include <stdlib.h>
#include "core/time.h"
#include "sql/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct session *s;
	struct err err = ERR_INIT;
	if (!s) {
		struct session_options o = {.safe = true};
		setenv("WEIR_CONFIG", "/nonexistent/weir", 1);
		unsetenv("WEIR_BROKERS");
		check(session_create(&o, &s, &err));
		session_set_variable(s, "v", "it's \"x\"");
	}
	char *sql = malloc(len ? len : 1);
	check(sql);
	memcpy(sql, data, len);
	for (size_t at = 0; at < len;) {
		struct query *q = NULL;
		size_t used = 0;
		err_clear(&err);
		/* EXPLAIN SCAN steps its query: an endless one must end. */
		atomic_store(&session_provider(s)->cancel->deadline_ms, time_mono_ms() + 200);
		if (!session_prepare(s, sql + at, len - at, &used, &q, &err)) {
			check(err.id != ERR_NONE && err.msg[0] && err.sql_offset <= (int)(len - at));
			break;
		}
		check(used > 0 && used <= len - at);
		check(!q || (query_rewritten(q) && query_table(q)));
		query_destroy(q);
		at += used;
	}
	free(sql);
	return 0;
}
