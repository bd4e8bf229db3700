/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/array.h"
#include "core/file.h"
#include "store/publish.h"
#include "store/store_dir.h"

#define FOLDER_MODE 0755
#define FILE_MODE 0644

static struct snap_dir_store *as_dir(struct snap_store *store)
{
    return (struct snap_dir_store *)store;
}

const char *snap_dir_describe(const struct snap_dir_store *dir, const char *name,
                              char what[SNAP_DIR_WHAT_BYTES])
{
    snprintf(what, SNAP_DIR_WHAT_BYTES, "%s/%s", dir->path, name);
    return what;
}

/* Make a folder durable in its parent. The descriptor is a fresh one: one on which fsync has failed
 * must not be synced again. */
static enum snap_status sync_folder(int parent, const char *folder, const char *what,
                                    struct snap_error *err)
{
    int fd;
    enum snap_status status =
        snap_file_open(parent, folder, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (status != SNAP_OK)
        return status;
    status = snap_folder_sync(fd, what, err);
    close(fd); /* only read: nothing can be lost */
    return status;
}

enum snap_status snap_dir_open_folder(struct snap_dir_store *dir, const char *name, bool create,
                                      int *fd, const char **leaf, struct snap_error *err)
{
    const char *slash = strchr(name, '/');
    char folder[256] = ".";
    char what[SNAP_DIR_WHAT_BYTES];
    *leaf = slash != NULL ? slash + 1 : name;
    if (slash != NULL)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - name), name);
    if (slash != NULL && create && mkdirat(dir->dirfd, folder, FOLDER_MODE) == 0) {
        enum snap_status status =
            sync_folder(dir->dirfd, ".", snap_dir_describe(dir, folder, what), err);
        if (status != SNAP_OK)
            return status;
    } else if (slash != NULL && create && errno != EEXIST) {
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making the folder",
                                 snap_dir_describe(dir, folder, what));
    }
    int opened = openat(dir->dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0)
        return snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                 "%s: opening its folder", snap_dir_describe(dir, name, what));
    *fd = opened;
    return SNAP_OK;
}

static enum snap_status dir_put(struct snap_store *store, const char *name,
                                const struct snap_content *content,
                                const struct snap_put_options *options, struct snap_error *err)
{
    struct snap_publish_options publish = { .mode = options->mode,
                                            .no_read_back = options->no_read_back,
                                            .write = { .pool = options->pool,
                                                       .written = options->written,
                                                       .stop = as_dir(store)->stop },
                                            .share = options->share };
    struct snap_error cause = SNAP_ERROR_INIT;
    const char *leaf;
    int fd;
    enum snap_status status = snap_dir_open_folder(as_dir(store), name, true, &fd, &leaf, err);
    if (status != SNAP_OK)
        return status;
    status = snap_publish(fd, leaf, content, &publish, &cause);
    close(fd); /* only read: nothing can be lost */
    bool theirs = options->share != NULL && strncmp(cause.text, leaf, strlen(leaf)) != 0;
    if (status != SNAP_OK && err != NULL && theirs) {
        *err = cause; /* of another who writes the file: it says which */
    } else if (status != SNAP_OK && err != NULL) {
        /* Publishing knows the file's name alone; the folder stands before it. */
        const char *slash = strchr(name, '/');
        snap_error_set(err, status, "%s/%.*s%s", as_dir(store)->path,
                       slash != NULL ? (int)(slash + 1 - name) : 0, name, cause.text);
        err->os_error = cause.os_error;
    }
    return status;
}

