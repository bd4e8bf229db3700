/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "folder/archive_put.h"
#include "folder/volume_sweep.h"
#include "format/archive_read.h"
#include "format/volumes.h"
#include "store/publish.h"

#define EVENTS "events.jsonl"

/* One archive on its way. */
struct putting {
    struct snap_store *store;
    const char *name;
    char folder[256]; /* of the name; "" for the store itself */
    char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    struct snap_archive_plan *plan;
    const struct snap_put_options *options;
};

/* ---- volumes ---- */

/* Numbers of volumes that are there. */
struct numbers {
    const char *stem;
    unsigned least; /* 0: there are none */
    unsigned most;
};

static enum snap_status meet_number(void *arg, const char *name, uint64_t size,
                                    struct snap_error *err)
{
    struct numbers *numbers = arg;
    char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    unsigned number;
    (void)size;
    (void)err;
    if (!snap_volume_name_parse(name, stem, &number) || strcmp(stem, numbers->stem) != 0)
        return SNAP_OK;
    if (numbers->least == 0 || number < numbers->least)
        numbers->least = number;
    if (number > numbers->most)
        numbers->most = number;
    return SNAP_OK;
}

/* The first of `count` numbers that no volume of this stem has: what is there may belong to an
 * archive that is to be replaced, and must stay until that has happened. */
static enum snap_status find_numbers(const struct putting *putting, size_t count, unsigned *first,
                                     struct snap_error *err)
{
    struct numbers numbers = { .stem = putting->stem };
    enum snap_status status =
        snap_store_list(putting->store, putting->folder, meet_number, &numbers, err);
    if (status != SNAP_OK)
        return status;
    *first = numbers.least == 0 || numbers.least > count ? 1 : numbers.most + 1;
    if (*first + count > SNAP_MAX_VOLUME_NUMBER)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: write volumes: %u of them are there; remove those that no "
                              "archive names",
                              putting->name, numbers.most);
    return SNAP_OK;
}

static enum snap_status put_volumes(const struct putting *putting, struct snap_error *err)
{
    struct snap_put_options options = *putting->options;
    char name[sizeof putting->folder + SNAP_VOLUME_NAME_BYTES + 1];
    enum snap_status status = SNAP_OK;
    options.mode = SNAP_PUT_CREATE;
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_plan_volume_count(putting->plan);
         i++) {
        struct snap_content content;
        const char *leaf = snap_archive_plan_volume(putting->plan, i, &content);
        snprintf(name, sizeof name, "%s%s%s", putting->folder,
                 putting->folder[0] != '\0' ? "/" : "", leaf);
        status = snap_store_put(putting->store, name, &content, &options, err);
    }
    return status;
}

static enum snap_status cut(struct putting *putting, uint64_t volume_size, size_t count,
                            struct snap_error *err)
{
    unsigned first = 1;
    bool exists = false;
    enum snap_status status = SNAP_OK;
    /* Before so much is written. */
    if (putting->options->mode == SNAP_PUT_CREATE)
        status = snap_store_exists(putting->store, putting->name, &exists, err);
    if (status == SNAP_OK && exists)
        status = snap_error_set(err, SNAP_DIFFERS, "%s: is there already", putting->name);
    if (status == SNAP_OK)
        status = find_numbers(putting, count, &first, err);
    if (status == SNAP_OK)
        status = snap_archive_plan_cut(putting->plan, volume_size, putting->stem, first, err);
    return status;
}

/* May the archive that is replaced have volumes? */
static bool replaces_volumes(const struct putting *putting)
{
    json_t *document = NULL;
    int fd = -1;
    if (putting->options->mode != SNAP_PUT_REPLACE)
        return false;
    enum snap_status status = snap_store_open_file(putting->store, putting->name, &fd, NULL);
    if (status == SNAP_NOT_FOUND)
        return false;
    if (status == SNAP_OK)
        status = snap_archive_volumes_of(fd, putting->name, &document, NULL);
    bool has = status != SNAP_OK || document != NULL;
    json_decref(document);
    return has;
}

/* Where it goes. False: volumes cannot have its name. */
static bool find_place(struct putting *putting)
{
    const char *slash = strrchr(putting->name, '/');
    const char *leaf = slash == NULL ? putting->name : slash + 1;
    snprintf(putting->folder, sizeof putting->folder, "%.*s",
             (int)(slash == NULL ? 0 : slash - putting->name), putting->name);
    return snap_volume_stem(leaf, putting->stem);
}

/* The archive is there: volumes of it that it does not name go. */
static void tidy(const struct putting *putting, struct snap_error *left_over)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    if (snap_volumes_sweep(putting->store, putting->folder, putting->stem, true, NULL, NULL,
                           &problem) != SNAP_OK &&
        left_over != NULL)
        *left_over = problem;
}

enum snap_status snap_archive_put_whole(struct snap_store *store, const char *name,
                                        const struct snap_content *content,
                                        const struct snap_archive_put_options *options,
                                        struct snap_error *err)
{
    struct putting putting = { .store = store, .name = name, .options = &options->put };
    bool had_volumes = find_place(&putting) && replaces_volumes(&putting);
    enum snap_status status = snap_store_put(store, name, content, &options->put, err);
    if (status == SNAP_OK && had_volumes)
        tidy(&putting, options->left_over);
    return status;
}

