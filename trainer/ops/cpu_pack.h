/* SPDX-License-Identifier: Apache-2.0 */
/* Copies into packed panels: panel[k * width + i]. Included by the files that read operands. */
#ifndef TRN_CPU_PACK_H
#define TRN_CPU_PACK_H

#include <stddef.h>

#define TRN_PACK_MAX_WIDTH 32 /* the widest panel: two vectors of 16 */

typedef float trn_quad __attribute__((vector_size(16)));
typedef trn_quad trn_quad_unaligned __attribute__((aligned(4), may_alias));

static inline trn_quad trn_quad_load(const float *from)
{
    return *(const trn_quad_unaligned *)from;
}

static inline void trn_quad_store(float *to, trn_quad value)
{
    *(trn_quad_unaligned *)to = value;
}

/* `count` rows whose k's lie next to each other become columns `0..count-1` of the panel. */
static inline void trn_pack_rows(const float *const *rows, size_t count, size_t depth, size_t width,
                                 float *out)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const float *a = rows[i], *b = rows[i + 1], *c = rows[i + 2], *d = rows[i + 3];
        float *to = out + i;
        size_t k = 0;
        for (; k + 4 <= depth; k += 4) {
            const trn_quad p = trn_quad_load(a + k), q = trn_quad_load(b + k);
            const trn_quad r = trn_quad_load(c + k), s = trn_quad_load(d + k);
            const trn_quad pq_low = __builtin_shufflevector(p, q, 0, 4, 1, 5);
            const trn_quad pq_high = __builtin_shufflevector(p, q, 2, 6, 3, 7);
            const trn_quad rs_low = __builtin_shufflevector(r, s, 0, 4, 1, 5);
            const trn_quad rs_high = __builtin_shufflevector(r, s, 2, 6, 3, 7);
            trn_quad_store(to, __builtin_shufflevector(pq_low, rs_low, 0, 1, 4, 5));
            trn_quad_store(to + width, __builtin_shufflevector(pq_low, rs_low, 2, 3, 6, 7));
            trn_quad_store(to + 2 * width, __builtin_shufflevector(pq_high, rs_high, 0, 1, 4, 5));
            trn_quad_store(to + 3 * width, __builtin_shufflevector(pq_high, rs_high, 2, 3, 6, 7));
            to += 4 * width;
        }
        for (; k < depth; k++) {
            to[0] = a[k];
            to[1] = b[k];
            to[2] = c[k];
            to[3] = d[k];
            to += width;
        }
    }
    for (; i < count; i++) {
        for (size_t k = 0; k < depth; k++) {
            out[k * width + i] = rows[i][k];
        }
    }
}

/* Columns `count..width-1` of `depth` rows become +0. */
static inline void trn_pack_blank(size_t count, size_t depth, size_t width, float *out)
{
    if (count < width) {
        for (size_t k = 0; k < depth; k++) {
            for (size_t i = count; i < width; i++) {
                out[k * width + i] = 0.0f;
            }
        }
    }
}

/* `count` floats, without a call. */
static inline void trn_pack_copy(const float *from, size_t count, float *out)
{
    for (; count >= 4; count -= 4) {
        trn_quad_store(out, trn_quad_load(from));
        from += 4;
        out += 4;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = from[i];
    }
}

#endif
