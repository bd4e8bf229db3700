/* SPDX-License-Identifier: Apache-2.0 */
/* A model's making: memory for the planned layers, tensors in order, initial weights. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "layers/model_internal.h"

/* More samples than this in one batch would let sizes computed from them overflow. */
#define MAX_BATCH ((size_t)1 << 24)

static enum snap_status allocate(struct trn_model *model, size_t count, size_t element_bytes,
                                 void **memory, struct snap_error *err)
{
    if (count > SIZE_MAX / 16 / element_bytes) {
        return snap_error_set(err, SNAP_NO_MEMORY, "model: %zu elements are more than memory holds",
                              count);
    }
    return model->backend->ops->alloc(model->backend, count * element_bytes, memory, err);
}

static enum snap_status allocate_floats(struct trn_model *model, size_t count, float **memory,
                                        struct snap_error *err)
{
    void *found = NULL;
    const enum snap_status status = allocate(model, count, sizeof(float), &found, err);
    if (status == SNAP_OK) {
        *memory = found;
    }
    return status;
}

static enum snap_status allocate_tensor(struct trn_model *model, struct trn_layer *layer,
                                        unsigned index, struct snap_error *err)
{
    struct trn_tensor *tensor = &layer->tensors[index];
    enum snap_status status;
    if (tensor->dtype == TRN_I64) {
        tensor->data = calloc(tensor->count, sizeof(int64_t));
        return tensor->data ? SNAP_OK
                            : snap_error_set(err, SNAP_NO_MEMORY, "model: out of memory for %s",
                                             tensor->name);
    }
    status = allocate(model, tensor->count, sizeof(float), &tensor->data, err);
    if (status == SNAP_OK && tensor->role == TRN_PARAMETER) {
        status = allocate_floats(model, tensor->count, &tensor->gradient, err);
        if (status == SNAP_OK && model->shards > 1) {
            status = allocate_floats(model, tensor->count, &layer->shard_gradient[index], err);
        }
    }
    return status;
}

static enum snap_status allocate_layer(struct trn_model *model, struct trn_layer *layer,
                                       struct snap_error *err)
{
    const size_t cache_bytes = layer->cache_bytes + model->capacity * layer->cache_bytes_per_sample;
    enum snap_status status = SNAP_OK;
    for (unsigned t = 0; t < layer->tensor_count && status == SNAP_OK; t++) {
        status = allocate_tensor(model, layer, t, err);
    }
    if (status == SNAP_OK && cache_bytes != 0) {
        status = allocate(model, cache_bytes, 1, &layer->cache, err);
    }
    if (status == SNAP_OK && layer->type->forward) {
        status = allocate_floats(model, model->capacity * trn_shape_count(layer->out),
                                 &layer->output, err);
    }
    if (status == SNAP_OK && layer->has_residual) {
        status = allocate_floats(model, model->capacity * trn_shape_count(layer->out),
                                 &layer->skip_gradient, err);
    }
    return status;
}

static enum snap_status allocate_model(struct trn_model *model, struct snap_error *err)
{
    const size_t labels_count = model->capacity * model->places;
    size_t largest = 1, done = 0;
    enum snap_status status;
    void *labels = NULL, *best = NULL;
    for (size_t i = 0; i < model->layer_count; i++) {
        const size_t count = trn_shape_count(model->layers[i].in);
        largest = count > largest ? count : largest;
        status = allocate_layer(model, &model->layers[i], err);
        if (status != SNAP_OK) {
            return status;
        }
    }
    model->tensors = calloc(model->tensor_count + 1, sizeof(*model->tensors));
    model->layer_inputs = calloc(model->layer_count + 1, sizeof(*model->layer_inputs));
    if (!model->tensors || !model->layer_inputs) {
        return snap_error_set(err, SNAP_NO_MEMORY, "model: out of memory");
    }
    for (size_t i = 0; i < model->layer_count; i++) {
        const struct trn_layer *layer = &model->layers[i];
        memcpy(model->tensors + done, layer->tensors,
               layer->tensor_count * sizeof(*model->tensors));
        done += layer->tensor_count;
    }
    status = allocate_floats(model, model->capacity * trn_shape_count(model->input),
                             &model->inputs, err);
    for (int i = 0; i < 2 && status == SNAP_OK; i++) {
        status = allocate_floats(model, model->capacity * largest, &model->gradients[i], err);
    }
    if (status == SNAP_OK) {
        status = allocate_floats(model, labels_count * model->classes, &model->logits_gradient,
                                 err);
    }
    if (status == SNAP_OK) {
        status = allocate_floats(model, labels_count, &model->losses, err);
    }
    if (status == SNAP_OK) {
        status = allocate_floats(model, 1, &model->scalar, err);
    }
    if (status == SNAP_OK) {
        status = allocate(model, labels_count, sizeof(int32_t), &labels, err);
        model->labels = labels;
    }
    if (status == SNAP_OK) {
        status = allocate(model, labels_count, sizeof(int32_t), &best, err);
        model->best = best;
    }
    return status;
}

