/* SPDX-License-Identifier: Apache-2.0 */
/* Random streams. A stream is one generator of another library, bit for bit: it takes that
 * library's state, gives it back, and draws what that library would draw next.
 *
 * kind                 equal to                                  member bytes of rng/NAME
 * "python_random"      random.Random of CPython                  JSON: getstate(), in its terms
 * "numpy_random_state" numpy.random.RandomState                  JSON: get_state(legacy=False)
 * "numpy_pcg64"        numpy.random.PCG64, as in default_rng    JSON: bit_generator.state, and
 * "numpy_pcg64dxsm"    numpy.random.PCG64DXSM                    "seed_seq": the SeedSequence that
 * "numpy_mt19937"      numpy.random.MT19937                      it was seeded from, where it is
 * "numpy_philox"       numpy.random.Philox                       known
 * "numpy_sfc64"        numpy.random.SFC64
 * "torch_cpu"          torch.get_rng_state()                     the 5056 raw bytes
 * "torch_cuda"         torch.cuda.get_rng_state()                16 bytes: u64 seed, i64 offset
 * "curand_philox"      curandStatePhilox4_32_10_t, an array      the raw states, 64 bytes each
 * "curand_xorwow"      curandStateXORWOW_t, an array; cuDNN's    the raw states, 48 bytes each
 * "curand_host"        a generator of cuRAND's host API          JSON: type, ordering, seed, offset
 * "jax_key"            a key of jax.random                       JSON: its words, impl, flags
 * "tensorflow_generator" tf.random.Generator                     JSON: its variable
 * "std_mt19937"        std::mt19937                              JSON: what operator<< writes
 * "std_mt19937_64"     std::mt19937_64                           likewise
 * "drand48"            drand48() and its family                  JSON: x, a, c
 * "random_r"           random() and random_r() of glibc          JSON: type, table, rear
 * "philox_dropout"     nothing: the trainer's own device stream  JSON: seed and counter
 * "opaque"             bytes that only the caller understands    those bytes
 *
 * What is equal where. Every draw declared in this header is made of integers, of exact divisions
 * by powers of two, and of single IEEE operations (one fmaf in snap_torch_uniform_f32), so it
 * gives the same bits on every machine. Draws that call log, sin, cos, exp or pow (normals,
 * exponentials, gammas, ...; also a cached normal read from torch's old 5048-byte state) depend on
 * libm in the last bit: the library's engines make them, but promise equality only with the
 * library of that name on the same machine. None is declared here; a draw by name says whether it
 * is one (same_libm). cuRAND's normals are those of its functions on the host: a device has other,
 * approximate ones.
 *
 * A stream is not locked: one thread at a time may use it. */
#ifndef SNAPSTATE_STREAM_H
#define SNAPSTATE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>
#include <snapstate/tree.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One generator of any kind. */
struct snap_stream;

/* A new stream of a kind named in the table above, in the state that seed 0 gives ("opaque": no
 * bytes). Owned by the caller. SNAP_UNSUPPORTED when there is no such kind. */
enum snap_status snap_stream_new(const char *kind, struct snap_stream **stream,
                                 struct snap_error *err);
/* NULL is fine. */
void snap_stream_free(struct snap_stream *stream);
/* The name of its kind. Never NULL; static. */
const char *snap_stream_kind(const struct snap_stream *stream);

/* Seed as a user of that library would: random.seed(seed), np.random.seed(seed) (SNAP_INVALID past
 * 2^32-1, as there), np.random.PCG64(seed) and so on, torch.manual_seed(seed),
 * torch.cuda.manual_seed(seed) (offset 0), curand_init(seed, i, 0) for state i,
 * jax.random.key(seed) for the impl and the flags that the key has,
 * tf.random.Generator.from_seed(seed), std::mt19937(seed), srand48(seed), srandom(seed) (32 bits
 * of it, as there); "philox_dropout" and "curand_host" take the seed and counter or offset 0.
 * SNAP_INVALID for "opaque". */
enum snap_status snap_stream_seed(struct snap_stream *stream, uint64_t seed,
                                  struct snap_error *err);

/* The canonical member bytes of the stream now. Equal states give equal bytes on every machine.
 * *bytes is malloc'd, owned by the caller, freed with free(). */
enum snap_status snap_stream_encode(const struct snap_stream *stream, void **bytes,
                                    size_t *size_bytes, struct snap_error *err);
/* Put the stream where `bytes` say. Everything is checked: SNAP_CORRUPT, and the stream untouched,
 * unless the bytes are a state that the library itself could have written. Encoding again gives
 * the same bytes; only two old forms, which are read and never written, come out in the new one:
 * torch_cpu of 5048 bytes, and torch_cuda of 816 bytes or without its offset. */
