/* SPDX-License-Identifier: Apache-2.0 */
/* The keys are those of: accelerate/checkpointing.py, transformers/trainer.py (_save_rng_state),
 * composer/utils/reproducibility.py, lightning/fabric/utilities/seed.py, and
 * megatron/training/checkpointing.py, as of 2020 to 2026. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "foreign/foreign_limits.h"
#include "foreign/foreign_rng.h"
#include "foreign/foreign_streams.h"

/* What stands behind a key of a dict of random states. */
enum form {
    ONE = 1, /* a state of the kind */
    DEVICES, /* one for each device, or that of the process's device */
    NAMED,   /* a dict: one for each name */
    UNKNOWN, /* of a device whose generator no kind of stream is known for */
    STEP     /* the number of steps done */
};

static const struct key {
    const char *key;
    const char *layout; /* that it tells; NULL: several have it */
    enum form form;
    const char *kind;   /* of its stream */
    const char *stream; /* its name; UNKNOWN: the device */
} keys[] = {
    { "random_state", SNAP_LAYOUT_ACCELERATE, ONE, "python_random", "python" },
    { "numpy_random_seed", SNAP_LAYOUT_ACCELERATE, ONE, "numpy_random_state", "numpy" },
    { "torch_manual_seed", SNAP_LAYOUT_ACCELERATE, ONE, "torch_cpu", "torch" },
    { "torch_cuda_manual_seed", SNAP_LAYOUT_ACCELERATE, DEVICES, "torch_cuda", "torch_cuda" },
    { "torch_xpu_manual_seed", SNAP_LAYOUT_ACCELERATE, UNKNOWN, NULL, "xpu" },
    { "torch_mlu_manual_seed", SNAP_LAYOUT_ACCELERATE, UNKNOWN, NULL, "mlu" },
    { "torch_npu_manual_seed", SNAP_LAYOUT_ACCELERATE, UNKNOWN, NULL, "npu" },
    { "torch_sdaa_manual_seed", SNAP_LAYOUT_ACCELERATE, UNKNOWN, NULL, "sdaa" },
    { "torch_musa_manual_seed", SNAP_LAYOUT_ACCELERATE, UNKNOWN, NULL, "musa" },
    { "torch_hpu_manual_seed", SNAP_LAYOUT_ACCELERATE, UNKNOWN, NULL, "hpu" },
    { "torch_mps_manual_seed", SNAP_LAYOUT_ACCELERATE, UNKNOWN, NULL, "mps" },
    { "torch_neuron_manual_seed", SNAP_LAYOUT_ACCELERATE, UNKNOWN, NULL, "neuron" },
    { "xm_seed", SNAP_LAYOUT_ACCELERATE, UNKNOWN, NULL, "XLA" },
    { "step", NULL, STEP, NULL, NULL },
    { "python", NULL, ONE, "python_random", "python" },
    { "numpy", NULL, ONE, "numpy_random_state", "numpy" },
    { "cpu", SNAP_LAYOUT_HF_TRAINER, ONE, "torch_cpu", "torch" },
    { "torch", NULL, ONE, "torch_cpu", "torch" },
    { "cuda", NULL, DEVICES, "torch_cuda", "torch_cuda" },
    { "torch.cuda", SNAP_LAYOUT_LIGHTNING, DEVICES, "torch_cuda", "torch_cuda" },
    { "xpu", NULL, UNKNOWN, NULL, "xpu" },
    { "mlu", NULL, UNKNOWN, NULL, "mlu" },
    { "npu", NULL, UNKNOWN, NULL, "npu" },
    { "musa", NULL, UNKNOWN, NULL, "musa" },
    { "hpu", NULL, UNKNOWN, NULL, "hpu" },
    { "mps", NULL, UNKNOWN, NULL, "mps" },
    { "neuron", NULL, UNKNOWN, NULL, "neuron" },
    { "xla", NULL, UNKNOWN, NULL, "XLA" },
    { "random_rng_state", SNAP_LAYOUT_MEGATRON, ONE, "python_random", "python" },
    { "np_rng_state", SNAP_LAYOUT_MEGATRON, ONE, "numpy_random_state", "numpy" },
    { "torch_rng_state", SNAP_LAYOUT_MEGATRON, ONE, "torch_cpu", "torch" },
    { "cuda_rng_state", SNAP_LAYOUT_MEGATRON, DEVICES, "torch_cuda", "torch_cuda" },
    { "rng_tracker_states", SNAP_LAYOUT_MEGATRON, NAMED, "torch_cuda", "torch_cuda" },
};
#define KEYS (sizeof keys / sizeof keys[0])

