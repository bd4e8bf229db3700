/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a training, and what it leaves. */
#ifndef TRN_TRAIN_LOOP_H
#define TRN_TRAIN_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "layers/model.h"
#include "session/training.h"

/* What a step gave. */
struct trn_step {
    uint64_t step;  /* the update made, or the one that failed */
    uint64_t epoch; /* from 0 */
    size_t samples;
    float loss;
    size_t correct; /* labels of the batch that were the largest logit; for TensorBoard alone */
    bool evaluated; /* the step ended an epoch after which held-out data were evaluated */
    float evaluation_loss;
    uint64_t evaluation_correct;
    struct trn_nonfinite nonfinite; /* for SNAP_NONFINITE */
    bool drew_batch;                /* for SNAP_NONFINITE: training->batch is the step's */
};

/* Is it what the disk or the memory does to a save? The training can go on without the snapshot. */
static inline bool trn_save_can_fail(enum snap_status status)
{
    return status == SNAP_IO || status == SNAP_CORRUPT || status == SNAP_NO_MEMORY;
}

/* Make one update and write its ledger line. SNAP_NONFINITE: NaN or Inf was found before the
 * update, which was not made. SNAP_DIFFERS: another line was expected for this step, see
 * snap_run_difference. */
enum snap_status trn_train_step(struct trn_training *training, struct trn_step *step,
                                struct snap_error *err);

/* Make the gradients of the step under way once more, from the state before it, after
 * trn_train_step refused its update: SNAP_NONFINITE as there. SNAP_OK: this time they are finite;
 * the update is not made. */
enum snap_status trn_repeat_gradients(struct trn_training *training, struct trn_step *step,
                                      struct snap_error *err);

/* Are the parameters and buffers finite, as the last update left them? SNAP_NONFINITE: *step says
 * which is not, as the failure of the step that would come next. */
enum snap_status trn_check_weights(struct trn_training *training, struct trn_step *step,
                                   struct snap_error *err);

#endif