enum snap_status snap_stream_decode(struct snap_stream *stream, const void *bytes,
                                    size_t size_bytes, struct snap_error *err);

/* 32-bit words drawn since this object was made, here or by a generator that it follows
 * (snap_stream_follow). Only grows; no part of the state: neither seeding nor decoding changes it.
 * "philox_dropout" counts the steps of its counter, "torch_cuda" words of one thread, "curand_host"
 * steps of its offset; "jax_key", whose draws move nothing, and "opaque" stay at 0. */
uint64_t snap_stream_words_drawn(const struct snap_stream *stream);

/* How many 32-bit words the state `to` is ahead of the state `from` (negative: behind), both given
 * as member bytes of `kind`. Mersenne twisters, "random_r" and "jax_key" are stepped both ways by
 * at most `limit_words`; counters are subtracted. Some kinds count in other units than words, which
 * snap_stream_distance_unit names. "drand48" and "curand_xorwow" are computed, and answered within
 * the limit. "numpy_sfc64" holds its distance, and is stepped, with the same limit, to see that it
 * is true; that of "numpy_pcg64" and "numpy_pcg64dxsm" is computed, however far it is. *related is
 * false, and *words 0, when no such distance was found: another seed, or farther than the limit, or
 * than an int64_t holds. Cached normals are not compared, nor half words that are left: these
 * count as not drawn. SNAP_CORRUPT when either state is not one. */
enum snap_status snap_stream_distance(const char *kind, const void *from_bytes, size_t from_size,
                                      const void *to_bytes, size_t to_size, uint64_t limit_words,
                                      int64_t *words, bool *related, struct snap_error *err);

/* The unit that the distance of a kind is counted in, and its plural: "word", "words". NULL when
 * there is no such kind; static. */
const char *snap_stream_distance_unit(const char *kind, bool plural);

/* ---- By name: for programs that take the kind, the draw or the form from a user ---- */

/* The name of a kind, in a fixed order; NULL past the last one. Static. */
const char *snap_stream_kind_at(size_t index);

/* A draw that a kind has: a call of the library with the defaults that a user meets first. */
struct snap_draw_info {
    size_t size_bytes;     /* sizeof(struct snap_draw_info) */
    const char *name;      /* "u32", "f64", "normal", "permutation" */
    const char *equals;    /* the library's call: "np.random.random_sample(n)" */
    enum snap_dtype dtype; /* of the numbers */
    bool same_libm;        /* it calls libm: equal to the library on the same machine only */
};
/* The draws of a kind, most used first; NULL past the last one, or when there is no such kind.
 * Static. */
const struct snap_draw_info *snap_stream_draw_at(const char *kind, size_t index);
/* Draw n numbers into `out`, n elements of the draw's dtype, in one call of the library. n = 0
 * draws nothing. SNAP_INVALID, and nothing drawn, when the stream's kind has no such draw;
 * SNAP_UNSUPPORTED where the numbers depend on what the state does not say. */
enum snap_status snap_stream_draw(struct snap_stream *stream, const char *name, void *out,
                                  size_t n, struct snap_error *err);

/* A form of a kind's state beside the member bytes: what the library itself, or another release of
 * it, reads and writes. */
struct snap_form_info {
    size_t size_bytes;  /* sizeof(struct snap_form_info) */
    const char *name;   /* "legacy" */
    const char *equals; /* "torch.cuda.get_rng_state() up to 1.13, 816 bytes" */
};
/* The forms of a kind; the member bytes, "member", are the first of every kind. NULL past the last
 * one, or when there is no such kind. Static. */
const struct snap_form_info *snap_stream_form_at(const char *kind, size_t index);
/* The stream's state in a form. *bytes is malloc'd, owned by the caller. SNAP_INVALID when the kind
 * has no such form, SNAP_UNSUPPORTED when this state cannot be said in it. */
enum snap_status snap_stream_export(const struct snap_stream *stream, const char *form,
                                    void **bytes, size_t *size_bytes, struct snap_error *err);
/* Put the stream where bytes of that form say: as snap_stream_decode, but the bytes need not be
 * canonical where the form is a text. */
enum snap_status snap_stream_import(struct snap_stream *stream, const char *form,
                                    const void *bytes, size_t size_bytes,
                                    struct snap_error *err);

/* ---- Typed draws. SNAP_INVALID when the stream is of another kind; nothing is drawn then. ---- */

/* random.shuffle(items), in place. */
enum snap_status snap_python_shuffle(struct snap_stream *stream, uint32_t *items, size_t n,
                                     struct snap_error *err);
/* random.randrange(bound): 0 <= *value < bound. SNAP_INVALID when bound is 0. */
enum snap_status snap_python_randbelow(struct snap_stream *stream, uint64_t bound,
                                       uint64_t *value, struct snap_error *err);
