/* SPDX-License-Identifier: Apache-2.0 */
/* The step of a capsule, made again operation by operation. */
#ifndef TRN_REPLAY_CAPSULE_H
#define TRN_REPLAY_CAPSULE_H

#include <snapstate/archive.h>

#include "session/training.h"
#include "trainer.h"

/* Make the step that failed, and see whether it fails in the same way, from the same batch, by the
 * same operations; each is told to `listener` (NULL: nobody). SNAP_DIFFERS: result->difference,
 * result->nonfinite and result->other say what. */
enum snap_status trn_replay_capsule(struct trn_training *training,
                                    const struct snap_archive *capsule,
                                    const struct trn_listener *listener,
                                    struct trn_replay_result *result, struct snap_error *err);

/* result->difference: what a step is compared with was not there (replay.c). */
void trn_replay_differs(struct trn_replay_result *result, uint64_t step, const char *kind,
                        const char *field, const char *left, const char *right);

#endif
