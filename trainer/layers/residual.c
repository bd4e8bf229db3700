/* SPDX-License-Identifier: Apache-2.0 */
/* The input plus the output of an earlier layer. Its gradient goes on as it is to both: the model
 * keeps the part of the earlier layer until it comes to it (model_pass.c). */
#include "config.h"

#include "layers/layer.h"

/* The model has found the source and put its shape in `out`. */
static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    const struct trn_shape in = layer->in, from = layer->out;
    if (in.height != from.height || in.width != from.width || in.channels != from.channels) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: its input is %zu x %zu x %zu and layer %s puts out "
                              "%zu x %zu x %zu: expected one shape", layer->name, in.height,
                              in.width, in.channels, layer->spec.from, from.height, from.width,
                              from.channels);
    }
    return SNAP_OK;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const size_t count = pass->samples * trn_shape_count(layer->out);
    const enum snap_status status =
        pass->backend->ops->copy(pass->backend, y, x, count * sizeof(float), err);
    if (status != SNAP_OK) {
        return status;
    }
    return pass->backend->ops->add(pass->backend, count, layer->skipped, y, err);
}

const struct trn_layer_type trn_residual_layer = {
    .name = "residual",
    .plan = plan,
    .forward = forward,
};
