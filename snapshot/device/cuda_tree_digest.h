/* SPDX-License-Identifier: Apache-2.0 */
/* The leaves of tree hashes (digest/tree_digest.h) by a CUDA device, of tensors in its memory: what
 * device_cuda.c has for snap_device_ops. */
#ifndef SNAP_DEVICE_CUDA_TREE_DIGEST_H
#define SNAP_DEVICE_CUDA_TREE_DIGEST_H

#ifdef __cplusplus
extern "C" {
#endif

#include "device/device_ops.h"

enum snap_status snap_cuda_digester_new(int index, struct snap_device_digester **digester,
                                        struct snap_error *err);
enum snap_status snap_cuda_digest_leaves(struct snap_device_digester *digester,
                                         const struct snap_device_piece *pieces, size_t count,
                                         void *stream, const unsigned char **digests,
                                         struct snap_error *err);
void snap_cuda_digester_free(struct snap_device_digester *digester);

#ifdef __cplusplus
}
#endif

#endif
