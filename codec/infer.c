/* codec/infer.h. Each sample is put into one class; the majority decides the format; columns come from the parts that know the format.
 * The same samples give the same answer in any run. */
#include "codec/infer.h"

#include <stdlib.h>
#include <strings.h>
#include "codec/codec.h"
#include "codec/infer_parts.h"
#include "codec/json_scan.h"
#include "codec/scalar.h"
#include "core/alloc.h"
#include "core/utf8.h"

enum class {
	CLASS_NONE,                          /* tombstone, empty, white space */
	CLASS_OBJECT, CLASS_ARRAY,
	CLASS_STRING,                        /* a JSON string or null on its own */
	CLASS_NUMBER, CLASS_BOOLEAN,
	CLASS_LINES,                         /* several JSON documents, one a line */
	CLASS_BROKEN_JSON,                   /* begins like JSON and is not */
	CLASS_FRAMED,                        /* Confluent wire format */
	CLASS_TEXT, CLASS_BINARY,
	CLASS_N
};

struct survey {
	struct json_scanner scanner;
	int slot;
	size_t n[CLASS_N];
	size_t total, usable;
	uint32_t schema_id;                  /* of the first framed sample */
	bool schema_ids_differ;
	bool all_eight_bytes;                /* every value has 4 or 8 bytes: binary numbers, not frames */
	bool decimal_comma;                  /* every text is a number with a comma */
	size_t real_n;
};

static const char *const hidden_names[] = {
	"_topic", "_partition", "_offset", "_ts", "_time", "_ts_type", "_key", "_value", "_headers", "_size", "_schema_id", "_error", "_index",
	"rowtime", "rowpartition", "rowoffset",
};

enum column_type tally_type(const struct tally *t, size_t total, const char *unit, char **ret_note)
{
	/* BIG: an integer beyond int64, which stays TEXT digits in an INTEGER column. */
	const uint32_t numbers = t->n[SEEN_INTEGER] + t->n[SEEN_REAL] + t->n[SEEN_BIG];
	const struct {
		enum column_type type;
		uint32_t n;
	} choices[] = {
		{t->n[SEEN_REAL] ? COLUMN_REAL : COLUMN_INTEGER, numbers}, {COLUMN_TEXT, t->n[SEEN_TEXT]},
		{COLUMN_BOOLEAN, t->n[SEEN_BOOLEAN]}, {COLUMN_JSON, t->n[SEEN_JSON]},
	};
	enum { CHOICE_N = sizeof choices / sizeof *choices };
	size_t best = 0;
	for (size_t i = 1; i < CHOICE_N; i++)
		if (choices[i].n > choices[best].n)
			best = i;
	*ret_note = NULL;
	if (choices[best].n == 0) {
		*ret_note = xasprintf("only null in %zu %s", total, unit);
		return COLUMN_ANY;
	}
	struct buf note = BUF_INIT;
	for (size_t i = 0; i < CHOICE_N; i++)
		if (i != best && choices[i].n)
			buf_addf(&note, "%s%s in %u", note.len ? ", " : "also ", column_type_name(choices[i].type), choices[i].n);
	if (note.len)
		buf_addf(&note, " of %zu %s", total, unit);
	if (t->n[SEEN_BIG])
		buf_addf(&note, "%sbeyond 64 bits in %u of %zu %s, kept as TEXT digits", note.len ? "; " : "", t->n[SEEN_BIG], total, unit);
	if (note.len)
		*ret_note = buf_take(&note);
	buf_finish(&note);
	return choices[best].type;
}

static bool name_taken(const struct stream *s, const char *name)
{
	for (size_t i = 0; i < sizeof hidden_names / sizeof *hidden_names; i++)
		if (strcasecmp(hidden_names[i], name) == 0)
			return true;
	return stream_find_column(s, name) >= 0;
}

bool infer_add_column(struct stream *s, const char *name, enum column_type type, const char *path, char *note)
{
	if (s->column_n >= CODEC_MAX_COLUMNS) {
		free(note);
		return false;
	}
	char *free_name = xstrdup(name);
	for (unsigned k = 2; name_taken(s, free_name); k++) {
		free(free_name);
		free_name = xasprintf("%s_%u", name, k);
	}
	struct column *c = stream_add_column(s, free_name, type, COLUMN_FROM_VALUE, path);
	c->note = note;
	free(free_name);
	return true;
}

