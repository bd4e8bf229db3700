/* SPDX-License-Identifier: Apache-2.0 */
/* What a CUDA device must give, for the one that is made of the CPU and for real ones: the words of
 * goldens.txt for every operator, the hashes of model_goldens.txt for whole steps, SHA-256. */
#ifndef CUDA_DEVICE_TEST_H
#define CUDA_DEVICE_TEST_H

#include "ops/cuda/cuda_kernels.h"

/* Open device 0, computing in these ways; the test fails where that fails. */
struct trn_backend *cuda_test_open(struct snap_pool *pool, const struct trn_cuda_ways *ways);

/* Every `stride`-th case from `first` on. The operands are where `op_memory` of op_runners.h has
 * them, which the device must be able to reach. */
void cuda_test_operators(const struct trn_cuda_ways *ways, size_t first, size_t stride);

/* Both models, every optimizer, 1, 2 and 4 shards: from `first` on every `stride`-th. */
void cuda_test_steps(const struct trn_cuda_ways *ways, size_t first, size_t stride);

/* Every operator of a step of both models has written what it writes on the CPU, by the trace of
 * both. */
void cuda_test_trace(const struct trn_cuda_ways *ways);

/* Leaf digests of pieces of every awkward size, at addresses that are aligned for vectors and that
 * are not, many at once, and again by the same digester: as OpenSSL makes them. */
void cuda_test_digests(void);

#endif
