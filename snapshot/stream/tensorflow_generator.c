/* SPDX-License-Identifier: Apache-2.0 */
/* tf.random.Generator (tensorflow/python/ops/stateful_random_ops.py, tensorflow/core/kernels/
 * stateful_random_ops*, core/lib/random/philox_random.h): a counter and a key, kept as a variable
 * of int64. A call of n elements draws from the counter on, and then moves it by 256 n, whatever it
 * used. Only XLA's devices draw with the algorithm ThreeFry; its state is kept, and nothing drawn
 * from it here. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "format/json_canonical.h"
#include "stream/philox.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "tensorflow_generator"
#define WHAT "stream " KIND
#define COUNTERS_PER_ELEMENT 256u

struct tensorflow_generator {
    bool is_threefry;
    uint64_t counter[2]; /* low, high; ThreeFry has the low one alone */
    uint64_t key;
    uint64_t words_drawn; /* since the object was made; no part of the state */
};

/* ---- state ---- */

static size_t state_words(const struct tensorflow_generator *g)
{
    return g->is_threefry ? 2 : 3;
}

/* The variable, in its order. */
static void get_words(const struct tensorflow_generator *g, uint64_t words[3])
{
    words[0] = g->counter[0];
    words[1] = g->is_threefry ? g->key : g->counter[1];
    words[2] = g->key;
}

static void set_words(struct tensorflow_generator *g, const uint64_t words[3])
{
    g->counter[0] = words[0];
    g->counter[1] = g->is_threefry ? 0 : words[1];
    g->key = words[state_words(g) - 1];
}

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct tensorflow_generator *g = state;
    json_t *list = json_array();
    json_t *object = NULL;
    uint64_t words[3];
    bool failed = list == NULL;

    get_words(g, words);
    for (size_t i = 0; !failed && i < state_words(g); i++) {
        failed = json_array_append_new(list, snap_json_i64((int64_t)words[i])) != 0;
    }
    if (!failed) {
        object = json_pack("{s:s, s:s, s:O}", "algorithm", g->is_threefry ? "threefry" : "philox",
                           "kind", KIND, "state", list);
    }
    json_decref(list);
    return snap_stream_json_encode(WHAT, object, bytes, size_bytes, err);
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct tensorflow_generator *g = state;
    struct tensorflow_generator fresh = { .words_drawn = g->words_drawn };
    json_t *object = NULL;
    const json_t *list;
    const char *algorithm;
    uint64_t words[3];
    enum snap_status status = snap_stream_json_decode(WHAT, KIND, "algorithm kind state", bytes,
                                                      size_bytes, &object, err);

    if (status != SNAP_OK) {
        return status;
    }
    algorithm = json_string_value(json_object_get(object, "algorithm"));
    if (algorithm == NULL ||
        (strcmp(algorithm, "philox") != 0 && strcmp(algorithm, "threefry") != 0)) {
        status =
            snap_error_set(err, SNAP_CORRUPT, WHAT ": \"algorithm\": expected philox or threefry");
        goto out;
    }
    fresh.is_threefry = strcmp(algorithm, "threefry") == 0;
    list = json_object_get(object, "state");
    if (!json_is_array(list) || json_array_size(list) != state_words(&fresh)) {
        status =
            snap_error_set(err, SNAP_CORRUPT, WHAT ": \"state\": expected a list of %zu integers",
                           state_words(&fresh));
        goto out;
    }
    for (size_t i = 0; i < state_words(&fresh); i++) {
        int64_t word;

        if (!snap_json_get_i64(json_array_get(list, i), &word)) {
            status =
                snap_error_set(err, SNAP_CORRUPT,
                               WHAT ": entry %zu of \"state\": expected an integer of 64 bits", i);
            goto out;
        }
        words[i] = (uint64_t)word;
    }
    set_words(&fresh, words);
    *g = fresh;
out:
    json_decref(object);
    return status;
}

/* ---- generator.state.numpy().tobytes() ---- */

static enum snap_status encode_variable(const void *state, void **bytes, size_t *size_bytes,
                                        struct snap_error *err)
{
    const struct tensorflow_generator *g = state;
    unsigned char *out = malloc(8 * state_words(g));
    uint64_t words[3];

    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": encode: no memory");
    }
    get_words(g, words);
    for (size_t i = 0; i < state_words(g); i++) {
        snap_put_u64(out + 8 * i, words[i]);
    }
    *bytes = out;
    *size_bytes = 8 * state_words(g);
    return SNAP_OK;
}

static enum snap_status decode_variable(void *state, const void *bytes, size_t size_bytes,
                                        struct snap_error *err)
{
    struct tensorflow_generator *g = state;
    uint64_t words[3] = { 0 };

    if (size_bytes != 16 && size_bytes != 24) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: %zu bytes where the variable has 24 (Philox) or 16 "
                                   "(ThreeFry)",
                              size_bytes);
    }
    for (size_t i = 0; i < size_bytes / 8; i++) {
        words[i] = snap_get_u64((const unsigned char *)bytes + 8 * i);
    }
    g->is_threefry = size_bytes == 16;
    set_words(g, words);
    return SNAP_OK;
}

