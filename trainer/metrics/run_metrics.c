/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "metrics/run_metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/run_paths.h"

const struct trn_series *trn_metrics_find(const struct trn_metrics *metrics, const char *name)
{
    for (size_t i = 0; i < metrics->series_count; i++)
        if (strcmp(metrics->series[i].name, name) == 0)
            return &metrics->series[i];
    return NULL;
}

/* The series of that name, made when it is new; NULL: there are too many. */
static struct trn_series *series_of(struct trn_metrics *metrics, const char *name, size_t size)
{
    struct trn_series *series;
    if (size >= TRN_SERIES_NAME_SIZE)
        size = TRN_SERIES_NAME_SIZE - 1;
    for (size_t i = 0; i < metrics->series_count; i++) {
        series = &metrics->series[i];
        if (memcmp(series->name, name, size) == 0 && series->name[size] == '\0')
            return series;
    }
    if (metrics->series_count == TRN_SERIES_MOST)
        return NULL;
    series = &metrics->series[metrics->series_count++];
    memcpy(series->name, name, size);
    series->name[size] = '\0';
    return series;
}

bool trn_metrics_add(struct trn_metrics *metrics, const char *name, size_t name_size,
                     uint64_t step, double value)
{
    struct trn_series *series = series_of(metrics, name, name_size);
    if (series == NULL)
        return true; /* beyond the limit a scalar has no curve */
    if (series->count == series->capacity) {
        size_t capacity = series->capacity > 0 ? series->capacity * 2 : 256;
        uint64_t *steps = reallocarray(series->steps, capacity, sizeof(*steps));
        if (steps == NULL)
            return false;
        series->steps = steps;
        double *values = reallocarray(series->values, capacity, sizeof(*values));
        if (values == NULL)
            return false;
        series->values = values;
        series->capacity = capacity;
    }
    series->steps[series->count] = step;
    series->values[series->count++] = value;
    return true;
}

enum snap_status trn_metrics_add_accuracy(struct trn_metrics *metrics, uint64_t held_out,
                                          struct snap_error *err)
{
    static const char name[] = "eval_accuracy";
    const struct trn_series *correct = trn_metrics_find(metrics, "eval_correct");
    if (correct == NULL || held_out == 0)
        return SNAP_OK;
    for (size_t i = 0; i < correct->count; i++)
        if (!trn_metrics_add(metrics, name, sizeof(name) - 1, correct->steps[i],
                             correct->values[i] / (double)held_out))
            return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its curve", name);
    return SNAP_OK;
}

void trn_metrics_free(struct trn_metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < TRN_SERIES_MOST; i++) {
        free(metrics->series[i].steps);
        free(metrics->series[i].values);
    }
    free(metrics);
}

/* Read the lines from where `metrics` stands. *grew: there were some. */
static enum snap_status read_lines(FILE *file, const char *path, struct trn_metrics *metrics,
                                   bool *grew, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    bool no_memory = false;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    *grew = false;
    if (fseeko(file, metrics->covered, SEEK_SET) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: reading it", path);
    for (errno = 0; (size = getline(&line, &capacity, file)) > 0; errno = 0) {
        if (line[size - 1] != '\n')
            break; /* torn, or being written */
        if (!trn_metrics_take_line(metrics, line, (size_t)size - 1, &no_memory)) {
            status = no_memory
                         ? snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its curves", path)
                         : snap_error_set(err, SNAP_CORRUPT,
                                          "%s: line %" PRIu64 ": not a line of a ledger; 'snap "
                                          "verify' says what is wrong with it",
                                          path, metrics->lines + 1);
            goto out;
        }
        metrics->last_line = metrics->covered;
        metrics->covered += size;
        *grew = true;
    }
    if (ferror(file))
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading it", path);
    else if (size < 0 && errno == ENOMEM)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for a line", path);
out:
    free(line);
    return status;
}

enum snap_status trn_metrics_read(const char *dir, bool use_index, struct trn_metrics **metrics,
                                  struct snap_error *err)
{
    char path[TRN_PATH_SIZE], index[TRN_PATH_SIZE];
    struct trn_metrics *made;
    bool grew;
    enum snap_status status = trn_join_path(dir, "ledger.jsonl", path, err);
    if (status == SNAP_OK)
        status = trn_join_path(dir, "metrics.index", index, err);
    if (status != SNAP_OK)
        return status;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                 "%s: opening it", path);
    made = calloc(1, sizeof(*made));
    if (made == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its curves", path);
        goto out;
    }
    made->from_index = use_index && trn_metrics_load(made, index, fileno(file));
    status = read_lines(file, path, made, &grew, err);
    if (status == SNAP_OK && made->lines == 0)
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s: it has no line yet", path);
    if (status == SNAP_OK && use_index && grew)
        trn_metrics_store(made, index, fileno(file));
out:
    fclose(file); /* it was only read */
    if (status != SNAP_OK) {
        trn_metrics_free(made);
        return status;
    }
    *metrics = made;
    return SNAP_OK;
}
