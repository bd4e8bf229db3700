/* SPDX-License-Identifier: Apache-2.0 */
/* What a page needs of a run, and the page of one run in memory. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "report.h"
#include "run_files.h"
#include "target.h"

/* What a training config says but for its seeds: equal texts are one group. And the seeds. */
static enum snap_status take_config(struct report_run *run, json_t *genesis, struct snap_error *err)
{
    json_t *training = json_object_get(json_object_get(genesis, "host"), "training");
    json_t *seeds = json_object_get(training, "seeds");
    json_int_t first = json_integer_value(json_object_get(seeds, "python"));
    const char *key;
    const json_t *value;
    bool same = json_object_size(seeds) > 0;
    size_t used = 0;
    json_object_foreach(seeds, key, value)
        same = same && json_integer_value(value) == first;
    if (same)
        snprintf(run->seeds, sizeof run->seeds, "%" JSON_INTEGER_FORMAT, first);
    else
        json_object_foreach(seeds, key, value)
            if (used < sizeof run->seeds)
                used += (size_t)snprintf(run->seeds + used, sizeof run->seeds - used,
                                         "%s%s %" JSON_INTEGER_FORMAT, used ? ", " : "", key,
                                         json_integer_value(value));
    if (json_is_object(training)) {
        json_object_del(training, "seeds");
        run->config = json_dumps(training, JSON_COMPACT | JSON_SORT_KEYS);
    } else {
        run->config = strdup(""); /* of another trainer: a group of its own */
    }
    if (run->config == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its config", run->dir);
    return SNAP_OK;
}

static enum snap_status read_genesis(struct report_run *run, struct snap_error *err)
{
    char path[PATH_MAX];
    json_t *genesis;
    FILE *file;
    enum snap_status status = cmd_path_join(run->dir, "ledger.jsonl", path, err);
    if (status != SNAP_OK)
        return status;
    file = fopen(path, "re");
    if (file == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: opening it", path);
    genesis = json_loadf(file, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL);
    fclose(file); /* it was only read */
    if (genesis == NULL)
        return snap_error_set(err, SNAP_CORRUPT, "%s: line 1: not a line of a ledger; 'snap "
                              "verify' says what is wrong with it", path);
    status = take_config(run, genesis, err);
    json_decref(genesis);
    return status;
}

enum snap_status report_read_run(struct report_run *run, const char *dir, bool use_index,
                                 struct snap_error *err)
{
    enum cmd_target kind;
    enum snap_status status = cmd_target_find(dir, CMD_TARGET_RUN, &kind, err);
    run->dir = dir;
    if (status == SNAP_OK)
        status = trn_metrics_read(dir, use_index, &run->metrics, err);
    if (status == SNAP_OK)
        status = trn_run_notes_read(dir, &run->notes, err);
    if (status == SNAP_OK)
        status = trn_metrics_add_accuracy(run->metrics, run->notes.held_out, err);
    return status == SNAP_OK ? read_genesis(run, err) : status;
}

void report_release_run(struct report_run *run)
{
    trn_metrics_free(run->metrics);
    trn_run_notes_release(&run->notes);
    free(run->config);
}

enum snap_status report_page_of(const char *dir, char **text, struct snap_error *err)
{
    struct report_run run = { .group_size = 1 };
    struct report report = { .runs = &run, .count = 1 };
    char *page = NULL;
    size_t size = 0;
    FILE *file = NULL;
    enum snap_status status = report_read_run(&run, dir, true, err);
    if (status == SNAP_OK && (file = open_memstream(&page, &size)) == NULL)
        status = snap_error_set_os(err, SNAP_NO_MEMORY, errno, "%s: its page", dir);
    if (status == SNAP_OK) {
        bool good = report_write_page(file, &report) && !ferror(file);
        if (fclose(file) != 0 || !good)
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its page", dir);
    }
    report_release_run(&run);
    if (status == SNAP_OK)
        *text = page;
    else
        free(page);
    return status;
}
