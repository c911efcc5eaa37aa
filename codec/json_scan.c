/* codec/json_scan.h. A loop over values with an explicit stack. Every frame remembers the trie node of its container; below a node that no
 * path goes through, node is NULL and only structure is checked. Strings are searched 16 bytes a step where SSE2 is (all x86-64). */
#include "codec/json_scan.h"

#include <stdlib.h>
#include <time.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "codec/codec.h"
#include "codec/json_window.h"
#include "core/alloc.h"
#include "core/utf8.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum { CLOCK_EVERY_BYTES = 256 * 1024 };     /* how often the time limit is looked at */

struct json_frame {
	struct json_node *node;
	const uint8_t *start;
	const uint8_t *element;              /* start of the current element, for an exploded array */
	uint32_t index;
	uint32_t item;                       /* next candidate in node->items */
	uint32_t nan_n;                      /* tokens seen before this container */
	bool is_array;
	bool explode;
};

void json_scanner_init(struct json_scanner *s)
{
	*s = (struct json_scanner){.key = BUF_INIT};
	s->stack = xreallocarray(NULL, CODEC_MAX_DEPTH, sizeof *s->stack);
}

void json_scanner_finish(struct json_scanner *s)
{
	if (!s)
		return;
	json_program_destroy(s->program);
	free(s->values);
	free(s->spans);
	free(s->stack);
	free(s->copy);
	buf_finish(&s->key);
	*s = (struct json_scanner){.key = BUF_INIT};
}

void json_scanner_set_program(struct json_scanner *s, struct json_program *program)
{
	json_program_destroy(s->program);
	s->program = program;
	free(s->values);
	s->values = xcalloc(program->slot_n ? program->slot_n : 1, sizeof *s->values);
}

/* CPU time of this thread, so that a busy machine does not turn good messages into errors. */
static int64_t cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline bool is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}

static int hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* First byte at or after p that ends a plain run: quote, backslash or control character; end if there is none. */
static inline const uint8_t *string_stop(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1F);
	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)), _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
		unsigned mask = (unsigned)_mm_movemask_epi8(hit);
		if (mask)
			return p + __builtin_ctz(mask);
		p += 16;
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
		p++;
	return p;
}

/* p is after the opening quote. Returns the closing quote, or NULL with the error noted. The way for strings with escapes and errors. */
static __attribute__((cold, noinline)) const uint8_t *string_end_slow(struct json_scanner *s, struct bytes doc, const uint8_t *p, bool *ret_escaped)
{
	const uint8_t *end = doc.data + doc.len;
	const uint8_t *at;
	const char *error;
	for (;;) {
		p = string_stop(p, end);
		if (p == end)
			break;
		if (*p == '"')
			return p;
		at = p;
		if (*p != '\\') {
			error = "control character in a string";
			goto bad;
		}
		*ret_escaped = true;
		if (end - p < 2)
			break;
		switch (p[1]) {
		case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
			p += 2;
			break;
		case 'u':
			for (int i = 2; i < 6; i++) {
				if (p + i >= end)
					goto cut;
				if (hex_value(p[i]) < 0) {
					error = "bad \\u escape";
					goto bad;
				}
			}
			p += 6;
			break;
		default:
			error = "bad escape";
			goto bad;
		}
	}
cut:
	at = end;
	error = "unexpected end in a string";
bad:
	s->error = error;
	s->error_at = (size_t)(at - doc.data);
	return NULL;
}