void snap_foreign_take_key(struct snap_foreign_taken *taken, const char *key)
{
    taken->keys[taken->count++] = key;
    taken->keys[taken->count] = NULL;
}

bool snap_foreign_is_taken(const struct snap_foreign_taken *taken,
                           const struct snap_pickle_value *key)
{
    for (size_t i = 0; i < taken->count; i++)
        if (snap_pickle_is_text(key, taken->keys[i]))
            return true;
    return false;
}

/* Does the value look like what the key promises? */
static bool fits(const struct key *key, const struct snap_pickle_value *value)
{
    const char *kind;
    switch (key->form) {
    case ONE:
        kind = snap_foreign_stream_kind(value);
        return kind != NULL && strcmp(kind, key->kind) == 0;
    case DEVICES:
        return snap_foreign_is_tensor(value) || snap_pickle_is(value, SNAP_PICKLE_LIST) ||
               snap_pickle_is(value, SNAP_PICKLE_TUPLE);
    case NAMED:
        return snap_pickle_is(value, SNAP_PICKLE_DICT);
    default:
        return false;
    }
}

/* Is it a dict of random states: at least two that look like one? *layout (NULL: not wanted) is
 * the one that a key tells. */
bool snap_foreign_is_rng(const struct snap_pickle_value *value, const char **layout)
{
    size_t found = 0;
    for (size_t i = 0; i < KEYS; i++) {
        const struct snap_pickle_value *state = snap_pickle_get(value, keys[i].key);
        if (state == NULL || !fits(&keys[i], state))
            continue;
        found++;
        if (layout != NULL && keys[i].layout != NULL)
            *layout = keys[i].layout;
    }
    return found >= 2;
}

/* "FILE: KEY", how states that were not taken are named. */
void snap_foreign_key_place(const struct snap_foreign_source *source, const char *key, char *text,
                            size_t size)
{
    const char *slash = strrchr(source->name, '/');
    snprintf(text, size, "%.150s: %.100s", slash != NULL ? slash + 1 : source->name, key);
}

/* Each state of a list, or of a dict, or the one. */
static enum snap_status take_devices(struct snap_foreign_source *source, const struct key *key,
                                     const struct snap_pickle_value *value, const char *prefix,
                                     struct snap_error *err)
{
    const char *dot = prefix[0] != '\0' ? "." : "";
    char place[300];
    char text[200];
    char full[300];
    char name[SNAP_FOREIGN_STREAM_NAME_BYTES];
    enum snap_status status = SNAP_OK;
    bool many = snap_pickle_is(value, SNAP_PICKLE_LIST) ||
                snap_pickle_is(value, SNAP_PICKLE_TUPLE) || snap_pickle_is(value, SNAP_PICKLE_DICT);
    bool one = !many; /* None is what a library has where there is no device */
    size_t count = one ? !snap_pickle_is(value, SNAP_PICKLE_NONE) : value->count;
    size_t step = value->type == SNAP_PICKLE_DICT && !one ? 2 : 1;
    for (size_t i = 0; status == SNAP_OK && i < count; i += step) {
        const struct snap_pickle_value *state = value;
        snprintf(text, sizeof text, "%s.%zu", key->stream, i);
        if (!one)
            state = value->as.children.items[i + step - 1];
        if (step == 2) {
            char own[100] = "";
            snap_pickle_copy_text(value->as.children.items[i], own, sizeof own);
            snprintf(text, sizeof text, "%s.%s", key->stream, own);
        }
        snap_foreign_key_place(source, text, place, sizeof place);
        snprintf(full, sizeof full, "%s%s%s", prefix, dot, text);
        snap_foreign_stream_name(full, name);
        status = snap_foreign_streams_add(source, name, key->kind, state, place, err);
    }
    return status;
}

