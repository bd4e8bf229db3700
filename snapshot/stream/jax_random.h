/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of jax.random (jax/_src/random, earlier jax/_src/prng.py and random.py): seeding, split,
 * fold_in, bits, and the draws that are made of bits by integers and exact operations. A key does
 * not move when it is drawn from.
 *
 * Threefry is equal on every backend, in both layouts that the config flag
 * jax_threefry_partitionable chooses from. The words of "rbg" and "unsafe_rbg" are those of XLA's
 * CPU backend; JAX promises no others to be the same. */
#ifndef SNAP_STREAM_JAX_RANDOM_H
#define SNAP_STREAM_JAX_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

enum snap_jax_impl {
    SNAP_JAX_THREEFRY = 1,  /* "threefry2x32", keys of 2 words */
    SNAP_JAX_RBG = 2,       /* "rbg", keys of 4 words */
    SNAP_JAX_UNSAFE_RBG = 3 /* "unsafe_rbg", likewise */
};

struct snap_jax_key {
    enum snap_jax_impl impl;
    bool partitionable; /* jax_threefry_partitionable: the default from 0.5.0 on */
    bool x64;           /* jax_enable_x64: seeds of 64 bits; else they are cut to 32 */
    uint32_t key[4];    /* the first 2 of Threefry */
};

/* Words of a key. */
size_t snap_jax_key_words(enum snap_jax_impl impl);
/* "threefry2x32", ...; static. */
const char *snap_jax_impl_name(enum snap_jax_impl impl);
bool snap_jax_impl_from_name(const char *name, enum snap_jax_impl *impl);

/* jax.random.key(seed), for the key's impl and flags; a negative seed mod 2^64. */
void snap_jax_key_seed(struct snap_jax_key *k, uint64_t seed);
/* Key `index` of split(key, count). */
void snap_jax_key_split_at(const struct snap_jax_key *k, uint64_t count, uint64_t index,
                           uint32_t key[4]);
/* fold_in(key, data). */
void snap_jax_key_fold_in(const struct snap_jax_key *k, uint32_t data, uint32_t key[4]);

/* bits(key, (n,), dtype), for elements of `width` = 8, 16, 32 or 64 bits, each in 64.
 * SNAP_UNSUPPORTED for more than 2^32 - 1 words. */
enum snap_status snap_jax_key_bits(const struct snap_jax_key *k, unsigned width, uint64_t *out,
                                   size_t n, struct snap_error *err);
/* uniform(key, (n,), float32) and float64: multiples of 2^-23 and 2^-52 in [0, 1). */
enum snap_status snap_jax_key_uniform_f32(const struct snap_jax_key *k, float *out, size_t n,
                                          struct snap_error *err);
enum snap_status snap_jax_key_uniform_f64(const struct snap_jax_key *k, double *out, size_t n,
                                          struct snap_error *err);
/* randint(key, (n,), low, high, int32 or int64), for `width` 32 or 64. SNAP_INVALID unless
 * low < high, both in the type's range. */
enum snap_status snap_jax_key_randint(const struct snap_jax_key *k, unsigned width, int64_t low,
                                      int64_t high, int64_t *out, size_t n, struct snap_error *err);
/* permutation(key, n). */
enum snap_status snap_jax_key_permutation(const struct snap_jax_key *k, uint32_t *out, size_t n,
                                          struct snap_error *err);

#endif
