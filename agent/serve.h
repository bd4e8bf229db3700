/* SPDX-License-Identifier: Apache-2.0 */
/* The agent: a process of a user's own that saves for the trainings in the folders under one. What
 * it is asked, and how, is docs/agent-protocol.md. */
#ifndef AGN_SERVE_H
#define AGN_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include <snapstate/agent.h>
#include <snapstate/keep.h>
#include <snapstate/status.h>

struct agn_options {
    const char *root;             /* the folder whose runs it serves; borrowed */
    uint64_t memory_bytes;        /* what it holds at most; 0: half of the machine's memory */
    unsigned copies;              /* of each run the last so many snapshots stay in memory */
    unsigned jobs;                /* saves at a time; 0: 2 */
    unsigned threads;             /* of each save; 0: one per processor */
    /* The store (snap_push) into which each run's snapshots go, below it by the run's path below
     * the root; NULL: none. When the agent ends it uploads for so long, at most. */
    const char *push;
    unsigned push_wait_s;
    const struct snap_keep *keep; /* which snapshots stay on the disk after a save; NULL: all */
    /* HTTP, read-only. "PORT", or "ADDRESS:PORT", an IPv6 address in brackets; the address is that
     * of this machine itself unless given. NULL: none. */
    const char *listen;
    /* A file with the SHA-256 of a token, in hex, which who asks must have; NULL: no token, which
     * is for an address of this machine itself alone. */
    const char *token_file;
    /* Make the page of a run: HTML, to be freed with free(). From one thread, not the
     * caller's. NULL: none. */
    enum snap_status (*page)(void *arg, const char *dir, char **text, struct snap_error *err);
    void *page_arg;
    /* Told when it serves, of each save, and of what goes wrong; from any thread, one line at a
     * time. */
    void (*say)(void *arg, const char *line);
    void *arg;
};
#define AGN_OPTIONS_INIT { .copies = 1, .push_wait_s = 30 }

/* Serve until SIGTERM or SIGINT, then end the saves under way. SNAP_BUSY: another agent serves the
 * folder; SNAP_NOT_FOUND: there is no such folder; else as the store and the address are refused.
 * Then nothing was said, and the folder has nothing more than before. The caller has started no
 * other thread yet: the two signals are blocked in all of them. */
enum snap_status agn_serve(const struct agn_options *options, struct snap_error *err);

/* Ask the agent that serves `root` how it is; a JSON document, to be freed with free().
 * SNAP_NOT_FOUND: none does. */
enum snap_status agn_ask_status(const char *root, char **answer, struct snap_error *err);

#endif
