/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    layer->out.channels = layer->in.channels;
    const enum snap_status status = trn_layer_slide(layer, true, err);
    if (status == SNAP_OK) {
        layer->cache_bytes_per_sample = trn_shape_count(layer->out) * sizeof(int32_t);
    }
    return status;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_conv conv = trn_layer_conv(layer, pass->samples);
    return pass->backend->ops->maxpool_forward(pass->backend, &conv, x, y, layer->cache, err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_conv conv = trn_layer_conv(layer, pass->samples);
    return pass->backend->ops->maxpool_backward(pass->backend, &conv, x, layer->output,
                                                layer->cache, dy, dx, err);
}

const struct trn_layer_type trn_maxpool_layer = {
    .name = "maxpool",
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
