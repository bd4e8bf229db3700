/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "device/device_ops.h"

/* "cuda:" and a decimal number without leading zeros, at most three digits: no machine has more
 * devices. */
static bool is_cuda_name(const char *text)
{
    if (strncmp(text, "cuda:", 5) != 0)
        return false;
    const char *digits = text + 5;
    size_t length = strlen(digits);
    if (length < 1 || length > 3 || strspn(digits, "0123456789") != length)
        return false;
    return length == 1 || digits[0] != '0';
}

enum snap_status snap_device_find(struct snap_device device, const struct snap_device_ops **ops,
                                  struct snap_error *err)
{
    const struct snap_device_ops *found = NULL;
    if (device.kind == SNAP_DEVICE_CUDA) {
        found = snap_device_cuda();
        if (found == NULL)
            return snap_error_set(err, SNAP_UNSUPPORTED, "device cuda:%d: not built in",
                                  device.index);
        enum snap_status status = found->check(device.index, err);
        if (status != SNAP_OK)
            return status;
    } else if (device.kind != SNAP_DEVICE_CPU) {
        return snap_error_set(err, SNAP_INVALID, "device: %d is no kind of device",
                              (int)device.kind);
    }
    *ops = found;
    return SNAP_OK;
}

enum snap_status snap_device_parse(const char *text, struct snap_device *device,
                                   struct snap_error *err)
{
    const struct snap_device_ops *ops;
    struct snap_device read = { .kind = SNAP_DEVICE_CPU, .index = 0 };
    if (is_cuda_name(text))
        read = (struct snap_device){ .kind = SNAP_DEVICE_CUDA, .index = atoi(text + 5) };
    else if (strcmp(text, "cpu") != 0)
        return snap_error_set(err, SNAP_INVALID, "device \"%s\": expected \"cpu\" or \"cuda:N\"",
                              text);
    enum snap_status status = snap_device_find(read, &ops, err);
    if (status == SNAP_OK)
        *device = read;
    return status;
}
