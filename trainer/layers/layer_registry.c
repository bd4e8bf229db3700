/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of layers, and what several of them share. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "layers/layer.h"

static const struct trn_layer_type *const types[TRN_LAYER_KINDS] = {
    [TRN_LAYER_LINEAR] = &trn_linear_layer,       [TRN_LAYER_CONV2D] = &trn_conv2d_layer,
    [TRN_LAYER_BATCHNORM] = &trn_batchnorm_layer, [TRN_LAYER_MAXPOOL] = &trn_maxpool_layer,
    [TRN_LAYER_AVGPOOL] = &trn_avgpool_layer,     [TRN_LAYER_RELU] = &trn_relu_layer,
    [TRN_LAYER_GELU] = &trn_gelu_layer,           [TRN_LAYER_DROPOUT] = &trn_dropout_layer,
    [TRN_LAYER_FLATTEN] = &trn_flatten_layer,     [TRN_LAYER_EMBEDDING] = &trn_embedding_layer,
    [TRN_LAYER_POSITION] = &trn_position_layer,   [TRN_LAYER_LAYERNORM] = &trn_layernorm_layer,
    [TRN_LAYER_ATTENTION] = &trn_attention_layer, [TRN_LAYER_RESIDUAL] = &trn_residual_layer,
};

const struct trn_layer_type *trn_layer_type_of(enum trn_layer_kind kind)
{
    return (unsigned)kind < TRN_LAYER_KINDS ? types[kind] : NULL;
}

const char *trn_layer_kind_name(enum trn_layer_kind kind)
{
    const struct trn_layer_type *type = trn_layer_type_of(kind);
    return type ? type->name : "unknown";
}

bool trn_layer_kind_parse(const char *name, enum trn_layer_kind *kind)
{
    for (unsigned k = 0; k < TRN_LAYER_KINDS; k++) {
        if (strcmp(types[k]->name, name) == 0) {
            *kind = (enum trn_layer_kind)k;
            return true;
        }
    }
    return false;
}

enum snap_status trn_layer_add_tensor(struct trn_layer *layer, const char *suffix,
                                      enum trn_role role, enum trn_dtype dtype, unsigned rank,
                                      const size_t *shape, struct snap_error *err)
{
    struct trn_tensor *tensor = &layer->tensors[layer->tensor_count];
    size_t count = 1;
    for (unsigned i = 0; i < rank; i++) {
        if (shape[i] == 0 || count > TRN_MODEL_MAX_ELEMENTS / shape[i]) {
            return snap_error_set(err, SNAP_INVALID,
                                  "layer %s: its %s would have more than %zu elements, or none",
                                  layer->name, suffix, TRN_MODEL_MAX_ELEMENTS);
        }
        count *= shape[i];
        tensor->shape[i] = shape[i];
    }
    snprintf(tensor->name, sizeof(tensor->name), "%s.%s", layer->name, suffix);
    tensor->role = role;
    tensor->dtype = dtype;
    tensor->rank = rank;
    tensor->count = count;
    layer->tensor_count++;
    return SNAP_OK;
}

/* One axis. */
static enum snap_status slide(const char *layer, const char *axis, bool pooling, size_t size,
                              size_t kernel, size_t *stride, size_t padding, size_t *out,
                              struct snap_error *err)
{
    const size_t most = pooling ? kernel / 2 : TRN_MODEL_MAX_ELEMENTS;
    *stride = *stride ? *stride : pooling ? kernel : 1;
    if (kernel == 0 || kernel > TRN_MODEL_MAX_ELEMENTS || *stride > TRN_MODEL_MAX_ELEMENTS) {
        return snap_error_set(err, SNAP_INVALID, "layer %s: kernel %s %zu: expected 1 to %zu",
                              layer, axis, kernel, TRN_MODEL_MAX_ELEMENTS);
    }
    if (padding > most) {
        return snap_error_set(err, SNAP_INVALID, "layer %s: padding %zu: at most %zu%s", layer,
                              padding, most, pooling ? ", half the kernel" : "");
    }
    if (size + 2 * padding < kernel) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: kernel %s %zu is larger than its input, %zu with padding",
                              layer, axis, kernel, size + 2 * padding);
    }
    *out = (size + 2 * padding - kernel) / *stride + 1;
    return SNAP_OK;
}

enum snap_status trn_layer_slide(struct trn_layer *layer, bool pooling, struct snap_error *err)
{
    struct trn_window *w = &layer->spec.window;
    const enum snap_status status =
        slide(layer->name, "height", pooling, layer->in.height, w->kernel_h, &w->stride_h,
              w->padding_h, &layer->out.height, err);
    if (status != SNAP_OK) {
        return status;
    }
    return slide(layer->name, "width", pooling, layer->in.width, w->kernel_w, &w->stride_w,
                 w->padding_w, &layer->out.width, err);
}

struct trn_conv trn_layer_conv(const struct trn_layer *layer, size_t samples)
{
    const struct trn_conv conv = {
        .n = samples,
        .h = layer->in.height,
        .w = layer->in.width,
        .c = layer->in.channels,
        .oh = layer->out.height,
        .ow = layer->out.width,
        .oc = layer->out.channels,
        .window = layer->spec.window,
    };
    return conv;
}

void trn_layer_scalar(const struct trn_layer *layer, const char *suffix, uint32_t bits,
                      struct trn_scalar *scalar)
{
    snprintf(scalar->name, sizeof(scalar->name), "%s.%s", layer->name, suffix);
    scalar->width_bits = 32;
    scalar->bits = bits;
}
