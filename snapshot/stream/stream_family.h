/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of stream is to the rest of the library: one row of the registry. Adding one: a file
 * with its family, a row in stream_registry.c, a schema, vectors. */
#ifndef SNAP_STREAM_FAMILY_H
#define SNAP_STREAM_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/stream.h>

struct snap_stream {
    const struct snap_stream_family *family;
    void *state;             /* family->state_size_bytes */
    uint64_t words_followed; /* counted by snap_stream_follow*, beside what the family counts */
};

/* A draw by name: a row of a family's table, which ends with a row of zeros. */
struct snap_stream_draw_row {
    struct snap_draw_info info;
    /* n > 0 numbers in one call. On failure nothing was drawn. */
    enum snap_status (*draw)(void *state, void *out, size_t n, struct snap_error *err);
};
#define SNAP_DRAW_ROW(name, equals, dtype, same_libm, draw) \
    { { sizeof(struct snap_draw_info), name, equals, dtype, same_libm }, draw }
#define SNAP_DRAW_END { .draw = NULL }

/* A form of the state beside the member bytes, likewise. Its callbacks are as in the family. */
struct snap_stream_form_row {
    struct snap_form_info info;
    enum snap_status (*encode)(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err);
    enum snap_status (*decode)(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err);
};
#define SNAP_FORM_ROW(name, equals, encode, decode) \
    { { sizeof(struct snap_form_info), name, equals }, encode, decode }
#define SNAP_FORM_END { .encode = NULL }

struct snap_stream_family {
    const char *name;
    size_t state_size_bytes;
    /* The state is a struct snap_bit_generator, from which NumPy's Generator draws. */
    bool is_bit_generator;
    /* Make zeroed storage of state_size_bytes a stream as seed 0 gives it. */
    void (*init)(void *state);
    /* (optional) Free what the state owns. */
    void (*release)(void *state);
    /* (optional) Seed as a user of the library would; NULL: SNAP_INVALID. */
    enum snap_status (*seed)(void *state, uint64_t seed, struct snap_error *err);
    enum snap_status (*encode)(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err);
    /* On failure the state is untouched; on success its count of words drawn is. */
    enum snap_status (*decode)(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err);
    /* (optional) NULL: it never draws here. */
    uint64_t (*words_drawn)(const void *state);
    /* Words from one state to another, at most limit_words either way; false when none is found. */
    bool (*distance)(const void *from, const void *to, uint64_t limit_words, int64_t *words);
    /* (optional) The same, forward only, for kinds that must be stepped to find a distance; NULL:
     * distance serves. *words has no meaning when it is false. */
    bool (*forward)(const void *from, const void *to, uint64_t limit_words, uint64_t *words);
    /* (optional) What `distance` counts, and its plural; NULL: "word", "words". */
    const char *unit;
    const char *units;
    /* (optional) NULL: it has no draw by name, no form beside its member. */
    const struct snap_stream_draw_row *draws;
    const struct snap_stream_form_row *forms;
};

extern const struct snap_stream_family snap_python_random_family;
extern const struct snap_stream_family snap_numpy_random_state_family;
extern const struct snap_stream_family snap_numpy_pcg64_family;
extern const struct snap_stream_family snap_numpy_pcg64dxsm_family;
extern const struct snap_stream_family snap_numpy_mt19937_family;
extern const struct snap_stream_family snap_numpy_philox_family;
extern const struct snap_stream_family snap_numpy_sfc64_family;
extern const struct snap_stream_family snap_torch_cpu_family;
extern const struct snap_stream_family snap_torch_cuda_family;
extern const struct snap_stream_family snap_curand_philox_family;
extern const struct snap_stream_family snap_curand_xorwow_family;
extern const struct snap_stream_family snap_curand_host_family;
extern const struct snap_stream_family snap_jax_key_family;
extern const struct snap_stream_family snap_tensorflow_generator_family;
extern const struct snap_stream_family snap_std_mt19937_family;
extern const struct snap_stream_family snap_std_mt19937_64_family;
extern const struct snap_stream_family snap_drand48_family;
extern const struct snap_stream_family snap_random_r_family;
extern const struct snap_stream_family snap_philox_dropout_family;
extern const struct snap_stream_family snap_opaque_stream_family;

/* Tables of kinds whose engine has a file of its own. */
extern const struct snap_stream_draw_row snap_python_random_draws[];
extern const struct snap_stream_form_row snap_python_random_forms[];
extern const struct snap_stream_draw_row snap_numpy_random_state_draws[];
extern const struct snap_stream_form_row snap_numpy_random_state_forms[];
extern const struct snap_stream_draw_row snap_numpy_generator_draws[];
extern const struct snap_stream_form_row snap_numpy_generator_forms[];
extern const struct snap_stream_draw_row snap_torch_cpu_draws[];
extern const struct snap_stream_form_row snap_torch_cpu_forms[];

/* The family of a kind, NULL when there is none. */
const struct snap_stream_family *snap_stream_family_find(const char *kind);

/* Storage for a state, as seed 0 gives it, and its release (NULL is fine). */
enum snap_status snap_stream_state_new(const struct snap_stream_family *family, void **state,
                                       struct snap_error *err);
void snap_stream_state_free(const struct snap_stream_family *family, void *state);

/* The state of a stream of the given family; NULL, and SNAP_INVALID in err, for another one.
 * `draw` names the call for the message. */
void *snap_stream_state(struct snap_stream *stream, const struct snap_stream_family *family,
                        const char *draw, struct snap_error *err);

/* Words from one Mersenne twister state to another, stepping block by block. */
struct snap_mt19937;
bool snap_mt19937_distance(const struct snap_mt19937 *from, const struct snap_mt19937 *to,
                           uint64_t limit_words, int64_t *words);
bool snap_mt19937_forward(const struct snap_mt19937 *from, const struct snap_mt19937 *to,
                          uint64_t limit_words, uint64_t *words);
/* The distance of a kind that is stepped forward: either way, whichever is found. */
bool snap_forward_distance(bool (*forward)(const void *from, const void *to, uint64_t limit_words,
                                           uint64_t *words),
                           const void *from, const void *to, uint64_t limit_words,
                           int64_t *words);
/* to - from, for counters. */
bool snap_counter_distance(uint64_t from, uint64_t to, int64_t *words);

#endif
