/* SPDX-License-Identifier: Apache-2.0 */
/* The model's insides, for model.c (its making), model_pass.c and
 * model_shard.c (its work), model_check.c. */
#ifndef TRN_MODEL_INTERNAL_H
#define TRN_MODEL_INTERNAL_H

#include "layers/layer.h"

struct trn_model {
    struct trn_backend *backend;
    size_t layer_count;
    struct trn_layer *layers;
    struct trn_shape input;
    size_t places, classes; /* the last layer puts out places x 1 x classes */
    size_t max_batch, capacity;
    unsigned shards;

    size_t tensor_count;
    struct trn_tensor *tensors; /* the layers' tensors, in order */
    size_t first_trained;       /* the first layer with parameters; layer_count: none */

    /* Backend memory. */
    float *inputs;               /* (capacity, input) */
    int32_t *labels, *best;      /* (capacity, places) */
    float *losses;               /* (capacity, places) */
    float *logits_gradient;      /* (capacity, places, classes) */
    float *gradients[2];         /* between layers backwards, in turn; as large as the largest */
    float *scalar;               /* one element */
    const float **layer_inputs;  /* host array: what each layer read in the last forward pass */

    /* The logical batch under way. */
    unsigned next_shard;      /* the one that must come next; == shards: complete */
    size_t batch;             /* samples of the logical batch */
    bool gradients_begun;     /* a shard with samples has written gradients */
    float loss;
};

/* Fill in `layers` from the options and check them. */
enum snap_status trn_model_plan(struct trn_model *model, const struct trn_model_options *options,
                                struct snap_error *err);

/* ---- model_pass.c, for model_shard.c ---- */

/* SNAP_INVALID: it is no shard of this model. */
enum snap_status trn_model_check_shard(const struct trn_model *model,
                                       const struct trn_shard *shard, struct snap_error *err);
/* Drop the gradients and the loss. */
void trn_model_begin_batch(struct trn_model *model, size_t batch);
/* Of a shard with samples: its gradients and loss are added to those of the batch. */
enum snap_status trn_model_run_shard(struct trn_model *model, const struct trn_shard *shard,
                                     struct snap_error *err);

#endif
