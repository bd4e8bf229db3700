/* SPDX-License-Identifier: Apache-2.0 */
/* A file that another program wrote, read at any place: from a descriptor, or from memory. */
#ifndef SNAP_FOREIGN_FOREIGN_INPUT_H
#define SNAP_FOREIGN_FOREIGN_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

struct snap_foreign_input {
    const char *name;            /* for messages; borrowed */
    const unsigned char *memory; /* borrowed; NULL: `fd` is read */
    int fd;                      /* owned; -1: `memory` is read */
    uint64_t size;               /* bytes of the file */
};
#define SNAP_FOREIGN_INPUT_INIT                                                                    \
    {                                                                                              \
        NULL, NULL, -1, 0                                                                          \
    }

/* Open a regular file. SNAP_NOT_FOUND, SNAP_IO. `path` is borrowed until the close. */
enum snap_status snap_foreign_input_open(const char *path, struct snap_foreign_input *input,
                                         struct snap_error *err);
/* `data` and `name` are borrowed until the close. */
void snap_foreign_input_memory(const void *data, size_t size_bytes, const char *name,
                               struct snap_foreign_input *input);
void snap_foreign_input_close(struct snap_foreign_input *input);

/* Read exactly `size_bytes` at `offset`. SNAP_CORRUPT when they do not lie inside the file. */
enum snap_status snap_foreign_input_read(const struct snap_foreign_input *input, uint64_t offset,
                                         void *data, size_t size_bytes, struct snap_error *err);
/* The same into new memory, which is asked for only when the bytes are there. *data is freed by
 * the caller with free(); never NULL on success. */
enum snap_status snap_foreign_input_load(const struct snap_foreign_input *input, uint64_t offset,
                                         uint64_t size_bytes, unsigned char **data,
                                         struct snap_error *err);

#endif
