/* Shared by the files that make the weir_* tables. */
#ifndef WEIR_SQL_METADATA_IMPL_H
#define WEIR_SQL_METADATA_IMPL_H

#include "sql/catalog.h"
#include "vtab/rowset.h"

const struct rowset_def *metadata_kafka_defs(size_t *ret_n);

#endif
