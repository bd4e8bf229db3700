/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "config/arithmetic_check.h"

#include <fenv.h>
#include <math.h>
#include <stdatomic.h>
#include <stddef.h>

/* Items for each thread: so many that it is likely to take one. */
enum { ITEMS_PER_THREAD = 16 };

/* What is wrong in this thread; NULL: nothing. Operands are volatile, so that they are used when
 * the program runs and not when it is compiled. */
static const char *find_fault(void)
{
    volatile float a = 0x1.001p0f; /* 1 + 2^-12: its square is 1 + 2^-11 + 2^-24, a tie */
    volatile float minus = -0x1.002p0f;
    volatile float least = 0x1p-149f;
    volatile float smallest_normal = 0x1p-126f;
    volatile float half = 0.5f;
    volatile float one = 1.0f;
    volatile float three_quarters_ulp = 0x1.8p-24f;
    float contracted = a * a + minus;
    if (contracted != 0.0f)
        return "a multiplication and an addition were contracted";
    if (fmaf(a, a, minus) != 0x1p-24f)
        return "fmaf rounds twice";
    if (one + three_quarters_ulp != 0x1.000002p0f || -one - three_quarters_ulp != -0x1.000002p0f)
        return "rounding is not to the nearest";
    volatile float subnormal = smallest_normal * half;
    if (subnormal == 0.0f)
        return "subnormal results are flushed to zero";
    if (least + least != 0x1p-148f)
        return "subnormal operands are taken as zero";
    return NULL;
}

static void look(void *arg, size_t index, unsigned worker)
{
    _Atomic(const char *) *fault = arg;
    (void)index;
    (void)worker;
    const char *found = find_fault();
    if (found != NULL)
        atomic_store(fault, found);
}

enum snap_status trn_arithmetic_check(struct snap_pool *pool, struct snap_error *err)
{
    _Atomic(const char *) fault = NULL;
    if (fesetenv(FE_DFL_ENV) != 0)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "profile portable-1: the floating-point environment cannot be set");
    snap_pool_run(pool, ITEMS_PER_THREAD * (size_t)snap_pool_threads(pool), look, &fault);
    const char *found = atomic_load(&fault);
    if (found != NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED, "profile portable-1: in this process %s",
                              found);
    return SNAP_OK;
}
