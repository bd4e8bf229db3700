/* SPDX-License-Identifier: Apache-2.0 */
/* Generator.integers: Lemire's method ("Fast Random Integer Generation in an Interval", 2019), in
 * the widths that NumPy has it in (numpy/random/_bounded_integers.pyx.in and
 * src/distributions/distributions.c). Types of 64 bits draw 32-bit words when the range lets them.
 * Smaller types than 32 bits are given out of a 32-bit word in pieces, low ones first; what is left
 * at the end of a call is dropped. */
#include "config.h"

#include <snapstate/stream_draws.h>
#include <string.h>

#include "stream/generator.h"

/* Words on the stack at once. */
#define BLOCK 512u

#define INLINED static inline __attribute__((always_inline))

/* A word times the number of results has the result above and a remainder below, of which the
 * smallest are refused so that all results are as frequent. */

static uint32_t least_remainder(unsigned bits, uint32_t range)
{
    const uint32_t most = UINT32_MAX >> (32 - bits);

    return (most - range) % (range + 1);
}

static uint64_t least_remainder_64(uint64_t range)
{
    return (UINT64_MAX - range) % (range + 1);
}

uint64_t snap_generator_bounded(struct snap_bit_generator *g, uint64_t range)
{
    snap_uint128 product;
    uint64_t wide;
    uint32_t word;

    if (range == 0) {
        return 0;
    }
    if (range == UINT32_MAX) {
        snap_bit_generator_fill_u32(g, &word, 1);
        return word;
    }
    if (range < UINT32_MAX) {
        const uint32_t size = (uint32_t)range + 1;

        do {
            snap_bit_generator_fill_u32(g, &word, 1);
            wide = (uint64_t)word * size;
        } while ((uint32_t)wide < size && (uint32_t)wide < least_remainder(32, (uint32_t)range));
        return wide >> 32;
    }
    do {
        snap_bit_generator_fill_u64(g, &wide, 1);
        if (range == UINT64_MAX) {
            return wide;
        }
        product = (snap_uint128)wide * (range + 1);
    } while ((uint64_t)product <= range && (uint64_t)product < least_remainder_64(range));
    return (uint64_t)(product >> 64);
}

/* ---- types ---- */

static unsigned bits_of(enum snap_dtype dtype)
{
    switch (dtype) {
    case SNAP_BOOL:
        return 1;
    case SNAP_U8:
    case SNAP_I8:
        return 8;
    case SNAP_U16:
    case SNAP_I16:
        return 16;
    case SNAP_U32:
    case SNAP_I32:
        return 32;
    case SNAP_U64:
    case SNAP_I64:
        return 64;
    default:
        return 0;
    }
}

/* Whether low and low + range are of the type. */
static bool fits(enum snap_dtype dtype, int64_t low, uint64_t range)
{
    unsigned bits = bits_of(dtype);
    bool is_signed = dtype == SNAP_I8 || dtype == SNAP_I16 || dtype == SNAP_I32 ||
                     dtype == SNAP_I64;
    uint64_t all = UINT64_MAX >> (64 - bits);
    int64_t least = is_signed ? -(int64_t)(all >> 1) - 1 : 0;
    uint64_t above; /* of low above the least */

    if (dtype != SNAP_U64 && low < least) {
        return false;
    }
    above = (uint64_t)low - (uint64_t)least;
    return above <= all && range <= all - above;
}

static enum snap_status check(const struct snap_bit_generator *g, enum snap_dtype dtype,
                              int64_t low, uint64_t range, struct snap_error *err)
{
    if (bits_of(dtype) == 0) {
        return snap_error_set(err, SNAP_INVALID, "%s: integers: not of an integer type",
                              g->ops->what);
    }
    if (!fits(dtype, low, range)) {
        return snap_error_set(err, SNAP_INVALID, "%s: integers: the bounds do not fit %s",
                              g->ops->what, snap_dtype_name(dtype));
    }
    return SNAP_OK;
}

/* ---- one range ---- */

/* No more words are made at once than results are left, so all are used. A refused result is
 * written over by the next one: nothing depends on what the processor cannot foresee. The widths
 * are constants where these are called. */

INLINED void put_in(size_t element_bytes, void *out, size_t i, uint64_t value)
{
    memcpy((unsigned char *)out + i * element_bytes, &value, element_bytes); /* little-endian */
}

INLINED void fill_narrow(struct snap_bit_generator *g, size_t element_bytes, uint64_t low,
                         uint32_t range, void *out, size_t n)
{
    const uint64_t size = (uint64_t)range + 1;
    const uint32_t least = range == UINT32_MAX ? 0 : least_remainder(32, range);
    uint32_t words[BLOCK];
    size_t i = 0;

    while (i < n) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;

        snap_bit_generator_fill_u32(g, words, count);
        for (size_t w = 0; w < count; w++) {
            uint64_t product = words[w] * size;

            put_in(element_bytes, out, i, low + (product >> 32));
            i += (uint32_t)product >= least;
        }
    }
}

