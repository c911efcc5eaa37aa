/* core/headers.h */
#include "core/headers.h"

void headers_add(struct buf *to, struct bytes name, struct bytes value)
{
	uint32_t name_len = (uint32_t)name.len;
	int32_t value_len = value.data ? (int32_t)value.len : -1;
	buf_add(to, &name_len, sizeof name_len);
	buf_add(to, &value_len, sizeof value_len);
	buf_add(to, name.data, name.len);
	if (value.data)
		buf_add(to, value.data, value.len);
}

bool headers_next(struct header_iter *it, struct bytes *ret_name, struct bytes *ret_value)
{
	uint32_t name_len;
	int32_t value_len;
	if (!it->p || (size_t)(it->end - it->p) < sizeof name_len + sizeof value_len)
		return false;
	memcpy(&name_len, it->p, sizeof name_len);
	memcpy(&value_len, it->p + sizeof name_len, sizeof value_len);
	const uint8_t *name = it->p + sizeof name_len + sizeof value_len;
	size_t room = (size_t)(it->end - name);
	size_t value_room = value_len > 0 ? (size_t)value_len : 0;
	if (name_len > room || value_room > room - name_len)
		return false;
	*ret_name = bytes_of(name, name_len);
	*ret_value = value_len < 0 ? bytes_of(NULL, 0) : bytes_of(name + name_len, (size_t)value_len);
	it->p = name + name_len + value_room;
	return true;
}
