/* SPDX-License-Identifier: Apache-2.0 */
/* Draws of numpy.random.Generator from a stream of one of the kinds "numpy_pcg64",
 * "numpy_pcg64dxsm", "numpy_mt19937", "numpy_philox" and "numpy_sfc64". A call here is a call
 * there: it gives the same numbers and leaves the same state. `n` is the size of the result, an
 * array in C order; 0 draws nothing; a call without a size is one with n = 1, and n such calls need
 * not give what one call with n gives.
 *
 * The draws were compared with NumPy 1.24; integers, permutations and doubles are those of every
 * release from 1.19 on, float32 those from 1.22 on.
 *
 * "Everywhere" below: made of integers, exact divisions by powers of two and single IEEE
 * operations, so the same bits on every machine. "Same libm": calls log, log1p, exp or pow of this
 * machine's C library, so the same bits as NumPy on the same machine. The ziggurats call them for
 * about one number in a hundred, and use the result mostly to accept or not; between the two forms
 * that glibc has, 2.5 in 10^7 normals of type f64 differ in the last bit.
 *
 * Every call is SNAP_INVALID, and draws nothing, when the stream is of another kind. */
#ifndef SNAPSTATE_STREAM_DRAWS_H
#define SNAPSTATE_STREAM_DRAWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>
#include <snapstate/stream.h>
#include <snapstate/tree.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Seeding, spawning, jumping ---- */

/* Seed as SeedSequence(entropy, spawn_key=spawn_key): the entropy is an integer of `count` words of
 * 32 bits, least significant first. snap_stream_seed is this with an entropy of 64 bits and no
 * key. */
enum snap_status snap_generator_seed(struct snap_stream *stream, const uint32_t *entropy,
                                     size_t count, const uint32_t *spawn_key, size_t key_count,
                                     struct snap_error *err);
/* spawn(1): a new stream of the same kind, owned by the caller; the count of children in the
 * stream's state goes up by one. SNAP_INVALID when it is not known what the stream was seeded from,
 * as after a jump. */
enum snap_status snap_generator_spawn(struct snap_stream *stream, struct snap_stream **child,
                                      struct snap_error *err);
/* bit_generator.advance(delta): 64-bit words, or, for Philox, blocks of four; `delta` is an integer
 * of four words, least significant first, of which the PCGs take the two low ones. A half word that
 * is left is dropped. SNAP_UNSUPPORTED for MT19937 and SFC64, which have no such call. */
enum snap_status snap_generator_advance(struct snap_stream *stream, const uint64_t delta[4],
                                        struct snap_error *err);
/* bit_generator.jumped(jumps), in place; what it was seeded from is then not known, as there.
 * SNAP_UNSUPPORTED for SFC64. Takes a few milliseconds a jump for MT19937. */
enum snap_status snap_generator_jump(struct snap_stream *stream, uint64_t jumps,
                                     struct snap_error *err);

/* ---- Words, integers and uniforms: everywhere ---- */

/* bit_generator.random_raw(n): 64-bit words; of MT19937 32-bit ones. */
enum snap_status snap_generator_random_raw(struct snap_stream *stream, uint64_t *out, size_t n,
                                           struct snap_error *err);
/* bytes(n). */
enum snap_status snap_generator_bytes(struct snap_stream *stream, void *out, size_t size_bytes,
                                      struct snap_error *err);
/* random(n), dtype float64: multiples of 2^-53 in [0, 1). */
enum snap_status snap_generator_random_f64(struct snap_stream *stream, double *out, size_t n,
                                           struct snap_error *err);
/* random(n, dtype=float32): multiples of 2^-24 in [0, 1). */
enum snap_status snap_generator_random_f32(struct snap_stream *stream, float *out, size_t n,
                                           struct snap_error *err);
/* uniform(low, high, n): the largest may be `high` itself. SNAP_INVALID unless high - low is finite
 * and not negative. */
enum snap_status snap_generator_uniform(struct snap_stream *stream, double low, double high,
                                        double *out, size_t n, struct snap_error *err);
/* integers(low, low + range, n, dtype, endpoint=True): low <= out[i] <= low + range, elements of
 * SNAP_BOOL, SNAP_U8, SNAP_I8, ..., SNAP_I64; `low` of SNAP_U64 is taken mod 2^64. The range holds
 * its end: integers(0, 10) is low 0, range 9. A range of 0 draws nothing. SNAP_INVALID when an end
 * does not fit the dtype, or for another one. */
enum snap_status snap_generator_integers(struct snap_stream *stream, enum snap_dtype dtype,
                                         int64_t low, uint64_t range, void *out, size_t n,
                                         struct snap_error *err);