/* random.random(): a multiple of 2^-53 in [0, 1). */
enum snap_status snap_python_random(struct snap_stream *stream, double *value,
                                    struct snap_error *err);

/* np.random.randint(low, high, n), dtype int64: low <= out[i] < high. A range of one value draws
 * nothing. SNAP_INVALID unless low < high. */
enum snap_status snap_numpy_randint(struct snap_stream *stream, int64_t low, int64_t high,
                                    int64_t *out, size_t n, struct snap_error *err);
/* np.random.random_sample(n): multiples of 2^-53 in [0, 1). */
enum snap_status snap_numpy_random_sample(struct snap_stream *stream, double *out, size_t n,
                                          struct snap_error *err);

/* tensor.uniform_(from, to) on n float32 elements, in the form of torch's AVX2 kernels: the last
 * operation is a fused multiply-add. SNAP_INVALID unless from <= to, both finite in float32, and
 * the difference too. */
enum snap_status snap_torch_uniform_f32(struct snap_stream *stream, double from, double to,
                                        float *out, size_t n, struct snap_error *err);

/* What the elements of one kernel of torch.cuda get on a GPU that holds `resident_threads` at once
 * (multiprocessors times threads of each): of SNAP_U32 and SNAP_U64 the words, of SNAP_I64
 * random_(), of SNAP_F32 and SNAP_F64 rand(). The generator moves by what a thread took.
 * SNAP_INVALID for other dtypes, or fewer than 256 threads; SNAP_UNSUPPORTED for more than 2^31-1
 * elements. */
enum snap_status snap_torch_cuda_kernel(struct snap_stream *stream, enum snap_dtype dtype,
                                        uint64_t resident_threads, void *out, size_t n,
                                        struct snap_error *err);

/* jax.random.split(key, count): `keys` receives count keys of two words, or, of "rbg" and
 * "unsafe_rbg", of four. The stream's own key stays. */
enum snap_status snap_jax_split(const struct snap_stream *stream, size_t count, uint32_t *keys,
                                struct snap_error *err);
/* jax.random.fold_in(key, data): a key of as many words. */
enum snap_status snap_jax_fold_in(const struct snap_stream *stream, uint32_t data, uint32_t *key,
                                  struct snap_error *err);
/* jax.random.randint(key, (n,), low, high, dtype) of SNAP_I32 or SNAP_I64. SNAP_INVALID unless
 * low < high, both in the dtype's range. */
enum snap_status snap_jax_randint(const struct snap_stream *stream, enum snap_dtype dtype,
                                  int64_t low, int64_t high, int64_t *out, size_t n,
                                  struct snap_error *err);

/* ---- Generators of cuRAND's host API ----
 * No call of cuRAND reads their state. A program keeps a stream of kind "curand_host" beside the
 * generator, says what it generates, and after a restore makes a generator of the same type,
 * ordering, seed and offset. */

struct snap_curand_host {
    size_t size_bytes; /* sizeof(struct snap_curand_host) */
    int type;          /* curandRngType_t: XORWOW, MRG32K3A or PHILOX4_32_10 */
    int ordering;      /* curandOrdering_t */
    uint64_t seed;
    uint64_t offset;   /* for curandSetGeneratorOffset, after the seed was set */
};

/* Calls of cuRAND that move a generator alike. */
enum snap_curand_call {
    SNAP_CURAND_UNIFORM = 1,        /* curandGenerate, curandGenerateUniform */
    SNAP_CURAND_UNIFORM_DOUBLE = 2, /* curandGenerateUniformDouble */
    SNAP_CURAND_NORMAL = 3,         /* curandGenerateNormal, curandGenerateLogNormal */
    SNAP_CURAND_NORMAL_DOUBLE = 4,  /* curandGenerateNormalDouble, ...LogNormalDouble */
    SNAP_CURAND_POISSON = 5         /* curandGeneratePoisson */
};

/* SNAP_UNSUPPORTED for a type whose offset cuRAND cannot set (MT19937, MTGP32); SNAP_INVALID for an
 * ordering that the type does not have. */
enum snap_status snap_curand_host_set(struct snap_stream *stream,
                                      const struct snap_curand_host *host, struct snap_error *err);
enum snap_status snap_curand_host_get(const struct snap_stream *stream,
                                      struct snap_curand_host *host, struct snap_error *err);
/* Count a call of n numbers; make this call first. SNAP_UNSUPPORTED, and nothing counted, when
 * cuRAND could not be set to where the generator would then be: of XORWOW, doubles and normals that
 * do not take its 4096 sequences equally often. SNAP_INVALID for an odd number of normals, where
 * cuRAND refuses it too. */
enum snap_status snap_curand_host_generated(struct snap_stream *stream, enum snap_curand_call call,
                                            uint64_t n, struct snap_error *err);

