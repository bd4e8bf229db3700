/* SPDX-License-Identifier: Apache-2.0 */
/* As much of the CUDA runtime and of CUDA's device language as the project's kernels use, on the
 * CPU: in its place, the .cu files compile as C++ and run. The threads of a block are fibers that
 * are switched at barriers and shuffles only; blocks run one after the other. Arithmetic is that of
 * the host's compiler, which must be told -ffp-contract=off.
 *
 * It is stricter than a device where it can be: a barrier that not all threads of the block reach,
 * a shuffle that not all lanes reach, and a thread that waits for ever end the program. With
 * another order of threads (cuda_on_cpu.h) a missing barrier shows as other bits; with
 * AddressSanitizer an access past an allocation or a shared array stops, and with
 * UndefinedBehaviorSanitizer one that is not aligned. */
#ifndef CUDA_ON_CPU_RUNTIME_H
#define CUDA_ON_CPU_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "cuda_runtime_api.h"

/* ---- the language ---- */

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __constant__ static
#define __launch_bounds__(...)
#define __forceinline__ inline
#define __align__(bytes) __attribute__((aligned(bytes)))

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

struct __align__(16) float4 {
    float x, y, z, w;
};

struct __align__(16) uint4 {
    unsigned x, y, z, w;
};

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

/* All threads of a block, or of a warp. */
extern "C" void cuda_on_cpu_barrier(void);
extern "C" void cuda_on_cpu_warp_barrier(unsigned mask);
/* The word of lane `source`, when all lanes of the warp have come. */
extern "C" uint64_t cuda_on_cpu_exchange(unsigned mask, uint64_t word, unsigned source);
/* Lane of this thread in its warp. */
extern "C" unsigned cuda_on_cpu_lane(void);

static inline void __syncthreads() { cuda_on_cpu_barrier(); }
static inline void __syncwarp(unsigned mask = 0xffffffffu) { cuda_on_cpu_warp_barrier(mask); }

template <typename T> static inline T __shfl_sync(unsigned mask, T value, int source)
{
    union {
        T value;
        uint64_t word;
    } pun;
    static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves at most 64 bits");
    pun.word = 0;
    pun.value = value;
    pun.word = cuda_on_cpu_exchange(mask, pun.word, (unsigned)source % 32);
    return pun.value;
}

/* Past the last lane a lane gets its own value. */
template <typename T> static inline T __shfl_down_sync(unsigned mask, T value, unsigned delta)
{
    const unsigned lane = cuda_on_cpu_lane();
    return __shfl_sync(mask, value, (int)(lane + delta < 32 ? lane + delta : lane));
}

template <typename T> static inline T __shfl_xor_sync(unsigned mask, T value, int lanes)
{
    return __shfl_sync(mask, value, (int)(cuda_on_cpu_lane() ^ (unsigned)lanes));
}

static inline unsigned long long atomicMin(unsigned long long *at, unsigned long long value)
{
    const unsigned long long before = *at;
    *at = value < before ? value : before;
    return before;
}

static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector)
{
    const uint64_t bytes = (uint64_t)b << 32 | a;
    unsigned result = 0;
    for (unsigned i = 0; i < 4; i++) {
        result |= (unsigned)(bytes >> (selector >> 4 * i & 7) * 8 & 255) << 8 * i;
    }
    return result;
}

static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift)
{
    return (unsigned)(((uint64_t)high << 32 | low) >> (shift & 31));
}

/* ---- launches ---- */

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    void *attrs;
    unsigned numAttrs;
};

extern "C" {
/* Run `body(arg)` in every thread of the grid. */
cudaError_t cuda_on_cpu_launch(const cudaLaunchConfig_t *config, void (*body)(void *), void *arg);
}

template <typename Call> static void cuda_on_cpu_call(void *call)
{
    (*static_cast<Call *>(call))();
}

template <typename... Formal, typename... Actual>
static inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config,
                                             void (*kernel)(Formal...), Actual... arguments)
{
    auto call = [=] { kernel(arguments...); };
    return cuda_on_cpu_launch(config, cuda_on_cpu_call<decltype(call)>, &call);
}

#endif