static enum snap_status dir_append(struct snap_store *store, const char *name, const void *data,
                                   size_t size_bytes, struct snap_error *err)
{
    struct snap_dir_store *dir = as_dir(store);
    char what[SNAP_DIR_WHAT_BYTES];
    const char *leaf;
    int folder;
    bool created = false;
    enum snap_status status = snap_dir_open_folder(dir, name, true, &folder, &leaf, err);
    if (status != SNAP_OK)
        return status;
    snap_dir_describe(dir, name, what);
    int fd = openat(folder, leaf, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        created = true;
        fd = openat(folder, leaf, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, FILE_MODE);
    }
    if (fd < 0) {
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: opening", what);
        goto out;
    }
    status = snap_file_write(fd, data, size_bytes, what, err);
    if (status == SNAP_OK)
        status = snap_file_sync(fd, what, err);
    if (status != SNAP_OK) {
        close(fd); /* the first error is the one to report */
        goto out;
    }
    status = snap_file_close(fd, what, err);
    if (status == SNAP_OK && created)
        status = snap_folder_sync(folder, what, err);
out:
    close(folder); /* only read: nothing can be lost */
    return status;
}

static enum snap_status dir_sync(struct snap_store *store, const char *name,
                                 struct snap_error *err)
{
    struct snap_dir_store *dir = as_dir(store);
    char what[SNAP_DIR_WHAT_BYTES];
    const char *leaf;
    int folder;
    int fd;
    enum snap_status status = snap_dir_open_folder(dir, name, false, &folder, &leaf, err);
    if (status != SNAP_OK)
        return status;
    status = snap_file_open(folder, leaf, O_RDONLY | O_NONBLOCK, 0, &fd, err);
    if (status == SNAP_OK) {
        status = snap_file_sync(fd, snap_dir_describe(dir, name, what), err);
        close(fd); /* only read: nothing can be lost */
    }
    if (status == SNAP_OK)
        status = snap_folder_sync(folder, snap_dir_describe(dir, name, what), err);
    close(folder); /* only read: nothing can be lost */
    return status;
}

static enum snap_status dir_open(struct snap_store *store, const char *name, int *fd,
                                 struct snap_error *err)
{
    struct snap_dir_store *dir = as_dir(store);
    char what[SNAP_DIR_WHAT_BYTES];
    int opened = openat(dir->dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (opened < 0)
        return snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                 "%s: opening", snap_dir_describe(dir, name, what));
    *fd = opened;
    return SNAP_OK;
}

static enum snap_status dir_exists(struct snap_store *store, const char *name, bool *exists,
                                   struct snap_error *err)
{
    struct snap_dir_store *dir = as_dir(store);
    struct stat info;
    char what[SNAP_DIR_WHAT_BYTES];
    if (fstatat(dir->dirfd, name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
        *exists = true;
        return SNAP_OK;
    }
    if (errno != ENOENT)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: looking for it",
                                 snap_dir_describe(dir, name, what));
    *exists = false;
    return SNAP_OK;
}

static enum snap_status dir_remove(struct snap_store *store, const char *name,
                                   struct snap_error *err)
{
    struct snap_dir_store *dir = as_dir(store);
    char what[SNAP_DIR_WHAT_BYTES];
    const char *leaf;
    int folder;
    enum snap_status status = snap_dir_open_folder(dir, name, false, &folder, &leaf, err);
    if (status != SNAP_OK)
        return status;
    snap_dir_describe(dir, name, what);
    if (unlinkat(folder, leaf, 0) != 0)
        status = snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                   "%s: removing", what);
    else
        status = snap_folder_sync(folder, what, err);
    close(folder); /* only read: nothing can be lost */
    return status;
}

struct listed_file {
    char *name;
    uint64_t size;
};

static int compare_files(const void *left, const void *right)
{
    return strcmp(((const struct listed_file *)left)->name,
                  ((const struct listed_file *)right)->name);
}

