/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "config/config_layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_gpt.h"

/* What a layer can have at most. Larger ones are mistakes; the model checks what they make
 * together. */
enum { MAX_FEATURES = 1 << 24, MAX_WINDOW = 4096 };

#define TRY(call)                      \
    do {                               \
        enum snap_status try_ = (call); \
        if (try_ != SNAP_OK)           \
            return try_;               \
    } while (0)

static const char *const linear_keys[] = { "name", "kind", "features", "bias", NULL };
static const char *const conv2d_keys[] = { "name",    "kind", "features", "kernel", "stride",
                                           "padding", "bias", NULL };
static const char *const batchnorm_keys[] = { "name", "kind", "eps", "momentum", NULL };
static const char *const pool_keys[] = { "name", "kind", "kernel", "stride", "padding", NULL };
static const char *const dropout_keys[] = { "name", "kind", "probability", NULL };
static const char *const plain_keys[] = { "name", "kind", NULL };
static const char *const embedding_keys[] = { "name", "kind", "features", NULL };
static const char *const layernorm_keys[] = { "name", "kind", "eps", NULL };
static const char *const attention_keys[] = { "name", "kind", "heads", NULL };
static const char *const residual_keys[] = { "name", "kind", "from", NULL };
static const char *const any_keys[] = { "name",        "kind",  "features", "kernel",   "stride",
                                        "padding",     "bias",  "eps",      "momentum",
                                        "probability", "heads", "from",     "layers",
                                        "width",       "dropout", NULL };

static const char *const *keys_of(enum trn_layer_kind kind)
{
    switch (kind) {
    case TRN_LAYER_LINEAR:
        return linear_keys;
    case TRN_LAYER_CONV2D:
        return conv2d_keys;
    case TRN_LAYER_BATCHNORM:
        return batchnorm_keys;
    case TRN_LAYER_MAXPOOL:
    case TRN_LAYER_AVGPOOL:
        return pool_keys;
    case TRN_LAYER_DROPOUT:
        return dropout_keys;
    case TRN_LAYER_EMBEDDING:
        return embedding_keys;
    case TRN_LAYER_LAYERNORM:
        return layernorm_keys;
    case TRN_LAYER_ATTENTION:
        return attention_keys;
    case TRN_LAYER_RESIDUAL:
        return residual_keys;
    default:
        return plain_keys;
    }
}

/* *is_gpt: the kind that stands for several layers, and *kind is not set. */
static enum snap_status read_kind(const struct trn_fields *fields, enum trn_layer_kind *kind,
                                  bool *is_gpt, struct snap_error *err)
{
    const char *words[TRN_LAYER_KINDS + 2];
    size_t word;
    for (size_t i = 0; i < TRN_LAYER_KINDS; i++)
        words[i] = trn_layer_kind_name((enum trn_layer_kind)i);
    words[TRN_LAYER_KINDS] = "gpt";
    words[TRN_LAYER_KINDS + 1] = NULL;
    TRY(trn_fields_word(fields, "kind", words, NULL, &word, err));
    *is_gpt = word == TRN_LAYER_KINDS;
    if (!*is_gpt)
        *kind = (enum trn_layer_kind)word;
    return SNAP_OK;
}

