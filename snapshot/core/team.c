/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "core/team.h"

#define MOST_THREADS 64u

struct call {
    void (*body)(void *arg);
    void *arg;
};

static void *thread_main(void *arg)
{
    const struct call *call = arg;
    call->body(call->arg);
    return NULL;
}

void snap_team_run(unsigned threads, void (*body)(void *arg), void *arg)
{
    struct call call = { body, arg };
    pthread_t others[MOST_THREADS];
    unsigned started = 0;
    /* Signals are for the program's own threads. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started + 1 < threads && started < MOST_THREADS &&
           pthread_create(&others[started], NULL, thread_main, &call) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    body(arg);
    while (started > 0)
        pthread_join(others[--started], NULL); /* cannot fail: it was started here */
}
