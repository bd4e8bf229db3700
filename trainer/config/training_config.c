/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "config/training_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_parts.h"

const char *const trn_role_names[TRN_ROLES + 1] = { "train_images", "train_labels", "test_images",
                                                    "test_labels", "text", NULL };

enum snap_status trn_config_decode(json_t *root, const char *folder, struct trn_config *config,
                                   struct snap_error *err)
{
    static const char *const known[] = { "training", "running", NULL };
    struct trn_config read = { .root = root };
    struct trn_fields fields = { .object = root, .path = "" };
    enum snap_status status;
    if (!json_is_object(root))
        status = snap_error_set(err, SNAP_INVALID, "config: expected an object with \"training\" "
                                                   "and \"running\"");
    else
        status = trn_fields_known(&fields, known, err);
    if (status == SNAP_OK)
        status = trn_config_read_training(&fields, &read, err);
    if (status == SNAP_OK)
        status = trn_config_read_running(&fields, folder, &read, err);
    if (status != SNAP_OK) {
        trn_config_release(&read);
        return status;
    }
    *config = read;
    return SNAP_OK;
}

void trn_config_release(struct trn_config *config)
{
    free(config->layers);
    free((void *)(uintptr_t)config->keep.steps); /* given as const to the library */
    json_decref(config->root);
    memset(config, 0, sizeof(*config));
}

static enum snap_status load_json(const char *path, json_t **root, struct snap_error *err)
{
    json_error_t problem;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "config %s: cannot be opened", path);
    *root = json_loadf(file, JSON_REJECT_DUPLICATES, &problem);
    int failed = ferror(file);
    fclose(file); /* only read from: nothing to lose */
    if (*root != NULL)
        return SNAP_OK;
    if (failed)
        return snap_error_set(err, SNAP_IO, "config %s: cannot be read", path);
    return snap_error_set(err, SNAP_INVALID, "config %s: line %d, column %d: not JSON: %s", path,
                          problem.line, problem.column, problem.text);
}

/* The absolute path of the folder that holds `path`; free() it. */
static char *folder_of(const char *path)
{
    char *absolute = realpath(path, NULL);
    char *slash = absolute != NULL ? strrchr(absolute, '/') : NULL;
    if (slash != NULL)
        slash[slash == absolute ? 1 : 0] = '\0';
    return absolute;
}

static enum snap_status override_seed(json_t *root, uint64_t seed, struct snap_error *err)
{
    json_t *training = json_object_get(root, "training");
    if (!json_is_object(training))
        return SNAP_OK; /* refused when it is decoded */
    if (seed > UINT32_MAX)
        return snap_error_set(err, SNAP_INVALID,
                              "seed: %llu: expected at most %u, as numpy.random.seed takes",
                              (unsigned long long)seed, (unsigned)UINT32_MAX);
    json_object_del(training, "seeds");
    if (json_object_set_new(training, "seed", json_integer((json_int_t)seed)) != 0)
        return snap_error_set(err, SNAP_NO_MEMORY, "seed: no memory");
    return SNAP_OK;
}

enum snap_status trn_config_load(const char *path, const uint64_t *seed, struct trn_config *config,
                                 struct snap_error *err)
{
    json_t *root = NULL;
    char *folder = NULL;
    enum snap_status status = load_json(path, &root, err);
    if (status == SNAP_OK && seed != NULL)
        status = override_seed(root, *seed, err);
    if (status == SNAP_OK && (folder = folder_of(path)) == NULL)
        status = snap_error_set_os(err, SNAP_IO, errno, "config %s: where is it", path);
    if (status == SNAP_OK)
        status = trn_config_decode(root, folder, config, err);
    else
        json_decref(root);
    free(folder);
    return status;
}

enum snap_status trn_config_of_archive(const char *training, const char *running_from,
                                       struct trn_config *config, struct snap_error *err)
{
    json_t *beside = NULL;
    json_t *running;
    json_error_t problem;
    if (running_from != NULL) {
        enum snap_status status = load_json(running_from, &beside, err);
        if (status != SNAP_OK && !(status == SNAP_IO && err != NULL && err->os_error == ENOENT))
            return status;
    }
    running = json_object_get(beside, "running");
    running = json_is_object(running) ? json_incref(running) : json_object();
    json_decref(beside);
    json_t *part = json_loads(training, JSON_REJECT_DUPLICATES, &problem);
    if (part == NULL) {
        json_decref(running);
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "archive: its training config is none of this trainer: %s",
                              problem.text);
    }
    json_t *root = json_pack("{s:o,s:o}", "training", part, "running", running);
    if (root == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "archive: no memory for its config");
    return trn_config_decode(root, "", config, err);
}

char *trn_config_training_text(const struct trn_config *config)
{
    return json_dumps(json_object_get(config->root, "training"), JSON_COMPACT | JSON_SORT_KEYS);
}

char *trn_config_text(const struct trn_config *config)
{
    return json_dumps(config->root, JSON_COMPACT | JSON_SORT_KEYS);
}
