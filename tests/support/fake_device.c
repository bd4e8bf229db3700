/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "device/device_ops.h"
#include "digest/sha256.h"
#include "digest/tree_digest.h"
#include "fake_device.h"

#define DEVICES 2
#define MAX_COPIES 64

bool fake_fail_to_host;
bool fake_fail_to_device;
bool fake_fail_digests;
bool fake_flip;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static unsigned char *memory;
static size_t memory_bytes;
static unsigned opened;
static struct fake_counts counts;

struct snap_device_digester {
    unsigned char *digests;
};

struct snap_device_copies {
    bool made;
    size_t room_bytes; /* of what was announced and did not come */
    size_t count;
    struct {
        void *host;
        const void *device;
        size_t size_bytes;
    } list[MAX_COPIES];
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fake device: %s\n", what);
    abort();
}

static void open_memory(void)
{
    if (opened++ == 0)
        must(mprotect(memory, memory_bytes, PROT_READ | PROT_WRITE) == 0, "open");
}

static void close_memory(void)
{
    if (--opened == 0)
        must(mprotect(memory, memory_bytes, PROT_NONE) == 0, "close");
}

void *fake_device_memory(size_t size_bytes)
{
    memory_bytes = (size_bytes + 4095) / 4096 * 4096;
    memory = mmap(NULL, memory_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED, "memory");
    return memory;
}

void fake_device_free(void)
{
    munmap(memory, memory_bytes);
    memory = NULL;
}

/* The lock is held while a kernel runs: on a device too, it and a copy of its stream take turns. */
void fake_kernel_begin(void)
{
    pthread_mutex_lock(&lock);
    open_memory();
}

void fake_kernel_end(void)
{
    close_memory();
    pthread_mutex_unlock(&lock);
}

struct fake_counts fake_device_counts(void)
{
    pthread_mutex_lock(&lock);
    struct fake_counts now = counts;
    counts = (struct fake_counts){ .pinned = now.pinned };
    pthread_mutex_unlock(&lock);
    return now;
}

static bool is_inside(const void *device, size_t size_bytes)
{
    uintptr_t at = (uintptr_t)device;
    uintptr_t base = (uintptr_t)memory;
    return at >= base && at + size_bytes <= base + memory_bytes;
}

static enum snap_status check(int index, struct snap_error *err)
{
    if (index >= 0 && index < DEVICES)
        return SNAP_OK;
    return snap_error_set(err, SNAP_UNSUPPORTED, "device cuda:%d: this machine has %d", index,
                          DEVICES);
}

static enum snap_status to_host(int index, void *host, const void *device, size_t size_bytes,
                                void *stream, struct snap_error *err)
{
    must(is_inside(device, size_bytes), "a copy from outside of its memory");
    if (fake_fail_to_host)
        return snap_error_set(err, SNAP_IO, "device cuda:%d: copy to the host: it fell off", index);
    pthread_mutex_lock(&lock);
    open_memory();
    memcpy(host, device, size_bytes);
    close_memory();
    ((unsigned char *)host)[0] ^= fake_flip;
    counts.to_host++;
    counts.stream = stream;
    pthread_mutex_unlock(&lock);
    return SNAP_OK;
}

static enum snap_status to_device(int index, void *device, const void *host, size_t size_bytes,
                                  void *stream, struct snap_error *err)
{
    must(is_inside(device, size_bytes), "a copy to outside of its memory");
    if (fake_fail_to_device)
        return snap_error_set(err, SNAP_IO, "device cuda:%d: copy to the device: it fell off",
                              index);
    pthread_mutex_lock(&lock);
    open_memory();
    memcpy(device, host, size_bytes);
    close_memory();
    counts.to_device++;
    counts.stream = stream;
    pthread_mutex_unlock(&lock);
    return SNAP_OK;
}

static enum snap_status copies_new(int index, const struct snap_device_room *room, void *stream,
                                   struct snap_device_copies **copies, struct snap_error *err)
{
    (void)index;
    *copies = calloc(1, sizeof **copies);
    if (*copies == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "fake device: out of memory");
    (*copies)->room_bytes = room->size_bytes;
    counts.stream = stream;
    return SNAP_OK;
}

static enum snap_status copies_add(struct snap_device_copies *copies, void *host,
                                   const void *device, size_t size_bytes, bool early,
                                   struct snap_error *err)
{
    size_t padded = (size_bytes + SNAP_DEVICE_ALIGN - 1) / SNAP_DEVICE_ALIGN * SNAP_DEVICE_ALIGN;
    must(is_inside(device, size_bytes), "a copy from outside of its memory");
    must(copies->count < MAX_COPIES, "too many copies");
    must(padded <= copies->room_bytes, "more copies than were announced");
    copies->room_bytes -= padded;
    if (early)
        return to_host(0, host, device, size_bytes, counts.stream, err);
    copies->list[copies->count].host = host;
    copies->list[copies->count].device = device;
    copies->list[copies->count++].size_bytes = size_bytes;
    return SNAP_OK;
}

