/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include <snapstate/tree.h>

static const struct {
    const char *name;
    size_t size_bytes;
} dtypes[] = {
    [SNAP_BOOL] = { "bool", 1 },
    [SNAP_U8] = { "u8", 1 },
    [SNAP_I8] = { "i8", 1 },
    [SNAP_U16] = { "u16", 2 },
    [SNAP_I16] = { "i16", 2 },
    [SNAP_U32] = { "u32", 4 },
    [SNAP_I32] = { "i32", 4 },
    [SNAP_U64] = { "u64", 8 },
    [SNAP_I64] = { "i64", 8 },
    [SNAP_F16] = { "f16", 2 },
    [SNAP_BF16] = { "bf16", 2 },
    [SNAP_F32] = { "f32", 4 },
    [SNAP_F64] = { "f64", 8 },
    [SNAP_F8_E4M3FN] = { "f8_e4m3fn", 1 },
    [SNAP_F8_E5M2] = { "f8_e5m2", 1 },
    [SNAP_F8_E4M3FNUZ] = { "f8_e4m3fnuz", 1 },
    [SNAP_F8_E5M2FNUZ] = { "f8_e5m2fnuz", 1 },
    [SNAP_F8_E8M0FNU] = { "f8_e8m0fnu", 1 },
    [SNAP_C32] = { "c32", 4 },
    [SNAP_C64] = { "c64", 8 },
    [SNAP_C128] = { "c128", 16 },
};
#define DTYPES (sizeof dtypes / sizeof dtypes[0])

size_t snap_dtype_size_bytes(enum snap_dtype dtype)
{
    return (size_t)dtype < DTYPES ? dtypes[dtype].size_bytes : 0;
}

const char *snap_dtype_name(enum snap_dtype dtype)
{
    return (size_t)dtype < DTYPES ? dtypes[dtype].name : NULL;
}

bool snap_dtype_from_name(const char *name, enum snap_dtype *dtype)
{
    for (size_t i = SNAP_BOOL; i < DTYPES; i++)
        if (strcmp(dtypes[i].name, name) == 0) {
            *dtype = (enum snap_dtype)i;
            return true;
        }
    return false;
}
