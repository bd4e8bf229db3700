/* SPDX-License-Identifier: Apache-2.0 */
/* What the optimizers share: state tensors, step count, scalars, norm and clipping. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op_trace.h"
#include "optim/optimizer_kind.h"

struct trn_optimizer {
    const struct trn_optimizer_type *type;
    struct trn_optimizer_spec spec;
    struct trn_backend *backend;
    size_t parameter_count;
    struct trn_tensor *parameters; /* copies of the model's lines */
    unsigned state_per_parameter;
    size_t tensor_count;
    struct trn_tensor *tensors; /* step, then state by parameter */
    int64_t step;
    float *scalar; /* backend memory, one element */
    /* beta^power_step by that many products, kept because the next update needs one more. */
    double powers[2];
    int64_t power_step;
};

static const struct trn_optimizer_type *const types[TRN_OPTIMIZER_KINDS] = {
    [TRN_SGD] = &trn_sgd_type,
    [TRN_ADAM] = &trn_adam_type,
    [TRN_ADAMW] = &trn_adamw_type,
};

const char *trn_optimizer_kind_name(enum trn_optimizer_kind kind)
{
    return (unsigned)kind < TRN_OPTIMIZER_KINDS ? types[kind]->name : "unknown";
}

void trn_scalar_append(struct trn_scalar_list *list, const char *name, float value)
{
    struct trn_scalar *scalar = &list->scalars[list->count++];
    snprintf(scalar->name, sizeof(scalar->name), "%s", name);
    scalar->width_bits = 32;
    scalar->bits = trn_f32_bits(value);
}

enum snap_status trn_scalar_find(const struct trn_scalar *scalars, size_t count, const char *name,
                                 float *value, struct snap_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(scalars[i].name, name) == 0 && scalars[i].width_bits == 32) {
            *value = trn_f32_from_bits((uint32_t)scalars[i].bits);
            return SNAP_OK;
        }
    }
    return snap_error_set(err, SNAP_INVALID, "optimizer: update: the scalar %s is missing", name);
}

static enum snap_status add_state(struct trn_optimizer *optimizer, const char *prefix,
                                  const struct trn_tensor *parameter, struct snap_error *err)
{
    struct trn_tensor *tensor = &optimizer->tensors[optimizer->tensor_count];
    enum snap_status status;
    void *memory = NULL;
    *tensor = *parameter;
    tensor->role = TRN_BUFFER;
    tensor->gradient = NULL;
    tensor->data = NULL;
    if (snprintf(tensor->name, sizeof(tensor->name), "%s.%s", prefix, parameter->name) >=
        (int)sizeof(tensor->name)) {
        return snap_error_set(err, SNAP_INVALID, "optimizer: the name %s is too long",
                              parameter->name);
    }
    status = optimizer->backend->ops->alloc(optimizer->backend, tensor->count * sizeof(float),
                                            &memory, err);
    if (status == SNAP_OK) {
        tensor->data = memory;
        optimizer->tensor_count++;
    }
    return status;
}

static enum snap_status add_tensors(struct trn_optimizer *optimizer,
                                    const struct trn_tensor *tensors, size_t tensor_count,
                                    struct snap_error *err)
{
    const char *names[TRN_OPTIMIZER_MAX_STATE];
    struct trn_tensor *step = &optimizer->tensors[0];
    void *memory = NULL;
    enum snap_status status = optimizer->backend->ops->alloc(optimizer->backend, sizeof(float),
                                                             &memory, err);
    if (status != SNAP_OK) {
        return status;
    }
    optimizer->scalar = memory;
    optimizer->state_per_parameter = optimizer->type->state_names(&optimizer->spec, names);
    snprintf(step->name, sizeof(step->name), "step");
    step->role = TRN_BUFFER;
    step->dtype = TRN_I64;
    step->count = 1;
    step->data = &optimizer->step;
    optimizer->tensor_count = 1;
    for (size_t i = 0; i < tensor_count; i++) {
        if (tensors[i].role != TRN_PARAMETER) {
            continue;
        }
        optimizer->parameters[optimizer->parameter_count++] = tensors[i];
        for (unsigned s = 0; s < optimizer->state_per_parameter; s++) {
            status = add_state(optimizer, names[s], &tensors[i], err);
            if (status != SNAP_OK) {
                return status;
            }
        }
    }
    return SNAP_OK;
}

