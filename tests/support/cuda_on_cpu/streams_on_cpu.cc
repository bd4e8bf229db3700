/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, streams and events. Work of a stream is done at once, or is put on a list of all streams'
 * work, in which it has a number: an event is the number of the work that it was recorded after. */
#include "cuda_on_cpu.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime.h>

enum what { COPY, SET, RECORD, WAIT, FREE };

struct work {
    enum what what;
    cudaStream_t stream;
    void *to; /* or what is given back */
    const void *from;
    size_t size_bytes;
    int value;
    cudaMemcpyKind kind;
    size_t awaited; /* the number of the work that is waited for */
    bool done;
};

struct cuda_on_cpu_event {
    size_t number; /* of its record; 0: it was not recorded */
};

#define MOST_WORK 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;
static bool held_back;
static struct work list[MOST_WORK];
static size_t list_count;
static size_t numbered; /* the number of the work before list[0] */

/* What cudaMallocAsync gave knows its size. */
#define HEAD_BYTES 256

void cuda_on_cpu_hold(bool hold)
{
    pthread_mutex_lock(&lock);
    held_back = hold;
    pthread_cond_broadcast(&let_go);
    pthread_mutex_unlock(&lock);
}

static void count_copy(cudaMemcpyKind kind)
{
    __atomic_add_fetch(&cuda_on_cpu.copied[kind], 1, __ATOMIC_SEQ_CST);
}

/* As large as asked for, so that a sanitizer sees its end; aligned and not zeroed, as there. */
static cudaError_t allocate(void **memory, size_t size_bytes)
{
    if (cuda_on_cpu_fails() || size_bytes == 0 || posix_memalign(memory, 256, size_bytes) != 0) {
        return cudaErrorMemoryAllocation;
    }
    memset(*memory, 0xa5, size_bytes);
    __atomic_add_fetch(&cuda_on_cpu.held, 1, __ATOMIC_SEQ_CST);
    return cudaSuccess;
}

static cudaError_t give_back(void *memory)
{
    if (memory != NULL) {
        free(memory);
        __atomic_sub_fetch(&cuda_on_cpu.held, 1, __ATOMIC_SEQ_CST);
    }
    return cudaSuccess;
}

static void give_back_pooled(void *memory)
{
    char *head = static_cast<char *>(memory) - HEAD_BYTES;
    size_t size_bytes;
    memcpy(&size_bytes, head, sizeof(size_bytes));
    __atomic_sub_fetch(&cuda_on_cpu.pooled, size_bytes, __ATOMIC_SEQ_CST);
    (void)give_back(head);
}

static void perform(const struct work *work)
{
    if (work->what == FREE) {
        give_back_pooled(work->to);
    } else if (work->what == SET) {
        memset(work->to, work->value, work->size_bytes);
    } else if (work->what == COPY) {
        count_copy(work->kind);
        if (work->kind == cudaMemcpyDeviceToHost && cuda_on_cpu.late) {
            cuda_on_cpu.leaving -= work->size_bytes;
        }
        if (work->kind == cudaMemcpyDeviceToDevice &&
            cuda_on_cpu.copied[work->kind] == cuda_on_cpu.break_at) {
            cuda_on_cpu.broken = true;
        } else {
            memcpy(work->to, work->from, work->size_bytes);
        }
    }
}

/* The work of that number, and what comes before it in its stream; the lock is held. */
static void work_until(size_t number)
{
    if (number <= numbered) {
        return;
    }
    const cudaStream_t stream = list[number - numbered - 1].stream;
    for (size_t i = 0; i < number - numbered; i++) {
        if (list[i].done || list[i].stream != stream) {
            continue;
        }
        if (list[i].what == WAIT) {
            work_until(list[i].awaited);
        }
        perform(&list[i]);
        list[i].done = true;
    }
}

static void forget_what_is_done(void)
{
    for (size_t i = 0; i < list_count; i++) {
        if (!list[i].done) {
            return;
        }
    }
    numbered += list_count;
    list_count = 0;
}

bool cuda_on_cpu_finish(const void *stream)
{
    pthread_mutex_lock(&lock);
    for (size_t i = list_count; i-- > 0;) {
        if (list[i].stream == stream) {
            work_until(numbered + i + 1);
            break;
        }
    }
    forget_what_is_done();
    const bool broken = cuda_on_cpu.broken;
    pthread_mutex_unlock(&lock);
    return broken;
}

