/* SPDX-License-Identifier: Apache-2.0 */
/* The hashes of counter_based.json: Philox and Threefry of any width, and at::Philox4_32. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream/philox.h"
#include "stream/threefry.h"
#include "vectors.h"

/* Counter and key in both widths; a hash takes those of its own. */
struct words {
    uint64_t wide[4];
    uint32_t narrow[4];
    size_t count;
};

static struct words words_of(const json_t *list)
{
    struct words words = { .count = json_array_size(list) };

    for (size_t i = 0; i < 4 && i < words.count; i++) {
        words.wide[i] = strtoull(json_string_value(json_array_get(list, i)), NULL, 16);
        words.narrow[i] = (uint32_t)words.wide[i];
    }
    return words;
}

static bool hash(const char *fn, unsigned rounds, const struct words *key, struct words *counter)
{
    if (strcmp(fn, "philox2x32") == 0) {
        snap_philox2x32(rounds, key->narrow[0], counter->narrow);
    } else if (strcmp(fn, "philox4x32") == 0) {
        snap_philox4x32(rounds, key->narrow, counter->narrow);
    } else if (strcmp(fn, "philox2x64") == 0) {
        snap_philox2x64(rounds, key->wide[0], counter->wide);
    } else if (strcmp(fn, "philox4x64") == 0) {
        snap_philox4x64(rounds, key->wide, counter->wide);
    } else if (strcmp(fn, "threefry2x32") == 0) {
        snap_threefry2x32(rounds, key->narrow, counter->narrow);
    } else if (strcmp(fn, "threefry4x32") == 0) {
        snap_threefry4x32(rounds, key->narrow, counter->narrow);
    } else if (strcmp(fn, "threefry2x64") == 0) {
        snap_threefry2x64(rounds, key->wide, counter->wide);
    } else if (strcmp(fn, "threefry4x64") == 0) {
        snap_threefry4x64(rounds, key->wide, counter->wide);
    } else {
        return false;
    }
    return true;
}

bool hash_call(const json_t *a_case, const char *fn, const json_t *args, struct result *result)
{
    const json_t *state = argument(a_case, "state_before");

    if (strcmp(fn, "next_u32") == 0) {
        struct snap_at_philox p;

        snap_at_philox_init(&p, decimal_u64(argument_text(state, "seed")),
                            decimal_u64(argument_text(state, "subsequence")),
                            decimal_u64(argument_text(state, "offset")));
        for (size_t i = 0; i < argument_size(args, "n", 0); i++) {
            result_add(result, snap_at_philox_u32(&p));
        }
        return true;
    }
    if (has_argument(args, "rounds")) {
        struct words key = words_of(argument(state, "key"));
        struct words counter = words_of(argument(state, "counter"));

        if (!hash(fn, (unsigned)argument_int(args, "rounds"), &key, &counter)) {
            return false;
        }
        result->width = strstr(fn, "x64") != NULL ? 8 : 4;
        for (size_t i = 0; i < counter.count; i++) {
            result_add(result, result->width == 4 ? counter.narrow[i] : counter.wide[i]);
        }
        return true;
    }
    return false;
}
