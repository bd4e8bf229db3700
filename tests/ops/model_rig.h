/* SPDX-License-Identifier: Apache-2.0 */
/* Two small models, of images and of sequences, with every kind of layer between them; their
 * optimizers and batches, for the tests of both. */
#ifndef MODEL_RIG_H
#define MODEL_RIG_H

#include "layers/model.h"
#include "optim/optimizer.h"

#define RIG_STEPS 4
#define RIG_BATCH ((size_t)13)
#define RIG_CLASSES ((size_t)5)
#define RIG_INPUT ((size_t)(7 * 6 * 2))
#define RIG_LAYERS 13
#define RIG_PLACES ((size_t)9) /* of a sample of the sequence model */
#define RIG_TOKENS 11
#define RIG_SEQUENCE_LAYERS 17
#define RIG_OPTIMIZERS 4

#define RIG_WINDOW(kernel, stride, padding) { kernel, kernel, stride, stride, padding, padding }

extern const struct trn_layer_spec rig_layers[RIG_LAYERS];
extern const struct trn_optimizer_spec rig_optimizers[RIG_OPTIMIZERS];
extern const char *const rig_optimizer_names[RIG_OPTIMIZERS];

enum rig_kind { RIG_IMAGES, RIG_SEQUENCES, RIG_KINDS };
extern const char *const rig_kind_names[RIG_KINDS]; /* in model_goldens.txt */

struct rig {
    enum rig_kind kind;
    struct snap_pool *pool;
    struct trn_backend *backend;
    struct snap_stream *host;
    struct trn_model *model;
    struct trn_optimizer *optimizer;
    unsigned shards;
};

/* Bytes in the order in which they were noted. */
struct record {
    unsigned char bytes[400000];
    size_t size_bytes;
};

/* How rig_ready opens a backend: trn_backend_open, unless a test puts another here. */
extern enum snap_status (*rig_backend_open)(const char *isa, struct snap_pool *pool,
                                            struct trn_backend **backend, struct snap_error *err);

struct trn_model_options rig_options(enum rig_kind kind, unsigned shards);
/* Everything new, initial weights from seed 42; `isa` NULL: the best. Fails the test otherwise. */
void rig_ready_kind(struct rig *rig, enum rig_kind kind, const char *isa, unsigned threads,
                    unsigned shards, const struct trn_optimizer_spec *spec);
/* The same with RIG_IMAGES. */
void rig_ready(struct rig *rig, const char *isa, unsigned threads, unsigned shards,
               const struct trn_optimizer_spec *spec);
void rig_dismantle(struct rig *rig);

/* Elements and labels of a sample. */
size_t rig_input_size(enum rig_kind kind);
size_t rig_labels_size(enum rig_kind kind);
/* Inputs (RIG_BATCH, RIG_INPUT) and labels of a step, from small integers. */
void rig_make_batch(unsigned step, float *inputs, int32_t *labels);
/* The same for sequences, (RIG_BATCH, RIG_PLACES) each. */
void rig_make_sequences(unsigned step, float *inputs, int32_t *labels);
/* Forward and backward pass of all shards of the first `batch` samples. */
void rig_pass(struct rig *rig, unsigned step, size_t batch);
/* A whole step; loss, norm and scalars are noted. */
void rig_train_step(struct rig *rig, unsigned step, struct record *record);

void record_note(struct record *record, const void *bytes, size_t size_bytes);
/* All tensors of model and optimizer, and the gradients. */
void record_state(struct record *record, const struct rig *rig);

#endif
