/* SPDX-License-Identifier: Apache-2.0 */
/* A key of jax.random as a stream: its words, its impl, and the config flags that decide what is
 * made of it. Drawing does not move it; a program moves on by splitting. */
#include "config.h"

#include <snapstate/stream.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "stream/jax_random.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "jax_key"
#define WHAT "stream " KIND

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct snap_jax_key *k = state;

    return snap_stream_json_encode(
        WHAT,
        json_pack("{s:s, s:o, s:s, s:b, s:b}", "impl", snap_jax_impl_name(k->impl), "key",
                  snap_stream_json_words(k->key, snap_jax_key_words(k->impl)), "kind", KIND,
                  "partitionable", k->partitionable, "x64", k->x64),
        bytes, size_bytes, err);
}

static enum snap_status get_bool(const json_t *object, const char *key, bool *value,
                                 struct snap_error *err)
{
    const json_t *found = json_object_get(object, key);

    if (!json_is_boolean(found)) {
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": \"%s\": expected true or false", key);
    }
    *value = json_is_true(found);
    return SNAP_OK;
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct snap_jax_key fresh = { .impl = SNAP_JAX_THREEFRY };
    json_t *object = NULL;
    const char *impl;
    enum snap_status status = snap_stream_json_decode(WHAT, KIND, "impl key kind partitionable x64",
                                                      bytes, size_bytes, &object, err);

    if (status == SNAP_OK) {
        impl = json_string_value(json_object_get(object, "impl"));
        if (impl == NULL || !snap_jax_impl_from_name(impl, &fresh.impl)) {
            status = snap_error_set(err, SNAP_CORRUPT,
                                    WHAT ": \"impl\": expected threefry2x32, rbg or unsafe_rbg");
        }
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_words(WHAT, object, "key", snap_jax_key_words(fresh.impl),
                                            fresh.key, err);
    }
    if (status == SNAP_OK) {
        status = get_bool(object, "partitionable", &fresh.partitionable, err);
    }
    if (status == SNAP_OK) {
        status = get_bool(object, "x64", &fresh.x64, err);
    }
    if (status == SNAP_OK) {
        *(struct snap_jax_key *)state = fresh;
    }
    json_decref(object);
    return status;
}

/* ---- np.asarray(jax.random.key_data(key)).tobytes() ---- */

static enum snap_status encode_key_data(const void *state, void **bytes, size_t *size_bytes,
                                        struct snap_error *err)
{
    const struct snap_jax_key *k = state;
    size_t words = snap_jax_key_words(k->impl);
    unsigned char *out = malloc(4 * words);

    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": encode: no memory");
    }
    for (size_t i = 0; i < words; i++) {
        snap_put_u32(out + 4 * i, k->key[i]);
    }
    *bytes = out;
    *size_bytes = 4 * words;
    return SNAP_OK;
}

/* The flags stay; so does the impl when it has that many words. */
static enum snap_status decode_key_data(void *state, const void *bytes, size_t size_bytes,
                                        struct snap_error *err)
{
    struct snap_jax_key *k = state;

    if (size_bytes != 8 && size_bytes != 16) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: %zu bytes where a key has 8 (Threefry) or 16 (rbg)",
                              size_bytes);
    }
    if (size_bytes != 4 * snap_jax_key_words(k->impl)) {
        k->impl = size_bytes == 8 ? SNAP_JAX_THREEFRY : SNAP_JAX_RBG;
    }
    memset(k->key, 0, sizeof k->key);
    for (size_t i = 0; i < size_bytes / 4; i++) {
        k->key[i] = snap_get_u32((const unsigned char *)bytes + 4 * i);
    }
    return SNAP_OK;
}

static const struct snap_stream_form_row forms[] = {
    SNAP_FORM_ROW("key_data", "the bytes of jax.random.key_data(key), 8 or 16", encode_key_data,
                  decode_key_data),
    SNAP_FORM_END,
};

/* ---- draws by name ---- */

static enum snap_status draw_u64(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_jax_key_bits(state, 64, out, n, err);
}

/* Narrow elements, by way of 64 bits each. */
static enum snap_status draw_narrow(const struct snap_jax_key *k, unsigned width, void *out,
                                    size_t n, struct snap_error *err)
{
    uint64_t *bits = calloc(n, sizeof *bits);
    enum snap_status status;

    if (bits == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": draw: no memory");
    }
    status = snap_jax_key_bits(k, width, bits, n, err);
    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        if (width == 8) {
            ((uint8_t *)out)[i] = (uint8_t)bits[i];
        } else if (width == 16) {
            ((uint16_t *)out)[i] = (uint16_t)bits[i];
        } else {
            ((uint32_t *)out)[i] = (uint32_t)bits[i];
        }
    }
    free(bits);
    return status;
}

static enum snap_status draw_u8(void *state, void *out, size_t n, struct snap_error *err)
{
    return draw_narrow(state, 8, out, n, err);
}

