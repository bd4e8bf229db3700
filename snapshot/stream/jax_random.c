/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/jax_random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stream/philox.h"
#include "stream/threefry.h"

#define WHAT "stream jax_key"
/* Of unsafe_rbg: blocks that are drawn for a key that is kept. */
#define UNSAFE_BLOCKS 10u

static const char *const impl_names[] = { "threefry2x32", "rbg", "unsafe_rbg" };

size_t snap_jax_key_words(enum snap_jax_impl impl)
{
    return impl == SNAP_JAX_THREEFRY ? 2 : 4;
}

const char *snap_jax_impl_name(enum snap_jax_impl impl)
{
    return impl_names[impl - SNAP_JAX_THREEFRY];
}

bool snap_jax_impl_from_name(const char *name, enum snap_jax_impl *impl)
{
    for (unsigned i = 0; i < sizeof impl_names / sizeof impl_names[0]; i++) {
        if (strcmp(impl_names[i], name) == 0) {
            *impl = (enum snap_jax_impl)(SNAP_JAX_THREEFRY + i);
            return true;
        }
    }
    return false;
}

void snap_jax_key_seed(struct snap_jax_key *k, uint64_t seed)
{
    k->key[0] = k->x64 ? (uint32_t)(seed >> 32) : 0;
    k->key[1] = (uint32_t)seed;
    k->key[2] = k->impl == SNAP_JAX_THREEFRY ? 0 : k->key[0];
    k->key[3] = k->impl == SNAP_JAX_THREEFRY ? 0 : k->key[1];
}

/* ---- words ---- */

/* Two words of Threefry for the counter (high, low). */
static void threefry(const uint32_t key[2], uint32_t high, uint32_t low, uint32_t out[2])
{
    out[0] = high;
    out[1] = low;
    snap_threefry2x32(SNAP_THREEFRY_ROUNDS, key, out);
}

/* Word `index` of `count` in the original layout: the counts 0 .. count-1 are cut into two halves,
 * of which the first holds the first words of the hashes, the second the second; an odd count has a
 * 0 at its end. */
static uint32_t original_word(const uint32_t key[2], uint64_t count, uint64_t index)
{
    uint64_t half = count / 2 + count % 2;
    uint64_t pair = index < half ? index : index - half;
    uint64_t second = half + pair < count ? half + pair : 0;
    uint32_t out[2];

    threefry(key, (uint32_t)pair, (uint32_t)second, out);
    return out[index < half ? 0 : 1];
}

/* Block `index` of four words of XLA's generator on the CPU: Philox, whose key is the first half of
 * the state, and whose counter is both halves, the second one low. */
static void rbg_block(const uint32_t key[4], uint64_t index, uint32_t out[4])
{
    uint64_t low = ((uint64_t)key[3] << 32 | key[2]) + index;
    uint64_t high = ((uint64_t)key[1] << 32 | key[0]) + (low < index);

    out[0] = (uint32_t)low;
    out[1] = (uint32_t)(low >> 32);
    out[2] = (uint32_t)high;
    out[3] = (uint32_t)(high >> 32);
    snap_philox4x32(SNAP_PHILOX_ROUNDS, key, out);
}

/* ---- keys from keys ---- */

static void threefry_split_at(bool partitionable, const uint32_t key[2], uint64_t count,
                              uint64_t index, uint32_t out[2])
{
    if (partitionable) {
        threefry(key, (uint32_t)(index >> 32), (uint32_t)index, out);
    } else {
        out[0] = original_word(key, 2 * count, 2 * index);
        out[1] = original_word(key, 2 * count, 2 * index + 1);
    }
}

void snap_jax_key_split_at(const struct snap_jax_key *k, uint64_t count, uint64_t index,
                           uint32_t key[4])
{
    memset(key, 0, 4 * sizeof key[0]);
    if (k->impl == SNAP_JAX_UNSAFE_RBG) {
        rbg_block(k->key, UNSAFE_BLOCKS * index, key);
        return;
    }
    for (size_t half = 0; half < snap_jax_key_words(k->impl); half += 2) {
        threefry_split_at(k->partitionable, k->key + half, count, index, key + half);
    }
}

