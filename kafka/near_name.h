/* Names close to a mistyped one, for "did you mean". Pure, any thread. */
#ifndef WEIR_KAFKA_NEAR_NAME_H
#define WEIR_KAFKA_NEAR_NAME_H

enum { NEAR_NAMES_MAX = 3 };

struct near_names {
	const char *names[NEAR_NAMES_MAX];   /* borrowed from the offers, best first */
	int scores[NEAR_NAMES_MAX];
	int n;
};

void near_names_offer(struct near_names *near, const char *wanted, const char *name);

#endif
