/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "format/member_name.h"
#include "store/store_ops.h"

/* Bytes of a name: room is left for what a temporary adds. */
#define MAX_NAME_BYTES 200

/* WORD or WORD/WORD. */
static enum snap_status check_name(const char *name, struct snap_error *err)
{
    size_t length = strlen(name);
    const char *slash = strchr(name, '/');
    bool legal = length <= MAX_NAME_BYTES;
    if (slash == NULL)
        legal = legal && snap_name_is_word(name, length);
    else
        legal = legal && snap_name_is_word(name, (size_t)(slash - name)) &&
                snap_name_is_word(slash + 1, strlen(slash + 1));
    if (!legal)
        return snap_error_set(err, SNAP_INVALID, "store: \"%s\" is no name of a file", name);
    return SNAP_OK;
}

static enum snap_status cannot(const struct snap_store *store, const char *name, const char *what,
                               struct snap_error *err)
{
    return snap_error_set(err, SNAP_UNSUPPORTED, "%s/%s: a store of kind \"%s\" has not got %s",
                          snap_store_where(store), name, store->ops->kind, what);
}

enum snap_status snap_store_put(struct snap_store *store, const char *name,
                                const struct snap_content *content,
                                const struct snap_put_options *options, struct snap_error *err)
{
    enum snap_status status = check_name(name, err);
    if (options->note != NULL)
        *options->note = (struct snap_put_note){ .was_there = false };
    return status != SNAP_OK ? status : store->ops->put(store, name, content, options, err);
}

enum snap_status snap_store_put_bytes(struct snap_store *store, const char *name,
                                      const void *data, size_t size_bytes,
                                      const struct snap_put_options *options,
                                      struct snap_error *err)
{
    struct snap_segment segment = { .data = data, .size_bytes = size_bytes };
    struct snap_content content = { .segments = &segment, .count = 1, .size_bytes = size_bytes };
    return snap_store_put(store, name, &content, options, err);
}

enum snap_status snap_store_append(struct snap_store *store, const char *name, const void *data,
                                   size_t size_bytes, struct snap_error *err)
{
    enum snap_status status = check_name(name, err);
    if (status == SNAP_OK && store->ops->append == NULL)
        status = cannot(store, name, "appending to a file", err);
    return status != SNAP_OK ? status : store->ops->append(store, name, data, size_bytes, err);
}

enum snap_status snap_store_sync(struct snap_store *store, const char *name,
                                 struct snap_error *err)
{
    enum snap_status status = check_name(name, err);
    return status != SNAP_OK ? status : store->ops->sync(store, name, err);
}

enum snap_status snap_store_open_file(struct snap_store *store, const char *name, int *fd,
                                      struct snap_error *err)
{
    enum snap_status status = check_name(name, err);
    if (status == SNAP_OK && store->ops->open == NULL)
        status = cannot(store, name, "a file's descriptor", err);
    return status != SNAP_OK ? status : store->ops->open(store, name, fd, err);
}

enum snap_status snap_store_read(struct snap_store *store, const char *name, uint64_t limit,
                                 struct snap_buffer *out, struct snap_error *err)
{
    char *label = NULL;
    int fd;
    enum snap_status status = check_name(name, err);
    if (status == SNAP_OK && store->ops->read != NULL)
        return store->ops->read(store, name, limit, out, err);
    if (status == SNAP_OK)
        status = snap_store_open_file(store, name, &fd, err);
    if (status != SNAP_OK)
        return status;
    if (asprintf(&label, "%s/%s", snap_store_where(store), name) < 0)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: reading: out of memory", name);
    else
        status = snap_file_read_fd(fd, label, limit, out, err);
    close(fd); /* only read: nothing can be lost */
    free(label);
    return status;
}

/* ---- ranges of a file ---- */

struct file_ranges {
    struct snap_ranges ranges;
    int fd;
    char name[MAX_NAME_BYTES + 1];
};

static enum snap_status read_file_ranges(struct snap_ranges *ranges, void *data, size_t size_bytes,
                                         uint64_t offset, struct snap_error *err)
{
    const struct file_ranges *file = (const struct file_ranges *)ranges;
    return snap_file_pread(file->fd, data, size_bytes, offset, file->name, err);
}

static void close_file_ranges(struct snap_ranges *ranges)
{
    struct file_ranges *file = (struct file_ranges *)ranges;
    close(file->fd); /* only read: nothing can be lost */
    free(file);
}

