/* SPDX-License-Identifier: Apache-2.0 */
/* Products by cuBLAS. It chooses a kernel by the shape, the device and its own version, which the
 * binding holds; what else could change its choice is taken from it: the workspace is ours, and
 * nothing is added by atomic operations. */
#include "config.h"

#include "ops/cudnn/cudnn_library.h"

enum snap_status trn_cublas_open(struct trn_backend *backend, struct snap_error *err)
{
    struct trn_cudnn *l = trn_cudnn_of(backend);
    const struct trn_cudnn_calls *calls = &l->calls;
    cublasStatus_t result;
    enum snap_status status =
        trn_cuda_alloc(backend, TRN_CUBLAS_WORKSPACE_BYTES, &l->cublas_workspace, err);
    if (status != SNAP_OK) {
        return status;
    }
    result = calls->cublasCreate_v2(&l->cublas);
    if (result == CUBLAS_STATUS_SUCCESS) {
        result = calls->cublasSetStream_v2(l->cublas, backend->stream);
    }
    if (result == CUBLAS_STATUS_SUCCESS) { /* after the stream, which takes it back */
        result = calls->cublasSetWorkspace_v2(l->cublas, l->cublas_workspace,
                                              TRN_CUBLAS_WORKSPACE_BYTES);
    }
    if (result == CUBLAS_STATUS_SUCCESS) {
        result = calls->cublasSetMathMode(l->cublas, l->tf32 ? CUBLAS_TF32_TENSOR_OP_MATH
                                                             : CUBLAS_PEDANTIC_MATH);
    }
    if (result == CUBLAS_STATUS_SUCCESS) {
        result = calls->cublasSetAtomicsMode(l->cublas, CUBLAS_ATOMICS_NOT_ALLOWED);
    }
    return trn_cublas_check(backend, result, "start", err);
}

void trn_cublas_close(struct trn_backend *backend)
{
    struct trn_cudnn *l = trn_cudnn_of(backend);
    if (l->cublas != NULL) {
        (void)l->calls.cublasDestroy_v2(l->cublas); /* after all products */
    }
    trn_cuda_release(backend, l->cublas_workspace);
}

/* cuBLAS has columns where we have rows: it computes the transposed result from the transposed
 * operands, the second one first. */
enum snap_status trn_cublas_matmul(struct trn_backend *backend, const struct trn_matmul *p,
                                   struct snap_error *err)
{
    static const float one = 1.0f, zero = 0.0f;
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    const size_t sizes[] = { p->m, p->n, p->k };
    const bool a_turned = p->transpose == TRN_TN, b_turned = p->transpose == TRN_NT;
    const size_t a_row = a_turned ? p->m : p->k, b_row = b_turned ? p->k : p->n;
    enum snap_status status = trn_cudnn_enter(backend, "product", sizes, 3, err);
    if (status != SNAP_OK || p->m == 0 || p->n == 0) {
        return status;
    }
    status = trn_cublas_check(
        backend,
        l->calls.cublasSgemm_v2(l->cublas, b_turned ? CUBLAS_OP_T : CUBLAS_OP_N,
                                a_turned ? CUBLAS_OP_T : CUBLAS_OP_N, (int)p->n, (int)p->m,
                                (int)p->k, &one, p->b, b_row != 0 ? (int)b_row : 1, p->a,
                                a_row != 0 ? (int)a_row : 1, &zero, p->out, (int)p->n),
        "product", err);
    if (status == SNAP_OK && p->bias != NULL) {
        status = trn_cuda_add_to_rows(backend, p->m, p->n, p->bias, p->out, err);
    }
    return status;
}
