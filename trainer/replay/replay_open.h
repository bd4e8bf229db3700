/* SPDX-License-Identifier: Apache-2.0 */
/* A training in memory, in the state from which a replay goes on (replay.c). */
#ifndef TRN_REPLAY_OPEN_H
#define TRN_REPLAY_OPEN_H

#include <snapstate/archive.h>
#include <snapstate/ledger.h>

#include "session/training.h"
#include "trainer.h"

/* From the open archive at options->archive; of the others data_dir, threads, device and ledger (a
 * run folder: its config says where data may lie) are looked at. *training is to be freed with
 * trn_training_free also after a failure, if it is not NULL. SNAP_UNSUPPORTED: the archive was not
 * made by this trainer. */
enum snap_status trn_replay_open(const struct trn_replay_options *options,
                                 const struct snap_archive *archive,
                                 struct trn_training **training, struct snap_error *err);

/* As it is before the first step: from the first line of `ledger`, which is that of the run folder
 * options->ledger. */
enum snap_status trn_replay_open_first(const struct trn_replay_options *options,
                                       const struct snap_ledger *ledger,
                                       struct trn_training **training, struct snap_error *err);

#endif