/* ---- The trainer's device stream ----
 * Words are a pure function of seed, element, operator and counter, so that any number of threads
 * or devices can make them in any order. The stream holds the 64-bit seed and the counter n, which
 * the trainer steps; n is 32 bits wide and never wraps. */

/* Four words of Philox4x32-10: key (seed low, seed high), counter words (block_index low,
 * block_index high, op, counter). Element e of the logical batch takes word e & 3 of block
 * e >> 2. */
void snap_philox_dropout_block(uint64_t seed, uint64_t block_index, uint32_t op, uint32_t counter,
                               uint32_t out[4]);
enum snap_status snap_philox_dropout_seed(const struct snap_stream *stream, uint64_t *seed,
                                          struct snap_error *err);
enum snap_status snap_philox_dropout_counter(const struct snap_stream *stream, uint32_t *counter,
                                             struct snap_error *err);
/* counter += steps. SNAP_UNSUPPORTED, and nothing changed, when it would pass 2^32-1. */
enum snap_status snap_philox_dropout_advance(struct snap_stream *stream, uint32_t steps,
                                             struct snap_error *err);

/* ---- Mirrors ----
 * A stream can mirror a generator that lives in its own library, and count what is drawn there:
 * take that generator's state now and then, and follow it. Cheap enough for every step: within a
 * block of a twister it is a comparison, and a block of 624 words further on costs a fraction of a
 * microsecond. */

/* A Mersenne twister in the terms of Python and NumPy. The position stands behind the key as it
 * does in random.getstate()[1]: 625 words in a row. */
struct snap_mt19937_state {
    size_t size_bytes; /* sizeof(struct snap_mt19937_state) */
    uint32_t key[624];
    uint32_t position; /* of the next word, 0..624; 624: the next block comes first */
    bool has_gauss;    /* a cached normal; Python: gauss_next is not None */
    double gauss;      /* RandomState: kept even when has_gauss is false */
};
#define SNAP_MT19937_STATE_INIT { .size_bytes = sizeof(struct snap_mt19937_state) }

/* Put a stream of kind "python_random", "numpy_random_state" or "numpy_mt19937" into the state
 * given, and read it from there. Nothing is counted. "numpy_mt19937" has no cached normal, and
 * keeps its SeedSequence; where there is no normal to keep, `gauss` is not looked at, and given as
 * 0. SNAP_CORRUPT, and the stream untouched, for a position past 624; SNAP_INVALID when the stream
 * is of another kind. */
enum snap_status snap_stream_set_mt19937(struct snap_stream *stream,
                                         const struct snap_mt19937_state *state,
                                         struct snap_error *err);
enum snap_status snap_stream_get_mt19937(const struct snap_stream *stream,
                                         struct snap_mt19937_state *state, struct snap_error *err);

/* The same as set, and the words from the old state to the new one are added to the count of words
 * drawn, when they are at most `limit_words` forward: *words, and *related is true. Otherwise (the
 * generator was seeded, moved back, or moved further) the state is set all the same, nothing is
 * counted, *words is 0 and *related false; that search takes the time of making `limit_words`
 * words. Cached normals are not compared. */
enum snap_status snap_stream_follow_mt19937(struct snap_stream *stream,
                                            const struct snap_mt19937_state *state,
                                            uint64_t limit_words, uint64_t *words, bool *related,
                                            struct snap_error *err);
/* The same for a stream of any kind, to the state that its member bytes give; the words are those
 * of snap_stream_distance ("torch_cpu": not searched for when the seed is another one). What
 * decode refuses is refused here, and the stream untouched. */
enum snap_status snap_stream_follow(struct snap_stream *stream, const void *bytes,
                                    size_t size_bytes, uint64_t limit_words, uint64_t *words,
                                    bool *related, struct snap_error *err);

/* ---- How a run reads and sets a stream, whoever owns it ---- */

struct snap_stream_ops {
    size_t size_bytes; /* sizeof(struct snap_stream_ops) */
    /* The stream's member bytes now. *bytes is malloc'd, freed by the caller with free(). */
    enum snap_status (*get)(void *arg, void **bytes, size_t *size_bytes, struct snap_error *err);
    /* Put the stream where `bytes` say; on failure it is as it was. `bytes` is borrowed for the
     * call. */
    enum snap_status (*set)(void *arg, const void *bytes, size_t size_bytes,
                            struct snap_error *err);
    /* (optional, NULL) Words drawn since the object was made; goes into the ledger as the draws of
     * each step. */
    uint64_t (*words_drawn)(void *arg);
};

/* The ops for streams of this header; `arg` is the struct snap_stream. Never NULL; static. */
const struct snap_stream_ops *snap_stream_ops(void);

#ifdef __cplusplus
}
#endif

#endif
