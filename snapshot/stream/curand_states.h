/* SPDX-License-Identifier: Apache-2.0 */
/* An array of cuRAND's device states (curand_kernel.h) as one stream: the bytes of the states, one
 * after the other, as they lie in device memory. Element i of a draw is taken from state
 * i mod count, the way a kernel of `count` threads, or cuDNN's dropout, takes it.
 *
 * Words and uniforms are the device's. Normals are what those functions give where they are
 * compiled for the host, with its libm: a device has other, approximate functions. */
#ifndef SNAP_STREAM_CURAND_STATES_H
#define SNAP_STREAM_CURAND_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#define SNAP_CURAND_MOST_BYTES 64u /* of one state */

/* A field of a state, for people: `count` words, or the bits of one float in hex. */
struct snap_curand_field {
    const char *name; /* as in curand_kernel.h; NULL ends a table */
    size_t offset;
    size_t count;       /* of words; 0: a float */
    size_t float_bytes; /* 4 or 8 */
};

/* What the types of state do not share. All offsets are in bytes of a state. */
struct snap_curand_engine {
    const char *what; /* "stream curand_philox", begins the messages */
    const char *kind; /* "curand_philox" */
    size_t state_bytes;
    const struct snap_curand_field *fields; /* all bytes of a state, sorted by offset */
    size_t flag, flag_double;   /* u32: 1 a normal is left, 2 a log-normal, 0 none */
    size_t extra, extra_double; /* f32, f64: that normal */
    /* curand_init(seed, index of the state, 0) for all of them, in zeroed memory. */
    void (*init)(unsigned char *states, size_t count, uint64_t seed);
    /* (optional) What is wrong with a state, NULL: nothing. */
    const char *(*fault)(const unsigned char *state);
    uint32_t (*word)(unsigned char *state); /* curand() */
    bool f64_is_short;                      /* curand_uniform_double() takes one word, not two */
    /* Words from `count` states to as many others, each at most `limit` either way; the sum of
     * snap_curand_states_add. */
    bool (*distance)(const unsigned char *from, const unsigned char *to, size_t count,
                     uint64_t limit, int64_t *words);
};

struct snap_curand_states {
    const struct snap_curand_engine *engine;
    size_t count;        /* at least one */
    unsigned char *many; /* owned; NULL: the one below */
    unsigned char one[SNAP_CURAND_MOST_BYTES];
    uint64_t words_drawn; /* of all states; no part of the state */
};

/* The callbacks of a family; `states` is a struct snap_curand_states. */
void snap_curand_states_init(struct snap_curand_states *states,
                             const struct snap_curand_engine *engine);
void snap_curand_states_release(void *states);
enum snap_status snap_curand_states_seed(void *states, uint64_t seed, struct snap_error *err);
enum snap_status snap_curand_states_encode(const void *states, void **bytes, size_t *size_bytes,
                                           struct snap_error *err);
enum snap_status snap_curand_states_decode(void *states, const void *bytes, size_t size_bytes,
                                           struct snap_error *err);
uint64_t snap_curand_states_words_drawn(const void *states);
bool snap_curand_states_distance(const void *from, const void *to, uint64_t limit_words,
                                 int64_t *words);

/* Add the distance of one state to that of others; false when the others moved the other way. */
bool snap_curand_states_add(int64_t *total, int64_t one);

/* The form "json", in curand_json.c: {"kind":KIND,"states":[{...},...]}, each field by its name. */
enum snap_status snap_curand_encode_json(const void *states, void **bytes, size_t *size_bytes,
                                         struct snap_error *err);
enum snap_status snap_curand_decode_json(void *states, const void *bytes, size_t size_bytes,
                                         struct snap_error *err);
#define SNAP_CURAND_JSON_FORM                                                                      \
    SNAP_FORM_ROW("json", "the fields of every state, for people", snap_curand_encode_json,        \
                  snap_curand_decode_json)

/* curand() of state i mod count. */
uint32_t snap_curand_states_word(struct snap_curand_states *states, size_t i);

/* Rows "f32", "f64", "u32", "normal_f32", "normal" of a table of draws. */
enum snap_status snap_curand_draw_f32(void *states, void *out, size_t n, struct snap_error *err);
enum snap_status snap_curand_draw_f64(void *states, void *out, size_t n, struct snap_error *err);
enum snap_status snap_curand_draw_u32(void *states, void *out, size_t n, struct snap_error *err);
enum snap_status snap_curand_draw_normal_f32(void *states, void *out, size_t n,
                                             struct snap_error *err);
enum snap_status snap_curand_draw_normal(void *states, void *out, size_t n, struct snap_error *err);
#define SNAP_CURAND_DRAW_ROWS                                                                      \
    SNAP_DRAW_ROW("f32", "curand_uniform(&states[i % count]), i < n", SNAP_F32, false,             \
                  snap_curand_draw_f32),                                                           \
        SNAP_DRAW_ROW("f64", "curand_uniform_double(&states[i % count]), i < n", SNAP_F64, false,  \
                      snap_curand_draw_f64),                                                       \
        SNAP_DRAW_ROW("u32", "curand(&states[i % count]), i < n", SNAP_U32, false,                 \
                      snap_curand_draw_u32),                                                       \
        SNAP_DRAW_ROW("normal_f32", "curand_normal(&states[i % count]), i < n, on the host",       \
                      SNAP_F32, true, snap_curand_draw_normal_f32),                                \
        SNAP_DRAW_ROW("normal", "curand_normal_double(&states[i % count]), i < n, on the host",    \
                      SNAP_F64, true, snap_curand_draw_normal)

#endif
