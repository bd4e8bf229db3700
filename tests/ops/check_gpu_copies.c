/* SPDX-License-Identifier: Apache-2.0 */
/* On a real CUDA device: saves of tensors in its memory, which change as soon as they may. `make
 * check-gpu` runs it; without a device it is skipped by name. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <cuda_runtime_api.h>

#include "device_copies_test.h"
#include "toy_run.h"
#include "unit_check.h"

/* Each of two tensors. The update, were it not held, would come before their copy was made. */
#define BYTES ((size_t)64 << 20)

static void saves_equal_those_of_host_memory(void **state)
{
    static const char *const options[] = { "never", "always", "plenty" };
    char *expected = copied_run_two_steps(BYTES, true, NULL);
    (void)state;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        char *dir = copied_run_two_steps(BYTES, false, options[i]);
        copied_run_check_same(expected, dir);
        toy_remove(dir);
        free(dir);
    }
    toy_remove(expected);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(saves_equal_those_of_host_memory) };
    int count = 0;
    const cudaError_t result = cudaGetDeviceCount(&count);
    if (result != cudaSuccess || count == 0) {
        printf("1..0 # SKIP no CUDA device: %s\n", cudaGetErrorString(result));
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
