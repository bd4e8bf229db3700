/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    (void)err;
    layer->out = layer->in;
    return SNAP_OK;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    return pass->backend->ops->gelu_forward(pass->backend,
                                           pass->samples * trn_shape_count(layer->out), x, y, err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    return pass->backend->ops->gelu_backward(pass->backend,
                                            pass->samples * trn_shape_count(layer->out), x, dy, dx,
                                            err);
}

const struct trn_layer_type trn_gelu_layer = {
    .name = "gelu",
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