/* The same, fast where the string is plain. p <= end. */
static inline const uint8_t *string_end(struct json_scanner *s, struct window *w, struct bytes doc, const uint8_t *end, const uint8_t *p, bool *ret_escaped)
{
	size_t at = (size_t)(p - w->base);
	const uint8_t *from = p;
	for (;;) {
		if (UNLIKELY(at >= WINDOW_BYTES)) {
			if (from == end)
				break;
			*w = window_at(from, doc.data, end);
			at = (size_t)(from - w->base);
		}
		uint64_t stop = w->stop >> at;
		if (LIKELY(stop)) {
			from += __builtin_ctzll(stop);
			if (LIKELY(*from == '"'))
				return from;
			break;
		}
		if (end - w->base <= WINDOW_BYTES)
			break;
		from = w->base + WINDOW_BYTES;
		at = WINDOW_BYTES;
	}
	return string_end_slow(s, bytes_of(doc.data, (size_t)(end - doc.data)), p, ret_escaped);
}

static unsigned hex4(const uint8_t *p)
{
	return (unsigned)(hex_value(p[0]) << 12 | hex_value(p[1]) << 8 | hex_value(p[2]) << 4 | hex_value(p[3]));
}

size_t json_unescape(const uint8_t *text, size_t len, uint8_t *out, size_t *ret_lone)
{
	const uint8_t *p = text;
	const uint8_t *end = text + len;
	uint8_t *to = out;
	size_t lone = 0;
	while (p < end) {
		const uint8_t *run = memchr(p, '\\', (size_t)(end - p));
		if (!run)
			run = end;
		memcpy(to, p, (size_t)(run - p));
		to += run - p;
		p = run;
		if (p == end)
			break;
		static const char from[] = "\"\\/bfnrt";
		static const char into[] = "\"\\/\b\f\n\r\t";
		const char *simple = p[1] == 'u' ? NULL : memchr(from, p[1], sizeof from - 1);
		if (simple) {
			*to++ = (uint8_t)into[simple - from];
			p += 2;
			continue;
		}
		uint32_t cp = hex4(p + 2);
		p += 6;
		if (cp >= 0xD800 && cp < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
			uint32_t low = hex4(p + 2);
			if (low >= 0xDC00 && low < 0xE000) {
				cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
				p += 6;
			}
		}
		if (cp >= 0xD800 && cp < 0xE000) {
			cp = 0xFFFD;
			lone++;
		}
		to += utf8_encode(cp, to);
	}
	if (ret_lone)
		*ret_lone += lone;
	return (size_t)(to - out);
}

static inline bool edge_is(const struct json_edge *e, uint64_t head, const uint8_t *key, size_t len)
{
	return e->head == head && e->len == len && (len <= 8 || memcmp(e->key + 8, key + 8, len - 8) == 0);
}

/* The node that a member leads to, or NULL. room = readable bytes at key. */
static __attribute__((noinline)) struct json_node *find_member(struct json_program *p, struct json_node *node, const uint8_t *key, size_t len, size_t room)
{
	uint64_t head = json_key_head(key, len, room);
	if (!node->table) {
		for (uint32_t i = 0; i < node->edge_n; i++)
			if (edge_is(&node->edges[i], head, key, len))
				return &p->nodes[node->edges[i].node];
		return NULL;
	}
	const struct json_edge *e = &node->edges[node->guess];
	uint32_t i = node->guess;
	if (!edge_is(e, head, key, len)) {
		uint32_t h = json_key_hash(head, key, len) & node->table_mask;
		for (; node->table[h]; h = (h + 1) & node->table_mask) {
			i = node->table[h] - 1;
			e = &node->edges[i];
			if (edge_is(e, head, key, len))
				break;
		}
		if (!node->table[h])
			return NULL;
	}
	node->guess = i + 1 < node->edge_n ? i + 1 : 0;
	return &p->nodes[e->node];
}

static inline struct json_node *find_item(struct json_program *p, struct json_frame *f)
{
	struct json_node *node = f->node;
	if (!node || f->item >= node->item_n || node->items[f->item].index != f->index)
		return NULL;
	return &p->nodes[node->items[f->item++].node];
}

