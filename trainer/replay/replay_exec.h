/* SPDX-License-Identifier: Apache-2.0 */
/* A replay by a program of the user's own: told in its environment what to repeat, it writes a
 * report (docs/man/snap-replay.1, "REPLAY BY ANOTHER PROGRAM"). */
#ifndef TRN_REPLAY_EXEC_H
#define TRN_REPLAY_EXEC_H

#include "replay/expectation.h"
#include "trainer.h"

/* Run options->exec from `start` (the open archive at options->archive) up to step `last`, and fill
 * in what its report says. SNAP_OK: all equal; of a capsule: the step failed as it says.
 * SNAP_DIFFERS: *result says what. SNAP_IO: the program ended without a report, or before `last`.
 * SNAP_UNSUPPORTED: the report is of another version. */
enum snap_status trn_replay_exec(const struct trn_replay_options *options,
                                 const struct trn_expectation *expectation, uint64_t last,
                                 struct trn_replay_result *result, struct snap_error *err);

#endif
