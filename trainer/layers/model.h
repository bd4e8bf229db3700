/* SPDX-License-Identifier: Apache-2.0 */
/* A model: a list of layers with softmax cross-entropy at its end. Activations are NHWC; the
 * weights of a convolution are (out, r, s, in), those of a linear layer (out, in). A sample is an
 * image, a vector, or a sequence of places, of which each has a label. Which threads or kernels do
 * the work changes no bit. */
#ifndef TRN_MODEL_H
#define TRN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>
#include <snapstate/stream.h>

#include "ops/ops.h"
#include "ops/scalar.h"
#include "ops/tensor.h"

/* Bounds on what a config may ask for, so that no size computed from it overflows. */
#define TRN_MODEL_MAX_LAYERS 1000u
#define TRN_MODEL_MAX_SHARDS 4096u
#define TRN_LAYER_NAME_SIZE 64 /* with its terminator */
/* Elements of one sample between two layers, and of one parameter. */
#define TRN_MODEL_MAX_ELEMENTS ((size_t)1 << 30)

enum trn_layer_kind {
    TRN_LAYER_LINEAR,
    TRN_LAYER_CONV2D,
    TRN_LAYER_BATCHNORM,
    TRN_LAYER_MAXPOOL,
    TRN_LAYER_AVGPOOL,
    TRN_LAYER_RELU,
    TRN_LAYER_GELU,
    TRN_LAYER_DROPOUT,
    TRN_LAYER_FLATTEN,
    TRN_LAYER_EMBEDDING,
    TRN_LAYER_POSITION,
    TRN_LAYER_LAYERNORM,
    TRN_LAYER_ATTENTION,
    TRN_LAYER_RESIDUAL,
    TRN_LAYER_KINDS /* how many there are */
};

struct trn_layer_spec {
    enum trn_layer_kind kind;
    const char *name; /* letters, digits, '_', and '.' between them; unique; begins its tensors'
                       * names; copied */
    size_t features;  /* linear: outputs; conv2d: output channels; embedding: width */
    bool bias;        /* linear, conv2d */
    struct trn_window window; /* conv2d, maxpool, avgpool; a stride of 0 means the kernel's size
                               * for pooling and 1 for conv2d */
    double eps, momentum;     /* batchnorm; torch has 1e-5 and 0.1; layernorm: eps */
    double probability;       /* dropout: 0 <= p < 1, the share that is dropped */
    size_t heads;             /* attention */
    const char *from;         /* residual: the name of an earlier layer; borrowed by
                               * trn_model_new */
};

struct trn_model_options {
    size_t size_bytes; /* sizeof(struct trn_model_options) */
    const struct trn_layer_spec *layers;
    size_t layer_count;
    size_t height, width, channels; /* of one sample; a plain vector is 1 x 1 x channels */
    size_t vocabulary;              /* not 0: inputs are tokens, whole numbers below it */
    size_t places;                  /* labels of a sample: one for each place of a sequence */
    size_t classes;                 /* what the last layer must put out for each of them */
    size_t max_batch;               /* most samples of a logical batch */
    unsigned shards;                /* L >= 1 */
};

#define TRN_MODEL_OPTIONS_INIT \
    { .size_bytes = sizeof(struct trn_model_options), .places = 1, .shards = 1 }

struct trn_model;

/* One shard of a logical batch. */
struct trn_shard {
    const float *inputs;   /* host, (samples, height, width, channels); borrowed for the call */
    const int32_t *labels; /* host, (samples, places), 0 <= label < classes; borrowed likewise */
    size_t samples;        /* of this shard; may be 0 */
    size_t first;          /* index of its first sample in the logical batch */
    size_t batch;          /* samples of the whole logical batch */
    unsigned index;        /* 0 <= index < L */
    uint64_t device_seed;  /* of the device stream */
    uint32_t device_counter; /* n: the stream's counter for this step, the same for all shards */
    size_t *correct;       /* gets more by the labels that are the largest logit (the first of
                            * equals); NULL: nobody asks */
};

enum trn_nonfinite_class { TRN_NAN, TRN_PLUS_INF, TRN_MINUS_INF };

/* The first NaN or Inf found: in the loss, then the gradients, then the parameters and buffers,
 * each in the order of the tensor list. */
