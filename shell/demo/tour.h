/* The tour: ten questions that people in a plant ask, each with one query worth asking. One table makes \tour, `weir demo` without a
 * terminal, and docs/tour.md (tour_markdown; a unit test compares). Constant data, any thread. */
#ifndef WEIR_SHELL_DEMO_TOUR_H
#define WEIR_SHELL_DEMO_TOUR_H

#include "core/buf.h"
#include "shell/host.h"

enum { DEMO_TOUR_N = 10 };
extern const struct tour_step demo_tour[DEMO_TOUR_N];

void tour_markdown(struct buf *to);      /* appends the text of docs/tour.md */

#endif
