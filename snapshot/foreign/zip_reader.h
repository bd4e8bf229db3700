/* SPDX-License-Identifier: Apache-2.0 */
/* Zip files as torch.save and numpy.savez write them, stored or deflated, zip64 or not. The
 * central directory must stand where the end of the file says, agree with every local header, and
 * name no entry twice; entries must not overlap; CRCs are compared. Encrypted files, several disks
 * and other methods are refused. */
#ifndef SNAP_FOREIGN_ZIP_READER_H
#define SNAP_FOREIGN_ZIP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "foreign/foreign_input.h"

struct snap_zip_entry {
    char *name;           /* UTF-8 without NUL */
    uint64_t size;        /* bytes of its content */
    uint64_t packed_size; /* bytes in the file: the same unless it is deflated */
    uint64_t offset;      /* of these */
    uint32_t crc;         /* of its content */
    bool deflated;
};

struct snap_zip;

/* `input` is borrowed until the close. SNAP_CORRUPT: no such file. SNAP_UNSUPPORTED. */
enum snap_status snap_zip_open(const struct snap_foreign_input *input, struct snap_zip **zip,
                               struct snap_error *err);
/* NULL is fine. */
void snap_zip_close(struct snap_zip *zip);

/* Entries in the order of the directory; borrowed. */
size_t snap_zip_count(const struct snap_zip *zip);
const struct snap_zip_entry *snap_zip_at(const struct snap_zip *zip, size_t index);
/* NULL when there is none of that name. */
const struct snap_zip_entry *snap_zip_find(const struct snap_zip *zip, const char *name);

/* The content of an entry, in new memory that the caller frees with free(). */
enum snap_status snap_zip_load(struct snap_zip *zip, const struct snap_zip_entry *entry,
                               unsigned char **data, struct snap_error *err);

#endif
