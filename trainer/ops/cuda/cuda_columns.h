/* SPDX-License-Identifier: Apache-2.0 */
/* COL, for the operators that sum down columns. */
#ifndef TRN_CUDA_COLUMNS_H
#define TRN_CUDA_COLUMNS_H

#include "ops/cuda/cuda_backend.h"

/* What is added up: x; or, with mean and no rs, (x - mean)^2; or, with both,
 * dy * ((x - mean) * rs). */
struct trn_cuda_columns {
    size_t rows, columns;
    const float *x, *dy;    /* (rows, columns) */
    const float *mean, *rs; /* (columns) */
    float *out;             /* (columns) */
};

/* Bytes of scratch that the sum wants, and the sum itself with that scratch. */
size_t trn_cuda_columns_scratch(size_t rows, size_t columns);
enum snap_status trn_cuda_columns_sum(struct trn_backend *backend,
                                  const struct trn_cuda_columns *columns, void *scratch,
                                  struct snap_error *err);

#endif
