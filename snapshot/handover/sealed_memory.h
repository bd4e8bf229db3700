/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given to another process: made and then closed for changes, or taken from somebody
 * who may be hostile. */
#ifndef SNAP_HANDOVER_SEALED_MEMORY_H
#define SNAP_HANDOVER_SEALED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

struct snap_sealed_memory {
    int fd;              /* -1: none */
    unsigned char *base; /* NULL: not mapped */
    uint64_t size_bytes;
};
#define SNAP_SEALED_MEMORY_INIT                                                                    \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* New memory of zeros, to be filled at `base`. `name` is for /proc alone. SNAP_NO_MEMORY. */
enum snap_status snap_sealed_memory_new(const char *name, uint64_t size_bytes,
                                        struct snap_sealed_memory *memory, struct snap_error *err);
/* It is filled: nobody can change it any more, this process included, and `base` is gone. */
enum snap_status snap_sealed_memory_seal(struct snap_sealed_memory *memory,
                                         struct snap_error *err);

/* How much of the memory must be sealed. */
enum snap_seal {
    SNAP_SEAL_SIZE = 1,   /* it stays as large as it is, so that reading it is safe */
    SNAP_SEAL_CONTENT = 2 /* and its bytes stay */
};
/* Map what somebody else made, for reading; `fd` is consumed in any case. SNAP_INVALID: it is no
 * memory, or not sealed so. `what` names it in messages. */
enum snap_status snap_sealed_memory_take(int fd, enum snap_seal seal, const char *what,
                                         struct snap_sealed_memory *memory,
                                         struct snap_error *err);

/* Is it memory whose size and bytes stay? */
bool snap_memory_is_sealed(int fd);

void snap_sealed_memory_release(struct snap_sealed_memory *memory);
/* Release all but the descriptor, which the caller owns then. */
int snap_sealed_memory_give(struct snap_sealed_memory *memory);

#endif
