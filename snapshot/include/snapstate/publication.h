/* SPDX-License-Identifier: Apache-2.0 */
/* The folder that an author uploads, made from a run folder (docs/papers.md): archives, the ledger,
 * the training part of the config, the listings of all snapshots, CHECK.md, and SHA256SUMS of all
 * of it. No hash is changed by what is left out: members are withheld, never rewritten. */
#ifndef SNAPSTATE_PUBLICATION_H
#define SNAPSTATE_PUBLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/signature.h>
#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snap_publication_options {
    size_t size_bytes;     /* sizeof(struct snap_publication_options) */
    uint64_t snapshots;    /* how many archives: the last, and others evenly before it; 0: all */
    const char *withhold;  /* leave out the tensors of this root ("optimizer"); NULL: none */
    /* Leave out env.json and the extras that are not in the state too, and refuse when what must go
     * out - the training config and binding, coverage, data roles, names, extras of the state -
     * has the name of this host, of this user or of the user's folder in it. */
    bool anonymous;
    const struct snap_signer *signer; /* who will sign, for CHECK.md; NULL: nobody */
};
#define SNAP_PUBLICATION_OPTIONS_INIT { .size_bytes = sizeof(struct snap_publication_options) }

/* What went out. */
struct snap_publication {
    size_t size_bytes; /* sizeof(struct snap_publication) */
    size_t archives;
    size_t listings;
    size_t withheld; /* members left out of the archives, in all */
    size_t volumes;  /* of the last snapshot */
    uint64_t step;   /* of the last snapshot: what the hashes below are of */
    char run_hash[SNAP_HASH_TEXT_BYTES];
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    char state_hash[SNAP_HASH_TEXT_BYTES];
};
#define SNAP_PUBLICATION_INIT { .size_bytes = sizeof(struct snap_publication) }

/* Publish the run in folder `run` into the folder `dir`, which is not there yet or empty. The
 * ledger goes as far as the last snapshot. SNAP_NOT_FOUND: the run has no snapshot. SNAP_INVALID:
 * `dir` holds something, no tensor is of `withhold`, or what must go out names somebody (the text
 * says where). SNAP_CORRUPT: the run is damaged. After a failure `dir` is as it was. */
enum snap_status snap_publication_write(const char *run, const char *dir,
                                        const struct snap_publication_options *options,
                                        struct snap_publication *publication,
                                        struct snap_error *err);

/* Take away all that is in a folder that snap_publication_write has just filled, and the folder
 * itself unless it is to stay: what comes after it, such as a signature, has failed. What cannot be
 * removed stays. */
void snap_publication_remove(const char *dir, bool folder_stays);

#ifdef __cplusplus
}
#endif

#endif
