/* SPDX-License-Identifier: Apache-2.0 */
/* A program of one's own on several ranks: each has a stream of its own, and all share another.
 *
 *     check_rank_streams DIR STEPS [from=ARCHIVE] [tier=streams] [plant=WHAT]
 *
 * Trains in DIR until STEPS are done, with a save after each fifth, and prints the run hash and the
 * state hash; after a restore the receipt. `plant`: every rank seeds its own stream alike, or rank
 * 1 draws once more from the shared one: early, before the first step, or apart, in step 3, or
 * late, after the fifth. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/snapstate.h>

#define DRAWS 16

static struct snap_group *group;
static struct snap_error err = SNAP_ERROR_INIT;

static void must(enum snap_status status)
{
    if (status == SNAP_OK)
        return;
    if (snap_group_rank(group) == 0 || !snap_group_agreed(group))
        fprintf(stderr, "check_rank_streams: %s\n", err.text);
    snap_group_close(group, snap_group_agreed(group), (int)status);
    exit((int)status);
}

static const char *option(int argc, char **argv, const char *name)
{
    size_t length = strlen(name);
    for (int i = 3; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
            return argv[i] + length + 1;
    return "";
}

/* Draw from what is shared, on rank 1 alone. */
static void draw_more(struct snap_stream *shared)
{
    if (snap_group_rank(group) == 1)
        must(snap_python_randbelow(shared, 1000, &(uint64_t){ 0 }, &err));
}

/* One step: each rank adds what it draws, and the sum over all, which is exact, goes into w. */
static void train(struct snap_run *run, struct snap_stream *own, struct snap_stream *shared,
                  int64_t *w, bool apart)
{
    float drawn[DRAWS];
    int64_t numbers[2] = { 0, 0 };
    uint64_t order;
    uint64_t step = snap_run_steps_done(run) + 1;
    must(snap_run_begin_step(run, &err));
    must(snap_torch_uniform_f32(own, 0.0, 1.0, drawn, DRAWS, &err));
    must(snap_python_randbelow(shared, 1000, &order, &err));
    if (apart && step == 3)
        draw_more(shared);
    for (int i = 0; i < DRAWS; i++)
        numbers[i % 2] += (int64_t)(drawn[i] * 16777216.0f);
    must(snap_group_total(group, numbers, 2, &err));
    must(snap_run_before_update(run, NULL, &err));
    w[0] += numbers[0] + (int64_t)order;
    w[1] ^= numbers[1];
    struct snap_scalar loss = snap_scalar_int("loss", (uint64_t)numbers[0]);
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    record.step = step;
    record.float_scalars = &loss;
    record.float_scalar_count = 1;
    must(snap_run_step(run, &record, &err));
}

int main(int argc, char **argv)
{
    int64_t w[2] = { 0, 0 };
    uint64_t shape = 2;
    char run_hash[SNAP_HASH_TEXT_BYTES];
    char state_hash[SNAP_HASH_TEXT_BYTES];
    struct snap_run *run = NULL;
    struct snap_stream *own = NULL;
    struct snap_stream *shared = NULL;
    struct snap_receipt *receipt = NULL;
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    uint64_t steps = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    const char *from = option(argc, argv, "from");
    const char *plant = option(argc, argv, "plant");
    bool lower = strcmp(option(argc, argv, "tier"), "streams") == 0;

    must(snap_group_open(&group, &err));
    unsigned rank = (unsigned)snap_group_rank(group);
    must(snap_stream_new("torch_cpu", &own, &err));
    must(snap_stream_seed(own, strcmp(plant, "same") == 0 ? 7 : 100 + rank, &err));
    must(snap_stream_new("python_random", &shared, &err));
    must(snap_stream_seed(shared, 42, &err));
    options.dir = argv[1];
    options.archive = from[0] != '\0' ? from : NULL;
    options.profile = "host-1";
    options.every = 5;
    options.state_every = 1;
    options.group = group;
    must(snap_run_open(&options, &run, &err));
    tensor.root = "model";
    tensor.name = "w";
    tensor.data = w;
    tensor.dtype = SNAP_I64;
    tensor.ndim = 1;
    tensor.shape = &shape;
    must(snap_run_add_tensor(run, &tensor, &err));
    must(snap_run_add_rank_stream(run, "own", "torch_cpu", snap_stream_ops(), own, &err));
    must(snap_run_add_stream(run, "shared", "python_random", snap_stream_ops(), shared, &err));
    enum snap_status found = snap_run_restore(
        run, lower ? SNAP_TIER_STREAMS : SNAP_TIER_EXACT, NULL, &receipt, &err);
    if (receipt != NULL && rank == 0)
        fputs(snap_receipt_json(receipt), stdout);
    must(found == SNAP_NOT_FOUND ? SNAP_OK : found);
    if (strcmp(plant, "early") == 0)
        draw_more(shared);
    while (snap_run_steps_done(run) < steps) {
        train(run, own, shared, w, strcmp(plant, "apart") == 0);
        if (snap_run_wanted(run) != SNAP_WANTED_NOTHING) {
            struct snap_ticket *ticket;
            if (strcmp(plant, "late") == 0)
                draw_more(shared);
            must(snap_run_capture(run, snap_run_steps_done(run), NULL, &ticket, &err));
            must(snap_run_wait(run, ticket, NULL, &err));
        }
    }
    must(snap_run_hash(run, run_hash, NULL, &err));
    must(snap_run_state_hash(run, state_hash, &err));
    if (rank == 0)
        printf("%s\n%s\n", run_hash, state_hash);
    snap_receipt_free(receipt);
    must(snap_run_close(run, &err));
    snap_stream_free(own);
    snap_stream_free(shared);
    snap_group_close(group, true, 0);
    return 0;
}
