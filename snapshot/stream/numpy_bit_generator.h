/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's bit generators (numpy/random/_pcg64.pyx, _mt19937.pyx, _philox.pyx, _sfc64.pyx), from
 * 1.17 on, PCG64DXSM from 1.21 on: words of 32 and 64 bits, of which Generator makes its draws.
 * Equal on every machine. What the five have in common is here and in numpy_bit_generator.c; each
 * has its own file. */
#ifndef SNAP_STREAM_NUMPY_BIT_GENERATOR_H
#define SNAP_STREAM_NUMPY_BIT_GENERATOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>
#include <snapstate/stream.h>

#include "core/buffer.h"
#include "stream/mt19937.h"
#include "stream/numpy_seed_sequence.h"
#include "stream/pcg128.h"

struct snap_numpy_philox {
    uint64_t counter[4]; /* of the block in `buffer`, least significant word first */
    uint64_t key[2];
    uint64_t buffer[4];
    unsigned buffer_pos; /* the next word to give, 0..4; 4: the block is used up */
};

struct snap_numpy_sfc64 {
    uint64_t a, b, c, w;
};

struct snap_bit_generator {
    const struct snap_bit_generator_ops *ops;
    union {
        struct snap_pcg128 pcg; /* PCG64, PCG64DXSM */
        struct snap_mt19937 mt;
        struct snap_numpy_philox philox;
        struct snap_numpy_sfc64 sfc;
    };
    /* The high half of a 64-bit word of which a 32-bit draw took the low one. 64-bit draws step
     * over it. The value stays when it was used. MT19937 has none. */
    bool has_uint32;
    uint32_t uinteger;
    bool has_seed_sequence; /* else it is not known: nothing can be spawned */
    struct snap_numpy_seed_sequence seed_sequence;
    uint64_t words_drawn; /* of 32 bits, since the object was made; no part of the state */
};

/* What an engine is to the others. */
struct snap_bit_generator_ops {
    const char *name; /* NumPy's class: "PCG64" */
    const char *kind; /* of the stream: "numpy_pcg64" */
    const char *what; /* begins messages: "stream numpy_pcg64" */
    bool has_halves;  /* has_uint32 and uinteger are part of the state */
    /* A double is made of two 32-bit words apart, not of the high bits of a 64-bit one. */
    bool has_twister_doubles;

    size_t seed_words; /* of 32 bits that seed() wants from generate_state */
    void (*seed)(struct snap_bit_generator *g, const uint32_t *words);

    void (*fill_u64)(struct snap_bit_generator *g, uint64_t *out, size_t n);
    /* (optional) NULL: halves of 64-bit words, low first. */
    void (*fill_u32)(struct snap_bit_generator *g, uint32_t *out, size_t n);
    /* (optional) NULL: the high 53 bits of 64-bit words, times 2^-53. */
    void (*fill_f64)(struct snap_bit_generator *g, double *out, size_t n);

    /* (optional) Jump as after `delta` 64-bit words, or blocks of them, 256 bits, least significant
     * word first. NULL: there is no such call. */
    void (*advance)(struct snap_bit_generator *g, const uint64_t delta[4]);
    /* (optional) jumped(1), in place. NULL: there is no such call. */
    void (*jump)(struct snap_bit_generator *g, uint64_t jumps);

    /* The value of "state" as JSON text; and the keys before it that only this engine has
     * ((optional), with a comma behind each). */
    enum snap_status (*put_state)(const struct snap_bit_generator *g, struct snap_buffer *text,
                                  struct snap_error *err);
    enum snap_status (*put_buffer)(const struct snap_bit_generator *g, struct snap_buffer *text,
                                   struct snap_error *err);
    /* The keys of the member; reading what the two above write, `object` being all of it. `g` is
     * a fresh one. */
    const char *keys;
    enum snap_status (*get_state)(struct snap_bit_generator *g, const json_t *object,
                                  const json_t *state, struct snap_error *err);

    /* 32-bit words from one to the other, halves not counted; false when none is found or its size
     * is INT64_MAX. Stepping engines step at most limit_words. */
    bool (*distance)(const struct snap_bit_generator *from, const struct snap_bit_generator *to,
                     uint64_t limit_words, int64_t *words);
};

/* ---- words ---- */

/* The next words. A 32-bit word takes the half that is left, or leaves one. */
void snap_bit_generator_fill_u64(struct snap_bit_generator *g, uint64_t *out, size_t n);
void snap_bit_generator_fill_u32(struct snap_bit_generator *g, uint32_t *out, size_t n);
/* The next doubles, each of a 64-bit word. */
void snap_bit_generator_fill_f64(struct snap_bit_generator *g, double *out, size_t n);

/* next_double of a 64-bit word: a multiple of 2^-53 in [0, 1). */
static inline double snap_bit_generator_to_double(const struct snap_bit_generator *g, uint64_t word)
{
    uint64_t bits = g->ops->has_twister_doubles ? word >> 37 << 26 | (uint32_t)word >> 6
                                                : word >> 11;

    return (double)(int64_t)bits * 0x1p-53;
}

/* ---- seeding ---- */

/* BitGenerator(sequence), which is consumed on success. */
enum snap_status snap_bit_generator_seed_sequence(struct snap_bit_generator *g,
                                                  struct snap_numpy_seed_sequence *sequence,
                                                  struct snap_error *err);
/* No half word is left, and none remembered. */
void snap_bit_generator_drop_half(struct snap_bit_generator *g);

/* ---- as a stream: the calls of struct snap_stream_family ---- */

void snap_bit_generator_init(struct snap_bit_generator *g,
                             const struct snap_bit_generator_ops *ops);
void snap_bit_generator_release(void *state);
enum snap_status snap_bit_generator_seed(void *state, uint64_t seed, struct snap_error *err);
enum snap_status snap_bit_generator_encode(const void *state, void **bytes, size_t *size_bytes,
                                           struct snap_error *err);
enum snap_status snap_bit_generator_decode(void *state, const void *bytes, size_t size_bytes,
                                           struct snap_error *err);
uint64_t snap_bit_generator_words_drawn(const void *state);
bool snap_bit_generator_distance(const void *from, const void *to, uint64_t limit_words,
                                 int64_t *words);

/* The bit generator of a stream of one of the five kinds; NULL, and SNAP_INVALID in err, for
 * another one. `draw` names the call for the message. */
struct snap_bit_generator *snap_stream_bit_generator(struct snap_stream *stream, const char *draw,
                                                     struct snap_error *err);

#endif
