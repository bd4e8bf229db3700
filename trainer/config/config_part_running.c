/* SPDX-License-Identifier: Apache-2.0 */
/* The part `running` of a config: where and how. */
#include "config.h"

#include "config/config_parts.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <snapstate/pool.h>

#define TRY(call)                      \
    do {                               \
        enum snap_status try_ = (call); \
        if (try_ != SNAP_OK)           \
            return try_;               \
    } while (0)

/* Make the path under `key` absolute. */
static enum snap_status read_path(const struct trn_fields *data, const char *key,
                                  const char *folder, const char **path, struct snap_error *err)
{
    char joined[PATH_MAX];
    if (json_object_get(data->object, key) == NULL)
        return SNAP_OK;
    TRY(trn_fields_string(data, key, "the path of a file", path, err));
    if ((*path)[0] == '/')
        return SNAP_OK;
    int length = snprintf(joined, sizeof(joined), "%s/%s", folder, *path);
    if (length < 0 || (size_t)length >= sizeof(joined))
        return trn_fields_expected(data, key, err, "a path of less than %d bytes", PATH_MAX);
    json_t *absolute = json_string(joined);
    if (absolute == NULL)
        return trn_fields_expected(data, key, err, "a path in UTF-8");
    TRY(trn_fields_set(data, key, absolute, err));
    *path = json_string_value(json_object_get(data->object, key));
    return SNAP_OK;
}

/* Which snapshots stay. */
static enum snap_status read_kept_steps(const struct trn_fields *keep, struct trn_config *config,
                                        struct snap_error *err)
{
    static const char what[] = "a list of steps, each above 0";
    json_t *array = NULL;
    if (json_object_get(keep->object, "steps") == NULL)
        return SNAP_OK;
    TRY(trn_fields_array(keep, "steps", what, &array, err));
    size_t count = json_array_size(array);
    uint64_t *steps = calloc(count, sizeof(*steps));
    if (steps == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "running.keep.steps: out of memory");
    config->keep.steps = steps;
    for (size_t i = 0; i < count; i++) {
        json_int_t step = json_integer_value(json_array_get(array, i)); /* 0: no integer */
        if (step < 1)
            return trn_fields_expected(keep, "steps", err, "%s", what);
        steps[config->keep.step_count++] = (uint64_t)step;
    }
    return SNAP_OK;
}

static enum snap_status read_keep(const struct trn_fields *running, struct trn_config *config,
                                  struct snap_error *err)
{
    static const char *const known[] = { "last", "every", "best", "most", "steps", NULL };
    struct trn_fields fields;
    const char *best = NULL;
    const char *most = NULL;
    config->keep = (struct snap_keep)SNAP_KEEP_INIT;
    config->has_keep = json_object_get(running->object, "keep") != NULL;
    if (!config->has_keep)
        return SNAP_OK;
    TRY(trn_fields_enter(running, "keep", false, known, &fields, err));
    TRY(trn_fields_count(&fields, "last", 1, 1, &config->keep.last, err));
    TRY(trn_fields_count(&fields, "every", 0, 0, &config->keep.every, err));
    if (json_object_get(fields.object, "best") != NULL)
        TRY(trn_fields_string(&fields, "best", "a number of the ledger's lines", &best, err));
    if (json_object_get(fields.object, "most") != NULL)
        TRY(trn_fields_string(&fields, "most", "a number of the ledger's lines", &most, err));
    if (best != NULL && most != NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "running.keep: expected best or most, and not both");
    TRY(read_kept_steps(&fields, config, err));
    config->keep.best = best != NULL ? best : most;
    config->keep.best_is_most = most != NULL;
    return SNAP_OK;
}

/* Who saves: a path, or false for nobody. */
static enum snap_status read_agent(const struct trn_fields *running, struct trn_config *config,
                                   struct snap_error *err)
{
    const json_t *found = json_object_get(running->object, "agent");
    if (found == NULL)
        return SNAP_OK;
    if (json_is_false(found)) {
        config->agent = "";
        return SNAP_OK;
    }
    return trn_fields_string(running, "agent", "the path of an agent's socket, or false",
                             &config->agent, err);
}

enum snap_status trn_config_read_running(const struct trn_fields *root, const char *folder,
                                         struct trn_config *config, struct snap_error *err)
{
    static const char *const known[] = { "threads",  "device",      "steps", "every",
                                         "progress", "tensorboard", "data",  "thin",
                                         "keep",     "on_save_failure", "agent", "volume_size",
                                         "certify",  "on_certify_failure", NULL };
    static const char *const policies[] = { "stop", "continue", NULL };
    size_t policy;
    struct trn_fields running;
    struct trn_fields data;
    size_t threads;
    config->device = "cpu";
    TRY(trn_fields_enter(root, "running", true, known, &running, err));
    TRY(trn_fields_size(&running, "threads", 0, SNAP_POOL_MAX_THREADS, 0, &threads, err));
    config->threads = (unsigned)threads;
    if (json_object_get(running.object, "device") != NULL)
        TRY(trn_fields_string(&running, "device", "\"cpu\" or \"cuda:N\"", &config->device, err));
    config->has_steps = json_object_get(running.object, "steps") != NULL;
    if (config->has_steps)
        TRY(trn_fields_count(&running, "steps", 0, -1, &config->steps, err));
    config->has_every = json_object_get(running.object, "every") != NULL;
    if (config->has_every)
        TRY(trn_fields_count(&running, "every", 0, -1, &config->every, err));
    TRY(trn_fields_count(&running, "thin", 0, 0, &config->thin, err));
    TRY(trn_fields_count(&running, "volume_size", 0, 0, &config->volume_size, err));
    TRY(read_keep(&running, config, err));
    TRY(trn_fields_word(&running, "on_save_failure", policies, "stop", &policy, err));
    config->go_on = policy == 1;
    TRY(read_agent(&running, config, err));
    TRY(trn_fields_boolean(&running, "certify", false, &config->certify, err));
    TRY(trn_fields_word(&running, "on_certify_failure", policies, "stop", &policy, err));
    config->go_on_refuted = policy == 1;
    TRY(trn_fields_boolean(&running, "progress", true, &config->progress, err));
    TRY(trn_fields_boolean(&running, "tensorboard", false, &config->tensorboard, err));
    TRY(trn_fields_enter(&running, "data", true, trn_role_names, &data, err));
    for (size_t i = 0; i < TRN_ROLES; i++)
        TRY(read_path(&data, trn_role_names[i], folder, &config->paths[i], err));
    return SNAP_OK;
}
