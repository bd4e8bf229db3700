/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ops/cpu_kernels.h"
#include "ops/cuda/cuda_kernels.h"

static const struct trn_ops cuda_ops = {
    .name = "cuda",
    .profile = "portable-1",
    .close = trn_cuda_close,
    .alloc = trn_cuda_alloc,
    .release = trn_cuda_release,
    .upload = trn_cuda_upload,
    .download = trn_cuda_download,
    .copy = trn_cuda_copy,
    .matmul = trn_cuda_matmul,
    .conv_forward = trn_cuda_conv_forward,
    .conv_data_gradient = trn_cuda_conv_data_gradient,
    .conv_weight_gradient = trn_cuda_conv_weight_gradient,
    .reduce = trn_cuda_reduce,
    .reduce_product = trn_cuda_reduce_product,
    .column_sum = trn_cuda_column_sum,
    .relu_forward = trn_cuda_relu_forward,
    .relu_backward = trn_cuda_relu_backward,
    .gelu_forward = trn_cuda_gelu_forward,
    .gelu_backward = trn_cuda_gelu_backward,
    .dropout_forward = trn_cuda_dropout_forward,
    .dropout_backward = trn_cuda_dropout_backward,
    .maxpool_forward = trn_cuda_maxpool_forward,
    .maxpool_backward = trn_cuda_maxpool_backward,
    .avgpool_forward = trn_cuda_avgpool_forward,
    .avgpool_backward = trn_cuda_avgpool_backward,
    .norm_statistics = trn_cuda_norm_statistics,
    .norm_forward = trn_cuda_norm_forward,
    .norm_backward = trn_cuda_norm_backward,
    .norm_running = trn_cuda_norm_running,
    .layernorm_forward = trn_cuda_layernorm_forward,
    .layernorm_backward = trn_cuda_layernorm_backward,
    .embedding_forward = trn_cuda_embedding_forward,
    .embedding_backward = trn_cuda_embedding_backward,
    .attention_forward = trn_cuda_attention_forward,
    .attention_backward = trn_cuda_attention_backward,
    .cross_entropy = trn_cuda_cross_entropy,
    .add = trn_cuda_add,
    .scale = trn_cuda_scale,
    .first_nonfinite = trn_cuda_first_nonfinite,
    .sgd = trn_cuda_sgd,
    .adam = trn_cuda_adam,
};

enum snap_status trn_cuda_backend_open(int index, struct snap_pool *pool,
                                       struct trn_backend **backend, struct snap_error *err)
{
    struct trn_backend *opened = NULL;
    enum snap_status status = trn_cuda_open(index, &cuda_ops, pool, &opened, err);
    if (status == SNAP_OK) {
        status = trn_backend_canary(opened, err);
    }
    if (status != SNAP_OK) {
        trn_backend_close(opened);
        return status;
    }
    *backend = opened;
    return SNAP_OK;
}
