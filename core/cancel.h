/* One flag and one deadline that every wait polls in slices of at most CANCEL_SLICE_MS. The signal handler sets the flag (it is
 * lock-free and async-signal-safe); everyone else only reads. Any thread. */
#ifndef WEIR_CORE_CANCEL_H
#define WEIR_CORE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/err.h"

enum { CANCEL_SLICE_MS = 50 };

struct cancel {
	atomic_int signal_n;             /* 0 = run on; otherwise the signal number (SIGINT ...) that asked to stop */
	_Atomic int64_t deadline_ms;     /* monotonic ms (time_mono_ms), 0 = none */
};

bool cancel_requested(const struct cancel *c);                    /* flag set or deadline passed; NULL = never */
bool cancel_check(const struct cancel *c, struct err *err);       /* true = go on; false sets ERR_INTERRUPTED or ERR_TIMEOUT */
int cancel_slice_ms(const struct cancel *c, int64_t want_ms);     /* how long one wait may last: min(want, slice, time left), >= 0 */

#endif
