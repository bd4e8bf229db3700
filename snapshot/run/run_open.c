/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a run: its options, its folder, its lock. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "format/json_canonical.h"
#include "format/limits.h"
#include "handover/agent_socket.h"
#include "run/rank_streams.h"
#include "save/device_digest.h"
#include "save/save.h"
#include "store/publish.h"

#define EVENTS "events.jsonl"
#define CONFIG "config.json"
/* How far back the events are searched for the process that holds the lock. */
#define EVENTS_TAIL_BYTES 65536

const char *snap_run_label(const struct snap_run *run)
{
    return run->dir != NULL ? run->dir : "run in memory";
}

void snap_parent_link_release(struct snap_parent_link *link)
{
    snap_buffer_release(&link->lines);
    *link = (struct snap_parent_link){ .lines = SNAP_BUFFER_INIT };
}

/* An option that is a JSON object; NULL stays NULL. */
static enum snap_status parse_object(const char *text, const char *what, json_t **object,
                                     struct snap_error *err)
{
    if (text == NULL)
        return SNAP_OK;
    enum snap_status status = snap_json_parse(text, what, object, err);
    if (status == SNAP_OK && !json_is_object(*object))
        status = snap_error_set(err, SNAP_INVALID, "%s: is no JSON object", what);
    return status;
}

static enum snap_status take_device_copy(struct snap_run *run, const char *option,
                                         struct snap_error *err)
{
    const char *given = option != NULL ? option : getenv("SNAP_DEVICE_COPY");
    if (given == NULL || strcmp(given, "plenty") == 0)
        run->device_first = SNAP_DEVICE_FIRST_PLENTY;
    else if (strcmp(given, "always") == 0)
        run->device_first = SNAP_DEVICE_FIRST_ALWAYS;
    else if (strcmp(given, "never") == 0)
        run->device_first = SNAP_DEVICE_FIRST_NEVER;
    else
        return snap_error_set(err, SNAP_INVALID,
                              "run: open: %s \"%.64s\": expected \"plenty\", \"always\" or "
                              "\"never\"",
                              option != NULL ? "device_copy" : "SNAP_DEVICE_COPY", given);
    return SNAP_OK;
}

static enum snap_status take_options(struct snap_run *run, const struct snap_run_options *options,
                                     struct snap_error *err)
{
    const char *profile = options->profile != NULL ? options->profile : "none";
    if (strcmp(profile, "portable-1") != 0 && strcmp(profile, "cudnn-1") != 0 &&
        strcmp(profile, "host-1") != 0 && strcmp(profile, "torch-1") != 0 &&
        strcmp(profile, "none") != 0)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "profile \"%.64s\": this version has "
                              "portable-1, cudnn-1, host-1, torch-1 and none",
                              profile);
    if (options->first_step > SNAP_MAX_STEP)
        return snap_error_set(err, SNAP_INVALID, "run: open: the first step is past %llu",
                              SNAP_MAX_STEP);
    run->profile = strdup(profile);
    run->archive_path = options->archive != NULL ? strdup(options->archive) : NULL;
    if (run->profile == NULL || (options->archive != NULL && run->archive_path == NULL))
        return snap_error_set(err, SNAP_NO_MEMORY, "run: open: out of memory");
    run->state_every = options->state_every;
    run->every = options->every;
    run->staging_bytes = options->staging_bytes;
    run->no_read_back = options->no_read_back;
    run->thin = options->thin;
    run->volume_size = options->volume_size;
    run->first_step = options->first_step;
    run->group = options->group;
    if (options->volume_size > 0 && snap_group_world(options->group) > 1)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "run: open: volumes of %llu bytes and %d ranks: ranks write one file "
                              "together in this version: leave volume_size out",
                              (unsigned long long)options->volume_size,
                              snap_group_world(options->group));
    run->steps_done = options->first_step;
    enum snap_status status = take_device_copy(run, options->device_copy, err);
    if (status == SNAP_OK)
        status = parse_object(options->binding, "binding", &run->binding, err);
    if (status == SNAP_OK)
        status = parse_object(options->training, "training", &run->training, err);
    if (status == SNAP_OK && run->binding == NULL && (run->binding = json_object()) == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "run: open: out of memory");
    if (status == SNAP_OK && options->pool == NULL) {
        status = snap_pool_new(0, &run->own_pool, err);
        run->pool = run->own_pool;
    } else {
        run->pool = options->pool;
    }
    return status;
}

