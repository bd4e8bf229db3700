/* SPDX-License-Identifier: Apache-2.0 */
/* How long a save holds an update of tensors in the memory of a CUDA device.
 *     bench_stall INDEX DIR MIB DEVICE_COPY
 * Each line "go" on standard input is answered by the seconds from the capture of a state of MIB
 * mebibytes in 40 tensors until work that was queued behind before_update is done: what an update
 * waits for when no step goes on beside. DEVICE_COPY is that option of the run. The archive is
 * written and removed outside of the clock. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <snapstate/snapstate.h>

#include "ops/ops.h"

#define TENSORS 40

static struct snap_error err = SNAP_ERROR_INIT;
static struct trn_backend *backend;

static void must(enum snap_status status)
{
    if (status == SNAP_OK)
        return;
    fprintf(stderr, "bench_stall: %s\n", err.text);
    exit(3);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *add_tensor(struct snap_run *run, int index, uint64_t count)
{
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    char name[16];
    void *memory = NULL;
    must(backend->ops->alloc(backend, count * sizeof(float), &memory, &err));
    snprintf(name, sizeof name, "weight%02d", index);
    tensor.root = "model";
    tensor.name = name;
    tensor.data = memory;
    tensor.device = backend->device;
    tensor.dtype = SNAP_F32;
    tensor.ndim = 1;
    tensor.shape = &count;
    must(snap_run_add_tensor(run, &tensor, &err));
    return memory;
}

/* One save; `word` is of the state. */
static double hold(struct snap_run *run, const char *dir, const void *word)
{
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    struct snap_ticket *ticket;
    float ignored;
    char archive[4096];
    uint64_t step = snap_run_steps_done(run);
    double began = seconds();
    must(snap_run_capture(run, step, backend->stream, &ticket, &err));
    must(snap_run_begin_step(run, &err));
    must(snap_run_before_update(run, backend->stream, &err));
    must(backend->ops->download(backend, &ignored, word, sizeof ignored, &err));
    double took = seconds() - began;
    record.step = step + 1;
    must(snap_run_step(run, &record, &err));
    must(snap_run_wait(run, ticket, NULL, &err));
    snprintf(archive, sizeof archive, "%s/snapshots/step-%010" PRIu64 ".snap.tar", dir, step);
    if (unlink(archive) != 0)
        perror(archive);
    return took;
}

int main(int argc, char **argv)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_pool *pool = NULL;
    struct snap_run *run = NULL;
    void *word = NULL;
    char line[16];
    if (argc != 5) {
        fprintf(stderr, "usage: bench_stall INDEX DIR MIB DEVICE_COPY\n");
        return 2;
    }
    must(snap_pool_new(0, &pool, &err));
    must(trn_device_backend_open(atoi(argv[1]), pool, &backend, &err));
    options.dir = argv[2];
    options.device_copy = argv[4];
    options.agent = "";
    options.no_read_back = true;
    options.pool = pool;
    must(snap_run_open(&options, &run, &err));
    uint64_t count = strtoull(argv[3], NULL, 10) * ((uint64_t)1 << 20) / TENSORS / sizeof(float);
    for (int i = 0; i < TENSORS; i++)
        word = add_tensor(run, i, count);
    while (fgets(line, sizeof line, stdin) != NULL) {
        printf("%.9f\n", hold(run, argv[2], word));
        fflush(stdout);
    }
    must(snap_run_close(run, &err));
    return 0;
}
