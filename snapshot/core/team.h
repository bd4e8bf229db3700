/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for work that waits, for a disk say: there may be more of them than processors. For
 * arithmetic there is the pool. */
#ifndef SNAP_CORE_TEAM_H
#define SNAP_CORE_TEAM_H

/* Call `body(arg)` in `threads` threads at once, the caller's counted in, and return when all have
 * returned. Threads that cannot be started are done without, so `body` shares the work out by
 * itself, and does all of it when it is called once. */
void snap_team_run(unsigned threads, void (*body)(void *arg), void *arg);

#endif
