/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout by cuDNN, and its generator: states in device memory, of a size that the device decides,
 * which every dropout of the model draws from in turn. They are a stream of the run: what
 * cudnnGetDropoutDescriptor points to is copied out, and copied back and bound with
 * cudnnRestoreDropoutDescriptor. A reserve goes from a forward pass to its backward pass; between
 * steps, where the trainer saves, none is pending, and so none is in the state. */
#include "config.h"

#include <stdlib.h>

#include "ops/cudnn/cudnn_library.h"

enum snap_status trn_cudnn_seed_dropout(struct trn_backend *backend, uint64_t seed,
                                        struct snap_error *err)
{
    struct trn_cudnn *l = trn_cudnn_of(backend);
    const struct trn_cudnn_calls *calls = &l->calls;
    void *states = NULL;
    size_t bytes = 0;
    enum snap_status status = trn_cuda_enter(backend, "dropout", err);
    if (status == SNAP_OK) {
        status = trn_cudnn_check(backend, calls->cudnnCreateDropoutDescriptor(&l->dropout),
                                 "make a dropout", err);
    }
    if (status == SNAP_OK) {
        status = trn_cudnn_check(backend, calls->cudnnDropoutGetStatesSize(l->cudnn, &bytes),
                                 "size of the dropout's states", err);
    }
    if (status == SNAP_OK) {
        status = trn_cuda_alloc(backend, bytes, &states, err);
    }
    if (status == SNAP_OK) {
        status = trn_cudnn_check(
            backend,
            calls->cudnnSetDropoutDescriptor(l->dropout, l->cudnn, 0.0f, states, bytes, seed),
            "seed the dropout", err);
        if (status != SNAP_OK) {
            trn_cuda_release(backend, states);
        }
    }
    if (status == SNAP_OK) {
        l->states = states;
        l->states_bytes = bytes;
        l->seed = seed;
    }
    return status;
}

static enum snap_status find_states(struct trn_backend *backend, void **states,
                                    struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    float probability;
    unsigned long long seed;
    enum snap_status status = trn_cuda_enter(backend, "dropout", err);
    if (status != SNAP_OK) {
        return status;
    }
    return trn_cudnn_check(
        backend,
        l->calls.cudnnGetDropoutDescriptor(l->dropout, l->cudnn, &probability, states, &seed),
        "find the dropout's states", err);
}

static enum snap_status get(void *arg, void **bytes, size_t *size_bytes, struct snap_error *err)
{
    struct trn_backend *backend = arg;
    const size_t size = trn_cudnn_of(backend)->states_bytes;
    void *states = NULL;
    void *copy = malloc(size);
    enum snap_status status;
    if (copy == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "the dropout's states: out of host memory");
    }
    status = find_states(backend, &states, err);
    if (status == SNAP_OK) {
        status = trn_cuda_download(backend, copy, states, size, err);
    }
    if (status != SNAP_OK) {
        free(copy);
        return status;
    }
    *bytes = copy;
    *size_bytes = size;
    return SNAP_OK;
}

/* The descriptor at the states, which are as they are, with that probability. */
static enum snap_status bind_states(struct trn_backend *backend, void *states, float probability,
                                    struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    return trn_cudnn_check(backend,
                           l->calls.cudnnRestoreDropoutDescriptor(l->dropout, l->cudnn,
                                                                  probability, states,
                                                                  l->states_bytes, l->seed),
                           "bind the dropout's states", err);
}

static enum snap_status set(void *arg, const void *bytes, size_t size_bytes,
                            struct snap_error *err)
{
    struct trn_backend *backend = arg;
    const size_t size = trn_cudnn_of(backend)->states_bytes;
    void *states = NULL;
    enum snap_status status;
    if (size_bytes != size) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "the dropout's states: %zu bytes, and this device's have %zu: they "
                              "are of another GPU", size_bytes, size);
    }
    status = find_states(backend, &states, err);
    if (status == SNAP_OK) {
        status = trn_cuda_upload(backend, states, bytes, size, err);
    }
    if (status == SNAP_OK) {
        status = bind_states(backend, states, 0.0f, err);
    }
    return status;
}

const struct snap_stream_ops trn_cudnn_dropout_stream = {
    .size_bytes = sizeof(struct snap_stream_ops),
    .get = get,
    .set = set,
};

