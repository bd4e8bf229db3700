/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "digest/tree_digest.h"
#include "run/inventory.h"

enum snap_status snap_tensor_digest(const void *data, enum snap_dtype dtype, size_t ndim,
                                    const uint64_t *shape, const uint64_t *strides,
                                    unsigned char sha256[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    size_t element_bytes = snap_dtype_size_bytes(dtype);
    struct snap_inventory_tensor tensor = { .data = (unsigned char *)(uintptr_t)data,
                                            .dtype = dtype,
                                            .ndim = ndim };
    uint64_t c_order[SNAP_MAX_DIMS];
    if (sha256 == NULL || element_bytes == 0 || ndim > SNAP_MAX_DIMS || (ndim > 0 && shape == NULL))
        return snap_error_set(err, SNAP_INVALID,
                              "tensor digest: no place for it, no dtype, or no shape of 0 to %d "
                              "dimensions",
                              SNAP_MAX_DIMS);
    if (ndim > 0)
        memcpy(tensor.shape, shape, ndim * sizeof *shape);
    snap_c_order(ndim, tensor.shape, c_order);
    memcpy(tensor.strides, strides != NULL ? strides : c_order, ndim * sizeof *c_order);
    enum snap_status status = snap_inventory_tensor_measure(&tensor, "digest", err);
    if (status != SNAP_OK)
        return status;
    if (tensor.elements > 0 && data == NULL)
        return snap_error_set(err, SNAP_INVALID, "tensor digest: its data is NULL");
    size_t bytes = (size_t)tensor.elements * element_bytes;
    if (bytes == 0 || memcmp(tensor.strides, c_order, ndim * sizeof *c_order) == 0)
        return snap_tree_hash(data, bytes, sha256, err);
    unsigned char *packed = malloc(bytes);
    if (packed == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "tensor digest: out of memory");
    snap_gather(packed, data, element_bytes, ndim, tensor.shape, tensor.strides);
    status = snap_tree_hash(packed, bytes, sha256, err);
    free(packed);
    return status;
}
