/* SPDX-License-Identifier: Apache-2.0 */
/* An image as a vector, in the order of its memory: height, width, channels. No data moves. */
#include "config.h"

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    (void)err;
    layer->out = (struct trn_shape){ 1, 1, trn_shape_count(layer->in), 0 };
    return SNAP_OK;
}

const struct trn_layer_type trn_flatten_layer = {
    .name = "flatten",
    .plan = plan,
};
