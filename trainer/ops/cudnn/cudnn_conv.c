/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions by cuDNN. How each layer's is done is chosen when the model of a new run is made, by
 * one rule: the first algorithm of the list below for which cuDNN says how much workspace it needs.
 * Where a run goes on, it is what the run's binding says, and cuDNN is asked about no other. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "ops/cudnn/cudnn_library.h"

/* What a number of samples needs; bytes of a pass that was not asked for are SIZE_MAX. */
struct trn_cudnn_use {
    size_t n;
    size_t bytes[TRN_CONV_PASSES];
    struct trn_cudnn_use *next;
};

/* Those whose result is the same each time, by NVIDIA's word; preferred ones first. */
static const struct {
    enum trn_cudnn_pass pass;
    const char *name;
    int value;
} algorithms[] = {
    { TRN_FORWARD, "IMPLICIT_PRECOMP_GEMM", CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM },
    { TRN_FORWARD, "IMPLICIT_GEMM", CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM },
    { TRN_DATA_GRADIENT, "ALGO_1", CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 },
    { TRN_WEIGHT_GRADIENT, "ALGO_1", CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 },
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static const char *const pass_names[TRN_CONV_PASSES] = { "forward", "data_gradient",
                                                         "weight_gradient" };

static const char *algorithm_name(enum trn_cudnn_pass pass, int value)
{
    for (size_t i = 0; i < ALGORITHMS; i++) {
        if (algorithms[i].pass == pass && algorithms[i].value == value) {
            return algorithms[i].name;
        }
    }
    return NULL;
}

/* Set the descriptors of x, y, filter and convolution. */
static enum snap_status describe(struct trn_backend *backend, const struct trn_conv *c,
                                 struct snap_error *err)
{
    struct trn_cudnn *library = trn_cudnn_of(backend);
    const struct trn_cudnn_calls *calls = &library->calls;
    const struct trn_window *w = &c->window;
    const size_t sizes[] = { c->n,         c->h,         c->w,          c->c,          c->oh,
                             c->ow,        c->oc,        w->kernel_h,   w->kernel_w,   w->stride_h,
                             w->stride_w,  w->padding_h, w->padding_w };
    cudnnStatus_t result;
    enum snap_status status =
        trn_cudnn_enter(backend, "convolution", sizes, sizeof(sizes) / sizeof(sizes[0]), err);
    if (status != SNAP_OK) {
        return status;
    }
    result = calls->cudnnSetTensor4dDescriptor(library->x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT,
                                               (int)c->n, (int)c->c, (int)c->h, (int)c->w);
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnSetTensor4dDescriptor(library->y, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT,
                                                   (int)c->n, (int)c->oc, (int)c->oh, (int)c->ow);
    }
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnSetFilter4dDescriptor(library->filter, CUDNN_DATA_FLOAT,
                                                   CUDNN_TENSOR_NHWC, (int)c->oc, (int)c->c,
                                                   (int)w->kernel_h, (int)w->kernel_w);
    }
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnSetConvolution2dDescriptor(
            library->convolution, (int)w->padding_h, (int)w->padding_w, (int)w->stride_h,
            (int)w->stride_w, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT);
    }
    if (result == CUDNN_STATUS_SUCCESS) { /* by default cuDNN rounds to TF32 */
        result = calls->cudnnSetConvolutionMathType(
            library->convolution, library->tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH);
    }
    return trn_cudnn_check(backend, result, "describe a convolution", err);
}

/* Of the convolution that was described last. */
static cudnnStatus_t ask(const struct trn_cudnn *l, enum trn_cudnn_pass pass, int algorithm,
                         size_t *bytes)
{
    switch (pass) {
    case TRN_FORWARD:
        return l->calls.cudnnGetConvolutionForwardWorkspaceSize(
            l->cudnn, l->x, l->filter, l->convolution, l->y, (cudnnConvolutionFwdAlgo_t)algorithm,
            bytes);
    case TRN_DATA_GRADIENT:
        return l->calls.cudnnGetConvolutionBackwardDataWorkspaceSize(
            l->cudnn, l->filter, l->y, l->convolution, l->x,
            (cudnnConvolutionBwdDataAlgo_t)algorithm, bytes);
    default:
        return l->calls.cudnnGetConvolutionBackwardFilterWorkspaceSize(
            l->cudnn, l->x, l->y, l->convolution, l->filter,
            (cudnnConvolutionBwdFilterAlgo_t)algorithm, bytes);
    }
}

