/* SPDX-License-Identifier: Apache-2.0 */
/* A wish of the caller's to give up what takes long. */
#ifndef SNAP_CORE_STOP_H
#define SNAP_CORE_STOP_H

#include <stdbool.h>
#include <stddef.h>

struct snap_stop {
    bool (*asked)(void *arg); /* from any thread, and often; NULL: it is never asked */
    void *arg;
};

/* NULL: nobody can ask. */
static inline bool snap_stop_is_asked(const struct snap_stop *stop)
{
    return stop != NULL && stop->asked != NULL && stop->asked(stop->arg);
}

#endif
