/* SPDX-License-Identifier: Apache-2.0 */
/* A training from where it stands to its end, with all that may come in between: saves that are
 * due or asked for, signals, the control socket, a step that fails. */
#ifndef TRN_TRAIN_SESSION_H
#define TRN_TRAIN_SESSION_H

#include <stdint.h>

#include "session/training.h"
#include "trainer.h"

/* Train until `last_step` is made, and save there. *result is filled from snap_run_steps_done
 * on. */
enum snap_status trn_session_train(struct trn_training *training, uint64_t last_step,
                                   const struct trn_listener *listener,
                                   struct trn_result *result, struct snap_error *err);

/* Where the training ends: after all epochs, or earlier when the config or `steps` says so. */
uint64_t trn_session_last_step(const struct trn_training *training, bool has_steps,
                               uint64_t steps);

/* Hashes of the run and its state as they are now. */
enum snap_status trn_session_hashes(struct trn_training *training, struct trn_result *result,
                                    struct snap_error *err);

#endif
