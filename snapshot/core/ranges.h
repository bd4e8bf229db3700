/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that are read at places: an object of a store, where a file would have a descriptor. */
#ifndef SNAP_CORE_RANGES_H
#define SNAP_CORE_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

struct snap_ranges;

struct snap_ranges_ops {
    /* Read exactly size_bytes at `offset`, within the size. Several threads may call it at once.
     * SNAP_IO: also when what is read was replaced meanwhile. */
    enum snap_status (*read)(struct snap_ranges *ranges, void *data, size_t size_bytes,
                             uint64_t offset, struct snap_error *err);
    void (*close)(struct snap_ranges *ranges);
};

/* Every kind begins with this. */
struct snap_ranges {
    const struct snap_ranges_ops *ops;
    uint64_t size_bytes; /* of all that can be read */
};

/* NULL is fine. */
static inline void snap_ranges_close(struct snap_ranges *ranges)
{
    if (ranges != NULL)
        ranges->ops->close(ranges);
}

#endif
