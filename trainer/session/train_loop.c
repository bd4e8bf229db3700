/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/train_loop.h"

#include <string.h>

#include "session/evaluate.h"
#include "session/rank_step.h"

/* loss, grad_norm, clip, eval_loss, eval_correct */
enum { MAX_FLOAT_SCALARS = 5 };

#define TRY(call)                      \
    do {                               \
        enum snap_status try_ = (call); \
        if (try_ != SNAP_OK)           \
            return try_;               \
    } while (0)

/* The next batch of the order, with its labels. */
static enum snap_status take_batch(struct trn_training *t, struct snap_error *err)
{
    struct trn_batch *batch = &t->batch;
    TRY(trn_batch_order_next(&t->order, t->python, &batch->ids, &batch->count, &batch->ends_epoch,
                             err));
    batch->epoch = t->order.epoch;
    batch->labels = (int32_t *)(void *)(batch->images + batch->count * t->data.train.image_size);
    for (size_t i = 0; i < batch->count; i++)
        trn_dataset_labels(&t->data.train, batch->ids[i],
                           batch->labels + i * t->data.train.labels_size);
    return SNAP_OK;
}

static enum snap_status augment(struct trn_training *t, struct snap_error *err)
{
    const struct trn_augment *wanted = t->config.is_text ? NULL : &t->config.augment;
    return trn_augment_batch(wanted, &t->data.train, &t->config.shape, t->input_scale,
                             t->batch.ids, t->batch.count, t->numpy, t->batch.scratch,
                             t->batch.images, err);
}

/* What is of shard `index` alone. */
static void shard_of(const struct trn_training *t, unsigned index, struct trn_shard *shard)
{
    shard->index = index;
    trn_shard_range(t->batch.count, t->config.shards, index, &shard->first, &shard->samples);
    shard->inputs = t->batch.images + shard->first * t->data.train.image_size;
    shard->labels = t->batch.labels + shard->first * t->data.train.labels_size;
}

/* Shard after shard; dropout by the device stream, whose counter moves once a step, or by the
 * backend's own generator. */
static enum snap_status forward_backward(struct trn_training *t, struct trn_step *step,
                                         struct snap_error *err)
{
    struct trn_shard shard = { .batch = t->batch.count,
                               .correct = t->config.tensorboard ? &step->correct : NULL };
    if (t->device != NULL) {
        TRY(snap_philox_dropout_seed(t->device, &shard.device_seed, err));
        TRY(snap_philox_dropout_counter(t->device, &shard.device_counter, err));
    }
    if (snap_group_world(t->group) > 1)
        TRY(trn_rank_forward_backward(t, step, shard_of, &shard, err));
    else
        for (unsigned index = 0; index < t->config.shards; index++) {
            shard_of(t, index, &shard);
            TRY(trn_model_forward_backward(t->model, &shard, err));
        }
    return t->device != NULL ? snap_philox_dropout_advance(t->device, 1, err) : SNAP_OK;
}

/* The rate, and the norm that clipping goes by; a norm that overflows is a failure of this step. */
static enum snap_status prepare_update(struct trn_training *t, struct trn_step *step, float *norm,
                                       struct trn_scalar *scalars, size_t *count,
                                       struct snap_error *err)
{
    float rate = trn_schedule_rate(&t->config.schedule, step->step - 1);
    enum snap_status status = trn_optimizer_gradient_norm(t->optimizer, norm, err);
    if (status == SNAP_NONFINITE)
        step->nonfinite = (struct trn_nonfinite){ .where = "gradient norm",
                                                  .class_name = "+inf",
                                                  .class_code = TRN_PLUS_INF };
    if (status != SNAP_OK)
        return status;
    *count = trn_optimizer_scalars(t->optimizer, rate, *norm, scalars);
    return SNAP_OK;
}

static enum snap_status batch_digests(const struct trn_training *t, unsigned char *samples,
                                      unsigned char *bytes, struct snap_error *err)
{
    const struct trn_batch *batch = &t->batch;
    TRY(snap_sample_digest(batch->ids, batch->count, samples, err));
    if (!t->config.batch_bytes)
        return SNAP_OK;
    size_t size = batch->count * (t->data.train.image_size * sizeof(float) +
                                  t->data.train.labels_size * sizeof(int32_t));
    return snap_bytes_digest(batch->images, size, bytes, err);
}

static struct snap_scalar scalar_of(const struct trn_scalar *scalar)
{
    return (struct snap_scalar){ .name = scalar->name,
                                 .type = scalar->width_bits == 32 ? SNAP_SCALAR_F32
                                                                  : SNAP_SCALAR_F64,
                                 .bits = scalar->bits };
}

/* The ledger line. What follows from the config and the step is of the host part; what was
 * computed from gradients is of the float part, also the factor of clipping. */
