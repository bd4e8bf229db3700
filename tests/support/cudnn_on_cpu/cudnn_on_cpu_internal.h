/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef CUDNN_ON_CPU_INTERNAL_H
#define CUDNN_ON_CPU_INTERNAL_H

#include "cudnn_on_cpu.h"

#include <cudnn.h>

struct cudnn_on_cpu_tensor { /* a filter has outputs in n */
    int n, h, w, c;
};

struct cudnn_on_cpu_window { /* of a convolution or a pooling */
    int pad_h, pad_w, stride_h, stride_w, kernel_h, kernel_w;
    cudnnMathType_t math;
    cudnnPoolingMode_t mode;
};

static inline size_t cudnn_on_cpu_count(const struct cudnn_on_cpu_tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
}

/* A zeroed object of `size` bytes into the pointer that `object` points to, and its end. */
cudnnStatus_t cudnn_on_cpu_make(void *object, size_t size);
cudnnStatus_t cudnn_on_cpu_drop(void *object);

#define ANSWER (cudnn_on_cpu_fails() ? CUDNN_STATUS_EXECUTION_FAILED : CUDNN_STATUS_SUCCESS)

#endif
