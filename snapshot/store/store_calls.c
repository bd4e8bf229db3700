/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>
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

enum snap_status snap_store_put(struct snap_store *store, const char *name,
                                const struct snap_content *content,
                                const struct snap_put_options *options, struct snap_error *err)
{
    enum snap_status status = check_name(name, err);
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
    return status != SNAP_OK ? status : store->ops->open(store, name, fd, err);
}

enum snap_status snap_store_read(struct snap_store *store, const char *name, uint64_t limit,
                                 struct snap_buffer *out, struct snap_error *err)
{
    int fd;
    enum snap_status status = snap_store_open_file(store, name, &fd, err);
    if (status != SNAP_OK)
        return status;
    status = snap_file_read_fd(fd, name, limit, out, err);
    close(fd); /* only read: nothing can be lost */
    return status;
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

const char *snap_store_path(const struct snap_store *store)
{
    return store->ops->path(store);
}

void snap_store_close(struct snap_store *store)
{
    if (store != NULL)
        store->ops->close(store);
}