static enum snap_status choose(struct trn_backend *backend, struct trn_cudnn_plan *plan,
                               enum trn_cudnn_pass pass, struct snap_error *err)
{
    for (size_t i = 0; i < ALGORITHMS; i++) {
        cudnnStatus_t result;
        if (algorithms[i].pass != pass) {
            continue;
        }
        result = ask(trn_cudnn_of(backend), pass, algorithms[i].value,
                     &plan->workspace_bytes[pass]);
        if (result == CUDNN_STATUS_SUCCESS) {
            plan->algorithm[pass] = algorithms[i].value;
            return SNAP_OK;
        }
        if (!trn_cudnn_refuses(result)) {
            return trn_cudnn_check(backend, result, "ask for an algorithm's workspace", err);
        }
    }
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "layer %s: %s: cuDNN has no deterministic algorithm for it here: take "
                          "the profile portable-1", plan->layer, pass_names[pass]);
}

static enum snap_status take_recorded(struct trn_backend *backend, struct trn_cudnn_plan *plan,
                                      enum trn_cudnn_pass pass, struct snap_error *err)
{
    const struct trn_cudnn *library = trn_cudnn_of(backend);
    const json_t *layers = json_object_get(library->recorded, "algorithms");
    const json_t *row = json_object_get(json_object_get(layers, plan->layer), pass_names[pass]);
    const char *name = json_string_value(json_object_get(row, "algorithm"));
    for (size_t i = 0; name != NULL && i < ALGORITHMS; i++) {
        cudnnStatus_t result;
        if (algorithms[i].pass != pass || strcmp(algorithms[i].name, name) != 0) {
            continue;
        }
        plan->algorithm[pass] = algorithms[i].value;
        result = ask(library, pass, algorithms[i].value, &plan->workspace_bytes[pass]);
        if (trn_cudnn_refuses(result)) {
            return snap_error_set(err, SNAP_UNSUPPORTED,
                                  "layer %s: %s: the run used cuDNN's %s, which is not supported "
                                  "here: %s", plan->layer, pass_names[pass], name,
                                  library->calls.cudnnGetErrorString(result));
        }
        return trn_cudnn_check(backend, result, "ask for an algorithm's workspace", err);
    }
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "layer %s: %s: the run's binding names %s%s: this version knows no such "
                          "algorithm", plan->layer, pass_names[pass],
                          name != NULL ? "cuDNN's " : "none", name != NULL ? name : "");
}

enum snap_status trn_cudnn_plan_conv(struct trn_backend *backend, const char *layer,
                                     const struct trn_conv *conv, bool wants_dx,
                                     struct snap_error *err)
{
    struct trn_cudnn *library = trn_cudnn_of(backend);
    struct trn_cudnn_plan *plan = calloc(1, sizeof(*plan));
    enum snap_status status;
    if (plan == NULL || (plan->layer = strdup(layer)) == NULL) {
        free(plan);
        return snap_error_set(err, SNAP_NO_MEMORY, "layer %s: out of host memory", layer);
    }
    *library->last_plan = plan;
    library->last_plan = &plan->next;
    plan->conv = *conv;
    status = describe(backend, conv, err);
    for (int pass = TRN_FORWARD; pass < TRN_CONV_PASSES && status == SNAP_OK; pass++) {
        plan->algorithm[pass] = -1;
        if (pass == TRN_DATA_GRADIENT && !wants_dx) {
            continue;
        }
        status = library->recorded != NULL
                     ? take_recorded(backend, plan, (enum trn_cudnn_pass)pass, err)
                     : choose(backend, plan, (enum trn_cudnn_pass)pass, err);
    }
    return status;
}

json_t *trn_cudnn_plans_json(const struct trn_cudnn *library)
{
    json_t *layers = json_object();
    for (const struct trn_cudnn_plan *plan = library->plans; plan != NULL; plan = plan->next) {
        json_t *layer = json_object();
        for (int pass = TRN_FORWARD; pass < TRN_CONV_PASSES; pass++) {
            const char *name = algorithm_name((enum trn_cudnn_pass)pass, plan->algorithm[pass]);
            if (name != NULL &&
                json_object_set_new(layer, pass_names[pass],
                                    json_pack("{s:s,s:I}", "algorithm", name, "workspace_bytes",
                                              (json_int_t)plan->workspace_bytes[pass])) != 0) {
                json_decref(layer);
                layer = NULL;
            }
        }
        if (json_object_set_new(layers, plan->layer, layer) != 0) {
            json_decref(layers);
            return NULL;
        }
    }
    return layers;
}

void trn_cudnn_plans_free(struct trn_cudnn *library)
{
    while (library->plans != NULL) {
        struct trn_cudnn_plan *plan = library->plans;
        library->plans = plan->next;
        while (plan->uses != NULL) {
            struct trn_cudnn_use *use = plan->uses;
            plan->uses = use->next;
            free(use);
        }
        free(plan->layer);
        free(plan);
    }
}

