/* SPDX-License-Identifier: Apache-2.0 */
/* What a training tells TensorBoard, when `running.tensorboard` asks for it. It is told after the
 * ledger line, and reads the state of nothing: a run with event files has the ledger and the
 * archives of one without. */
#ifndef TRN_TENSORBOARD_H
#define TRN_TENSORBOARD_H

#include <stdint.h>

#include "metrics/event_file.h"
#include "session/train_loop.h"
#include "session/training.h"

struct trn_tensorboard {
    struct trn_training *training; /* borrowed */
    struct trn_event_file *file;   /* NULL: nothing is told, or no more */
    double flushed;                /* seconds of the monotonic clock */
};

/* Begin a file in the run's folder, where the config wants one. What goes wrong, here and below, is
 * a line of events.jsonl, and the training goes on without. */
void trn_tensorboard_begin(struct trn_tensorboard *board, struct trn_training *training);
/* A step was made, and took so long. */
void trn_tensorboard_step(struct trn_tensorboard *board, const struct trn_step *step,
                          double seconds);
/* A snapshot is durable. */
void trn_tensorboard_saved(struct trn_tensorboard *board, uint64_t step, const char *hash,
                           const char *path);
void trn_tensorboard_end(struct trn_tensorboard *board);

#endif