static enum snap_status take_state(struct snap_foreign_source *source, const struct key *key,
                                   const struct snap_pickle_value *value, const char *prefix,
                                   struct snap_error *err)
{
    char place[300];
    char reason[200];
    char name[SNAP_FOREIGN_STREAM_NAME_BYTES];
    uint64_t step;
    snap_foreign_key_place(source, key->key, place, sizeof place);
    switch (key->form) {
    case DEVICES:
    case NAMED:
        return take_devices(source, key, value, prefix, err);
    case UNKNOWN:
        snprintf(reason, sizeof reason,
                 "the state of a generator of %s, for which no kind of stream is known",
                 key->stream);
        return snap_foreign_state_add_gap(source->state, place, reason, err);
    case STEP:
        if (!snap_pickle_get_u64(value, &step))
            return snap_foreign_state_add_gap(source->state, place, "it is no number of steps",
                                              err);
        return snap_foreign_state_set_step(source->state, step, source->name, err);
    default:
        snprintf(reason, sizeof reason, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "",
                 key->stream);
        snap_foreign_stream_name(reason, name);
        return snap_foreign_streams_add(source, name, key->kind, value, place, err);
    }
}

/* Take the random states of a dict; their keys go into *taken. */
enum snap_status snap_foreign_take_rng(struct snap_foreign_source *source,
                                       const struct snap_pickle_value *dict, const char *prefix,
                                       struct snap_foreign_taken *taken, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < KEYS; i++) {
        const struct snap_pickle_value *value = snap_pickle_get(dict, keys[i].key);
        if (value == NULL)
            continue;
        status = take_state(source, &keys[i], value, prefix, err);
        snap_foreign_take_key(taken, keys[i].key);
    }
    return status;
}

/* What else a dict of random states has is named as not taken. */
enum snap_status snap_foreign_tell_rest(struct snap_foreign_source *source,
                                        const struct snap_pickle_value *dict,
                                        const struct snap_foreign_taken *taken,
                                        struct snap_error *err)
{
    char place[300];
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < dict->count; i += 2) {
        const struct snap_pickle_value *key = dict->as.children.items[i];
        if (snap_foreign_is_taken(taken, key))
            continue;
        char text[100] = "(a key)";
        snap_pickle_copy_text(key, text, sizeof text);
        snap_foreign_key_place(source, text, place, sizeof place);
        status = snap_foreign_state_add_gap(source->state, place,
                                            "it is no random state that is known", err);
    }
    return status;
}

/* A list of dicts of random states: one for each rank. */
bool snap_foreign_is_rng_list(const struct snap_pickle_value *value, const char **layout)
{
    size_t count = snap_pickle_count(value);
    for (size_t i = 0; i < count; i++)
        if (!snap_foreign_is_rng(snap_pickle_item(value, i), layout))
            return false;
    return count > 0;
}

enum snap_status snap_foreign_take_rng_list(struct snap_foreign_source *source,
                                            const struct snap_pickle_value *list,
                                            const char *prefix, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    int rank = source->rank;
    size_t count = snap_pickle_count(list);
    if (count > SNAP_MAX_FOREIGN_RANKS)
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s: random states of %zu ranks: at most %u",
                              source->name, count, SNAP_MAX_FOREIGN_RANKS);
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        struct snap_foreign_taken taken = SNAP_FOREIGN_TAKEN_INIT;
        if (count > 1)
            source->rank = (int)i;
        status = snap_foreign_take_rng(source, snap_pickle_item(list, i), prefix, &taken, err);
        if (status == SNAP_OK)
            status = snap_foreign_tell_rest(source, snap_pickle_item(list, i), &taken, err);
    }
    source->rank = rank;
    return status;
}
