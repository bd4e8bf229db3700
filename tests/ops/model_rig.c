/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "model_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every kind of layer for images. */
const struct trn_layer_spec rig_layers[RIG_LAYERS] = {
    { TRN_LAYER_CONV2D, "conv1", 6, true, RIG_WINDOW(3, 1, 1), 0, 0, 0, 0, NULL },
    { TRN_LAYER_BATCHNORM, "bn1", 0, false, { 0 }, 1e-5, 0.1, 0, 0, NULL },
    { TRN_LAYER_RELU, "relu1", 0, false, { 0 }, 0, 0, 0, 0, NULL },
    { TRN_LAYER_MAXPOOL, "pool1", 0, false, RIG_WINDOW(2, 0, 0), 0, 0, 0, 0, NULL },
    { TRN_LAYER_DROPOUT, "drop1", 0, false, { 0 }, 0, 0, 0.25, 0, NULL },
    { TRN_LAYER_CONV2D, "conv2", 7, false, RIG_WINDOW(2, 1, 1), 0, 0, 0, 0, NULL },
    { TRN_LAYER_GELU, "gelu1", 0, false, { 0 }, 0, 0, 0, 0, NULL },
    { TRN_LAYER_AVGPOOL, "pool2", 0, false, RIG_WINDOW(2, 1, 0), 0, 0, 0, 0, NULL },
    { TRN_LAYER_FLATTEN, "flat", 0, false, { 0 }, 0, 0, 0, 0, NULL },
    { TRN_LAYER_LINEAR, "fc1", 17, true, { 0 }, 0, 0, 0, 0, NULL },
    { TRN_LAYER_BATCHNORM, "bn2", 0, false, { 0 }, 1e-3, 0.05, 0, 0, NULL },
    { TRN_LAYER_DROPOUT, "drop2", 0, false, { 0 }, 0, 0, 0.5, 0, NULL },
    { TRN_LAYER_LINEAR, "fc2", RIG_CLASSES, true, { 0 }, 0, 0, 0, 0, NULL },
};

/* Every kind for sequences, with two residuals from one layer, and one from a residual. */
static const struct trn_layer_spec sequence_layers[RIG_SEQUENCE_LAYERS] = {
    { .kind = TRN_LAYER_EMBEDDING, .name = "wte", .features = 12 },
    { .kind = TRN_LAYER_POSITION, .name = "wpe" },
    { .kind = TRN_LAYER_DROPOUT, .name = "drop", .probability = 0.25 },
    { .kind = TRN_LAYER_LAYERNORM, .name = "h.0.ln_1", .eps = 1e-5 },
    { .kind = TRN_LAYER_LINEAR, .name = "h.0.attn.c_attn", .features = 36, .bias = true },
    { .kind = TRN_LAYER_ATTENTION, .name = "h.0.attn", .heads = 3 },
    { .kind = TRN_LAYER_LINEAR, .name = "h.0.attn.c_proj", .features = 12, .bias = true },
    { .kind = TRN_LAYER_RESIDUAL, .name = "h.0.add_1", .from = "drop" },
    { .kind = TRN_LAYER_LAYERNORM, .name = "h.0.ln_2", .eps = 1e-3 },
    { .kind = TRN_LAYER_LINEAR, .name = "h.0.mlp.c_fc", .features = 20, .bias = true },
    { .kind = TRN_LAYER_GELU, .name = "h.0.mlp.gelu" },
    { .kind = TRN_LAYER_LINEAR, .name = "h.0.mlp.c_proj", .features = 12, .bias = false },
    { .kind = TRN_LAYER_DROPOUT, .name = "h.0.mlp.dropout", .probability = 0.5 },
    { .kind = TRN_LAYER_RESIDUAL, .name = "h.0.add_2", .from = "h.0.add_1" },
    { .kind = TRN_LAYER_RESIDUAL, .name = "skip", .from = "drop" },
    { .kind = TRN_LAYER_LAYERNORM, .name = "ln_f", .eps = 1e-5 },
    { .kind = TRN_LAYER_LINEAR, .name = "lm_head", .features = RIG_TOKENS, .bias = false },
};

