/* SPDX-License-Identifier: Apache-2.0 */
/* On a real CUDA device, in each way of a product: the words of every operator, the hashes of whole
 * steps. `make check-gpu` runs it; without a device it is skipped by name. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <cuda_runtime_api.h>

#include "cuda_device_test.h"
#include "op_runners.h"

static const struct trn_cuda_ways ways[] = {
    { 0, 0, false },  { 32, -1, true },   { 32, 1, false }, { 64, -1, false },
    { 64, 1, false }, { 128, -1, false }, { 128, 1, true },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* Host memory that the device reads and writes itself. */
static void *pinned_new(size_t size_bytes)
{
    void *memory = NULL;
    if (cudaHostAlloc(&memory, size_bytes, cudaHostAllocPortable) != cudaSuccess) {
        abort();
    }
    return memory;
}

static void pinned_free(void *memory)
{
    if (cudaFreeHost(memory) != cudaSuccess) {
        abort();
    }
}

static void operators_equal_goldens(void **state)
{
    (void)state;
    op_memory_new = pinned_new;
    op_memory_free = pinned_free;
    for (size_t i = 0; i < WAYS; i++) {
        cuda_test_operators(&ways[i], 0, 1);
    }
}

static void steps_equal_goldens(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++) {
        cuda_test_steps(&ways[i], 0, 1);
    }
}

static void traces_equal_the_cpus(void **state)
{
    (void)state;
    cuda_test_trace(&ways[0]);
}

static void digests_equal_those_of_openssl(void **state)
{
    (void)state;
    cuda_test_digests();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_equal_goldens),
        cmocka_unit_test(steps_equal_goldens),
        cmocka_unit_test(traces_equal_the_cpus),
        cmocka_unit_test(digests_equal_those_of_openssl),
    };
    int count = 0;
    const cudaError_t result = cudaGetDeviceCount(&count);
    if (result != cudaSuccess || count == 0) {
        printf("1..0 # SKIP no CUDA device: %s\n", cudaGetErrorString(result));
        return 0;
    }
    /* A kernel is done when its launch returns: what it wrote is looked at without a copy. */
    if (setenv("CUDA_LAUNCH_BLOCKING", "1", 1) != 0) {
        return 3;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
