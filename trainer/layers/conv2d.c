/* SPDX-License-Identifier: Apache-2.0 */
/* Two-dimensional convolution (cross-correlation, as torch.nn.Conv2d), NHWC, w (oc, r, s, c). */
#include "config.h"

#include <stdlib.h>

#include "layers/layer.h"

static enum snap_status plan(struct trn_layer *layer, struct snap_error *err)
{
    const struct trn_window *w = &layer->spec.window;
    const size_t shape[4] = { layer->spec.features, w->kernel_h, w->kernel_w, layer->in.channels };
    enum snap_status status = trn_layer_slide(layer, false, err);
    if (status == SNAP_OK) {
        layer->out.channels = layer->spec.features;
        status = trn_layer_add_tensor(layer, "weight", TRN_PARAMETER, TRN_F32, 4, shape, err);
    }
    if (status == SNAP_OK && layer->spec.bias) {
        status = trn_layer_add_tensor(layer, "bias", TRN_PARAMETER, TRN_F32, 1, shape, err);
    }
    return status;
}

static enum snap_status prepare(const struct trn_layer *layer, struct trn_backend *backend,
                                size_t samples, bool wants_dx, struct snap_error *err)
{
    const struct trn_conv conv = trn_layer_conv(layer, samples);
    if (!backend->ops->plan_conv) {
        return SNAP_OK;
    }
    return backend->ops->plan_conv(backend, layer->name, &conv, wants_dx, err);
}

/* torch draws in its own order, (oc, c, r, s). */
static enum snap_status init(struct trn_layer *layer, struct trn_backend *backend,
                             struct snap_stream *host, struct snap_error *err)
{
    const struct trn_tensor *weight = &layer->tensors[0];
    const size_t taps = weight->shape[1] * weight->shape[2], channels = weight->shape[3];
    const size_t bias_count = layer->spec.bias ? weight->shape[0] : 0;
    enum snap_status status;
    float *drawn = malloc((2 * weight->count + bias_count) * sizeof(float));
    float *stored;
    if (!drawn) {
        return snap_error_set(err, SNAP_NO_MEMORY, "layer %s: initial weights: out of memory",
                              layer->name);
    }
    stored = drawn + weight->count + bias_count;
    status = trn_torch_init(host, taps * channels, drawn, weight->count, drawn + weight->count,
                            bias_count, err);
    if (status == SNAP_OK) {
        for (size_t oc = 0; oc < weight->shape[0]; oc++) {
            for (size_t tap = 0; tap < taps; tap++) {
                for (size_t c = 0; c < channels; c++) {
                    stored[(oc * taps + tap) * channels + c] =
                        drawn[(oc * channels + c) * taps + tap];
                }
            }
        }
        status = backend->ops->upload(backend, weight->data, stored,
                                      weight->count * sizeof(float), err);
    }
    if (status == SNAP_OK && bias_count) {
        status = backend->ops->upload(backend, layer->tensors[1].data, drawn + weight->count,
                                      bias_count * sizeof(float), err);
    }
    free(drawn);
    return status;
}

static enum snap_status forward(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err)
{
    const struct trn_conv conv = trn_layer_conv(layer, pass->samples);
    return pass->backend->ops->conv_forward(pass->backend, &conv, x, layer->tensors[0].data,
                                            layer->spec.bias ? layer->tensors[1].data : NULL, y,
                                            err);
}

static enum snap_status backward(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err)
{
    const struct trn_ops *ops = pass->backend->ops;
    const struct trn_conv conv = trn_layer_conv(layer, pass->samples);
    enum snap_status status = ops->conv_weight_gradient(pass->backend, &conv, dy, x,
                                                        layer->shard_gradient[0], err);
    if (status == SNAP_OK && layer->spec.bias) {
        status = ops->column_sum(pass->backend, dy, conv.n * conv.oh * conv.ow, conv.oc,
                                 layer->shard_gradient[1], err);
    }
    if (status == SNAP_OK && dx) {
        status = ops->conv_data_gradient(pass->backend, &conv, dy, layer->tensors[0].data, dx,
                                         err);
    }
    return status;
}

const struct trn_layer_type trn_conv2d_layer = {
    .name = "conv2d",
    .plan = plan,
    .prepare = prepare,
    .init = init,
    .forward = forward,
    .backward = backward,
};
