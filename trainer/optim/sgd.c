/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "optim/optimizer_kind.h"

static enum snap_status check(const struct trn_optimizer_spec *spec, struct snap_error *err)
{
    if (!(spec->momentum >= 0.0 && spec->momentum < 1.0)) {
        return snap_error_set(err, SNAP_INVALID,
                              "optimizer sgd: momentum must be at least 0 and less than 1");
    }
    return SNAP_OK;
}

static unsigned state_names(const struct trn_optimizer_spec *spec,
                            const char *names[TRN_OPTIMIZER_MAX_STATE])
{
    names[0] = "momentum_buffer";
    return spec->momentum > 0.0;
}

static void scalars(const struct trn_optimizer_spec *spec, float lr, const double powers[2],
                    struct trn_scalar_list *list)
{
    (void)lr;
    (void)powers;
    trn_scalar_append(list, "momentum", (float)spec->momentum);
    trn_scalar_append(list, "weight_decay", (float)spec->weight_decay);
}

static enum snap_status update(const struct trn_update *u, struct snap_error *err)
{
    struct trn_sgd args = {
        .count = u->parameter->count,
        .gradient = u->parameter->gradient,
        .velocity = u->spec->momentum > 0.0 ? u->state[0] : NULL,
        .weight = u->parameter->data,
    };
    enum snap_status status = trn_scalar_find(u->scalars, u->scalar_count, "lr", &args.lr, err);
    if (status == SNAP_OK) {
        status = trn_scalar_find(u->scalars, u->scalar_count, "momentum", &args.momentum, err);
    }
    if (status == SNAP_OK) {
        status =
            trn_scalar_find(u->scalars, u->scalar_count, "weight_decay", &args.weight_decay, err);
    }
    return status == SNAP_OK ? u->backend->ops->sgd(u->backend, &args, err) : status;
}

const struct trn_optimizer_type trn_sgd_type = {
    .name = "sgd",
    .check = check,
    .state_names = state_names,
    .scalars = scalars,
    .update = update,
};
