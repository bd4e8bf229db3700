/* SPDX-License-Identifier: Apache-2.0 */
/* The part `training` of a config: what decides bits. */
#include "config.h"

#include "config/config_parts.h"

#include <string.h>

#include "config/config_layers.h"

/* Sizes that a config may ask for. Larger ones are mistakes, and no product of them overflows. */
enum {
    MAX_EXTENT = 65535, /* of an image, per dimension */
    MAX_CLASSES = 256,  /* labels are bytes */
    MAX_BATCH = 1 << 20,
    MAX_SHIFT = 255
};

#define TRY(call)                      \
    do {                               \
        enum snap_status try_ = (call); \
        if (try_ != SNAP_OK)           \
            return try_;               \
    } while (0)

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
    TRY(trn_fields_size(data, "context", 1, MAX_EXTENT, -1, &text->context, err));
    TRY(trn_fields_size(data, "stride", 1, MAX_EXTENT, (int64_t)text->context, &text->stride, err));
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
    TRY(trn_fields_size(data, "classes", 2, MAX_CLASSES, -1, &config->shape.classes, err));
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
    TRY(trn_fields_size(&augment, "shift", 0, MAX_SHIFT, 0, &shift, err));
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
    TRY(trn_fields_count(&fields, "warmup_steps", 0, 0, &schedule->warmup, err));
    if (schedule->kind == TRN_SCHEDULE_STEP) {
        TRY(trn_fields_count(&fields, "every", 1, -1, &schedule->every, err));
        TRY(trn_fields_decimal(&fields, "gamma", &gamma, NULL, &schedule->gamma, err));
    }
    if (schedule->kind == TRN_SCHEDULE_COSINE) {
        TRY(trn_fields_count(&fields, "total_steps", 1, -1, &schedule->total, err));
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

enum snap_status trn_config_read_training(const struct trn_fields *root, struct trn_config *config,
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
    TRY(trn_fields_count(&training, "epochs", 1, -1, &config->epochs, err));
    TRY(trn_fields_size(&training, "batch_size", 1, MAX_BATCH, -1, &config->batch_size, err));
    TRY(trn_fields_word(&training, "last_batch", last, "keep", &word, err));
    config->drop_last = word == 1;
    TRY(trn_fields_size(&training, "shards", 1, TRN_MODEL_MAX_SHARDS, 1, &shards, err));
    config->shards = (unsigned)shards;
    TRY(trn_fields_count(&training, "evaluate", 0, 1, &config->evaluate, err));
    TRY(trn_fields_enter(&training, "ledger", true, ledger_known, &ledger, err));
    TRY(trn_fields_count(&ledger, "state_every", 0, 1, &config->state_every, err));
    return trn_fields_boolean(&ledger, "batch_bytes", false, &config->batch_bytes, err);
}