static enum snap_status copies_close(struct snap_device_copies *copies, struct snap_error *err)
{
    (void)copies;
    (void)err;
    return SNAP_OK;
}

static void make(struct snap_device_copies *copies)
{
    pthread_mutex_lock(&lock);
    open_memory();
    for (size_t i = 0; !copies->made && i < copies->count; i++, counts.behind++)
        memcpy(copies->list[i].host, copies->list[i].device, copies->list[i].size_bytes);
    copies->made = true;
    close_memory();
    pthread_mutex_unlock(&lock);
}

static enum snap_status copies_fence(struct snap_device_copies *copies, void *stream,
                                     struct snap_error *err)
{
    (void)err;
    make(copies);
    counts.fences++;
    counts.stream = stream;
    return SNAP_OK;
}

static enum snap_status copies_wait(struct snap_device_copies *copies, struct snap_error *err)
{
    if (fake_fail_to_host)
        return snap_error_set(err, SNAP_IO, "device cuda:0: wait for copies: it fell off");
    make(copies);
    return SNAP_OK;
}

static void copies_free(struct snap_device_copies *copies)
{
    free(copies);
}

static bool pin(void *host, size_t size_bytes)
{
    (void)host;
    counts.pinned += size_bytes > 0;
    return true;
}

static void unpin(void *host)
{
    (void)host;
    counts.pinned--;
}

static enum snap_status digester_new(int index, struct snap_device_digester **digester,
                                     struct snap_error *err)
{
    (void)index;
    *digester = calloc(1, sizeof **digester);
    return *digester != NULL ? SNAP_OK
                             : snap_error_set(err, SNAP_NO_MEMORY, "fake device: out of memory");
}

static void digest_piece(const struct snap_device_piece *piece, unsigned char *digests)
{
    const unsigned char *data = piece->device;
    must(is_inside(data, piece->size_bytes), "a digest of what is outside of its memory");
    for (size_t at = 0; at < piece->size_bytes; at += SNAP_TREE_LEAF_BYTES) {
        size_t rest = piece->size_bytes - at;
        size_t leaf = rest < SNAP_TREE_LEAF_BYTES ? rest : SNAP_TREE_LEAF_BYTES;
        must(snap_sha256(data + at, leaf, digests, NULL) == SNAP_OK, "SHA-256");
        digests += SNAP_DIGEST_BYTES;
    }
}

static enum snap_status digest_leaves(struct snap_device_digester *digester,
                                      const struct snap_device_piece *pieces, size_t count,
                                      void *stream, const unsigned char **digests,
                                      struct snap_error *err)
{
    size_t leaves = 0;
    if (fake_fail_digests)
        return snap_error_set(err, SNAP_IO, "device cuda:0: digest of the state: it fell off");
    for (size_t i = 0; i < count; i++)
        leaves += snap_tree_leaf_count(pieces[i].size_bytes);
    free(digester->digests);
    digester->digests = malloc(leaves * SNAP_DIGEST_BYTES + 1);
    must(digester->digests != NULL, "memory");
    *digests = digester->digests;
    pthread_mutex_lock(&lock);
    open_memory();
    for (size_t i = 0, first = 0; i < count; i++) {
        digest_piece(&pieces[i], digester->digests + first * SNAP_DIGEST_BYTES);
        first += snap_tree_leaf_count(pieces[i].size_bytes);
    }
    close_memory();
    counts.digested += (unsigned)count;
    counts.stream = stream;
    pthread_mutex_unlock(&lock);
    return SNAP_OK;
}

static void digester_free(struct snap_device_digester *digester)
{
    if (digester != NULL)
        free(digester->digests);
    free(digester);
}

const struct snap_device_ops *snap_device_cuda(void)
{
    static const struct snap_device_ops ops = {
        .check = check,
        .to_host = to_host,
        .to_device = to_device,
        .copies_new = copies_new,
        .copies_add = copies_add,
        .copies_close = copies_close,
        .copies_fence = copies_fence,
        .copies_wait = copies_wait,
        .copies_free = copies_free,
        .pin = pin,
        .unpin = unpin,
        .digester_new = digester_new,
        .digest_leaves = digest_leaves,
        .digester_free = digester_free,
    };
    return &ops;
}
