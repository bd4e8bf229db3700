/* SPDX-License-Identifier: Apache-2.0 */
#include "planted_kernels.h"

#include <cuda_pipeline.h>
#include <cuda_runtime.h>

static __global__ void reverse(bool with_barrier, float *out)
{
    __shared__ float squares[PLANTED_THREADS];
    const unsigned i = threadIdx.x;
    squares[i] = -1.0f; /* as another block would have left it */
    __syncthreads();
    squares[i] = (float)(i * i);
    if (with_barrier) {
        __syncthreads();
    }
    out[PLANTED_THREADS - 1 - i] = squares[PLANTED_THREADS - 1 - i];
}

/* Of two groups, the first is waited for, with its thread's elements; or only what was before. */
static __global__ void copies(bool with_wait, const float *in, float *out)
{
    __shared__ float place[PLANTED_THREADS], other[PLANTED_THREADS];
    const unsigned i = threadIdx.x;
    place[i] = -1.0f;
    __syncthreads();
    __pipeline_memcpy_async(&place[i], &in[i], sizeof(float));
    __pipeline_commit();
    __pipeline_memcpy_async(&other[i], &in[i], sizeof(float));
    __pipeline_commit();
    __pipeline_wait_prior(with_wait ? 1 : 2);
    __syncthreads();
    out[PLANTED_THREADS - 1 - i] = place[i];
    __pipeline_wait_prior(0);
}

static __global__ void early_copy(bool with_barrier, const float *in, float *out)
{
    __shared__ float place[PLANTED_THREADS];
    const unsigned i = threadIdx.x, next = (i + 1) % PLANTED_THREADS;
    place[i] = in[i];
    __syncthreads();
    const float mine = place[i];
    if (with_barrier) {
        __syncthreads();
    }
    __pipeline_memcpy_async(&place[next], &in[i], sizeof(float));
    __pipeline_commit();
    out[i] = with_barrier ? mine : place[i];
    __pipeline_wait_prior(0);
}

static __global__ void lost_copy(const float *in)
{
    __shared__ float place;
    __pipeline_memcpy_async(&place, in, sizeof(float));
    __pipeline_commit();
}

static __global__ void half_barrier()
{
    if (threadIdx.x % 2 == 0) {
        __syncthreads();
    }
}

static __global__ void half_shuffle(float *out)
{
    if (threadIdx.x < 16) {
        *out = __shfl_down_sync(0xffffffffu, 1.0f, 1);
    }
}

static __global__ void shuffles(float *out)
{
    float sum = (float)(threadIdx.x * threadIdx.x);
    for (unsigned half = 16; half > 0; half /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, (int)half);
    }
    if (threadIdx.x == 7) {
        *out = sum;
    }
}

template <typename... Formal, typename... Actual>
static void launch(void (*kernel)(Formal...), unsigned threads, Actual... arguments)
{
    cudaLaunchConfig_t config = cudaLaunchConfig_t();
    config.gridDim = dim3(1);
    config.blockDim = dim3(threads);
    (void)cudaLaunchKernelEx(&config, kernel, static_cast<Formal>(arguments)...);
}

void planted_reverse(int with_barrier, float out[PLANTED_THREADS])
{
    launch(reverse, PLANTED_THREADS, with_barrier != 0, out);
}

void planted_copies(int with_wait, const float in[PLANTED_THREADS], float out[PLANTED_THREADS])
{
    launch(copies, PLANTED_THREADS, with_wait != 0, in, out);
}

void planted_early_copy(int with_barrier, const float in[PLANTED_THREADS],
                        float out[PLANTED_THREADS])
{
    launch(early_copy, PLANTED_THREADS, with_barrier != 0, in, out);
}

void planted_lost_copy(void)
{
    const float one = 1.0f;
    launch(lost_copy, 1, &one);
}

void planted_half_barrier(void)
{
    launch(half_barrier, 32);
}

void planted_half_shuffle(void)
{
    float out;
    launch(half_shuffle, 32, &out);
}

void planted_shuffles(float *out)
{
    launch(shuffles, 32, out);
}
