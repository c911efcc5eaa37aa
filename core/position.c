/* core/position.h */
#include "core/position.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/alloc.h"
#include "core/time.h"

void position_finish(struct position *p)
{
	free(p->offsets);
	free(p->text);
	*p = (struct position){0};
}

/* '0:100,1:5' */
static bool parse_offsets(struct position *ret, const char *text, size_t len)
{
	char *copy = xstrndup(text, len), *p = copy;
	bool ok = true;
	while (ok && *p) {
		char *end = NULL;
		errno = 0;
		long partition = strtol(p, &end, 10);
		ok = end != p && *end == ':' && partition >= 0 && partition <= INT32_MAX && !errno;
		if (!ok)
			break;
		p = end + 1;
		long long offset = strtoll(p, &end, 10);
		ok = end != p && offset >= 0 && !errno && (*end == ',' || *end == 0);
		if (!ok)
			break;
		ret->offsets = xreallocarray(ret->offsets, ret->offset_n + 1, sizeof *ret->offsets);
		ret->offsets[ret->offset_n++] = (struct position_offset){(int32_t)partition, offset};
		p = end;
		if (*p == ',') {
			p += 1 + strspn(p + 1, " ");
			ok = *p != 0;                /* a comma at the end */
		}
	}
	ok = ok && ret->offset_n > 0;
	free(copy);
	if (!ok)
		position_finish(ret);
	return ok;
}

bool position_parse(const char *text, size_t len, struct position *ret, struct err *err)
{
	static const struct {
		const char *word;
		enum position_kind kind;
	} words[] = {{"beginning", POSITION_BEGINNING}, {"earliest", POSITION_BEGINNING}, {"now", POSITION_END}, {"end", POSITION_END}, {"latest", POSITION_END}};
	struct position p = {.kind = POSITION_NONE};
	if (len > 8 && strncasecmp(text, "offsets ", 8) == 0)
		text += 8, len -= 8;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i].word) == len && strncasecmp(text, words[i].word, len) == 0)
			p.kind = words[i].kind;
	if (p.kind == POSITION_NONE && parse_offsets(&p, text, len))
		p.kind = POSITION_OFFSETS;
	else if (p.kind == POSITION_NONE && time_parse_instant(text, len, time_now_ms(), &p.ts_ms))
		p.kind = POSITION_TIME;
	if (p.kind == POSITION_NONE) {
		err_set(err, ERR_SQL, "\"%.*s\" is no position in a topic", (int)(len < 80 ? len : 80), text);
		err_hint(err, "BEGINNING, NOW, END, a time ('-1h', '2026-09-01T06:00Z'), or OFFSETS '0:100,1:5'");
		position_finish(&p);
		return false;
	}
	p.text = xstrndup(text, len);
	*ret = p;
	return true;
}

int64_t position_offset_of(const struct position *p, int32_t partition)
{
	for (size_t i = 0; i < p->offset_n; i++)
		if (p->offsets[i].partition == partition)
			return p->offsets[i].offset;
	return -1;
}

static int64_t within(int64_t v, int64_t low, int64_t end)
{
	return v < low ? low : v > end ? end : v;
}

int64_t position_start(const struct position *p, int32_t partition, int64_t low, int64_t end, int64_t at_time)
{
	switch (p->kind) {
	case POSITION_BEGINNING:
		return low;
	case POSITION_TIME:
		return within(at_time, low, end);
	case POSITION_OFFSETS: {
		int64_t listed = position_offset_of(p, partition);
		return listed < 0 ? end : listed < low ? low : listed;
	}
	case POSITION_END:
	case POSITION_NONE:
		break;
	}
	return end;
}

int64_t position_stop(const struct position *p, int32_t partition, int64_t low, int64_t end, int64_t at_time)
{
	int64_t listed = p->kind == POSITION_OFFSETS ? position_offset_of(p, partition) : -1;
	return listed >= 0 ? listed : p->kind == POSITION_BEGINNING ? low : p->kind == POSITION_TIME ? within(at_time, low, end) : end;
}

int32_t position_unknown_partition(const struct position *p, int32_t partition_n)
{
	for (size_t i = 0; i < p->offset_n; i++)
		if (p->offsets[i].partition >= partition_n)
			return p->offsets[i].partition;
	return -1;
}