static void fill_wide(struct snap_bit_generator *g, uint64_t low, uint64_t range, uint64_t *out,
                      size_t n)
{
    const snap_uint128 size = (snap_uint128)range + 1;
    const uint64_t least = range == UINT64_MAX ? 0 : least_remainder_64(range);
    uint64_t words[BLOCK];
    size_t i = 0;

    while (i < n) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;

        snap_bit_generator_fill_u64(g, words, count);
        for (size_t w = 0; w < count; w++) {
            snap_uint128 product = words[w] * size;

            out[i] = low + (uint64_t)(product >> 64);
            i += (uint64_t)product >= least;
        }
    }
}

/* Pieces of `bits` bits, 8 or 16, or 1, of which each is a result. */
INLINED void fill_pieces(struct snap_bit_generator *g, unsigned bits, uint64_t low, uint32_t range,
                         void *out, size_t n)
{
    const size_t element_bytes = bits == 16 ? 2 : 1;
    const size_t per_word = 32 / bits;
    const uint32_t most = UINT32_MAX >> (32 - bits);
    const uint32_t least = range == most ? 0 : least_remainder(bits, range);
    uint32_t words[BLOCK];
    size_t i = 0;

    while (i < n) {
        size_t wanted = (n - i - 1) / per_word + 1;
        size_t count = wanted < BLOCK ? wanted : BLOCK;

        snap_bit_generator_fill_u32(g, words, count);
        for (size_t w = 0; w < count; w++) {
            for (size_t p = 0; p < per_word && i < n; p++) {
                uint32_t product = (words[w] >> (p * bits) & most) * (range + 1);

                put_in(element_bytes, out, i, low + (product >> bits));
                i += (product & most) >= least;
            }
        }
    }
}

static void fill(struct snap_bit_generator *g, enum snap_dtype dtype, uint64_t low, uint64_t range,
                 void *out, size_t n)
{
    switch (bits_of(dtype)) {
    case 1:
        fill_pieces(g, 1, low, (uint32_t)range, out, n);
        break;
    case 8:
        fill_pieces(g, 8, low, (uint32_t)range, out, n);
        break;
    case 16:
        fill_pieces(g, 16, low, (uint32_t)range, out, n);
        break;
    case 32:
        fill_narrow(g, 4, low, (uint32_t)range, out, n);
        break;
    default:
        if (range <= UINT32_MAX) {
            fill_narrow(g, 8, low, (uint32_t)range, out, n);
        } else {
            fill_wide(g, low, range, out, n);
        }
        break;
    }
}

enum snap_status snap_generator_integers(struct snap_stream *stream, enum snap_dtype dtype,
                                         int64_t low, uint64_t range, void *out, size_t n,
                                         struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "integers", err);
    enum snap_status status;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    status = check(g, dtype, low, range, err);
    if (status != SNAP_OK) {
        return status;
    }
    if (range == 0) {
        for (size_t i = 0; i < n; i++) {
            put_in(snap_dtype_size_bytes(dtype), out, i, (uint64_t)low);
        }
    } else {
        fill(g, dtype, (uint64_t)low, range, out, n);
    }
    return SNAP_OK;
}

/* ---- a range each ---- */

/* Pieces of a word that one call gives out. */
struct pieces {
    uint32_t word;
    unsigned left;
};

static uint32_t bounded_piece(struct snap_bit_generator *g, struct pieces *p, unsigned bits,
                              uint32_t range)
{
    const uint32_t most = UINT32_MAX >> (32 - bits);
    const uint32_t least = range == most ? 0 : least_remainder(bits, range);
    uint32_t product;

    do {
        if (p->left == 0) {
            snap_bit_generator_fill_u32(g, &p->word, 1);
            p->left = 32 / bits;
        } else {
            p->word >>= bits;
        }
        p->left--;
        product = (p->word & most) * (range + 1);
    } while ((product & most) < least);
    return product >> bits;
}

enum snap_status snap_generator_integers_each(struct snap_stream *stream, enum snap_dtype dtype,
                                              const int64_t *low, const uint64_t *range, void *out,
                                              size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "integers", err);
    const unsigned bits = bits_of(dtype);
    struct pieces p = { 0, 0 };

    if (g == NULL) {
        return SNAP_INVALID;
    }
    for (size_t i = 0; i < n; i++) {
        enum snap_status status = check(g, dtype, low[i], range[i], err);

        if (status != SNAP_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t value = range[i] == 0 ? 0
                         : bits < 32   ? bounded_piece(g, &p, bits, (uint32_t)range[i])
                                       : snap_generator_bounded(g, range[i]);

        put_in(snap_dtype_size_bytes(dtype), out, i, (uint64_t)low[i] + value);
    }
    return SNAP_OK;
}
