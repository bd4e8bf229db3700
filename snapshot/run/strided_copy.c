/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors with any strides, to their elements in C order and back. */
#include "config.h"

#include <string.h>

#include "run/inventory.h"

void snap_c_order(size_t ndim, const uint64_t *shape, uint64_t *strides)
{
    uint64_t stride = 1;
    for (size_t i = ndim; i-- > 0;) {
        strides[i] = stride;
        stride *= shape[i] > 0 ? shape[i] : 1;
    }
}

/* Walk the elements in C order. The innermost dimension is the loop; the others count like an
 * odometer. `packed` and `strided` are the two ends, and `to_packed` says which way. */
static void copy(unsigned char *packed, unsigned char *strided, size_t element_bytes, size_t ndim,
                 const uint64_t *shape, const uint64_t *strides, bool to_packed)
{
    uint64_t index[SNAP_MAX_DIMS] = { 0 };
    uint64_t inner = ndim > 0 ? shape[ndim - 1] : 1;
    uint64_t inner_stride = ndim > 0 ? strides[ndim - 1] : 1;
    for (size_t i = 0; i < ndim; i++)
        if (shape[i] == 0)
            return;
    unsigned char *place = strided;
    for (;;) {
        if (inner_stride == 1) {
            size_t bytes = (size_t)inner * element_bytes;
            memcpy(to_packed ? packed : place, to_packed ? place : packed, bytes);
            packed += bytes;
        } else {
            unsigned char *element = place;
            for (uint64_t i = 0; i < inner; i++) {
                memcpy(to_packed ? packed : element, to_packed ? element : packed, element_bytes);
                packed += element_bytes;
                element += inner_stride * element_bytes;
            }
        }
        size_t dim = ndim > 0 ? ndim - 1 : 0;
        for (;;) {
            if (dim == 0)
                return;
            dim--;
            place += strides[dim] * element_bytes;
            if (++index[dim] < shape[dim])
                break;
            place -= shape[dim] * strides[dim] * element_bytes;
            index[dim] = 0;
        }
    }
}

void snap_gather(unsigned char *packed, const unsigned char *strided, size_t element_bytes,
                 size_t ndim, const uint64_t *shape, const uint64_t *strides)
{
    copy(packed, (unsigned char *)(uintptr_t)strided, element_bytes, ndim, shape, strides, true);
}

void snap_gather_some(unsigned char *packed, const unsigned char *strided, size_t element_bytes,
                      size_t ndim, const uint64_t *shape, const uint64_t *strides, uint64_t first,
                      uint64_t count)
{
    uint64_t index[SNAP_MAX_DIMS] = { 0 };
    uint64_t place = 0; /* in elements */
    for (size_t i = ndim; count > 0 && i-- > 0;) {
        index[i] = first % shape[i];
        first /= shape[i];
        place += index[i] * strides[i];
    }
    for (; count > 0; count--) {
        memcpy(packed, strided + place * element_bytes, element_bytes);
        packed += element_bytes;
        for (size_t dim = ndim; dim-- > 0;) {
            place += strides[dim];
            if (++index[dim] < shape[dim])
                break;
            place -= shape[dim] * strides[dim];
            index[dim] = 0;
        }
    }
}

void snap_scatter(unsigned char *strided, const unsigned char *packed, size_t element_bytes,
                  size_t ndim, const uint64_t *shape, const uint64_t *strides)
{
    copy((unsigned char *)(uintptr_t)packed, strided, element_bytes, ndim, shape, strides, false);
}
