/* SPDX-License-Identifier: Apache-2.0 */
/* What a run costs a training whose steps are short: by the clock, with all that goes on beside.
 *     bench_steps DEVICE DIR STEPS CONFIG PLAIN
 * The training of CONFIG has a run in the folder DIR; that of PLAIN, which is to be the same, has
 * one in memory alone. Each line "go" on standard input is answered by the seconds of a step of
 * both: the mean of STEPS. Those of the first begin with a snapshot, whose end is waited for after
 * the last of them, so that it costs all that it does. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "session/train_loop.h"
#include "session/training.h"

static struct snap_error err = SNAP_ERROR_INIT;

static void must(enum snap_status status)
{
    if (status == SNAP_OK)
        return;
    fprintf(stderr, "bench_steps: %s\n", err.text);
    exit(3);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct trn_training *begin(const char *device, const char *config_path, const char *dir)
{
    struct trn_training_options making = { .device = device };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_training *training = NULL;
    struct trn_config config;
    opening.dir = dir;
    opening.must_be_new = dir != NULL;
    opening.agent = "";
    must(trn_config_load(config_path, NULL, &config, &err));
    must(trn_training_new(&config, &making, &training, &err));
    must(trn_training_open_run(training, &opening, &err));
    return training;
}

/* Seconds of a step. */
static double make_steps(struct trn_training *training, int steps, bool save)
{
    struct snap_run *run = training->run;
    struct snap_ticket *ticket = NULL;
    struct trn_step step;
    double began = seconds();
    if (save)
        must(snap_run_capture(run, snap_run_steps_done(run), training->backend->stream, &ticket,
                              &err));
    for (int i = 0; i < steps; i++)
        must(trn_train_step(training, &step, &err));
    must(trn_check_weights(training, &step, &err)); /* the last update is made */
    if (ticket != NULL)
        must(snap_run_wait(run, ticket, NULL, &err));
    return (seconds() - began) / steps;
}

int main(int argc, char **argv)
{
    int steps = argc == 6 ? atoi(argv[3]) : 0;
    char line[16];
    if (steps < 1) {
        fprintf(stderr, "usage: bench_steps DEVICE DIR STEPS CONFIG PLAIN\n");
        return 2;
    }
    struct trn_training *ours = begin(argv[1], argv[4], argv[2]);
    struct trn_training *plain = begin(argv[1], argv[5], NULL);
    while (fgets(line, sizeof line, stdin) != NULL) {
        double mine = make_steps(ours, steps, true);
        printf("%.9f %.9f\n", mine, make_steps(plain, steps, false));
        fflush(stdout);
    }
    must(trn_training_free(ours, &err));
    must(trn_training_free(plain, &err));
    return 0;
}
