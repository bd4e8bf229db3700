/* SPDX-License-Identifier: Apache-2.0 */
/* The engine and its 5056 bytes, laid out field by field as torch's struct is on a little-endian
 * 64-bit host (ATen/CPUGeneratorImpl.cpp). */
#include "config.h"

#include "stream/torch_cpu.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "stream/stream_family.h"
#include "stream/uniform_lanes.h"

#define KIND "torch_cpu"
#define WORDS SNAP_MT19937_WORDS
/* Words on the stack at once. */
#define BLOCK 512u

void snap_torch_seed(struct snap_torch_cpu *t, uint64_t seed)
{
    snap_mt19937_init_genrand(&t->mt, (uint32_t)seed);
    t->seed = seed;
    t->used_up_next = 0;
    t->has_normal = false;
    t->normal = 0.0;
    t->has_float_normal = false;
    t->float_normal = 0.0f;
}

static void put_double(unsigned char *out, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    snap_put_u64(out, bits);
}

static double get_double(const unsigned char *in)
{
    uint64_t bits = snap_get_u64(in);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

void snap_torch_get_state(const struct snap_torch_cpu *t,
                          unsigned char bytes[SNAP_TORCH_CPU_BYTES])
{
    bool used_up = t->mt.pos == WORDS;
    uint32_t float_bits;

    memset(bytes, 0, SNAP_TORCH_CPU_BYTES);
    snap_put_u64(bytes + SNAP_TORCH_AT_SEED, t->seed);
    snap_put_u32(bytes + SNAP_TORCH_AT_LEFT, used_up ? 1 : WORDS + 1 - t->mt.pos);
    snap_put_u32(bytes + SNAP_TORCH_AT_SEEDED, 1);
    snap_put_u64(bytes + SNAP_TORCH_AT_NEXT, used_up ? t->used_up_next : t->mt.pos);
    for (size_t i = 0; i < WORDS; i++) {
        snap_put_u64(bytes + SNAP_TORCH_AT_STATE + 8 * i, t->mt.key[i]);
    }
    put_double(bytes + SNAP_TORCH_AT_NORMAL, t->normal);
    snap_put_u32(bytes + SNAP_TORCH_AT_NORMAL_VALID, t->has_normal);
    memcpy(&float_bits, &t->float_normal, sizeof float_bits);
    snap_put_u32(bytes + SNAP_TORCH_AT_FLOAT_NORMAL, float_bits);
    snap_put_u32(bytes + SNAP_TORCH_AT_FLOAT_NORMAL_VALID, t->has_float_normal);
}

static enum snap_status corrupt(const char *what, struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "stream " KIND ": decode: %s", what);
}

/* seed, left, next and the words. */
static enum snap_status read_engine(const unsigned char *bytes, struct snap_torch_cpu *t,
                                    struct snap_error *err)
{
    uint32_t left = snap_get_u32(bytes + SNAP_TORCH_AT_LEFT);
    uint64_t next = snap_get_u64(bytes + SNAP_TORCH_AT_NEXT);

    if (snap_get_u32(bytes + SNAP_TORCH_AT_SEEDED) != 1) {
        return corrupt("the engine is not marked as seeded", err);
    }
    /* left 1 means "twist before the next draw", whatever `next` says (0 when fresh). Otherwise the
     * two count one thing, and torch would read past its words if they disagreed. */
    if (next > WORDS || left == 0 || left > WORDS || (left != 1 && left + next != WORDS + 1)) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "stream " KIND ": decode: left %" PRIu32 " and next %" PRIu64
                              " are no position in 624 words",
                              left, next);
    }
    t->seed = snap_get_u64(bytes + SNAP_TORCH_AT_SEED);
    t->mt.pos = left == 1 ? WORDS : (uint32_t)next;
    t->used_up_next = (uint32_t)next;
    for (size_t i = 0; i < WORDS; i++) {
        uint64_t word = snap_get_u64(bytes + SNAP_TORCH_AT_STATE + 8 * i);

        if (word > UINT32_MAX) {
            return snap_error_set(err, SNAP_CORRUPT,
                                  "stream " KIND ": decode: word %zu has more than 32 bits", i);
        }
        t->mt.key[i] = (uint32_t)word;
    }
    return SNAP_OK;
}

static enum snap_status read_normals(const unsigned char *bytes, struct snap_torch_cpu *t,
                                     struct snap_error *err)
{
    uint64_t valid = snap_get_u64(bytes + SNAP_TORCH_AT_NORMAL_VALID); /* with its padding */
    uint32_t float_valid = snap_get_u32(bytes + SNAP_TORCH_AT_FLOAT_NORMAL_VALID);
    uint32_t float_bits = snap_get_u32(bytes + SNAP_TORCH_AT_FLOAT_NORMAL);

    if (valid > 1 || float_valid > 1) {
        return corrupt("a flag is not 0 or 1, or bytes between the fields are not 0", err);
    }
    if (snap_get_u64(bytes + SNAP_TORCH_AT_NORMAL_X) != 0 ||
        snap_get_u64(bytes + SNAP_TORCH_AT_NORMAL_RHO) != 0 ||
        (valid == 0 && snap_get_u64(bytes + SNAP_TORCH_AT_NORMAL) != 0) ||
        (float_valid == 0 && float_bits != 0)) {
        return corrupt("a cached normal that is not in use is not 0", err);
    }
    t->has_normal = valid == 1;
    t->normal = get_double(bytes + SNAP_TORCH_AT_NORMAL);
    t->has_float_normal = float_valid == 1;
    memcpy(&t->float_normal, &float_bits, sizeof float_bits);
    return SNAP_OK;
}

