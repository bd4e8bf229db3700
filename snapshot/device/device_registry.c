/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/device.h>

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

enum snap_status snap_device_parse(const char *text, struct snap_device *device,
                                   struct snap_error *err)
{
    if (strcmp(text, "cpu") == 0) {
        *device = (struct snap_device){ .kind = SNAP_DEVICE_CPU, .index = 0 };
        return SNAP_OK;
    }
    if (is_cuda_name(text)) {
#if HAVE_CUDA
        *device = (struct snap_device){ .kind = SNAP_DEVICE_CUDA, .index = atoi(text + 5) };
        return SNAP_OK;
#else
        return snap_error_set(err, SNAP_UNSUPPORTED, "device %s: not built in", text);
#endif
    }
    return snap_error_set(err, SNAP_INVALID, "device \"%s\": expected \"cpu\" or \"cuda:N\"", text);
}
