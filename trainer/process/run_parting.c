/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "process/run_parting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/run_paths.h"

/* {"chain":"64 digits" before, and ,"host_chain":"64 digits"} and a newline behind what a line
 * says. */
enum { BEFORE = 10 + 64 + 1, BEHIND = 15 + 64 + 3 };

struct side {
    char path[TRN_PATH_SIZE];
    FILE *file;
    char *line;
    size_t capacity;
    ssize_t size; /* of the whole line that stands in `line`; 0: there is no more */
    uint64_t step;
};

/* The step of a line: the last number of its host part. A genesis line is before all steps. */
static uint64_t step_of(const char *line, size_t size)
{
    static const char key[] = "\"step\":";
    const char *end = line + size - BEHIND - 1; /* at the brace of the host part */
    const char *at = end;
    while (at > line && *at != ':')
        at--;
    at++;
    if (at - line < (ptrdiff_t)sizeof(key) ||
        memcmp(at - (sizeof(key) - 1), key, sizeof(key) - 1) != 0)
        return 0;
    return strtoull(*at == '"' ? at + 1 : at, NULL, 10);
}

static enum snap_status next(struct side *side, struct snap_error *err)
{
    side->size = getline(&side->line, &side->capacity, side->file);
    if (side->size < 0 && ferror(side->file))
        return snap_error_set_os(err, SNAP_IO, errno, "%s: reading it", side->path);
    if (side->size <= BEFORE + BEHIND || side->line[side->size - 1] != '\n')
        side->size = 0; /* the end, or a torn line */
    else
        side->step = step_of(side->line, (size_t)side->size);
    return SNAP_OK;
}

static enum snap_status begin(struct side *side, const char *dir, struct snap_error *err)
{
    enum snap_status status = trn_join_path(dir, "ledger.jsonl", side->path, err);
    if (status != SNAP_OK)
        return status;
    side->file = fopen(side->path, "re");
    if (side->file == NULL)
        return snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                 "%s: opening it", side->path);
    status = next(side, err);
    if (status == SNAP_OK && side->size == 0)
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s: it has no line yet", side->path);
    return status;
}

static void end(struct side *side)
{
    if (side->file != NULL)
        fclose(side->file); /* it was only read */
    free(side->line);
}

static enum snap_status compare(const struct side *left, const struct side *right, bool *differ,
                                struct snap_ledger_difference *difference, struct snap_error *err)
{
    *differ = false;
    if (left->size == right->size &&
        memcmp(left->line + BEFORE, right->line + BEFORE,
               (size_t)left->size - BEFORE - BEHIND) == 0)
        return SNAP_OK;
    *difference = (struct snap_ledger_difference)SNAP_LEDGER_DIFFERENCE_INIT;
    enum snap_status status =
        snap_ledger_compare_lines(left->line, right->line, difference, err);
    *differ = status == SNAP_DIFFERS;
    return status == SNAP_DIFFERS ? SNAP_OK : status;
}

static enum snap_status walk(struct side *left, struct side *right, struct trn_parting *parting,
                             struct snap_error *err)
{
    enum snap_status status =
        compare(left, right, &parting->begin_apart, &parting->genesis, err);
    if (status == SNAP_OK)
        status = next(left, err);
    if (status == SNAP_OK)
        status = next(right, err);
    while (status == SNAP_OK && left->size > 0 && right->size > 0) {
        if (left->step < right->step) {
            status = next(left, err);
            continue;
        }
        if (left->step > right->step) {
            status = next(right, err);
            continue;
        }
        status = compare(left, right, &parting->part, &parting->step, err);
        if (status != SNAP_OK || parting->part)
            return status;
        parting->steps_equal++;
        status = next(left, err);
        if (status == SNAP_OK)
            status = next(right, err);
    }
    return status;
}

enum snap_status trn_runs_part(const char *left_dir, const char *right_dir,
                               struct trn_parting *parting, struct snap_error *err)
{
    struct side left = { .file = NULL }, right = { .file = NULL };
    struct trn_parting found = { .begin_apart = false };
    enum snap_status status = begin(&left, left_dir, err);
    if (status == SNAP_OK)
        status = begin(&right, right_dir, err);
    if (status == SNAP_OK)
        status = walk(&left, &right, &found, err);
    end(&left);
    end(&right);
    if (status == SNAP_OK)
        *parting = found;
    return status;
}