static bool all_lines_json(struct survey *v, struct bytes value)
{
	size_t line_n = 0;
	while (value.len) {
		const uint8_t *nl = memchr(value.data, '\n', value.len);
		size_t len = nl ? (size_t)(nl - value.data) : value.len;
		if (!json_scan(&v->scanner, bytes_of(value.data, len)))
			return false;
		if (!v->scanner.empty && v->scanner.values[v->slot].kind != JSON_OBJECT && v->scanner.values[v->slot].kind != JSON_ARRAY)
			return false;
		line_n += !v->scanner.empty;
		len += nl != NULL;
		value = bytes_of(value.data + len, value.len - len);
	}
	return line_n > 1;
}

static bool is_comma_number(struct bytes t)
{
	return memchr(t.data, ',', t.len) && scalar_sniff(t, ',') == COLUMN_REAL;
}

static bool is_framed(struct bytes value, uint32_t *ret_id)
{
	if (value.len < 5 || value.data[0] != 0)
		return false;
	*ret_id = (uint32_t)value.data[1] << 24 | (uint32_t)value.data[2] << 16 | (uint32_t)value.data[3] << 8 | value.data[4];
	return *ret_id > 0 && *ret_id < 1u << 28;
}

static enum class classify(struct survey *v, struct bytes value)
{
	uint32_t id;
	if (!value.data || value.len == 0)
		return CLASS_NONE;
	if (json_scan(&v->scanner, value)) {
		if (v->scanner.empty)
			return CLASS_NONE;
		switch ((enum json_kind)v->scanner.values[v->slot].kind) {
		case JSON_OBJECT:
			return CLASS_OBJECT;
		case JSON_ARRAY:
			return CLASS_ARRAY;
		case JSON_TRUE:
		case JSON_FALSE:
			return CLASS_BOOLEAN;
		case JSON_REAL:
		case JSON_NAN:
			v->real_n++;
			return CLASS_NUMBER;
		case JSON_INT:
			return CLASS_NUMBER;
		case JSON_NONE:
		case JSON_NULL:
		case JSON_STRING:
			return CLASS_STRING;
		}
	}
	const uint8_t *p = value.data;
	const uint8_t *end = p + value.len;
	if (value.len >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
		p += 3;
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	if (p < end && (*p == '{' || *p == '['))
		return all_lines_json(v, value) ? CLASS_LINES : CLASS_BROKEN_JSON;
	if (is_framed(value, &id)) {
		if (v->n[CLASS_FRAMED] == 0)
			v->schema_id = id;
		v->schema_ids_differ |= v->schema_id != id;
		return CLASS_FRAMED;
	}
	/* Text with NUL bytes is binary to people. */
	return utf8_valid(value.data, value.len) && !memchr(value.data, '\0', value.len) ? CLASS_TEXT : CLASS_BINARY;
}

static void survey_run(struct survey *v, const struct record *const *samples, size_t sample_n, bool keys)
{
	struct json_path whole;
	const struct json_path *paths = &whole;
	*v = (struct survey){.total = sample_n, .all_eight_bytes = true, .decimal_comma = true};
	json_path_parse(bytes_str("$"), &whole);
	json_scanner_init(&v->scanner);
	json_scanner_set_program(&v->scanner, json_program_create(&paths, 1, NULL, &v->slot));
	for (size_t i = 0; i < sample_n; i++) {
		struct bytes b = keys ? record_key(samples[i]) : record_value(samples[i]);
		enum class c = classify(v, b);
		v->n[c]++;
		if (c == CLASS_NONE)
			continue;
		v->all_eight_bytes &= b.len == 8 || b.len == 4;
		v->decimal_comma &= (c == CLASS_TEXT && is_comma_number(b)) || c == CLASS_NUMBER;
	}
	v->usable = sample_n - v->n[CLASS_NONE];
	v->decimal_comma &= v->n[CLASS_TEXT] > 0;
	if (v->all_eight_bytes) {
		v->n[CLASS_BINARY] += v->n[CLASS_FRAMED];
		v->n[CLASS_FRAMED] = 0;
	}
	json_scanner_finish(&v->scanner);
	json_path_finish(&whole);
}

static void set_text(char **to, const char *text)
{
	free(*to);
	*to = xstrdup(text);
}

/* Chooses the format of the values; sets delimiter, decimal and header where they belong to it. Returns how many samples it decodes. */
static size_t choose_format(struct stream *s, const struct survey *v, const struct record *const *samples, size_t sample_n)
{
	const size_t *n = v->n;
	size_t documents = n[CLASS_OBJECT] + n[CLASS_ARRAY] + n[CLASS_STRING];
	size_t json = documents + n[CLASS_NUMBER] + n[CLASS_BOOLEAN];
	size_t texts = n[CLASS_TEXT] + n[CLASS_NUMBER] + n[CLASS_BOOLEAN] + n[CLASS_STRING];
	struct csv_guess guess;
	if (s->explode) {
		set_text(&s->format, "json");                      /* the only format with arrays */
		return json;
	}
	if (v->usable == 0) {
		set_text(&s->format, "text");
		return 0;
	}
	if (n[CLASS_FRAMED] * 2 > v->usable || n[CLASS_BINARY] * 2 > v->usable || (n[CLASS_BINARY] + n[CLASS_FRAMED]) * 2 > v->usable) {
		set_text(&s->format, "raw");
		return v->usable;
	}
	if ((n[CLASS_LINES] + documents) * 2 > v->usable && n[CLASS_LINES] > n[CLASS_ARRAY] && n[CLASS_LINES] > 0 && n[CLASS_LINES] * 4 > documents) {
		set_text(&s->format, "jsonl");
		return n[CLASS_LINES] + json;
	}
	if (documents * 2 > v->usable || (documents > 0 && (json + n[CLASS_BROKEN_JSON]) * 2 > v->usable)) {
		set_text(&s->format, "json");
		return json;
	}
	if (!v->decimal_comma && infer_csv_guess(samples, sample_n, &guess)) {
		set_text(&s->format, guess.delimiter == '\t' ? "tsv" : "csv");
		s->delimiter = guess.delimiter;
		s->decimal = guess.decimal;
		s->header = guess.header;
		return texts;
	}
	set_text(&s->format, "text");
	if (v->decimal_comma)
		s->decimal = ',';
	return v->usable - n[CLASS_BINARY] - n[CLASS_FRAMED];
}

static enum column_type text_type(const struct survey *v)
{
	if (v->usable && v->decimal_comma)
		return COLUMN_REAL;
	if (v->usable && v->n[CLASS_NUMBER] == v->usable)
		return v->real_n ? COLUMN_REAL : COLUMN_INTEGER;
	if (v->usable && v->n[CLASS_BOOLEAN] == v->usable)
		return COLUMN_BOOLEAN;
	return COLUMN_TEXT;
}

static size_t add_columns(struct stream *s, const struct survey *v, const struct record *const *samples, size_t sample_n)
{
	const char *f = s->format;
	size_t left_out = 0;
	if (strcasecmp(f, "json") == 0 || strcasecmp(f, "jsonl") == 0)
		left_out = infer_json_columns(s, samples, sample_n, strcasecmp(f, "jsonl") == 0);
	else if (strcasecmp(f, "csv") == 0 || strcasecmp(f, "tsv") == 0)
		left_out = infer_csv_columns(s, samples, sample_n);
	if (s->column_n == 0) {
		bool json = strncasecmp(f, "json", 4) == 0;
		bool raw = strcasecmp(f, "raw") == 0;
		const char *path = !json ? NULL : s->explode && strcasecmp(f, "json") == 0 ? "@" : "$";
		infer_add_column(s, "value", raw ? COLUMN_BLOB : json ? COLUMN_JSON : text_type(v), path, NULL);
	}
	return left_out;
}

static void report_format(const struct stream *s, const struct survey *v, size_t decoded, size_t left_out, bool detected, struct buf *report)
{
	buf_addf(report, "%s", s->format);
	if (v->total == 0) {
		buf_adds(report, " (the topic is empty: nothing to learn from)");
		return;
	}
	if (v->usable == 0) {
		buf_addf(report, " (%zu message%s, all without a value)", v->total, v->total == 1 ? "" : "s");
		return;
	}
	if (!detected) {
		buf_addf(report, " as declared (%zu message%s looked at", v->total, v->total == 1 ? "" : "s");
	} else {
		buf_addf(report, " (%zu of %zu messages", decoded, v->usable);
		if (decoded < v->usable)
			buf_addf(report, "; %zu could not be decoded", v->usable - decoded);
	}
	if (v->n[CLASS_NONE])
		buf_addf(report, "; %zu without a value", v->n[CLASS_NONE]);
	if (detected && strcmp(s->format, "csv") == 0 && s->delimiter != ',')
		buf_addf(report, "; delimiter '%c'", s->delimiter);
	if (detected && s->decimal == ',')
		buf_adds(report, "; decimal comma");
	if (detected && s->header)
		buf_adds(report, "; with a header line");
	if (v->n[CLASS_FRAMED]) {
		buf_addf(report, "; Confluent-framed (schema id %u%s): not decoded in this version", v->schema_id, v->schema_ids_differ ? " and others" : "");
		if (v->n[CLASS_FRAMED] < v->usable)
			buf_addf(report, "; %zu not Confluent-framed", v->usable - v->n[CLASS_FRAMED]);
	}
	if (!s->explode && v->n[CLASS_ARRAY] * 2 > v->usable && strcmp(s->format, "json") == 0)
		buf_adds(report, "; arrays: EXPLODE '$[*]' makes a row of each element");
	if (left_out)
		buf_addf(report, "; more keys than %d columns or unusable names: reach them with _value ->> '$.path'", CODEC_MAX_COLUMNS);
	buf_addc(report, ')');
}

static void infer_key(struct stream *s, const struct survey *k, struct buf *report)
{
	const size_t *n = k->n;
	if (strcasecmp(s->key_format, "auto") == 0) {
		bool json = n[CLASS_OBJECT] * 2 > k->usable;
		bool raw = (n[CLASS_BINARY] + n[CLASS_FRAMED]) * 2 > k->usable;
		set_text(&s->key_format, k->usable == 0 ? "text" : json ? "json" : raw ? "raw" : "text");
	}
	if (k->total && k->usable == 0) {
		buf_adds(report, ", no keys");
		return;
	}
	buf_addf(report, ", key %s", s->key_format);
	if (n[CLASS_FRAMED] * 2 > k->usable)
		buf_addf(report, " (Confluent-framed, schema id %u%s: not decoded in this version)", k->schema_id, k->schema_ids_differ ? " and others" : "");
	else if (n[CLASS_BINARY] && strcmp(s->key_format, "text") == 0)
		buf_addf(report, " (binary in %zu of %zu)", n[CLASS_BINARY], k->usable);
}

void infer_stream(struct stream *s, const struct record *const *samples, size_t sample_n, struct buf *report)
{
	enum { MAX_SAMPLE_BYTES = 32 << 20 };      /* a topic of huge messages is judged by fewer of them */
	struct survey values;
	struct survey keys;
	size_t bytes_n = 0;
	for (size_t i = 0; i < sample_n; i++) {
		bytes_n += record_value(samples[i]).len;
		if (i > 0 && bytes_n > MAX_SAMPLE_BYTES)
			sample_n = i;
	}
	struct buf unused = BUF_INIT;
	struct buf *to = report ? report : &unused;
	bool detected = strcasecmp(s->format, "auto") == 0;
	size_t decoded = 0;
	size_t left_out = 0;
	survey_run(&values, samples, sample_n, false);
	survey_run(&keys, samples, sample_n, true);
	if (detected)
		decoded = choose_format(s, &values, samples, sample_n);
	if (strcasecmp(s->format, "tsv") == 0)
		s->delimiter = '\t';
	if (s->column_n == 0)
		left_out = add_columns(s, &values, samples, sample_n);
	report_format(s, &values, decoded, left_out, detected, to);
	infer_key(s, &keys, to);
	buf_finish(&unused);
}
