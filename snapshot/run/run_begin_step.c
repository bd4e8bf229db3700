/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept as of before a step, and the alarm for streams that moved after a restore. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "group/group_ops.h"
#include "run/rank_streams.h"
#include "save/device_mirror.h"
#include "save/save.h"

/* How far a stream that moved is followed, in 32-bit words: far more than one epoch draws, and
 * less than a second of work. */
#define ALARM_WORDS 4194304u

/* What begin_step keeps, until all of it was made. */
struct kept {
    void **streams;
    size_t *sizes;
    unsigned char **tensors;
    struct snap_buffer data;
};

static void release_kept(const struct snap_inventory *inventory, struct kept *kept)
{
    for (size_t i = 0; kept->streams != NULL && i < inventory->stream_count; i++)
        free(kept->streams[i]);
    for (size_t i = 0; kept->tensors != NULL && i < inventory->tensor_count; i++)
        free(kept->tensors[i]);
    free(kept->streams);
    free(kept->sizes);
    free(kept->tensors);
    snap_buffer_release(&kept->data);
}

static enum snap_status out_of_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "step: keep what was before it: out of memory");
}

/* Copy the streams and the tensors that the forward pass changes. */
static enum snap_status keep(const struct snap_run *run, struct kept *kept, struct snap_error *err)
{
    const struct snap_inventory *inventory = &run->inventory;
    kept->streams = calloc(inventory->stream_count + 1, sizeof *kept->streams);
    kept->sizes = calloc(inventory->stream_count + 1, sizeof *kept->sizes);
    kept->tensors = calloc(inventory->tensor_count + 1, sizeof *kept->tensors);
    if (kept->streams == NULL || kept->sizes == NULL || kept->tensors == NULL)
        return out_of_memory(err);
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++) {
        const struct snap_inventory_stream *stream = &inventory->streams[i];
        status = stream->ops->get(stream->arg, &kept->streams[i], &kept->sizes[i], err);
    }
    for (size_t i = 0; status == SNAP_OK && i < inventory->tensor_count; i++) {
        const struct snap_inventory_tensor *tensor = &inventory->tensors[i];
        size_t element_bytes = snap_dtype_size_bytes(tensor->dtype);
        if (!tensor->changes_in_forward || tensor->elements == 0)
            continue;
        kept->tensors[i] = malloc((size_t)tensor->elements * element_bytes);
        if (kept->tensors[i] == NULL)
            return out_of_memory(err);
        status = snap_mirror_fetch(run, tensor->storage, err);
        if (status == SNAP_OK)
            snap_gather(kept->tensors[i], tensor->data, element_bytes, tensor->ndim, tensor->shape,
                    tensor->strides);
    }
    if (status == SNAP_OK)
        status = snap_data_doc_encode(&run->data, &kept->data, err);
    return status;
}

static void swap(void **a, void **b)
{
    void *held = *a;
    *a = *b;
    *b = held;
}

/* Put what was kept in its place; the old goes to `kept`, to be released. */
static void commit(struct snap_run *run, struct kept *kept)
{
    struct snap_inventory *inventory = &run->inventory;
    for (size_t i = 0; i < inventory->stream_count; i++) {
        struct snap_inventory_stream *stream = &inventory->streams[i];
        swap(&stream->before, &kept->streams[i]);
        stream->before_size = kept->sizes[i];
        if (stream->ops->words_drawn != NULL)
            stream->words_before = stream->ops->words_drawn(stream->arg);
    }
    for (size_t i = 0; i < inventory->tensor_count; i++) {
        unsigned char *held = inventory->tensors[i].before;
        inventory->tensors[i].before = kept->tensors[i];
        kept->tensors[i] = held;
    }
    struct snap_buffer held = run->data_before;
    run->data_before = kept->data;
    kept->data = held;
}

static enum snap_status tell_moved(const struct snap_inventory_stream *stream, const void *now,
                                   size_t now_size, struct snap_error *err)
{
    static const char cause[] = "something drew from it after the restore (building the model, "
                                "shuffling, a data loader's first batch): restore last";
    int64_t words;
    bool related;
    enum snap_status status =
        snap_stream_distance(stream->kind, stream->restored, stream->restored_size, now, now_size,
                             ALARM_WORDS, &words, &related, NULL);
    if (status == SNAP_OK && related && words != 0)
        return snap_error_set(err, SNAP_DIFFERS,
                              "stream %s: moved by %" PRId64 " draws of 32 bits "
                              "between the restore and the first step: %s",
                              stream->name, words, cause);
    return snap_error_set(
        err, SNAP_DIFFERS,
        "stream %s: is another one than the restore set, no "
        "number of draws leads to it: it was seeded again after the restore, or %s",
        stream->name, cause);
}