/* One call with arrays of n bounds. */
enum snap_status snap_generator_integers_each(struct snap_stream *stream, enum snap_dtype dtype,
                                              const int64_t *low, const uint64_t *range, void *out,
                                              size_t n, struct snap_error *err);

/* ---- Sequences: everywhere ---- */

/* shuffle(x), in place: `count` items of `item_bytes` bytes each. Of an array of more dimensions
 * the items are its rows. */
enum snap_status snap_generator_shuffle(struct snap_stream *stream, void *items, size_t count,
                                        size_t item_bytes, struct snap_error *err);
/* permutation(n): 0 to n - 1 in another order. It is also the order in which permutation(x, axis)
 * and shuffle(x, axis) put the n slices along an axis: slice out[i] comes to place i. */
enum snap_status snap_generator_permutation(struct snap_stream *stream, int64_t *out, size_t n,
                                            struct snap_error *err);
/* permuted(x, axis), in place: the array has `outer` times n times `inner` items, n along the axis;
 * each line along it is shuffled for itself. axis=None: outer and inner 1. */
enum snap_status snap_generator_permuted(struct snap_stream *stream, void *items, size_t outer,
                                         size_t n, size_t inner, size_t item_bytes,
                                         struct snap_error *err);

/* choice(population, n), replace=True. SNAP_INVALID unless 1 <= population <= 2^63-1. */
enum snap_status snap_generator_choice(struct snap_stream *stream, uint64_t population,
                                       int64_t *out, size_t n, struct snap_error *err);
/* choice(population, n, replace=False, shuffle=shuffle). SNAP_INVALID when n is more than the
 * population, or that past 2^63-1. Takes memory for n entries, or, when more than about a fiftieth
 * is wanted, for the population. */
enum snap_status snap_generator_choice_distinct(struct snap_stream *stream, uint64_t population,
                                                bool shuffle, int64_t *out, size_t n,
                                                struct snap_error *err);
/* choice(population, n, replace, p), with `population` weights that add up to 1. SNAP_INVALID when
 * one is negative or not finite, they have no positive sum, or, for distinct items, fewer than n
 * are not 0. (NumPy also refuses a sum that is not 1 but for rounding; that is not looked at.) */
enum snap_status snap_generator_choice_weighted(struct snap_stream *stream, const double *p,
                                                size_t population, bool replace, int64_t *out,
                                                size_t n, struct snap_error *err);

/* ---- Normals, exponentials, gammas: same libm ---- */

/* standard_normal(n), in float64 and float32. */
enum snap_status snap_generator_standard_normal_f64(struct snap_stream *stream, double *out,
                                                    size_t n, struct snap_error *err);
enum snap_status snap_generator_standard_normal_f32(struct snap_stream *stream, float *out,
                                                    size_t n, struct snap_error *err);
/* normal(loc, scale, n). SNAP_INVALID when the scale is negative. */
enum snap_status snap_generator_normal(struct snap_stream *stream, double loc, double scale,
                                       double *out, size_t n, struct snap_error *err);
/* lognormal(mean, sigma, n). SNAP_INVALID when sigma is negative. */
enum snap_status snap_generator_lognormal(struct snap_stream *stream, double mean, double sigma,
                                          double *out, size_t n, struct snap_error *err);

enum snap_generator_method {
    SNAP_GENERATOR_ZIG = 0, /* method="zig", the default: ziggurat */
    SNAP_GENERATOR_INV = 1  /* method="inv": by the inverse distribution function */
};
/* standard_exponential(n, dtype, method), in float64 and float32. */
enum snap_status snap_generator_standard_exponential_f64(struct snap_stream *stream,
                                                         enum snap_generator_method method,
                                                         double *out, size_t n,
                                                         struct snap_error *err);
enum snap_status snap_generator_standard_exponential_f32(struct snap_stream *stream,
                                                         enum snap_generator_method method,
                                                         float *out, size_t n,
                                                         struct snap_error *err);
/* exponential(scale, n). SNAP_INVALID when the scale is negative. */
enum snap_status snap_generator_exponential(struct snap_stream *stream, double scale, double *out,
                                            size_t n, struct snap_error *err);
/* standard_gamma(shape, n), in float64 and float32 (there the shape is rounded to it). A shape of 0
 * gives 0 and draws nothing. SNAP_INVALID when it is negative or no number. */
enum snap_status snap_generator_standard_gamma_f64(struct snap_stream *stream, double shape,
                                                   double *out, size_t n, struct snap_error *err);
enum snap_status snap_generator_standard_gamma_f32(struct snap_stream *stream, double shape,
                                                   float *out, size_t n, struct snap_error *err);
/* gamma(shape, scale, n). SNAP_INVALID when either is negative, or the shape no number. */
enum snap_status snap_generator_gamma(struct snap_stream *stream, double shape, double scale,
                                      double *out, size_t n, struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
