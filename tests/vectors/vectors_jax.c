/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of JAX in counter_based.json, and the calls of a key that are no draws by name. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream/jax_random.h"
#include "vectors.h"

#define KIND "jax_key"

/* The seeds are those of jax_enable_x64. */
static void seed(struct snap_stream *stream, const json_t *seed_given)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_jax_key *k = internals(stream, KIND);

    if (strcmp(argument_text(seed_given, "kind"), "jax_seed_x64") != 0) {
        fail("a seed of JAX of another kind");
    }
    k->x64 = true;
    must(snap_stream_seed(stream, decimal_u64(argument_text(seed_given, "value")), &err), &err,
         "seed");
}

static void restore(struct snap_stream *stream, const json_t *state)
{
    struct snap_jax_key *k = internals(stream, KIND);

    k->partitionable = json_is_true(argument(state, "partitionable"));
    for (size_t i = 0; i < 2; i++) {
        k->key[i] = (uint32_t)to_int(json_array_get(argument(state, "key"), i));
    }
}

/* The file's states do not say what x64 was, and a seed does not say the layout. */
static bool same_state(struct snap_stream *stream, const json_t *a_case, const json_t *state,
                       bool seeded)
{
    const struct snap_jax_key *k = internals(stream, KIND);
    const json_t *key = argument(state, "key");

    (void)a_case;
    return (uint32_t)to_int(json_array_get(key, 0)) == k->key[0] &&
           (uint32_t)to_int(json_array_get(key, 1)) == k->key[1] &&
           (seeded || k->partitionable == json_is_true(argument(state, "partitionable")));
}

static void add_words(struct result *result, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        result_add(result, words[i]);
    }
}

static bool call(struct snap_stream *stream, const char *fn, const json_t *args,
                 struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    const struct snap_jax_key *k = internals(stream, KIND);
    size_t words = snap_jax_key_words(k->impl);
    size_t n = argument_size(args, "n", 1);

    if (strcmp(fn, "split") == 0) {
        size_t count = argument_size(args, "num", 2);
        uint32_t *keys = allocate(words * count, sizeof *keys);

        must(snap_jax_split(stream, count, keys, &err), &err, fn);
        add_words(result, keys, words * count);
        free(keys);
    } else if (strcmp(fn, "fold_in") == 0) {
        uint32_t key[4];

        must(snap_jax_fold_in(stream, (uint32_t)argument_int(args, "data"), key, &err), &err, fn);
        add_words(result, key, words);
    } else if (strcmp(fn, "bits") == 0) {
        uint64_t *bits = allocate(n, sizeof *bits);

        must(snap_jax_key_bits(k, (unsigned)argument_int(args, "width"), bits, n, &err), &err, fn);
        result->is_unsigned = true;
        for (size_t i = 0; i < n; i++) {
            result_add(result, bits[i]);
        }
        free(bits);
    } else if (strcmp(fn, "randint") == 0) {
        int64_t *numbers = allocate(n, sizeof *numbers);

        must(snap_jax_randint(
                 stream, strcmp(argument_text(args, "dtype"), "int64") == 0 ? SNAP_I64 : SNAP_I32,
                 argument_int(args, "minval"), argument_int(args, "maxval"), numbers, n, &err),
             &err, fn);
        for (size_t i = 0; i < n; i++) {
            result_add_int(result, numbers[i]);
        }
        free(numbers);
    } else if (strcmp(fn, "uniform") == 0) {
        float *numbers = allocate(n, sizeof *numbers);

        must(snap_stream_draw(stream, "f32", numbers, n, &err), &err, fn);
        result_add_tensor(result, SNAP_F32, numbers, n);
        free(numbers);
    } else {
        return false;
    }
    return true;
}

const struct family jax_family = {
    .name = "counter_based",
    .kind = KIND,
    .seed = seed,
    .restore = restore,
    .same_state = same_state,
    .call = call,
};
