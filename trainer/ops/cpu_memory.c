/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, and the splitting of work, for the CPU's operators. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT ((size_t)64) /* a cache line */

static enum snap_status allocate(size_t size_bytes, void **memory, struct snap_error *err)
{
    void *found = NULL;
    if (size_bytes <= SIZE_MAX - ALIGNMENT) {
        found = aligned_alloc(ALIGNMENT, (size_bytes / ALIGNMENT + 1) * ALIGNMENT);
    }
    if (!found) {
        return snap_error_set(err, SNAP_NO_MEMORY, "CPU backend: cannot have %zu bytes of memory",
                              size_bytes);
    }
    *memory = found;
    return SNAP_OK;
}

enum snap_status trn_cpu_alloc(struct trn_backend *backend, size_t size_bytes, void **memory,
                               struct snap_error *err)
{
    const enum snap_status status = allocate(size_bytes, memory, err);
    (void)backend;
    if (status == SNAP_OK) {
        memset(*memory, 0, size_bytes);
    }
    return status;
}

void trn_cpu_release(struct trn_backend *backend, void *memory)
{
    (void)backend;
    free(memory);
}

enum snap_status trn_cpu_copy(struct trn_backend *backend, void *to, const void *from,
                              size_t size_bytes, struct snap_error *err)
{
    (void)backend;
    (void)err;
    if (size_bytes != 0) {
        memcpy(to, from, size_bytes);
    }
    return SNAP_OK;
}

enum snap_status trn_cpu_scratch(struct trn_backend *backend, size_t size_bytes, void **memory,
                                 struct snap_error *err)
{
    if (size_bytes > backend->scratch_size_bytes) {
        void *larger = NULL;
        const enum snap_status status = allocate(size_bytes, &larger, err);
        if (status != SNAP_OK) {
            return status;
        }
        free(backend->scratch);
        backend->scratch = larger;
        backend->scratch_size_bytes = size_bytes;
    }
    *memory = backend->scratch;
    return SNAP_OK;
}

struct split {
    trn_range_task *task;
    const void *arg;
    size_t n, grain;
};

static void split_task(void *arg, size_t index, unsigned worker)
{
    const struct split *split = arg;
    const size_t begin = index * split->grain;
    const size_t rest = split->n - begin;
    split->task(split->arg, begin, begin + (rest < split->grain ? rest : split->grain), worker);
}

void trn_cpu_split(struct trn_backend *backend, size_t n, size_t grain, trn_range_task *task,
                   const void *arg)
{
    struct split split = { task, arg, n, grain };
    if (n != 0) {
        snap_pool_run(backend->pool, (n - 1) / grain + 1, split_task, &split);
    }
}
