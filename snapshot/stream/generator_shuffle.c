/* SPDX-License-Identifier: Apache-2.0 */
/* Generator: shuffle, permutation, permuted. The places are drawn by masked rejection, not by
 * Lemire's method: random_interval of NumPy's src/distributions/distributions.c. */
#include "config.h"

#include <snapstate/stream_draws.h>
#include <string.h>

#include "stream/generator.h"

/* Items that are swapped: `stride` bytes apart. */
struct line {
    unsigned char *items;
    size_t item_bytes;
    size_t stride;
};

static inline void swap_bytes(unsigned char *a, unsigned char *b, size_t size_bytes)
{
    unsigned char kept[64];

    while (size_bytes > 0) {
        size_t piece = size_bytes < sizeof kept ? size_bytes : sizeof kept;

        memcpy(kept, a, piece);
        memmove(a, b, piece); /* of an item with itself */
        memcpy(b, kept, piece);
        a += piece;
        b += piece;
        size_bytes -= piece;
    }
}

/* With the usual sizes as constants, of which the compiler makes loads and stores. */
static inline void swap(const struct line *line, size_t item_bytes, size_t i, size_t j)
{
    swap_bytes(line->items + i * line->stride, line->items + j * line->stride, item_bytes);
}

/* random_interval(max), max > UINT32_MAX. */
static uint64_t wide_interval(struct snap_bit_generator *g, uint64_t max)
{
    uint64_t mask = UINT64_MAX >> __builtin_clzll(max);
    uint64_t value;

    do {
        snap_bit_generator_fill_u64(g, &value, 1);
        value &= mask;
    } while (value > max);
    return value;
}

/* For i = count - 1 to 1: swap item i with one of those up to it. A word that is drawn is too large,
 * or settles one i; masks change only where i passes a power of two. */
static inline void shuffle_line(struct snap_bit_generator *g, const struct line *line,
                                size_t item_bytes, size_t count)
{
    struct snap_reader_u32 r;
    size_t i = count;

    for (; i > (uint64_t)UINT32_MAX + 1; i--) {
        swap(line, item_bytes, i - 1, wide_interval(g, i - 1));
    }
    snap_reader_u32_init(&r, g, 0);
    while (i > 1) {
        uint32_t top = (uint32_t)(i - 1);
        uint32_t mask = UINT32_MAX >> __builtin_clz(top);
        uint32_t low = mask >> 1; /* the largest place that has a smaller mask */

        while (top > low) {
            uint32_t place;

            r.left = top;
            place = snap_reader_u32_next(&r) & mask;
            if (place <= top) {
                swap(line, item_bytes, top, place);
                top--;
            }
        }
        i = (size_t)top + 1;
    }
}

static void shuffle(struct snap_bit_generator *g, const struct line *line, size_t count)
{
    switch (line->item_bytes) {
    case 1:
        shuffle_line(g, line, 1, count);
        break;
    case 2:
        shuffle_line(g, line, 2, count);
        break;
    case 4:
        shuffle_line(g, line, 4, count);
        break;
    case 8:
        shuffle_line(g, line, 8, count);
        break;
    default:
        shuffle_line(g, line, line->item_bytes, count);
        break;
    }
}

enum snap_status snap_generator_shuffle(struct snap_stream *stream, void *items, size_t count,
                                        size_t item_bytes, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "shuffle", err);
    const struct line line = { items, item_bytes, item_bytes };

    if (g == NULL) {
        return SNAP_INVALID;
    }
    shuffle(g, &line, count);
    return SNAP_OK;
}

enum snap_status snap_generator_permutation(struct snap_stream *stream, int64_t *out, size_t n,
                                            struct snap_error *err)
{
    if (snap_stream_bit_generator(stream, "permutation", err) == NULL) {
        return SNAP_INVALID;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = (int64_t)i;
    }
    return snap_generator_shuffle(stream, out, n, sizeof *out, err);
}

enum snap_status snap_generator_permuted(struct snap_stream *stream, void *items, size_t outer,
                                         size_t n, size_t inner, size_t item_bytes,
                                         struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "permuted", err);
    unsigned char *block = items;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    for (size_t o = 0; o < outer; o++, block += n * inner * item_bytes) {
        for (size_t i = 0; i < inner; i++) {
            const struct line line = { block + i * item_bytes, item_bytes, inner * item_bytes };

            shuffle(g, &line, n);
        }
    }
    return SNAP_OK;
}
