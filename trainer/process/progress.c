/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "process/progress.h"

#include <time.h>
#include <unistd.h>

double trn_clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void trn_progress_begin(struct trn_progress *progress, FILE *file, uint64_t first_step,
                        uint64_t last_step)
{
    *progress = (struct trn_progress){ .first_step = first_step, .last_step = last_step };
    if (file != NULL && isatty(fileno(file)))
        progress->file = file;
    progress->began = trn_clock_seconds();
}

/* "1:05:09", "5:09" */
static void format_time(double seconds, char *text, size_t size)
{
    unsigned long long whole = seconds < 1e9 ? (unsigned long long)(seconds + 0.5) : 999999999u;
    if (whole >= 3600)
        snprintf(text, size, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, size, "%llu:%02llu", whole / 60, whole % 60);
}

void trn_progress_format(const struct trn_progress *progress, uint64_t step, uint64_t epoch,
                         float loss, double seconds, char *line, size_t line_size)
{
    char left[32];
    uint64_t made = step - progress->first_step;
    double a_step = made > 0 ? seconds / (double)made : 0;
    double speed = seconds > 0 ? (double)progress->samples / seconds : 0;
    format_time(a_step * (double)(progress->last_step - step), left, sizeof(left));
    snprintf(line, line_size, "step %llu of %llu  epoch %llu  loss %.4f  %.0f samples/s  %s left",
             (unsigned long long)step, (unsigned long long)progress->last_step,
             (unsigned long long)epoch + 1, (double)loss, speed, left);
}

void trn_progress_step(struct trn_progress *progress, uint64_t step, uint64_t epoch, float loss,
                       size_t samples)
{
    char line[160];
    progress->samples += samples;
    if (progress->file == NULL)
        return;
    double now = trn_clock_seconds();
    if (now - progress->shown < 0.1)
        return;
    progress->shown = now;
    trn_progress_format(progress, step, epoch, loss, now - progress->began, line, sizeof(line));
    /* A terminal that is gone is no reason to stop a training. */
    fprintf(progress->file, "\r%s\033[K", line);
    fflush(progress->file);
}

void trn_progress_end(struct trn_progress *progress)
{
    if (progress->file == NULL || progress->shown == 0)
        return;
    fputs("\r\033[K", progress->file);
    fflush(progress->file);
    progress->shown = 0;
}
