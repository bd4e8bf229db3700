/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/training.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/device.h>

#include "config/arithmetic_check.h"
#include "ops/input_scale.h"
#include "session/rank_step.h"
#include "session/training_state.h"

#define TRY(call)                      \
    do {                               \
        enum snap_status try_ = (call); \
        if (try_ != SNAP_OK)           \
            return try_;               \
    } while (0)

static enum snap_status open_cudnn(struct trn_training *t, const char *name,
                                   struct snap_device device,
                                   const struct trn_expected_files *expected,
                                   struct snap_error *err)
{
    const struct trn_cudnn_options options = {
        .recorded = expected != NULL && !t->given.host_part ? expected->binding : NULL,
        .tf32 = t->config.tf32,
    };
    if (device.kind != SNAP_DEVICE_CUDA)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "profile cudnn-1: it needs a CUDA device, and the device is \"%s\": "
                              "use --device cuda:0, or take the profile portable-1", name);
    /* Its dropout is one stream over all shards, and ranks would have one each. */
    if (snap_group_world(t->group) > 1)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "profile cudnn-1: it trains in one process, and there are %d ranks: "
                              "take the profile portable-1", snap_group_world(t->group));
    return trn_cudnn_backend_open(device.index, &options, t->pool, &t->backend, err);
}

/* As many as processors; ranks that the launcher has not bound to some share them. */
static unsigned default_threads(const struct snap_group *group)
{
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    long local = snap_group_local_world(group);
    if (local == 1 || sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < online)
        return 0;
    return online > local ? (unsigned)(online / local) : 1;
}

static enum snap_status open_device(struct trn_training *t,
                                    const struct trn_training_options *options,
                                    struct snap_error *err)
{
    const char *name = options->device != NULL ? options->device : t->config.device;
    struct snap_device device;
    TRY(snap_device_parse(name, &device, err));
    unsigned threads = options->threads != 0 ? options->threads : t->config.threads;
    TRY(snap_pool_new(threads != 0 ? threads : default_threads(t->group), &t->pool, err));
    TRY(trn_arithmetic_check(t->pool, err));
    bool stands_in = options->host_part && device.kind != SNAP_DEVICE_CUDA;
    if (strcmp(t->config.profile, "cudnn-1") == 0 && !stands_in)
        return open_cudnn(t, name, device, options->expected, err);
    if (device.kind == SNAP_DEVICE_CUDA)
        return trn_device_backend_open(device.index, t->pool, &t->backend, err);
    return trn_backend_open(NULL, t->pool, &t->backend, err);
}

static enum snap_status new_stream(const char *kind, uint64_t seed, struct snap_stream **stream,
                                   struct snap_error *err)
{
    TRY(snap_stream_new(kind, stream, err));
    return snap_stream_seed(*stream, seed, err);
}

static enum snap_status make_streams(struct trn_training *t, struct snap_error *err)
{
    TRY(new_stream("python_random", t->config.seed_python, &t->python, err));
    TRY(new_stream("numpy_random_state", t->config.seed_numpy, &t->numpy, err));
    TRY(new_stream("torch_cpu", t->config.seed_host, &t->host, err));
    if (t->backend->ops->seed_dropout == NULL)
        return new_stream("philox_dropout", t->config.seed_device, &t->device, err);
    for (size_t i = 0; i < t->config.layer_count; i++)
        if (t->config.layers[i].kind == TRN_LAYER_DROPOUT)
            t->backend_drops_out = true;
    if (!t->backend_drops_out)
        return SNAP_OK;
    return t->backend->ops->seed_dropout(t->backend, t->config.seed_device, err);
}

static enum snap_status make_model(struct trn_training *t, size_t max_batch,
                                   struct snap_error *err)
{
    struct trn_model_options options = TRN_MODEL_OPTIONS_INIT;
    options.layers = t->config.layers;
    options.layer_count = t->config.layer_count;
    options.height = t->config.shape.height;
    options.width = t->config.shape.width;
    options.channels = t->config.shape.channels;
    options.vocabulary = t->config.is_text ? TRN_TEXT_TOKENS : 0;
    options.places = t->data.train.labels_size;
    options.classes = t->config.shape.classes;
    options.max_batch = max_batch;
    options.shards = t->config.shards;
    TRY(trn_model_new(&options, t->backend, &t->model, err));
    TRY(trn_model_init(t->model, t->host, err));
    return trn_optimizer_new(&t->config.optimizer, trn_model_tensors(t->model),
                             trn_model_tensor_count(t->model), t->backend, &t->optimizer, err);
}

/* What the model computed once and every step uses. */
static enum snap_status make_constants(struct trn_training *t, struct snap_error *err)
{
    size_t count = trn_model_scalars(t->model, NULL, 0);
    t->constants = calloc(count + 1, sizeof(t->constants[0]));
    t->host_scalars = calloc(count + TRN_OPTIMIZER_MAX_SCALARS, sizeof(t->host_scalars[0]));
    if (t->constants == NULL || t->host_scalars == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "training: no memory for its step records");
    t->constant_count = trn_model_scalars(t->model, t->constants, count);
    return SNAP_OK;
}

