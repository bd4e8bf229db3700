/* SPDX-License-Identifier: Apache-2.0 */
/* y (vectors, out) = x (vectors, in) w^T + b, w (out, in); a sequence has a vector for each
 * place. */
#include "config.h"

#include <stdlib.h>

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    const size_t shape[2] = { layer->spec.features, layer->in.channels };
    enum snap_status status;
    if (layer->in.width != 1) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: linear takes vectors, its input is %zu x %zu x %zu: put "
                              "a flatten layer before it",
                              layer->name, layer->in.height, layer->in.width, layer->in.channels);
    }
    layer->out = layer->in;
    layer->out.channels = layer->spec.features;
    status = trn_layer_add_tensor(layer, "weight", TRN_PARAMETER, TRN_F32, 2, shape, err);
    if (status == SNAP_OK && layer->spec.bias) {
        status = trn_layer_add_tensor(layer, "bias", TRN_PARAMETER, TRN_F32, 1, shape, err);
    }
    return status;
}

static enum snap_status init(struct trn_layer *layer, struct trn_backend *backend,
                             struct snap_stream *host, struct snap_error *err)
{
    const size_t count = layer->tensors[0].count;
    const size_t bias_count = layer->spec.bias ? layer->spec.features : 0;
    enum snap_status status;
    float *drawn = malloc((count + bias_count) * sizeof(float));
    if (!drawn) {
        return snap_error_set(err, SNAP_NO_MEMORY, "layer %s: initial weights: out of memory",
                              layer->name);
    }
    status = trn_torch_init(host, layer->in.channels, drawn, count, drawn + count, bias_count, err);
    if (status == SNAP_OK) {
        status = backend->ops->upload(backend, layer->tensors[0].data, drawn,
                                      count * sizeof(float), err);
    }
    if (status == SNAP_OK && bias_count) {
        status = backend->ops->upload(backend, layer->tensors[1].data, drawn + count,
                                      bias_count * sizeof(float), err);
    }
    free(drawn);
    return status;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_matmul product = {
        .transpose = TRN_NT,
        .m = trn_layer_vectors(layer, pass->samples),
        .n = layer->out.channels,
        .k = layer->in.channels,
        .a = x,
        .b = layer->tensors[0].data,
        .bias = layer->spec.bias ? layer->tensors[1].data : NULL,
        .out = y,
    };
    return pass->backend->ops->matmul(pass->backend, &product, err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_ops *ops = pass->backend->ops;
    const struct trn_matmul for_weight = {
        .transpose = TRN_TN,
        .m = layer->out.channels,
        .n = layer->in.channels,
        .k = trn_layer_vectors(layer, pass->samples),
        .a = dy,
        .b = x,
        .out = layer->shard_gradient[0],
    };
    const struct trn_matmul for_input = {
        .transpose = TRN_NN,
        .m = trn_layer_vectors(layer, pass->samples),
        .n = layer->in.channels,
        .k = layer->out.channels,
        .a = dy,
        .b = layer->tensors[0].data,
        .out = dx,
    };
    enum snap_status status = ops->matmul(pass->backend, &for_weight, err);
    if (status == SNAP_OK && layer->spec.bias) {
        status = ops->column_sum(pass->backend, dy, trn_layer_vectors(layer, pass->samples),
                                 layer->out.channels, layer->shard_gradient[1], err);
    }
    if (status == SNAP_OK && dx) {
        status = ops->matmul(pass->backend, &for_input, err);
    }
    return status;
}

const struct trn_layer_type trn_linear_layer = {
    .name = "linear",
    .plan = plan,
    .init = init,
    .forward = forward,
    .backward = backward,
};