static bool add_span(struct json_scanner *s, const uint8_t *doc, const uint8_t *start, const uint8_t *end)
{
	if (s->span_n == s->span_cap) {
		size_t cap = s->span_cap ? s->span_cap * 2 : 64;
		struct json_span *grown = realloc(s->spans, cap * sizeof *grown);
		if (!grown)
			return false;
		s->spans = grown;
		s->span_cap = cap;
	}
	s->spans[s->span_n++] = (struct json_span){.start = (uint32_t)(start - doc), .len = (uint32_t)(end - start)};
	return true;
}

/* From here on the byte at end - 1 is no digit, no space and not part of a word: loops over those need no bound (see json_scan). */
static inline const uint8_t *skip_space(const uint8_t *p)
{
	while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
		p++;
	return p;
}

static inline const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end)
{
	/* Time stamps and counters: eight digits a step. High nibbles are 3, and stay so when 6 is added. */
	while (end - p >= 8) {
		uint64_t w;
		memcpy(&w, p, 8);
		if ((w & 0xF0F0F0F0F0F0F0F0ull) != 0x3030303030303030ull || ((w + 0x0606060606060606ull) & 0xF0F0F0F0F0F0F0F0ull) != 0x3030303030303030ull)
			break;
		p += 8;
	}
	while (is_digit(*p))
		p++;
	return p;
}

/* Checks -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? ; returns its end, or NULL with *ret_at at the offending byte. */
static inline const uint8_t *number_end(const uint8_t *p, const uint8_t *end, bool *ret_real, const uint8_t **ret_at)
{
	p += *p == '-';
	if (!is_digit(*p))
		goto bad;
	if (*p++ == '0') {
		if (is_digit(*p))
			goto bad;
	} else if (is_digit(*p)) {
		p = skip_digits(p, end);
	}
	if (*p == '.') {
		*ret_real = true;
		p++;
		if (!is_digit(*p))
			goto bad;
		while (is_digit(*p))
			p++;
	}
	if ((*p | 0x20) == 'e') {
		*ret_real = true;
		p++;
		p += *p == '+' || *p == '-';
		if (!is_digit(*p))
			goto bad;
		while (is_digit(*p))
			p++;
	}
	return p;
bad:
	*ret_at = p;
	return NULL;
}

static const uint8_t *word_end(const uint8_t *p, const uint8_t *end, enum json_kind *ret_kind)
{
	static const struct {
		char word[9];
		uint8_t len;
		uint8_t kind;
	} words[] = {
		{"true", 4, JSON_TRUE}, {"false", 5, JSON_FALSE}, {"null", 4, JSON_NULL}, {"NaN", 3, JSON_NAN}, {"nan", 3, JSON_NAN},
		{"Infinity", 8, JSON_NAN}, {"infinity", 8, JSON_NAN}, {"Inf", 3, JSON_NAN}, {"inf", 3, JSON_NAN},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (*p == (uint8_t)words[i].word[0] && end - p >= words[i].len && memcmp(p, words[i].word, words[i].len) == 0) {
			*ret_kind = words[i].kind;
			return p + words[i].len;
		}
	}
	return NULL;
}

static __attribute__((cold, noinline)) bool fail(struct json_scanner *s, struct bytes doc, const uint8_t *end, const uint8_t *at, const char *text)
{
	s->error = at >= end ? "unexpected end" : text;
	s->error_at = (size_t)(at - doc.data);
	return false;
}

/* The document in a copy of our own that a NUL follows. */
static bool copy_document(struct json_scanner *s, struct bytes *doc)
{
	if (doc->len + 1 > s->copy_cap) {
		free(s->copy);
		s->copy_cap = doc->len + 1;
		s->copy = malloc(s->copy_cap);
		if (!s->copy) {
			s->copy_cap = 0;
			s->error = "out of memory";
			s->error_at = 0;
			return false;
		}
	}
	memcpy(s->copy, doc->data, doc->len);
	s->copy[doc->len] = '\0';
	doc->data = s->copy;
	return true;
}