/* What the folder holds. */
struct contents {
    bool config;
    bool run; /* lines, snapshots or `latest` */
    bool snapshots;
};

/* Has the ledger a whole line? An empty one, or one with a torn genesis line, is that of a run that
 * was stopped before its first line. What is longer than a line may be is no torn line. */
static enum snap_status look_for_line(struct snap_store *store, bool *found, struct snap_error *err)
{
    char bytes[4096];
    uint64_t size = 0;
    ssize_t got = 0;
    int fd;
    *found = false;
    enum snap_status status = snap_store_open_file(store, SNAP_LEDGER_FILE, &fd, err);
    if (status != SNAP_OK)
        return status == SNAP_NOT_FOUND ? SNAP_OK : status;
    while (!*found && ((got = read(fd, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR))) {
        size += got > 0 ? (uint64_t)got : 0;
        *found = (got > 0 && memchr(bytes, '\n', (size_t)got) != NULL) ||
                 size > SNAP_MAX_LEDGER_LINE_BYTES;
    }
    if (got < 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s/" SNAP_LEDGER_FILE ": look for a line",
                                   snap_store_path(store));
    close(fd); /* only read */
    return status;
}

static enum snap_status look(struct snap_store *store, struct contents *contents,
                             struct snap_error *err)
{
    bool lines = false;
    uint64_t *steps = NULL;
    size_t count;
    bool latest;
    enum snap_status status = snap_store_exists(store, CONFIG, &contents->config, err);
    if (status == SNAP_OK)
        status = snap_store_exists(store, "latest", &latest, err);
    if (status == SNAP_OK)
        status = look_for_line(store, &lines, err);
    if (status == SNAP_OK)
        status = snap_snapshots_list(store, &steps, &count, err);
    if (status != SNAP_OK)
        return status;
    free(steps);
    contents->snapshots = count > 0;
    contents->run = contents->snapshots || latest || lines;
    return SNAP_OK;
}

/* The process that wrote the last "start" into the events; 0 when that is not known. */
static long long holder(struct snap_store *store)
{
    struct stat info;
    char *tail = NULL;
    long long pid = 0;
    int fd;
    if (snap_store_open_file(store, EVENTS, &fd, NULL) != SNAP_OK)
        return 0;
    if (fstat(fd, &info) == 0 && info.st_size > 0 && (tail = malloc(EVENTS_TAIL_BYTES)) != NULL) {
        size_t size = info.st_size < EVENTS_TAIL_BYTES ? (size_t)info.st_size : EVENTS_TAIL_BYTES;
        if (snap_file_pread(fd, tail, size, (uint64_t)info.st_size - size, EVENTS, NULL) != SNAP_OK)
            size = 0;
        char *end = memrchr(tail, '\n', size);
        while (end != NULL && pid == 0) {
            char *begin = memrchr(tail, '\n', (size_t)(end - tail));
            char *line = begin == NULL ? tail : begin + 1;
            json_t *event = json_loadb(line, (size_t)(end - line), 0, NULL);
            const char *name = json_string_value(json_object_get(event, "event"));
            if (name != NULL && strcmp(name, "start") == 0)
                pid = json_integer_value(json_object_get(event, "pid"));
            json_decref(event);
            end = begin;
        }
    }
    free(tail);
    close(fd); /* only read */
    return pid;
}

static enum snap_status take_lock(struct snap_run *run, struct snap_error *err)
{
    enum snap_status status = snap_store_lock(run->store, EVENTS, &run->lock, err);
    if (status == SNAP_BUSY && run->agent != NULL) { /* with a save that a dead training left it? */
        snap_agent_settle(run);
        status = snap_store_lock(run->store, EVENTS, &run->lock, err);
    }
    if (status != SNAP_BUSY)
        return status;
    long long pid = holder(run->store);
    if (pid > 0)
        return snap_error_set(err, SNAP_BUSY, "%s: another process (pid %lld) is training in it",
                              run->dir, pid);
    return snap_error_set(err, SNAP_BUSY, "%s: another process is training in it", run->dir);
}

/* End a torn last event with a newline, so that the next one begins a line. */
static enum snap_status mend_events(struct snap_run *run, struct snap_error *err)
{
    struct stat info;
    char last = '\n';
    int fd;
    enum snap_status status = snap_store_open_file(run->store, EVENTS, &fd, err);
    if (status != SNAP_OK)
        return status;
    if (fstat(fd, &info) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s/" EVENTS ": look at it", run->dir);
    else if (info.st_size > 0)
        status = snap_file_pread(fd, &last, 1, (uint64_t)info.st_size - 1, EVENTS, err);
    close(fd); /* only read */
    if (status == SNAP_OK && last != '\n')
        status = snap_store_append(run->store, EVENTS, "\n", 1, err);
    return status;
}

static enum snap_status write_config(struct snap_run *run, const char *config,
                                     struct snap_error *err)
{
    struct snap_put_options put = { .mode = SNAP_PUT_REPLACE };
    struct snap_buffer text = SNAP_BUFFER_INIT;
    json_t *object = NULL;
    enum snap_status status = parse_object(config, "config", &object, err);
    if (status == SNAP_OK && object == NULL)
        object = json_pack("{s:O?}", "training", run->training);
    if (status == SNAP_OK)
        status = snap_json_encode(object, &text, err);
    if (status == SNAP_OK && text.size > SNAP_MAX_CONFIG_BYTES)
        status = snap_error_set(err, SNAP_INVALID, "config: has more than %u bytes",
                                SNAP_MAX_CONFIG_BYTES);
    if (status == SNAP_OK)
        status = snap_store_put_bytes(run->store, CONFIG, text.data, text.size, &put, err);
    json_decref(object);
    snap_buffer_release(&text);
    return status;
}

static enum snap_status check_contents(const struct snap_run *run,
                                       const struct snap_run_options *options,
                                       const struct contents *contents, struct snap_error *err)
{
    if (options->must_be_new && contents->run)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: holds a run already: a new run needs a new "
                              "folder",
                              run->dir);
    if (options->must_exist && !contents->run && !contents->config)
        return snap_error_set(err, SNAP_NOT_FOUND, "%s: holds no run", run->dir);
    return SNAP_OK;
}

/* The agent takes the whole of a state: of ranks each has its part to write. */
static enum snap_status find_agent(struct snap_run *run, const struct snap_run_options *options,
                                   struct snap_error *err)
{
    if (snap_group_world(run->group) == 1)
        return snap_agent_find(options->agent, options->dir, &run->agent, err);
    if (options->agent == NULL || options->agent[0] == '\0')
        return SNAP_OK;
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "%s: agent %s: several ranks save by themselves, each its part: leave "
                          "the agent out",
                          options->dir, options->agent);
}