enum snap_status snap_run_check_alarm(struct snap_run *run, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && run->alarm && i < run->inventory.stream_count; i++) {
        const struct snap_inventory_stream *stream = &run->inventory.streams[i];
        void *now = NULL;
        size_t size = 0;
        if (stream->restored == NULL)
            continue;
        status = stream->ops->get(stream->arg, &now, &size, err);
        if (status == SNAP_OK &&
            (size != stream->restored_size || memcmp(stream->restored, now, size) != 0))
            status = tell_moved(stream, now, size, err);
        free(now);
    }
    return status;
}

static void end_alarm(struct snap_run *run)
{
    for (size_t i = 0; i < run->inventory.stream_count; i++) {
        free(run->inventory.streams[i].restored);
        run->inventory.streams[i].restored = NULL;
    }
    run->alarm = false;
}

enum snap_status snap_run_begin_step(struct snap_run *run, struct snap_error *err)
{
    if (run == NULL)
        return snap_error_set(err, SNAP_INVALID, "step: begin: no run");
    if (run->in_step)
        return snap_error_set(err, SNAP_INVALID, "step %" PRIu64 ": begin: it was begun already",
                              run->steps_done + 1);
    struct kept kept = { NULL, NULL, NULL, SNAP_BUFFER_INIT };
    snap_group_go_on(run->group);
    enum snap_status status = snap_rank_streams_share(run, err);
    if (status == SNAP_OK)
        status = snap_run_freeze(run, err);
    if (status == SNAP_OK)
        status = snap_run_check_alarm(run, err);
    if (status == SNAP_OK)
        status = keep(run, &kept, err);
    status = snap_run_begin(run, status, err);
    if (status == SNAP_OK) {
        end_alarm(run);
        commit(run, &kept);
        run->in_step = true;
        run->updating = false;
    }
    release_kept(&run->inventory, &kept);
    return status;
}

static enum snap_status put_stream_back(struct snap_inventory_stream *stream,
                                        struct snap_error *err)
{
    enum snap_status status =
        stream->ops->set(stream->arg, stream->before, stream->before_size, err);
    if (status == SNAP_OK && stream->ops->words_drawn != NULL)
        stream->words_before = stream->ops->words_drawn(stream->arg);
    return status;
}

/* A storage of a device comes whole, with what is in it beside the tensor. */
static enum snap_status put_tensor_back(struct snap_run *run,
                                        const struct snap_inventory_tensor *tensor,
                                        struct snap_error *err)
{
    enum snap_status status = snap_mirror_fetch(run, tensor->storage, err);
    if (status != SNAP_OK)
        return status;
    snap_scatter(tensor->data, tensor->before, snap_dtype_size_bytes(tensor->dtype), tensor->ndim,
                 tensor->shape, tensor->strides);
    return snap_mirror_store(run, tensor->storage, err);
}

enum snap_status snap_run_repeat_step(struct snap_run *run, void *stream, struct snap_error *err)
{
    struct snap_data_doc data = SNAP_DATA_DOC_INIT;
    if (run == NULL || !run->in_step || run->updating)
        return snap_error_set(err, SNAP_INVALID,
                              "step: repeat: none was begun, or its update has begun");
    run->device_stream = stream;
    enum snap_status status =
        snap_data_doc_decode(run->data_before.data, run->data_before.size, &data, err);
    for (size_t i = 0; status == SNAP_OK && i < run->inventory.stream_count; i++)
        status = put_stream_back(&run->inventory.streams[i], err);
    for (size_t i = 0; status == SNAP_OK && i < run->inventory.tensor_count; i++)
        if (run->inventory.tensors[i].before != NULL)
            status = put_tensor_back(run, &run->inventory.tensors[i], err);
    if (status != SNAP_OK) {
        snap_data_doc_release(&data);
        return status;
    }
    snap_data_doc_release(&run->data);
    run->data = data;
    return SNAP_OK;
}

enum snap_status snap_run_cancel_step(struct snap_run *run, struct snap_error *err)
{
    if (run == NULL || !run->in_step || run->updating)
        return snap_error_set(err, SNAP_INVALID,
                              "step: cancel: none was begun, or its update has begun");
    run->in_step = false;
    return SNAP_OK;
}

enum snap_status snap_run_before_update(struct snap_run *run, void *stream, struct snap_error *err)
{
    if (run == NULL || !run->in_step)
        return snap_error_set(err, SNAP_INVALID,
                              "step: before the update: snap_run_begin_step was "
                              "not called");
    run->device_stream = stream;
    enum snap_status status = snap_save_behind_fence(run, stream, err);
    if (status == SNAP_OK)
        run->updating = true;
    return status;
}

uint64_t snap_run_steps_done(const struct snap_run *run)
{
    return run == NULL ? 0 : run->steps_done;
}
