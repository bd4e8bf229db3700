/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for device_cuda.c where CUDA was not found. */
#include "config.h"

#include "device/device_ops.h"

const struct snap_device_ops *snap_device_cuda(void)
{
    return NULL;
}