static enum snap_status draw_u16(void *state, void *out, size_t n, struct snap_error *err)
{
    return draw_narrow(state, 16, out, n, err);
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    return draw_narrow(state, 32, out, n, err);
}

static enum snap_status draw_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_jax_key_uniform_f32(state, out, n, err);
}

static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_jax_key_uniform_f64(state, out, n, err);
}

static enum snap_status draw_permutation(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_jax_key_permutation(state, out, n, err);
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_DRAW_ROW("f32", "jax.random.uniform(key, (n,))", SNAP_F32, false, draw_f32),
    SNAP_DRAW_ROW("f64", "jax.random.uniform(key, (n,), jnp.float64)", SNAP_F64, false, draw_f64),
    SNAP_DRAW_ROW("u32", "jax.random.bits(key, (n,))", SNAP_U32, false, draw_u32),
    SNAP_DRAW_ROW("u64", "jax.random.bits(key, (n,), jnp.uint64)", SNAP_U64, false, draw_u64),
    SNAP_DRAW_ROW("u16", "jax.random.bits(key, (n,), jnp.uint16)", SNAP_U16, false, draw_u16),
    SNAP_DRAW_ROW("u8", "jax.random.bits(key, (n,), jnp.uint8)", SNAP_U8, false, draw_u8),
    SNAP_DRAW_ROW("permutation", "jax.random.permutation(key, n)", SNAP_U32, false,
                  draw_permutation),
    SNAP_DRAW_END,
};

/* ---- the rest of the family ---- */

static void init(void *state)
{
    struct snap_jax_key *k = state;

    k->impl = SNAP_JAX_THREEFRY;
    k->partitionable = true;
    k->x64 = false;
    snap_jax_key_seed(k, 0);
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    (void)err; /* every 64-bit number is a seed */
    snap_jax_key_seed(state, value);
    return SNAP_OK;
}

/* Steps of key = split(key)[0] from one key to another. */
static bool forward(const void *from, const void *to, uint64_t limit_words, uint64_t *words)
{
    const struct snap_jax_key *end = to;
    struct snap_jax_key k = *(const struct snap_jax_key *)from;

    if (k.impl != end->impl || k.partitionable != end->partitionable) {
        return false;
    }
    for (uint64_t i = 0;; i++) {
        uint32_t next[4];

        if (memcmp(k.key, end->key, sizeof k.key) == 0) {
            *words = i;
            return true;
        }
        if (i >= limit_words) {
            return false;
        }
        snap_jax_key_split_at(&k, 2, 0, next);
        memcpy(k.key, next, sizeof next);
    }
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    return snap_forward_distance(forward, from, to, limit_words, words);
}

const struct snap_stream_family snap_jax_key_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct snap_jax_key),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .distance = distance,
    .forward = forward,
    .unit = "split",
    .units = "splits",
    .draws = draws,
    .forms = forms,
};

/* ---- public calls ---- */

static const struct snap_jax_key *key_of(const struct snap_stream *stream, const char *what,
                                         struct snap_error *err)
{
    /* Only reads; the cast undoes what a lookup that serves draws too had to leave out. */
    return snap_stream_state((struct snap_stream *)stream, &snap_jax_key_family, what, err);
}

enum snap_status snap_jax_split(const struct snap_stream *stream, size_t count, uint32_t *keys,
                                struct snap_error *err)
{
    const struct snap_jax_key *k = key_of(stream, "split", err);

    if (k == NULL) {
        return SNAP_INVALID;
    }
    if (count > UINT32_MAX / 4) {
        return snap_error_set(err, SNAP_UNSUPPORTED, WHAT ": split: more than 2^30-1 keys");
    }
    for (size_t i = 0; i < count; i++) {
        size_t words = snap_jax_key_words(k->impl);
        uint32_t key[4];

        snap_jax_key_split_at(k, count, i, key);
        memcpy(keys + words * i, key, words * sizeof key[0]);
    }
    return SNAP_OK;
}

enum snap_status snap_jax_fold_in(const struct snap_stream *stream, uint32_t data, uint32_t *key,
                                  struct snap_error *err)
{
    const struct snap_jax_key *k = key_of(stream, "fold_in", err);
    uint32_t folded[4];

    if (k == NULL) {
        return SNAP_INVALID;
    }
    snap_jax_key_fold_in(k, data, folded);
    memcpy(key, folded, snap_jax_key_words(k->impl) * sizeof key[0]);
    return SNAP_OK;
}

enum snap_status snap_jax_randint(const struct snap_stream *stream, enum snap_dtype dtype,
                                  int64_t low, int64_t high, int64_t *out, size_t n,
                                  struct snap_error *err)
{
    const struct snap_jax_key *k = key_of(stream, "randint", err);

    if (k == NULL) {
        return SNAP_INVALID;
    }
    if (dtype != SNAP_I32 && dtype != SNAP_I64) {
        return snap_error_set(err, SNAP_INVALID, WHAT ": randint: neither int32 nor int64");
    }
    return snap_jax_key_randint(k, dtype == SNAP_I32 ? 32 : 64, low, high, out, n, err);
}