static const struct snap_stream_form_row forms[] = {
    SNAP_FORM_ROW("variable", "the bytes of generator.state, 24 or 16", encode_variable,
                  decode_variable),
    SNAP_FORM_END,
};

/* ---- draws ---- */

static void add_to_counter(struct tensorflow_generator *g, uint64_t n)
{
    g->counter[0] += n;
    g->counter[1] += !g->is_threefry && g->counter[0] < n;
}

/* The words of one call, and then the step of the counter. */
static enum snap_status draw_words(struct tensorflow_generator *g, unsigned words_per_element,
                                   size_t n, uint32_t *out, struct snap_error *err)
{
    struct tensorflow_generator at = *g;
    const uint32_t key[2] = { (uint32_t)g->key, (uint32_t)(g->key >> 32) };
    uint32_t block[4];

    if (g->is_threefry) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": draw: TensorFlow draws with ThreeFry on XLA's devices only");
    }
    for (size_t i = 0; i < n * words_per_element; i++) {
        if (i % 4 == 0) {
            block[0] = (uint32_t)at.counter[0];
            block[1] = (uint32_t)(at.counter[0] >> 32);
            block[2] = (uint32_t)at.counter[1];
            block[3] = (uint32_t)(at.counter[1] >> 32);
            snap_philox4x32(SNAP_PHILOX_ROUNDS, key, block);
            add_to_counter(&at, 1);
        }
        out[i] = block[i % 4];
    }
    add_to_counter(g, COUNTERS_PER_ELEMENT * (uint64_t)n);
    g->words_drawn += (uint64_t)n * words_per_element;
    return SNAP_OK;
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    return draw_words(state, 1, n, out, err);
}

/* The words are made where the numbers go, and put together from the first to the last. */
static enum snap_status draw_u64(void *state, void *out, size_t n, struct snap_error *err)
{
    uint64_t *numbers = out;
    enum snap_status status = draw_words(state, 2, n, out, err);

    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        uint32_t words[2];

        memcpy(words, &numbers[i], sizeof words);
        numbers[i] = (uint64_t)words[1] << 32 | words[0];
    }
    return status;
}

/* 23 bits of a word. */
static enum snap_status draw_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    float *numbers = out;
    enum snap_status status = draw_words(state, 1, n, out, err);

    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        uint32_t word;

        memcpy(&word, &numbers[i], sizeof word);
        numbers[i] = (float)(word & 0x7fffffu) * 0x1p-23f;
    }
    return status;
}

/* 20 bits of a word, then the next one. */
static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    double *numbers = out;
    enum snap_status status = draw_words(state, 2, n, out, err);

    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        uint32_t words[2];

        memcpy(words, &numbers[i], sizeof words);
        numbers[i] = (double)((uint64_t)(words[0] & 0xfffffu) << 32 | words[1]) * 0x1p-52;
    }
    return status;
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_DRAW_ROW("f32", "generator.uniform([n])", SNAP_F32, false, draw_f32),
    SNAP_DRAW_ROW("f64", "generator.uniform([n], dtype=tf.float64)", SNAP_F64, false, draw_f64),
    SNAP_DRAW_ROW("u32", "generator.uniform_full_int([n], tf.uint32)", SNAP_U32, false, draw_u32),
    SNAP_DRAW_ROW("u64", "generator.uniform_full_int([n], tf.uint64)", SNAP_U64, false, draw_u64),
    SNAP_DRAW_END,
};

/* ---- the rest of the family ---- */

static void init(void *state)
{
    memset(state, 0, sizeof(struct tensorflow_generator));
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    struct tensorflow_generator *g = state;

    (void)err; /* every 64-bit number is a seed */
    g->counter[0] = value;
    g->counter[1] = 0;
    g->key = 0;
    return SNAP_OK;
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct tensorflow_generator *)state)->words_drawn;
}

/* to - from, over the whole counter. */
static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    const struct tensorflow_generator *a = from;
    const struct tensorflow_generator *b = to;
    uint64_t low = b->counter[0] - a->counter[0];
    uint64_t high = b->counter[1] - a->counter[1] - (b->counter[0] < a->counter[0]);

    (void)limit_words; /* nothing is stepped */
    if (a->is_threefry != b->is_threefry || a->key != b->key) {
        return false;
    }
    if (a->is_threefry) {
        high = low > INT64_MAX ? UINT64_MAX : 0; /* the nearer way round */
    }
    if (high != (low > INT64_MAX ? UINT64_MAX : 0)) {
        return false;
    }
    *words = (int64_t)low;
    return true;
}

const struct snap_stream_family snap_tensorflow_generator_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct tensorflow_generator),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .words_drawn = words_drawn,
    .distance = distance,
    .unit = "step of the counter",
    .units = "steps of the counter",
    .draws = draws,
    .forms = forms,
};