struct trn_nonfinite {
    char where[TRN_TENSOR_NAME_SIZE + 16]; /* "loss", "gradient of conv1.weight", "conv1.weight" */
    const char *class_name;                /* "nan", "+inf", "-inf"; static */
    enum trn_nonfinite_class class_code;
    size_t index; /* element in the tensor */
};

/* The name of a layer kind in configs ("conv2d"), and the kind of that name; false: none. */
const char *trn_layer_kind_name(enum trn_layer_kind kind);
bool trn_layer_kind_parse(const char *name, enum trn_layer_kind *kind);

/* Check the layers against each other and allocate. The model borrows `backend` until it is freed.
 * All tensors are zero until trn_model_init or a restore. SNAP_INVALID names the layer and what was
 * expected. */
enum snap_status trn_model_new(const struct trn_model_options *options, struct trn_backend *backend,
                               struct trn_model **model, struct snap_error *err);
void trn_model_free(struct trn_model *model); /* NULL is fine */

/* The parameters and buffers in the order of a torch state_dict: by layer, and in a layer weight,
 * bias, running_mean, running_var, num_batches_tracked. Borrowed until the model is freed. */
size_t trn_model_tensor_count(const struct trn_model *model);
const struct trn_tensor *trn_model_tensors(const struct trn_model *model);

/* Draw the initial weights as torch.nn.Linear, torch.nn.Conv2d and torch.nn.Embedding do, layer by
 * layer, from `host`, and set everything else as it is in a new torch module. */
enum snap_status trn_model_init(struct trn_model *model, struct snap_stream *host,
                                struct snap_error *err);

/* Samples first..first+count-1 of a logical batch of `batch` belong to shard `index` of `shards`:
 * floor(index * batch / shards) up to floor((index + 1) * batch / shards). */
void trn_shard_range(size_t batch, unsigned shards, unsigned index, size_t *first, size_t *count);

/* The most samples that one call may give, and the labels of each. */
size_t trn_model_capacity(const struct trn_model *model);
size_t trn_model_places(const struct trn_model *model);

/* Forward and backward pass of one shard, in training. Shards come in ascending order, each one
 * once, the empty ones too; shard 0 begins a new logical batch and drops the gradients and loss of
 * the last one. After shard L-1 every parameter's `gradient` holds ((g_0 + g_1) + g_2) + ... and
 * trn_model_loss the sum of the losses likewise. Running statistics move with shard 0 alone. */
enum snap_status trn_model_forward_backward(struct trn_model *model, const struct trn_shard *shard,
                                            struct snap_error *err);

/* The same for one shard alone, whichever comes: what it adds to each gradient, in the order of the
 * tensor list, and to the loss, which is last. `gradient` is host memory, (gradient_count); that of
 * a shard without samples is -0.0 throughout, which changes no sum. */
size_t trn_model_gradient_count(const struct trn_model *model);
enum snap_status trn_model_shard_gradient(struct trn_model *model, const struct trn_shard *shard,
                                          float *gradient, struct snap_error *err);
/* The sum over all shards, in their order, as if they had all been made here. */
enum snap_status trn_model_set_gradient(struct trn_model *model, const float *gradient,
                                        struct snap_error *err);

/* The loss of the logical batch, after its last shard. */
float trn_model_loss(const struct trn_model *model);

/* Forward pass without dropout and with running statistics; nothing in the state changes. Writes
 * the loss of each label into `losses` (host, (samples, places)) and adds the number of labels that
 * are the largest logit (the first of equals) to `*correct`. At most trn_model_capacity samples;
 * how a data set is cut into calls changes no loss. */
enum snap_status trn_model_evaluate(struct trn_model *model, const float *inputs,
                                    const int32_t *labels, size_t samples, float *losses,
                                    size_t *correct, struct snap_error *err);

/* The mean of n losses (host): RED times 1/n; 0 for none. */
enum snap_status trn_model_mean_loss(struct trn_model *model, const float *losses, size_t n,
                                     float *mean, struct snap_error *err);

/* To be called between the last shard and the update. SNAP_NONFINITE: `found` (may be NULL) says
 * what the error's text says. */
enum snap_status trn_model_check_finite(struct trn_model *model, struct trn_nonfinite *found,
                                        struct snap_error *err);

/* The model's computed constants, for the step record: dropout scales and thresholds, eps and
 * momentum as f32. Copies up to `capacity` into `scalars` and returns how many there are. */
size_t trn_model_scalars(const struct trn_model *model, struct trn_scalar *scalars,
                         size_t capacity);

#endif
