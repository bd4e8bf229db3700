/* SPDX-License-Identifier: Apache-2.0 */
/* A learned vector for each place of a sequence, added to what is there: torch.nn.Embedding over
 * the places. */
#include "config.h"

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    layer->out = layer->in;
    return trn_layer_add_table(layer, layer->in.height * layer->in.width, layer->in.channels, err);
}

static struct trn_embedding embedding_of(const struct trn_layer *layer, size_t samples)
{
    const struct trn_embedding embedding = { trn_layer_vectors(layer, samples),
                                             trn_layer_vectors(layer, 1), layer->in.channels,
                                             NULL };
    return embedding;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_embedding embedding = embedding_of(layer, pass->samples);
    return pass->backend->ops->embedding_forward(pass->backend, &embedding,
                                                 layer->tensors[0].data, x, y, err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_ops *ops = pass->backend->ops;
    const struct trn_embedding embedding = embedding_of(layer, pass->samples);
    const enum snap_status status =
        ops->embedding_backward(pass->backend, &embedding, dy, layer->shard_gradient[0], err);
    (void)x;
    if (status != SNAP_OK || !dx) {
        return status;
    }
    return ops->copy(pass->backend, dx, dy,
                     pass->samples * trn_shape_count(layer->in) * sizeof(float), err);
}

const struct trn_layer_type trn_position_layer = {
    .name = "position",
    .plan = plan,
    .init = trn_layer_init_table,
    .forward = forward,
    .backward = backward,
};
