/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/curand_states.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "stream/curand_uniform.h"

#define FLAG_NORMAL 1u
#define FLAG_LARGEST 2u

static unsigned char *all_of(struct snap_curand_states *s)
{
    return s->many != NULL ? s->many : s->one;
}

static const unsigned char *all_of_const(const struct snap_curand_states *s)
{
    return s->many != NULL ? s->many : s->one;
}

/* ---- state ---- */

void snap_curand_states_init(struct snap_curand_states *s, const struct snap_curand_engine *engine)
{
    s->engine = engine;
    s->count = 1;
    engine->init(s->one, 1, 0);
}

void snap_curand_states_release(void *states)
{
    free(((struct snap_curand_states *)states)->many);
}

enum snap_status snap_curand_states_seed(void *states, uint64_t seed, struct snap_error *err)
{
    struct snap_curand_states *s = states;

    (void)err; /* every 64-bit number is a seed */
    memset(all_of(s), 0, s->count * s->engine->state_bytes);
    s->engine->init(all_of(s), s->count, seed);
    return SNAP_OK;
}

enum snap_status snap_curand_states_encode(const void *states, void **bytes, size_t *size_bytes,
                                           struct snap_error *err)
{
    const struct snap_curand_states *s = states;
    size_t size = s->count * s->engine->state_bytes;
    void *copy = malloc(size);

    if (copy == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: encode: no memory", s->engine->what);
    }
    memcpy(copy, all_of_const(s), size);
    *bytes = copy;
    *size_bytes = size;
    return SNAP_OK;
}

/* Flags that no function sets are the sign of memory that was never initialised. */
static const char *find_fault(const struct snap_curand_engine *engine, const unsigned char *state)
{
    if (snap_get_u32(state + engine->flag) > FLAG_LARGEST ||
        snap_get_u32(state + engine->flag_double) > FLAG_LARGEST) {
        return "a flag of its cached normals is not 0, 1 or 2";
    }
    return engine->fault != NULL ? engine->fault(state) : NULL;
}

enum snap_status snap_curand_states_decode(void *states, const void *bytes, size_t size_bytes,
                                           struct snap_error *err)
{
    struct snap_curand_states *s = states;
    const struct snap_curand_engine *engine = s->engine;
    const unsigned char *in = bytes;
    unsigned char *many = NULL;
    size_t count = size_bytes / engine->state_bytes;

    if (count == 0 || size_bytes % engine->state_bytes != 0) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: decode: %zu bytes where states of %zu each are needed",
                              engine->what, size_bytes, engine->state_bytes);
    }
    for (size_t i = 0; i < count; i++) {
        const char *fault = find_fault(engine, in + i * engine->state_bytes);

        if (fault != NULL) {
            return snap_error_set(err, SNAP_CORRUPT, "%s: decode: state %zu: %s", engine->what, i,
                                  fault);
        }
    }
    if (count > 1) {
        many = malloc(size_bytes);
        if (many == NULL) {
            return snap_error_set(err, SNAP_NO_MEMORY, "%s: decode: no memory", engine->what);
        }
    }
    free(s->many);
    s->many = many;
    s->count = count;
    memcpy(all_of(s), bytes, size_bytes);
    return SNAP_OK;
}

uint64_t snap_curand_states_words_drawn(const void *states)
{
    return ((const struct snap_curand_states *)states)->words_drawn;
}

bool snap_curand_states_add(int64_t *total, int64_t one)
{
    return (one == 0 || *total == 0 || (one > 0) == (*total > 0)) &&
           !__builtin_add_overflow(*total, one, total);
}

bool snap_curand_states_distance(const void *from, const void *to, uint64_t limit_words,
                                 int64_t *words)
{
    const struct snap_curand_states *a = from;
    const struct snap_curand_states *b = to;

    return a->count == b->count &&
           a->engine->distance(all_of_const(a), all_of_const(b), a->count, limit_words, words);
}

/* ---- draws ---- */

