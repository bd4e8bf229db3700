/* SPDX-License-Identifier: Apache-2.0 */
/* The profile cudnn-1 on a real CUDA device with real libraries. `make check-gpu` runs it; where
 * either is missing it is skipped and says what. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cudnn_device_test.h"
#include "ops/ops.h"

static void operators_of_whole_numbers_are_exact(void **state)
{
    (void)state;
    cudnn_test_operators();
}

static void the_generator_goes_round(void **state)
{
    (void)state;
    cudnn_test_generator();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_of_whole_numbers_are_exact),
        cmocka_unit_test(the_generator_goes_round),
    };
    const struct trn_cudnn_options options = { .recorded = NULL };
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_backend *backend = NULL;
    struct snap_pool *pool = NULL;
    enum snap_status status = snap_pool_new(1, &pool, &err);
    if (status == SNAP_OK) {
        status = trn_cudnn_backend_open(0, &options, pool, &backend, &err);
    }
    trn_backend_close(backend);
    snap_pool_free(pool);
    if (status == SNAP_UNSUPPORTED) {
        printf("1..0 # SKIP %s\n", err.text);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