const char *const rig_kind_names[RIG_KINDS] = { "every layer", "layers of sequences" };

const struct trn_optimizer_spec rig_optimizers[RIG_OPTIMIZERS] = {
    { TRN_SGD, 0.0, 0.0, 0.9, 0.999, 1e-8, 0.0 },
    { TRN_SGD, 0.9, 5e-4, 0.9, 0.999, 1e-8, 1.0 },
    { TRN_ADAM, 0.0, 1e-4, 0.9, 0.999, 1e-8, 0.0 },
    { TRN_ADAMW, 0.0, 1e-2, 0.85, 0.99, 1e-6, 0.5 },
};
const char *const rig_optimizer_names[RIG_OPTIMIZERS] = { "sgd", "sgd-momentum-clip", "adam",
                                                           "adamw-clip" };

size_t rig_input_size(enum rig_kind kind)
{
    return kind == RIG_IMAGES ? RIG_INPUT : RIG_PLACES;
}

size_t rig_labels_size(enum rig_kind kind)
{
    return kind == RIG_IMAGES ? 1 : RIG_PLACES;
}

struct trn_model_options rig_options(enum rig_kind kind, unsigned shards)
{
    struct trn_model_options options = TRN_MODEL_OPTIONS_INIT;
    options.max_batch = RIG_BATCH;
    options.shards = shards;
    if (kind == RIG_SEQUENCES) {
        options.layers = sequence_layers;
        options.layer_count = RIG_SEQUENCE_LAYERS;
        options.height = options.places = RIG_PLACES;
        options.width = options.channels = 1;
        options.vocabulary = options.classes = RIG_TOKENS;
        return options;
    }
    options.layers = rig_layers;
    options.layer_count = sizeof(rig_layers) / sizeof(rig_layers[0]);
    options.height = 7;
    options.width = 6;
    options.channels = 2;
    options.classes = RIG_CLASSES;
    return options;
}

enum snap_status (*rig_backend_open)(const char *isa, struct snap_pool *pool,
                                     struct trn_backend **backend,
                                     struct snap_error *err) = trn_backend_open;

void rig_ready(struct rig *rig, const char *isa, unsigned threads, unsigned shards,
               const struct trn_optimizer_spec *spec)
{
    rig_ready_kind(rig, RIG_IMAGES, isa, threads, shards, spec);
}

void rig_ready_kind(struct rig *rig, enum rig_kind kind, const char *isa, unsigned threads,
                    unsigned shards, const struct trn_optimizer_spec *spec)
{
    const struct trn_model_options options = rig_options(kind, shards);
    memset(rig, 0, sizeof(*rig));
    rig->kind = kind;
    rig->shards = shards;
    assert_int_equal(snap_pool_new(threads, &rig->pool, NULL), SNAP_OK);
    assert_int_equal(rig_backend_open(isa, rig->pool, &rig->backend, NULL), SNAP_OK);
    assert_int_equal(snap_stream_new("torch_cpu", &rig->host, NULL), SNAP_OK);
    assert_int_equal(snap_stream_seed(rig->host, 42, NULL), SNAP_OK);
    assert_int_equal(trn_model_new(&options, rig->backend, &rig->model, NULL), SNAP_OK);
    assert_int_equal(trn_model_init(rig->model, rig->host, NULL), SNAP_OK);
    assert_int_equal(trn_optimizer_new(spec, trn_model_tensors(rig->model),
                                       trn_model_tensor_count(rig->model), rig->backend,
                                       &rig->optimizer, NULL),
                     SNAP_OK);
}

void rig_dismantle(struct rig *rig)
{
    trn_optimizer_free(rig->optimizer);
    trn_model_free(rig->model);
    snap_stream_free(rig->host);
    trn_backend_close(rig->backend);
    snap_pool_free(rig->pool);
}