static const struct snap_ranges_ops file_ranges_ops = { read_file_ranges, close_file_ranges };

enum snap_status snap_store_open_ranges(struct snap_store *store, const char *name,
                                        struct snap_ranges **ranges, struct snap_error *err)
{
    struct stat info;
    enum snap_status status = check_name(name, err);
    if (status == SNAP_OK && store->ops->open_ranges != NULL)
        return store->ops->open_ranges(store, name, ranges, err);
    struct file_ranges *made = NULL;
    int fd = -1;
    if (status == SNAP_OK)
        status = snap_store_open_file(store, name, &fd, err);
    if (status != SNAP_OK)
        return status;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", name);
    else if (fstat(fd, &info) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", name);
    if (status != SNAP_OK) {
        close(fd); /* only read: nothing can be lost */
        free(made);
        return status;
    }
    made->ranges = (struct snap_ranges){ &file_ranges_ops, (uint64_t)info.st_size };
    made->fd = fd;
    snprintf(made->name, sizeof made->name, "%s", name);
    *ranges = &made->ranges;
    return SNAP_OK;
}

enum snap_status snap_store_update(struct snap_store *store, const char *name, uint64_t limit,
                                   snap_store_decide *decide, void *arg, bool *exclusive,
                                   struct snap_error *err)
{
    enum snap_status status = check_name(name, err);
    *exclusive = true;
    return status != SNAP_OK
               ? status
               : store->ops->update(store, name, limit, decide, arg, exclusive, err);
}

enum snap_status snap_store_uploads(struct snap_store *store, bool give_up,
                                    enum snap_status (*visit)(void *arg, const char *name,
                                                              uint64_t size,
                                                              struct snap_error *err),
                                    void *arg, bool *told, struct snap_error *err)
{
    if (told != NULL)
        *told = true;
    if (store->ops->uploads == NULL)
        return SNAP_OK;
    return store->ops->uploads(store, give_up, visit, arg, told, err);
}

enum snap_status snap_store_exists(struct snap_store *store, const char *name, bool *exists,
                                   struct snap_error *err)
{
    enum snap_status status = check_name(name, err);
    return status != SNAP_OK ? status : store->ops->exists(store, name, exists, err);
}

enum snap_status snap_store_remove(struct snap_store *store, const char *name,
                                   struct snap_error *err)
{
    enum snap_status status = check_name(name, err);
    return status != SNAP_OK ? status : store->ops->remove(store, name, err);
}

enum snap_status snap_store_list(struct snap_store *store, const char *folder,
                                 enum snap_status (*visit)(void *arg, const char *name,
                                                           uint64_t size,
                                                           struct snap_error *err),
                                 void *arg, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (folder[0] != '\0' && !snap_name_is_word(folder, strlen(folder)))
        status = snap_error_set(err, SNAP_INVALID, "store: \"%s\" is no name of a folder", folder);
    return status != SNAP_OK ? status : store->ops->list(store, folder, visit, arg, err);
}

enum snap_status snap_store_lock(struct snap_store *store, const char *name,
                                 struct snap_store_lock **lock, struct snap_error *err)
{
    enum snap_status status = check_name(name, err);
    if (status == SNAP_OK && store->ops->lock == NULL)
        status = cannot(store, name, "locks", err);
    return status != SNAP_OK ? status : store->ops->lock(store, name, lock, err);
}

void snap_store_unlock(struct snap_store *store, struct snap_store_lock *lock)
{
    if (lock != NULL)
        store->ops->unlock(store, lock);
}

int snap_store_lock_file(struct snap_store *store, const struct snap_store_lock *lock)
{
    return lock == NULL || store->ops->lock_file == NULL ? -1 : store->ops->lock_file(lock);
}

void snap_store_heed(struct snap_store *store, const struct snap_stop *stop)
{
    if (store->ops->heed != NULL)
        store->ops->heed(store, stop);
}

const char *snap_store_path(const struct snap_store *store)
{
    return store->ops->path(store);
}

const char *snap_store_where(const struct snap_store *store)
{
    if (store->ops->where != NULL)
        return store->ops->where(store);
    const char *path = store->ops->path(store);
    return path != NULL ? path : store->ops->kind;
}

void snap_store_close(struct snap_store *store)
{
    if (store != NULL)
        store->ops->close(store);
}
