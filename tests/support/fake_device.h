/* SPDX-License-Identifier: Apache-2.0 */
/* A device without one: the program is linked with this in place of snapshot/device/device_cuda.c.
 * Its memory cannot be touched from the host but through copies, and by "kernels" of a test. A copy
 * that goes on by itself is made as late as it may be: when it is waited for, or when an update is
 * held for it. */
#ifndef TESTS_SUPPORT_FAKE_DEVICE_H
#define TESTS_SUPPORT_FAKE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

/* Memory of device 0 or 1, zeroed; a whole number of pages. One allocation at a time. */
void *fake_device_memory(size_t size_bytes);
void fake_device_free(void);
/* A kernel runs: the host's instructions stand for the device's until it ends. */
void fake_kernel_begin(void);
void fake_kernel_end(void);

/* What was asked of it since it was last asked for. */
struct fake_counts {
    unsigned to_host;
    unsigned to_device;
    unsigned behind; /* copies that went on by themselves */
    unsigned fences;
    unsigned digested; /* pieces of which leaf digests were made */
    unsigned pinned; /* and not unpinned */
    void *stream;    /* the last one named */
};
struct fake_counts fake_device_counts(void);

/* The next copies to the host, or to the device, fail. */
extern bool fake_fail_to_host;
extern bool fake_fail_to_device;
/* The next digests fail. */
extern bool fake_fail_digests;
/* What comes back from the device is another bit: it is broken, or another program wrote to it. */
extern bool fake_flip;

#endif
