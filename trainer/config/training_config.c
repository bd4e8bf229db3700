/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "config/training_config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/pool.h>

#include "config/config_fields.h"
#include "config/config_layers.h"

/* Sizes that a config may ask for. Larger ones are mistakes, and no product of them overflows. */
enum {
    MAX_EXTENT = 65535, /* of an image, per dimension */
    MAX_CLASSES = 256,  /* labels are bytes */
    MAX_BATCH = 1 << 20,
    MAX_SHIFT = 255
};

const char *const trn_role_names[TRN_ROLES + 1] = { "train_images", "train_labels", "test_images",
                                                    "test_labels", "text", NULL };

#define TRY(call)                      \
    do {                               \
        enum snap_status try_ = (call); \
        if (try_ != SNAP_OK)           \
            return try_;               \
    } while (0)

static enum snap_status read_size(const struct trn_fields *fields, const char *key, int64_t least,
                                  int64_t most, int64_t fallback, size_t *value,
                                  struct snap_error *err)
{
    int64_t read;
    TRY(trn_fields_integer(fields, key, least, most, fallback >= 0 ? &fallback : NULL, &read, err));
    *value = (size_t)read;
    return SNAP_OK;
}

static enum snap_status read_count(const struct trn_fields *fields, const char *key, int64_t least,
                                   int64_t fallback, uint64_t *value, struct snap_error *err)
{
    int64_t read;
    TRY(trn_fields_integer(fields, key, least, TRN_CONFIG_MAX_INTEGER,
                           fallback >= 0 ? &fallback : NULL, &read, err));
    *value = (uint64_t)read;
    return SNAP_OK;
}

/* `seed` stands for all that `seeds` does not name; what is kept is `seeds`, in full. */
static enum snap_status read_seeds(const struct trn_fields *training, struct trn_config *config,
                                   struct snap_error *err)
{
    static const char *const known[] = { "python", "numpy", "host", "device", NULL };
    uint64_t *const seeds[] = { &config->seed_python, &config->seed_numpy, &config->seed_host,
                                &config->seed_device };
    struct trn_fields fields;
    bool shared = json_object_get(training->object, "seed") != NULL;
    int64_t seed = 0;
    if (!shared && json_object_get(training->object, "seeds") == NULL)
        return trn_fields_expected(training, "seed", err, "an integer: it is missing");
    TRY(trn_fields_enter(training, "seeds", true, known, &fields, err));
    if (shared) {
        bool numpy = json_object_get(fields.object, "numpy") != NULL;
        TRY(trn_fields_integer(training, "seed", 0,
                               numpy ? (int64_t)TRN_CONFIG_MAX_INTEGER : UINT32_MAX, NULL, &seed,
                               err));
    }
    for (size_t i = 0; known[i] != NULL; i++) {
        int64_t most = TRN_CONFIG_MAX_INTEGER;
        if (strcmp(known[i], "numpy") == 0)
            most = UINT32_MAX; /* as numpy.random.seed */
        int64_t value;
        TRY(trn_fields_integer(&fields, known[i], 0, most, shared ? &seed : NULL, &value, err));
        *seeds[i] = (uint64_t)value;
    }
    json_object_del(training->object, "seed");
    return SNAP_OK;
}

static enum snap_status read_text(const struct trn_fields *data, struct trn_config *config,
                                  struct snap_error *err)
{
    static const struct trn_decimal_range held_out = { 0, 1, false, true, "at least 0 and below 1",
                                                       "0.1" };
    struct trn_text *text = &config->text;
    TRY(read_size(data, "context", 1, MAX_EXTENT, -1, &text->context, err));
    TRY(read_size(data, "stride", 1, MAX_EXTENT, (int64_t)text->context, &text->stride, err));
    config->shape = (struct trn_image_shape){ text->context, 1, 1, TRN_TEXT_TOKENS };
    return trn_fields_decimal(data, "held_out", &held_out, "0.1", &text->held_out, err);
}

