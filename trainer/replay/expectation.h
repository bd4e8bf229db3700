/* SPDX-License-Identifier: Apache-2.0 */
/* What a replay can be compared with: a ledger, and archives of later steps of the same run. */
#ifndef TRN_EXPECTATION_H
#define TRN_EXPECTATION_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/ledger.h>
#include <snapstate/status.h>

#include "trainer.h"

struct trn_later_archive {
    uint64_t step;
    char *path; /* owned */
};

struct trn_expectation {
    struct snap_ledger *ledger;          /* NULL: none was found; owned */
    struct trn_later_archive *archives;  /* by step, ascending, each after the start's; owned */
    size_t archive_count;
    char from[TRN_PATH_SIZE];            /* where it was found; "": nowhere */
};

/* Look for what `start` (the open archive at options->archive; NULL: the state before the first
 * step of the run in folder options->ledger) can be compared with: the ledger that the user named;
 * else that of the run in whose folder the archive lies, if it goes through the archive's chain;
 * else the lines kept in the archives beside it. Archives of the same run beside it, and the one
 * named by to_archive, are taken in any case. Finding nothing is no error here. */
enum snap_status trn_expectation_find(const struct trn_replay_options *options,
                                      const struct snap_archive *start,
                                      struct trn_expectation *expectation, struct snap_error *err);
void trn_expectation_release(struct trn_expectation *expectation);

/* The last step for which there is something; `start_step` when there is nothing. */
uint64_t trn_expectation_last(const struct trn_expectation *expectation, uint64_t start_step);
/* The archive of `step`; NULL: none. */
const char *trn_expectation_archive(const struct trn_expectation *expectation, uint64_t step);

#endif
