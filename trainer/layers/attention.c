/* SPDX-License-Identifier: Apache-2.0 */
/* Causal self-attention over the places of a sequence. Its input holds queries, keys and values
 * beside each other, as a linear layer of three times the width puts them out (GPT-2's c_attn); it
 * has no parameters of its own. */
#include "config.h"

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    const size_t heads = layer->spec.heads, channels = layer->in.channels;
    if (layer->in.width != 1) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: attention takes a sequence, its input is %zu x %zu x %zu",
                              layer->name, layer->in.height, layer->in.width, channels);
    }
    if (channels % 3 != 0) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: attention takes queries, keys and values beside each "
                              "other: %zu channels are not three times a width", layer->name,
                              channels);
    }
    if (heads == 0 || channels / 3 % heads != 0) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: %zu heads do not divide a width of %zu: expected a "
                              "divisor of it", layer->name, heads, channels / 3);
    }
    layer->out = layer->in;
    layer->out.channels = channels / 3;
    if (layer->in.height > TRN_MODEL_MAX_ELEMENTS / layer->in.height / heads) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: %zu heads over %zu places: the weights of a sample would "
                              "be more than %zu elements", layer->name, heads, layer->in.height,
                              TRN_MODEL_MAX_ELEMENTS);
    }
    /* the weights */
    layer->cache_bytes_per_sample = heads * layer->in.height * layer->in.height * sizeof(float);
    return SNAP_OK;
}

/* 1 / sqrt(width of a head), computed in f64. */
static float product_scale(const struct trn_layer *layer)
{
    const double width = (double)(layer->out.channels / layer->spec.heads);
    return (float)(1.0 / __builtin_sqrt(width));
}

static struct trn_attention attention_of(const struct trn_layer *layer, size_t samples)
{
    const struct trn_attention attention = {
        .samples = samples,
        .places = layer->in.height,
        .heads = layer->spec.heads,
        .width = layer->out.channels / layer->spec.heads,
        .scale = product_scale(layer),
    };
    return attention;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_attention attention = attention_of(layer, pass->samples);
    return pass->backend->ops->attention_forward(pass->backend, &attention, x, layer->cache, y,
                                                 err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_attention attention = attention_of(layer, pass->samples);
    return pass->backend->ops->attention_backward(pass->backend, &attention, x, layer->cache, dy,
                                                  dx, err);
}

static size_t scalars(const struct trn_layer *layer, struct trn_scalar *scalars)
{
    trn_layer_scalar(layer, "scale", trn_f32_bits(product_scale(layer)), &scalars[0]);
    return 1;
}

const struct trn_layer_type trn_attention_layer = {
    .name = "attention",
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .scalars = scalars,
};
