/* SPDX-License-Identifier: Apache-2.0 */
/* A number that the host computed and the operators used: its bits go into the step record or the
 * manifest, and a replay can compare or use them. */
#ifndef TRN_SCALAR_H
#define TRN_SCALAR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TRN_SCALAR_NAME_SIZE 80 /* with its terminator */

struct trn_scalar {
    char name[TRN_SCALAR_NAME_SIZE]; /* "lr", "correction1", "dropout1.scale" */
    unsigned width_bits;             /* 32: a binary32 value; "threshold": an unsigned integer */
    uint64_t bits;                   /* the low `width_bits` */
};

static inline uint32_t trn_f32_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline float trn_f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

#endif
