/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout from the device stream: an element's word depends on seed, counter, layer and its index
 * in the logical batch, and on nothing that says how the work was shared. */
#include "config.h"

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    if (!(layer->spec.probability >= 0.0 && layer->spec.probability < 1.0)) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: probability must be at least 0 and less than 1",
                              layer->name);
    }
    layer->out = layer->in;
    layer->cache_bytes_per_sample = trn_shape_count(layer->in); /* the mask */
    return SNAP_OK;
}

/* p * 2^32 is exact in a double; the integer below it is the threshold. */
static uint32_t threshold(const struct trn_layer *layer)
{
    return (uint32_t)(layer->spec.probability * 4294967296.0);
}

static float keep_scale(const struct trn_layer *layer)
{
    return (float)(1.0 / (1.0 - layer->spec.probability));
}

static struct trn_dropout dropout_of(const struct trn_layer *layer, const struct trn_pass *pass)
{
    const struct trn_dropout dropout = {
        .first = pass->first * trn_shape_count(layer->in),
        .seed = pass->device_seed,
        .counter = pass->device_counter,
        .op = layer->index,
        .threshold = threshold(layer),
        .scale = keep_scale(layer),
        .probability = (float)layer->spec.probability,
    };
    return dropout;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_dropout dropout = dropout_of(layer, pass);
    return pass->backend->ops->dropout_forward(pass->backend, &dropout,
                                               pass->samples * trn_shape_count(layer->in), x, y,
                                               layer->cache, err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_dropout dropout = dropout_of(layer, pass);
    (void)x;
    return pass->backend->ops->dropout_backward(pass->backend, &dropout,
                                                pass->samples * trn_shape_count(layer->in),
                                                layer->cache, dy, dx, err);
}

static size_t scalars(const struct trn_layer *layer, struct trn_scalar *scalars)
{
    trn_layer_scalar(layer, "threshold", threshold(layer), &scalars[0]);
    trn_layer_scalar(layer, "scale", trn_f32_bits(keep_scale(layer)), &scalars[1]);
    return 2;
}

const struct trn_layer_type trn_dropout_layer = {
    .name = "dropout",
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .scalars = scalars,
    .identity_in_evaluation = true,
};
