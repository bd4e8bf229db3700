/* SPDX-License-Identifier: Apache-2.0 */
/* Copies by the CUDA runtime; digests are in cuda_tree_digest.cu. The device that the caller has
 * made current stays so. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include <cuda_runtime_api.h>

#include "core/array.h"
#include "device/cuda_tree_digest.h"
#include "device/device_ops.h"

/* Room is plenty when this many times what is taken of a device's memory stays free. A trainer's
 * allocator asks for more when shapes grow, and would fail for what is taken here: four fifths of
 * what was free are its own all the same. Memory that it holds and does not use counts as taken. */
#define SPARE 4u

/* Out of the device, one engine makes the copies of all streams in the order in which they were
 * asked for: a loop that reads its loss would wait for a whole state. So no more than two turns are
 * asked for ahead. */
#define TURNS 2u
/* A turn ends with so many bytes or copies: a copy takes some microseconds, however short. */
#define TURN_BYTES ((size_t)4 << 20)
#define TURN_COPIES 64u

/* A piece within the device, on its way out. */
struct leaving {
    void *host;
    const void *from;
    size_t size_bytes;
};

/* A thread sleeps until it happens. */
#define AWAITED_EVENT (cudaEventDisableTiming | cudaEventBlockingSync)

struct snap_device_copies {
    int index;
    cudaStream_t callers;
    cudaStream_t stream; /* of their own: nothing of the caller's waits for them unasked */
    cudaEvent_t copied;  /* the pieces were read */
    cudaEvent_t done;
    unsigned char *room; /* of the device; NULL: they go straight */
    size_t used;         /* bytes of it */
    struct leaving *leaving; /* all that are in the room */
    size_t leaving_count;
    pthread_mutex_t lock; /* of the room and its failure, once they are closed */
    cudaError_t failure;  /* of leaving it */
    cudaEvent_t turns[TURNS];
};

static enum snap_status fail(int index, const char *action, cudaError_t code,
                             struct snap_error *err)
{
    enum snap_status status = code == cudaErrorMemoryAllocation ? SNAP_NO_MEMORY : SNAP_IO;
    (void)cudaGetLastError(); /* it is told here, and not again by the caller's next call */
    return snap_error_set(err, status, "device cuda:%d: %s: %s", index, action,
                          cudaGetErrorString(code));
}

/* Make the device current; *before is the one that was. */
static enum snap_status enter(int index, int *before, struct snap_error *err)
{
    cudaError_t code = cudaGetDevice(before);
    if (code == cudaSuccess && *before != index)
        code = cudaSetDevice(index);
    return code == cudaSuccess ? SNAP_OK : fail(index, "select it", code, err);
}

static void leave(int index, int before)
{
    if (before != index)
        (void)cudaSetDevice(before); /* it was current a moment ago */
}

static enum snap_status cuda_check(int index, struct snap_error *err)
{
    int count = 0;
    cudaError_t code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess) {
        (void)cudaGetLastError();
        return snap_error_set(err, SNAP_UNSUPPORTED, "device cuda:%d: this machine has none: %s",
                              index, cudaGetErrorString(code));
    }
    if (index < 0 || index >= count)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "device cuda:%d: this machine has %d, numbered from 0", index, count);
    return SNAP_OK;
}

static enum snap_status copy_now(int index, void *to, const void *from, size_t size_bytes,
                                 enum cudaMemcpyKind kind, void *stream, struct snap_error *err)
{
    int before = 0;
    enum snap_status status = enter(index, &before, err);
    if (status != SNAP_OK)
        return status;
    cudaError_t code = cudaMemcpyAsync(to, from, size_bytes, kind, stream);
    if (code == cudaSuccess)
        code = cudaStreamSynchronize(stream);
    leave(index, before);
    return code == cudaSuccess ? SNAP_OK
                               : fail(index,
                                      kind == cudaMemcpyDeviceToHost ? "copy to the host"
                                                                     : "copy to the device",
                                      code, err);
}

static enum snap_status cuda_to_host(int index, void *host, const void *device, size_t size_bytes,
                                     void *stream, struct snap_error *err)
{
    return copy_now(index, host, device, size_bytes, cudaMemcpyDeviceToHost, stream, err);
}

static enum snap_status cuda_to_device(int index, void *device, const void *host,
                                       size_t size_bytes, void *stream, struct snap_error *err)
{
    return copy_now(index, device, host, size_bytes, cudaMemcpyHostToDevice, stream, err);
}

