/* core/hash.h */
#include "core/hash.h"

#include <strings.h>

uint32_t hash_murmur2(const void *data, size_t len)
{
	const uint8_t *p = data;
	const uint32_t m = 0x5bd1e995u;
	uint32_t h = 0x9747b28cu ^ (uint32_t)len;
	size_t n = len;
	for (; n >= 4; n -= 4, p += 4) {
		uint32_t k = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		k *= m;
		k ^= k >> 24;
		k *= m;
		h = h * m ^ k;
	}
	if (n >= 3)
		h ^= (uint32_t)p[2] << 16;
	if (n >= 2)
		h ^= (uint32_t)p[1] << 8;
	if (n >= 1) {
		h ^= p[0];
		h *= m;
	}
	h ^= h >> 13;
	h *= m;
	return h ^ h >> 15;
}

uint32_t hash_crc32(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t c = 0xFFFFFFFFu;
	for (size_t i = 0; i < len; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1;
	}
	return c ^ 0xFFFFFFFFu;
}

uint64_t hash_bytes(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = 0x9E3779B97F4A7C15ull ^ len * 0xff51afd7ed558ccdull;
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t k;
		memcpy(&k, p, 8);
		h = (h ^ k * 0x87c37b91114253d5ull) * 0x4cf5ad432745937full;
		h ^= h >> 29;
	}
	uint64_t tail = 0;
	if (len)
		memcpy(&tail, p, len);
	h = (h ^ tail * 0x87c37b91114253d5ull) * 0x4cf5ad432745937full;
	h ^= h >> 32;
	h *= 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 29;
}

int32_t hash_partition(enum partitioner p, struct bytes key, int32_t partition_n)
{
	switch (p) {
	case PARTITIONER_MURMUR2:
		return (int32_t)((hash_murmur2(key.data, key.len) & 0x7fffffffu) % (uint32_t)partition_n);
	case PARTITIONER_CONSISTENT:
		return (int32_t)(hash_crc32(key.data, key.len) % (uint32_t)partition_n);
	case PARTITIONER_NONE:
		break;
	}
	return -1;
}

static const struct {
	const char *name;
	enum partitioner p;
} names[] = {
	{"none", PARTITIONER_NONE}, {"murmur2", PARTITIONER_MURMUR2}, {"consistent", PARTITIONER_CONSISTENT},
	{"murmur2_random", PARTITIONER_MURMUR2}, {"consistent_random", PARTITIONER_CONSISTENT}, {"default", PARTITIONER_MURMUR2},
};

bool partitioner_parse(const char *name, enum partitioner *ret)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(names[i].name, name) == 0) {
			*ret = names[i].p;
			return true;
		}
	}
	return false;
}

const char *partitioner_name(enum partitioner p)
{
	return names[p].name;
}
