/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory of the training state. */
#ifndef TRN_TRAINING_STATE_H
#define TRN_TRAINING_STATE_H

#include "session/training.h"

/* Register in training->run all that decides the next step. */
enum snap_status trn_training_state_register(struct trn_training *training,
                                             struct snap_error *err);

#endif
