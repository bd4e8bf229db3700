/* SPDX-License-Identifier: Apache-2.0 */
/* What a test can ask of the cuDNN and cuBLAS that are made of a CPU, and see of them. */
#ifndef CUDNN_ON_CPU_H
#define CUDNN_ON_CPU_H

#include <stdbool.h>
#include <stddef.h>

struct cudnn_on_cpu {
    /* What they say of themselves. */
    size_t version, runtime;
    int cublas_version;
    size_t states;    /* of a dropout's generator */
    size_t workspace; /* bytes of a sample */
    /* What they have not. */
    const char *missing; /* "cuDNN": it cannot be loaded */
    bool no_precomputed, no_implicit, no_data_gradient;
    /* What they were asked, counted. */
    long calls, fail_at;                  /* the call of that number fails; 0: none */
    long asked_precomputed, asked_implicit; /* workspace of those algorithms */
    long seeded, restored;                /* dropouts */
    long tf32;                            /* convolutions and products with rounded operands */
    long free_products;                   /* with a workspace or atomics of cuBLAS's own choice */
    long held; /* handles and descriptors that were not given back */
};

extern struct cudnn_on_cpu cudnn_on_cpu;

/* Counts a call; true where it is to fail. */
bool cudnn_on_cpu_fails(void);
/* The value that the tensor cores make of it: 10 bits behind the point. */
float cudnn_on_cpu_tf32(float value);

#endif
