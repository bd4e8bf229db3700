/* SPDX-License-Identifier: Apache-2.0 */
/* A vector for each token: torch.nn.Embedding. */
#include "config.h"

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    if (layer->in.vocabulary == 0) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: embedding takes tokens, its input is numbers: expected it "
                              "as the first layer, and data of format text", layer->name);
    }
    layer->out = layer->in;
    layer->out.vocabulary = 0;
    layer->out.channels = layer->spec.features;
    return trn_layer_add_table(layer, layer->in.vocabulary, layer->spec.features, err);
}

static struct trn_embedding embedding_of(const struct trn_layer *layer, size_t samples,
                                         const float *x)
{
    const struct trn_embedding embedding = { trn_layer_vectors(layer, samples),
                                             layer->in.vocabulary, layer->out.channels, x };
    return embedding;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_embedding embedding = embedding_of(layer, pass->samples, x);
    return pass->backend->ops->embedding_forward(pass->backend, &embedding,
                                                 layer->tensors[0].data, NULL, y, err);
}

/* Tokens have no gradient: dx is never wanted, because nothing before this layer is trained. */
static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_embedding embedding = embedding_of(layer, pass->samples, x);
    (void)dx;
    return pass->backend->ops->embedding_backward(pass->backend, &embedding, dy,
                                                  layer->shard_gradient[0], err);
}

const struct trn_layer_type trn_embedding_layer = {
    .name = "embedding",
    .plan = plan,
    .init = trn_layer_init_table,
    .forward = forward,
    .backward = backward,
};
