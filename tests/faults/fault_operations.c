/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fault_operations.h"
#include "toy_run.h"

/* Snapshots after every second step; the run ends after step 6. */
#define EVERY 2
#define STEPS 6

void (*fault_operation_begins)(void);

static enum snap_status train(const char *dir, uint64_t steps, struct snap_error *err)
{
    struct snap_pool *pool;
    struct snap_run *run = NULL;
    struct toy toy;
    enum snap_status status = snap_pool_new(1, &pool, err);
    if (status != SNAP_OK)
        return status;
    toy_init(&toy);
    toy.every = EVERY;
    toy.pool = pool;
    toy.read_back = true;
    if (fault_operation_begins != NULL)
        fault_operation_begins();
    status = toy_open(&toy, dir, NULL, &run, err);
    if (status == SNAP_OK) {
        status = toy_restore(&toy, run, NULL, err);
        if (status == SNAP_NOT_FOUND)
            status = SNAP_OK;
        if (status == SNAP_OK)
            status = toy_train(&toy, run, steps, err);
        enum snap_status closed = snap_run_close(run, status == SNAP_OK ? err : NULL);
        if (status == SNAP_OK)
            status = closed;
    }
    toy_release(&toy);
    snap_pool_free(pool);
    return status;
}

static enum snap_status prepare_nothing(const char *dir, struct snap_error *err)
{
    (void)dir;
    (void)err;
    return SNAP_OK;
}

static enum snap_status train_first(const char *dir, struct snap_error *err)
{
    return train(dir, 2, err);
}

static enum snap_status train_on(const char *dir, struct snap_error *err)
{
    return train(dir, 4, err);
}

/* Snapshots of steps 2 and 4, and what is done with them. */
static enum snap_status train_second(const char *dir, struct snap_error *err)
{
    return train(dir, 4, err);
}

static void begins(void)
{
    if (fault_operation_begins != NULL)
        fault_operation_begins();
}

static enum snap_status thin(const char *dir, struct snap_error *err)
{
    struct snap_thin_options options = SNAP_THIN_OPTIONS_INIT;
    options.base = toy_snapshot(dir, 2);
    begins();
    return snap_thin(toy_snapshot(dir, 4), &options, NULL, NULL, err);
}

static enum snap_status prepare_thin(const char *dir, struct snap_error *err)
{
    struct snap_thin_options options = SNAP_THIN_OPTIONS_INIT;
    enum snap_status status = train(dir, 4, err);
    options.base = toy_snapshot(dir, 2);
    return status == SNAP_OK ? snap_thin(toy_snapshot(dir, 4), &options, NULL, NULL, err) : status;
}

static enum snap_status pack(const char *dir, struct snap_error *err)
{
    begins();
    return snap_pack(toy_snapshot(dir, 4), NULL, NULL, err);
}

static enum snap_status prune(const char *dir, struct snap_error *err)
{
    struct snap_keep keep = SNAP_KEEP_INIT;
    keep.last = 1;
    begins();
    return snap_prune_run(dir, &keep, false, NULL, NULL, NULL, err);
}

const struct fault_operation fault_operations[] = {
    {"first", prepare_nothing, train_first}, /* a new run, its first lines and first snapshot */
    {"save", train_first, train_on},         /* a restore, steps, a save, `latest` */
    {"thin", train_second, thin},
    {"pack", prepare_thin, pack},
    {"prune", train_second, prune},
};
const size_t fault_operation_count = sizeof fault_operations / sizeof fault_operations[0];

const struct fault_operation *fault_operation_find(const char *name)
{
    for (size_t i = 0; i < fault_operation_count; i++)
        if (strcmp(fault_operations[i].name, name) == 0)
            return &fault_operations[i];
    return NULL;
}

enum snap_status fault_reference(const char *dir, struct snap_error *err)
{
    return train(dir, STEPS, err);
}

static void copy_folder(const char *from, const char *to)
{
    char old[4096];
    char new[4096];
    const struct dirent *entry;
    DIR *folder = opendir(from);
    mkdir(to, 0755); /* it may be there */
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        struct stat info;
        snprintf(old, sizeof old, "%s/%s", from, entry->d_name);
        snprintf(new, sizeof new, "%s/%s", to, entry->d_name);
        if (stat(old, &info) == 0 && S_ISREG(info.st_mode))
            toy_copy(old, new);
    }
    if (folder != NULL)
        closedir(folder);
}

void fault_copy_run(const char *from, const char *to)
{
    copy_folder(from, to);
    struct stat info;
    if (stat(toy_path(from, "snapshots"), &info) == 0)
        copy_folder(toy_path(from, "snapshots"), toy_path(to, "snapshots"));
}

static char *complaint(const char *format, ...) SNAP_PRINTF(1, 2);
static char *complaint(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    return text;
}

char *fault_judge(const char *dir, const char *reference)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_verdict *verdict = NULL;
    char *wrong = NULL;
    struct stat info;
    bool begun = stat(toy_path(dir, "events.jsonl"), &info) == 0;
    if (begun && snap_fsck_run(dir, NULL, NULL, &err) != SNAP_OK)
        return complaint("fsck: %s", err.text);
    err = (struct snap_error)SNAP_ERROR_INIT;
    if (train(dir, STEPS, &err) != SNAP_OK)
        return complaint("it does not go on: %s", err.text);
    if (snap_fsck_run(dir, NULL, &verdict, &err) != SNAP_OK)
        wrong = complaint("fsck in the end: %s", err.text);
    else if (strstr(snap_verdict_text(verdict), "leftovers") != NULL)
        wrong = complaint("something is left over in the end");
    else if (!toy_same_files(toy_path(dir, "ledger.jsonl"), toy_path(reference, "ledger.jsonl")))
        wrong = complaint("the ledger is another one");
    else if (!toy_same_files(toy_snapshot(dir, STEPS), toy_snapshot(reference, STEPS)))
        wrong = complaint("the last snapshot is another one");
    else if (!toy_same_files(toy_path(dir, "latest"), toy_path(reference, "latest")))
        wrong = complaint("latest is another one");
    snap_verdict_free(verdict);
    return wrong;
}
