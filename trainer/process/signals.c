/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "process/signals.h"

#include <stddef.h>

/* Handlers can reach nothing but globals. */
static volatile sig_atomic_t save_asked;
static volatile sig_atomic_t stop_asked;

static const struct {
    int number;
    const char *name;
} handled[] = { { SIGUSR1, "SIGUSR1" },
                { SIGUSR2, "SIGUSR2" },
                { SIGTERM, "SIGTERM" },
                { SIGINT, "SIGINT" } };

enum { HANDLED = sizeof(handled) / sizeof(handled[0]) };

static void ask_for_save(int number)
{
    (void)number;
    save_asked = 1;
}

/* The first one asks. The next one finds the signal's own effect, so that it acts even while the
 * program waits for a disk. */
static void ask_to_stop(int number)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    stop_asked = number;
    sigaction(SIGUSR2, &plain, NULL);
    sigaction(SIGTERM, &plain, NULL);
    sigaction(SIGINT, &plain, NULL);
}

void trn_signals_install(struct trn_signals *signals)
{
    save_asked = 0;
    stop_asked = 0;
    for (size_t i = 0; i < HANDLED; i++) {
        struct sigaction action = { .sa_flags = SA_RESTART };
        action.sa_handler = handled[i].number == SIGUSR1 ? ask_for_save : ask_to_stop;
        sigfillset(&action.sa_mask);
        sigaction(handled[i].number, &action, &signals->before[i]);
    }
}

void trn_signals_remove(const struct trn_signals *signals)
{
    for (size_t i = 0; i < HANDLED; i++)
        sigaction(handled[i].number, &signals->before[i], NULL);
}

bool trn_signals_take_save(void)
{
    if (!save_asked)
        return false;
    save_asked = 0;
    return true;
}

int trn_signals_stop(void)
{
    return stop_asked;
}

const char *trn_signal_name(int number)
{
    for (size_t i = 0; i < HANDLED; i++)
        if (handled[i].number == number)
            return handled[i].name;
    return NULL;
}
