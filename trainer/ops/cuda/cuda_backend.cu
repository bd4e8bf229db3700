/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a device, errors, scratch memory. */
#include <stdlib.h>

#include "ops/cuda/cuda_backend.h"

enum snap_status trn_cuda_check(const struct trn_backend *backend, cudaError_t result,
                                const char *what, struct snap_error *err)
{
    const int device = reinterpret_cast<const struct trn_cuda *>(backend)->device;
    if (result == cudaSuccess) {
        return SNAP_OK;
    }
    (void)cudaGetLastError(); /* told here, once */
    return snap_error_set(err, result == cudaErrorMemoryAllocation ? SNAP_NO_MEMORY : SNAP_IO,
                          "device cuda:%d: %s: %s", device, what, cudaGetErrorString(result));
}

static __global__ void probe(int *out)
{
    *out = 1;
}

/* One kernel is run: a device that this build has no code for says so here, and not in a step. */
static enum snap_status start(struct trn_cuda *cuda, struct snap_error *err)
{
    struct trn_backend *backend = &cuda->base;
    void *word = NULL;
    int found = 0;
    /* A stream that the default one waits for: the run's first copies are on that. */
    enum snap_status status = trn_cuda_check(
        backend, cudaStreamCreateWithFlags(&cuda->stream, cudaStreamDefault), "start", err);
    backend->stream = cuda->stream;
    for (unsigned i = 0; i < TRN_CUDA_SLOTS && status == SNAP_OK; i++) {
        struct trn_cuda_slot *slot = &cuda->slots[i];
        status = trn_cuda_check(
            backend, cudaHostAlloc(&slot->pinned, TRN_CUDA_SLOT_BYTES, cudaHostAllocDefault),
            "host memory for copies", err);
        if (status == SNAP_OK) {
            status = trn_cuda_check(
                backend, cudaEventCreateWithFlags(&slot->done, cudaEventDisableTiming),
                "host memory for copies", err);
        }
    }
    if (status == SNAP_OK) {
        status = trn_cuda_scratch(backend, sizeof(found), &word, err);
    }
    if (status == SNAP_OK) {
        status = trn_cuda_launch(backend, "run a kernel", probe, dim3(1), dim3(1), err,
                                 static_cast<int *>(word));
    }
    if (status == SNAP_OK) {
        status = trn_cuda_download(backend, &found, word, sizeof(found), err);
    }
    if (status == SNAP_OK && found != 1) {
        status = snap_error_set(err, SNAP_UNSUPPORTED,
                                "device cuda:%d: a kernel ran and left nothing", cuda->device);
    }
    return status;
}

enum snap_status trn_cuda_open(int index, const struct trn_ops *ops, struct snap_pool *pool,
                               struct trn_backend **backend, struct snap_error *err)
{
    struct trn_cuda *opened;
    int count = 0;
    enum snap_status status = SNAP_OK;
    cudaError_t result = cudaGetDeviceCount(&count);
    if (result != cudaSuccess) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "device cuda:%d: cannot be used: %s: it takes an NVIDIA GPU and its "
                              "driver; or use --device cpu", index, cudaGetErrorString(result));
    }
    if (index < 0 || index >= count) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "device cuda:%d: cannot be used: this machine has %d: use a lower "
                              "number or --device cpu", index, count);
    }
    opened = static_cast<struct trn_cuda *>(calloc(1, sizeof(*opened)));
    if (!opened) {
        return snap_error_set(err, SNAP_NO_MEMORY, "device cuda:%d: out of host memory", index);
    }
    opened->base.ops = ops;
    opened->base.pool = pool;
    opened->base.device.kind = SNAP_DEVICE_CUDA;
    opened->base.device.index = index;
    opened->device = index;
    result = cudaSetDevice(index);
    if (result == cudaSuccess) {
        result = cudaDeviceGetAttribute(&opened->processors, cudaDevAttrMultiProcessorCount, index);
    }
    status = trn_cuda_check(&opened->base, result, "open", err);
    if (status == SNAP_OK) {
        status = start(opened, err);
    }
    if (status != SNAP_OK) {
        trn_cuda_close(&opened->base);
        return status;
    }
    *backend = &opened->base;
    return SNAP_OK;
}

/* Nothing that is wrong here can change what was computed before. */
void trn_cuda_close(struct trn_backend *backend)
{
    struct trn_cuda *cuda = trn_cuda_of(backend);
    (void)cudaSetDevice(cuda->device);
    if (cuda->stream) {
        (void)cudaStreamSynchronize(cuda->stream);
    }
    for (unsigned i = 0; i < TRN_CUDA_SLOTS; i++) {
        if (cuda->slots[i].done) {
            (void)cudaEventDestroy(cuda->slots[i].done);
        }
        (void)cudaFreeHost(cuda->slots[i].pinned);
    }
    (void)cudaFree(backend->scratch);
    if (cuda->stream) {
        (void)cudaStreamDestroy(cuda->stream);
    }
    free(cuda);
}

enum snap_status trn_cuda_enter(struct trn_backend *backend, const char *what,
                                struct snap_error *err)
{
    return trn_cuda_check(backend, cudaSetDevice(trn_cuda_of(backend)->device), what, err);
}

void trn_cuda_choose(struct trn_backend *backend, const struct trn_cuda_ways *ways)
{
    trn_cuda_of(backend)->ways = *ways;
}

enum snap_status trn_cuda_scratch(struct trn_backend *backend, size_t size_bytes, void **memory,
                                  struct snap_error *err)
{
    if (size_bytes > backend->scratch_size_bytes) {
        void *larger = NULL;
        cudaError_t result = cudaSetDevice(trn_cuda_of(backend)->device);
        if (result == cudaSuccess) {
            result = cudaMalloc(&larger, size_bytes);
        }
        if (result == cudaSuccess) {
            /* It waits for the kernels that use what is freed. */
            result = cudaFree(backend->scratch);
            backend->scratch = larger;
            backend->scratch_size_bytes = size_bytes;
        }
        if (result != cudaSuccess) {
            return trn_cuda_check(backend, result, "scratch memory", err);
        }
    }
    *memory = backend->scratch;
    return SNAP_OK;
}
