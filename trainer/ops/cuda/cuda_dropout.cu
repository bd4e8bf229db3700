/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout by Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1,
 * 2, 3", 2011). A thread makes the four words of one block and decides about their elements. */
#include "ops/cuda/cuda_backend.h"

static __device__ void philox(uint64_t seed, uint32_t words[4])
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xd2511f53u * words[0];
        const uint64_t b = (uint64_t)0xcd9e8d57u * words[2];
        words[0] = (uint32_t)(b >> 32) ^ words[1] ^ key0;
        words[2] = (uint32_t)(a >> 32) ^ words[3] ^ key1;
        words[1] = (uint32_t)b;
        words[3] = (uint32_t)a;
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
}

/* `blocks` blocks of four words cover elements first to first + n - 1. */
static __global__ void dropout_forward(struct trn_dropout d, size_t n, size_t blocks,
                                       const float *x, float *y, uint8_t *mask)
{
    for (size_t b = trn_cuda_first(); b < blocks; b += trn_cuda_step()) {
        const uint64_t block = (d.first >> 2) + b;
        uint32_t words[4] = { (uint32_t)block, (uint32_t)(block >> 32), d.op, d.counter };
        philox(d.seed, words);
        for (unsigned w = 0; w < 4; w++) {
            const uint64_t i = (block << 2) + w - d.first; /* wraps before the first element */
            if (i < n) {
                const bool kept = words[w] >= d.threshold;
                mask[i] = kept;
                y[i] = kept ? __fmul_rn(x[i], d.scale) : 0.0f;
            }
        }
    }
}

static __global__ void dropout_backward(float scale, size_t n, const uint8_t *mask,
                                        const float *dy, float *dx)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        dx[i] = mask[i] ? __fmul_rn(dy[i], scale) : 0.0f;
    }
}

extern "C" enum snap_status trn_cuda_dropout_forward(struct trn_backend *backend,
                                                     const struct trn_dropout *dropout, size_t n,
                                                     const float *x, float *y, uint8_t *mask,
                                                     struct snap_error *err)
{
    const size_t blocks = n == 0 ? 0 : ((dropout->first & 3) + n - 1) / 4 + 1;
    return trn_cuda_launch_over(backend, "dropout", dropout_forward, blocks, err, *dropout, n,
                                blocks, x, y, mask);
}

extern "C" enum snap_status trn_cuda_dropout_backward(struct trn_backend *backend,
                                                      const struct trn_dropout *dropout, size_t n,
                                                      const uint8_t *mask, const float *dy,
                                                      float *dx, struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "dropout, backward", dropout_backward, n, err,
                                dropout->scale, n, mask, dy, dx);
}
