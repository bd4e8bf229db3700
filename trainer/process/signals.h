/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that a live run takes: SIGUSR1 is "save and go on", SIGUSR2, SIGTERM and SIGINT "save
 * and stop". A second one of the latter stops at once: the process ends by that signal, as it
 * would without handlers; the run folder is then as after a kill. */
#ifndef TRN_SIGNALS_H
#define TRN_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* What was there before. */
struct trn_signals {
    struct sigaction before[4];
};

/* Handle them from now on; nothing has been asked for. */
void trn_signals_install(struct trn_signals *signals);
void trn_signals_remove(const struct trn_signals *signals);

/* Was a save asked for since the last call? */
bool trn_signals_take_save(void);
/* The signal that asks to save and stop; 0: none came. */
int trn_signals_stop(void);

/* "SIGTERM"; NULL for a signal that is not handled here. Static. */
const char *trn_signal_name(int number);

#endif