/* Layers of one geometry were planned by one rule: any of them that does this pass will do. */
static struct trn_cudnn_plan *find_plan(const struct trn_cudnn *library, struct trn_conv conv,
                                        enum trn_cudnn_pass pass)
{
    for (struct trn_cudnn_plan *plan = library->plans; plan != NULL; plan = plan->next) {
        conv.n = plan->conv.n;
        if (plan->algorithm[pass] >= 0 && memcmp(&conv, &plan->conv, sizeof(conv)) == 0) {
            return plan;
        }
    }
    return NULL;
}

/* Describe the convolution, and have the workspace that this many samples need. */
static enum snap_status begin(struct trn_backend *backend, const struct trn_conv *conv,
                              enum trn_cudnn_pass pass, int *algorithm, void **workspace,
                              size_t *workspace_bytes, struct snap_error *err)
{
    struct trn_cudnn_plan *plan = find_plan(trn_cudnn_of(backend), *conv, pass);
    struct trn_cudnn_use *use;
    enum snap_status status;
    if (plan == NULL) {
        return snap_error_set(err, SNAP_INVALID, "device cuda:%d: convolution, %s: no layer of "
                              "this shape was planned", backend->device.index, pass_names[pass]);
    }
    status = describe(backend, conv, err);
    for (use = plan->uses; use != NULL && use->n != conv->n;) {
        use = use->next;
    }
    if (status == SNAP_OK && use == NULL) {
        use = malloc(sizeof(*use));
        if (use == NULL) {
            return snap_error_set(err, SNAP_NO_MEMORY, "layer %s: out of host memory",
                                  plan->layer);
        }
        *use = (struct trn_cudnn_use){ conv->n, { SIZE_MAX, SIZE_MAX, SIZE_MAX }, plan->uses };
        plan->uses = use;
    }
    if (status == SNAP_OK && use->bytes[pass] == SIZE_MAX) {
        status = trn_cudnn_check(backend, ask(trn_cudnn_of(backend), pass, plan->algorithm[pass],
                                              &use->bytes[pass]),
                                 pass_names[pass], err);
    }
    if (status == SNAP_OK) {
        *algorithm = plan->algorithm[pass];
        *workspace_bytes = use->bytes[pass];
        status = trn_cuda_scratch(backend, *workspace_bytes, workspace, err);
    }
    return status;
}

static const float one = 1.0f, zero = 0.0f;

enum snap_status trn_cudnn_conv_forward(struct trn_backend *backend, const struct trn_conv *conv,
                                        const float *x, const float *w, const float *bias,
                                        float *y, struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    void *workspace = NULL;
    size_t bytes = 0;
    int algorithm = 0;
    enum snap_status status = begin(backend, conv, TRN_FORWARD, &algorithm, &workspace, &bytes,
                                    err);
    if (status == SNAP_OK) {
        status = trn_cudnn_check(
            backend, l->calls.cudnnConvolutionForward(
                         l->cudnn, &one, l->x, x, l->filter, w, l->convolution,
                         (cudnnConvolutionFwdAlgo_t)algorithm, workspace, bytes, &zero, l->y, y),
            "convolution", err);
    }
    if (status == SNAP_OK && bias != NULL) {
        status = trn_cuda_add_to_rows(backend, conv->n * conv->oh * conv->ow, conv->oc, bias, y,
                                      err);
    }
    return status;
}

enum snap_status trn_cudnn_conv_data_gradient(struct trn_backend *backend,
                                              const struct trn_conv *conv, const float *dy,
                                              const float *w, float *dx, struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    void *workspace = NULL;
    size_t bytes = 0;
    int algorithm = 0;
    enum snap_status status = begin(backend, conv, TRN_DATA_GRADIENT, &algorithm, &workspace,
                                    &bytes, err);
    if (status == SNAP_OK) {
        status = trn_cudnn_check(
            backend,
            l->calls.cudnnConvolutionBackwardData(
                l->cudnn, &one, l->filter, w, l->y, dy, l->convolution,
                (cudnnConvolutionBwdDataAlgo_t)algorithm, workspace, bytes, &zero, l->x, dx),
            "convolution, gradient of the input", err);
    }
    return status;
}

enum snap_status trn_cudnn_conv_weight_gradient(struct trn_backend *backend,
                                                const struct trn_conv *conv, const float *dy,
                                                const float *x, float *dw, struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    void *workspace = NULL;
    size_t bytes = 0;
    int algorithm = 0;
    enum snap_status status = begin(backend, conv, TRN_WEIGHT_GRADIENT, &algorithm, &workspace,
                                    &bytes, err);
    if (status == SNAP_OK) {
        status = trn_cudnn_check(
            backend,
            l->calls.cudnnConvolutionBackwardFilter(
                l->cudnn, &one, l->x, x, l->y, dy, l->convolution,
                (cudnnConvolutionBwdFilterAlgo_t)algorithm, workspace, bytes, &zero, l->filter,
                dw),
            "convolution, gradient of the weight", err);
    }
    return status;
}
