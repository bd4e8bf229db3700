/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "config_layers.h"

#include <stdlib.h>
#include <string.h>

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
static const char *const any_keys[] = { "name",    "kind", "features", "kernel",   "stride",
                                        "padding", "bias", "eps",      "momentum", "probability",
                                        NULL };

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
    default:
        return plain_keys;
    }
}

static enum snap_status read_kind(const struct trn_fields *fields, enum trn_layer_kind *kind,
                                  struct snap_error *err)
{
    const char *words[TRN_LAYER_KINDS + 1];
    size_t word;
    for (size_t i = 0; i < TRN_LAYER_KINDS; i++)
        words[i] = trn_layer_kind_name((enum trn_layer_kind)i);
    words[TRN_LAYER_KINDS] = NULL;
    TRY(trn_fields_word(fields, "kind", words, NULL, &word, err));
    *kind = (enum trn_layer_kind)word;
    return SNAP_OK;
}

static enum snap_status read_name(const struct trn_fields *fields, const char **name,
                                  struct snap_error *err)
{
    static const char what[] = "a name of letters, digits and '_', at most 63, unique";
    TRY(trn_fields_string(fields, "name", what, name, err));
    size_t good = strspn(*name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if ((*name)[good] != '\0' || good >= TRN_LAYER_NAME_SIZE)
        return trn_fields_expected(fields, "name", err, "%s", what);
    return SNAP_OK;
}

static enum snap_status read_features(const struct trn_fields *fields, struct trn_layer_spec *layer,
                                      struct snap_error *err)
{
    int64_t features;
    TRY(trn_fields_integer(fields, "features", 1, MAX_FEATURES, NULL, &features, err));
    layer->features = (size_t)features;
    return trn_fields_boolean(fields, "bias", true, &layer->bias, err);
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

static enum snap_status read_layer(const struct trn_fields *fields, struct trn_layer_spec *layer,
                                   struct snap_error *err)
{
    static const struct trn_decimal_range eps = { 0, 1, true, true, "above 0 and below 1",
                                                  "1e-5" };
    static const struct trn_decimal_range momentum = { 0, 1, false, false, "from 0 to 1", "0.1" };
    static const struct trn_decimal_range share = { 0, 1, false, true, "at least 0 and below 1",
                                                    "0.5" };
    TRY(trn_fields_known(fields, any_keys, err));
    TRY(read_kind(fields, &layer->kind, err));
    TRY(trn_fields_known(fields, keys_of(layer->kind), err));
    TRY(read_name(fields, &layer->name, err));
    switch (layer->kind) {
    case TRN_LAYER_LINEAR:
        return read_features(fields, layer, err);
    case TRN_LAYER_CONV2D:
        TRY(read_features(fields, layer, err));
        return read_window(fields, false, &layer->window, err);
    case TRN_LAYER_MAXPOOL:
    case TRN_LAYER_AVGPOOL:
        return read_window(fields, true, &layer->window, err);
    case TRN_LAYER_BATCHNORM:
        TRY(trn_fields_decimal(fields, "eps", &eps, "1e-5", &layer->eps, err));
        return trn_fields_decimal(fields, "momentum", &momentum, "0.1", &layer->momentum, err);
    case TRN_LAYER_DROPOUT:
        return trn_fields_decimal(fields, "probability", &share, NULL, &layer->probability, err);
    default:
        return SNAP_OK;
    }
}

enum snap_status trn_config_read_layers(const struct trn_fields *training,
                                        struct trn_layer_spec **layers, size_t *layer_count,
                                        struct snap_error *err)
{
    json_t *list;
    TRY(trn_fields_array(training, "model", "a list of at least one layer", &list, err));
    size_t count = json_array_size(list);
    if (count > TRN_MODEL_MAX_LAYERS)
        return trn_fields_expected(training, "model", err, "at most %u layers",
                                   TRN_MODEL_MAX_LAYERS);
    *layers = calloc(count, sizeof(**layers));
    if (*layers == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "config: no memory for %zu layers", count);
    *layer_count = count;
    for (size_t i = 0; i < count; i++) {
        struct trn_fields fields;
        trn_fields_init(&fields, json_array_get(list, i), "%s.model[%zu]", training->path, i);
        if (!json_is_object(fields.object))
            return snap_error_set(err, SNAP_INVALID, "config: %s: expected an object", fields.path);
        TRY(read_layer(&fields, &(*layers)[i], err));
        for (size_t j = 0; j < i; j++)
            if (strcmp((*layers)[i].name, (*layers)[j].name) == 0)
                return trn_fields_expected(&fields, "name", err,
                                           "a unique name: model[%zu] is \"%s\" already", j,
                                           (*layers)[j].name);
    }
    return SNAP_OK;
}
