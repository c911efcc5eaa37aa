/* A worker's job: one document to be rendered. doc.c makes jobs and takes in what they give, doc_render.c does them. Nobody else in fuse/ includes this.
 * Thread: the worker's, without mu. */
#ifndef WEIR_FUSE_DOC_JOB_H
#define WEIR_FUSE_DOC_JOB_H

#include "fuse/state.h"

struct job {
	struct mount *m;
	struct mount_access *a;
	struct doc_reader *reader;
	struct doc *d;
	struct renderer *renderer;
	struct text text;
	struct buf lines;
	int64_t message_n, first_offset, last_offset, newest_ms;
	int64_t until_ms;                    /* monotonic */
};

bool job_make_renderer(struct job *j, struct err *err);
bool job_render_segment(struct job *j, int64_t *ret_next, bool *ret_closed, struct err *err);       /* next: where its text goes on */
bool job_render_merged(struct job *j, struct err *err);                                              /* an hour, a key */
bool job_render_query(struct job *j, struct err *err);

#endif
