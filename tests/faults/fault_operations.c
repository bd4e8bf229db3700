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
/* Cuts a snapshot into several volumes, of which one has several members. */
#define VOLUME_SIZE 3000

uint64_t fault_staging_bytes = 1;
bool fault_unread;
void (*fault_operation_reports)(uint64_t step);
void (*fault_operation_begins)(void);

static void begins(void)
{
    if (fault_operation_begins != NULL)
        fault_operation_begins();
}

static void reports(uint64_t step)
{
    if (fault_operation_reports != NULL)
        fault_operation_reports(step);
}

static enum snap_status train_steps(struct toy *toy, struct snap_run *run, uint64_t steps,
                                    struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    while (status == SNAP_OK && snap_run_steps_done(run) < steps) {
        uint64_t next = (snap_run_steps_done(run) / EVERY + 1) * EVERY;
        status = toy_train(toy, run, next < steps ? next : steps, err);
        if (status == SNAP_OK)
            reports(snap_run_steps_done(run));
    }
    return status;
}

/* `thin`, `volume_size`: as of snap_run_options; `keep`: NULL, or as of snap_run_set_keep. */
static enum snap_status train_with(const char *dir, uint64_t steps, uint64_t thin,
                                   uint64_t volume_size, const struct snap_keep *keep,
                                   struct snap_error *err)
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
    toy.read_back = !fault_unread;
    toy.staging_bytes = fault_staging_bytes;
    toy.thin = thin;
    toy.volume_size = volume_size;
    begins();
    status = toy_open(&toy, dir, NULL, &run, err);
    if (status == SNAP_OK) {
        status = toy_restore(&toy, run, NULL, err);
        if (status == SNAP_NOT_FOUND)
            status = SNAP_OK;
        if (status == SNAP_OK && keep != NULL)
            status = snap_run_set_keep(run, keep, err);
        if (status == SNAP_OK)
            status = train_steps(&toy, run, steps, err);
        if (status == SNAP_OK)
            status = snap_run_pruned(run, NULL, err);
        enum snap_status closed = snap_run_close(run, status == SNAP_OK ? err : NULL);
        if (status == SNAP_OK)
            status = closed;
    }
    toy_release(&toy);
    snap_pool_free(pool);
    return status;
}

