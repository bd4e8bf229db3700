/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: the keys are those that programs over torch.save commonly use, and of
 * composer/core/state.py, lightning's checkpoint connector and
 * megatron/training/checkpointing.py. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "format/member_name.h"
#include "foreign/foreign_limits.h"
#include "foreign/foreign_peers.h"
#include "foreign/foreign_rng.h"
#include "foreign/foreign_streams.h"
#include "foreign/foreign_tree.h"

#define COMPOSER "composer"
#define CHECKPOINT "checkpoint"
#define STATE_DICT "state-dict"
#define STREAM "stream"

static const char *const layouts[] = { SNAP_LAYOUT_ACCELERATE,
                                       SNAP_LAYOUT_HF_TRAINER,
                                       COMPOSER,
                                       SNAP_LAYOUT_LIGHTNING,
                                       SNAP_LAYOUT_MEGATRON,
                                       CHECKPOINT,
                                       STATE_DICT,
                                       STREAM };

bool snap_foreign_is_layout(const char *name)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
        if (strcmp(layouts[i], name) == 0)
            return true;
    return false;
}

/* Where a checkpoint keeps its parts, and the root that each becomes. */
static const struct {
    const char *key;
    const char *root;
} parts[] = {
    { "model", "model" },
    { "state_dict", "model" },
    { "model_state_dict", "model" },
    { "module", "model" },
    { "optimizer", "optimizer" },
    { "optimizer_state_dict", "optimizer" },
    { "optimizer_states", "optimizer" },
    { "optimizers", "optimizer" },
    { "scheduler", "scheduler" },
    { "scheduler_state_dict", "scheduler" },
    { "lr_scheduler", "scheduler" },
    { "lr_schedulers", "scheduler" },
    { "lr_scheduler_state_dict", "scheduler" },
    { "schedulers", "scheduler" },
    { "opt_param_scheduler", "scheduler" },
    { "scaler", "scaler" },
    { "scaler_state_dict", "scaler" },
    { "ema", "ema" },
    { "ema_state_dict", "ema" },
};
#define PARTS (sizeof parts / sizeof parts[0])

/* Keys behind which a checkpoint has its random states. */
static const char *const rng_keys[] = { "rng", "rng_state", "rng_states", "random_states" };
#define RNG_KEYS (sizeof rng_keys / sizeof rng_keys[0])

/* ---- checkpoints ---- */

static bool is_part(const struct snap_pickle_value *value)
{
    return snap_pickle_is(value, SNAP_PICKLE_DICT) || snap_pickle_is(value, SNAP_PICKLE_LIST);
}

static bool has_parts(const struct snap_pickle_value *dict)
{
    for (size_t i = 0; i < PARTS; i++)
        if (is_part(snap_pickle_get(dict, parts[i].key)))
            return true;
    return false;
}

static bool root_is_there(const struct snap_foreign_source *source, const char *root)
{
    for (size_t i = 0; i < source->state->root_count; i++)
        if (strcmp(source->state->roots[i].name, root) == 0)
            return true;
    return false;
}

/* What a part is called: `wanted`; where another has that, behind the name that the caller gave the
 * file, or `other`. */
static const char *part_root(const struct snap_foreign_source *source, const char *wanted,
                             const char *other, const char *file_name,
                             char own[SNAP_MAX_ROOT_NAME_BYTES + 1])
{
    if (!root_is_there(source, wanted))
        return wanted;
    if (file_name == NULL)
        return other;
    int length = snprintf(own, SNAP_MAX_ROOT_NAME_BYTES + 1, "%s.%s", file_name, wanted);
    return length <= SNAP_MAX_ROOT_NAME_BYTES ? own : other;
}

static enum snap_status take_parts(struct snap_foreign_source *source,
                                   const struct snap_pickle_value *dict, const char *file_name,
                                   struct snap_foreign_taken *taken, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < PARTS; i++) {
        const struct snap_pickle_value *part = snap_pickle_get(dict, parts[i].key);
        if (!is_part(part))
            continue;
        char own[SNAP_MAX_ROOT_NAME_BYTES + 1];
        const char *root = part_root(source, parts[i].root, parts[i].key, file_name, own);
        status = snap_foreign_tree_add(source, root, part, NULL, err);
        snap_foreign_take_key(taken, parts[i].key);
    }
    return status;
}

