/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of device does for the run: copies between its memory and the host's, and digests of
 * what lies in its memory. */
#ifndef SNAP_DEVICE_DEVICE_OPS_H
#define SNAP_DEVICE_DEVICE_OPS_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/device.h>
#include <snapstate/status.h>

/* Copies to the host that go on by themselves. */
struct snap_device_copies;

/* Makes digests of what lies in a device's memory, and has the memory for that. */
struct snap_device_digester;

/* Contiguous memory of a device. */
struct snap_device_piece {
    const void *device;
    size_t size_bytes;
};

/* Are copies to the host first made within the device, and leave it from there? */
enum snap_device_first {
    SNAP_DEVICE_FIRST_PLENTY, /* where room is plenty */
    SNAP_DEVICE_FIRST_ALWAYS, /* where there is any */
    SNAP_DEVICE_FIRST_NEVER
};

/* What will be added to copies. */
struct snap_device_room {
    enum snap_device_first first;
    /* The sizes of all pieces, each rounded up to SNAP_DEVICE_ALIGN; each is added once. */
    size_t size_bytes;
};
/* What allocators of devices align to. */
#define SNAP_DEVICE_ALIGN 256u

/* `index` is a device's number, `stream` a stream of its runtime (a cudaStream_t), NULL the default
 * one. A failure names the device and the runtime's reason; its status is SNAP_IO, or
 * SNAP_NO_MEMORY. */
struct snap_device_ops {
    /* Is it there? SNAP_UNSUPPORTED: no. */
    enum snap_status (*check)(int index, struct snap_error *err);
    /* After what is in the stream; done on return. */
    enum snap_status (*to_host)(int index, void *host, const void *device, size_t size_bytes,
                                void *stream, struct snap_error *err);
    enum snap_status (*to_device)(int index, void *device, const void *host, size_t size_bytes,
                                  void *stream, struct snap_error *err);
    /* Copies that begin after what is in the stream now, and do not hold up what comes later in it.
     * With room for them the device copies within its memory first: that is what the fence is for
     * then, and they reach the host while copies_wait waits, little by little, so that other copies
     * to the host get their turn (of several devices, those of one after those of another).
     * Without, they go straight: no failure. The room is given back when the last of them has left
     * it. Owned by the caller, who frees them after copies_wait. */
    enum snap_status (*copies_new)(int index, const struct snap_device_room *room, void *stream,
                                   struct snap_device_copies **copies, struct snap_error *err);
    /* `early`: what comes later in the stream may change the piece without a fence; it is copied
     * before that. */
    enum snap_status (*copies_add)(struct snap_device_copies *copies, void *host,
                                   const void *device, size_t size_bytes, bool early,
                                   struct snap_error *err);
    /* All of them are added. */
    enum snap_status (*copies_close)(struct snap_device_copies *copies, struct snap_error *err);
    /* What comes later in the stream begins after the pieces were read. */
    enum snap_status (*copies_fence)(struct snap_device_copies *copies, void *stream,
                                     struct snap_error *err);
    /* They are in the host's memory on return. By any thread, and by two at once. */
    enum snap_status (*copies_wait)(struct snap_device_copies *copies, struct snap_error *err);
    void (*copies_free)(struct snap_device_copies *copies); /* waits; NULL is fine */
    /* Make host memory one that copies go to at full speed. False: it stays as it is, and copies to
     * it are right all the same. */
    bool (*pin)(void *host, size_t size_bytes);
    void (*unpin)(void *host);
    /* (optional, all three; defaults to digests by the host, of copies) */
    enum snap_status (*digester_new)(int index, struct snap_device_digester **digester,
                                     struct snap_error *err);
    /* The SHA-256 of every leaf of 4 KiB of each piece, the last one of a piece shorter
     * (digest/tree_digest.h), piece after piece, 32 bytes each. After what is in the stream, and
     * done on return. *digests is the digester's, until its next call. */
    enum snap_status (*digest_leaves)(struct snap_device_digester *digester,
                                      const struct snap_device_piece *pieces, size_t count,
                                      void *stream, const unsigned char **digests,
                                      struct snap_error *err);
    void (*digester_free)(struct snap_device_digester *digester); /* NULL is fine */
};

/* CUDA's; NULL: it was not built in. */
const struct snap_device_ops *snap_device_cuda(void);
/* The operations of that device, which is there. SNAP_UNSUPPORTED: it is not, or was not built
 * in. *ops NULL: it is the host. */
enum snap_status snap_device_find(struct snap_device device, const struct snap_device_ops **ops,
                                  struct snap_error *err);

#endif
