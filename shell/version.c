/* shell/version.h */
#include "shell/version.h"

#include "sql/versions.h"

void version_text(struct buf *to)
{
	buf_adds(to, "weir " WEIR_VERSION "\n");
	sql_versions(to);
	buf_addf(to, "readline %s\n", repl_readline_version());
}
