/* SPDX-License-Identifier: Apache-2.0 */
/* The Philox cases of counter_based.json. Threefry and JAX keys are not built. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream/philox.h"
#include "vectors.h"

const char *counter_missing(const json_t *a_case)
{
    const char *id = argument_text(a_case, "id");

    if (strncmp(id, "threefry", 8) == 0) {
        return "threefry";
    }
    return strncmp(id, "jax/", 4) == 0 ? "jax" : NULL;
}

static void words_of(const json_t *list, uint64_t *words, size_t most)
{
    for (size_t i = 0; i < most && i < json_array_size(list); i++) {
        words[i] = strtoull(json_string_value(json_array_get(list, i)), NULL, 16);
    }
}

static void philox(const json_t *state, const char *fn, unsigned rounds, struct result *result)
{
    uint64_t counter[4] = { 0 };
    uint64_t key[2] = { 0 };
    uint32_t small[4];
    uint32_t small_key[2];
    size_t count = json_array_size(argument(state, "counter"));

    words_of(argument(state, "counter"), counter, 4);
    words_of(argument(state, "key"), key, 2);
    for (size_t i = 0; i < 4; i++) {
        small[i] = (uint32_t)counter[i];
    }
    small_key[0] = (uint32_t)key[0];
    small_key[1] = (uint32_t)key[1];
    result->width = strstr(fn, "x64") != NULL ? 8 : 4;
    if (strcmp(fn, "philox2x32") == 0) {
        snap_philox2x32(rounds, small_key[0], small);
    } else if (strcmp(fn, "philox4x32") == 0) {
        snap_philox4x32(rounds, small_key, small);
    } else if (strcmp(fn, "philox2x64") == 0) {
        snap_philox2x64(rounds, key[0], counter);
    } else {
        snap_philox4x64(rounds, key, counter);
    }
    for (size_t i = 0; i < count; i++) {
        result_add(result, result->width == 4 ? small[i] : counter[i]);
    }
}

bool counter_call(const json_t *a_case, const char *fn, const json_t *args, struct result *result)
{
    const json_t *state = argument(a_case, "state_before");

    if (strncmp(fn, "philox", 6) == 0) {
        philox(state, fn, (unsigned)argument_int(args, "rounds"), result);
        return true;
    }
    if (strcmp(fn, "next_u32") == 0) {
        uint64_t seed = decimal_u64(argument_text(state, "seed"));
        uint64_t subsequence = decimal_u64(argument_text(state, "subsequence"));
        uint64_t offset = decimal_u64(argument_text(state, "offset"));
        struct snap_at_philox p;

        snap_at_philox_init(&p, seed, subsequence, offset);
        for (size_t i = 0; i < argument_size(args, "n", 0); i++) {
            result_add(result, snap_at_philox_u32(&p));
        }
        return true;
    }
    return false;
}