/* The random states behind a key of a checkpoint. */
static enum snap_status take_kept_rng(struct snap_foreign_source *source,
                                      const struct snap_pickle_value *dict,
                                      const char *file_name, const char **layout,
                                      struct snap_foreign_taken *taken, struct snap_error *err)
{
    /* Where a file before it has streams, its own stand behind the name that it was given. */
    const char *prefix = file_name != NULL && source->streams_before > 0 ? file_name : "";
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < RNG_KEYS; i++) {
        const struct snap_pickle_value *kept = snap_pickle_get(dict, rng_keys[i]);
        struct snap_foreign_taken inner = SNAP_FOREIGN_TAKEN_INIT;
        if (snap_foreign_is_rng_list(kept, layout)) {
            status = snap_foreign_take_rng_list(source, kept, prefix, err);
        } else if (snap_foreign_is_rng(kept, layout)) {
            status = snap_foreign_take_rng(source, kept, prefix, &inner, err);
            if (status == SNAP_OK)
                status = snap_foreign_tell_rest(source, kept, &inner, err);
        } else {
            continue;
        }
        snap_foreign_take_key(taken, rng_keys[i]);
    }
    return status;
}

/* What a checkpoint says of its place. */
static enum snap_status take_place(struct snap_foreign_source *source,
                                   const struct snap_pickle_value *dict, struct snap_error *err)
{
    static const char *const steps[] = { "global_step", "iteration" };
    const struct snap_pickle_value *timestamp = snap_pickle_get(dict, "timestamp");
    const struct snap_pickle_value *inner = snap_pickle_get(timestamp, "Timestamp");
    uint64_t number;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < sizeof steps / sizeof steps[0]; i++)
        if (snap_pickle_get_u64(snap_pickle_get(dict, steps[i]), &number))
            status = snap_foreign_state_set_step(source->state, number, source->name, err);
    if (status == SNAP_OK &&
        snap_pickle_get_u64(snap_pickle_get(inner != NULL ? inner : timestamp, "batch"), &number))
        status = snap_foreign_state_set_step(source->state, number, source->name, err);
    if (status == SNAP_OK && snap_pickle_get_u64(snap_pickle_get(dict, "epoch"), &number))
        source->state->epoch = number;
    return status;
}

static bool has_rest(const struct snap_pickle_value *dict, const struct snap_foreign_taken *taken)
{
    for (size_t i = 0; i < dict->count; i += 2)
        if (!snap_foreign_is_taken(taken, dict->as.children.items[i]))
            return true;
    return false;
}

/* A dict of parts; what is in none of them is the root `name`. */
static enum snap_status take_checkpoint(struct snap_foreign_source *source,
                                        const struct snap_pickle_value *dict, const char *name,
                                        bool named, const char **layout,
                                        struct snap_foreign_taken *taken, struct snap_error *err)
{
    enum snap_status status = take_place(source, dict, err);
    if (status == SNAP_OK)
        status = take_kept_rng(source, dict, named ? name : NULL, layout, taken, err);
    if (status == SNAP_OK)
        status = take_parts(source, dict, named ? name : NULL, taken, err);
    if (status == SNAP_OK && has_rest(dict, taken))
        status = snap_foreign_tree_add(source, root_is_there(source, name) ? CHECKPOINT : name,
                                       dict, taken->keys, err);
    return status;
}

/* Composer keeps the parts in one dict, and the random states beside it. */
static bool is_composer(const struct snap_pickle_value *value)
{
    return snap_pickle_is(snap_pickle_get(snap_pickle_get(value, "state"), "model"),
                          SNAP_PICKLE_DICT) &&
           snap_pickle_get(value, "rng") != NULL;
}

