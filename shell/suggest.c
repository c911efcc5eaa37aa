/* shell/suggest.h: Damerau-Levenshtein over short words, three rows of the table. */
#include "shell/suggest.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 48, FAR = 100 };

int suggest_distance(const char *a, const char *b)
{
	size_t n = strlen(a);
	size_t m = strlen(b);
	if (n > WORD_MAX || m > WORD_MAX)
		return FAR;
	int rows[3][WORD_MAX + 1];
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		int *row = rows[i % 3];
		const int *above = rows[(i - 1) % 3];
		const int *above2 = rows[(i + 1) % 3];
		row[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			int ca = tolower((unsigned char)a[i - 1]);
			int cb = tolower((unsigned char)b[j - 1]);
			int best = above[j - 1] + (ca != cb);
			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) && cb == tolower((unsigned char)a[i - 2]) && above2[j - 2] + 1 < best)
				best = above2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[n % 3][m];
}

void suggest_init(struct suggest *s, const char *word)
{
	*s = (struct suggest){.word = word, .distance = 1 + (int)strlen(word) / 3 + 1};
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	size_t n = strlen(s->word);
	int d = n >= 2 && strncmp(s->word, candidate, n) == 0 ? 1 : suggest_distance(s->word, candidate);
	if (d < s->distance) {
		s->distance = d;
		s->best = candidate;
	}
}
