/* SPDX-License-Identifier: Apache-2.0 */
/* Generator: words, bytes and uniforms. */
#include "config.h"

#include <math.h>
#include <snapstate/stream_draws.h>
#include <string.h>

#include "stream/generator.h"
#include "stream/uniform_lanes.h"

/* Words on the stack at once. */
#define BLOCK 512u

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

void snap_generator_fill_raw(struct snap_bit_generator *g, uint64_t *out, size_t n)
{
    uint32_t block[BLOCK];

    if (g->ops->has_halves) {
        snap_bit_generator_fill_u64(g, out, n);
        return;
    }
    for (size_t count; n > 0; n -= count, out += count) {
        count = least(n, BLOCK);
        snap_bit_generator_fill_u32(g, block, count);
        for (size_t i = 0; i < count; i++) {
            out[i] = block[i];
        }
    }
}

enum snap_status snap_generator_random_raw(struct snap_stream *stream, uint64_t *out, size_t n,
                                           struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "random_raw", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    snap_generator_fill_raw(g, out, n);
    return SNAP_OK;
}

enum snap_status snap_generator_bytes(struct snap_stream *stream, void *out, size_t size_bytes,
                                      struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "bytes", err);
    unsigned char *at = out;
    uint32_t block[BLOCK];

    if (g == NULL) {
        return SNAP_INVALID;
    }
    /* Of no bytes NumPy draws a word too. */
    do {
        size_t count = least(size_bytes, sizeof block);

        snap_bit_generator_fill_u32(g, block, count > 0 ? (count + 3) / 4 : 1);
        if (count > 0) {
            memcpy(at, block, count);
        }
        at += count;
        size_bytes -= count;
    } while (size_bytes > 0);
    return SNAP_OK;
}

enum snap_status snap_generator_random_f64(struct snap_stream *stream, double *out, size_t n,
                                           struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "random", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    snap_bit_generator_fill_f64(g, out, n);
    return SNAP_OK;
}

void snap_generator_fill_f32(struct snap_bit_generator *g, float *out, size_t n)
{
    uint32_t block[BLOCK];

    for (size_t count; n > 0; n -= count, out += count) {
        count = least(n, BLOCK);
        snap_bit_generator_fill_u32(g, block, count);
        snap_words_to_f32(block, out, count);
    }
}

enum snap_status snap_generator_random_f32(struct snap_stream *stream, float *out, size_t n,
                                           struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "random", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    snap_generator_fill_f32(g, out, n);
    return SNAP_OK;
}

enum snap_status snap_generator_uniform(struct snap_stream *stream, double low, double high,
                                        double *out, size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "uniform", err);
    double range = high - low;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (!isfinite(range) || range < 0.0) {
        return snap_error_set(err, SNAP_INVALID,
                              "%s: uniform: high - low is negative or not finite", g->ops->what);
    }
    snap_bit_generator_fill_f64(g, out, n);
    for (size_t i = 0; i < n; i++) {
        out[i] = low + range * out[i];
    }
    return SNAP_OK;
}
