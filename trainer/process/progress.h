/* SPDX-License-Identifier: Apache-2.0 */
/* One line on a terminal that is written over: steps, loss, speed and time left. Nothing in a
 * pipe or file. */
#ifndef TRN_PROGRESS_H
#define TRN_PROGRESS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct trn_progress {
    FILE *file; /* NULL: nothing is shown */
    uint64_t first_step;
    uint64_t last_step; /* where the training ends */
    uint64_t samples;   /* since it began */
    double began;       /* seconds of the monotonic clock */
    double shown;
};

/* `file` NULL, or no terminal: nothing will be shown. */
void trn_progress_begin(struct trn_progress *progress, FILE *file, uint64_t first_step,
                        uint64_t last_step);
/* `step` has been made. Shows at most ten lines a second. */
void trn_progress_step(struct trn_progress *progress, uint64_t step, uint64_t epoch, float loss,
                       size_t samples);
/* Wipe the line away. */
void trn_progress_end(struct trn_progress *progress);

/* The line, without control characters. */
void trn_progress_format(const struct trn_progress *progress, uint64_t step, uint64_t epoch,
                         float loss, double seconds, char *line, size_t line_size);

/* Seconds of the monotonic clock. */
double trn_clock_seconds(void);

#endif
