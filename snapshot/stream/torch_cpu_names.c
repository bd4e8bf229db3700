/* SPDX-License-Identifier: Apache-2.0 */
/* torch's CPU generator: draws by name, and the older form of its state. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream/stream_family.h"
#include "stream/torch_cpu.h"

static enum snap_status draw_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_uniform(state, SNAP_F32, 0.0, 1.0, out, n, err);
}

static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_uniform(state, SNAP_F64, 0.0, 1.0, out, n, err);
}

static enum snap_status draw_i64(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_random(state, SNAP_I64, out, n, err);
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err; /* cannot fail */
    snap_torch_words(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_u64(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err; /* cannot fail */
    snap_torch_wide_words(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_normal_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_normal(state, SNAP_F32, 0.0, 1.0, true, out, n, err);
}

static enum snap_status draw_normal(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_normal(state, SNAP_F64, 0.0, 1.0, true, out, n, err);
}

static enum snap_status draw_permutation(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err; /* cannot fail */
    snap_torch_randperm(state, out, n);
    return SNAP_OK;
}

const struct snap_stream_draw_row snap_torch_cpu_draws[] = {
    SNAP_DRAW_ROW("f32", "torch.rand(n)", SNAP_F32, false, draw_f32),
    SNAP_DRAW_ROW("f64", "torch.rand(n, dtype=torch.float64)", SNAP_F64, false, draw_f64),
    SNAP_DRAW_ROW("i64", "torch.empty(n, dtype=torch.int64).random_()", SNAP_I64, false, draw_i64),
    SNAP_DRAW_ROW("u32", "the generator's next n words of 32 bits", SNAP_U32, false, draw_u32),
    SNAP_DRAW_ROW("u64", "the generator's next n words of 64 bits", SNAP_U64, false, draw_u64),
    SNAP_DRAW_ROW("normal_f32", "torch.randn(n)", SNAP_F32, true, draw_normal_f32),
    SNAP_DRAW_ROW("normal", "torch.randn(n, dtype=torch.float64)", SNAP_F64, true, draw_normal),
    SNAP_DRAW_ROW("permutation", "torch.randperm(n)", SNAP_U64, false, draw_permutation),
    SNAP_DRAW_END,
};

/* The new form without its last field, and, where the old one has a radius and an angle of the
 * cached normal, nothing: a normal does not say which two it was made of. */
static enum snap_status encode_legacy(const void *state, void **bytes, size_t *size_bytes,
                                      struct snap_error *err)
{
    const struct snap_torch_cpu *t = state;
    unsigned char *out;

    if (t->has_normal || t->has_float_normal) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "stream torch_cpu: encode: the form of 5048 bytes cannot hold a "
                              "cached normal as it is; draw one more normal first");
    }
    out = malloc(SNAP_TORCH_CPU_BYTES);
    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream torch_cpu: encode: no memory");
    }
    snap_torch_get_state(t, out);
    *bytes = out;
    *size_bytes = SNAP_TORCH_CPU_LEGACY_BYTES;
    return SNAP_OK;
}

static enum snap_status decode_legacy(void *state, const void *bytes, size_t size_bytes,
                                      struct snap_error *err)
{
    if (size_bytes != SNAP_TORCH_CPU_LEGACY_BYTES) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "stream torch_cpu: decode: %zu bytes where the old form has 5048",
                              size_bytes);
    }
    return snap_torch_set_state(state, bytes, size_bytes, err);
}

const struct snap_stream_form_row snap_torch_cpu_forms[] = {
    SNAP_FORM_ROW("legacy", "torch.get_rng_state() of the first releases, 5048 bytes",
                  encode_legacy, decode_legacy),
    SNAP_FORM_END,
};
