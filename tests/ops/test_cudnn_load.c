/* SPDX-License-Identifier: Apache-2.0 */
/* The real cuDNN and cuBLAS, where they are installed, have every function that is called; where
 * they are not, the error names what is missing and where it may be told. No GPU is needed. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ops/cudnn/cudnn_library.h"

static void libraries_have_every_function(void **state)
{
    struct trn_cudnn_calls calls = { .cudnn = NULL };
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    if (access(CUDA_FOLDER "/lib64/libcudnn.so.9", R_OK) != 0) {
        skip();
    }
    assert_int_equal(setenv("SNAP_CUDA_LIBRARY_PATH", "/nonexistent::" CUDA_FOLDER "/lib64", 1), 0);
    if (trn_cudnn_load(&calls, &err) != SNAP_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(calls.cudnnGetVersion() / 10000, CUDNN_MAJOR);
    trn_cudnn_unload(&calls);
    assert_null(calls.cudnn);
}

/* A folder comes before the system's, and a file there that is no library is passed over. */
static void what_is_missing_is_named(void **state)
{
    char folder[] = "/tmp/snap-load-XXXXXX", file[60];
    struct trn_cudnn_calls calls = { .cudnn = NULL };
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/libcublas.so.13", folder);
    FILE *made = fopen(file, "w");
    assert_non_null(made);
    assert_int_equal(fclose(made), 0);
    assert_int_equal(setenv("SNAP_CUDA_LIBRARY_PATH", folder, 1), 0);
    const enum snap_status status = trn_cudnn_load(&calls, &err);
    if (status == SNAP_OK) { /* the system has them */
        trn_cudnn_unload(&calls);
    } else {
        assert_int_equal(status, SNAP_UNSUPPORTED);
        assert_non_null(strstr(err.text, "profile cudnn-1: cuBLAS cannot be loaded: "));
        assert_non_null(strstr(err.text, "SNAP_CUDA_LIBRARY_PATH"));
    }
    assert_null(calls.cublas);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libraries_have_every_function),
        cmocka_unit_test(what_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
