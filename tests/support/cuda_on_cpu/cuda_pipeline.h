/* SPDX-License-Identifier: Apache-2.0 */
/* Copies from the device's memory to shared memory that go on beside the thread that began them. A
 * copy is made as late as it may be, when its thread waits for it, or as early (cuda_on_cpu.h). A
 * thread must not end before. */
#ifndef CUDA_ON_CPU_PIPELINE_H
#define CUDA_ON_CPU_PIPELINE_H

#include <stddef.h>

extern "C" {
/* 4, 8 or 16 bytes, aligned so. */
void cuda_on_cpu_begin_copy(void *to, const void *from, size_t size_bytes);
/* What was begun since the last call is a group. */
void cuda_on_cpu_close_copies(void);
/* Make the copies of all groups but the `most` last. */
void cuda_on_cpu_await_copies(size_t most);
}

static inline void __pipeline_memcpy_async(void *to, const void *from, size_t size_bytes)
{
    cuda_on_cpu_begin_copy(to, from, size_bytes);
}

static inline void __pipeline_commit() { cuda_on_cpu_close_copies(); }
static inline void __pipeline_wait_prior(size_t most) { cuda_on_cpu_await_copies(most); }

#endif