static enum snap_status make_batch(struct trn_training *t, size_t max_batch, struct snap_error *err)
{
    size_t image = t->data.train.image_size;
    size_t labels = t->data.train.labels_size;
    if (image + labels > SIZE_MAX / sizeof(float) / max_batch)
        return snap_error_set(err, SNAP_INVALID,
                              "config: training.batch_size: expected fewer samples of this size");
    t->batch.images = malloc(max_batch * (image * sizeof(float) + labels * sizeof(int32_t)));
    t->batch.scratch = malloc(image * sizeof(double));
    if (t->batch.images == NULL || t->batch.scratch == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "batch: no memory for %zu samples", max_batch);
    return SNAP_OK;
}

static enum snap_status fill(struct trn_training *t, const struct trn_training_options *options,
                             struct snap_error *err)
{
    static const struct trn_expected_files any = TRN_EXPECTED_FILES_INIT;
    TRY(open_device(t, options, err));
    TRY(trn_data_load(&t->config, options->expected != NULL ? options->expected : &any,
                      options->data_dir, &t->data, err));
    TRY(trn_batch_order_init(&t->order, t->data.train.samples, t->config.batch_size,
                             t->config.drop_last, err));
    uint64_t steps = trn_batch_order_steps(&t->order);
    t->total_steps = t->config.epochs > UINT64_MAX / steps ? UINT64_MAX : t->config.epochs * steps;
    /* A batch larger than the data is the data. */
    size_t max_batch = t->config.batch_size < t->data.train.samples ? t->config.batch_size
                                                                    : t->data.train.samples;
    if (t->config.is_text)
        trn_input_tokens_init(t->input_scale);
    else
        trn_input_scale_init(t->input_scale, t->config.mean, t->config.std);
    TRY(make_streams(t, err));
    TRY(make_model(t, max_batch, err));
    TRY(trn_rank_step_init(t, err));
    TRY(make_constants(t, err));
    return make_batch(t, max_batch, err);
}

enum snap_status trn_training_new(struct trn_config *config,
                                  const struct trn_training_options *options,
                                  struct trn_training **training, struct snap_error *err)
{
    struct trn_training *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        trn_config_release(config);
        return snap_error_set(err, SNAP_NO_MEMORY, "training: no memory");
    }
    made->group = options->group;
    made->config = *config;
    made->given = *options;
    made->given.expected = NULL;
    memset(config, 0, sizeof(*config));
    enum snap_status status = fill(made, options, err);
    if (status != SNAP_OK) {
        trn_training_free(made, NULL); /* no run is open */
        return status;
    }
    *training = made;
    return SNAP_OK;
}

enum snap_status trn_training_open_run(struct trn_training *t,
                                       const struct snap_run_options *given, struct snap_error *err)
{
    struct snap_run_options options = *given;
    enum snap_status status = SNAP_OK;
    char *training = trn_config_training_text(&t->config);
    char *whole = trn_config_text(&t->config);
    char *binding = NULL;
    if (training == NULL || whole == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "run: no memory for its config");
    else if (t->backend->ops->binding != NULL)
        status = t->backend->ops->binding(t->backend, &binding, err);
    options.profile = t->backend->ops->profile;
    options.binding = binding;
    options.training = training;
    options.config = whole;
    options.state_every = t->config.state_every;
    options.every = t->config.has_every ? t->config.every : trn_batch_order_steps(&t->order);
    options.pool = t->pool;
    options.thin = t->config.thin;
    options.group = t->group;
    options.agent = t->config.agent;
    options.volume_size = t->config.volume_size;
    if (status == SNAP_OK)
        status = snap_run_open(&options, &t->run, err);
    free(training);
    free(whole);
    free(binding);
    if (status != SNAP_OK)
        return status;
    return trn_training_state_register(t, err);
}

enum snap_status trn_training_check_volumes(struct trn_training *t, struct snap_error *err)
{
    struct snap_run_options in_memory = SNAP_RUN_OPTIONS_INIT;
    bool opened = t->run != NULL;
    if (t->config.volume_size == 0)
        return SNAP_OK;
    if (!opened)
        TRY(trn_training_open_run(t, &in_memory, err));
    enum snap_status status = snap_run_check_volumes(t->run, err);
    if (!opened) {
        (void)snap_run_close(t->run, NULL); /* in memory: nothing can be lost */
        t->run = NULL;
    }
    return status;
}

enum snap_status trn_training_restore(struct trn_training *t, enum snap_tier require,
                                      struct snap_receipt **receipt, struct snap_error *err)
{
    struct snap_position position = SNAP_POSITION_INIT;
    TRY(snap_run_restore(t->run, require, t->backend->stream, receipt, err));
    TRY(snap_run_position(t->run, &position, err));
    return trn_batch_order_restore(&t->order, &position, err);
}

enum snap_status trn_training_free(struct trn_training *t, struct snap_error *err)
{
    if (t == NULL)
        return SNAP_OK;
    enum snap_status status = snap_run_close(t->run, err);
    free(t->batch.images);
    free(t->batch.scratch);
    free(t->shard_gradients);
    free(t->moving);
    free(t->constants);
    free(t->host_scalars);
    trn_batch_order_release(&t->order);
    snap_stream_free(t->python);
    snap_stream_free(t->numpy);
    snap_stream_free(t->host);
    snap_stream_free(t->device);
    trn_optimizer_free(t->optimizer);
    trn_model_free(t->model);
    trn_backend_close(t->backend);
    snap_pool_free(t->pool);
    trn_data_release(&t->data);
    trn_config_release(&t->config);
    free(t);
    return status;
}
