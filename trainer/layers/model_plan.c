/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a list of layers against each other: shapes, names, sizes. */
#include "config.h"

#include <string.h>

#include "layers/model_internal.h"

/* Words of letters, digits and '_' with one dot between two. */
static bool legal_name(const char *name)
{
    static const char legal[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t word = 0;
    for (; name; name += word + 1) {
        word = strspn(name, legal);
        if (word == 0 || name[word] == '\0') {
            return word != 0;
        }
        if (name[word] != '.') {
            return false;
        }
    }
    return false;
}

/* The name in its place, or SNAP_INVALID: it begins the names of archive members. */
static enum snap_status plan_name(struct trn_model *model, size_t index, const char *name,
                                  struct snap_error *err)
{
    struct trn_layer *layer = &model->layers[index];
    const size_t length = name ? strlen(name) : 0;
    if (length >= TRN_LAYER_NAME_SIZE || !legal_name(name)) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %zu: name \"%.80s\": expected 1 to %d letters, digits or _, "
                              "and dots between them", index, name ? name : "",
                              TRN_LAYER_NAME_SIZE - 1);
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

/* The layer that a residual comes from; its shape becomes the residual's, to be checked there. */
static enum snap_status plan_source(struct trn_model *model, size_t index, struct snap_error *err)
{
    struct trn_layer *layer = &model->layers[index];
    const char *from = layer->spec.from;
    for (size_t i = 0; from && i < index; i++) {
        if (strcmp(model->layers[i].name, from) == 0) {
            layer->source = i;
            layer->spec.from = model->layers[i].name;
            layer->out = model->layers[i].out;
            model->layers[i].has_residual = true;
            return SNAP_OK;
        }
    }
    return snap_error_set(err, SNAP_INVALID,
                          "layer %s: from \"%.80s\": expected the name of a layer before it",
                          layer->name, from ? from : "");
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
    if (in.vocabulary != 0 && spec->kind != TRN_LAYER_EMBEDDING) {
        return snap_error_set(err, SNAP_INVALID,
                              "layer %s: %s takes numbers, its input is tokens: expected an "
                              "embedding as the first layer", layer->name, layer->type->name);
    }
    if (spec->kind == TRN_LAYER_RESIDUAL) {
        status = plan_source(model, index, err);
        if (status != SNAP_OK) {
            return status;
        }
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
    if (shape.height != model->places || shape.width != 1 ||
        shape.channels != options->classes) {
        return snap_error_set(err, SNAP_INVALID,
                              "model: the last layer puts out %zu x %zu x %zu: expected %s of %zu, "
                              "one element for each class", shape.height, shape.width,
                              shape.channels,
                              model->places == 1 ? "a vector" : "for each place a vector",
                              options->classes);
    }
    return SNAP_OK;
}
