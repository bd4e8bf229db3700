/* SPDX-License-Identifier: Apache-2.0 */
/* Failures one after the other, without a step between them: each is another one, and all ranks
 * hear of it. A rank that kept one to itself would leave the others waiting for ever.
 *
 *     check_agreement DIR
 *
 * Exit 1: the line on stderr says what did not come out. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/snapstate.h>

static struct snap_group *group;
static struct snap_error err = SNAP_ERROR_INIT;

static void expect(enum snap_status found, enum snap_status wanted, const char *what)
{
    if (found == wanted && (found == SNAP_OK || snap_group_agreed(group)))
        return;
    fprintf(stderr, "check_agreement: rank %d: %s: status %d, \"%s\"\n", snap_group_rank(group),
            what, (int)found, found == SNAP_OK ? "" : err.text);
    snap_group_close(group, false, 1);
    exit(1);
}

static const char *join(const char *dir, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static struct snap_run *open_run(const char *dir, enum snap_status wanted, const char *what)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run = NULL;
    options.dir = dir;
    options.profile = "host-1";
    options.group = group;
    expect(snap_run_open(&options, &run, &err), wanted, what);
    return run;
}

static void register_state(struct snap_run *run, int64_t *w)
{
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    uint64_t shape = 2;
    tensor.root = "model";
    tensor.name = "w";
    tensor.data = w;
    tensor.dtype = SNAP_I64;
    tensor.ndim = 1;
    tensor.shape = &shape;
    expect(snap_run_add_tensor(run, &tensor, &err), SNAP_OK, "register");
}

/* A folder that rank 0 cannot make, and cannot make once more. */
static void check_open(const char *dir)
{
    FILE *file = snap_group_rank(group) == 0 ? fopen(join(dir, "file"), "wb") : NULL;
    if (file != NULL)
        fclose(file); /* empty */
    open_run(join(dir, "file/run"), SNAP_IO, "a folder below a file");
    open_run(join(dir, "file/run"), SNAP_IO, "the same again");
}

/* A snapshot after one step. */
static void save_one(const char *dir, int64_t *w)
{
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    struct snap_ticket *ticket;
    struct snap_run *run = open_run(join(dir, "run"), SNAP_OK, "a folder");
    register_state(run, w);
    record.step = 1;
    expect(snap_run_begin_step(run, &err), SNAP_OK, "begin");
    expect(snap_run_before_update(run, NULL, &err), SNAP_OK, "update");
    w[0]++;
    expect(snap_run_step(run, &record, &err), SNAP_OK, "step");
    expect(snap_run_capture(run, 1, NULL, &ticket, &err), SNAP_OK, "save");
    expect(snap_run_wait(run, ticket, NULL, &err), SNAP_OK, "wait");
    expect(snap_run_close(run, &err), SNAP_OK, "close");
}

/* Refused for the tier on all; then rank 0 cannot read it any more. */
static void check_restore(const char *dir)
{
    struct snap_stream *stream = NULL;
    int64_t w[2] = { 0, 0 };
    save_one(dir, w);
    struct snap_run *run = open_run(join(dir, "run"), SNAP_OK, "the folder again");
    register_state(run, w);
    expect(snap_stream_new("python_random", &stream, &err), SNAP_OK, "a stream");
    expect(snap_run_add_stream(run, "more", "python_random", snap_stream_ops(), stream, &err),
           SNAP_OK, "a stream that was not saved");
    expect(snap_run_restore(run, SNAP_TIER_EXACT, NULL, NULL, &err), SNAP_ABSENT, "no exact one");
    if (snap_group_rank(group) == 0 &&
        truncate(join(dir, "run/snapshots/step-0000000001.snap.tar"), 1000) != 0)
        expect(SNAP_IO, SNAP_OK, "damage it");
    expect(snap_run_restore(run, SNAP_TIER_WEIGHTS, NULL, NULL, &err), SNAP_CORRUPT, "damaged");
    snap_run_close(run, NULL); /* nothing was done in it */
    snap_stream_free(stream);
}

/* A program's own: the last rank fails, all go on, and then the first one fails. */
static void check_own(void)
{
    const int fail[] = { snap_group_world(group) - 1, 0 };
    for (size_t i = 0; i < 2; i++) {
        snap_group_go_on(group); /* after the restore that was refused, too */
        enum snap_status status =
            snap_group_rank(group) == fail[i]
                ? snap_error_set(&err, i == 0 ? SNAP_IO : SNAP_CORRUPT, "failure %zu", i)
                : SNAP_OK;
        expect(snap_group_agree(group, status, &err), i == 0 ? SNAP_IO : SNAP_CORRUPT, "agree");
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 || snap_group_open(&group, &err) != SNAP_OK) {
        fprintf(stderr, "check_agreement: %s\n", argc == 2 ? err.text : "name a folder");
        return 1;
    }
    check_open(argv[1]);
    check_restore(argv[1]);
    check_own();
    snap_group_close(group, true, 0);
    return 0;
}
