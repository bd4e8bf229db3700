/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRN_DATA_BYTES_H
#define TRN_DATA_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

/* Read a whole file into memory, so that its digest and its content are of the same bytes. *bytes
 * is malloc'd, owned by the caller. SNAP_IO: cannot be read, or not a file. */
enum snap_status trn_data_bytes_read(const char *path, uint8_t **bytes, size_t *size_bytes,
                                     struct snap_error *err);

#endif
