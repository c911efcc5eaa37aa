/* sql/versions.h */
#include "sql/versions.h"

#include <jansson.h>
#include "kafka/cluster.h"
#include "vtab/sqlite.h"

void sql_versions(struct buf *to)
{
	buf_addf(to, "%s\n", cluster_library_version());
	buf_addf(to, "SQLite %s\n", sqlite3_libversion());
	buf_adds(to, "jansson " JANSSON_VERSION "\n");
}