static enum snap_status prepare_layers(const struct trn_model *model, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < model->layer_count && status == SNAP_OK; i++) {
        const struct trn_layer *layer = &model->layers[i];
        if (layer->type->prepare) {
            status = layer->type->prepare(layer, model->backend, model->capacity,
                                          i > model->first_trained, err);
        }
    }
    return status;
}

enum snap_status trn_model_new(const struct trn_model_options *options, struct trn_backend *backend,
                               struct trn_model **model, struct snap_error *err)
{
    struct trn_model *made;
    enum snap_status status;
    if (options->size_bytes != sizeof(*options) || options->layer_count == 0 ||
        options->layer_count > TRN_MODEL_MAX_LAYERS) {
        return snap_error_set(err, SNAP_INVALID, "model: %zu layers: expected 1 to %u",
                              options->layer_count, TRN_MODEL_MAX_LAYERS);
    }
    if (options->max_batch < 1 || options->max_batch > MAX_BATCH || options->shards < 1 ||
        options->shards > TRN_MODEL_MAX_SHARDS) {
        return snap_error_set(err, SNAP_INVALID,
                              "model: batches of %zu in %u shards: expected 1 to %zu in 1 to %u",
                              options->max_batch, options->shards, MAX_BATCH,
                              TRN_MODEL_MAX_SHARDS);
    }
    made = calloc(1, sizeof(*made));
    if (!made) {
        return snap_error_set(err, SNAP_NO_MEMORY, "model: out of memory");
    }
    made->backend = backend;
    made->layers = calloc(options->layer_count, sizeof(*made->layers));
    made->layer_count = options->layer_count;
    made->input = (struct trn_shape){ options->height, options->width, options->channels,
                                      options->vocabulary };
    made->places = options->places;
    made->classes = options->classes;
    made->max_batch = options->max_batch;
    made->shards = options->shards;
    made->next_shard = options->shards;
    made->capacity = (options->max_batch + options->shards - 1) / options->shards;
    if (!made->layers) {
        made->layer_count = 0;
        status = snap_error_set(err, SNAP_NO_MEMORY, "model: out of memory");
        goto out;
    }
    status = trn_model_plan(made, options, err);
    if (status == SNAP_OK) {
        status = prepare_layers(made, err);
    }
    if (status == SNAP_OK) {
        status = allocate_model(made, err);
    }
out:
    if (status != SNAP_OK) {
        trn_model_free(made);
        return status;
    }
    *model = made;
    return SNAP_OK;
}

void trn_model_free(struct trn_model *model)
{
    if (!model) {
        return;
    }
    void (*release)(struct trn_backend *, void *) = model->backend->ops->release;
    for (size_t i = 0; i < model->layer_count; i++) {
        struct trn_layer *layer = &model->layers[i];
        for (unsigned t = 0; t < layer->tensor_count; t++) {
            if (layer->tensors[t].dtype == TRN_I64) {
                free(layer->tensors[t].data);
            } else {
                release(model->backend, layer->tensors[t].data);
            }
            release(model->backend, layer->tensors[t].gradient);
            release(model->backend, layer->shard_gradient[t]);
        }
        release(model->backend, layer->cache);
        release(model->backend, layer->output);
        release(model->backend, layer->skip_gradient);
    }
    release(model->backend, model->inputs);
    release(model->backend, model->labels);
    release(model->backend, model->best);
    release(model->backend, model->losses);
    release(model->backend, model->logits_gradient);
    release(model->backend, model->gradients[0]);
    release(model->backend, model->gradients[1]);
    release(model->backend, model->scalar);
    free(model->layer_inputs);
    free(model->tensors);
    free(model->layers);
    free(model);
}

size_t trn_model_tensor_count(const struct trn_model *model)
{
    return model->tensor_count;
}

const struct trn_tensor *trn_model_tensors(const struct trn_model *model)
{
    return model->tensors;
}

enum snap_status trn_model_init(struct trn_model *model, struct snap_stream *host,
                                struct snap_error *err)
{
    for (size_t i = 0; i < model->layer_count; i++) {
        struct trn_layer *layer = &model->layers[i];
        if (layer->type->init) {
            const enum snap_status status = layer->type->init(layer, model->backend, host, err);
            if (status != SNAP_OK) {
                return status;
            }
        }
    }
    return SNAP_OK;
}

size_t trn_model_scalars(const struct trn_model *model, struct trn_scalar *scalars,
                         size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < model->layer_count; i++) {
        struct trn_scalar found[TRN_LAYER_MAX_SCALARS];
        const struct trn_layer *layer = &model->layers[i];
        const size_t here = layer->type->scalars ? layer->type->scalars(layer, found) : 0;
        for (size_t s = 0; s < here; s++, count++) {
            if (count < capacity) {
                scalars[count] = found[s];
            }
        }
    }
    return count;
}