/* Do it now or late; *number is that of late work, 0 of other. */
static cudaError_t submit(struct work work, size_t *number)
{
    if (cuda_on_cpu_fails()) {
        return cudaErrorUnknown;
    }
    if (!cuda_on_cpu.late) {
        perform(&work);
        return cudaSuccess;
    }
    pthread_mutex_lock(&lock);
    if (list_count == MOST_WORK) {
        fprintf(stderr, "cuda_on_cpu: more than %d pieces of late work\n", MOST_WORK);
        abort();
    }
    list[list_count++] = work;
    if (work.what == COPY && work.kind == cudaMemcpyDeviceToHost) {
        cuda_on_cpu.leaving += work.size_bytes;
        if (cuda_on_cpu.leaving > cuda_on_cpu.most_leaving) {
            cuda_on_cpu.most_leaving = cuda_on_cpu.leaving;
        }
    }
    if (number != NULL) {
        *number = numbered + list_count;
    }
    pthread_mutex_unlock(&lock);
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **memory, size_t size_bytes)
{
    return allocate(memory, size_bytes);
}

cudaError_t cudaFree(void *memory)
{
    return give_back(memory);
}

cudaError_t cudaMallocAsync(void **memory, size_t size_bytes, cudaStream_t stream)
{
    void *head = NULL;
    (void)stream;
    if (size_bytes > cuda_on_cpu.available ||
        allocate(&head, HEAD_BYTES + size_bytes) != cudaSuccess) {
        return cudaErrorMemoryAllocation;
    }
    memcpy(head, &size_bytes, sizeof(size_bytes));
    __atomic_add_fetch(&cuda_on_cpu.pooled, size_bytes, __ATOMIC_SEQ_CST);
    *memory = static_cast<char *>(head) + HEAD_BYTES;
    return cudaSuccess;
}

cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream)
{
    struct work work = {};
    work.what = FREE;
    work.stream = stream;
    work.to = memory;
    return submit(work, NULL);
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    *available = *total = cuda_on_cpu.available;
    return cuda_on_cpu_fails() ? cudaErrorUnknown : cudaSuccess;
}

cudaError_t cudaHostAlloc(void **memory, size_t size_bytes, unsigned flags)
{
    (void)flags;
    return allocate(memory, size_bytes);
}

cudaError_t cudaFreeHost(void *memory)
{
    return give_back(memory);
}

cudaError_t cudaHostRegister(void *memory, size_t size_bytes, unsigned flags)
{
    (void)memory;
    (void)size_bytes;
    (void)flags;
    return cuda_on_cpu_fails() ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t cudaHostUnregister(void *memory)
{
    (void)memory;
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t size_bytes, cudaStream_t stream)
{
    struct work work = {};
    work.what = SET;
    work.stream = stream;
    work.to = memory;
    work.value = value;
    work.size_bytes = size_bytes;
    return submit(work, NULL);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size_bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    struct work work = {};
    work.what = COPY;
    work.stream = stream;
    work.to = to;
    work.from = from;
    work.size_bytes = size_bytes;
    work.kind = kind;
    return submit(work, NULL);
}

template <typename Handle> static cudaError_t make_handle(Handle *handle, size_t size_bytes)
{
    void *memory = NULL;
    const cudaError_t result = allocate(&memory, size_bytes);
    *handle = static_cast<Handle>(memory);
    return result;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    (void)flags;
    return make_handle(stream, 1);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    (void)cuda_on_cpu_finish(stream);
    return give_back(stream);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    const bool broken = cuda_on_cpu_finish(stream); /* no work is left behind by a failure */
    return cuda_on_cpu_fails() ? cudaErrorUnknown
           : broken            ? cudaErrorIllegalAddress
                               : cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    struct work work = {};
    (void)flags;
    work.what = WAIT;
    work.stream = stream;
    work.awaited = event->number;
    return submit(work, NULL);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    (void)flags;
    const cudaError_t result = make_handle(event, sizeof(struct cuda_on_cpu_event));
    if (result == cudaSuccess) {
        (*event)->number = 0;
    }
    return result;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    return give_back(event);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    struct work work = {};
    work.what = RECORD;
    work.stream = stream;
    return submit(work, &event->number);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    if (cuda_on_cpu_fails()) {
        return cudaErrorUnknown;
    }
    pthread_mutex_lock(&lock);
    while (held_back) {
        pthread_cond_wait(&let_go, &lock);
    }
    work_until(event->number);
    forget_what_is_done();
    const bool broken = cuda_on_cpu.broken;
    pthread_mutex_unlock(&lock);
    return broken ? cudaErrorIllegalAddress : cudaSuccess;
}
