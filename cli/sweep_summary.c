/* SPDX-License-Identifier: Apache-2.0 */
/* What the seeds of a sweep have in common: each number of their ledgers at each step. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "metrics/run_metrics.h"
#include "metrics/statistics.h"
#include "output.h"
#include "process/run_notes.h"
#include "run_files.h"
#include "sweep.h"

/* A file that takes its name when it is whole. */
struct output {
    FILE *file;
    char path[PATH_MAX];
    char temporary[PATH_MAX + 32];
};

static enum snap_status output_open(struct output *out, const char *dir, const char *name,
                                    struct snap_error *err)
{
    enum snap_status status = cmd_path_join(dir, name, out->path, err);
    if (status != SNAP_OK)
        return status;
    snprintf(out->temporary, sizeof out->temporary, "%s.tmp-%ld", out->path, (long)getpid());
    out->file = fopen(out->temporary, "we");
    if (out->file == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making it", out->path);
    return SNAP_OK;
}

/* Give it its name, or with `keep` false remove it. */
static enum snap_status output_close(struct output *out, bool keep, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (out->file == NULL)
        return SNAP_OK;
    bool failed = ferror(out->file) != 0;
    failed = fclose(out->file) != 0 || failed;
    out->file = NULL;
    if (keep && !failed && rename(out->temporary, out->path) == 0)
        return SNAP_OK;
    if (keep)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: writing it", out->path);
    unlink(out->temporary); /* what was there before stays */
    return status;
}

struct summary_job {
    struct trn_metrics **metrics; /* of the seeds that are done */
    double *values;               /* room for one of each */
    size_t *at;                   /* where each seed's series stands */
    size_t count;
    double *t;                    /* by degrees of freedom, from 1 */
    struct output csv, json;
};

/* A number in nine digits, as much as a binary32 holds. */
static json_t *decimal(double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    return json_string(text);
}

static json_t *row_value(uint64_t step, const struct trn_summary *s)
{
    bool spread = s->has_spread;
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "count", (json_int_t)s->count, "deviation",
                     spread ? decimal(s->deviation) : json_null(), "high",
                     spread ? decimal(s->high) : json_null(), "low",
                     spread ? decimal(s->low) : json_null(), "mean", decimal(s->mean), "step",
                     cmd_json_uint(step));
}

static void write_csv_row(FILE *file, const char *name, uint64_t step, const struct trn_summary *s)
{
    putc('"', file);
    for (const char *at = name; *at; at++) {
        if (*at == '"')
            putc('"', file);
        putc(*at, file);
    }
    fprintf(file, "\",%" PRIu64 ",%zu,%.9g", step, s->count, s->mean);
    if (s->has_spread)
        fprintf(file, ",%.9g,%.9g,%.9g\r\n", s->deviation, s->low, s->high);
    else
        fputs(",,,\r\n", file);
}

/* The next step at which a seed has a value of `name`, and these values. False: there is none. */
static bool next_row(struct summary_job *job, const char *name, uint64_t *step, size_t *count)
{
    bool found = false;
    *count = 0;
    for (size_t i = 0; i < job->count; i++) {
        const struct trn_series *series = trn_metrics_find(job->metrics[i], name);
        if (series == NULL || job->at[i] == series->count)
            continue;
        if (!found || series->steps[job->at[i]] < *step)
            *step = series->steps[job->at[i]];
        found = true;
    }
    for (size_t i = 0; found && i < job->count; i++) {
        const struct trn_series *series = trn_metrics_find(job->metrics[i], name);
        if (series != NULL && job->at[i] < series->count && series->steps[job->at[i]] == *step)
            job->values[(*count)++] = series->values[job->at[i]++];
    }
    return found;
}

/* All rows of a metric, and the last one again into `ends`. */
static enum snap_status write_metric(struct summary_job *job, const char *name, bool first,
                                     json_t *ends, struct snap_error *err)
{
    struct trn_summary summary = { .count = 0 };
    json_t *title = json_string(name), *row = NULL;
    uint64_t step = 0;
    size_t count;
    bool good = title != NULL;
    memset(job->at, 0, job->count * sizeof *job->at);
    fputs(first ? "{\"name\":" : ",{\"name\":", job->json.file);
    good = good && json_dumpf(title, job->json.file, JSON_ENCODE_ANY) == 0;
    fputs(",\"steps\":[", job->json.file);
    while (good && next_row(job, name, &step, &count)) {
        trn_summarize(job->values, count, job->t[count - 1], &summary);
        write_csv_row(job->csv.file, name, step, &summary);
        if (row != NULL)
            putc(',', job->json.file);
        json_decref(row);
        row = row_value(step, &summary);
        /* a full disk is found when the file is closed */
        good = row != NULL;
        (void)json_dumpf(row, job->json.file, JSON_COMPACT | JSON_SORT_KEYS);
    }
    fputs("]}", job->json.file);
    good = good && row != NULL && json_object_set(row, "name", title) == 0 &&
           json_array_append(ends, row) == 0;
    json_decref(row);
    json_decref(title);
    return good ? SNAP_OK
                : snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for a row", job->json.path);
}

