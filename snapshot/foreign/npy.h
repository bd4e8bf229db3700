/* SPDX-License-Identifier: Apache-2.0 */
/* .npy files of NumPy, versions 1 to 3. The header is the text of a dict of Python with three
 * keys, which is read by its grammar and never evaluated. */
#ifndef SNAP_FOREIGN_NPY_H
#define SNAP_FOREIGN_NPY_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>
#include <snapstate/tree.h>

#include "core/buffer.h"
#include "foreign/foreign_tensor.h"

/* Bytes at the beginning of a file that tell such files. */
#define SNAP_NPY_MAGIC "\x93NUMPY"
#define SNAP_NPY_MAGIC_BYTES 6

/* Read the header of a file of `file_size` bytes, of which the first `size_bytes` are at `data`:
 * as many as there are, or SNAP_NPY_HEADER_BYTES. *offset is where the elements begin; they reach
 * to the end of the file. `tensor` gets no data. SNAP_UNSUPPORTED: elements that are no
 * numbers. */
#define SNAP_NPY_HEADER_BYTES (12u + SNAP_MAX_NPY_HEADER_BYTES)
enum snap_status snap_npy_read_header(const unsigned char *data, size_t size_bytes,
                                      uint64_t file_size, const char *what,
                                      struct snap_foreign_tensor *tensor, uint64_t *offset,
                                      struct snap_error *err);

/* Append the header of a file of version 1: magic, dict, and spaces so that the elements begin at
 * a multiple of 64. SNAP_UNSUPPORTED: NumPy has no such dtype. */
enum snap_status snap_npy_write_header(enum snap_dtype dtype, size_t ndim, const uint64_t *shape,
                                       struct snap_buffer *out, struct snap_error *err);

#endif
