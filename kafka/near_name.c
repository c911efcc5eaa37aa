/* kafka/near_name.h: Damerau-Levenshtein distance (optimal string alignment, ASCII case folded), with names that contain the wanted one
 * or are contained in it ranked as near too. Cost is bounded: names are at most 249 bytes. */
#include "kafka/near_name.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { LEN_MAX = 249, FAR = 1000 };

static int fold(char c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static int min3(int a, int b, int c)
{
	int m = a < b ? a : b;
	return m < c ? m : c;
}

static int distance(const char *a, const char *b)
{
	int a_len = (int)strlen(a);
	int b_len = (int)strlen(b);
	if (a_len > LEN_MAX || b_len > LEN_MAX)
		return FAR;
	int rows[3][LEN_MAX + 1];
	int *before = rows[0];
	int *above = rows[1];
	int *row = rows[2];
	memset(rows, 0, sizeof rows);
	for (int j = 0; j <= b_len; j++)
		above[j] = j;
	for (int i = 1; i <= a_len; i++) {
		row[0] = i;
		for (int j = 1; j <= b_len; j++) {
			int cost = fold(a[i - 1]) != fold(b[j - 1]);
			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		int *oldest = before;
		before = above;
		above = row;
		row = oldest;
	}
	return above[b_len];
}

void near_names_offer(struct near_names *near, const char *wanted, const char *name)
{
	int len = (int)strlen(wanted);
	int score = distance(wanted, name);
	int limit = len < 4 ? 1 : len < 8 ? 2 : len / 3;
	if (score > limit) {
		bool inside = len >= 3 && (strcasestr(name, wanted) || (strlen(name) >= 3 && strcasestr(wanted, name)));
		if (!inside)
			return;
		score = limit + 1;
	}
	int at = near->n;
	while (at > 0 && near->scores[at - 1] > score)
		at--;
	if (at == NEAR_NAMES_MAX)
		return;
	if (near->n < NEAR_NAMES_MAX)
		near->n++;
	for (int i = near->n - 1; i > at; i--) {
		near->names[i] = near->names[i - 1];
		near->scores[i] = near->scores[i - 1];
	}
	near->names[at] = name;
	near->scores[at] = score;
}
