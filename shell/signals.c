/* Signals: the handler notes the signal and cancels the running statement; everything else happens in the main loop.
 * A second Ctrl-C does what the first did; the third leaves at once, whatever hangs. SIGPIPE is ignored: writers see EPIPE. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include "shell/shell.h"

static struct session *volatile watched;
static volatile sig_atomic_t last_signal, interrupt_n, held, resized, continued;

enum { INTERRUPTS_TO_EXIT = 3 };

static void on_signal(int signal_number)
{
	int saved = errno;
	if (signal_number == SIGWINCH) {
		resized = 1;
	} else if (signal_number == SIGCONT) {
		continued = 1;
	} else if (!(held && signal_number == SIGINT)) {
		if (signal_number == SIGINT && ++interrupt_n >= INTERRUPTS_TO_EXIT)
			_exit(EXIT_INTERRUPT);
		last_signal = signal_number;
		if (watched)
			session_cancel(watched, signal_number);
	}
	errno = saved;
}

void signals_install(void)
{
	struct sigaction a = {.sa_handler = on_signal};
	static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT};
	sigemptyset(&a.sa_mask);
	for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
		struct sigaction old;
		/* nohup's and a background shell's SIG_IGN stay. */
		if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN && (caught[i] == SIGHUP || caught[i] == SIGINT))
			continue;
		sigaction(caught[i], &a, NULL);
	}
	a.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &a, NULL);
}

void signals_watch(struct session *s)
{
	watched = s;
}

int signals_last(void)
{
	return last_signal;
}

void signals_forget(void)
{
	if (last_signal == SIGINT)
		last_signal = 0;
	interrupt_n = 0;
}

void signals_hold(bool hold)
{
	held = hold;
}

bool signals_resized(void)
{
	bool was = resized;
	resized = 0;
	return was;
}

bool signals_continued(void)
{
	bool was = continued;
	continued = 0;
	return was;
}
