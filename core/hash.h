/* The hashes that Kafka's producers partition by, and one for hash tables. Pure, any thread. */
#ifndef WEIR_CORE_HASH_H
#define WEIR_CORE_HASH_H

#include "core/bytes.h"

uint32_t hash_murmur2(const void *data, size_t len);     /* Java's org.apache.kafka.common.utils.Utils.murmur2, as unsigned */
uint32_t hash_crc32(const void *data, size_t len);       /* ISO 3309, what librdkafka's "consistent" partitioner uses */
uint64_t hash_bytes(const void *data, size_t len);       /* 64-bit, for tables in memory; not stable across versions */

enum partitioner { PARTITIONER_NONE, PARTITIONER_MURMUR2, PARTITIONER_CONSISTENT };

/* Partition that a producer with this partitioner puts a non-NULL key into; -1 for PARTITIONER_NONE. partition_n > 0. */
int32_t hash_partition(enum partitioner p, struct bytes key, int32_t partition_n);
bool partitioner_parse(const char *name, enum partitioner *ret);      /* murmur2, consistent (also murmur2_random, consistent_random, default), none */
const char *partitioner_name(enum partitioner p);

#endif
