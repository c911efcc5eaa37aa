/* Versions of the libraries below the shell, one a line: librdkafka with what it was built with, SQLite, jansson. */
#ifndef WEIR_SQL_VERSIONS_H
#define WEIR_SQL_VERSIONS_H

#include "core/buf.h"

void sql_versions(struct buf *to);

#endif