static enum snap_status read_images(const struct trn_fields *data, struct trn_config *config,
                                    struct snap_error *err)
{
    static const struct trn_decimal_range mean = { -1e6, 1e6, false, false, "from -1e6 to 1e6",
                                                   "0.1307" };
    static const struct trn_decimal_range std = { 0, 1e6, true, false, "above 0 and at most 1e6",
                                                  "0.3081" };
    json_t *shape;
    TRY(trn_fields_array(data, "shape", "[height, width, channels]", &shape, err));
    size_t *const extents[] = { &config->shape.height, &config->shape.width,
                                &config->shape.channels };
    for (size_t i = 0; i < 3; i++) {
        const json_t *extent = json_array_get(shape, i);
        if (json_array_size(shape) != 3 || !json_is_integer(extent) ||
            json_integer_value(extent) < 1 || json_integer_value(extent) > MAX_EXTENT)
            return trn_fields_expected(data, "shape", err,
                                       "[height, width, channels], each an integer from 1 to %d",
                                       MAX_EXTENT);
        *extents[i] = (size_t)json_integer_value(extent);
    }
    TRY(read_size(data, "classes", 2, MAX_CLASSES, -1, &config->shape.classes, err));
    TRY(trn_fields_decimal(data, "mean", &mean, "0", &config->mean, err));
    return trn_fields_decimal(data, "std", &std, "1", &config->std, err);
}

static enum snap_status read_data(const struct trn_fields *training, struct trn_config *config,
                                  struct snap_error *err)
{
    static const char *const any[] = { "format", "shape",   "classes", "mean",
                                       "std",    "context", "stride",  "held_out", NULL };
    static const char *const images[] = { "format", "shape", "classes", "mean", "std", NULL };
    static const char *const text[] = { "format", "context", "stride", "held_out", NULL };
    static const char *const formats[] = { "idx", "text", NULL };
    struct trn_fields data;
    size_t format;
    TRY(trn_fields_enter(training, "data", false, any, &data, err));
    TRY(trn_fields_word(&data, "format", formats, "idx", &format, err));
    config->is_text = format == 1;
    TRY(trn_fields_known(&data, config->is_text ? text : images, err));
    return config->is_text ? read_text(&data, config, err) : read_images(&data, config, err);
}

static enum snap_status read_augment(const struct trn_fields *training, struct trn_config *config,
                                     struct snap_error *err)
{
    static const char *const known[] = { "shift", "flip", "noise", NULL };
    static const struct trn_decimal_range noise = { 0, 1e6, false, false, "from 0 to 1e6", "0.1" };
    struct trn_fields augment;
    size_t shift;
    if (config->is_text) {
        if (json_object_get(training->object, "augment") == NULL)
            return SNAP_OK;
        return trn_fields_expected(training, "augment", err,
                                   "no such key: text is not augmented");
    }
    TRY(trn_fields_enter(training, "augment", true, known, &augment, err));
    TRY(read_size(&augment, "shift", 0, MAX_SHIFT, 0, &shift, err));
    config->augment.shift = (unsigned)shift;
    TRY(trn_fields_boolean(&augment, "flip", false, &config->augment.flip, err));
    return trn_fields_decimal(&augment, "noise", &noise, "0", &config->augment.noise, err);
}