static enum snap_status train(const char *dir, uint64_t steps, struct snap_error *err)
{
    return train_with(dir, steps, 0, 0, NULL, err);
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

static enum snap_status train_on_behind(const char *dir, struct snap_error *err)
{
    uint64_t before = fault_staging_bytes;
    fault_staging_bytes = 0;
    enum snap_status status = train(dir, 4, err);
    fault_staging_bytes = before;
    return status;
}

/* A whole snapshot, and thin ones on it. */
static enum snap_status train_thin(const char *dir, struct snap_error *err)
{
    return train_with(dir, 4, 2, 0, NULL, err);
}

/* A save, after which the snapshot before becomes a stub. */
static enum snap_status train_keeping(const char *dir, struct snap_error *err)
{
    struct snap_keep keep = SNAP_KEEP_INIT;
    keep.last = 1;
    return train_with(dir, 4, 0, 0, &keep, err);
}

/* Snapshots in volumes. */
static enum snap_status train_volumes(const char *dir, struct snap_error *err)
{
    return train_with(dir, 4, 0, VOLUME_SIZE, NULL, err);
}

/* Snapshots of steps 2 and 4, and what is done with them. */
static enum snap_status train_second(const char *dir, struct snap_error *err)
{
    return train(dir, 4, err);
}

/* What is done to files that were durable before: what `latest` names stays. */
static enum snap_status done(enum snap_status status)
{
    if (status == SNAP_OK)
        reports(4);
    return status;
}

static enum snap_status thin(const char *dir, struct snap_error *err)
{
    struct snap_thin_options options = SNAP_THIN_OPTIONS_INIT;
    options.base = toy_snapshot(dir, 2);
    begins();
    return done(snap_thin(toy_snapshot(dir, 4), &options, NULL, NULL, err));
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
    return done(snap_pack(toy_snapshot(dir, 4), NULL, NULL, NULL, err));
}

/* Cut what is in one file, or join what is cut. */
static enum snap_status cut_at(const char *dir, uint64_t volume_size, struct snap_error *err)
{
    struct snap_pack_options options = SNAP_PACK_OPTIONS_INIT;
    options.volume_size = volume_size;
    begins();
    return done(snap_pack(toy_snapshot(dir, 4), &options, NULL, NULL, err));
}

static enum snap_status cut(const char *dir, struct snap_error *err)
{
    return cut_at(dir, VOLUME_SIZE, err);
}

static enum snap_status cut_again(const char *dir, struct snap_error *err)
{
    return cut_at(dir, 1, err);
}

static enum snap_status prune(const char *dir, struct snap_error *err)
{
    struct snap_keep keep = SNAP_KEEP_INIT;
    keep.last = 1;
    begins();
    return done(snap_prune_run(dir, &keep, false, NULL, NULL, NULL, err));
}

/* `latest` is gone, and temporaries of two killed saves are there. */
static enum snap_status prepare_broken(const char *dir, struct snap_error *err)
{
    enum snap_status status = train(dir, 4, err);
    if (status != SNAP_OK)
        return status;
    toy_copy(toy_path(dir, "latest"), toy_path(dir, ".latest.tmp-0123456789abcdef"));
    toy_copy(toy_path(dir, "latest"),
             toy_path(dir, "snapshots/.step-0000000006.snap.tar.tmp-0123456789abcdef"));
    return remove(toy_path(dir, "latest")) == 0
               ? SNAP_OK
               : snap_error_set(err, SNAP_IO, "%s: latest cannot be removed", dir);
}

static enum snap_status repair(const char *dir, struct snap_error *err)
{
    struct snap_fsck_options options = SNAP_FSCK_OPTIONS_INIT;
    options.repair = true;
    begins();
    return done(snap_fsck_run(dir, &options, NULL, err));
}

const struct fault_operation fault_operations[] = {
    {"first", prepare_nothing, train_first, false},  /* a new run, its first lines and snapshot */
    {"save", train_first, train_on, false},          /* a restore, steps, a save, `latest` */
    {"behind", train_first, train_on_behind, false}, /* the same with a save behind the training */
    {"thin-save", prepare_nothing, train_thin, false},
    {"keep", train_first, train_keeping, false},
    {"thin", train_second, thin, false},
    {"pack", prepare_thin, pack, false},
    {"prune", train_second, prune, false},
    {"volumes", prepare_nothing, train_volumes, false},
    {"cut", train_second, cut, false},
    {"cut-again", train_volumes, cut_again, false}, /* volumes for volumes */
    {"join", train_volumes, pack, false},
    {"prune-volumes", train_volumes, prune, false},
    {"repair", prepare_broken, repair, true},        /* `latest` anew, temporaries gone */
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

/* The step of the snapshot that `latest` names; 0: none. */
static uint64_t latest_step(const char *dir)
{
    struct snap_archive *archive = NULL;
    char text[256] = "";
    char file[128] = "";
    FILE *latest = fopen(toy_path(dir, "latest"), "r");
    uint64_t step = 0;
    if (latest != NULL && fgets(text, sizeof text, latest) != NULL)
        sscanf(text, "{\"file\":\"%127[^\"]", file);
    if (latest != NULL)
        fclose(latest);
    if (file[0] != '\0' && snap_archive_open(toy_path(dir, file), &archive, NULL) == SNAP_OK)
        step = snap_archive_step(archive);
    snap_archive_close(archive);
    return step;
}

char *fault_judge(const struct fault_operation *operation, const char *dir, const char *reference,
                  uint64_t reported)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_verdict *verdict = NULL;
    char *wrong = NULL;
    struct stat info;
    if (operation->mends && reported == 0 && operation->perform(dir, &err) != SNAP_OK)
        return complaint("it cannot be done again: %s", err.text);
    bool begun = stat(toy_path(dir, "events.jsonl"), &info) == 0;
    if (begun && snap_fsck_run(dir, NULL, NULL, &err) != SNAP_OK)
        return complaint("fsck: %s", err.text);
    if (latest_step(dir) < reported)
        return complaint("a save of step %u was reported, and latest names step %u",
                         (unsigned)reported, (unsigned)latest_step(dir));
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
