/* SPDX-License-Identifier: Apache-2.0 */
/* Two tensors, element by element. */
#ifndef SNAP_TENSOR_COMPARE_H
#define SNAP_TENSOR_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/tree.h>

struct snap_tensor_difference {
    uint64_t elements;
    uint64_t differing; /* by bits: +0 and -0 differ */
    uint64_t first;     /* the first that differs, counted in C order */
    char left[33];      /* its bits as hex, most significant first */
    char right[33];
    /* For f16, bf16, f32, f64: the largest distance in units in the last place among pairs of which
     * none is NaN; +0 and -0 are 0 apart. */
    bool has_ulp;
    uint64_t max_ulp;
    uint64_t nan_pairs; /* differing pairs with a NaN in them */
    /* For integers of up to 64 bits: the largest absolute difference. */
    bool has_difference;
    uint64_t max_difference;
};

/* Both sides are `elements` elements in C order. */
void snap_tensor_compare(enum snap_dtype dtype, uint64_t elements, const unsigned char *left,
                         const unsigned char *right, struct snap_tensor_difference *difference);
/* The next `elements` of the same two tensors. */
void snap_tensor_compare_more(enum snap_dtype dtype, uint64_t elements, const unsigned char *left,
                              const unsigned char *right,
                              struct snap_tensor_difference *difference);

/* "[1, 0, 2]" for element `index` of a tensor of that shape; "[]" without dimensions. */
void snap_tensor_index_text(uint64_t index, size_t ndim, const uint64_t *shape, char *out,
                            size_t out_bytes);

#endif