#define SKIP_SPACE() do { if (UNLIKELY(*p <= ' ')) p = skip_space(p); } while (0)
#define FAIL(at, text) return fail(s, doc, end, at, text)

/* Bounds: a document that ends (but for space) in } or ] is its own sentinel: every loop and look-ahead stops there, and only the code that
 * takes a closing bracket can step past it, so only that code compares with end. Any other document (a lone scalar, or a cut one) is
 * scanned in a copy with a NUL behind it, which stops everything just so; all errors at or behind end read "unexpected end". */
bool json_scan(struct json_scanner *s, struct bytes doc)
{
	s->span_n = 0;
	s->scan_no++;
	s->error = NULL;
	s->empty = false;
	s->bom = doc.len >= 3 && doc.data[0] == 0xEF && doc.data[1] == 0xBB && doc.data[2] == 0xBF;
	struct json_program *program = s->program;
	if (program->slot_n)
		memset(s->values, 0, program->slot_n * sizeof *s->values);
	size_t skip = s->bom ? 3 : 0;
	while (doc.len > skip && (doc.data[doc.len - 1] == ' ' || doc.data[doc.len - 1] == '\n' || doc.data[doc.len - 1] == '\r' || doc.data[doc.len - 1] == '\t'))
		doc.len--;
	if (doc.len == skip) {
		s->empty = true;
		return true;
	}
	const uint8_t *const original = doc.data;
	if (doc.data[doc.len - 1] != '}' && doc.data[doc.len - 1] != ']' && !copy_document(s, &doc))
		return false;

	const uint8_t *p = doc.data + skip;
	const uint8_t *const end = doc.data + doc.len;
	const uint8_t *clock_at = doc.len > CLOCK_EVERY_BYTES ? p + CLOCK_EVERY_BYTES : end;
	const int64_t deadline_ms = doc.len > CLOCK_EVERY_BYTES ? cpu_ms() + CODEC_MAX_MESSAGE_MS : 0;
	struct json_frame *top = NULL;       /* the innermost open container */
	struct json_frame *const limit = s->stack + CODEC_MAX_DEPTH;
	struct json_node *node = &program->nodes[0];   /* of the value to come, NULL = nobody wants it */
	uint32_t nan_n = 0;
	struct window window = window_at(p, doc.data, end);

	SKIP_SPACE();
	for (;;) {
		/* A value begins at p. */
		const uint8_t *start = p;
		uint32_t len;
		uint8_t kind;
		uint8_t flags = 0;
		if (node) {
			if (node->seen == s->scan_no) {
				memset(s->values + node->slot_first, 0, (node->slot_end - node->slot_first) * sizeof *s->values);
				if (node->explode)
					s->span_n = 0;
			}
			node->seen = s->scan_no;
		}
		switch (*p) {
		case '"': {
			bool escaped = false;
			start = p + 1;
			p = string_end(s, &window, doc, end, start, &escaped);
			if (!p)
				return false;
			kind = JSON_STRING;
			flags = escaped ? JSON_ESCAPED : 0;
			len = (uint32_t)(p - start);
			p++;
			break;
		}
		case '{':
		case '[': {
			struct json_frame *next = top ? top + 1 : s->stack;
			if (next == limit)
				FAIL(p, "nested too deep");
			bool is_array = *p == '[';
			*next = (struct json_frame){.node = node, .start = p, .nan_n = nan_n, .is_array = is_array, .explode = is_array && node && node->explode};
			top = next;
			p++;
			if (p == end)
				FAIL(p, "");
			SKIP_SPACE();
			if (*p == (is_array ? ']' : '}'))
				goto close;
			if (!is_array)
				goto key;
			top->element = p;
			node = find_item(program, top);
			continue;
		}
		case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': {
			bool real = false;
			const uint8_t *at;
			p = number_end(p, end, &real, &at);
			if (!p)
				FAIL(at, "bad number");
			kind = real ? JSON_REAL : JSON_INT;
			len = (uint32_t)(p - start);
			break;
		}
		case '-': {
			bool real = false;
			const uint8_t *at;
			enum json_kind word;
			p = number_end(start, end, &real, &at);
			kind = real ? JSON_REAL : JSON_INT;
			if (!p) {
				p = word_end(start + 1, end, &word);
				if (!p || word != JSON_NAN)
					FAIL(at, "bad number");
				kind = JSON_NAN;
				nan_n++;
			}
			len = (uint32_t)(p - start);
			break;
		}
		default: {
			enum json_kind word;
			p = word_end(p, end, &word);
			if (!p)
				FAIL(start, "expected a value");
			nan_n += word == JSON_NAN;
			kind = (uint8_t)word;
			len = (uint32_t)(p - start);
			break;
		}
		}
		for (;;) {
			/* The value start, len, kind, flags belongs to node; p is behind it. */
			if (node) {
				if (node->slot >= 0)
					s->values[node->slot] = (struct json_value){.start = start, .len = len, .kind = kind, .flags = flags};
				if (node->explode && kind != JSON_ARRAY && kind != JSON_NULL) {
					bool quoted = kind == JSON_STRING;
					if (!add_span(s, doc.data, start - quoted, start + len + quoted))
						FAIL(p, "out of memory");
				}
			}
			if (!top)
				goto done;
			if (p == end)
				FAIL(p, "");
			if (UNLIKELY(top->explode) && !add_span(s, doc.data, top->element, start + len + (kind == JSON_STRING)))
				FAIL(p, "out of memory");
			SKIP_SPACE();
			if (*p == ',') {
				p++;
				SKIP_SPACE();
				if (UNLIKELY(p > clock_at)) {
					if (cpu_ms() > deadline_ms)
						FAIL(p, "took longer than 100 ms: gave up");
					clock_at = end - p > CLOCK_EVERY_BYTES ? p + CLOCK_EVERY_BYTES : end;
				}
				if (!top->is_array)
					goto key;
				top->index++;
				top->element = p;
				node = find_item(program, top);
				break;
			}
			if (*p != (top->is_array ? ']' : '}'))
				FAIL(p, top->is_array ? "expected ',' or ']'" : "expected ',' or '}'");
close:
			p++;
			start = top->start;
			len = (uint32_t)(p - start);
			kind = top->is_array ? JSON_ARRAY : JSON_OBJECT;
			flags = nan_n != top->nan_n ? JSON_HAS_NAN : 0;
			node = top->node;
			top = top == s->stack ? NULL : top - 1;
		}
		continue;
key: {
			if (UNLIKELY(*p != '"'))
				FAIL(p, "expected a key in quotes");
			bool escaped = false;
			const uint8_t *name = p + 1;
			p = string_end(s, &window, doc, end, name, &escaped);
			if (!p)
				return false;
			node = top->node;
			if (node) {
				size_t key_len = (size_t)(p - name);
				if (UNLIKELY(escaped)) {
					buf_clear(&s->key);
					buf_reserve(&s->key, key_len + 8);
					key_len = json_unescape(name, key_len, (uint8_t *)s->key.data, NULL);
					node = find_member(program, node, (const uint8_t *)s->key.data, key_len, key_len);
				} else if (node->filter >> json_key_filter(*name, key_len) & 1) {
					node = find_member(program, node, name, key_len, (size_t)(end - name));
				} else {
					node = NULL;
				}
			}
			p++;
			SKIP_SPACE();
			if (UNLIKELY(*p != ':'))
				FAIL(p, "expected ':'");
			p++;
			SKIP_SPACE();
		}
	}
done:
	if (p != end) {
		p = skip_space(p);
		FAIL(p, "trailing data");
	}
	if (doc.data != original) {
		for (size_t i = 0; i < program->slot_n; i++)
			if (s->values[i].kind != JSON_NONE)
				s->values[i].start = original + (s->values[i].start - doc.data);
	}
	return true;
}