static enum snap_status open_folder(struct snap_run *run, const struct snap_run_options *options,
                                    struct snap_error *err)
{
    struct contents contents;
    run->dir = strdup(options->dir);
    size_t path_bytes = strlen(options->dir) + sizeof "/" SNAP_LEDGER_FILE;
    run->ledger_path = malloc(path_bytes);
    if (run->dir == NULL || run->ledger_path == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "run: open: out of memory");
    snprintf(run->ledger_path, path_bytes, "%s/" SNAP_LEDGER_FILE, options->dir);
    enum snap_status status =
        snap_store_dir_open(options->dir, !options->must_exist, &run->store, err);
    if (status == SNAP_OK)
        status =
            snap_file_open(AT_FDCWD, options->dir, O_RDONLY | O_DIRECTORY, 0, &run->dirfd, err);
    if (status == SNAP_OK)
        status = find_agent(run, options, err);
    /* Before the lock, which makes a file; and again under it. */
    if (status == SNAP_OK)
        status = look(run->store, &contents, err);
    if (status == SNAP_OK)
        status = check_contents(run, options, &contents, err);
    if (status == SNAP_OK)
        status = take_lock(run, err);
    if (status == SNAP_OK)
        status = look(run->store, &contents, err);
    if (status == SNAP_OK)
        status = check_contents(run, options, &contents, err);
    if (status == SNAP_OK)
        status = mend_events(run, err);
    if (status == SNAP_OK)
        status = snap_folder_sweep(run->store, run->dirfd, err);
    /* The config of a run that never made a line is nobody's evidence. */
    if (status == SNAP_OK && !contents.run && !(options->must_exist && contents.config))
        status = write_config(run, options->config, err);
    if (status != SNAP_OK)
        return status;
    run->has_run = contents.run;
    run->has_snapshots = contents.snapshots;
    json_t *fields =
        json_pack("{s:I, s:s}", "pid", (json_int_t)getpid(), "version", PACKAGE_VERSION);
    return snap_run_add_event(run, "start", fields, err);
}