void snap_jax_key_fold_in(const struct snap_jax_key *k, uint32_t data, uint32_t key[4])
{
    memset(key, 0, 4 * sizeof key[0]);
    if (k->impl == SNAP_JAX_UNSAFE_RBG) {
        const uint32_t seeded[4] = { 0, data, 0, data };

        rbg_block(seeded, UNSAFE_BLOCKS - 1, key);
        for (size_t i = 0; i < 4; i++) {
            key[i] ^= k->key[i];
        }
        return;
    }
    for (size_t half = 0; half < snap_jax_key_words(k->impl); half += 2) {
        threefry(k->key + half, 0, data, key + half);
    }
}

/* ---- bits ---- */

static void rbg_bits(const struct snap_jax_key *k, unsigned width, uint64_t *out, size_t n)
{
    const unsigned per_block = width == 64 ? 2 : 4; /* narrow elements take a word each */
    const uint64_t mask = UINT64_MAX >> (64 - width);
    uint32_t block[4];

    for (size_t i = 0; i < n; i++) {
        unsigned place = (unsigned)(i % per_block);

        if (place == 0) {
            rbg_block(k->key, i / per_block, block);
        }
        out[i] = width == 64 ? (uint64_t)block[2 * place + 1] << 32 | block[2 * place]
                             : block[place] & mask;
    }
}

static void partitionable_bits(const uint32_t key[2], unsigned width, uint64_t *out, size_t n)
{
    const uint64_t mask = UINT64_MAX >> (64 - width);
    uint32_t pair[2];

    for (size_t i = 0; i < n; i++) {
        threefry(key, (uint32_t)((uint64_t)i >> 32), (uint32_t)i, pair);
        out[i] = width == 64 ? (uint64_t)pair[0] << 32 | pair[1] : (pair[0] ^ pair[1]) & mask;
    }
}

static void original_bits(const uint32_t key[2], unsigned width, uint64_t *out, size_t n)
{
    const unsigned pieces = width < 32 ? 32 / width : 1; /* of a word, low first */
    const uint64_t mask = UINT64_MAX >> (64 - width);
    const uint64_t words = width == 64 ? 2 * (uint64_t)n : (n + pieces - 1) / pieces;
    uint32_t word = 0;

    for (size_t i = 0; i < n; i++) {
        if (width == 64) {
            out[i] =
                (uint64_t)original_word(key, words, i) << 32 | original_word(key, words, n + i);
            continue;
        }
        if (i % pieces == 0) {
            word = original_word(key, words, i / pieces);
        }
        out[i] = word >> (width * (i % pieces)) & mask;
    }
}

enum snap_status snap_jax_key_bits(const struct snap_jax_key *k, unsigned width, uint64_t *out,
                                   size_t n, struct snap_error *err)
{
    if (n > (width == 64 ? UINT32_MAX / 2 : UINT32_MAX)) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": bits: more than 2^32-1 words in one call");
    }
    if (k->impl != SNAP_JAX_THREEFRY) {
        rbg_bits(k, width, out, n);
    } else if (k->partitionable) {
        partitionable_bits(k->key, width, out, n);
    } else {
        original_bits(k->key, width, out, n);
    }
    return SNAP_OK;
}

/* ---- draws ---- */

/* Bits in memory of their own: *bits is owned by the caller. */
static enum snap_status new_bits(const struct snap_jax_key *k, unsigned width, size_t n,
                                 uint64_t **bits, struct snap_error *err)
{
    uint64_t *made = calloc(n > 0 ? n : 1, sizeof *made);
    enum snap_status status;

    if (made == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": draw: no memory");
    }
    status = snap_jax_key_bits(k, width, made, n, err);
    if (status != SNAP_OK) {
        free(made);
        return status;
    }
    *bits = made;
    return SNAP_OK;
}

enum snap_status snap_jax_key_uniform_f32(const struct snap_jax_key *k, float *out, size_t n,
                                          struct snap_error *err)
{
    uint64_t *bits;
    enum snap_status status = new_bits(k, 32, n, &bits, err);