static enum snap_status read_optimizer(const struct trn_fields *training,
                                       struct trn_config *config, struct snap_error *err)
{
    static const char *const any[] = { "kind",  "learning_rate", "momentum", "beta1",
                                       "beta2", "eps",           "weight_decay", NULL };
    static const char *const sgd[] = { "kind", "learning_rate", "momentum", "weight_decay", NULL };
    static const char *const adam[] = { "kind", "learning_rate", "beta1", "beta2",
                                        "eps",  "weight_decay",  NULL };
    static const char *const kinds[] = { "sgd", "adam", "adamw", NULL };
    static const struct trn_decimal_range rate = { 0, 1e6, false, false, "from 0 to 1e6",
                                                   "0.01" };
    static const struct trn_decimal_range share = { 0, 1, false, true, "at least 0 and below 1",
                                                    "0.9" };
    static const struct trn_decimal_range decay = { 0, 1e6, false, false, "from 0 to 1e6",
                                                    "0.0001" };
    static const struct trn_decimal_range eps = { 1e-44, 1, false, false, "from 1e-44 to 1",
                                                  "1e-8" };
    struct trn_optimizer_spec *spec = &config->optimizer;
    struct trn_fields fields;
    size_t kind;
    *spec = (struct trn_optimizer_spec)TRN_OPTIMIZER_SPEC_INIT;
    TRY(trn_fields_enter(training, "optimizer", false, any, &fields, err));
    TRY(trn_fields_word(&fields, "kind", kinds, NULL, &kind, err));
    spec->kind = (enum trn_optimizer_kind)kind;
    TRY(trn_fields_known(&fields, spec->kind == TRN_SGD ? sgd : adam, err));
    TRY(trn_fields_decimal(&fields, "learning_rate", &rate, NULL, &config->schedule.base, err));
    if (spec->kind == TRN_SGD) {
        TRY(trn_fields_decimal(&fields, "momentum", &share, "0", &spec->momentum, err));
    } else {
        TRY(trn_fields_decimal(&fields, "beta1", &share, "0.9", &spec->beta1, err));
        TRY(trn_fields_decimal(&fields, "beta2", &share, "0.999", &spec->beta2, err));
        TRY(trn_fields_decimal(&fields, "eps", &eps, "1e-8", &spec->eps, err));
    }
    return trn_fields_decimal(&fields, "weight_decay", &decay,
                              spec->kind == TRN_ADAMW ? "0.01" : "0", &spec->weight_decay, err);
}

static enum snap_status read_schedule(const struct trn_fields *training, struct trn_config *config,
                                      struct snap_error *err)
{
    static const char *const any[] = { "kind",  "warmup_steps", "every",
                                       "gamma", "total_steps",  "minimum", NULL };
    static const char *const constant[] = { "kind", "warmup_steps", NULL };
    static const char *const step[] = { "kind", "warmup_steps", "every", "gamma", NULL };
    static const char *const cosine[] = { "kind", "warmup_steps", "total_steps", "minimum", NULL };
    static const char *const kinds[] = { "constant", "step", "cosine", NULL };
    static const char *const *const known[] = { constant, step, cosine };
    static const struct trn_decimal_range gamma = { 0, 1e6, false, false, "from 0 to 1e6", "0.1" };
    static const struct trn_decimal_range minimum = { 0, 1e6, false, false, "from 0 to 1e6",
                                                      "0.0001" };
    struct trn_schedule *schedule = &config->schedule;
    struct trn_fields fields;
    size_t kind;
    TRY(trn_fields_enter(training, "schedule", true, any, &fields, err));
    TRY(trn_fields_word(&fields, "kind", kinds, "constant", &kind, err));
    TRY(trn_fields_known(&fields, known[kind], err));
    schedule->kind = (enum trn_schedule_kind)kind;
    TRY(read_count(&fields, "warmup_steps", 0, 0, &schedule->warmup, err));
    if (schedule->kind == TRN_SCHEDULE_STEP) {
        TRY(read_count(&fields, "every", 1, -1, &schedule->every, err));
        TRY(trn_fields_decimal(&fields, "gamma", &gamma, NULL, &schedule->gamma, err));
    }
    if (schedule->kind == TRN_SCHEDULE_COSINE) {
        TRY(read_count(&fields, "total_steps", 1, -1, &schedule->total, err));
        TRY(trn_fields_decimal(&fields, "minimum", &minimum, "0", &schedule->minimum, err));
    }
    return trn_schedule_check(schedule, err);
}

