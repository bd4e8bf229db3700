/* SPDX-License-Identifier: Apache-2.0 */
/* Zip files of stored entries, as torch.load and numpy.load read them: no times, content at
 * multiples of 64 bytes, zip64 where a size needs it. The file is a list of pieces of memory. */
#ifndef SNAP_FOREIGN_ZIP_WRITER_H
#define SNAP_FOREIGN_ZIP_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "core/segment.h"

struct snap_zip_writer;

enum snap_status snap_zip_writer_new(struct snap_zip_writer **writer, struct snap_error *err);
/* NULL is fine. */
void snap_zip_writer_free(struct snap_zip_writer *writer);

/* Add an entry. `data` is borrowed until the free. */
enum snap_status snap_zip_writer_add(struct snap_zip_writer *writer, const char *name,
                                     const void *data, uint64_t size_bytes, struct snap_error *err);
/* The whole file: after the last entry, once. Borrowed until the free. */
enum snap_status snap_zip_writer_finish(struct snap_zip_writer *writer,
                                        const struct snap_segment **segments, size_t *count,
                                        struct snap_error *err);

#endif
