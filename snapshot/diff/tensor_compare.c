/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "diff/tensor_compare.h"

/* Bits of the exponent and of the fraction; false for a dtype whose distance is not told. */
static bool float_format(enum snap_dtype dtype, unsigned *exponent, unsigned *fraction)
{
    switch (dtype) {
    case SNAP_F16:
        *exponent = 5;
        *fraction = 10;
        return true;
    case SNAP_BF16:
        *exponent = 8;
        *fraction = 7;
        return true;
    case SNAP_F32:
        *exponent = 8;
        *fraction = 23;
        return true;
    case SNAP_F64:
        *exponent = 11;
        *fraction = 52;
        return true;
    default:
        return false;
    }
}

static bool is_integer(enum snap_dtype dtype, bool *is_signed)
{
    switch (dtype) {
    case SNAP_I8:
    case SNAP_I16:
    case SNAP_I32:
    case SNAP_I64:
        *is_signed = true;
        return true;
    case SNAP_U8:
    case SNAP_U16:
    case SNAP_U32:
    case SNAP_U64:
        *is_signed = false;
        return true;
    default:
        return false;
    }
}

static uint64_t load(const unsigned char *element, size_t bytes)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes; i++)
        bits |= (uint64_t)element[i] << (8 * i);
    return bits;
}

/* Distance of two floats on the line of all floats of their format. False when one is NaN. */
static bool distance(uint64_t left, uint64_t right, unsigned exponent, unsigned fraction,
                     uint64_t *ulp)
{
    uint64_t magnitude = ((uint64_t)1 << (exponent + fraction)) - 1;
    uint64_t infinity = (((uint64_t)1 << exponent) - 1) << fraction;
    uint64_t a = left & magnitude;
    uint64_t b = right & magnitude;
    if (a > infinity || b > infinity)
        return false;
    bool same_sign = (left > magnitude) == (right > magnitude);
    if (same_sign)
        *ulp = a > b ? a - b : b - a;
    else
        *ulp = a + b;
    return true;
}

/* |left - right|. Integers with a sign lie in the order of their bits when the sign bit is
 * turned. */
static uint64_t integer_difference(uint64_t left, uint64_t right, size_t bytes, bool is_signed)
{
    uint64_t sign = is_signed ? (uint64_t)1 << (8 * bytes - 1) : 0;
    uint64_t a = left ^ sign;
    uint64_t b = right ^ sign;
    return a > b ? a - b : b - a;
}

static void bits_text(const unsigned char *element, size_t bytes, char text[33])
{
    unsigned char reversed[16];
    for (size_t i = 0; i < bytes; i++)
        reversed[i] = element[bytes - 1 - i];
    snap_hex_encode(reversed, bytes, text);
}

void snap_tensor_compare(enum snap_dtype dtype, uint64_t elements, const unsigned char *left,
                         const unsigned char *right, struct snap_tensor_difference *difference)
{
    *difference = (struct snap_tensor_difference){ .elements = 0 };
    snap_tensor_compare_more(dtype, elements, left, right, difference);
}

void snap_tensor_compare_more(enum snap_dtype dtype, uint64_t elements, const unsigned char *left,
                              const unsigned char *right,
                              struct snap_tensor_difference *difference)
{
    size_t bytes = snap_dtype_size_bytes(dtype);
    unsigned exponent = 0;
    unsigned fraction = 0;
    bool is_signed = false;
    uint64_t first = difference->elements;
    difference->elements += elements;
    difference->has_ulp = float_format(dtype, &exponent, &fraction);
    difference->has_difference = is_integer(dtype, &is_signed);
    for (uint64_t i = 0; i < elements; i++, left += bytes, right += bytes) {
        uint64_t ulp;
        if (memcmp(left, right, bytes) == 0)
            continue;
        if (difference->differing++ == 0) {
            difference->first = first + i;
            bits_text(left, bytes, difference->left);
            bits_text(right, bytes, difference->right);
        }
        if (difference->has_difference) {
            uint64_t apart = integer_difference(load(left, bytes), load(right, bytes), bytes,
                                                is_signed);
            if (apart > difference->max_difference)
                difference->max_difference = apart;
        }
        if (!difference->has_ulp)
            continue;
        if (!distance(load(left, bytes), load(right, bytes), exponent, fraction, &ulp))
            difference->nan_pairs++;
        else if (ulp > difference->max_ulp)
            difference->max_ulp = ulp;
    }
}

void snap_tensor_index_text(uint64_t index, size_t ndim, const uint64_t *shape, char *out,
                            size_t out_bytes)
{
    uint64_t places[SNAP_MAX_DIMS];
    size_t at = 0;
    for (size_t i = ndim; i-- > 0;) {
        places[i] = index % shape[i];
        index /= shape[i];
    }
    out[0] = '\0';
    at += (size_t)snprintf(out, out_bytes, "[");
    for (size_t i = 0; i < ndim && at < out_bytes; i++)
        at +=
            (size_t)snprintf(out + at, out_bytes - at, "%s%" PRIu64, i > 0 ? ", " : "", places[i]);
    if (at < out_bytes)
        snprintf(out + at, out_bytes - at, "]");
}
