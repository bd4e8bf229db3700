/* SPDX-License-Identifier: Apache-2.0 */
/* A step that ended on NaN or Inf: its capsule, and reading one. */
#ifndef TRN_FAILURE_H
#define TRN_FAILURE_H

#include <snapstate/archive.h>

#include "session/train_loop.h"
#include "session/training.h"
#include "trainer.h"

/* Names of what a capsule keeps of the batch: sample ids as u32, images as f32 after
 * augmentation, labels as i32, all little-endian. */
#define TRN_BATCH_SAMPLES "batch.samples"
#define TRN_BATCH_IMAGES "batch.images"
#define TRN_BATCH_LABELS "batch.labels"

/* What was found, for a result. */
void trn_failure_describe(const struct trn_step *step, struct trn_failure *failure);

/* "nan", "+inf" or "-inf", static; NULL for another text, and for NULL. */
const char *trn_failure_value(const char *text);

/* The same class of value at the same place? Both have a value. */
bool trn_failure_is_same(const struct trn_failure *a, const struct trn_failure *b);

/* "gradient of conv1.weight": what an archive's failure says in two words, in one text. */
void trn_failure_where(const char *what, const char *name, char *where, size_t where_size);

/* Save the capsule of the step that trn_train_step or trn_check_weights has just refused to make;
 * failure->capsule gets its path. */
enum snap_status trn_failure_capsule(struct trn_training *training, const struct trn_step *step,
                                     struct trn_failure *failure, struct snap_error *err);

/* What a capsule says about its failure. SNAP_UNSUPPORTED: it is none of this trainer's. */
enum snap_status trn_failure_read(const struct snap_archive *capsule, struct trn_failure *failure,
                                  struct snap_error *err);

/* Is the batch of the step under way the one in the capsule? SNAP_DIFFERS: `member` is the first
 * that is not. A capsule without a batch, for a step without one, is equal. */
enum snap_status trn_failure_compare_batch(const struct trn_training *training,
                                           const struct trn_step *step,
                                           const struct snap_archive *capsule, char *member,
                                           size_t member_size, struct snap_error *err);

#endif
