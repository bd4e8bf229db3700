/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ops/cpu_kernels.h"

#define TRN_TEXT_(name) #name
#define TRN_TEXT(name) TRN_TEXT_(name)

const struct trn_ops TRN_NAME(ops) = {
    .name = TRN_TEXT(TRN_ISA),
    .profile = "portable-1",
    .alloc = trn_cpu_alloc,
    .release = trn_cpu_release,
    .upload = trn_cpu_copy,
    .download = trn_cpu_copy,
    .copy = trn_cpu_copy,
    .matmul = TRN_NAME(matmul),
    .conv_forward = TRN_NAME(conv_forward),
    .conv_data_gradient = TRN_NAME(conv_data_gradient),
    .conv_weight_gradient = TRN_NAME(conv_weight_gradient),
    .reduce = TRN_NAME(reduce),
    .reduce_product = TRN_NAME(reduce_product),
    .column_sum = TRN_NAME(column_sum),
    .relu_forward = TRN_NAME(relu_forward),
    .relu_backward = TRN_NAME(relu_backward),
    .gelu_forward = TRN_NAME(gelu_forward),
    .gelu_backward = TRN_NAME(gelu_backward),
    .dropout_forward = TRN_NAME(dropout_forward),
    .dropout_backward = TRN_NAME(dropout_backward),
    .maxpool_forward = TRN_NAME(maxpool_forward),
    .maxpool_backward = TRN_NAME(maxpool_backward),
    .avgpool_forward = TRN_NAME(avgpool_forward),
    .avgpool_backward = TRN_NAME(avgpool_backward),
    .norm_statistics = TRN_NAME(norm_statistics),
    .norm_forward = TRN_NAME(norm_forward),
    .norm_backward = TRN_NAME(norm_backward),
    .norm_running = TRN_NAME(norm_running),
    .layernorm_forward = TRN_NAME(layernorm_forward),
    .layernorm_backward = TRN_NAME(layernorm_backward),
    .embedding_forward = TRN_NAME(embedding_forward),
    .embedding_backward = TRN_NAME(embedding_backward),
    .attention_forward = TRN_NAME(attention_forward),
    .attention_backward = TRN_NAME(attention_backward),
    .cross_entropy = TRN_NAME(cross_entropy),
    .add = TRN_NAME(add),
    .scale = TRN_NAME(scale),
    .first_nonfinite = TRN_NAME(first_nonfinite),
    .sgd = TRN_NAME(sgd),
    .adam = TRN_NAME(adam),
};
