/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "core/file.h"
#include "core/ranges.h"
#include "core/segment.h"

enum snap_status snap_source_read(const struct snap_source *source, void *data, size_t size_bytes,
                                  uint64_t offset, struct snap_error *err)
{
    const struct snap_ranges *ranges = source->ranges;
    if (ranges == NULL)
        return snap_file_pread(source->fd, data, size_bytes, offset, source->what, err);
    if (offset > ranges->size_bytes || size_bytes > ranges->size_bytes - offset)
        return snap_error_set(err, SNAP_CORRUPT, "%s: ends at byte %llu", source->what,
                              (unsigned long long)ranges->size_bytes);
    if (size_bytes == 0)
        return SNAP_OK;
    return ranges->ops->read(source->ranges, data, size_bytes, offset, err);
}
