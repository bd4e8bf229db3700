/* SPDX-License-Identifier: Apache-2.0 */
/* Forward and backward passes. */
#include "config.h"

#include <stdlib.h>

#include "layers/model_internal.h"
#include "ops/op_trace.h"

void trn_shard_range(size_t batch, unsigned shards, unsigned index, size_t *first, size_t *count)
{
    const size_t begin = (size_t)index * batch / shards;
    const size_t end = ((size_t)index + 1) * batch / shards;
    *first = begin;
    *count = end - begin;
}

size_t trn_model_capacity(const struct trn_model *model)
{
    return model->capacity;
}

size_t trn_model_places(const struct trn_model *model)
{
    return model->places;
}

float trn_model_loss(const struct trn_model *model)
{
    return model->loss;
}

/* Tokens and labels are indices in what follows. */
static enum snap_status check_indices(const struct trn_model *model, const float *inputs,
                                      const int32_t *labels, size_t samples,
                                      struct snap_error *err)
{
    const size_t vocabulary = model->input.vocabulary;
    const size_t size = trn_shape_count(model->input);
    for (size_t i = 0; i < samples * model->places; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= model->classes) {
            return snap_error_set(err, SNAP_INVALID,
                                  "model: label %d of sample %zu: expected 0 to %zu",
                                  (int)labels[i], i / model->places, model->classes - 1);
        }
    }
    for (size_t i = 0; vocabulary != 0 && i < samples * size; i++) {
        if (!(inputs[i] >= 0.0f && inputs[i] < (float)vocabulary)) {
            return snap_error_set(err, SNAP_INVALID,
                                  "model: token %g of sample %zu: expected 0 to %zu",
                                  (double)inputs[i], i / size, vocabulary - 1);
        }
    }
    return SNAP_OK;
}

/* The batch as a trace has it. */
static enum snap_status show_batch(struct trn_model *model, const float *inputs,
                                   const int32_t *labels, size_t samples, struct snap_error *err)
{
    const struct trn_op_output shown[] = {
        { .op = "upload",
          .name = "inputs",
          .data = inputs,
          .dtype = TRN_OP_F32,
          .rank = 4,
          .shape = { samples, model->input.height, model->input.width, model->input.channels },
          .first = true,
          .on_host = true },
        { .op = "upload",
          .name = "labels",
          .data = labels,
          .dtype = TRN_OP_I32,
          .rank = 2,
          .shape = { samples, model->places },
          .on_host = true },
    };
    enum snap_status status = trn_op_trace_see(model->backend, SNAP_OK, &shown[0], err);
    return trn_op_trace_see(model->backend, status, &shown[1], err);
}

static enum snap_status upload(struct trn_model *model, const float *inputs, const int32_t *labels,
                               size_t samples, struct snap_error *err)
{
    struct trn_backend *backend = model->backend;
    enum snap_status status = check_indices(model, inputs, labels, samples, err);
    if (status == SNAP_OK) {
        status = backend->ops->upload(backend, model->inputs, inputs,
                                      samples * trn_shape_count(model->input) * sizeof(float),
                                      err);
    }
    if (status == SNAP_OK) {
        status = backend->ops->upload(backend, model->labels, labels,
                                      samples * model->places * sizeof(int32_t), err);
    }
    if (status == SNAP_OK && backend->trace) {
        status = show_batch(model, inputs, labels, samples, err);
    }
    return status;
}

/* Writes what each layer read to layer_inputs, and the logits after the last. */
static enum snap_status forward(struct trn_model *model, const struct trn_pass *pass,
                                struct snap_error *err)
{
    const char *phase = pass->training ? "forward" : "evaluate";
    const float *x = model->inputs;
    for (size_t i = 0; i < model->layer_count; i++) {
        struct trn_layer *layer = &model->layers[i];
        model->layer_inputs[i] = x;
        trn_op_trace_at(model->backend, phase, layer->name, pass->shard);
        if (layer->spec.kind == TRN_LAYER_RESIDUAL) {
            layer->skipped = model->layer_inputs[layer->source + 1];
        }
        if (layer->type->forward && (pass->training || !layer->type->identity_in_evaluation)) {
            const enum snap_status status =
                layer->type->forward(layer, pass, x, layer->output, err);
            if (status != SNAP_OK) {
                return status;
            }
            x = layer->output;
        }
    }
    model->layer_inputs[model->layer_count] = x;
    return SNAP_OK;
}

/* The shard's gradients go straight to the batch's when it is the first, else beside them. */
static enum snap_status add_gradients(struct trn_model *model, struct trn_layer *layer,
                                      float *const batch_gradient[], struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (unsigned t = 0; t < layer->tensor_count && status == SNAP_OK; t++) {
        if (layer->tensors[t].role == TRN_PARAMETER) {
            status = model->backend->ops->add(model->backend, layer->tensors[t].count,
                                              layer->shard_gradient[t], batch_gradient[t], err);
        }
    }
    return status;
}

