/* SPDX-License-Identifier: Apache-2.0 */
/* Generator.integers: Lemire's method ("Fast Random Integer Generation in an Interval", 2019), in
 * the widths that NumPy has it in (numpy/random/_bounded_integers.pyx.in and
 * src/distributions/distributions.c). Types of 64 bits draw 32-bit words when the range lets them.
 * Smaller types than 32 bits are given out of a 32-bit word in pieces, low ones first; what is left
 * at the end of a call is dropped. */
#include "config.h"

#include <snapstate/stream_draws.h>

#include "stream/generator.h"

uint64_t snap_reader_bounded_u64(struct snap_reader_u64 *r, uint64_t range)
{
    const uint64_t size = range + 1;
    snap_uint128 product = (snap_uint128)snap_reader_u64_next(r) * size;

    if ((uint64_t)product < size) {
        const uint64_t threshold = (UINT64_MAX - range) % size;

        while ((uint64_t)product < threshold) {
            product = (snap_uint128)snap_reader_u64_next(r) * size;
        }
    }
    return (uint64_t)(product >> 64);
}

uint32_t snap_reader_bounded_u32(struct snap_reader_u32 *r, uint32_t range)
{
    const uint32_t size = range + 1;
    uint64_t product = (uint64_t)snap_reader_u32_next(r) * size;

    if ((uint32_t)product < size) {
        const uint32_t threshold = (UINT32_MAX - range) % size;

        while ((uint32_t)product < threshold) {
            product = (uint64_t)snap_reader_u32_next(r) * size;
        }
    }
    return (uint32_t)(product >> 32);
}

uint64_t snap_generator_bounded(struct snap_bit_generator *g, uint64_t range)
{
    struct snap_reader_u64 wide;
    struct snap_reader_u32 narrow;

    if (range == 0) {
        return 0;
    }
    if (range > UINT32_MAX) {
        snap_reader_u64_init(&wide, g, 1);
        return range == UINT64_MAX ? snap_reader_u64_next(&wide)
                                   : snap_reader_bounded_u64(&wide, range);
    }
    snap_reader_u32_init(&narrow, g, 1);
    return range == UINT32_MAX ? snap_reader_u32_next(&narrow)
                               : snap_reader_bounded_u32(&narrow, (uint32_t)range);
}

/* ---- pieces ---- */

/* Pieces of `bits` bits of 32-bit words. The words' reader counts words. */
struct pieces {
    struct snap_reader_u32 words;
    uint32_t word;
    unsigned kept; /* pieces of `word` that are left */
};

static uint32_t next_piece(struct pieces *p, unsigned bits, size_t numbers_left)
{
    if (p->kept == 0) {
        p->words.left = (numbers_left + 32 / bits - 1) / (32 / bits);
        p->word = snap_reader_u32_next(&p->words);
        p->kept = 32 / bits - 1;
    } else {
        p->word >>= bits;
        p->kept--;
    }
    return p->word & (((uint32_t)1 << bits) - 1);
}

/* 0 <= result <= range, range > 0, below 2^bits; bits 1 (any range), 8 or 16. */
static uint32_t bounded_piece(struct pieces *p, unsigned bits, uint32_t range, size_t numbers_left)
{
    const uint32_t most = ((uint32_t)1 << bits) - 1;
    const uint32_t size = range + 1;
    uint32_t product;

    if (range == most) {
        return next_piece(p, bits, numbers_left);
    }
    product = next_piece(p, bits, numbers_left) * size;
    if ((product & most) < size) {
        const uint32_t threshold = (most - range) % size;

        while ((product & most) < threshold) {
            product = next_piece(p, bits, numbers_left) * size;
        }
    }
    return product >> bits;
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

static void put(enum snap_dtype dtype, void *out, size_t i, uint64_t value)
{
    switch (dtype) {
    case SNAP_BOOL:
    case SNAP_U8:
    case SNAP_I8:
        ((uint8_t *)out)[i] = (uint8_t)value;
        break;
    case SNAP_U16:
    case SNAP_I16:
        ((uint16_t *)out)[i] = (uint16_t)value;
        break;
    case SNAP_U32:
    case SNAP_I32:
        ((uint32_t *)out)[i] = (uint32_t)value;
        break;
    default:
        ((uint64_t *)out)[i] = value;
        break;
    }
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

static void fill_pieces(struct snap_bit_generator *g, enum snap_dtype dtype, uint64_t low,
                        uint32_t range, void *out, size_t n)
{
    struct pieces p = { .kept = 0 };

    snap_reader_u32_init(&p.words, g, 0);
    for (size_t i = 0; i < n; i++) {
        put(dtype, out, i, low + bounded_piece(&p, bits_of(dtype), range, n - i));
    }
}

static void fill_narrow(struct snap_bit_generator *g, enum snap_dtype dtype, uint64_t low,
                        uint32_t range, void *out, size_t n)
{
    struct snap_reader_u32 r;

    snap_reader_u32_init(&r, g, n);
    for (size_t i = 0; i < n; i++, r.left--) {
        put(dtype, out, i,
            low + (range == UINT32_MAX ? snap_reader_u32_next(&r)
                                       : snap_reader_bounded_u32(&r, range)));
    }
}

static void fill_wide(struct snap_bit_generator *g, uint64_t low, uint64_t range, uint64_t *out,
                      size_t n)
{
    struct snap_reader_u64 r;

    snap_reader_u64_init(&r, g, n);
    for (size_t i = 0; i < n; i++, r.left--) {
        out[i] = low + (range == UINT64_MAX ? snap_reader_u64_next(&r)
                                            : snap_reader_bounded_u64(&r, range));
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
            put(dtype, out, i, (uint64_t)low);
        }
    } else if (bits_of(dtype) < 32) {
        fill_pieces(g, dtype, (uint64_t)low, (uint32_t)range, out, n);
    } else if (range <= UINT32_MAX) {
        fill_narrow(g, dtype, (uint64_t)low, (uint32_t)range, out, n);
    } else {
        fill_wide(g, (uint64_t)low, range, out, n);
    }
    return SNAP_OK;
}

/* ---- a range each ---- */

enum snap_status snap_generator_integers_each(struct snap_stream *stream, enum snap_dtype dtype,
                                              const int64_t *low, const uint64_t *range, void *out,
                                              size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "integers", err);
    struct pieces p = { .kept = 0 };

    if (g == NULL) {
        return SNAP_INVALID;
    }
    for (size_t i = 0; i < n; i++) {
        enum snap_status status = check(g, dtype, low[i], range[i], err);

        if (status != SNAP_OK) {
            return status;
        }
    }
    snap_reader_u32_init(&p.words, g, 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t value = range[i] == 0 ? 0
                         : bits_of(dtype) < 32
                             ? bounded_piece(&p, bits_of(dtype), (uint32_t)range[i], 1)
                             : snap_generator_bounded(g, range[i]);

        put(dtype, out, i, (uint64_t)low[i] + value);
    }
    return SNAP_OK;
}