enum snap_status snap_run_open(const struct snap_run_options *options, struct snap_run **run,
                               struct snap_error *err)
{
    if (options == NULL || run == NULL || options->size_bytes != sizeof *options)
        return snap_error_set(err, SNAP_INVALID,
                              "run: open: no options or no place for the run, or "
                              "options that are not SNAP_RUN_OPTIONS_INIT");
    if ((options->must_be_new && options->must_exist) ||
        (options->must_exist && options->dir == NULL))
        return snap_error_set(err, SNAP_INVALID,
                              "run: open: must_exist needs a folder, and excludes "
                              "must_be_new");
    struct snap_run *made = calloc(1, sizeof *made);
    snap_group_go_on(options->group); /* one that could not be opened before is over */
    if (made == NULL)
        return snap_group_agree(
            options->group, snap_error_set(err, SNAP_NO_MEMORY, "run: open: out of memory"), err);
    made->dirfd = -1;
    made->staging = (struct snap_staging)SNAP_STAGING_INIT;
    made->deviation = (struct snap_float_deviation)SNAP_FLOAT_DEVIATION_INIT;
    made->ledger_file = (struct snap_ledger_file)SNAP_LEDGER_FILE_INIT;
    atomic_init(&made->requested, SNAP_WANTED_NOTHING);
    enum snap_status status = take_options(made, options, err);
    if (status == SNAP_OK && options->dir != NULL && !snap_run_follows(made))
        status = open_folder(made, options, err);
    status = snap_group_agree(options->group, status, err);
    if (status != SNAP_OK) {
        made->begun = false;
        snap_run_close(made, NULL); /* the cause is in err */
        return status;
    }
    *run = made;
    return SNAP_OK;
}

/* The ledger durable, and the last event. */
static enum snap_status end_folder(struct snap_run *run, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (run->ledger_file.fd >= 0) {
        status = snap_ledger_file_sync(&run->ledger_file, err);
        if (status == SNAP_OK)
            status = snap_ledger_file_close(&run->ledger_file, err);
        else
            snap_ledger_file_close(&run->ledger_file, NULL); /* the first failure is told */
    }
    if (status == SNAP_OK && run->lock != NULL && run->begun) {
        json_t *fields = json_pack("{s:o}", "step", snap_json_u64(run->steps_done));
        status = snap_run_add_event(run, "stop", fields, err);
    }
    return status;
}

enum snap_status snap_run_close(struct snap_run *run, struct snap_error *err)
{
    if (run == NULL)
        return SNAP_OK;
    snap_run_settle_saves(run, true);
    enum snap_status status = snap_run_check_saves(run, err);
    enum snap_status ended = end_folder(run, status == SNAP_OK ? err : NULL);
    if (status == SNAP_OK)
        status = ended;
    snap_run_free_tickets(run);
    if (run->lock != NULL)
        snap_store_unlock(run->store, run->lock);
    if (run->dirfd >= 0)
        close(run->dirfd); /* only read */
    snap_store_close(run->store);
    snap_device_digests_release(run);
    snap_inventory_release(&run->inventory);
    snap_rank_streams_release(run);
    snap_data_doc_release(&run->data);
    snap_buffer_release(&run->data_before);
    snap_parent_link_release(&run->link);
    snap_ledger_free(run->own_ledger);
    snap_staging_release(&run->staging);
    snap_pool_free(run->save_pool);
    snap_pool_free(run->own_pool);
    json_decref(run->binding);
    json_decref(run->training);
    json_decref(run->genesis_parent);
    free(run->held.steps);
    free(run->archive_path);
    free(run->profile);
    free(run->dir);
    free(run->ledger_path);
    free(run->agent);
    free(run);
    return status;
}

void snap_run_after_fork(struct snap_run *run)
{
    if (run == NULL)
        return;
    if (run->lock != NULL)
        snap_store_unlock(run->store, run->lock); /* the parent has it still */
    run->lock = NULL;
    snap_ledger_file_close(&run->ledger_file, NULL); /* nothing was written through it here */
    snap_staging_after_fork(&run->staging);
}

const char *snap_run_dir(const struct snap_run *run)
{
    return run == NULL ? NULL : run->dir;
}
