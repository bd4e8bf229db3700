/* SPDX-License-Identifier: Apache-2.0 */
/* A device's memory, and copies through pinned host memory in turns: while one slot is copied the
 * other is filled or emptied. */
#include <string.h>

#include "ops/cuda/cuda_backend.h"

enum snap_status trn_cuda_alloc(struct trn_backend *backend, size_t size_bytes, void **memory,
                                struct snap_error *err)
{
    struct trn_cuda *cuda = trn_cuda_of(backend);
    const size_t size = size_bytes != 0 ? size_bytes : 1;
    void *found = NULL;
    cudaError_t result = cudaSetDevice(cuda->device);
    if (result == cudaSuccess) {
        result = cudaMalloc(&found, size);
    }
    if (result == cudaSuccess) {
        result = cudaMemsetAsync(found, 0, size, cuda->stream);
        if (result != cudaSuccess) {
            (void)cudaFree(found);
        }
    }
    if (result != cudaSuccess) {
        (void)cudaGetLastError(); /* told here, once */
        return snap_error_set(err, result == cudaErrorMemoryAllocation ? SNAP_NO_MEMORY : SNAP_IO,
                              "device cuda:%d: cannot have %zu bytes of memory: %s", cuda->device,
                              size_bytes, cudaGetErrorString(result));
    }
    *memory = found;
    return SNAP_OK;
}

void trn_cuda_release(struct trn_backend *backend, void *memory)
{
    (void)cudaSetDevice(trn_cuda_of(backend)->device);
    (void)cudaFree(memory); /* an earlier error of the device comes back here too */
}

/* The next slot, when the copy that used it last is done. */
static enum snap_status take_slot(struct trn_backend *backend, struct trn_cuda_slot **slot,
                                  const char *what, struct snap_error *err)
{
    struct trn_cuda *cuda = trn_cuda_of(backend);
    cudaError_t result = cudaSetDevice(cuda->device);
    *slot = &cuda->slots[cuda->next_slot];
    cuda->next_slot = (cuda->next_slot + 1) % TRN_CUDA_SLOTS;
    if (result == cudaSuccess) {
        result = cudaEventSynchronize((*slot)->done);
    }
    return trn_cuda_check(backend, result, what, err);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum snap_status trn_cuda_upload(struct trn_backend *backend, void *to, const void *host,
                                 size_t size_bytes, struct snap_error *err)
{
    struct trn_cuda *cuda = trn_cuda_of(backend);
    for (size_t at = 0; at < size_bytes; at += TRN_CUDA_SLOT_BYTES) {
        const size_t size = smaller(size_bytes - at, TRN_CUDA_SLOT_BYTES);
        struct trn_cuda_slot *slot;
        enum snap_status status = take_slot(backend, &slot, "copy to the device", err);
        if (status == SNAP_OK) {
            cudaError_t result;
            memcpy(slot->pinned, static_cast<const char *>(host) + at, size);
            result = cudaMemcpyAsync(static_cast<char *>(to) + at, slot->pinned, size,
                                     cudaMemcpyHostToDevice, cuda->stream);
            if (result == cudaSuccess) {
                result = cudaEventRecord(slot->done, cuda->stream);
            }
            status = trn_cuda_check(backend, result, "copy to the device", err);
        }
        if (status != SNAP_OK) {
            return status;
        }
    }
    return SNAP_OK;
}

/* What `slot` holds when its copy is done. */
static enum snap_status empty_slot(struct trn_backend *backend, struct trn_cuda_slot *slot,
                                   char *host, size_t size, struct snap_error *err)
{
    const enum snap_status status = trn_cuda_check(backend, cudaEventSynchronize(slot->done),
                                                   "copy from the device", err);
    if (status == SNAP_OK) {
        memcpy(host, slot->pinned, size);
    }
    return status;
}

enum snap_status trn_cuda_download(struct trn_backend *backend, void *host, const void *from,
                                   size_t size_bytes, struct snap_error *err)
{
    struct trn_cuda *cuda = trn_cuda_of(backend);
    char *out = static_cast<char *>(host);
    struct trn_cuda_slot *before = NULL; /* holds the piece that ends at `at` */
    for (size_t at = 0; at < size_bytes; at += TRN_CUDA_SLOT_BYTES) {
        const size_t size = smaller(size_bytes - at, TRN_CUDA_SLOT_BYTES);
        struct trn_cuda_slot *slot;
        enum snap_status status = take_slot(backend, &slot, "copy from the device", err);
        if (status == SNAP_OK) {
            cudaError_t result =
                cudaMemcpyAsync(slot->pinned, static_cast<const char *>(from) + at, size,
                                cudaMemcpyDeviceToHost, cuda->stream);
            if (result == cudaSuccess) {
                result = cudaEventRecord(slot->done, cuda->stream);
            }
            status = trn_cuda_check(backend, result, "copy from the device", err);
        }
        if (status == SNAP_OK && before) {
            status = empty_slot(backend, before, out + at - TRN_CUDA_SLOT_BYTES,
                                TRN_CUDA_SLOT_BYTES, err);
        }
        if (status != SNAP_OK) {
            return status;
        }
        before = slot;
    }
    if (before) {
        const size_t last = (size_bytes - 1) % TRN_CUDA_SLOT_BYTES + 1;
        return empty_slot(backend, before, out + size_bytes - last, last, err);
    }
    return SNAP_OK;
}

enum snap_status trn_cuda_copy(struct trn_backend *backend, void *to, const void *from,
                               size_t size_bytes, struct snap_error *err)
{
    struct trn_cuda *cuda = trn_cuda_of(backend);
    cudaError_t result = cudaSetDevice(cuda->device);
    if (result == cudaSuccess && size_bytes != 0) {
        result = cudaMemcpyAsync(to, from, size_bytes, cudaMemcpyDeviceToDevice, cuda->stream);
    }
    return trn_cuda_check(backend, result, "copy within the device", err);
}
