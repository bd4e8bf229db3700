/* SPDX-License-Identifier: Apache-2.0 */
/* Where things lie in the tar. A header is a function of name and size, so every offset follows
 * from the list of members. */
#ifndef SNAP_FORMAT_TAR_LAYOUT_H
#define SNAP_FORMAT_TAR_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "format/limits.h"

#define SNAP_TAR_BLOCK_BYTES 512u
/* Two blocks of zeros end the file. */
#define SNAP_TAR_END_BYTES 1024u

/* The header of a member, made by libarchive: a regular file, mode 0644, owner and group 0 without
 * names, time 0. SNAP_INVALID: the name or size needs more than one block. */
enum snap_status snap_tar_header(const char *name, uint64_t size,
                                 unsigned char header[SNAP_TAR_BLOCK_BYTES],
                                 struct snap_error *err);

/* Read name and size back. *exact is false when the block is not exactly what snap_tar_header gives
 * for them; `name` then holds what stands in the name field, as far as it is printable ASCII. */
enum snap_status snap_tar_header_parse(const unsigned char header[SNAP_TAR_BLOCK_BYTES],
                                       char name[SNAP_MAX_MEMBER_NAME_BYTES + 1], uint64_t *size,
                                       bool *exact, struct snap_error *err);

/* Bytes of zeros after a content of this size. */
static inline uint32_t snap_tar_padding(uint64_t size)
{
    return (uint32_t)(-size & (SNAP_TAR_BLOCK_BYTES - 1));
}

/* Header, content and padding. No overflow up to SNAP_MAX_MEMBER_BYTES. */
static inline uint64_t snap_tar_member_bytes(uint64_t size)
{
    return SNAP_TAR_BLOCK_BYTES + size + snap_tar_padding(size);
}

/* data_offsets[i] is where the content of member i begins; *file_size is the whole file. Sizes are
 * at most SNAP_MAX_MEMBER_BYTES, counts at most SNAP_MAX_MEMBERS. */
void snap_tar_layout(const uint64_t *sizes, size_t count, uint64_t *data_offsets,
                     uint64_t *file_size);

#endif
