/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation over samples, height and width: torch.nn.BatchNorm2d, and for vectors
 * BatchNorm1d. Statistics are those of the shard; the running ones follow shard 0. */
#include "config.h"

#include <stdlib.h>

#include "layers/layer.h"

/* In `tensors`. */
enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR, BATCHES };

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    static const struct {
        const char *suffix;
        enum trn_role role;
        enum trn_dtype dtype;
    } rows[] = {
        { "weight", TRN_PARAMETER, TRN_F32 },      { "bias", TRN_PARAMETER, TRN_F32 },
        { "running_mean", TRN_BUFFER, TRN_F32 },   { "running_var", TRN_BUFFER, TRN_F32 },
        { "num_batches_tracked", TRN_BUFFER, TRN_I64 },
    };
    if (!(layer->spec.eps > 0.0 && layer->spec.eps < 1.0)) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: eps must be more than 0 and less than 1", layer->name);
    }
    if (!(layer->spec.momentum >= 0.0 && layer->spec.momentum <= 1.0)) {
        return snap_error_set(err, SNAP_INVALID, "layer %s: momentum must be 0 to 1", layer->name);
    }
    layer->out = layer->in;
    for (int i = 0; i <= BATCHES; i++) {
        const enum snap_status status =
            trn_layer_add_tensor(layer, rows[i].suffix, rows[i].role, rows[i].dtype,
                                 i == BATCHES ? 0 : 1, &layer->in.channels, err);
        if (status != SNAP_OK) {
            return status;
        }
        layer->tensors[i].changes_in_forward = i >= RUNNING_MEAN;
    }
    layer->cache_bytes = 3 * layer->in.channels * sizeof(float); /* mean, variance, unbiased */
    return SNAP_OK;
}

static enum snap_status init(struct trn_layer *layer, struct trn_backend *backend,
                             struct snap_stream *host, struct snap_error *err)
{
    const size_t channels = layer->in.channels;
    const size_t size_bytes = channels * sizeof(float);
    enum snap_status status = SNAP_OK;
    float *values = calloc(channels, 2 * sizeof(float)); /* zeros, then ones */
    (void)host;
    if (!values) {
        return snap_error_set(err, SNAP_NO_MEMORY, "layer %s: initial weights: out of memory",
                              layer->name);
    }
    for (size_t i = 0; i < channels; i++) {
        values[channels + i] = 1.0f;
    }
    for (int i = GAMMA; i < BATCHES && status == SNAP_OK; i++) {
        const float *from = i == GAMMA || i == RUNNING_VAR ? values + channels : values;
        status = backend->ops->upload(backend, layer->tensors[i].data, from, size_bytes, err);
    }
    *(int64_t *)layer->tensors[BATCHES].data = 0;
    free(values);
    return status;
}

static struct trn_norm norm_of(const struct trn_layer *layer, size_t samples)
{
    const struct trn_norm norm = { samples * layer->in.height * layer->in.width,
                                   layer->in.channels, (float)layer->spec.eps };
    return norm;
}

/* By the one operator of a backend that has it: mean and 1 / deviation stay in the cache. */
static enum snap_status forward_in_one(struct trn_layer *layer, const struct trn_pass *pass,
                                       const float *x, float *y, struct snap_error *err)
{
    const struct trn_tensor *t = layer->tensors;
    struct trn_batchnorm all = { .norm = norm_of(layer, pass->samples),
                                 .x = x,
                                 .gamma = t[GAMMA].data,
                                 .beta = t[BETA].data,
                                 .momentum = (float)layer->spec.momentum,
                                 .y = y };
    all.mean = layer->cache;
    all.rs = all.mean + all.norm.columns;
    if (pass->shard == 0) {
        all.running_mean = t[RUNNING_MEAN].data;
        all.running_var = t[RUNNING_VAR].data;
        *(int64_t *)t[BATCHES].data += 1;
    }
    return pass->backend->ops->batchnorm_forward(pass->backend, &all, err);
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_ops *ops = pass->backend->ops;
    const struct trn_norm norm = norm_of(layer, pass->samples);
    const struct trn_tensor *t = layer->tensors;
    const float momentum = (float)layer->spec.momentum;
    float *mean = layer->cache, *var = mean + norm.columns, *unbiased = var + norm.columns;
    enum snap_status status;
    if (!pass->training) {
        return ops->norm_forward(pass->backend, &norm, x, t[RUNNING_MEAN].data,
                                 t[RUNNING_VAR].data, t[GAMMA].data, t[BETA].data, y, err);
    }
    if (ops->batchnorm_forward) {
        return forward_in_one(layer, pass, x, y, err);
    }
    status = ops->norm_statistics(pass->backend, &norm, x, mean, var, unbiased, err);
    if (status == SNAP_OK && pass->shard == 0) {
        status = ops->norm_running(pass->backend, norm.columns, momentum, mean,
                                   t[RUNNING_MEAN].data, err);
        if (status == SNAP_OK) {
            status = ops->norm_running(pass->backend, norm.columns, momentum, unbiased,
                                       t[RUNNING_VAR].data, err);
        }
        *(int64_t *)t[BATCHES].data += 1;
    }
    if (status != SNAP_OK) {
        return status;
    }
    return ops->norm_forward(pass->backend, &norm, x, mean, var, t[GAMMA].data, t[BETA].data, y,
                             err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_norm norm = norm_of(layer, pass->samples);
    float *mean = layer->cache, *var = mean + norm.columns;
    if (pass->backend->ops->batchnorm_backward) {
        const struct trn_batchnorm all = { .norm = norm,
                                           .x = x,
                                           .gamma = layer->tensors[GAMMA].data,
                                           .mean = mean,
                                           .rs = var };
        return pass->backend->ops->batchnorm_backward(pass->backend, &all, dy,
                                                      layer->shard_gradient[GAMMA],
                                                      layer->shard_gradient[BETA], dx, err);
    }
    return pass->backend->ops->norm_backward(pass->backend, &norm, x, mean, var,
                                             layer->tensors[GAMMA].data, dy,
                                             layer->shard_gradient[GAMMA],
                                             layer->shard_gradient[BETA], dx, err);
}

static size_t scalars(const struct trn_layer *layer, struct trn_scalar *scalars)
{
    trn_layer_scalar(layer, "eps", trn_f32_bits((float)layer->spec.eps), &scalars[0]);
    trn_layer_scalar(layer, "momentum", trn_f32_bits((float)layer->spec.momentum), &scalars[1]);
    return 2;
}

const struct trn_layer_type trn_batchnorm_layer = {
    .name = "batchnorm",
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .scalars = scalars,
};
