/* SPDX-License-Identifier: Apache-2.0 */
/* cuDNN and cuBLAS are loaded when the profile starts, so that `snap` runs without them. */
#include "config.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cudnn/cudnn_library.h"

#define PATH_VARIABLE "SNAP_CUDA_LIBRARY_PATH"

/* What they left in the process, threads and contexts, may outlive a backend: they stay mapped. */
#define OPEN_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)

/* The library in one of the folders, or NULL. */
static void *open_in_folders(const char *folders, const char *name)
{
    void *handle = NULL;
    while (handle == NULL && folders != NULL && folders[0] != '\0') {
        char path[PATH_MAX];
        const size_t length = strcspn(folders, ":");
        const int written = snprintf(path, sizeof(path), "%.*s/%s", (int)length, folders, name);
        if (length > 0 && written > 0 && (size_t)written < sizeof(path)) {
            handle = dlopen(path, OPEN_FLAGS);
        }
        folders += length + (folders[length] == ':');
    }
    return handle;
}

/* The first of `names` (ends with NULL) that is found. */
static enum snap_status open_library(const char *const *names, const char *what, void **handle,
                                     struct snap_error *err)
{
    const char *folders = getenv(PATH_VARIABLE);
    char cause[300] = "";
    for (size_t i = 0; names[i] != NULL; i++) {
        *handle = open_in_folders(folders, names[i]);
        if (*handle == NULL) {
            *handle = dlopen(names[i], OPEN_FLAGS);
        }
        if (*handle != NULL) {
            return SNAP_OK;
        }
        if (i == 0) {
            snprintf(cause, sizeof(cause), "%.290s", dlerror());
        }
    }
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "profile " TRN_CUDNN_PROFILE ": %s cannot be loaded: %s: install it, or "
                          "name its folder in " PATH_VARIABLE " (with PyTorch it is in "
                          "site-packages/nvidia)", what, cause);
}

static enum snap_status find(void *handle, const char *name, void *function,
                             struct snap_error *err)
{
    void *found = dlsym(handle, name);
    if (found == NULL) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "profile " TRN_CUDNN_PROFILE ": the library that was loaded has no "
                              "%s: cuDNN 9 and cuBLAS 12 or 13 have", name);
    }
    memcpy(function, &found, sizeof(found)); /* POSIX has both pointers in one form */
    return SNAP_OK;
}

enum snap_status trn_cudnn_load(struct trn_cudnn_calls *calls, struct snap_error *err)
{
    static const char *const cudnn[] = { "libcudnn.so.9", NULL };
    static const char *const cublas[] = { "libcublas.so.13", "libcublas.so.12", NULL };
    struct trn_cudnn_calls loaded = { .cudnn = NULL };
    enum snap_status status = open_library(cublas, "cuBLAS", &loaded.cublas, err);
    if (status == SNAP_OK) {
        status = open_library(cudnn, "cuDNN", &loaded.cudnn, err);
    }
#define FIND_IN(handle, name)                                                                      \
    if (status == SNAP_OK) {                                                                       \
        status = find(handle, #name, &loaded.name, err);                                           \
    }
#define FIND_CUDNN(name) FIND_IN(loaded.cudnn, name)
#define FIND_CUBLAS(name) FIND_IN(loaded.cublas, name)
    TRN_CUDNN_FUNCTIONS(FIND_CUDNN)
    TRN_CUBLAS_FUNCTIONS(FIND_CUBLAS)
    if (status != SNAP_OK) {
        trn_cudnn_unload(&loaded);
        return status;
    }
    *calls = loaded;
    return SNAP_OK;
}

void trn_cudnn_unload(struct trn_cudnn_calls *calls)
{
    if (calls->cudnn != NULL) {
        (void)dlclose(calls->cudnn);
    }
    if (calls->cublas != NULL) {
        (void)dlclose(calls->cublas);
    }
    memset(calls, 0, sizeof(*calls));
}