    if (status != SNAP_OK) {
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)(bits[i] >> 9) * 0x1p-23f;
    }
    free(bits);
    return SNAP_OK;
}

enum snap_status snap_jax_key_uniform_f64(const struct snap_jax_key *k, double *out, size_t n,
                                          struct snap_error *err)
{
    uint64_t *bits;
    enum snap_status status = new_bits(k, 64, n, &bits, err);

    if (status != SNAP_OK) {
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = (double)(bits[i] >> 12) * 0x1p-52;
    }
    free(bits);
    return SNAP_OK;
}

enum snap_status snap_jax_key_randint(const struct snap_jax_key *k, unsigned width, int64_t low,
                                      int64_t high, int64_t *out, size_t n, struct snap_error *err)
{
    const uint64_t mask = UINT64_MAX >> (64 - width);
    const uint64_t span = (uint64_t)high - (uint64_t)low;
    struct snap_jax_key part = *k;
    uint64_t *upper = NULL;
    uint64_t *lower = NULL;
    uint64_t factor;
    enum snap_status status;

    if (low >= high || (width == 32 && (low < INT32_MIN || high > INT32_MAX))) {
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": randint: low >= high, or one is out of the type's range");
    }
    snap_jax_key_split_at(k, 2, 0, part.key);
    status = new_bits(&part, width, n, &upper, err);
    if (status == SNAP_OK) {
        snap_jax_key_split_at(k, 2, 1, part.key);
        status = new_bits(&part, width, n, &lower, err);
    }
    if (status == SNAP_OK) {
        factor = ((uint64_t)1 << (width / 2)) % span;
        factor = (factor * factor & mask) % span;
        for (size_t i = 0; i < n; i++) {
            uint64_t mixed = ((upper[i] % span) * factor + lower[i] % span) & mask;

            out[i] = (int64_t)((uint64_t)low + mixed % span);
        }
    }
    free(upper);
    free(lower);
    return status;
}

/* A place of a permutation: what is there, and the bits by which it is sorted. */
struct place {
    uint32_t bits;
    uint32_t before; /* the place that it had: equal bits keep their order */
    uint32_t element;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;

    if (left->bits != right->bits) {
        return left->bits < right->bits ? -1 : 1;
    }
    return left->before < right->before ? -1 : 1;
}

enum snap_status snap_jax_key_permutation(const struct snap_jax_key *k, uint32_t *out, size_t n,
                                          struct snap_error *err)
{
    struct snap_jax_key chain = *k;
    struct snap_jax_key part = *k;
    struct place *places;
    uint64_t *bits;
    unsigned rounds;
    enum snap_status status = SNAP_OK;

    if (n > UINT32_MAX) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": permutation: more than 2^32-1 elements");
    }
    places = calloc(n > 0 ? n : 1, sizeof *places);
    if (places == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": permutation: no memory");
    }
    for (size_t i = 0; i < n; i++) {
        places[i].element = (uint32_t)i;
    }
    /* Enough that all orders are as likely, but for the cube of 1/n: ceil(3 ln n / ln(2^32-1)). */
    rounds = (unsigned)ceil(3.0 * log(n > 1 ? (double)n : 1.0) / log((double)UINT32_MAX));
    for (; rounds > 0 && status == SNAP_OK; rounds--) {
        uint32_t next[4];

        snap_jax_key_split_at(&chain, 2, 1, part.key);
        snap_jax_key_split_at(&chain, 2, 0, next);
        memcpy(chain.key, next, sizeof next);
        status = new_bits(&part, 32, n, &bits, err);
        if (status != SNAP_OK) {
            break;
        }
        for (size_t i = 0; i < n; i++) {
            places[i].bits = (uint32_t)bits[i];
            places[i].before = (uint32_t)i;
        }
        free(bits);
        qsort(places, n, sizeof *places, compare_places);
    }
    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        out[i] = places[i].element;
    }
    free(places);
    return status;
}
