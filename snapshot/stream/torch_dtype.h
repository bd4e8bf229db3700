/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of torch's tensors: rounding into the 16-bit types, and storing a number as an element
 * of any type, as a C++ cast does. */
#ifndef SNAP_STREAM_TORCH_DTYPE_H
#define SNAP_STREAM_TORCH_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/tree.h>

/* Nearest, ties to even. */
uint16_t snap_f16_from_float(float value);
float snap_f16_to_float(uint16_t bits);
uint16_t snap_bf16_from_float(float value);
float snap_bf16_to_float(uint16_t bits);
/* To f16 or bf16 and back. */
float snap_round_to_f16(float value);
float snap_round_to_bf16(float value);

/* f16, bf16, f32, f64. */
bool snap_torch_is_float(enum snap_dtype dtype);
/* Those, bool, u8 and the signed integers: what the fills take. */
bool snap_torch_is_fillable(enum snap_dtype dtype);
/* Bits of the significand of a floating type; 0 for others. */
int snap_torch_digits(enum snap_dtype dtype);
/* The largest finite number of a floating type. */
double snap_torch_float_max(enum snap_dtype dtype);
/* Least and largest number of an integer type or bool. */
void snap_torch_int_limits(enum snap_dtype dtype, int64_t *least, int64_t *most);

/* Element `index` of `out` becomes `value`. The 16-bit types are rounded from float. */
void snap_torch_store_double(enum snap_dtype dtype, void *out, size_t index, double value);
void snap_torch_store_int(enum snap_dtype dtype, void *out, size_t index, int64_t value);

#endif
