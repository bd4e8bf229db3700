/* SPDX-License-Identifier: Apache-2.0 */
/* SGD with momentum, Adam, AdamW. An optimizer's state is its tensor list and nothing else: after
 * every byte of it is put back the next update is the one that would have been. */
#ifndef TRN_OPTIMIZER_H
#define TRN_OPTIMIZER_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "ops/ops.h"
#include "ops/scalar.h"
#include "ops/tensor.h"

enum trn_optimizer_kind { TRN_SGD, TRN_ADAM, TRN_ADAMW, TRN_OPTIMIZER_KINDS };

struct trn_optimizer_spec {
    enum trn_optimizer_kind kind;
    double momentum;     /* sgd: 0 <= momentum < 1; 0 keeps no state but the step count */
    double weight_decay; /* >= 0 */
    double beta1, beta2; /* adam, adamw: 0 <= beta < 1 */
    double eps;          /* adam, adamw: > 0 */
    double clip_norm;    /* > 0: largest global norm of the gradients; 0: no clipping */
};

/* torch's defaults: no momentum, betas 0.9 and 0.999, eps 1e-8; weight decay 0 (torch has 1e-2 for
 * AdamW), no clipping. */
#define TRN_OPTIMIZER_SPEC_INIT { TRN_SGD, 0.0, 0.0, 0.9, 0.999, 1e-8, 0.0 }

/* Scalars that one update uses, in the order trn_optimizer_scalars writes them. */
#define TRN_OPTIMIZER_MAX_SCALARS 12

struct trn_optimizer;

const char *trn_optimizer_kind_name(enum trn_optimizer_kind kind); /* "sgd", "adam", "adamw" */

/* For the parameters among `tensors` (borrowed, with `backend`, until the optimizer is freed).
 * All state is zero. SNAP_INVALID names the field and what was expected. */
enum snap_status trn_optimizer_new(const struct trn_optimizer_spec *spec,
                                   const struct trn_tensor *tensors, size_t tensor_count,
                                   struct trn_backend *backend, struct trn_optimizer **optimizer,
                                   struct snap_error *err);
void trn_optimizer_free(struct trn_optimizer *optimizer); /* NULL is fine */

/* "step" (i64, rank 0, in host memory: updates done), then, in the order of the parameters,
 * "momentum_buffer.NAME" or "exp_avg.NAME" and "exp_avg_sq.NAME". Borrowed until freed. */
size_t trn_optimizer_tensor_count(const struct trn_optimizer *optimizer);
const struct trn_tensor *trn_optimizer_tensors(const struct trn_optimizer *optimizer);

/* The global norm of the gradients. SNAP_NONFINITE if it overflows binary32 though every gradient
 * is finite (the text then says so); `norm` is written all the same. */
enum snap_status trn_optimizer_gradient_norm(struct trn_optimizer *optimizer, float *norm,
                                             struct snap_error *err);

/* What the next update will use at rate `lr`, with gradients of global norm `norm`: "lr", "clip"
 * where clipping is on, and what the kind needs. Changes no state. Returns how many. */
size_t trn_optimizer_scalars(struct trn_optimizer *optimizer, float lr, float norm,
                             struct trn_scalar scalars[TRN_OPTIMIZER_MAX_SCALARS]);

/* Clip the gradients where asked, change the parameters, add one to "step". `scalars` are those of
 * trn_optimizer_scalars, or of a step record when a step is replayed. */
enum snap_status trn_optimizer_update(struct trn_optimizer *optimizer,
                                      const struct trn_scalar *scalars, size_t scalar_count,
                                      struct snap_error *err);

#endif