static enum snap_status backward_layer(struct trn_model *model, struct trn_layer *layer,
                                       const struct trn_pass *pass, const float *dy, float *dx,
                                       struct snap_error *err)
{
    const float *x = model->layer_inputs[layer->index];
    float *beside[TRN_LAYER_MAX_TENSORS], *batch_gradient[TRN_LAYER_MAX_TENSORS];
    enum snap_status status;
    for (unsigned t = 0; t < layer->tensor_count; t++) {
        batch_gradient[t] = layer->tensors[t].gradient;
        beside[t] = layer->shard_gradient[t];
        if (!model->gradients_begun) {
            layer->shard_gradient[t] = batch_gradient[t];
        }
    }
    status = layer->type->backward(layer, pass, x, dy, dx, err);
    if (status == SNAP_OK && model->gradients_begun) {
        status = add_gradients(model, layer, batch_gradient, err);
    }
    for (unsigned t = 0; t < layer->tensor_count; t++) {
        layer->shard_gradient[t] = beside[t];
    }
    return status;
}

/* The gradient dy of a layer's output: what residuals sent back to it is added; and a residual
 * sends its own to its source, where that is wanted. */
static enum snap_status pass_residuals(struct trn_model *model, struct trn_layer *layer,
                                       size_t samples, float *dy, struct snap_error *err)
{
    const struct trn_ops *ops = model->backend->ops;
    const size_t count = samples * trn_shape_count(layer->out);
    enum snap_status status = SNAP_OK;
    if (layer->skip_begun) {
        status = ops->add(model->backend, count, layer->skip_gradient, dy, err);
        layer->skip_begun = false;
    }
    if (status == SNAP_OK && layer->spec.kind == TRN_LAYER_RESIDUAL &&
        layer->source >= model->first_trained) {
        struct trn_layer *source = &model->layers[layer->source];
        if (source->skip_begun) {
            status = ops->add(model->backend, count, dy, source->skip_gradient, err);
        } else {
            status = ops->copy(model->backend, source->skip_gradient, dy, count * sizeof(float),
                               err);
        }
        source->skip_begun = true;
    }
    return status;
}

static enum snap_status backward(struct trn_model *model, const struct trn_pass *pass,
                                 struct snap_error *err)
{
    float *dy = model->logits_gradient;
    unsigned turn = 0;
    for (size_t i = 0; i < model->layer_count; i++) {
        model->layers[i].skip_begun = false; /* a pass that failed may have left it */
    }
    for (size_t i = model->layer_count; i-- > model->first_trained;) {
        struct trn_layer *layer = &model->layers[i];
        trn_op_trace_at(model->backend, "backward", layer->name, pass->shard);
        const enum snap_status passed = pass_residuals(model, layer, pass->samples, dy, err);
        if (passed != SNAP_OK) {
            return passed;
        }
        if (layer->type->backward) {
            float *dx = i > model->first_trained ? model->gradients[turn] : NULL;
            const enum snap_status status = backward_layer(model, layer, pass, dy, dx, err);
            if (status != SNAP_OK) {
                return status;
            }
            dy = dx;
            turn ^= 1;
        }
    }
    return SNAP_OK;
}

static void begin_batch(struct trn_model *model, size_t batch)
{
    model->batch = batch;
    model->gradients_begun = false;
    model->loss = 0.0f;
}

/* Add to *correct how many of `rows` labels (host) are the largest logit; the cross-entropy before
 * was asked for `best`. */
static enum snap_status count_correct(struct trn_model *model, const int32_t *labels, size_t rows,
                                      size_t *correct, struct snap_error *err)
{
    int32_t *best = malloc(rows * sizeof(*best));
    enum snap_status status;
    if (!best) {
        return snap_error_set(err, SNAP_NO_MEMORY, "model: counting what is right: out of memory");
    }
    status = model->backend->ops->download(model->backend, best, model->best,
                                           rows * sizeof(*best), err);
    for (size_t i = 0; status == SNAP_OK && i < rows; i++) {
        *correct += best[i] == labels[i];
    }
    free(best);
    return status;
}

static enum snap_status run_shard(struct trn_model *model, const struct trn_shard *shard,
                                  struct snap_error *err)
{
    struct trn_backend *backend = model->backend;
    const struct trn_pass pass = {
        .backend = backend,
        .samples = shard->samples,
        .training = true,
        .shard = shard->index,
        .first = shard->first,
        .device_seed = shard->device_seed,
        .device_counter = shard->device_counter,
    };
    struct trn_cross_entropy loss = {
        .rows = shard->samples * model->places,
        .classes = model->classes,
        .labels = model->labels,
        .inverse_batch = 1.0f / (float)(shard->batch * model->places),
        .losses = model->losses,
        .gradient = model->logits_gradient,
        .best = shard->correct ? model->best : NULL,
    };
    float sum = 0.0f, mean;
    enum snap_status status;
    trn_op_trace_at(backend, "batch", "", shard->index);
    status = upload(model, shard->inputs, shard->labels, shard->samples, err);
    if (status == SNAP_OK) {
        status = forward(model, &pass, err);
    }
    if (status == SNAP_OK) {
        loss.logits = model->layer_inputs[model->layer_count];
        trn_op_trace_at(backend, "loss", "", shard->index);
        status = backend->ops->cross_entropy(backend, &loss, err);
    }
    if (status == SNAP_OK && shard->correct) {
        status = count_correct(model, shard->labels, loss.rows, shard->correct, err);
    }
    if (status == SNAP_OK) {
        status = backend->ops->reduce(backend, model->losses, loss.rows, model->scalar, err);
    }
    if (status == SNAP_OK) {
        status = backend->ops->download(backend, &sum, model->scalar, sizeof(sum), err);
    }
    if (status == SNAP_OK) {
        status = backward(model, &pass, err);
    }
    if (status == SNAP_OK) {
        mean = sum * loss.inverse_batch;
        model->loss = model->gradients_begun ? model->loss + mean : mean;
        model->gradients_begun = true;
    }
    return status;
}

