/* What the mount asks a session for: names, the rows of a view, the rows of a live view as they come. fuse/mount.h says what each operation owes.
 * Thread: the session's. */
#ifndef WEIR_SHELL_MOUNT_QUERY_H
#define WEIR_SHELL_MOUNT_QUERY_H

#include "fuse/mount.h"
#include "sql/session.h"

/* A thread's session as fuse/ sees it. */
struct access {
	struct mount_access base;            /* first: a struct mount_access * of ours is a struct access * */
	struct session *session;
	struct view_fact {
		char *name, *sql;                /* of which view */
		bool live;                       /* can it be followed? */
	} *facts;
	size_t fact_n;
};

bool mount_names(struct session *s, const char *sql, char ***ret, size_t *ret_n, struct err *err);
bool mount_query_names(struct mount_access *a, char ***ret, size_t *ret_n, struct err *err);
bool mount_query_run(struct mount_access *a, const char *name, bool csv, bool (*put)(void *arg, const void *data, size_t len), void *arg, struct err *err);
bool mount_view_names(struct mount_access *a, char ***ret, size_t *ret_n, struct err *err);
bool mount_view_follow(struct mount_access *a, const char *name, bool csv, const char *since, mount_put_fn *put, void *arg, struct err *err);
void mount_view_names_forget(struct access *a);

#endif
