/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of layer is to the model. A kind is one file with one `trn_layer_type`, and one row
 * in layer_registry.c. */
#ifndef TRN_LAYER_H
#define TRN_LAYER_H

#include "layers/model.h"

#define TRN_LAYER_MAX_TENSORS 5

/* The shape of one sample between two layers. A sequence has its places along the height, and
 * width 1. */
struct trn_shape {
    size_t height, width, channels;
    size_t vocabulary; /* not 0: the elements are tokens, whole numbers below it */
};

static inline size_t trn_shape_count(struct trn_shape shape)
{
    return shape.height * shape.width * shape.channels;
}

struct trn_layer {
    const struct trn_layer_type *type;
    char name[TRN_LAYER_NAME_SIZE];
    struct trn_layer_spec spec; /* its name points to `name` */
    uint32_t index;             /* in the model; the operator's id for the device stream */
    struct trn_shape in, out;

    /* Of a residual: the earlier layer whose output is added, and that output in this pass. */
    size_t source;
    const float *skipped;
    /* Of a layer that is such a source: the sum of what its residuals send back; model's. */
    bool has_residual, skip_begun;
    float *skip_gradient; /* (samples, out) */

    /* Filled by `plan` through trn_layer_add_tensor; data and gradients are the model's. */
    unsigned tensor_count;
    struct trn_tensor tensors[TRN_LAYER_MAX_TENSORS];
    /* Where `backward` writes the gradient of tensors[i]: the shard's, not yet the batch's. */
    float *shard_gradient[TRN_LAYER_MAX_TENSORS];

    /* Memory between forward and backward: `plan` says how much, the model owns it. */
    size_t cache_bytes;            /* once */
    size_t cache_bytes_per_sample; /* after that, for each sample */
    void *cache;
    float *output; /* (samples, out); NULL where the input is the output */
};

/* One pass over one shard. */
struct trn_pass {
    struct trn_backend *backend;
    size_t samples; /* >= 1 */
    bool training;
    unsigned shard;
    uint64_t first; /* index of the first sample in the logical batch */
    uint64_t device_seed;
    uint32_t device_counter;
};

struct trn_layer_type {
    const char *name; /* as configs write it */
    /* Check the spec against `in`; set `out`, tensors, cache sizes. */
    enum snap_status (*plan)(struct trn_layer *layer, struct snap_error *err);
    /* (optional, defaults to nothing) Tell the backend what passes of at most `samples` samples
     * will ask of it; `wants_dx`: they will want the gradient of the input. */
    enum snap_status (*prepare)(const struct trn_layer *layer, struct trn_backend *backend,
                                size_t samples, bool wants_dx, struct snap_error *err);
    /* (optional, defaults to nothing) Set the tensors to what a new torch module has. */
    enum snap_status (*init)(struct trn_layer *layer, struct trn_backend *backend,
                             struct snap_stream *host, struct snap_error *err);
    /* (optional, defaults to the input being the output) */
    enum snap_status (*forward)(struct trn_layer *layer, const struct trn_pass *pass,
                                const float *x, float *y, struct snap_error *err);
    /* (optional with forward) dx NULL: only the tensors' gradients are wanted. */
    enum snap_status (*backward)(struct trn_layer *layer, const struct trn_pass *pass,
                                 const float *x, const float *dy, float *dx,
                                 struct snap_error *err);
    /* (optional, defaults to none) Computed constants for trn_model_scalars; returns how many. */
    size_t (*scalars)(const struct trn_layer *layer, struct trn_scalar *scalars);
    bool identity_in_evaluation; /* the input is the output, out of training */
};

#define TRN_LAYER_MAX_SCALARS 2

/* The type of a kind; NULL when there is none. */
const struct trn_layer_type *trn_layer_type_of(enum trn_layer_kind kind);

/* Append "NAME.suffix" with the given shape to the layer's tensors. Layers have at most
 * TRN_LAYER_MAX_TENSORS. SNAP_INVALID when it is too large. */
enum snap_status trn_layer_add_tensor(struct trn_layer *layer, const char *suffix,
                                      enum trn_role role, enum trn_dtype dtype, unsigned rank,
                                      const size_t *shape, struct snap_error *err);

/* Fill in a window's default strides (1, or for `pooling` the kernel's size), check it against the
 * layer's input, and set `out`'s height and width, floor((size + 2 * padding - kernel) / stride)
 * + 1. Pooling may pad by half a kernel: a window of padding alone has no largest element. */
enum snap_status trn_layer_slide(struct trn_layer *layer, bool pooling, struct snap_error *err);

/* The convolution or pooling of `samples` samples, from the layer's shapes. */
struct trn_conv trn_layer_conv(const struct trn_layer *layer, size_t samples);

/* The vectors of `samples` samples: one for each place. */
static inline size_t trn_layer_vectors(const struct trn_layer *layer, size_t samples)
{
    return samples * layer->in.height * layer->in.width;
}

/* Set the scalar to NAME.suffix with the bits of `value`. */
void trn_layer_scalar(const struct trn_layer *layer, const char *suffix, uint32_t bits,
                      struct trn_scalar *scalar);

/* Draw a weight of `count` elements as kaiming_uniform_(a=sqrt(5)) and then, where `bias` is not
 * 0, that many elements as uniform_(+-1/sqrt(fan_in)): what torch.nn.Linear and torch.nn.Conv2d do
 * when they are made. Host memory. */
enum snap_status trn_torch_init(struct snap_stream *host, size_t fan_in, float *weight,
                                size_t count, float *bias, size_t bias_count,
                                struct snap_error *err);

/* Add the tensor "weight" (rows, width), and fill it as torch.nn.Embedding does when it is made:
 * normal_(0, 1). */
enum snap_status trn_layer_add_table(struct trn_layer *layer, size_t rows, size_t width,
                                     struct snap_error *err);
enum snap_status trn_layer_init_table(struct trn_layer *layer, struct trn_backend *backend,
                                      struct snap_stream *host, struct snap_error *err);

extern const struct trn_layer_type trn_linear_layer, trn_conv2d_layer, trn_batchnorm_layer,
    trn_maxpool_layer, trn_avgpool_layer, trn_relu_layer, trn_gelu_layer, trn_dropout_layer,
    trn_flatten_layer, trn_embedding_layer, trn_position_layer, trn_layernorm_layer,
    trn_attention_layer, trn_residual_layer;

#endif
