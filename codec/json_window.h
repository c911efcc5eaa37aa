/* Where plain runs of string text end (quote, backslash, control character) in 64 bytes of a document, as a bit mask. The end of a short
 * string is then a shift and a bit count away, without waiting for a load: that chain is what bounds the scan of small messages.
 * Part of codec/json_scan.c. */
#ifndef WEIR_CODEC_JSON_WINDOW_H
#define WEIR_CODEC_JSON_WINDOW_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { WINDOW_BYTES = 64 };

struct window {
	const uint8_t *base;
	uint64_t stop;                       /* bit i = byte base[i] */
};

static inline struct window window_masks(const uint8_t *base, const uint8_t *p)
{
	uint64_t stop = 0;
#ifdef __SSE2__
	const __m128i quotes = _mm_set1_epi8('"');
	const __m128i backslashes = _mm_set1_epi8('\\');
	const __m128i controls = _mm_set1_epi8(0x1F);
	for (int i = 0; i < WINDOW_BYTES; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quotes), _mm_cmpeq_epi8(v, backslashes)), _mm_cmpeq_epi8(_mm_min_epu8(v, controls), v));
		stop |= (uint64_t)(uint32_t)_mm_movemask_epi8(hit) << i;
	}
#else
	for (int i = 0; i < WINDOW_BYTES; i++)
		stop |= (uint64_t)(p[i] == '"' || p[i] == '\\' || p[i] < 0x20) << i;
#endif
	return (struct window){.base = base, .stop = stop};
}

/* A document shorter than a window is looked at in a copy. */
static __attribute__((noinline, unused)) struct window window_short(const uint8_t *start, const uint8_t *end)
{
	uint8_t copy[WINDOW_BYTES];
	memset(copy, ' ', sizeof copy);
	memcpy(copy, start, (size_t)(end - start));
	return window_masks(start, copy);
}

/* The window that holds p, start <= p < end. */
static inline struct window window_at(const uint8_t *p, const uint8_t *start, const uint8_t *end)
{
	if (end - start < WINDOW_BYTES)
		return window_short(start, end);
	if (end - p < WINDOW_BYTES)
		p = end - WINDOW_BYTES;
	return window_masks(p, p);
}

#endif