enum snap_status trn_optimizer_new(const struct trn_optimizer_spec *spec,
                                   const struct trn_tensor *tensors, size_t tensor_count,
                                   struct trn_backend *backend, struct trn_optimizer **optimizer,
                                   struct snap_error *err)
{
    struct trn_optimizer *made;
    enum snap_status status;
    if ((unsigned)spec->kind >= TRN_OPTIMIZER_KINDS) {
        return snap_error_set(err, SNAP_INVALID, "optimizer: there is no kind %d", (int)spec->kind);
    }
    if (!(spec->weight_decay >= 0.0 && spec->weight_decay <= 1e6)) {
        return snap_error_set(err, SNAP_INVALID, "optimizer: weight decay must be 0 to 1e6");
    }
    if (!(spec->clip_norm >= 0.0 && spec->clip_norm <= 1e30)) {
        return snap_error_set(err, SNAP_INVALID, "optimizer: clip norm must be 0 (off) to 1e30");
    }
    status = types[spec->kind]->check(spec, err);
    if (status != SNAP_OK) {
        return status;
    }
    made = calloc(1, sizeof(*made));
    if (!made) {
        return snap_error_set(err, SNAP_NO_MEMORY, "optimizer: out of memory");
    }
    made->type = types[spec->kind];
    made->spec = *spec;
    made->backend = backend;
    made->powers[0] = made->powers[1] = 1.0;
    made->parameters = calloc(tensor_count + 1, sizeof(*made->parameters));
    made->tensors = calloc(tensor_count * TRN_OPTIMIZER_MAX_STATE + 1, sizeof(*made->tensors));
    if (!made->parameters || !made->tensors) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "optimizer: out of memory");
    } else {
        status = add_tensors(made, tensors, tensor_count, err);
    }
    if (status != SNAP_OK) {
        trn_optimizer_free(made);
        return status;
    }
    *optimizer = made;
    return SNAP_OK;
}

void trn_optimizer_free(struct trn_optimizer *optimizer)
{
    if (!optimizer) {
        return;
    }
    for (size_t i = 1; i < optimizer->tensor_count; i++) {
        optimizer->backend->ops->release(optimizer->backend, optimizer->tensors[i].data);
    }
    optimizer->backend->ops->release(optimizer->backend, optimizer->scalar);
    free(optimizer->parameters);
    free(optimizer->tensors);
    free(optimizer);
}

size_t trn_optimizer_tensor_count(const struct trn_optimizer *optimizer)
{
    return optimizer->tensor_count;
}

const struct trn_tensor *trn_optimizer_tensors(const struct trn_optimizer *optimizer)
{
    return optimizer->tensors;
}

enum snap_status trn_optimizer_gradient_norm(struct trn_optimizer *optimizer, float *norm,
                                             struct snap_error *err)
{
    struct trn_backend *backend = optimizer->backend;
    float total = 0.0f;
    for (size_t i = 0; i < optimizer->parameter_count; i++) {
        const struct trn_tensor *parameter = &optimizer->parameters[i];
        float squares = 0.0f;
        trn_op_trace_at(backend, "norm", parameter->name, 0);
        enum snap_status status =
            backend->ops->reduce_product(backend, parameter->gradient, parameter->gradient,
                                         parameter->count, optimizer->scalar, err);
        if (status == SNAP_OK) {
            status = backend->ops->download(backend, &squares, optimizer->scalar,
                                            sizeof(squares), err);
        }
        if (status != SNAP_OK) {
            return status;
        }
        total = total + squares;
    }
    *norm = __builtin_sqrtf(total);
    if ((trn_f32_bits(*norm) & 0x7f800000u) == 0x7f800000u) {
        return snap_error_set(err, SNAP_NONFINITE,
                              "gradient norm: the sum of squares is not finite in binary32: "
                              "training cannot go on");
    }
    return SNAP_OK;
}

