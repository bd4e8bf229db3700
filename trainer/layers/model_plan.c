/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a list of layers against each other: shapes, names, sizes. */
#include "config.h"

#include <string.h>

#include "layers/model_internal.h"

/* The name in its place, or SNAP_INVALID: it begins the names of archive members. */
static enum snap_status plan_name(struct trn_model *model, size_t index, const char *name,
                                  struct snap_error *err)
{
    static const char legal[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    struct trn_layer *layer = &model->layers[index];
    const size_t length = name ? strlen(name) : 0;
    if (length == 0 || length >= TRN_LAYER_NAME_SIZE || strspn(name, legal) != length) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %zu: name \"%.80s\": expected 1 to %d letters, digits or _",
                              index, name ? name : "", TRN_LAYER_NAME_SIZE - 1);
    }
    for (size_t i = 0; i < index; i++) {
        if (strcasecmp(model->layers[i].name, name) == 0) {
            return snap_error_set(err, SNAP_INVALID,
                                  "layer %zu: name \"%s\": layer %zu has it already (case does not "
                                  "count)", index, name, i);
        }
    }
    memcpy(layer->name, name, length + 1);
    layer->spec.name = layer->name;
    return SNAP_OK;
}

static bool too_large(struct trn_shape shape)
{
    return shape.height == 0 || shape.width == 0 || shape.channels == 0 ||
           shape.height > TRN_MODEL_MAX_ELEMENTS ||
           shape.width > TRN_MODEL_MAX_ELEMENTS / shape.height ||
           shape.channels > TRN_MODEL_MAX_ELEMENTS / (shape.height * shape.width);
}

static enum snap_status plan_layer(struct trn_model *model, size_t index, struct trn_shape in,
                                   const struct trn_layer_spec *spec, struct snap_error *err)
{
    struct trn_layer *layer = &model->layers[index];
    enum snap_status status;
    layer->type = trn_layer_type_of(spec->kind);
    layer->spec = *spec;
    layer->index = (uint32_t)index;
    layer->in = in;
    status = plan_name(model, index, spec->name, err);
    if (status != SNAP_OK) {
        return status;
    }
    if (!layer->type) {
        return snap_error_set(err, SNAP_INVALID, "layer %s: there is no kind %d", layer->name,
                              (int)spec->kind);
    }
    status = layer->type->plan(layer, err);
    if (status != SNAP_OK) {
        return status;
    }
    if (too_large(layer->out)) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: its output would have more than %zu elements a sample, or "
                              "none", layer->name, TRN_MODEL_MAX_ELEMENTS);
    }
    return SNAP_OK;
}

enum snap_status trn_model_plan(struct trn_model *model, const struct trn_model_options *options,
                                struct snap_error *err)
{
    struct trn_shape shape = model->input;
    if (too_large(shape) || options->classes < 1 || options->classes > INT32_MAX) {
        return snap_error_set(err, SNAP_INVALID,
                              "model: input of %zu x %zu x %zu with %zu classes: expected at least "
                              "1 of each, and at most %zu elements", shape.height, shape.width,
                              shape.channels, options->classes, TRN_MODEL_MAX_ELEMENTS);
    }
    model->first_trained = model->layer_count;
    for (size_t i = 0; i < model->layer_count; i++) {
        const enum snap_status status = plan_layer(model, i, shape, &options->layers[i], err);
        if (status != SNAP_OK) {
            return status;
        }
        shape = model->layers[i].out;
        model->tensor_count += model->layers[i].tensor_count;
        if (model->layers[i].tensor_count != 0 && model->first_trained == model->layer_count) {
            model->first_trained = i;
        }
    }
    if (shape.height != 1 || shape.width != 1 || shape.channels != options->classes) {
        return snap_error_set(err, SNAP_INVALID,
                              "model: the last layer puts out %zu x %zu x %zu: expected a vector "
                              "of %zu, one element for each class", shape.height, shape.width,
                              shape.channels, options->classes);
    }
    model->last = shape;
    return SNAP_OK;
}
