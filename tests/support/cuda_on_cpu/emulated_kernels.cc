/* SPDX-License-Identifier: Apache-2.0 */
/* Every .cu file of the trainer, for the host's compiler. */
#include "ops/cuda/cuda_backend.cu"
#include "ops/cuda/cuda_columns.cu"
#include "ops/cuda/cuda_conv.cu"
#include "ops/cuda/cuda_dropout.cu"
#include "ops/cuda/cuda_elementwise.cu"
#include "ops/cuda/cuda_loss.cu"
#include "ops/cuda/cuda_matmul.cu"
#include "ops/cuda/cuda_memory.cu"
#include "ops/cuda/cuda_norm.cu"
#include "ops/cuda/cuda_pooling.cu"
#include "ops/cuda/cuda_reduce.cu"
#include "ops/cuda/cuda_update.cu"