static void cuda_copies_free(struct snap_device_copies *copies)
{
    int before = 0;
    if (copies == NULL)
        return;
    if (copies->stream != NULL)
        (void)cudaStreamSynchronize(copies->stream); /* a failure was told by copies_wait */
    if (copies->room != NULL && enter(copies->index, &before, NULL) == SNAP_OK) {
        /* They failed before they were closed. Their own stream is done with it: */
        (void)cudaFreeAsync(copies->room, copies->callers);
        leave(copies->index, before);
    }
    if (copies->stream != NULL)
        (void)cudaStreamDestroy(copies->stream);
    if (copies->copied != NULL)
        (void)cudaEventDestroy(copies->copied);
    if (copies->done != NULL)
        (void)cudaEventDestroy(copies->done);
    for (unsigned i = 0; i < TURNS; i++)
        if (copies->turns[i] != NULL)
            (void)cudaEventDestroy(copies->turns[i]);
    pthread_mutex_destroy(&copies->lock);
    free(copies->leaving);
    free(copies);
}

/* Memory of the current device for the copies, in the order of the stream; NULL: none. It is the
 * pool's, and so the device's again when it is freed, without a wait for the whole device. */
static void *take_room(const struct snap_device_room *room, cudaStream_t stream)
{
    size_t spare = 0;
    size_t total;
    void *taken = NULL;
    if (room->first == SNAP_DEVICE_FIRST_NEVER || room->size_bytes == 0)
        return NULL;
    cudaError_t code = cudaSuccess;
    if (room->first == SNAP_DEVICE_FIRST_PLENTY)
        code = cudaMemGetInfo(&spare, &total);
    if (code == cudaSuccess && room->first == SNAP_DEVICE_FIRST_PLENTY &&
        room->size_bytes > spare / (1 + SPARE))
        return NULL;
    if (code == cudaSuccess)
        code = cudaMallocAsync(&taken, room->size_bytes, stream);
    if (code == cudaSuccess)
        return taken;
    (void)cudaGetLastError(); /* none is needed; a device that is broken fails the next call too */
    return NULL;
}

/* Their own stream goes on after what is in the caller's now. The event serves twice: a wait is for
 * what was recorded when it was asked for. */
static cudaError_t follow(struct snap_device_copies *copies)
{
    cudaError_t code = cudaEventRecord(copies->copied, copies->callers);
    return code == cudaSuccess ? cudaStreamWaitEvent(copies->stream, copies->copied, 0) : code;
}

static enum snap_status cuda_copies_new(int index, const struct snap_device_room *room,
                                        void *stream, struct snap_device_copies **copies,
                                        struct snap_error *err)
{
    int before = 0;
    struct snap_device_copies *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "device cuda:%d: copies: out of memory", index);
    enum snap_status status = enter(index, &before, err);
    if (status != SNAP_OK) {
        free(made);
        return status;
    }
    made->index = index;
    made->callers = stream;
    pthread_mutex_init(&made->lock, NULL);
    cudaError_t code = cudaStreamCreateWithFlags(&made->stream, cudaStreamNonBlocking);
    if (code == cudaSuccess)
        code = cudaEventCreateWithFlags(&made->copied, cudaEventDisableTiming);
    if (code == cudaSuccess)
        code = cudaEventCreateWithFlags(&made->done, AWAITED_EVENT);
    for (unsigned i = 0; code == cudaSuccess && i < TURNS; i++)
        code = cudaEventCreateWithFlags(&made->turns[i], AWAITED_EVENT);
    if (code == cudaSuccess)
        made->room = take_room(room, stream);
    if (code == cudaSuccess)
        code = follow(made);
    leave(index, before);
    if (code != cudaSuccess) {
        status = fail(index, "begin copies to the host", code, err);
        cuda_copies_free(made);
        return status;
    }
    *copies = made;
    return SNAP_OK;
}

/* Into the room; out of it when all are there. */
static enum snap_status copy_within(struct snap_device_copies *copies, void *host,
                                    const void *device, size_t size_bytes, bool early,
                                    struct snap_error *err)
{
    int before = 0;
    void *grown =
        snap_array_grow(copies->leaving, copies->leaving_count, sizeof *copies->leaving);
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "device cuda:%d: copies: out of memory",
                              copies->index);
    copies->leaving = grown;
    enum snap_status status = enter(copies->index, &before, err); /* whose default stream it is */
    if (status != SNAP_OK)
        return status;
    unsigned char *place = copies->room + copies->used;
    cudaError_t code = cudaMemcpyAsync(place, device, size_bytes, cudaMemcpyDeviceToDevice,
                                       early ? copies->callers : copies->stream);
    leave(copies->index, before);
    if (code != cudaSuccess)
        return fail(copies->index, "copy within the device", code, err);
    copies->used += (size_bytes + SNAP_DEVICE_ALIGN - 1) / SNAP_DEVICE_ALIGN * SNAP_DEVICE_ALIGN;
    copies->leaving[copies->leaving_count++] =
        (struct leaving){ .host = host, .from = place, .size_bytes = size_bytes };
    return SNAP_OK;
}

static enum snap_status cuda_copies_add(struct snap_device_copies *copies, void *host,
                                        const void *device, size_t size_bytes, bool early,
                                        struct snap_error *err)
{
    if (copies->room != NULL)
        return copy_within(copies, host, device, size_bytes, early, err);
    if (early)
        return cuda_to_host(copies->index, host, device, size_bytes, copies->callers, err);
    cudaError_t code =
        cudaMemcpyAsync(host, device, size_bytes, cudaMemcpyDeviceToHost, copies->stream);
    return code == cudaSuccess ? SNAP_OK : fail(copies->index, "copy to the host", code, err);
}