enum snap_status trn_config_read_layer_name(const struct trn_fields *fields, size_t longest,
                                            const char **name, struct snap_error *err)
{
    char what[120];
    snprintf(what, sizeof(what),
             "a name of letters, digits and '_', with dots between, at most %zu, unique", longest);
    TRY(trn_fields_string(fields, "name", what, name, err));
    const char *at = *name;
    for (;;) {
        size_t word = strspn(
            at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        at += word;
        if (word == 0 || (*at != '.' && *at != '\0') || (size_t)(at - *name) > longest)
            return trn_fields_expected(fields, "name", err, "%s", what);
        if (*at++ == '\0')
            return SNAP_OK;
    }
}

static enum snap_status read_count(const struct trn_fields *fields, const char *key, size_t *count,
                                   struct snap_error *err)
{
    int64_t read;
    TRY(trn_fields_integer(fields, key, 1, MAX_FEATURES, NULL, &read, err));
    *count = (size_t)read;
    return SNAP_OK;
}

/* The stride is 1 unless it is a pool's, which is as wide as its kernel. */
static enum snap_status read_window(const struct trn_fields *fields, bool pool,
                                    struct trn_window *window, struct snap_error *err)
{
    static const size_t one[2] = { 1, 1 };
    static const size_t none[2] = { 0, 0 };
    size_t kernel[2];
    size_t stride[2];
    size_t padding[2];
    TRY(trn_fields_pair(fields, "kernel", 1, MAX_WINDOW, NULL, kernel, err));
    TRY(trn_fields_pair(fields, "stride", 1, MAX_WINDOW, pool ? kernel : one, stride, err));
    TRY(trn_fields_pair(fields, "padding", 0, MAX_WINDOW, none, padding, err));
    *window = (struct trn_window){ kernel[0], kernel[1],  stride[0],
                                   stride[1], padding[0], padding[1] };
    return SNAP_OK;
}

static enum snap_status read_eps(const struct trn_fields *fields, struct trn_layer_spec *layer,
                                 struct snap_error *err)
{
    static const struct trn_decimal_range eps = { 0, 1, true, true, "above 0 and below 1",
                                                  "1e-5" };
    return trn_fields_decimal(fields, "eps", &eps, "1e-5", &layer->eps, err);
}

/* What a kind has beside its name. */
static enum snap_status read_own(const struct trn_fields *fields, struct trn_layer_spec *layer,
                                 struct snap_error *err)
{
    static const struct trn_decimal_range momentum = { 0, 1, false, false, "from 0 to 1", "0.1" };
    static const struct trn_decimal_range share = { 0, 1, false, true, "at least 0 and below 1",
                                                    "0.5" };
    switch (layer->kind) {
    case TRN_LAYER_LINEAR:
        TRY(read_count(fields, "features", &layer->features, err));
        return trn_fields_boolean(fields, "bias", true, &layer->bias, err);
    case TRN_LAYER_CONV2D:
        TRY(read_count(fields, "features", &layer->features, err));
        TRY(trn_fields_boolean(fields, "bias", true, &layer->bias, err));
        return read_window(fields, false, &layer->window, err);
    case TRN_LAYER_MAXPOOL:
    case TRN_LAYER_AVGPOOL:
        return read_window(fields, true, &layer->window, err);
    case TRN_LAYER_BATCHNORM:
        TRY(read_eps(fields, layer, err));
        return trn_fields_decimal(fields, "momentum", &momentum, "0.1", &layer->momentum, err);
    case TRN_LAYER_DROPOUT:
        return trn_fields_decimal(fields, "probability", &share, NULL, &layer->probability, err);
    case TRN_LAYER_EMBEDDING:
        return read_count(fields, "features", &layer->features, err);
    case TRN_LAYER_LAYERNORM:
        return read_eps(fields, layer, err);
    case TRN_LAYER_ATTENTION:
        return read_count(fields, "heads", &layer->heads, err);
    case TRN_LAYER_RESIDUAL:
        return trn_fields_string(fields, "from", "the name of a layer before this one",
                                 &layer->from, err);
    default:
        return SNAP_OK;
    }
}

static enum snap_status read_layer(const struct trn_fields *fields, struct trn_layer_list *list,
                                   struct snap_error *err)
{
    struct trn_layer_spec layer = { .features = 0 };
    bool is_gpt;
    TRY(trn_fields_known(fields, any_keys, err));
    TRY(read_kind(fields, &layer.kind, &is_gpt, err));
    if (is_gpt)
        return trn_config_read_gpt(fields, list, err);
    TRY(trn_fields_known(fields, keys_of(layer.kind), err));
    TRY(trn_config_read_layer_name(fields, TRN_LAYER_NAME_SIZE - 1, &layer.name, err));
    TRY(read_own(fields, &layer, err));
    return trn_layer_list_add(list, fields, &layer, err);
}

enum snap_status trn_layer_list_add(struct trn_layer_list *list, const struct trn_fields *fields,
                                    const struct trn_layer_spec *spec, struct snap_error *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(spec->name, list->layers[i].name) == 0)
            return trn_fields_expected(fields, "name", err,
                                       "a unique name: there is a layer \"%s\" already",
                                       spec->name);
    if (list->count == TRN_MODEL_MAX_LAYERS)
        return trn_fields_expected(fields, "kind", err, "at most %u layers in the model",
                                   TRN_MODEL_MAX_LAYERS);
    list->layers[list->count++] = *spec;
    return SNAP_OK;
}

enum snap_status trn_config_read_layers(const struct trn_fields *training,
                                        struct trn_layer_spec **layers, size_t *layer_count,
                                        struct snap_error *err)
{
    struct trn_layer_list list = { .count = 0 };
    json_t *array;
    TRY(trn_fields_array(training, "model", "a list of at least one layer", &array, err));
    size_t count = json_array_size(array);
    if (count > TRN_MODEL_MAX_LAYERS)
        return trn_fields_expected(training, "model", err, "at most %u layers",
                                   TRN_MODEL_MAX_LAYERS);
    /* The names lie behind the layers. */
    *layers = calloc(TRN_MODEL_MAX_LAYERS, sizeof(**layers) + TRN_LAYER_NAME_SIZE);
    if (*layers == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "config: no memory for its layers");
    list.layers = *layers;
    list.names = (char (*)[TRN_LAYER_NAME_SIZE])(void *)(*layers + TRN_MODEL_MAX_LAYERS);
    for (size_t i = 0; i < count; i++) {
        struct trn_fields fields;
        trn_fields_init(&fields, json_array_get(array, i), "%s.model[%zu]", training->path, i);
        if (!json_is_object(fields.object))
            return snap_error_set(err, SNAP_INVALID, "config: %s: expected an object", fields.path);
        TRY(read_layer(&fields, &list, err));
    }
    *layer_count = list.count;
    return SNAP_OK;
}
