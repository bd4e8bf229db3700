/* SPDX-License-Identifier: Apache-2.0 */
/* Adam, with weight decay added to the gradient, and AdamW, with it taken from the weight. */
#include "config.h"

#include "optim/optimizer_kind.h"

static enum snap_status check(const struct trn_optimizer_spec *spec, struct snap_error *err)
{
    if (!(spec->beta1 >= 0.0 && spec->beta1 < 1.0 && spec->beta2 >= 0.0 && spec->beta2 < 1.0)) {
        return snap_error_set(err, SNAP_INVALID,
                              "optimizer %s: betas must be at least 0 and less than 1",
                              trn_optimizer_kind_name(spec->kind));
    }
    /* As a binary32 number too: it is what keeps the division from 0/0. */
    if (!(spec->eps <= 1.0 && (float)spec->eps > 0.0f)) {
        return snap_error_set(err, SNAP_INVALID, "optimizer %s: eps must be 1e-44 to 1",
                              trn_optimizer_kind_name(spec->kind));
    }
    return SNAP_OK;
}

static unsigned state_names(const struct trn_optimizer_spec *spec,
                            const char *names[TRN_OPTIMIZER_MAX_STATE])
{
    (void)spec;
    names[0] = "exp_avg";
    names[1] = "exp_avg_sq";
    return 2;
}

static void scalars(const struct trn_optimizer_spec *spec, float lr, const double powers[2],
                    struct trn_scalar_list *list)
{
    trn_scalar_append(list, "beta1", (float)spec->beta1);
    trn_scalar_append(list, "beta2", (float)spec->beta2);
    trn_scalar_append(list, "one_minus_beta1", (float)(1.0 - spec->beta1));
    trn_scalar_append(list, "one_minus_beta2", (float)(1.0 - spec->beta2));
    trn_scalar_append(list, "correction1", (float)(1.0 / (1.0 - powers[0])));
    trn_scalar_append(list, "correction2", (float)(1.0 / (1.0 - powers[1])));
    trn_scalar_append(list, "eps", (float)spec->eps);
    if (spec->kind == TRN_ADAMW) {
        trn_scalar_append(list, "decay", (float)((double)lr * spec->weight_decay));
    } else {
        trn_scalar_append(list, "weight_decay", (float)spec->weight_decay);
    }
}

static enum snap_status update(const struct trn_update *u, struct snap_error *err)
{
    struct trn_adam args = {
        .count = u->parameter->count,
        .decoupled = u->spec->kind == TRN_ADAMW,
        .gradient = u->parameter->gradient,
        .exp_avg = u->state[0],
        .exp_avg_sq = u->state[1],
        .weight = u->parameter->data,
    };
    const struct {
        const char *name;
        float *value;
    } wanted[] = {
        { "lr", &args.lr },
        { "beta1", &args.beta1 },
        { "beta2", &args.beta2 },
        { "one_minus_beta1", &args.one_minus_beta1 },
        { "one_minus_beta2", &args.one_minus_beta2 },
        { "correction1", &args.correction1 },
        { "correction2", &args.correction2 },
        { "eps", &args.eps },
        { args.decoupled ? "decay" : "weight_decay",
          args.decoupled ? &args.decay : &args.weight_decay },
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const enum snap_status status =
            trn_scalar_find(u->scalars, u->scalar_count, wanted[i].name, wanted[i].value, err);
        if (status != SNAP_OK) {
            return status;
        }
    }
    return u->backend->ops->adam(u->backend, &args, err);
}

const struct trn_optimizer_type trn_adam_type = {
    .name = "adam",
    .check = check,
    .state_names = state_names,
    .scalars = scalars,
    .update = update,
};

const struct trn_optimizer_type trn_adamw_type = {
    .name = "adamw",
    .check = check,
    .state_names = state_names,
    .scalars = scalars,
    .update = update,
};