void trn_cudnn_dropout_free(struct trn_backend *backend)
{
    struct trn_cudnn *l = trn_cudnn_of(backend);
    trn_cuda_release(backend, l->states);
    for (size_t i = 0; i < l->reserve_count; i++) {
        trn_cuda_release(backend, l->reserves[i].memory);
    }
    free(l->reserves);
    if (l->dropout != NULL) {
        (void)l->calls.cudnnDestroyDropoutDescriptor(l->dropout);
    }
}

/* The reserve of layer `op`, with room for what is described in x. */
static enum snap_status find_reserve(struct trn_backend *backend, uint32_t op,
                                     struct trn_cudnn_reserve **reserve, size_t *bytes,
                                     struct snap_error *err)
{
    struct trn_cudnn *l = trn_cudnn_of(backend);
    enum snap_status status;
    if (op >= l->reserve_count) {
        struct trn_cudnn_reserve *more = realloc(l->reserves, (op + 1) * sizeof(*more));
        if (more == NULL) {
            return snap_error_set(err, SNAP_NO_MEMORY, "dropout: out of host memory");
        }
        l->reserves = more;
        for (; l->reserve_count <= op; l->reserve_count++) {
            more[l->reserve_count] = (struct trn_cudnn_reserve){ NULL, 0 };
        }
    }
    *reserve = &l->reserves[op];
    status = trn_cudnn_check(backend, l->calls.cudnnDropoutGetReserveSpaceSize(l->x, bytes),
                             "size of a dropout's reserve", err);
    if (status == SNAP_OK && *bytes > (*reserve)->size_bytes) {
        void *memory = NULL;
        status = trn_cuda_alloc(backend, *bytes, &memory, err);
        if (status == SNAP_OK) {
            trn_cuda_release(backend, (*reserve)->memory);
            **reserve = (struct trn_cudnn_reserve){ memory, *bytes };
        }
    }
    return status;
}

/* The descriptors for n elements, and the reserve. */
static enum snap_status begin(struct trn_backend *backend, const struct trn_dropout *dropout,
                              size_t n, struct trn_cudnn_reserve **reserve, size_t *bytes,
                              struct snap_error *err)
{
    struct trn_cudnn *l = trn_cudnn_of(backend);
    enum snap_status status = trn_cudnn_enter(backend, "dropout", &n, 1, err);
    if (status == SNAP_OK) {
        status = trn_cudnn_check(
            backend,
            l->calls.cudnnSetTensor4dDescriptor(l->x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1,
                                                (int)n, 1, 1),
            "describe a dropout", err);
    }
    if (status == SNAP_OK) {
        status = bind_states(backend, l->states, dropout->probability, err);
    }
    if (status == SNAP_OK) {
        status = find_reserve(backend, dropout->op, reserve, bytes, err);
    }
    return status;
}

enum snap_status trn_cudnn_dropout_forward(struct trn_backend *backend,
                                           const struct trn_dropout *dropout, size_t n,
                                           const float *x, float *y, uint8_t *mask,
                                           struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    struct trn_cudnn_reserve *reserve = NULL;
    size_t bytes = 0;
    enum snap_status status = begin(backend, dropout, n, &reserve, &bytes, err);
    (void)mask;
    if (status != SNAP_OK) {
        return status;
    }
    return trn_cudnn_check(backend,
                           l->calls.cudnnDropoutForward(l->cudnn, l->dropout, l->x, x, l->x, y,
                                                        reserve->memory, bytes),
                           "dropout", err);
}

enum snap_status trn_cudnn_dropout_backward(struct trn_backend *backend,
                                            const struct trn_dropout *dropout, size_t n,
                                            const uint8_t *mask, const float *dy, float *dx,
                                            struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    struct trn_cudnn_reserve *reserve = NULL;
    size_t bytes = 0;
    enum snap_status status = begin(backend, dropout, n, &reserve, &bytes, err);
    (void)mask;
    if (status != SNAP_OK) {
        return status;
    }
    return trn_cudnn_check(backend,
                           l->calls.cudnnDropoutBackward(l->cudnn, l->dropout, l->x, dy, l->x, dx,
                                                         reserve->memory, bytes),
                           "dropout, backward", err);
}
