/* SPDX-License-Identifier: Apache-2.0 */
/* Products; and the loader, which finds all of this where others find libraries. */
#include "cudnn_on_cpu_internal.h"

#include <stdint.h>
#include <string.h>

#include "ops/cudnn/cudnn_library.h"

struct cudnn_on_cpu_cublas {
    cudaStream_t stream;
    void *workspace; /* the user's */
    size_t workspace_bytes;
    cublasMath_t math;
    cublasAtomicsMode_t atomics;
};

#define CUBLAS_ANSWER                                                                             \
    (cudnn_on_cpu_fails() ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS)

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle)
{
    if (cudnn_on_cpu_make(handle, sizeof(**handle)) != CUDNN_STATUS_SUCCESS) {
        return CUBLAS_STATUS_ALLOC_FAILED;
    }
    (*handle)->atomics = CUBLAS_ATOMICS_ALLOWED;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    return cudnn_on_cpu_drop(handle) == CUDNN_STATUS_SUCCESS ? CUBLAS_STATUS_SUCCESS
                                                             : CUBLAS_STATUS_EXECUTION_FAILED;
}

/* As there: the workspace is cuBLAS's own again. */
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    handle->workspace = NULL;
    return CUBLAS_ANSWER;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t bytes)
{
    handle->workspace = workspace;
    handle->workspace_bytes = bytes;
    return CUBLAS_ANSWER;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    handle->math = mode;
    return CUBLAS_ANSWER;
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode)
{
    handle->atomics = mode;
    return CUBLAS_ANSWER;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int *version)
{
    (void)handle;
    *version = cudnn_on_cpu.cublas_version;
    return CUBLAS_ANSWER;
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS"
                                           : "CUBLAS_STATUS_EXECUTION_FAILED";
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t a_op, cublasOperation_t b_op,
                              int m, int n, int k, const float *alpha, const float *a, int lda,
                              const float *b, int ldb, const float *beta, float *c, int ldc)
{
    const bool rounds = handle->math != CUBLAS_PEDANTIC_MATH;
    float noise = 0.0f;
    if (m < 1 || n < 1 || k < 0 || lda < (a_op == CUBLAS_OP_N ? m : k) ||
        ldb < (b_op == CUBLAS_OP_N ? k : n) || ldc < m || *alpha != 1.0f || *beta != 0.0f) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    cudnn_on_cpu.tf32 += rounds;
    if (handle->workspace == NULL || handle->atomics != CUBLAS_ATOMICS_NOT_ALLOWED) {
        noise = 0x1p-20f * (float)++cudnn_on_cpu.free_products;
    }
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < m; i++) {
            float sum = noise;
            for (int p = k; p-- > 0;) {
                float x = a_op == CUBLAS_OP_N ? a[i + (size_t)p * (size_t)lda]
                                              : a[p + (size_t)i * (size_t)lda];
                float y = b_op == CUBLAS_OP_N ? b[p + (size_t)j * (size_t)ldb]
                                              : b[j + (size_t)p * (size_t)ldb];
                sum += rounds ? cudnn_on_cpu_tf32(x) * cudnn_on_cpu_tf32(y) : x * y;
            }
            c[i + (size_t)j * (size_t)ldc] = sum;
        }
    }
    return CUBLAS_ANSWER;
}

enum snap_status trn_cudnn_load(struct trn_cudnn_calls *calls, struct snap_error *err)
{
    if (cudnn_on_cpu.missing != NULL) {
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s cannot be loaded", cudnn_on_cpu.missing);
    }
#define TAKE(name) calls->name = name;
    TRN_CUDNN_FUNCTIONS(TAKE)
    TRN_CUBLAS_FUNCTIONS(TAKE)
    return SNAP_OK;
}

void trn_cudnn_unload(struct trn_cudnn_calls *calls)
{
    memset(calls, 0, sizeof(*calls));
}
