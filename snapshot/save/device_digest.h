/* SPDX-License-Identifier: Apache-2.0 */
/* Leaf digests of tensors by the device in whose memory they lie, so that a state digest moves
 * 1/128 of their bytes. */
#ifndef SNAP_DEVICE_DIGEST_H
#define SNAP_DEVICE_DIGEST_H

#include "save/state_image.h"

/* Give image->storages their `leaves` where the device can make them; the others are left as they
 * are. They are the run's, until the next call. */
enum snap_status snap_device_digest_leaves(struct snap_run *run, struct snap_state_image *image,
                                           struct snap_error *err);
/* Give back what the devices keep for that. */
void snap_device_digests_release(struct snap_run *run);

#endif
