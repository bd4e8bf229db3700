/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "device_copies_test.h"

#include <stdlib.h>

#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static size_t all_bytes(const struct copied_run *training)
{
    return 2 * training->bytes + training->bytes / 4;
}

static enum snap_status told(cudaError_t code, struct snap_error *error)
{
    return code == cudaSuccess ? SNAP_OK
                               : snap_error_set(error, SNAP_IO, "device cuda:0: test: %s",
                                                cudaGetErrorString(code));
}

/* A kernel. */
static enum snap_status set(struct copied_run *training, size_t from, size_t count, int value,
                            struct snap_error *error)
{
    if (!training->on_host)
        return told(cudaMemsetAsync(training->memory + from, value, count, training->stream),
                    error);
    memset(training->memory + from, value, count);
    return SNAP_OK;
}

static enum snap_status add(struct copied_run *training, const char *root, const char *name,
                            size_t at, size_t bytes, bool changes, struct snap_error *error)
{
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    const uint64_t shape[] = { bytes / 4 };
    tensor.root = root;
    tensor.name = name;
    tensor.data = training->memory + at;
    tensor.device.kind = training->on_host ? SNAP_DEVICE_CPU : SNAP_DEVICE_CUDA;
    tensor.dtype = SNAP_F32;
    tensor.ndim = 1;
    tensor.shape = shape;
    tensor.changes_in_forward = changes;
    return snap_run_add_tensor(training->run, &tensor, error);
}

static enum snap_status take_memory(struct copied_run *training, struct snap_error *error)
{
    void *memory = NULL;
    if (training->on_host) {
        training->memory = malloc(all_bytes(training));
        return training->memory != NULL ? SNAP_OK : SNAP_NO_MEMORY;
    }
    cudaError_t code = cudaMalloc(&memory, all_bytes(training));
    if (code == cudaSuccess)
        code = cudaStreamCreateWithFlags(&training->stream, cudaStreamNonBlocking);
    training->memory = memory;
    return told(code, error);
}

enum snap_status copied_run_open(struct copied_run *training, const char *dir,
                                 const char *device_copy, struct snap_error *error)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    const size_t bytes = training->bytes;
    options.dir = dir;
    options.profile = "portable-1";
    options.agent = "";
    options.device_copy = device_copy;
    enum snap_status status = take_memory(training, error);
    if (status == SNAP_OK)
        status = set(training, 0, all_bytes(training), 1, error);
    if (status == SNAP_OK)
        status = snap_run_open(&options, &training->run, error);
    if (status == SNAP_OK)
        status = add(training, "model", "weight", 0, bytes, false, error);
    if (status == SNAP_OK)
        status = add(training, "model", "running", 2 * bytes, bytes / 4, true, error);
    if (status == SNAP_OK)
        status = add(training, "optimizer", "moment", bytes, bytes, false, error);
    if (status == SNAP_OK)
        status =
            snap_run_restore(training->run, SNAP_TIER_EXACT, training->stream, NULL, error);
    return status == SNAP_NOT_FOUND ? SNAP_OK : status;
}

/* Another value in each quarter. */
static enum snap_status change(struct copied_run *training, size_t from, size_t bytes,
                               struct snap_error *error)
{
    const int step = (int)snap_run_steps_done(training->run);
    enum snap_status status = SNAP_OK;
    for (int i = 0; status == SNAP_OK && i < 4; i++)
        status = set(training, from + (size_t)i * (bytes / 4), bytes / 4, 16 * step + i + 2, error);
    return status;
}

enum snap_status copied_run_forward(struct copied_run *training, struct snap_error *error)
{
    const enum snap_status status = snap_run_begin_step(training->run, error);
    return status == SNAP_OK
               ? change(training, 2 * training->bytes, training->bytes / 4, error)
               : status;
}

enum snap_status copied_run_update(struct copied_run *training, struct snap_error *error)
{
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    enum snap_status status = snap_run_before_update(training->run, training->stream, error);
    if (status == SNAP_OK)
        status = change(training, 0, training->bytes, error);
    if (status == SNAP_OK)
        status = change(training, training->bytes, training->bytes, error);
    record.step = snap_run_steps_done(training->run) + 1;
    return status == SNAP_OK ? snap_run_step(training->run, &record, error) : status;
}

enum snap_status copied_run_capture(struct copied_run *training, struct snap_error *error)
{
    return snap_run_capture(training->run, snap_run_steps_done(training->run), training->stream,
                            &training->ticket, error);
}

enum snap_status copied_run_wait(struct copied_run *training, struct snap_error *error)
{
    struct snap_ticket *ticket = training->ticket;
    training->ticket = NULL;
    return snap_run_wait(training->run, ticket, NULL, error);
}

enum snap_status copied_run_close(struct copied_run *training, struct snap_error *error)
{
    const enum snap_status status =
        training->run != NULL ? snap_run_close(training->run, error) : SNAP_OK;
    if (training->on_host) {
        free(training->memory);
    } else {
        if (training->stream != NULL)
            (void)cudaStreamDestroy(training->stream);
        (void)cudaFree(training->memory);
    }
    training->run = NULL;
    training->stream = NULL;
    training->memory = NULL;
    return status;
}

char *copied_run_two_steps(size_t bytes, bool on_host, const char *device_copy)
{
    struct copied_run training = { .bytes = bytes, .on_host = on_host };
    char *dir = toy_folder();
    CHECK_OK(copied_run_open(&training, dir, device_copy, &err));
    CHECK_OK(copied_run_forward(&training, &err));
    CHECK_OK(copied_run_update(&training, &err));
    CHECK_OK(copied_run_capture(&training, &err));
    CHECK_OK(copied_run_forward(&training, &err));
    CHECK_OK(copied_run_update(&training, &err));
    CHECK_OK(copied_run_wait(&training, &err));
    CHECK_OK(copied_run_close(&training, &err));
    return dir;
}

void copied_run_check_same(const char *left, const char *right)
{
    assert_true(toy_same_files(toy_snapshot(left, 1), toy_snapshot(right, 1)));
    assert_true(toy_same_files(toy_path(left, "ledger.jsonl"), toy_path(right, "ledger.jsonl")));
}