/* The old form keeps a radius and an angle where the new one keeps the normal itself. */
static enum snap_status read_legacy_normal(const unsigned char *bytes, struct snap_torch_cpu *t,
                                           struct snap_error *err)
{
    uint32_t valid = snap_get_u32(bytes + SNAP_TORCH_AT_NORMAL_VALID);

    if (valid > 1) {
        return corrupt("a flag is not 0 or 1", err);
    }
    t->has_normal = valid == 1;
    t->normal = 0.0;
    t->has_float_normal = false;
    t->float_normal = 0.0f;
    if (t->has_normal) {
        double theta = 2.0 * M_PI * get_double(bytes + SNAP_TORCH_AT_NORMAL_X);

        t->normal = get_double(bytes + SNAP_TORCH_AT_NORMAL_RHO) * sin(theta);
    }
    return SNAP_OK;
}

enum snap_status snap_torch_set_state(struct snap_torch_cpu *t, const void *bytes,
                                      size_t size_bytes, struct snap_error *err)
{
    struct snap_torch_cpu fresh = { .version = t->version };
    enum snap_status status;

    if (size_bytes != SNAP_TORCH_CPU_BYTES && size_bytes != SNAP_TORCH_CPU_LEGACY_BYTES) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "stream " KIND ": decode: %zu bytes where 5056 (or, in the old form, "
                              "5048) are needed",
                              size_bytes);
    }
    status = read_engine(bytes, &fresh, err);
    if (status == SNAP_OK) {
        status = size_bytes == SNAP_TORCH_CPU_BYTES ? read_normals(bytes, &fresh, err)
                                                    : read_legacy_normal(bytes, &fresh, err);
    }
    if (status == SNAP_OK) {
        fresh.mt.words_drawn = t->mt.words_drawn;
        *t = fresh;
    }
    return status;
}

/* ---- words ---- */

uint32_t snap_torch_u32(struct snap_torch_cpu *t)
{
    t->used_up_next = WORDS;
    return snap_mt19937_u32(&t->mt);
}

uint64_t snap_torch_u64(struct snap_torch_cpu *t)
{
    uint64_t high = snap_torch_u32(t);

    return high << 32 | snap_torch_u32(t);
}

float snap_torch_float(struct snap_torch_cpu *t)
{
    return (float)(snap_torch_u32(t) & 0xffffffu) * 0x1p-24f;
}

double snap_torch_double(struct snap_torch_cpu *t)
{
    return (double)(snap_torch_u64(t) & (((uint64_t)1 << 53) - 1)) * 0x1p-53;
}

void snap_torch_words(struct snap_torch_cpu *t, uint32_t *out, size_t n)
{
    t->used_up_next = n > 0 ? WORDS : t->used_up_next;
    snap_mt19937_fill_u32(&t->mt, out, n);
}

void snap_torch_wide_words(struct snap_torch_cpu *t, uint64_t *out, size_t n)
{
    t->used_up_next = n > 0 ? WORDS : t->used_up_next;
    snap_mt19937_fill_u64(&t->mt, out, n);
}

void snap_torch_floats(struct snap_torch_cpu *t, float *out, size_t n)
{
    uint32_t words[BLOCK];

    for (size_t count; n > 0; n -= count, out += count) {
        count = n < BLOCK ? n : BLOCK;
        snap_torch_words(t, words, count);
        for (size_t i = 0; i < count; i++) {
            words[i] <<= 8;
        }
        snap_words_to_f32(words, out, count);
    }
}

void snap_torch_doubles(struct snap_torch_cpu *t, double *out, size_t n)
{
    uint64_t words[BLOCK];

    for (size_t count; n > 0; n -= count, out += count) {
        count = n < BLOCK ? n : BLOCK;
        snap_torch_wide_words(t, words, count);
        for (size_t i = 0; i < count; i++) {
            words[i] <<= 11;
        }
        snap_words_to_f64(words, out, count);
    }
}

/* ---- family ---- */

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    unsigned char *out = malloc(SNAP_TORCH_CPU_BYTES);

    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream " KIND ": encode: no memory");
    }
    snap_torch_get_state(state, out);
    *bytes = out;
    *size_bytes = SNAP_TORCH_CPU_BYTES;
    return SNAP_OK;
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    return snap_torch_set_state(state, bytes, size_bytes, err);
}

static void init(void *state)
{
    struct snap_torch_cpu *t = state;

    t->version = SNAP_TORCH_2_7;
    snap_torch_seed(t, 0);
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    (void)err; /* every 64-bit number is a seed */
    snap_torch_seed(state, value);
    return SNAP_OK;
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct snap_torch_cpu *)state)->mt.words_drawn;
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    return snap_mt19937_distance(&((const struct snap_torch_cpu *)from)->mt,
                                 &((const struct snap_torch_cpu *)to)->mt, limit_words, words);
}

static bool forward(const void *from, const void *to, uint64_t limit_words, uint64_t *words)
{
    const struct snap_torch_cpu *a = from;
    const struct snap_torch_cpu *b = to;

    /* Another seed: manual_seed() was called, and no draw leads there. */
    return a->seed == b->seed && snap_mt19937_forward(&a->mt, &b->mt, limit_words, words);
}

const struct snap_stream_family snap_torch_cpu_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct snap_torch_cpu),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .words_drawn = words_drawn,
    .distance = distance,
    .forward = forward,
    .draws = snap_torch_cpu_draws,
    .forms = snap_torch_cpu_forms,
};
