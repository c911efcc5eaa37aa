/* C11 threads on top of POSIX ones, for the ThreadSanitizer build only.
 *
 * librdkafka calls glibc's thrd_*, mtx_* and cnd_*, which TSan (gcc 12) does not know: its threads crash at the first call that TSan intercepts, and its
 * locks order nothing in TSan's eyes. Every program of the build exports these instead; librdkafka finds them first. glibc itself makes mtx_t and cnd_t
 * of the POSIX types, so they fit.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

#define EXPORT __attribute__((visibility("default")))

_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "mtx_t holds a POSIX mutex");
_Static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "cnd_t holds a POSIX condition");

struct begin {
	thrd_start_t run;
	void *arg;
};

static int result(int status)
{
	return status == 0 ? thrd_success : status == ETIMEDOUT ? thrd_timedout : status == EBUSY ? thrd_busy : status == ENOMEM ? thrd_nomem : thrd_error;
}

static void *begin(void *arg)
{
	struct begin b = *(struct begin *)arg;
	free(arg);
	b.run(b.arg);
	return NULL;
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
	struct begin *b = malloc(sizeof(*b));
	if (!b)
		return thrd_nomem;
	*b = (struct begin){run, arg};
	int status = pthread_create(thread, NULL, begin, b);
	if (status != 0)
		free(b);
	return result(status);
}

EXPORT int thrd_join(thrd_t thread, int *ret)
{
	if (ret)
		*ret = 0;
	return result(pthread_join(thread, NULL));
}

EXPORT int mtx_init(mtx_t *m, int type)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	if (type & mtx_recursive)
		pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	int status = pthread_mutex_init((pthread_mutex_t *)(void *)m, &attr);
	pthread_mutexattr_destroy(&attr);
	return result(status);
}

EXPORT void mtx_destroy(mtx_t *m)
{
	pthread_mutex_destroy((pthread_mutex_t *)(void *)m);
}

EXPORT int mtx_lock(mtx_t *m)
{
	return result(pthread_mutex_lock((pthread_mutex_t *)(void *)m));
}

EXPORT int mtx_unlock(mtx_t *m)
{
	return result(pthread_mutex_unlock((pthread_mutex_t *)(void *)m));
}

EXPORT int cnd_init(cnd_t *c)
{
	return result(pthread_cond_init((pthread_cond_t *)(void *)c, NULL));
}

EXPORT void cnd_destroy(cnd_t *c)
{
	pthread_cond_destroy((pthread_cond_t *)(void *)c);
}

EXPORT int cnd_signal(cnd_t *c)
{
	return result(pthread_cond_signal((pthread_cond_t *)(void *)c));
}

EXPORT int cnd_broadcast(cnd_t *c)
{
	return result(pthread_cond_broadcast((pthread_cond_t *)(void *)c));
}

EXPORT int cnd_wait(cnd_t *c, mtx_t *m)
{
	return result(pthread_cond_wait((pthread_cond_t *)(void *)c, (pthread_mutex_t *)(void *)m));
}

EXPORT int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m, const struct timespec *restrict until)
{
	return result(pthread_cond_timedwait((pthread_cond_t *)(void *)c, (pthread_mutex_t *)(void *)m, until));
}
