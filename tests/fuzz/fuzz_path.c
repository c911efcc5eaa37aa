/* JSON paths: input is "path \n path \n ...". Every path that parses is compiled with the others, and must find the value that a document
 * made from it alone holds. */
#include <stdlib.h>
#include <string.h>
#include "codec/encode.h"
#include "codec/json_scan.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { PATH_MAX_N = 40 };

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* {"a":[null,null,7]} for $.a[2] */
static bool make_document(const struct json_path *path, struct buf *to)
{
	for (size_t i = 0; i < path->step_n; i++) {
		if (path->steps[i].is_index) {
			if (path->steps[i].index > 50)
				return false;
			buf_addc(to, '[');
			for (uint32_t k = 0; k < path->steps[i].index; k++)
				buf_adds(to, "null,");
		} else {
			if (!utf8_valid(path->steps[i].key.data, path->steps[i].key.len))
				return false;
			buf_addc(to, '{');
			encode_json_string(to, path->steps[i].key.data, path->steps[i].key.len);
			buf_addc(to, ':');
		}
	}
	buf_addc(to, '7');
	for (size_t i = path->step_n; i-- > 0;)
		buf_addc(to, path->steps[i].is_index ? ']' : '}');
	return to->len < 100000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct json_path paths[PATH_MAX_N];
	const struct json_path *list[PATH_MAX_N];
	int slots[PATH_MAX_N];
	size_t n = 0;
	while (len && n < PATH_MAX_N) {
		const uint8_t *nl = memchr(data, '\n', len);
		size_t line = nl ? (size_t)(nl - data) : len;
		char *copy = malloc(line ? line : 1);
		memcpy(copy, data, line);
		if (json_path_parse(bytes_of(copy, line), &paths[n])) {
			list[n] = &paths[n];
			n++;
		}
		free(copy);
		data += line + (nl != NULL);
		len -= line + (nl != NULL);
	}
	struct json_scanner scanner;
	json_scanner_init(&scanner);
	json_scanner_set_program(&scanner, json_program_create(list, n, n ? list[0] : NULL, slots));
	for (size_t i = 0; i < n; i++) {
		struct buf doc = BUF_INIT;
		if (make_document(list[i], &doc)) {
			check(json_scan(&scanner, bytes_of(doc.data, doc.len)));
			const struct json_value *v = &scanner.values[slots[i]];
			check(v->kind == JSON_INT && v->len == 1 && *v->start == '7');
		}
		/* A path written from its own steps reads back equal. */
		struct buf text = BUF_INIT;
		struct json_path again;
		buf_addc(&text, list[i]->element ? '@' : '$');
		for (size_t k = 0; k < list[i]->step_n; k++) {
			if (list[i]->steps[k].is_index)
				buf_addf(&text, "[%u]", list[i]->steps[k].index);
			else
				json_path_add_key(&text, list[i]->steps[k].key.data, list[i]->steps[k].key.len);
		}
		check(json_path_parse(bytes_of(text.data, text.len), &again));
		check(again.step_n == list[i]->step_n);
		for (size_t k = 0; k < again.step_n; k++)
			check(again.steps[k].is_index == list[i]->steps[k].is_index && again.steps[k].index == list[i]->steps[k].index
			      && again.steps[k].key.len == list[i]->steps[k].key.len);
		json_path_finish(&again);
		buf_finish(&text);
		buf_finish(&doc);
	}
	json_scanner_finish(&scanner);
	for (size_t i = 0; i < n; i++)
		json_path_finish(&paths[i]);
	return 0;
}
