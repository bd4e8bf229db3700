/* SPDX-License-Identifier: Apache-2.0 */
/* Shards one by one, in host memory: for ranks, each of which has some of them. */
#include "config.h"

#include "layers/model_internal.h"

size_t trn_model_gradient_count(const struct trn_model *model)
{
    size_t count = 1; /* the loss */
    for (size_t i = 0; i < model->tensor_count; i++) {
        if (model->tensors[i].role == TRN_PARAMETER) {
            count += model->tensors[i].count;
        }
    }
    return count;
}

/* Copy all gradients from the backend, or to it. */
static enum snap_status copy_gradients(struct trn_model *model, float *from_model,
                                       const float *to_model, struct snap_error *err)
{
    const struct trn_ops *ops = model->backend->ops;
    enum snap_status status = SNAP_OK;
    size_t done = 0;
    for (size_t i = 0; i < model->tensor_count && status == SNAP_OK; i++) {
        const struct trn_tensor *tensor = &model->tensors[i];
        const size_t size_bytes = tensor->count * sizeof(float);
        if (tensor->role != TRN_PARAMETER) {
            continue;
        }
        status = from_model ? ops->download(model->backend, from_model + done, tensor->gradient,
                                            size_bytes, err)
                            : ops->upload(model->backend, tensor->gradient, to_model + done,
                                          size_bytes, err);
        done += tensor->count;
    }
    return status;
}

enum snap_status trn_model_shard_gradient(struct trn_model *model, const struct trn_shard *shard,
                                          float *gradient, struct snap_error *err)
{
    const size_t count = trn_model_gradient_count(model);
    enum snap_status status = trn_model_check_shard(model, shard, err);
    if (status != SNAP_OK) {
        return status;
    }
    trn_model_begin_batch(model, shard->batch);
    model->next_shard = model->shards; /* only a whole batch may come now */
    if (shard->samples == 0) {
        for (size_t i = 0; i < count; i++) {
            gradient[i] = -0.0f;
        }
        return SNAP_OK;
    }
    status = trn_model_run_shard(model, shard, err);
    if (status == SNAP_OK) {
        status = copy_gradients(model, gradient, NULL, err);
    }
    if (status == SNAP_OK) {
        gradient[count - 1] = model->loss;
    }
    return status;
}

enum snap_status trn_model_set_gradient(struct trn_model *model, const float *gradient,
                                        struct snap_error *err)
{
    const enum snap_status status = copy_gradients(model, NULL, gradient, err);
    if (status == SNAP_OK) {
        model->loss = gradient[trn_model_gradient_count(model) - 1];
    }
    return status;
}
