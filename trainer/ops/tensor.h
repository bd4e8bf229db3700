/* SPDX-License-Identifier: Apache-2.0 */
/* What the model and the optimizer tell about their memory: one line for each tensor that decides
 * the next step. The training state is made from these lists and from nothing else. */
#ifndef TRN_TENSOR_H
#define TRN_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#define TRN_TENSOR_MAX_RANK 4
/* With its terminator: "momentum_buffer.", a layer's name (63), ".num_batches_tracked". */
#define TRN_TENSOR_NAME_SIZE 112

enum trn_dtype { TRN_F32, TRN_I64 };

enum trn_role {
    TRN_PARAMETER, /* changed by the optimizer; has a gradient */
    TRN_BUFFER     /* part of the state, not changed by the optimizer */
};

/* `data` and `gradient` are owned by the model or optimizer that lists the tensor, at the same
 * address until that is freed: backend memory for TRN_F32, host memory for TRN_I64. */
struct trn_tensor {
    char name[TRN_TENSOR_NAME_SIZE]; /* "conv1.weight", "exp_avg.conv1.weight", "step" */
    enum trn_role role;
    enum trn_dtype dtype;
    unsigned rank;                     /* 0: one element */
    size_t shape[TRN_TENSOR_MAX_RANK]; /* the first `rank` are used; row-major, no gaps */
    size_t count;                      /* elements */
    void *data;
    float *gradient; /* `count` elements for a parameter, else NULL */
    /* Changed by a forward pass in training (running statistics): what a capsule must keep from
     * before the pass. */
    bool changes_in_forward;
};

/* Bytes of one element: 4 or 8. */
static inline size_t trn_dtype_size(enum trn_dtype dtype)
{
    return dtype == TRN_I64 ? 8 : 4;
}

#endif