enum snap_status snap_archive_put(struct snap_store *store, const char *name,
                                  struct snap_archive_plan *plan,
                                  const struct snap_archive_put_options *options,
                                  struct snap_error *err)
{
    struct putting putting = {
        .store = store, .name = name, .plan = plan, .options = &options->put
    };
    size_t count = snap_archive_plan_volumes_needed(plan, options->volume_size);
    struct snap_content content;
    if (count == 0) {
        content = snap_archive_plan_content(plan);
        return snap_archive_put_whole(store, name, &content, options, err);
    }
    if (!find_place(&putting))
        return snap_error_set(err, SNAP_INVALID,
                              "%s: write it in volumes: their names begin with its own, which must "
                              "be of [A-Za-z0-9._-] and at most %d bytes long",
                              name, SNAP_MAX_VOLUME_STEM_BYTES);
    enum snap_status status = cut(&putting, options->volume_size, count, err);
    if (status != SNAP_OK)
        return status; /* nothing was written */
    status = put_volumes(&putting, err);
    if (status == SNAP_OK) {
        content = snap_archive_plan_content(plan);
        status = snap_store_put(store, name, &content, &options->put, err);
    }
    /* Of a failure the first is told; what cannot be removed is left over. */
    tidy(&putting, status == SNAP_OK ? options->left_over : NULL);
    return status;
}

/* ---- anywhere ---- */

/* The lock of the run that the folder is one of, or is itself: in both leftovers are removed when
 * it begins. *lock NULL: it is neither. */
static enum snap_status lock_run(const char *folder, struct snap_store **run,
                                 struct snap_store_lock **lock, struct snap_error *err)
{
    static const char *const places[] = { "..", "." };
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && *lock == NULL && i < 2; i++) {
        char path[4096];
        bool exists = false;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, places[i]) >= sizeof path)
            return snap_error_set(err, SNAP_INVALID, "%.100s...: the path is too long", folder);
        snap_store_close(*run); /* only looked into */
        *run = NULL;
        status = snap_store_dir_open(path, false, run, err);
        if (status == SNAP_OK)
            status = snap_store_exists(*run, EVENTS, &exists, err);
        if (status == SNAP_OK && exists)
            status = snap_store_lock(*run, EVENTS, lock, err);
    }
    if (status == SNAP_BUSY)
        status = snap_error_set(err, SNAP_BUSY,
                                "%s: write volumes there: a process is training in this run; stop "
                                "it first, or write to another folder",
                                folder);
    return status;
}

/* By a store, which takes words for names. */
static enum snap_status put_in_store(const char *folder, const char *leaf,
                                     struct snap_archive_plan *plan,
                                     const struct snap_archive_put_options *options,
                                     struct snap_error *err)
{
    struct snap_store *store = NULL;
    struct snap_store *run = NULL;
    struct snap_store_lock *lock = NULL;
    enum snap_status status = snap_store_dir_open(folder, false, &store, err);
    if (status == SNAP_OK && snap_archive_plan_volumes_needed(plan, options->volume_size) > 0)
        status = lock_run(folder, &run, &lock, err);
    if (status == SNAP_OK)
        status = snap_archive_put(store, leaf, plan, options, err);
    if (run != NULL)
        snap_store_unlock(run, lock);
    snap_store_close(run);
    snap_store_close(store);
    return status;
}

/* By a name that no store takes, and no volume can have. */
static enum snap_status put_plainly(const char *folder, const char *leaf,
                                    struct snap_archive_plan *plan,
                                    const struct snap_put_options *options, struct snap_error *err)
{
    struct snap_publish_options publish = { .mode = options->mode,
                                            .no_read_back = options->no_read_back,
                                            .write = { .pool = options->pool } };
    struct snap_content content = snap_archive_plan_content(plan);
    int dirfd;
    enum snap_status status =
        snap_file_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0, &dirfd, err);
    if (status != SNAP_OK)
        return status;
    status = snap_publish(dirfd, leaf, &content, &publish, err);
    close(dirfd); /* only read: nothing can be lost */
    return status;
}

enum snap_status snap_archive_put_at(const char *path, struct snap_archive_plan *plan,
                                     const struct snap_archive_put_options *options,
                                     struct snap_error *err)
{
    char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    const char *slash = strrchr(path, '/');
    const char *leaf = slash == NULL ? path : slash + 1;
    char *folder = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));
    enum snap_status status;
    if (folder == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", path);
    if (snap_volume_stem(leaf, stem) ||
        snap_archive_plan_volumes_needed(plan, options->volume_size) > 0)
        status = put_in_store(folder, leaf, plan, options, err);
    else
        status = put_plainly(folder, leaf, plan, &options->put, err);
    if (status == SNAP_NOT_FOUND)
        status = snap_error_set(err, SNAP_IO, "%s: no such folder", folder);
    if (status == SNAP_DIFFERS) /* that status is for hashes */
        status = snap_error_set(err, SNAP_IO, "%s: write there: it is there already", path);
    free(folder);
    return status;
}
