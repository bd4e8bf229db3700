/* SPDX-License-Identifier: Apache-2.0 */
/* Dicts of random states, by the keys that each library has for them. */
#ifndef SNAP_FOREIGN_FOREIGN_RNG_H
#define SNAP_FOREIGN_FOREIGN_RNG_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/status.h>

#include "foreign/foreign_source.h"

/* The layouts that a key can tell. */
#define SNAP_LAYOUT_ACCELERATE "accelerate"
#define SNAP_LAYOUT_HF_TRAINER "hf-trainer"
#define SNAP_LAYOUT_LIGHTNING "lightning"
#define SNAP_LAYOUT_MEGATRON "megatron"

/* Keys of a dict that are taken, for snap_foreign_tree_add: NULL ends them. */
#define SNAP_FOREIGN_MOST_KEYS 80
struct snap_foreign_taken {
    const char *keys[SNAP_FOREIGN_MOST_KEYS];
    size_t count;
};
#define SNAP_FOREIGN_TAKEN_INIT                                                                    \
    {                                                                                              \
        .count = 0                                                                                 \
    }

void snap_foreign_take_key(struct snap_foreign_taken *taken, const char *key);
bool snap_foreign_is_taken(const struct snap_foreign_taken *taken,
                           const struct snap_pickle_value *key);

/* Is it a dict of random states: at least two that look like one? A list of such, one for each
 * rank? *layout (NULL: not wanted) is set when a key tells it. */
bool snap_foreign_is_rng(const struct snap_pickle_value *value, const char **layout);
bool snap_foreign_is_rng_list(const struct snap_pickle_value *value, const char **layout);

/* Take the random states of a dict; their keys go into *taken. `prefix` (or "") begins the names
 * of the streams. */
enum snap_status snap_foreign_take_rng(struct snap_foreign_source *source,
                                       const struct snap_pickle_value *dict, const char *prefix,
                                       struct snap_foreign_taken *taken, struct snap_error *err);
/* What else such a dict has is named as not taken. */
enum snap_status snap_foreign_tell_rest(struct snap_foreign_source *source,
                                        const struct snap_pickle_value *dict,
                                        const struct snap_foreign_taken *taken,
                                        struct snap_error *err);
/* Both, of each dict of a list. */
enum snap_status snap_foreign_take_rng_list(struct snap_foreign_source *source,
                                            const struct snap_pickle_value *list,
                                            const char *prefix, struct snap_error *err);
/* "FILE: KEY", how states that were not taken are named. */
void snap_foreign_key_place(const struct snap_foreign_source *source, const char *key, char *text,
                            size_t size);

#endif
