/* SPDX-License-Identifier: Apache-2.0 */
/* What the .cu files share: the backend, the launch of a kernel, scratch memory.
 *
 * Device code says each operation with its rounding: __fadd_rn, __fsub_rn, __fmul_rn, __fmaf_rn,
 * __fdiv_rn, __fsqrt_rn. These are never contracted; -fmad=false is for what is not written so, and
 * tests/ops/test_ptx.sh looks at what the compiler made. No kernel depends on the order in which
 * threads or blocks run. */
#ifndef TRN_CUDA_BACKEND_H
#define TRN_CUDA_BACKEND_H

#include <cuda_runtime.h>

#include "ops/cuda/cuda_kernels.h"

/* Host memory through which copies go, so that an upload returns before its copy is done. */
struct trn_cuda_slot {
    void *pinned;
    cudaEvent_t done; /* of the last copy from or to it */
};

#define TRN_CUDA_SLOTS 2
#define TRN_CUDA_SLOT_BYTES ((size_t)4 << 20)

struct trn_cuda {
    struct trn_backend base; /* first: a trn_backend of this kind is a trn_cuda; scratch is the
                              * device's */
    int device, processors;
    cudaStream_t stream;
    struct trn_cuda_slot slots[TRN_CUDA_SLOTS];
    unsigned next_slot;
    struct trn_cuda_ways ways;
};

static inline struct trn_cuda *trn_cuda_of(struct trn_backend *backend)
{
    return reinterpret_cast<struct trn_cuda *>(backend);
}

/* SNAP_OK, or the error of a call that did not succeed: "device cuda:0: `what`: cause". A device's
 * memory that is used up is SNAP_NO_MEMORY, all else SNAP_IO. */
enum snap_status trn_cuda_check(const struct trn_backend *backend, cudaError_t result,
                                const char *what, struct snap_error *err);

/* Threads of a block wherever nothing else decides. */
#define TRN_CUDA_THREADS 256u
#define TRN_CUDA_WARP 32u
#define TRN_CUDA_MAX_BLOCKS 65535u

/* Queue `kernel` with these arguments. `what` names the operator in an error. */
template <typename... Formal, typename... Actual>
static enum snap_status trn_cuda_launch(struct trn_backend *backend, const char *what,
                                        void (*kernel)(Formal...), dim3 grid, dim3 block,
                                        struct snap_error *err, Actual... arguments)
{
    cudaLaunchConfig_t config = cudaLaunchConfig_t();
    cudaError_t result = cudaSetDevice(trn_cuda_of(backend)->device);
    config.gridDim = grid;
    config.blockDim = block;
    config.stream = trn_cuda_of(backend)->stream;
    if (result == cudaSuccess) {
        result = cudaLaunchKernelEx(&config, kernel, static_cast<Formal>(arguments)...);
    }
    return trn_cuda_check(backend, result, what, err);
}

/* Queue `kernel` over n items, one thread for each as far as a grid reaches: it takes its items
 * from trn_cuda_first in steps of trn_cuda_step. Nothing for no items. */
template <typename... Formal, typename... Actual>
static enum snap_status trn_cuda_launch_over(struct trn_backend *backend, const char *what,
                                             void (*kernel)(Formal...), size_t n,
                                             struct snap_error *err, Actual... arguments)
{
    const size_t blocks = n / TRN_CUDA_THREADS + (n % TRN_CUDA_THREADS != 0);
    if (n == 0) {
        return SNAP_OK;
    }
    return trn_cuda_launch(backend, what, kernel,
                           dim3(blocks < TRN_CUDA_MAX_BLOCKS ? (unsigned)blocks
                                                             : TRN_CUDA_MAX_BLOCKS),
                           dim3(TRN_CUDA_THREADS), err, arguments...);
}

static __device__ inline size_t trn_cuda_first()
{
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ inline size_t trn_cuda_step()
{
    return (size_t)gridDim.x * blockDim.x;
}

#endif
