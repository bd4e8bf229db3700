/* SPDX-License-Identifier: Apache-2.0 */
/* What a test can ask of the device that cuda_runtime.h makes of a CPU. */
#ifndef CUDA_ON_CPU_H
#define CUDA_ON_CPU_H

#ifdef __cplusplus
extern "C" {
#endif

/* In which order the threads of a block run from one barrier to the next. */
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
};

extern struct cuda_on_cpu cuda_on_cpu;

#ifdef __cplusplus
}
#endif

#endif
