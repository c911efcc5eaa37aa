/* "did you mean": the nearest of some words. */
#ifndef WEIR_SHELL_SUGGEST_H
#define WEIR_SHELL_SUGGEST_H

#include <stddef.h>

int suggest_distance(const char *a, const char *b);      /* edits (insert, delete, change, swap), ASCII case ignored; big when far */

struct suggest {
	const char *word;
	const char *best;                    /* NULL = nothing near */
	int distance;
};
void suggest_init(struct suggest *s, const char *word);
void suggest_offer(struct suggest *s, const char *candidate);    /* borrowed */

#endif
