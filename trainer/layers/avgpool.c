/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling; padding counts as zeros in the mean, as torch's default has it. */
#include "config.h"

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    layer->out.channels = layer->in.channels;
    return trn_layer_slide(layer, true, err);
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_conv conv = trn_layer_conv(layer, pass->samples);
    return pass->backend->ops->avgpool_forward(pass->backend, &conv, x, y, err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_conv conv = trn_layer_conv(layer, pass->samples);
    return pass->backend->ops->avgpool_backward(pass->backend, &conv, x, layer->output, dy, dx,
                                                err);
}

const struct trn_layer_type trn_avgpool_layer = {
    .name = "avgpool",
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
