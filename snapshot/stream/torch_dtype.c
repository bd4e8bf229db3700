/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/torch_dtype.h"

#include <float.h>
#include <math.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t snap_f16_from_float(float value)
{
    uint32_t bits = bits_of(value);
    uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    uint32_t half, rest, shift;

    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u);
    }
    if (magnitude >= 0x47800000u) { /* 2^16 and more */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude < 0x33000000u) { /* below 2^-25: nearer to 0 than to the least subnormal */
        return (uint16_t)sign;
    }
    if (magnitude < 0x38800000u) { /* below 2^-14: subnormal */
        uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;

        shift = 126 - (magnitude >> 23);
        half = significand >> shift;
        rest = significand & ((1u << shift) - 1);
    } else {
        shift = 13;
        half = (magnitude - 0x38000000u) >> shift;
        rest = magnitude & 0x1fffu;
    }
    if (rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && (half & 1))) {
        half++;
    }
    return (uint16_t)(sign | half);
}

float snap_f16_to_float(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = bits >> 10 & 0x1fu;
    uint32_t fraction = bits & 0x3ffu;

    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24f;

        return sign != 0 ? -magnitude : magnitude;
    }
    if (exponent == 0x1f) {
        return float_of(sign | 0x7f800000u | fraction << 13);
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t snap_bf16_from_float(float value)
{
    uint32_t bits = bits_of(value);

    if (isnan(value)) {
        return 0x7fc0u;
    }
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

float snap_bf16_to_float(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

float snap_round_to_f16(float value)
{
    return snap_f16_to_float(snap_f16_from_float(value));
}

float snap_round_to_bf16(float value)
{
    return snap_bf16_to_float(snap_bf16_from_float(value));
}

int snap_torch_digits(enum snap_dtype dtype)
{
    switch (dtype) {
    case SNAP_F16:
        return 11;
    case SNAP_BF16:
        return 8;
    case SNAP_F32:
        return FLT_MANT_DIG;
    case SNAP_F64:
        return DBL_MANT_DIG;
    default:
        return 0;
    }
}

bool snap_torch_is_float(enum snap_dtype dtype)
{
    return snap_torch_digits(dtype) != 0;
}

double snap_torch_float_max(enum snap_dtype dtype)
{
    switch (dtype) {
    case SNAP_F16:
        return 65504.0;
    case SNAP_BF16:
        return 0x1.fep127;
    case SNAP_F32:
        return FLT_MAX;
    default:
        return DBL_MAX;
    }
}

bool snap_torch_is_fillable(enum snap_dtype dtype)
{
    switch (dtype) {
    case SNAP_BOOL:
    case SNAP_U8:
    case SNAP_I8:
    case SNAP_I16:
    case SNAP_I32:
    case SNAP_I64:
        return true;
    default:
        return snap_torch_is_float(dtype);
    }
}

void snap_torch_int_limits(enum snap_dtype dtype, int64_t *least, int64_t *most)
{
    bool is_signed = dtype != SNAP_BOOL && dtype != SNAP_U8;
    int bits = dtype == SNAP_BOOL ? 1 : 8 * (int)snap_dtype_size_bytes(dtype);

    *most = (int64_t)(UINT64_MAX >> (64 - bits + (is_signed ? 1 : 0)));
    *least = is_signed ? -*most - 1 : 0;
}

void snap_torch_store_int(enum snap_dtype dtype, void *out, size_t index, int64_t value)
{
    switch (dtype) {
    case SNAP_BOOL:
        ((uint8_t *)out)[index] = value != 0;
        break;
    case SNAP_U8:
    case SNAP_I8:
        ((uint8_t *)out)[index] = (uint8_t)value;
        break;
    case SNAP_I16:
        ((uint16_t *)out)[index] = (uint16_t)value;
        break;
    case SNAP_I32:
        ((uint32_t *)out)[index] = (uint32_t)value;
        break;
    case SNAP_I64:
        ((int64_t *)out)[index] = value;
        break;
    case SNAP_F16:
        ((uint16_t *)out)[index] = snap_f16_from_float((float)value);
        break;
    case SNAP_BF16:
        ((uint16_t *)out)[index] = snap_bf16_from_float((float)value);
        break;
    case SNAP_F32:
        ((float *)out)[index] = (float)value;
        break;
    default:
        ((double *)out)[index] = (double)value;
        break;
    }
}

void snap_torch_store_double(enum snap_dtype dtype, void *out, size_t index, double value)
{
    switch (dtype) {
    case SNAP_F16:
        ((uint16_t *)out)[index] = snap_f16_from_float((float)value);
        break;
    case SNAP_BF16:
        ((uint16_t *)out)[index] = snap_bf16_from_float((float)value);
        break;
    case SNAP_F32:
        ((float *)out)[index] = (float)value;
        break;
    case SNAP_F64:
        ((double *)out)[index] = value;
        break;
    default:
        snap_torch_store_int(dtype, out, index, (int64_t)value);
        break;
    }
}