static enum snap_status collect_files(struct snap_dir_store *dir, const char *folder,
                                      struct listed_file **files, size_t *count,
                                      struct snap_error *err)
{
    char what[SNAP_DIR_WHAT_BYTES];
    snap_dir_describe(dir, folder, what);
    int fd = openat(dir->dirfd, folder[0] != '\0' ? folder : ".",
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return SNAP_OK;
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        enum snap_status status = snap_error_set_os(err, SNAP_IO, errno, "%s: listing", what);
        if (fd >= 0)
            close(fd);
        return status;
    }
    enum snap_status status = SNAP_OK;
    while (status == SNAP_OK) {
        struct stat info;
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (entry == NULL && errno != 0)
            status = snap_error_set_os(err, SNAP_IO, errno, "%s: listing", what);
        if (entry == NULL)
            break;
        if (entry->d_name[0] == '.')
            continue;
        if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT)
                continue; /* it went away while the folder was read */
            status = snap_error_set_os(err, SNAP_IO, errno, "%s/%s: listing", what, entry->d_name);
            break;
        }
        if (!S_ISREG(info.st_mode))
            continue;
        struct listed_file *grown = snap_array_grow(*files, *count, sizeof *grown);
        char *copy = strdup(entry->d_name);
        if (grown != NULL)
            *files = grown;
        if (grown == NULL || copy == NULL) {
            free(copy);
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: listing: out of memory", what);
            break;
        }
        grown[(*count)++] = (struct listed_file){ copy, (uint64_t)info.st_size };
    }
    closedir(stream);
    return status;
}

static enum snap_status dir_list(struct snap_store *store, const char *folder,
                                 enum snap_status (*visit)(void *arg, const char *name,
                                                           uint64_t size, struct snap_error *err),
                                 void *arg, struct snap_error *err)
{
    struct listed_file *files = NULL;
    size_t count = 0;
    enum snap_status status = collect_files(as_dir(store), folder, &files, &count, err);
    if (status == SNAP_OK && count > 0)
        qsort(files, count, sizeof *files, compare_files);
    for (size_t i = 0; i < count; i++) {
        if (status == SNAP_OK)
            status = visit(arg, files[i].name, files[i].size, err);
        free(files[i].name);
    }
    free(files);
    return status;
}

static void dir_heed(struct snap_store *store, const struct snap_stop *stop)
{
    as_dir(store)->stop = stop;
}

static const char *dir_path(const struct snap_store *store)
{
    return ((const struct snap_dir_store *)store)->path;
}

static void dir_close(struct snap_store *store)
{
    struct snap_dir_store *dir = as_dir(store);
    close(dir->dirfd); /* only read: nothing can be lost */
    free(dir->path);
    free(dir);
}

static const struct snap_store_ops dir_ops = {
    .kind = "folder",
    .put = dir_put,
    .append = dir_append,
    .sync = dir_sync,
    .update = snap_dir_update,
    .open = dir_open,
    .exists = dir_exists,
    .remove = dir_remove,
    .list = dir_list,
    .lock = snap_dir_lock,
    .unlock = snap_dir_unlock,
    .lock_file = snap_dir_lock_file,
    .heed = dir_heed,
    .path = dir_path,
    .close = dir_close,
};

/* fsync of the folder that `path` lies in. */
static enum snap_status sync_parent(const char *path, struct snap_error *err)
{
    char *parent = strdup(path);
    if (parent == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", path);
    size_t length = strlen(parent);
    while (length > 1 && parent[length - 1] == '/')
        parent[--length] = '\0';
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        strcpy(parent, ".");
    else
        slash[slash == parent] = '\0';
    enum snap_status status = sync_folder(AT_FDCWD, parent, path, err);
    free(parent);
    return status;
}

enum snap_status snap_store_dir_open(const char *path, bool create, struct snap_store **store,
                                     struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (create && mkdir(path, FOLDER_MODE) == 0)
        status = sync_parent(path, err);
    else if (create && errno != EEXIST)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: making the folder", path);
    if (status != SNAP_OK)
        return status;
    struct snap_dir_store *made = calloc(1, sizeof *made);
    char *copy = strdup(path);
    if (made == NULL || copy == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", path);
        goto out;
    }
    status = snap_file_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &made->dirfd, err);
    if (status != SNAP_OK)
        goto out;
    made->store.ops = &dir_ops;
    made->path = copy;
    *store = &made->store;
    return SNAP_OK;
out:
    free(copy);
    free(made);
    return status;
}