static uint32_t next_word(struct snap_curand_states *s, unsigned char *state)
{
    s->words_drawn++;
    return s->engine->word(state);
}

static unsigned char *state_at(struct snap_curand_states *s, size_t i)
{
    return all_of(s) + i % s->count * s->engine->state_bytes;
}

uint32_t snap_curand_states_word(struct snap_curand_states *s, size_t i)
{
    return next_word(s, state_at(s, i));
}

enum snap_status snap_curand_draw_u32(void *states, void *out, size_t n, struct snap_error *err)
{
    struct snap_curand_states *s = states;
    uint32_t *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = snap_curand_states_word(s, i);
    }
    return SNAP_OK;
}

enum snap_status snap_curand_draw_f32(void *states, void *out, size_t n, struct snap_error *err)
{
    struct snap_curand_states *s = states;
    float *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = snap_curand_uniform_f32(snap_curand_states_word(s, i));
    }
    return SNAP_OK;
}

enum snap_status snap_curand_draw_f64(void *states, void *out, size_t n, struct snap_error *err)
{
    struct snap_curand_states *s = states;
    double *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        unsigned char *state = state_at(s, i);
        uint32_t first = next_word(s, state);

        numbers[i] = s->engine->f64_is_short ? snap_curand_uniform_f64_short(first)
                                             : snap_curand_uniform_f64(first, next_word(s, state));
    }
    return SNAP_OK;
}

/* Box and Muller: the sine's is given out first, the cosine's is kept. */
static float normal_f32(struct snap_curand_states *s, unsigned char *state)
{
    const float turn = 0x1p-32f * 6.2831855f;
    float radius, angle, kept;
    uint32_t bits;

    if (snap_get_u32(state + s->engine->flag) == FLAG_NORMAL) {
        snap_put_u32(state + s->engine->flag, 0);
        bits = snap_get_u32(state + s->engine->extra);
        memcpy(&kept, &bits, sizeof kept);
        return kept;
    }
    radius = snap_curand_uniform_f32(next_word(s, state));
    angle = (float)next_word(s, state) * turn + turn / 2;
    radius = sqrtf(-2.0f * logf(radius));
    kept = cosf(angle) * radius;
    memcpy(&bits, &kept, sizeof bits);
    snap_put_u32(state + s->engine->extra, bits);
    snap_put_u32(state + s->engine->flag, FLAG_NORMAL);
    return sinf(angle) * radius;
}

static double normal_f64(struct snap_curand_states *s, unsigned char *state)
{
    double radius, angle, kept;
    uint32_t words[4];
    uint64_t bits;

    if (snap_get_u32(state + s->engine->flag_double) == FLAG_NORMAL) {
        snap_put_u32(state + s->engine->flag_double, 0);
        bits = snap_get_u64(state + s->engine->extra_double);
        memcpy(&kept, &bits, sizeof kept);
        return kept;
    }
    for (size_t i = 0; i < 4; i++) {
        words[i] = next_word(s, state);
    }
    radius = sqrt(-2.0 * log(snap_curand_uniform_f64(words[0], words[1])));
    angle = 2.0 * snap_curand_uniform_f64(words[2], words[3]) * 3.1415926535897932;
    kept = cos(angle) * radius;
    memcpy(&bits, &kept, sizeof bits);
    snap_put_u64(state + s->engine->extra_double, bits);
    snap_put_u32(state + s->engine->flag_double, FLAG_NORMAL);
    return sin(angle) * radius;
}

enum snap_status snap_curand_draw_normal_f32(void *states, void *out, size_t n,
                                             struct snap_error *err)
{
    struct snap_curand_states *s = states;
    float *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = normal_f32(s, state_at(s, i));
    }
    return SNAP_OK;
}

enum snap_status snap_curand_draw_normal(void *states, void *out, size_t n, struct snap_error *err)
{
    struct snap_curand_states *s = states;
    double *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = normal_f64(s, state_at(s, i));
    }
    return SNAP_OK;
}
