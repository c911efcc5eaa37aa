/* core/cancel.h */
#include "core/cancel.h"

#include "core/time.h"

bool cancel_requested(const struct cancel *c)
{
	if (!c)
		return false;
	if (atomic_load_explicit(&c->signal_n, memory_order_relaxed))
		return true;
	int64_t deadline = atomic_load_explicit(&c->deadline_ms, memory_order_relaxed);
	return deadline && time_mono_ms() >= deadline;
}

bool cancel_check(const struct cancel *c, struct err *err)
{
	if (!cancel_requested(c))
		return true;
	if (atomic_load_explicit(&c->signal_n, memory_order_relaxed))
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return err_set(err, ERR_TIMEOUT, "the time limit passed");
}

int cancel_slice_ms(const struct cancel *c, int64_t want_ms)
{
	int64_t ms = want_ms < CANCEL_SLICE_MS ? want_ms : CANCEL_SLICE_MS;
	int64_t deadline = c ? atomic_load_explicit(&c->deadline_ms, memory_order_relaxed) : 0;
	if (deadline) {
		int64_t left = deadline - time_mono_ms();
		if (left < ms)
			ms = left;
	}
	return ms > 0 ? (int)ms : 0;
}
