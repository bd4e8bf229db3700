/* SPDX-License-Identifier: Apache-2.0 */
#include "planted_kernels.h"

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
