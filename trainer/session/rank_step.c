/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/rank_step.h"

#include <stdlib.h>
#include <string.h>

#define TRY(call)                      \
    do {                               \
        enum snap_status try_ = (call); \
        if (try_ != SNAP_OK)           \
            return try_;               \
    } while (0)

/* Bytes of what the forward pass moves. */
static size_t moving_bytes(const struct trn_training *t)
{
    const struct trn_tensor *tensors = trn_model_tensors(t->model);
    size_t size_bytes = 0;
    for (size_t i = 0; i < trn_model_tensor_count(t->model); i++)
        if (tensors[i].changes_in_forward)
            size_bytes += tensors[i].count * trn_dtype_size(tensors[i].dtype);
    return size_bytes;
}

enum snap_status trn_rank_step_init(struct trn_training *t, struct snap_error *err)
{
    int world = snap_group_world(t->group);
    size_t count = trn_model_gradient_count(t->model);
    unsigned first;
    unsigned own;
    if (world == 1)
        return SNAP_OK;
    if (t->config.shards < (unsigned)world)
        return snap_error_set(err, SNAP_INVALID,
                              "config: training.shards: %u, and there are %d ranks, each of which "
                              "takes at least one shard: start %u, or begin another run with more "
                              "shards", t->config.shards, world, t->config.shards);
    snap_group_shards(t->group, snap_group_rank(t->group), t->config.shards, &first, &own);
    t->shard_gradients = calloc((size_t)own + 1, count * sizeof(float)); /* and the sum */
    t->moving = malloc(moving_bytes(t) + 1);
    if (t->shard_gradients == NULL || t->moving == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY,
                              "ranks: no memory for the gradients of %u shards", own);
    return SNAP_OK;
}

/* Copy it into `packed`, or from there. */
static enum snap_status copy_moving(struct trn_training *t, unsigned char *packed, bool to_model,
                                    struct snap_error *err)
{
    const struct trn_tensor *tensors = trn_model_tensors(t->model);
    const struct trn_ops *ops = t->backend->ops;
    for (size_t i = 0; i < trn_model_tensor_count(t->model); i++) {
        const struct trn_tensor *tensor = &tensors[i];
        size_t size_bytes = tensor->count * trn_dtype_size(tensor->dtype);
        if (!tensor->changes_in_forward)
            continue;
        if (tensor->dtype != TRN_F32) /* in host memory */
            memcpy(to_model ? tensor->data : packed, to_model ? packed : tensor->data, size_bytes);
        else if (to_model)
            TRY(ops->upload(t->backend, tensor->data, packed, size_bytes, err));
        else
            TRY(ops->download(t->backend, packed, tensor->data, size_bytes, err));
        packed += size_bytes;
    }
    return SNAP_OK;
}

/* Statistics that the forward pass moved are those of shard 0, which rank 0 has. */
static enum snap_status share_moving(struct trn_training *t, struct snap_error *err)
{
    size_t size_bytes = moving_bytes(t);
    if (size_bytes == 0)
        return SNAP_OK;
    TRY(snap_group_broadcast(t->group, t->moving, size_bytes, 0, err));
    return snap_group_rank(t->group) == 0 ? SNAP_OK : copy_moving(t, t->moving, true, err);
}

/* The gradients of the own shards, in their rows. */
static enum snap_status own_shards(struct trn_training *t, const struct trn_shard *common,
                                   void (*shard_of)(const struct trn_training *training,
                                                    unsigned index, struct trn_shard *shard),
                                   struct snap_error *err)
{
    size_t count = trn_model_gradient_count(t->model);
    unsigned first;
    unsigned own;
    snap_group_shards(t->group, snap_group_rank(t->group), t->config.shards, &first, &own);
    for (unsigned i = 0; i < own; i++) {
        struct trn_shard shard = *common;
        shard_of(t, first + i, &shard);
        TRY(trn_model_shard_gradient(t->model, &shard, t->shard_gradients + i * count, err));
    }
    return SNAP_OK;
}

/* The sum of a number over the ranks. */
static enum snap_status sum_counts(struct trn_training *t, size_t *count, struct snap_error *err)
{
    int64_t total = (int64_t)*count;
    enum snap_status status = snap_group_total(t->group, &total, 1, err);
    *count = (size_t)total;
    return status;
}

enum snap_status trn_rank_forward_backward(struct trn_training *t, struct trn_step *step,
                                           void (*shard_of)(const struct trn_training *training,
                                                            unsigned index,
                                                            struct trn_shard *shard),
                                           const struct trn_shard *common, struct snap_error *err)
{
    size_t count = trn_model_gradient_count(t->model);
    unsigned first;
    unsigned own;
    enum snap_status status = own_shards(t, common, shard_of, err);
    if (status == SNAP_OK && snap_group_rank(t->group) == 0)
        status = copy_moving(t, t->moving, false, err);
    TRY(snap_group_agree(t->group, status, err));
    snap_group_shards(t->group, snap_group_rank(t->group), t->config.shards, &first, &own);
    float *sum = t->shard_gradients + own * count;
    TRY(snap_group_sum_shards(t->group, t->config.shards, t->shard_gradients, sum, count, t->pool,
                              err));
    TRY(trn_model_set_gradient(t->model, sum, err));
    TRY(share_moving(t, err));
    return common->correct != NULL ? sum_counts(t, &step->correct, err) : SNAP_OK;
}

/* Where the samples of a rank begin. They have 32 bits, and ranks 17. */
static size_t first_sample(const struct trn_training *t, size_t samples, int rank)
{
    return samples * (size_t)rank / (size_t)snap_group_world(t->group);
}

void trn_rank_samples(const struct trn_training *t, size_t samples, size_t *first, size_t *count)
{
    int rank = snap_group_rank(t->group);
    *first = first_sample(t, samples, rank);
    *count = first_sample(t, samples, rank + 1) - *first;
}

enum snap_status trn_rank_gather_losses(struct trn_training *t, enum snap_status status,
                                        float *losses, size_t samples, size_t places,
                                        size_t *correct, struct snap_error *err)
{
    int world = snap_group_world(t->group);
    size_t *begins = NULL;
    if (world == 1)
        return status;
    if (status == SNAP_OK && (begins = calloc((size_t)world + 1, sizeof *begins)) == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "evaluation: no memory for its ranks");
    status = snap_group_agree(t->group, status, err);
    for (int rank = 0; status == SNAP_OK && rank <= world; rank++)
        begins[rank] = first_sample(t, samples, rank) * places * sizeof *losses;
    if (status == SNAP_OK)
        status = snap_group_gather_parts(t->group, losses, begins, err);
    if (status == SNAP_OK)
        status = sum_counts(t, correct, err);
    free(begins);
    return status;
}
