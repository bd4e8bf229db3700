/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory: whatever influences the next step is one line in trn_training_state_register.
 * Two things more are the run's own: the place in the data (snap_run_set_position), which says the
 * order of the epoch, and the training config, which is given when the run is opened. */
#include "config.h"

#include "session/training_state.h"

#define TRY(call)                      \
    do {                               \
        enum snap_status try_ = (call); \
        if (try_ != SNAP_OK)           \
            return try_;               \
    } while (0)

static enum snap_status add_tensors(const struct trn_training *t, const char *root,
                                    const struct trn_tensor *tensors, size_t count,
                                    struct snap_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct trn_tensor *tensor = &tensors[i];
        uint64_t shape[TRN_TENSOR_MAX_RANK];
        for (unsigned d = 0; d < tensor->rank; d++)
            shape[d] = tensor->shape[d];
        struct snap_run_tensor entry = SNAP_RUN_TENSOR_INIT;
        entry.root = root;
        entry.name = tensor->name;
        entry.data = tensor->data;
        if (tensor->dtype == TRN_F32) /* the others are in host memory */
            entry.device = t->backend->device;
        entry.dtype = tensor->dtype == TRN_I64 ? SNAP_I64 : SNAP_F32;
        entry.ndim = tensor->rank;
        entry.shape = shape;
        entry.requires_grad = tensor->role == TRN_PARAMETER;
        entry.changes_in_forward = tensor->changes_in_forward;
        TRY(snap_run_add_tensor(t->run, &entry, err));
    }
    return SNAP_OK;
}

static enum snap_status add_stream(struct snap_run *run, const char *name,
                                   struct snap_stream *stream, struct snap_error *err)
{
    return snap_run_add_stream(run, name, snap_stream_kind(stream), snap_stream_ops(), stream,
                               err);
}

static enum snap_status add_device_stream(struct trn_training *t, struct snap_error *err)
{
    if (t->device != NULL)
        return add_stream(t->run, "device", t->device, err);
    if (!t->backend_drops_out)
        return SNAP_OK;
    return snap_run_add_stream(t->run, "device", "opaque", t->backend->ops->dropout_stream,
                               t->backend, err);
}

static enum snap_status add_data_files(struct snap_run *run, const struct trn_data *data,
                                       struct snap_error *err)
{
    const struct trn_dataset *train = &data->train;
    const struct trn_dataset *test = &data->test;
    if (data->is_text)
        return snap_run_add_data_file(run, trn_role_names[TRN_TEXT_FILE], train->images_sha256,
                                      train->images_file_size, err);
    TRY(snap_run_add_data_file(run, trn_role_names[TRN_TRAIN_IMAGES], train->images_sha256,
                               train->images_file_size, err));
    TRY(snap_run_add_data_file(run, trn_role_names[TRN_TRAIN_LABELS], train->labels_sha256,
                               train->labels_file_size, err));
    if (test->samples == 0)
        return SNAP_OK;
    TRY(snap_run_add_data_file(run, trn_role_names[TRN_TEST_IMAGES], test->images_sha256,
                               test->images_file_size, err));
    return snap_run_add_data_file(run, trn_role_names[TRN_TEST_LABELS], test->labels_sha256,
                                  test->labels_file_size, err);
}

enum snap_status trn_training_state_register(struct trn_training *t, struct snap_error *err)
{
    TRY(add_tensors(t, "model", trn_model_tensors(t->model),
                    trn_model_tensor_count(t->model), err));
    TRY(add_tensors(t, "optimizer", trn_optimizer_tensors(t->optimizer),
                    trn_optimizer_tensor_count(t->optimizer), err));
    TRY(add_stream(t->run, TRN_ORDER_STREAM, t->python, err));
    TRY(add_stream(t->run, "numpy", t->numpy, err));
    TRY(add_stream(t->run, "host", t->host, err));
    TRY(add_device_stream(t, err));
    TRY(snap_run_add_value(t->run, "input_scale", true, t->input_scale, sizeof(t->input_scale),
                           err));
    return add_data_files(t->run, &t->data, err);
}