static enum snap_status write_all(struct summary_job *job, const struct sweep *sweep,
                                  json_t *ends, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    bool first = true;
    fputs("metric,step,seeds,mean,deviation,low,high\r\n", job->csv.file);
    fprintf(job->json.file, "{\"confidence\":%u,\"format\":\"snap-sweep-1\",\"metrics\":[",
            sweep->confidence);
    /* Every metric of every seed, where it is met first. */
    for (size_t i = 0; i < job->count; i++) {
        for (size_t k = 0; k < job->metrics[i]->series_count && status == SNAP_OK; k++) {
            const char *name = job->metrics[i]->series[k].name;
            bool known = false;
            for (size_t earlier = 0; earlier < i && !known; earlier++)
                known = trn_metrics_find(job->metrics[earlier], name) != NULL;
            if (known)
                continue;
            status = write_metric(job, name, first, ends, err);
            first = false;
        }
    }
    fputs("],\"seeds\":[", job->json.file);
    first = true;
    for (size_t i = 0; i < sweep->count; i++) {
        const struct sweep_seed *seed = &sweep->seeds[i];
        if (seed->state != SWEEP_DONE)
            continue;
        fprintf(job->json.file,
                "%s{\"run_hash\":\"%s\",\"seed\":%" PRIu64 ",\"step\":%" PRIu64 "}",
                first ? "" : ",", seed->run_hash, seed->seed, seed->step);
        first = false;
    }
    fputs("]}\n", job->json.file);
    return status;
}

static enum snap_status load(struct summary_job *job, const struct sweep *sweep,
                             struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < sweep->count && status == SNAP_OK; i++) {
        struct trn_run_notes notes;
        struct trn_metrics *metrics;
        if (sweep->seeds[i].state != SWEEP_DONE)
            continue;
        status = trn_run_notes_read(sweep->seeds[i].dir, &notes, err);
        if (status != SNAP_OK)
            break;
        status = trn_metrics_read(sweep->seeds[i].dir, true, &metrics, err);
        if (status == SNAP_OK) {
            job->metrics[job->count++] = metrics;
            status = trn_metrics_add_accuracy(metrics, notes.held_out, err);
        }
        trn_run_notes_release(&notes);
    }
    return status;
}

enum snap_status sweep_summarize(const struct sweep *sweep, json_t **ends, struct snap_error *err)
{
    struct summary_job job = { .count = 0 };
    enum snap_status status = SNAP_OK, closed;
    json_t *found = json_array();
    job.metrics = calloc(sweep->count, sizeof *job.metrics);
    job.values = calloc(sweep->count, sizeof *job.values);
    job.at = calloc(sweep->count, sizeof *job.at);
    job.t = calloc(sweep->count, sizeof *job.t);
    if (found == NULL || job.metrics == NULL || job.values == NULL || job.at == NULL ||
        job.t == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its summary", sweep->dir);
    if (status == SNAP_OK)
        status = load(&job, sweep, err);
    if (status != SNAP_OK || job.count == 0)
        goto out;
    for (size_t i = 1; i < job.count; i++)
        job.t[i] = trn_student_t((double)sweep->confidence / 100, i);
    status = output_open(&job.csv, sweep->dir, "sweep.csv", err);
    if (status == SNAP_OK)
        status = output_open(&job.json, sweep->dir, "sweep.json", err);
    if (status == SNAP_OK)
        status = write_all(&job, sweep, found, err);
    closed = output_close(&job.csv, status == SNAP_OK, status == SNAP_OK ? err : NULL);
    status = status == SNAP_OK ? closed : status;
    closed = output_close(&job.json, status == SNAP_OK, status == SNAP_OK ? err : NULL);
    status = status == SNAP_OK ? closed : status;
out:
    for (size_t i = 0; i < job.count; i++)
        trn_metrics_free(job.metrics[i]);
    free(job.metrics);
    free(job.values);
    free(job.at);
    free(job.t);
    if (status != SNAP_OK)
        json_decref(found);
    else
        *ends = found;
    return status;
}