static enum snap_status take_composer(struct snap_foreign_source *source,
                                      const struct snap_pickle_value *value, const char *name,
                                      bool named, struct snap_error *err)
{
    struct snap_foreign_taken taken = SNAP_FOREIGN_TAKEN_INIT;
    struct snap_foreign_taken outer = SNAP_FOREIGN_TAKEN_INIT;
    char own[SNAP_MAX_ROOT_NAME_BYTES + 1];
    const char *ignored = NULL;
    enum snap_status status =
        take_kept_rng(source, value, named ? name : NULL, &ignored, &outer, err);
    snap_foreign_take_key(&outer, "state");
    if (status == SNAP_OK)
        status = take_checkpoint(source, snap_pickle_get(value, "state"), name, named, &ignored,
                                 &taken, err);
    if (status == SNAP_OK && has_rest(value, &outer))
        status = snap_foreign_tree_add(
            source, part_root(source, COMPOSER, COMPOSER, named ? name : NULL, own), value,
            outer.keys, err);
    return status;
}

/* ---- all ---- */

/* What the Python package calls the one that a process has. */
static const char *stream_name(const char *kind)
{
    if (strcmp(kind, "python_random") == 0)
        return "python";
    if (strcmp(kind, "numpy_random_state") == 0)
        return "numpy";
    if (strcmp(kind, "torch_cpu") == 0)
        return "torch";
    return strcmp(kind, "torch_cuda") == 0 ? "torch_cuda.0" : kind;
}

static enum snap_status take_stream(struct snap_foreign_source *source,
                                    const struct snap_pickle_value *value, const char *name,
                                    bool named, const char *kind, struct snap_error *err)
{
    char place[300];
    char legal[SNAP_FOREIGN_STREAM_NAME_BYTES];
    snap_foreign_key_place(source, kind, place, sizeof place);
    snap_foreign_stream_name(named ? name : stream_name(kind), legal);
    return snap_foreign_streams_add(source, legal, kind, value, place, err);
}

/* Are all its values tensors? */
static bool is_state_dict(const struct snap_pickle_value *value)
{
    if (!snap_pickle_is(value, SNAP_PICKLE_DICT) || value->count == 0)
        return false;
    for (size_t i = 1; i < value->count; i += 2)
        if (!snap_foreign_is_tensor(value->as.children.items[i]))
            return false;
    return true;
}

static enum snap_status take(struct snap_foreign_source *source,
                             const struct snap_pickle_value *value, const char *name, bool named,
                             const char **layout, struct snap_error *err)
{
    struct snap_foreign_taken taken = SNAP_FOREIGN_TAKEN_INIT;
    const char *kind = snap_foreign_stream_kind(value);
    if (kind != NULL) {
        *layout = STREAM;
        return take_stream(source, value, name, named, kind, err);
    }
    if (snap_foreign_is_rng_list(value, layout))
        return snap_foreign_take_rng_list(source, value, named ? name : "", err);
    if (is_composer(value)) {
        *layout = COMPOSER;
        return take_composer(source, value, name, named, err);
    }
    if (snap_foreign_is_rng(value, layout)) {
        enum snap_status status =
            snap_foreign_take_rng(source, value, named ? name : "", &taken, err);
        if (status != SNAP_OK)
            return status;
        if (!has_parts(value))
            return snap_foreign_tell_rest(source, value, &taken, err);
        return take_checkpoint(source, value, name, named, layout, &taken, err);
    }
    if (snap_pickle_get(value, "pytorch-lightning_version") != NULL)
        *layout = SNAP_LAYOUT_LIGHTNING;
    if (is_state_dict(value))
        *layout = STATE_DICT;
    if (snap_pickle_is(value, SNAP_PICKLE_DICT) && has_parts(value))
        return take_checkpoint(source, value, name, named, layout, &taken, err);
    enum snap_status status = take_place(source, value, err);
    return status == SNAP_OK ? snap_foreign_tree_add(source, name, value, NULL, err) : status;
}

enum snap_status snap_foreign_peers_take(struct snap_foreign_source *source,
                                         const struct snap_pickle_value *value, const char *name,
                                         bool named, const char *as, const char **layout,
                                         struct snap_error *err)
{
    *layout = CHECKPOINT;
    if (as != NULL && !snap_foreign_is_layout(as)) {
        *layout = STREAM;
        source->must_be_stream = true;
        return take_stream(source, value, name, named, as, err);
    }
    return take(source, value, name, named, layout, err);
}
