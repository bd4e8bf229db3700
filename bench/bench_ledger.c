/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger costs: trainings that are the same but for their ledger make their steps in turn.
 *     bench_ledger DIR STEPS CONFIG...
 * There is a training for each config, in a run folder DIR/0, DIR/1 ... Each line "go" on standard
 * input is answered by the seconds of processor time that a step of each took: the mean of STEPS,
 * of which every training makes one before any makes another, beginning with a different one each
 * time. The trainings are to have one thread each: processor time is then what a step takes on a
 * machine that does nothing else, and what others do to this one is left out. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "session/train_loop.h"
#include "session/training.h"

#define MOST 8

static struct snap_error err = SNAP_ERROR_INIT;

static void must(enum snap_status status)
{
    if (status == SNAP_OK)
        return;
    fprintf(stderr, "bench_ledger: %s\n", err.text);
    exit(3);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct trn_training *begin(const char *config_path, const char *parent, int index)
{
    struct trn_training_options making = { .expected = NULL };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_training *training = NULL;
    struct trn_config config;
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/%d", parent, index);
    opening.dir = dir;
    opening.must_be_new = true;
    must(trn_config_load(config_path, NULL, &config, &err));
    must(trn_training_new(&config, &making, &training, &err));
    must(trn_training_open_run(training, &opening, &err));
    return training;
}

static double one_step(struct trn_training *training)
{
    struct trn_step step;
    double began = seconds();
    must(trn_train_step(training, &step, &err));
    return seconds() - began;
}

static void answer(struct trn_training *const *trainings, int count, int steps)
{
    double took[MOST] = { 0 };
    for (int i = 0; i < steps; i++)
        for (int k = 0; k < count; k++)
            took[(i + k) % count] += one_step(trainings[(i + k) % count]);
    for (int k = 0; k < count; k++)
        printf("%.9f%c", took[k] / steps, k + 1 == count ? '\n' : ' ');
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct trn_training *trainings[MOST];
    int count = argc - 3;
    int steps = count > 0 ? atoi(argv[2]) : 0;
    char line[16];
    if (steps < 1 || count > MOST) {
        fprintf(stderr, "usage: bench_ledger DIR STEPS CONFIG... (at most %d)\n", MOST);
        return 2;
    }
    for (int k = 0; k < count; k++)
        trainings[k] = begin(argv[3 + k], argv[1], k);
    while (fgets(line, sizeof line, stdin) != NULL)
        answer(trainings, count, steps);
    for (int k = 0; k < count; k++)
        must(trn_training_free(trainings[k], &err));
    return 0;
}
