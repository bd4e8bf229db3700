/* SPDX-License-Identifier: Apache-2.0 */
/* What memory a tensor covers. */
#include "config.h"

#include "core/bytes.h"
#include "run/inventory.h"

enum snap_status snap_inventory_tensor_measure(struct snap_inventory_tensor *tensor,
                                               const char *name, struct snap_error *err)
{
    uint64_t element_bytes = snap_dtype_size_bytes(tensor->dtype);
    uint64_t elements = 1;
    uint64_t last = 0;
    bool fits = true;
    for (size_t i = 0; i < tensor->ndim && fits; i++)
        fits = snap_mul_u64(elements, tensor->shape[i], &elements);
    for (size_t i = 0; i < tensor->ndim && fits && elements > 0; i++) {
        uint64_t reach;
        fits = snap_mul_u64(tensor->shape[i] - 1, tensor->strides[i], &reach) &&
               snap_add_u64(last, reach, &last);
    }
    uint64_t bytes = 0;
    uint64_t packed;
    if (fits && elements > 0)
        fits = snap_add_u64(last, 1, &bytes) && snap_mul_u64(bytes, element_bytes, &bytes) &&
               snap_mul_u64(elements, element_bytes, &packed) && bytes <= SNAP_MAX_STORAGE_BYTES &&
               packed <= SNAP_MAX_STORAGE_BYTES && (uintptr_t)tensor->data <= UINTPTR_MAX - bytes;
    if (!fits)
        return snap_error_set(err, SNAP_INVALID,
                              "tensor %.100s: register: it is larger than %llu "
                              "bytes",
                              name, (unsigned long long)SNAP_MAX_STORAGE_BYTES);
    tensor->elements = elements;
    tensor->extent_bytes = bytes;
    /* Dense: some order of the dimensions is a C order. */
    bool used[SNAP_MAX_DIMS] = { false };
    uint64_t expected = 1;
    tensor->dense = true;
    for (size_t done = 0; done < tensor->ndim && elements > 0; done++) {
        size_t at = 0;
        while (at < tensor->ndim &&
               (used[at] || (tensor->shape[at] != 1 && tensor->strides[at] != expected)))
            at++;
        if (at == tensor->ndim) {
            tensor->dense = false;
            break;
        }
        used[at] = true;
        expected *= tensor->shape[at];
    }
    return SNAP_OK;
}
