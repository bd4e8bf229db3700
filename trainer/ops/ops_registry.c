/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of this build, best first, and the choice among them. */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cpu_kernels.h"

#if HAVE_CUDA
#include "ops/cuda/cuda_kernels.h"
#endif
#define HAVE_PROFILE_CUDNN (HAVE_CUDA && HAVE_CUDNN)

extern const struct trn_ops trn_scalar_ops;
#if defined(__x86_64__)
extern const struct trn_ops trn_sse2_ops, trn_avx2_ops, trn_avx512_ops;
#define TABLE_X86(ops) (&(ops))
#else
#define TABLE_X86(ops) NULL
#endif
#if defined(__aarch64__)
extern const struct trn_ops trn_neon_ops;
#define TABLE_AARCH64(ops) (&(ops))
#else
#define TABLE_AARCH64(ops) NULL
#endif

#define ISA_NAMES "scalar, sse2, avx2, avx512 or neon"

static bool always(void)
{
    return true;
}

static bool have_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

/* What the library of these kernels is compiled with. */
static bool have_avx512(void)
{
#if defined(__x86_64__)
    return have_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

static const struct {
    const char *name;
    const struct trn_ops *ops; /* NULL: known, and not in this build */
    bool (*runs_here)(void);
} tables[] = {
    { "avx512", TABLE_X86(trn_avx512_ops), have_avx512 },
    { "avx2", TABLE_X86(trn_avx2_ops), have_avx2 },
    { "sse2", TABLE_X86(trn_sse2_ops), always },
    { "neon", TABLE_AARCH64(trn_neon_ops), always },
    { "scalar", &trn_scalar_ops, always },
};

const struct trn_ops *trn_ops_find(const char *name)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(tables[i].name, name) == 0 && tables[i].ops && tables[i].runs_here()) {
            return tables[i].ops;
        }
    }
    return NULL;
}

/* The table named, or for NULL the first that runs here. */
static enum snap_status choose(const char *isa, const struct trn_ops **ops, struct snap_error *err)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        const bool usable = tables[i].ops && tables[i].runs_here();
        if (isa ? strcmp(tables[i].name, isa) == 0 : usable) {
            if (!usable) {
                return snap_error_set(err, SNAP_UNSUPPORTED,
                                      "SNAP_ISA: %s was asked for: %s", isa,
                                      tables[i].ops ? "this CPU does not have it"
                                                    : "this build does not have it");
            }
            *ops = tables[i].ops;
            return SNAP_OK;
        }
    }
    return snap_error_set(err, SNAP_INVALID,
                          "SNAP_ISA: \"%s\" is no instruction set: expected " ISA_NAMES,
                          isa ? isa : "");
}

enum snap_status trn_backend_open(const char *isa, struct snap_pool *pool,
                                  struct trn_backend **backend, struct snap_error *err)
{
    struct trn_backend *opened;
    const struct trn_ops *ops = NULL;
    enum snap_status status;
    if (!isa) {
        isa = getenv("SNAP_ISA");
        isa = isa && *isa ? isa : NULL;
    }
    status = choose(isa, &ops, err);
    if (status != SNAP_OK) {
        return status;
    }
    opened = calloc(1, sizeof(*opened));
    if (!opened) {
        return snap_error_set(err, SNAP_NO_MEMORY, "CPU backend: out of memory");
    }
    opened->ops = ops;
    opened->pool = pool;
    status = trn_backend_canary(opened, err);
    if (status != SNAP_OK) {
        trn_backend_close(opened);
        return status;
    }
    *backend = opened;
    return SNAP_OK;
}

enum snap_status trn_device_backend_open(int index, struct snap_pool *pool,
                                         struct trn_backend **backend, struct snap_error *err)
{
#if HAVE_CUDA
    return trn_cuda_backend_open(index, pool, backend, err);
#else
    (void)pool;
    (void)backend;
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "device cuda:%d: not built in: build with --with-cuda, or use --device "
                          "cpu",
                          index);
#endif
}

#if !HAVE_PROFILE_CUDNN
enum snap_status trn_cudnn_backend_open(int index, const struct trn_cudnn_options *options,
                                        struct snap_pool *pool, struct trn_backend **backend,
                                        struct snap_error *err)
{
    (void)index;
    (void)options;
    (void)pool;
    (void)backend;
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "profile cudnn-1: not built in: build with --with-cuda and --with-cudnn, "
                          "or take the profile portable-1");
}
#endif

void trn_backend_close(struct trn_backend *backend)
{
    if (backend && backend->ops->close) {
        backend->ops->close(backend);
    } else if (backend) {
        free(backend->scratch);
        free(backend);
    }
}