/* Pixels and labels of a step: small integers, so that no library is asked. */
void rig_make_batch(unsigned step, float *inputs, int32_t *labels)
{
    for (size_t i = 0; i < RIG_BATCH * RIG_INPUT; i++) {
        inputs[i] = (float)((i * 37 + step * 101 + i / 11) % 29) / 16.0f - 0.75f;
    }
    for (size_t i = 0; i < RIG_BATCH; i++) {
        labels[i] = (int32_t)((i * 3 + step) % RIG_CLASSES);
    }
}

void rig_make_sequences(unsigned step, float *inputs, int32_t *labels)
{
    for (size_t i = 0; i < RIG_BATCH * RIG_PLACES; i++) {
        inputs[i] = (float)((i * i + step * 5 + i / 7) % RIG_TOKENS);
        labels[i] = (int32_t)((i * 3 + step) % RIG_TOKENS);
    }
}

void rig_pass(struct rig *rig, unsigned step, size_t batch)
{
    float inputs[RIG_BATCH * RIG_INPUT];
    int32_t labels[RIG_BATCH * RIG_PLACES];
    if (rig->kind == RIG_IMAGES) {
        rig_make_batch(step, inputs, labels);
    } else {
        rig_make_sequences(step, inputs, labels);
    }
    for (unsigned s = 0; s < rig->shards; s++) {
        struct trn_shard shard = { .batch = batch, .index = s, .device_seed = 42,
                                   .device_counter = step };
        trn_shard_range(batch, rig->shards, s, &shard.first, &shard.samples);
        shard.inputs = inputs + shard.first * rig_input_size(rig->kind);
        shard.labels = labels + shard.first * rig_labels_size(rig->kind);
        assert_int_equal(trn_model_forward_backward(rig->model, &shard, NULL), SNAP_OK);
    }
}

void record_note(struct record *record, const void *bytes, size_t size_bytes)
{
    assert_true(record->size_bytes + size_bytes <= sizeof(record->bytes));
    memcpy(record->bytes + record->size_bytes, bytes, size_bytes);
    record->size_bytes += size_bytes;
}

void rig_train_step(struct rig *rig, unsigned step, struct record *record)
{
    struct trn_scalar scalars[TRN_OPTIMIZER_MAX_SCALARS];
    float norm, loss;
    size_t count;
    rig_pass(rig, step, step == 2 ? RIG_BATCH - 4 : RIG_BATCH);
    assert_int_equal(trn_model_check_finite(rig->model, NULL, NULL), SNAP_OK);
    assert_int_equal(trn_optimizer_gradient_norm(rig->optimizer, &norm, NULL), SNAP_OK);
    count = trn_optimizer_scalars(rig->optimizer, 0.05f / (float)(step + 1), norm, scalars);
    assert_int_equal(trn_optimizer_update(rig->optimizer, scalars, count, NULL), SNAP_OK);
    loss = trn_model_loss(rig->model);
    record_note(record, &loss, sizeof(loss));
    record_note(record, &norm, sizeof(norm));
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = (uint32_t)scalars[i].bits;
        record_note(record, &bits, sizeof(bits));
    }
}

static void note_memory(struct record *record, struct trn_backend *backend, const void *memory,
                        size_t size_bytes)
{
    assert_true(record->size_bytes + size_bytes <= sizeof(record->bytes));
    assert_int_equal(backend->ops->download(backend, record->bytes + record->size_bytes, memory,
                                            size_bytes, NULL),
                     SNAP_OK);
    record->size_bytes += size_bytes;
}

static void note_tensors(struct record *record, struct trn_backend *backend,
                         const struct trn_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tensors[i].dtype == TRN_I64) {
            record_note(record, tensors[i].data, tensors[i].count * sizeof(int64_t));
        } else {
            note_memory(record, backend, tensors[i].data, tensors[i].count * sizeof(float));
        }
        if (tensors[i].gradient) {
            note_memory(record, backend, tensors[i].gradient, tensors[i].count * sizeof(float));
        }
    }
}

void record_state(struct record *record, const struct rig *rig)
{
    note_tensors(record, rig->backend, trn_model_tensors(rig->model),
                 trn_model_tensor_count(rig->model));
    note_tensors(record, rig->backend, trn_optimizer_tensors(rig->optimizer),
                 trn_optimizer_tensor_count(rig->optimizer));
}
