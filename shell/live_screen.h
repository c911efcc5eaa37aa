/* A live result on a terminal: the groups of EMIT CHANGES are drawn in place, again and again, with a status line under them; what stands above stays.
 * Thread: main; each call is made with the ticker's lock held. */
#ifndef WEIR_SHELL_LIVE_SCREEN_H
#define WEIR_SHELL_LIVE_SCREEN_H

#include "shell/shell.h"

struct live_screen {
	bool on, open;                       /* frames are drawn; one is being drawn */
	struct out *out;
	struct print print;
	size_t begun_at;                     /* bytes of out->pending before the frame */
	int lines;                           /* of the last frame: the cursor stands below them */
	int64_t row_n, room;                 /* rows of the frame; how many fit on the screen */
	int64_t in_before, ms_before;        /* for the rate */
	double rate;
};

/* Turns frames on if the query and the terminal are made for it. */
void live_screen_init(struct live_screen *l, struct shell *sh, struct out *out, struct query *q);
void live_screen_frame(struct live_screen *l, struct shell *sh, struct query *q);
void live_screen_row(struct live_screen *l, struct query *q);
void live_screen_idle(struct live_screen *l, struct shell *sh, struct query *q);      /* ends the frame if one is open */

#endif
