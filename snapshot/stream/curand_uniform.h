/* SPDX-License-Identifier: Apache-2.0 */
/* Words as uniform numbers, the way of cuRAND's device functions (curand_uniform.h there): in
 * (0, 1]. The product is exact, so that a fused multiplication and addition, which devices make of
 * it, and two operations give the same bits. */
#ifndef SNAP_STREAM_CURAND_UNIFORM_H
#define SNAP_STREAM_CURAND_UNIFORM_H

#include <stdint.h>

/* curand_uniform(). */
static inline float snap_curand_uniform_f32(uint32_t word)
{
    return (float)word * 0x1p-32f + 0x1p-33f;
}

/* curand_uniform_double() of XORWOW, curand_uniform2_double() of Philox: 53 bits of two words. */
static inline double snap_curand_uniform_f64(uint32_t first, uint32_t second)
{
    return (double)((uint64_t)first ^ (uint64_t)second << 21) * 0x1p-53 + 0x1p-54;
}

/* curand_uniform_double() of Philox: 32 bits of one word. */
static inline double snap_curand_uniform_f64_short(uint32_t word)
{
    return (double)word * 0x1p-32 + 0x1p-32;
}

#endif