/* beta1 and beta2 to the power `step`, by `step` products from 1. The kept ones serve when they are
 * on the way; after a restore they may not be, and the products are made anew, so that the number
 * of products, and each bit, depends on `step` alone. */
static void take_powers(struct trn_optimizer *optimizer, int64_t step)
{
    if (optimizer->power_step > step) {
        optimizer->powers[0] = optimizer->powers[1] = 1.0;
        optimizer->power_step = 0;
    }
    while (optimizer->power_step < step) {
        const double first = optimizer->powers[0] * optimizer->spec.beta1;
        const double second = optimizer->powers[1] * optimizer->spec.beta2;
        if (first == optimizer->powers[0] && second == optimizer->powers[1]) {
            optimizer->power_step = step; /* more products would change nothing */
            break;
        }
        optimizer->powers[0] = first;
        optimizer->powers[1] = second;
        optimizer->power_step++;
    }
}

size_t trn_optimizer_scalars(struct trn_optimizer *optimizer, float lr, float norm,
                             struct trn_scalar scalars[TRN_OPTIMIZER_MAX_SCALARS])
{
    struct trn_scalar_list list = { scalars, 0 };
    trn_scalar_append(&list, "lr", lr);
    if (optimizer->spec.clip_norm > 0.0) {
        const float limit = (float)optimizer->spec.clip_norm;
        trn_scalar_append(&list, "clip", norm > limit ? limit / norm : 1.0f);
    }
    take_powers(optimizer, optimizer->step + 1);
    optimizer->type->scalars(&optimizer->spec, lr, optimizer->powers, &list);
    return list.count;
}

static enum snap_status clip(struct trn_optimizer *optimizer, const struct trn_scalar *scalars,
                             size_t scalar_count, struct snap_error *err)
{
    float factor;
    enum snap_status status = trn_scalar_find(scalars, scalar_count, "clip", &factor, err);
    for (size_t i = 0; i < optimizer->parameter_count && status == SNAP_OK && factor != 1.0f; i++) {
        trn_op_trace_at(optimizer->backend, "clip", optimizer->parameters[i].name, 0);
        status = optimizer->backend->ops->scale(optimizer->backend, optimizer->parameters[i].count,
                                                factor, optimizer->parameters[i].gradient, err);
    }
    return status;
}

enum snap_status trn_optimizer_update(struct trn_optimizer *optimizer,
                                      const struct trn_scalar *scalars, size_t scalar_count,
                                      struct snap_error *err)
{
    struct trn_update update = {
        .backend = optimizer->backend,
        .spec = &optimizer->spec,
        .scalars = scalars,
        .scalar_count = scalar_count,
    };
    enum snap_status status = SNAP_OK;
    if (optimizer->spec.clip_norm > 0.0) {
        status = clip(optimizer, scalars, scalar_count, err);
    }
    for (size_t i = 0; i < optimizer->parameter_count && status == SNAP_OK; i++) {
        update.parameter = &optimizer->parameters[i];
        trn_op_trace_at(optimizer->backend, "update", update.parameter->name, 0);
        for (unsigned s = 0; s < optimizer->state_per_parameter; s++) {
            update.state[s] =
                optimizer->tensors[1 + i * optimizer->state_per_parameter + s].data;
        }
        status = optimizer->type->update(&update, err);
    }
    if (status == SNAP_OK) {
        optimizer->step++;
    }
    return status;
}
