/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors files: the length of a header of JSON, the header, and the tensors one after the
 * other, without a gap. */
#ifndef SNAP_FOREIGN_SAFETENSORS_H
#define SNAP_FOREIGN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>
#include <snapstate/tree.h>

#include "core/buffer.h"
#include "foreign/foreign_input.h"
#include "foreign/foreign_tensor.h"

struct snap_safetensor {
    char *name;
    struct snap_foreign_tensor tensor; /* without data; in C order */
    uint64_t offset;                   /* of its bytes in the file */
    uint64_t size_bytes;
};

struct snap_safetensors {
    struct snap_safetensor *tensors; /* in the order of their bytes in the file */
    size_t count;
    char **keys; /* of the metadata, in order; and their texts */
    char **texts;
    size_t key_count;
};
#define SNAP_SAFETENSORS_INIT                                                                      \
    {                                                                                              \
        NULL, 0, NULL, NULL, 0                                                                     \
    }

/* Does a file begin like one, which may be cut off? `data` is its first `size_bytes` bytes. */
bool snap_safetensors_is(const unsigned char *data, size_t size_bytes);
/* Read the header. *file must be empty; it is filled on success only. */
enum snap_status snap_safetensors_read(const struct snap_foreign_input *input,
                                       struct snap_safetensors *file, struct snap_error *err);
void snap_safetensors_release(struct snap_safetensors *file);

/* The name of a dtype; NULL when the format has none. Static. */
const char *snap_safetensors_dtype(enum snap_dtype dtype);

#endif
