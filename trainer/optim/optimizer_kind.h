/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of optimizer is to optimizer.c. A kind is one file with one `trn_optimizer_type`, and
 * one row in optimizer.c. */
#ifndef TRN_OPTIMIZER_KIND_H
#define TRN_OPTIMIZER_KIND_H

#include "optim/optimizer.h"

#define TRN_OPTIMIZER_MAX_STATE 2 /* tensors of state for each parameter */

/* Collects the scalars of an update. */
struct trn_scalar_list {
    struct trn_scalar *scalars;
    size_t count;
};

struct trn_update {
    struct trn_backend *backend;
    const struct trn_optimizer_spec *spec;
    const struct trn_tensor *parameter;
    float *state[TRN_OPTIMIZER_MAX_STATE];
    const struct trn_scalar *scalars;
    size_t scalar_count;
};

struct trn_optimizer_type {
    const char *name;
    enum snap_status (*check)(const struct trn_optimizer_spec *spec, struct snap_error *err);
    /* Prefixes of the state's names, as many as there are tensors for each parameter. */
    unsigned (*state_names)(const struct trn_optimizer_spec *spec,
                            const char *names[TRN_OPTIMIZER_MAX_STATE]);
    /* `powers` are beta1 and beta2 to the number of this update. */
    void (*scalars)(const struct trn_optimizer_spec *spec, float lr, const double powers[2],
                    struct trn_scalar_list *list);
    enum snap_status (*update)(const struct trn_update *update, struct snap_error *err);
};

void trn_scalar_append(struct trn_scalar_list *list, const char *name, float value);

/* The binary32 scalar of that name, or SNAP_INVALID. */
enum snap_status trn_scalar_find(const struct trn_scalar *scalars, size_t count, const char *name,
                                 float *value, struct snap_error *err);

extern const struct trn_optimizer_type trn_sgd_type, trn_adam_type, trn_adamw_type;

#endif