/* `tf32` is a key of cudnn-1 alone. */
static enum snap_status read_profile(const struct trn_fields *training, struct trn_config *config,
                                     struct snap_error *err)
{
    static const char *const profiles[] = { "portable-1", "cudnn-1", NULL };
    size_t profile;
    TRY(trn_fields_word(training, "profile", profiles, "portable-1", &profile, err));
    config->profile = profiles[profile];
    if (profile == 1)
        return trn_fields_boolean(training, "tf32", false, &config->tf32, err);
    if (json_object_get(training->object, "tf32") == NULL)
        return SNAP_OK;
    return trn_fields_expected(training, "tf32", err, "no such key: only profile cudnn-1 has it");
}

static enum snap_status read_training(const struct trn_fields *root, struct trn_config *config,
                                      struct snap_error *err)
{
    static const char *const known[] = { "profile",   "tf32",       "seed",   "seeds",
                                         "data",      "augment",    "model",  "loss",
                                         "optimizer", "schedule",   "clip_norm", "epochs",
                                         "batch_size", "last_batch", "shards", "evaluate",
                                         "ledger",    NULL };
    static const char *const losses[] = { "cross_entropy", NULL };
    static const char *const last[] = { "keep", "drop", NULL };
    static const char *const ledger_known[] = { "state_every", "batch_bytes", NULL };
    static const struct trn_decimal_range clip = { 0, 1e30, false, false, "from 0 (no clipping)",
                                                   "1.0" };
    struct trn_fields training;
    struct trn_fields ledger;
    size_t word;
    size_t shards;
    TRY(trn_fields_enter(root, "training", false, known, &training, err));
    TRY(read_profile(&training, config, err));
    TRY(read_seeds(&training, config, err));
    TRY(read_data(&training, config, err));
    TRY(read_augment(&training, config, err));
    TRY(trn_config_read_layers(&training, &config->layers, &config->layer_count, err));
    TRY(trn_fields_word(&training, "loss", losses, "cross_entropy", &word, err));
    TRY(read_optimizer(&training, config, err));
    TRY(read_schedule(&training, config, err));
    TRY(trn_fields_decimal(&training, "clip_norm", &clip, "0", &config->optimizer.clip_norm, err));
    TRY(read_count(&training, "epochs", 1, -1, &config->epochs, err));
    TRY(read_size(&training, "batch_size", 1, MAX_BATCH, -1, &config->batch_size, err));
    TRY(trn_fields_word(&training, "last_batch", last, "keep", &word, err));
    config->drop_last = word == 1;
    TRY(read_size(&training, "shards", 1, TRN_MODEL_MAX_SHARDS, 1, &shards, err));
    config->shards = (unsigned)shards;
    TRY(read_count(&training, "evaluate", 0, 1, &config->evaluate, err));
    TRY(trn_fields_enter(&training, "ledger", true, ledger_known, &ledger, err));
    TRY(read_count(&ledger, "state_every", 0, 1, &config->state_every, err));
    return trn_fields_boolean(&ledger, "batch_bytes", false, &config->batch_bytes, err);
}

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
    TRY(read_count(&fields, "last", 1, 1, &config->keep.last, err));
    TRY(read_count(&fields, "every", 0, 0, &config->keep.every, err));
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

static enum snap_status read_running(const struct trn_fields *root, const char *folder,
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
    TRY(read_size(&running, "threads", 0, SNAP_POOL_MAX_THREADS, 0, &threads, err));
    config->threads = (unsigned)threads;
    if (json_object_get(running.object, "device") != NULL)
        TRY(trn_fields_string(&running, "device", "\"cpu\" or \"cuda:N\"", &config->device, err));
    config->has_steps = json_object_get(running.object, "steps") != NULL;
    if (config->has_steps)
        TRY(read_count(&running, "steps", 0, -1, &config->steps, err));
    config->has_every = json_object_get(running.object, "every") != NULL;
    if (config->has_every)
        TRY(read_count(&running, "every", 0, -1, &config->every, err));
    TRY(read_count(&running, "thin", 0, 0, &config->thin, err));
    TRY(read_count(&running, "volume_size", 0, 0, &config->volume_size, err));
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
        status = read_training(&fields, &read, err);
    if (status == SNAP_OK)
        status = read_running(&fields, folder, &read, err);
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
