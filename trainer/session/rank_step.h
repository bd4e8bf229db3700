/* SPDX-License-Identifier: Apache-2.0 */
/* A step on several ranks. Each has the whole state and draws the whole batch, computes the
 * gradients of its own shards, and gets the sum over all of them in shard order: the number of
 * ranks changes no bit. */
#ifndef TRN_RANK_STEP_H
#define TRN_RANK_STEP_H

#include <stddef.h>

#include "session/train_loop.h"
#include "session/training.h"

/* Room for the gradients of this rank's shards. Nothing for one process alone. SNAP_INVALID: there
 * are more ranks than shards. */
enum snap_status trn_rank_step_init(struct trn_training *training, struct snap_error *err);

/* What trn_model_forward_backward of every shard leaves, on every rank. `shard_of` makes a shard of
 * the batch. A failure of one rank is that of all. */
enum snap_status trn_rank_forward_backward(struct trn_training *training, struct trn_step *step,
                                           void (*shard_of)(const struct trn_training *training,
                                                            unsigned index,
                                                            struct trn_shard *shard),
                                           const struct trn_shard *common,
                                           struct snap_error *err);

/* Samples first..first+count-1 of `samples` are this rank's to evaluate. */
void trn_rank_samples(const struct trn_training *training, size_t samples, size_t *first,
                      size_t *count);
/* The losses of all samples, `places` of each, and how many labels were right, on every rank, from
 * those of its own samples. `status` is how it went here, with its text in `err`. */
enum snap_status trn_rank_gather_losses(struct trn_training *training, enum snap_status status,
                                        float *losses, size_t samples, size_t places,
                                        size_t *correct, struct snap_error *err);

#endif