static enum snap_status record(struct trn_training *t, const struct trn_step *step, float norm,
                               const struct trn_scalar *scalars, size_t count,
                               struct snap_error *err)
{
    unsigned char samples[SNAP_DIGEST_BYTES];
    unsigned char bytes[SNAP_DIGEST_BYTES];
    struct snap_scalar *host = t->host_scalars;
    struct snap_scalar computed[MAX_FLOAT_SCALARS];
    struct snap_step_record line = SNAP_STEP_RECORD_INIT;
    size_t hosts = 0;
    size_t floats = 0;

    TRY(batch_digests(t, samples, bytes, err));
    for (size_t i = 0; i < t->constant_count; i++)
        host[hosts++] = scalar_of(&t->constants[i]);
    computed[floats++] = snap_scalar_f32("loss", step->loss);
    computed[floats++] = snap_scalar_f32("grad_norm", norm);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(scalars[i].name, "clip") == 0)
            computed[floats++] = scalar_of(&scalars[i]);
        else
            host[hosts++] = scalar_of(&scalars[i]);
    }
    if (step->evaluated) {
        computed[floats++] = snap_scalar_f32("eval_loss", step->evaluation_loss);
        computed[floats++] = snap_scalar_int("eval_correct", step->evaluation_correct);
    }
    line.step = step->step;
    line.epoch = step->epoch;
    line.sample_digest = samples;
    line.batch_digest = t->config.batch_bytes ? bytes : NULL;
    line.host_scalars = host;
    line.host_scalar_count = hosts;
    line.float_scalars = computed;
    line.float_scalar_count = floats;
    enum snap_status status = snap_run_step(t->run, &line, err);
    /* A save behind this step that failed is told here once, and the line is still to be written:
     * where the training goes on without the snapshot, whoever asked for it says so. */
    if (t->config.go_on && trn_save_can_fail(status))
        status = snap_run_step(t->run, &line, err);
    return status;
}

static enum snap_status evaluate_at_epoch_end(struct trn_training *t, struct trn_step *step,
                                              struct snap_error *err)
{
    uint64_t every = t->config.evaluate;
    if (every == 0 || !t->batch.ends_epoch || (t->batch.epoch + 1) % every != 0)
        return SNAP_OK;
    TRY(trn_evaluate(t, &step->evaluation_loss, &step->evaluation_correct, err));
    step->evaluated = true;
    return SNAP_OK;
}

static enum snap_status set_position(struct trn_training *t, struct snap_error *err)
{
    struct snap_position position;
    trn_batch_order_position(&t->order, &position);
    return snap_run_set_position(t->run, &position, err);
}

enum snap_status trn_check_weights(struct trn_training *t, struct trn_step *step,
                                   struct snap_error *err)
{
    *step = (struct trn_step){ .step = snap_run_steps_done(t->run) + 1 };
    return trn_model_check_finite(t->model, &step->nonfinite, err);
}

/* From the batch to the update, of a step whose weights are finite. */
static enum snap_status make_gradients(struct trn_training *t, struct trn_step *step, float *norm,
                                       struct trn_scalar *scalars, size_t *scalar_count,
                                       struct snap_error *err)
{
    TRY(take_batch(t, err));
    step->drew_batch = true;
    step->epoch = t->batch.epoch;
    step->samples = t->batch.count;
    TRY(augment(t, err));
    TRY(forward_backward(t, step, err));
    step->loss = trn_model_loss(t->model);
    TRY(trn_model_check_finite(t->model, &step->nonfinite, err));
    return prepare_update(t, step, norm, scalars, scalar_count, err);
}

enum snap_status trn_repeat_gradients(struct trn_training *t, struct trn_step *step,
                                      struct snap_error *err)
{
    struct trn_scalar scalars[TRN_OPTIMIZER_MAX_SCALARS];
    struct snap_position position = SNAP_POSITION_INIT;
    size_t scalar_count;
    float norm;

    TRY(snap_run_repeat_step(t->run, t->backend->stream, err));
    TRY(snap_run_position(t->run, &position, err));
    TRY(trn_batch_order_restore(&t->order, &position, err));
    *step = (struct trn_step){ .step = snap_run_steps_done(t->run) + 1 };
    return make_gradients(t, step, &norm, scalars, &scalar_count, err);
}

enum snap_status trn_train_step(struct trn_training *t, struct trn_step *step,
                                struct snap_error *err)
{
    struct trn_scalar scalars[TRN_OPTIMIZER_MAX_SCALARS];
    size_t scalar_count;
    float norm;

    TRY(snap_run_begin_step(t->run, err));
    TRY(trn_check_weights(t, step, err));
    TRY(make_gradients(t, step, &norm, scalars, &scalar_count, err));

    TRY(snap_run_before_update(t->run, t->backend->stream, err));
    TRY(trn_optimizer_update(t->optimizer, scalars, scalar_count, err));

    TRY(evaluate_at_epoch_end(t, step, err));
    TRY(set_position(t, err));
    return record(t, step, norm, scalars, scalar_count, err);
}
