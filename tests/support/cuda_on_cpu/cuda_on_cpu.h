/* SPDX-License-Identifier: Apache-2.0 */
/* What a test can ask of the device that cuda_runtime.h makes of a CPU. */
#ifndef CUDA_ON_CPU_H
#define CUDA_ON_CPU_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In which order the threads of a block run from one barrier to the next. Copies that go on beside
 * a thread are made as early as they may be in descending order, else as late. */
enum cuda_on_cpu_order {
    CUDA_ON_CPU_ASCENDING,
    CUDA_ON_CPU_DESCENDING,
    CUDA_ON_CPU_SHUFFLED /* another one each time */
};

struct cuda_on_cpu {
    enum cuda_on_cpu_order order;
    int devices, processors;
    const char *name; /* of the device */
    int major, minor, driver, runtime; /* compute capability; versions, 1000 * major + 10 * minor */
    long calls;   /* of the runtime, counted */
    long fail_at; /* the call of that number fails; 0: none */
    long held;    /* allocations, streams and events that were not given back */
    /* Streams do their work as late as they may: when something waits for it. A kernel does not
     * wait: it runs when it is launched, after all that is in its stream. */
    bool late;
    bool broken;      /* late work failed: whoever waits for work is told */
    size_t available; /* bytes of memory that cudaMallocAsync can give */
    size_t pooled;    /* bytes that it gave and that were not given back */
    /* Copies that were made, by enum cudaMemcpyKind. */
    long copied[4];
    size_t leaving, most_leaving; /* bytes of copies to the host that were asked for and not made:
                                   * now, and the most at once */
    long break_at; /* the copy within the device of that number, made late, fails; 0: none */
};

extern struct cuda_on_cpu cuda_on_cpu;

/* Let nobody past cudaEventSynchronize until it is called with false. */
void cuda_on_cpu_hold(bool hold);

/* For the parts of cuda_on_cpu alone: count a call, and whether it fails; do all late work of a
 * stream (a cudaStream_t), and whether any has failed. */
bool cuda_on_cpu_fails(void);
bool cuda_on_cpu_finish(const void *stream);

#ifdef __cplusplus
}
#endif

#endif
