/* SPDX-License-Identifier: Apache-2.0 */
/* Where a tensor's memory lives. */
#ifndef SNAPSTATE_DEVICE_H
#define SNAPSTATE_DEVICE_H

#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum snap_device_kind {
    SNAP_DEVICE_CPU = 0,
    SNAP_DEVICE_CUDA = 1
};

struct snap_device {
    enum snap_device_kind kind;
    int index; /* which one of its kind; 0 for the CPU */
};

/* Read "cpu" or "cuda:N". SNAP_INVALID for other text; SNAP_UNSUPPORTED when that kind of device
 * was not built in, or is not there. */
enum snap_status snap_device_parse(const char *text, struct snap_device *device,
                                   struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
