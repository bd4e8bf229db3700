/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisation over the channels of each place: torch.nn.LayerNorm(channels). */
#include "config.h"

#include <stdlib.h>

#include "layers/layer.h"

/* In `tensors`. */
enum { GAMMA, BETA };

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    static const char *const suffixes[] = { "weight", "bias" };
    if (!(layer->spec.eps > 0.0 && layer->spec.eps < 1.0)) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: eps must be more than 0 and less than 1", layer->name);
    }
    layer->out = layer->in;
    for (int i = GAMMA; i <= BETA; i++) {
        const enum snap_status status = trn_layer_add_tensor(
            layer, suffixes[i], TRN_PARAMETER, TRN_F32, 1, &layer->in.channels, err);
        if (status != SNAP_OK) {
            return status;
        }
    }
    /* mean and 1 / deviation of each vector */
    layer->cache_bytes_per_sample = 2 * trn_layer_vectors(layer, 1) * sizeof(float);
    return SNAP_OK;
}

static enum snap_status init(struct trn_layer *layer, struct trn_backend *backend,
                             struct snap_stream *host, struct snap_error *err)
{
    const size_t channels = layer->in.channels;
    enum snap_status status;
    float *values = calloc(channels, 2 * sizeof(float)); /* zeros, then ones */
    (void)host;
    if (!values) {
        return snap_error_set(err, SNAP_NO_MEMORY, "layer %s: initial weights: out of memory",
                              layer->name);
    }
    for (size_t i = 0; i < channels; i++) {
        values[channels + i] = 1.0f;
    }
    status = backend->ops->upload(backend, layer->tensors[GAMMA].data, values + channels,
                                  channels * sizeof(float), err);
    if (status == SNAP_OK) {
        status = backend->ops->upload(backend, layer->tensors[BETA].data, values,
                                      channels * sizeof(float), err);
    }
    free(values);
    return status;
}

static struct trn_norm norm_of(const struct trn_layer *layer, size_t samples)
{
    const struct trn_norm norm = { trn_layer_vectors(layer, samples), layer->in.channels,
                                   (float)layer->spec.eps };
    return norm;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_norm norm = norm_of(layer, pass->samples);
    float *mean = layer->cache, *rs = mean + norm.rows;
    return pass->backend->ops->layernorm_forward(pass->backend, &norm, x,
                                                 layer->tensors[GAMMA].data,
                                                 layer->tensors[BETA].data, mean, rs, y, err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_norm norm = norm_of(layer, pass->samples);
    const float *mean = layer->cache, *rs = mean + norm.rows;
    return pass->backend->ops->layernorm_backward(pass->backend, &norm, x, mean, rs,
                                                  layer->tensors[GAMMA].data, dy,
                                                  layer->shard_gradient[GAMMA],
                                                  layer->shard_gradient[BETA], dx, err);
}

static size_t scalars(const struct trn_layer *layer, struct trn_scalar *scalars)
{
    trn_layer_scalar(layer, "eps", trn_f32_bits((float)layer->spec.eps), &scalars[0]);
    return 1;
}

const struct trn_layer_type trn_layernorm_layer = {
    .name = "layernorm",
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
    .scalars = scalars,
};
