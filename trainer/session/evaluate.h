/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation on the held-out data. It draws from no stream and changes no state. */
#ifndef TRN_EVALUATE_H
#define TRN_EVALUATE_H

#include <stdint.h>

#include "session/training.h"

/* Mean loss over the held-out data, in their order, and how many labels are the largest logit's. */
enum snap_status trn_evaluate(struct trn_training *training, float *loss, uint64_t *correct,
                              struct snap_error *err);

#endif
