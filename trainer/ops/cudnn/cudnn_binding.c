/* SPDX-License-Identifier: Apache-2.0 */
/* What the promise of cudnn-1 depends on. docs/determinism.md has the table of the facts; two runs
 * are the same only where all of them are equal. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <cuda_runtime_api.h>

#include "ops/cudnn/cudnn_library.h"

/* The kernel module says its version here; the runtime does not know it. */
#ifndef TRN_DRIVER_VERSION_FILE
#define TRN_DRIVER_VERSION_FILE "/sys/module/nvidia/version"
#endif

extern char **environ;

/* "580.65.06", "unknown" where the system does not tell. */
static void read_driver(char *text, size_t size_bytes)
{
    FILE *file = fopen(TRN_DRIVER_VERSION_FILE, "re");
    snprintf(text, size_bytes, "unknown");
    if (file == NULL) {
        return;
    }
    if (fgets(text, (int)size_bytes, file) == NULL) {
        snprintf(text, size_bytes, "unknown");
    }
    text[strcspn(text, "\n")] = '\0';
    fclose(file); /* only read from: nothing to lose */
}

/* Variables that these libraries look at, but for those that say what to log. */
static bool changes_results(const char *variable)
{
    const size_t length = strcspn(variable, "=");
    if (strncmp(variable, "NVIDIA_TF32_OVERRIDE=", 21) == 0) {
        return true;
    }
    if (strncmp(variable, "CUBLAS_", 7) != 0 && strncmp(variable, "CUBLASLT_", 9) != 0 &&
        strncmp(variable, "CUDNN_", 6) != 0) {
        return false;
    }
    for (size_t i = 0; i + 3 <= length; i++) {
        if (strncmp(variable + i, "LOG", 3) == 0) {
            return false;
        }
    }
    return true;
}

/* NULL: no memory, or a value that is not UTF-8. */
static json_t *environment(void)
{
    json_t *object = json_object();
    for (char **at = environ; object != NULL && at != NULL && *at != NULL; at++) {
        const size_t length = strcspn(*at, "=");
        char name[128];
        if (!changes_results(*at) || (*at)[length] != '=' || length >= sizeof(name)) {
            continue;
        }
        snprintf(name, sizeof(name), "%.*s", (int)length, *at);
        if (json_object_set_new(object, name, json_string(*at + length + 1)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

static enum snap_status device_facts(struct trn_backend *backend, json_t *facts,
                                     struct snap_error *err)
{
    struct cudaDeviceProp device;
    char capability[32], version[64];
    int driver = 0, runtime = 0;
    cudaError_t result = cudaGetDeviceProperties(&device, backend->device.index);
    if (result == cudaSuccess) {
        result = cudaDriverGetVersion(&driver);
    }
    if (result == cudaSuccess) {
        result = cudaRuntimeGetVersion(&runtime);
    }
    if (result != cudaSuccess) {
        (void)cudaGetLastError(); /* told here, once */
        return snap_error_set(err, SNAP_IO, "device cuda:%d: what is it: %s",
                              backend->device.index, cudaGetErrorString(result));
    }
    snprintf(capability, sizeof(capability), "%d.%d", device.major, device.minor);
    read_driver(version, sizeof(version));
    if (json_object_set_new(facts, "compute_capability", json_string(capability)) != 0 ||
        json_object_set_new(facts, "cuda_runtime", json_integer(runtime)) != 0 ||
        json_object_set_new(facts, "driver", json_string(version)) != 0 ||
        json_object_set_new(facts, "driver_cuda", json_integer(driver)) != 0 ||
        json_object_set_new(facts, "gpu", json_string(device.name)) != 0 ||
        json_object_set_new(facts, "multiprocessors",
                            json_integer(device.multiProcessorCount)) != 0) {
        return snap_error_set(err, SNAP_NO_MEMORY, "binding: out of host memory");
    }
    return SNAP_OK;
}

static enum snap_status library_facts(struct trn_backend *backend, json_t *facts,
                                      struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    const struct trn_cudnn_calls *calls = &l->calls;
    json_t *variables = environment();
    int cublas = 0;
    enum snap_status status = trn_cublas_check(
        backend, calls->cublasGetVersion_v2(l->cublas, &cublas), "ask its version", err);
    if (status == SNAP_OK && variables == NULL) {
        status = snap_error_set(err, SNAP_INVALID, "binding: a variable NVIDIA_TF32_OVERRIDE, "
                                "CUBLAS_* or CUDNN_* is not UTF-8: unset it");
    }
    if (status == SNAP_OK &&
        (json_object_set_new(facts, "algorithms", trn_cudnn_plans_json(l)) != 0 ||
         json_object_set_new(facts, "cublas", json_integer(cublas)) != 0 ||
         json_object_set_new(facts, "cublas_workspace_bytes",
                             json_integer(TRN_CUBLAS_WORKSPACE_BYTES)) != 0 ||
         json_object_set_new(facts, "cudnn",
                             json_integer((json_int_t)calls->cudnnGetVersion())) != 0 ||
         json_object_set_new(facts, "cudnn_runtime",
                             json_integer((json_int_t)calls->cudnnGetCudartVersion())) != 0 ||
         json_object_set_new(facts, "dropout_states_bytes",
                             json_integer((json_int_t)l->states_bytes)) != 0 ||
         json_object_set(facts, "environment", variables) != 0 ||
         json_object_set_new(facts, "math", json_string(l->tf32 ? "tf32" : "fp32")) != 0)) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "binding: out of host memory");
    }
    json_decref(variables);
    return status;
}

enum snap_status trn_cudnn_binding(struct trn_backend *backend, char **json,
                                   struct snap_error *err)
{
    json_t *facts = json_object();
    char *text = NULL;
    enum snap_status status = trn_cuda_enter(backend, "what is it", err);
    if (status == SNAP_OK) {
        status = device_facts(backend, facts, err);
    }
    if (status == SNAP_OK) {
        status = library_facts(backend, facts, err);
    }
    if (status == SNAP_OK && (text = json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS)) == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "binding: out of host memory");
    }
    json_decref(facts);
    if (status == SNAP_OK) {
        *json = text;
    }
    return status;
}