enum snap_status trn_model_forward_backward(struct trn_model *model, const struct trn_shard *shard,
                                            struct snap_error *err)
{
    size_t first, samples;
    enum snap_status status = SNAP_OK;
    if (shard->index >= model->shards || shard->batch < 1 || shard->batch > model->max_batch) {
        return snap_error_set(err, SNAP_INVALID,
                              "model: shard %u of a batch of %zu: expected shard 0 to %u, 1 to %zu "
                              "samples", shard->index, shard->batch, model->shards - 1,
                              model->max_batch);
    }
    trn_shard_range(shard->batch, model->shards, shard->index, &first, &samples);
    if (shard->first != first || shard->samples != samples) {
        return snap_error_set(err, SNAP_INVALID,
                              "model: shard %u of a batch of %zu: given samples from %zu, %zu of "
                              "them: it has samples from %zu, %zu of them", shard->index,
                              shard->batch, shard->first, shard->samples, first, samples);
    }
    if (shard->index == 0) {
        begin_batch(model, shard->batch);
    } else if (shard->index != model->next_shard || shard->batch != model->batch) {
        return snap_error_set(err, SNAP_INVALID,
                              "model: shard %u of a batch of %zu: expected shard %u of %zu",
                              shard->index, shard->batch, model->next_shard, model->batch);
    }
    if (samples != 0) {
        status = run_shard(model, shard, err);
    }
    /* After a failure only shard 0 may come. */
    model->next_shard = status == SNAP_OK ? shard->index + 1 : model->shards;
    return status;
}

enum snap_status trn_model_evaluate(struct trn_model *model, const float *inputs,
                                    const int32_t *labels, size_t samples, float *losses,
                                    size_t *correct, struct snap_error *err)
{
    struct trn_backend *backend = model->backend;
    const struct trn_pass pass = { .backend = backend, .samples = samples };
    struct trn_cross_entropy loss = {
        .rows = samples * model->places,
        .classes = model->classes,
        .labels = model->labels,
        .losses = model->losses,
        .best = model->best,
    };
    enum snap_status status;
    size_t right = 0;
    if (samples > model->capacity) {
        return snap_error_set(err, SNAP_INVALID, "model: %zu samples to evaluate: at most %zu",
                              samples, model->capacity);
    }
    if (samples == 0) {
        return SNAP_OK;
    }
    trn_op_trace_at(backend, "evaluate", "", 0);
    status = upload(model, inputs, labels, samples, err);
    if (status == SNAP_OK) {
        status = forward(model, &pass, err);
    }
    if (status == SNAP_OK) {
        loss.logits = model->layer_inputs[model->layer_count];
        trn_op_trace_at(backend, "evaluate", "", 0);
        status = backend->ops->cross_entropy(backend, &loss, err);
    }
    if (status == SNAP_OK) {
        status = count_correct(model, labels, loss.rows, &right, err);
    }
    if (status == SNAP_OK) {
        status = backend->ops->download(backend, losses, model->losses,
                                        loss.rows * sizeof(*losses), err);
    }
    if (status == SNAP_OK) {
        *correct += right;
    }
    return status;
}

enum snap_status trn_model_mean_loss(struct trn_model *model, const float *losses, size_t n,
                                     float *mean, struct snap_error *err)
{
    struct trn_backend *backend = model->backend;
    void *memory = NULL;
    float sum = 0.0f;
    enum snap_status status = backend->ops->alloc(backend, n * sizeof(float), &memory, err);
    if (status == SNAP_OK) {
        status = backend->ops->upload(backend, memory, losses, n * sizeof(float), err);
    }
    if (status == SNAP_OK) {
        status = backend->ops->reduce(backend, memory, n, model->scalar, err);
    }
    if (status == SNAP_OK) {
        status = backend->ops->download(backend, &sum, model->scalar, sizeof(sum), err);
    }
    if (status == SNAP_OK) {
        *mean = n == 0 ? 0.0f : sum * (1.0f / (float)n);
    }
    backend->ops->release(backend, memory);
    return status;
}
