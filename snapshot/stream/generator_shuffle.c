/* SPDX-License-Identifier: Apache-2.0 */
/* Generator: shuffle, permutation, permuted. The places are drawn by masked rejection, not by
 * Lemire's method. */
#include "config.h"

#include <snapstate/stream_draws.h>

#include "stream/generator.h"
#include "stream/masked_shuffle.h"

static void fill_u32(void *arg, uint32_t *out, size_t n)
{
    snap_bit_generator_fill_u32(arg, out, n);
}

static void fill_u64(void *arg, uint64_t *out, size_t n)
{
    snap_bit_generator_fill_u64(arg, out, n);
}

static void shuffle(struct snap_bit_generator *g, const struct snap_shuffle_line *line,
                    size_t count)
{
    const struct snap_word_source source = { fill_u32, fill_u64, g };

    snap_masked_shuffle(&source, line, count);
}

enum snap_status snap_generator_shuffle(struct snap_stream *stream, void *items, size_t count,
                                        size_t item_bytes, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "shuffle", err);
    const struct snap_shuffle_line line = { items, item_bytes, item_bytes };

    if (g == NULL) {
        return SNAP_INVALID;
    }
    shuffle(g, &line, count);
    return SNAP_OK;
}

void snap_generator_fill_permutation(struct snap_bit_generator *g, int64_t *out, size_t n)
{
    const struct snap_shuffle_line line = { (unsigned char *)out, sizeof *out, sizeof *out };

    for (size_t i = 0; i < n; i++) {
        out[i] = (int64_t)i;
    }
    shuffle(g, &line, n);
}

enum snap_status snap_generator_permutation(struct snap_stream *stream, int64_t *out, size_t n,
                                            struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "permutation", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    snap_generator_fill_permutation(g, out, n);
    return SNAP_OK;
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
            const struct snap_shuffle_line line = {
                .items = block + i * item_bytes,
                .item_bytes = item_bytes,
                .stride = inner * item_bytes,
            };

            shuffle(g, &line, n);
        }
    }
    return SNAP_OK;
}