static enum snap_status cuda_copies_close(struct snap_device_copies *copies,
                                          struct snap_error *err)
{
    int before = 0;
    enum snap_status status = enter(copies->index, &before, err);
    if (status != SNAP_OK)
        return status;
    cudaError_t code = copies->room != NULL ? follow(copies) : cudaSuccess; /* early ones */
    if (code == cudaSuccess)
        code = cudaEventRecord(copies->copied, copies->stream);
    if (code == cudaSuccess && copies->room == NULL)
        code = cudaEventRecord(copies->done, copies->stream);
    leave(copies->index, before);
    return code == cudaSuccess ? SNAP_OK : fail(copies->index, "end copies", code, err);
}

static enum snap_status cuda_copies_fence(struct snap_device_copies *copies, void *stream,
                                          struct snap_error *err)
{
    int before = 0;
    enum snap_status status = enter(copies->index, &before, err); /* whose default stream it is */
    if (status != SNAP_OK)
        return status;
    cudaError_t code = cudaStreamWaitEvent(stream, copies->copied, 0);
    leave(copies->index, before);
    return code == cudaSuccess ? SNAP_OK
                               : fail(copies->index, "hold the update until the state is copied",
                                      code, err);
}

/* Ask for the copies out of the room, in turns, and give it back. */
static cudaError_t go_out(struct snap_device_copies *copies)
{
    cudaError_t code = cudaSuccess;
    size_t in_turn = 0;
    unsigned copies_in_turn = 0;
    unsigned asked = 0;
    for (size_t i = 0; i < copies->leaving_count; i++) {
        const struct leaving *piece = &copies->leaving[i];
        for (size_t at = 0; code == cudaSuccess && at < piece->size_bytes;) {
            size_t size = piece->size_bytes - at;
            if (size > TURN_BYTES - in_turn)
                size = TURN_BYTES - in_turn;
            code = cudaMemcpyAsync((unsigned char *)piece->host + at,
                                   (const unsigned char *)piece->from + at, size,
                                   cudaMemcpyDeviceToHost, copies->stream);
            at += size;
            in_turn += size;
            copies_in_turn++;
            if (code != cudaSuccess || (in_turn < TURN_BYTES && copies_in_turn < TURN_COPIES))
                continue;
            code = cudaEventRecord(copies->turns[asked++ % TURNS], copies->stream);
            if (code == cudaSuccess && asked >= TURNS)
                code = cudaEventSynchronize(copies->turns[asked % TURNS]);
            in_turn = copies_in_turn = 0;
        }
    }
    if (code == cudaSuccess)
        code = cudaFreeAsync(copies->room, copies->stream);
    if (code == cudaSuccess)
        copies->room = NULL;
    return code == cudaSuccess ? cudaEventRecord(copies->done, copies->stream) : code;
}

static enum snap_status cuda_copies_wait(struct snap_device_copies *copies, struct snap_error *err)
{
    int before = 0;
    enum snap_status status = enter(copies->index, &before, err);
    if (status != SNAP_OK)
        return status;
    pthread_mutex_lock(&copies->lock);
    if (copies->room != NULL && copies->failure == cudaSuccess)
        copies->failure = go_out(copies);
    const char *action = "copy to the host";
    cudaError_t code = copies->failure;
    pthread_mutex_unlock(&copies->lock);
    if (code == cudaSuccess) {
        action = "wait for copies";
        code = cudaEventSynchronize(copies->done);
    }
    leave(copies->index, before);
    return code == cudaSuccess ? SNAP_OK : fail(copies->index, action, code, err);
}

static bool cuda_pin(void *host, size_t size_bytes)
{
    bool pinned =
        cudaHostRegister(host, size_bytes, cudaHostRegisterPortable) == cudaSuccess;
    if (!pinned)
        (void)cudaGetLastError();
    return pinned;
}

static void cuda_unpin(void *host)
{
    (void)cudaHostUnregister(host); /* it was registered */
}

const struct snap_device_ops *snap_device_cuda(void)
{
    static const struct snap_device_ops ops = {
        .check = cuda_check,
        .to_host = cuda_to_host,
        .to_device = cuda_to_device,
        .copies_new = cuda_copies_new,
        .copies_add = cuda_copies_add,
        .copies_close = cuda_copies_close,
        .copies_fence = cuda_copies_fence,
        .copies_wait = cuda_copies_wait,
        .copies_free = cuda_copies_free,
        .pin = cuda_pin,
        .unpin = cuda_unpin,
        .digester_new = snap_cuda_digester_new,
        .digest_leaves = snap_cuda_digest_leaves,
        .digester_free = snap_cuda_digester_free,
    };
    return &ops;
}
