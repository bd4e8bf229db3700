/* SPDX-License-Identifier: Apache-2.0 */
/* IDX, the format of MNIST: two zero bytes, the type of the elements, the number of dimensions,
 * each size as a big-endian 32-bit number, then the elements, last dimension fastest. Files may
 * be compressed with gzip; which they are is seen from their first bytes. */
#ifndef TRN_IDX_H
#define TRN_IDX_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

/* Images have at most samples, height, width and channels. */
#define TRN_IDX_MAX_DIMS 4

/* Bytes in dimensions. The digest is that of the file as it lies on the disk. */
struct trn_idx {
    size_t ndim;
    uint32_t dims[TRN_IDX_MAX_DIMS];
    size_t count;      /* product of dims */
    uint8_t *elements; /* `count`; owned */
    unsigned char sha256[SNAP_DIGEST_BYTES];
    uint64_t file_size;
};

/* Read a whole file. What the header announces is compared with what the file can hold before
 * memory is asked for. SNAP_IO: cannot be read; SNAP_CORRUPT: not IDX, cut, or with bytes left
 * over; SNAP_UNSUPPORTED: elements that are no unsigned bytes, or too many dimensions. */
enum snap_status trn_idx_load(const char *path, struct trn_idx *idx, struct snap_error *err);

/* The same from the bytes of a file; `path` names them in messages. */
enum snap_status trn_idx_decode(const char *path, const uint8_t *bytes, size_t size_bytes,
                                struct trn_idx *idx, struct snap_error *err);

/* Free what it holds; a zeroed struct is fine. */
void trn_idx_release(struct trn_idx *idx);

#endif
