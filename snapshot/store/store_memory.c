/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/array.h"
#include "core/file.h"
#include "digest/sha256.h"
#include "store/store_ops.h"

struct memory_file {
    char *name;
    struct snap_buffer content;
    bool locked;
};

struct memory_store {
    struct snap_store store;
    pthread_mutex_t lock; /* of the files */
    struct memory_file *files; /* by bytes of the name */
    size_t count;
};

struct snap_store_lock {
    char *name;
};

static struct memory_store *as_memory(struct snap_store *store)
{
    return (struct memory_store *)store;
}

/* The place of a name: where it is, or where it belongs. */
static size_t find_place(const struct memory_store *memory, const char *name)
{
    size_t place = 0;
    while (place < memory->count && strcmp(memory->files[place].name, name) < 0)
        place++;
    return place;
}

static struct memory_file *find_file(const struct memory_store *memory, const char *name)
{
    size_t place = find_place(memory, name);
    if (place < memory->count && strcmp(memory->files[place].name, name) == 0)
        return &memory->files[place];
    return NULL;
}

/* The file of that name, a new and empty one when it is not there; NULL when memory is out. */
static struct memory_file *make_file(struct memory_store *memory, const char *name)
{
    struct memory_file *file = find_file(memory, name);
    if (file != NULL)
        return file;
    size_t place = find_place(memory, name);
    struct memory_file *files = snap_array_grow(memory->files, memory->count, sizeof *files);
    if (files == NULL)
        return NULL;
    memory->files = files;
    char *copy = strdup(name);
    if (copy == NULL)
        return NULL;
    memmove(&files[place + 1], &files[place], (memory->count - place) * sizeof *files);
    files[place] = (struct memory_file){ .name = copy, .content = SNAP_BUFFER_INIT };
    memory->count++;
    return &files[place];
}

static enum snap_status out_of_memory(const char *name, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", name);
}

static enum snap_status not_there(const char *name, struct snap_error *err)
{
    return snap_error_set_os(err, SNAP_NOT_FOUND, ENOENT, "%s: opening", name);
}

static enum snap_status put_locked(struct memory_store *memory, const char *name,
                                   struct snap_buffer *content, enum snap_put_mode mode,
                                   struct snap_error *err)
{
    struct memory_file *file = find_file(memory, name);
    if (file != NULL && mode == SNAP_PUT_CREATE) {
        if (file->content.size == content->size &&
            (content->size == 0 ||
             memcmp(file->content.data, content->data, content->size) == 0))
            return SNAP_OK;
        return snap_error_set(err, SNAP_DIFFERS, "%s: is there already, with other content", name);
    }
    file = make_file(memory, name);
    if (file == NULL)
        return out_of_memory(name, err);
    snap_buffer_release(&file->content);
    file->content = *content;
    snap_buffer_init(content);
    return SNAP_OK;
}

static enum snap_status append_segment(const struct snap_segment *segment,
                                       struct snap_buffer *content, struct snap_error *err)
{
    const struct snap_source *source = segment->source;
    if (source == NULL)
        return snap_buffer_append(content, segment->data, segment->size_bytes, err);
    enum snap_status status = snap_buffer_reserve(content, segment->size_bytes, err);
    if (status == SNAP_OK)
        status = snap_source_read(source, content->data + content->size, segment->size_bytes,
                                  segment->source_offset, err);
    if (status == SNAP_OK)
        content->size += segment->size_bytes;
    return status;
}

/* Copy segments, and take the digests that they ask for of the copy. */
static enum snap_status copy_segments(const struct snap_segment *segments, size_t count,
                                      struct snap_buffer *content, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < count && status == SNAP_OK; i++) {
        const struct snap_segment *segment = &segments[i];
        size_t place = content->size;
        status = append_segment(segment, content, err);
        const void *copy = segment->size_bytes > 0 ? content->data + place : NULL;
        if (status == SNAP_OK && segment->sha256 != NULL)
            status = snap_sha256(copy, segment->size_bytes, segment->sha256, err);
    }
    return status;
}

static enum snap_status memory_put(struct snap_store *store, const char *name,
                                   const struct snap_content *content,
                                   const struct snap_put_options *options, struct snap_error *err)
{
    struct memory_store *memory = as_memory(store);
    struct snap_buffer copy = SNAP_BUFFER_INIT;
    const struct snap_segment *rest = NULL;
    size_t rest_count = 0;
    enum snap_status status = copy_segments(content->segments, content->count, &copy, err);
    if (status == SNAP_OK && content->finish != NULL)
        status = content->finish(content->arg, &rest, &rest_count, err);
    if (status == SNAP_OK)
        status = copy_segments(rest, rest_count, &copy, err);
    if (status == SNAP_OK) {
        pthread_mutex_lock(&memory->lock);
        status = put_locked(memory, name, &copy, options->mode, err);
        pthread_mutex_unlock(&memory->lock);
    }
    snap_buffer_release(&copy);
    return status;
}

static enum snap_status memory_append(struct snap_store *store, const char *name, const void *data,
                                      size_t size_bytes, struct snap_error *err)
{
    struct memory_store *memory = as_memory(store);
    pthread_mutex_lock(&memory->lock);
    struct memory_file *file = make_file(memory, name);
    enum snap_status status = file != NULL
                                  ? snap_buffer_append(&file->content, data, size_bytes, err)
                                  : out_of_memory(name, err);
    pthread_mutex_unlock(&memory->lock);
    return status;
}

static enum snap_status memory_sync(struct snap_store *store, const char *name,
                                    struct snap_error *err)
{
    struct memory_store *memory = as_memory(store);
    pthread_mutex_lock(&memory->lock);
    bool found = find_file(memory, name) != NULL;
    pthread_mutex_unlock(&memory->lock);
    return found ? SNAP_OK : snap_error_set(err, SNAP_NOT_FOUND, "%s: no such file", name);
}

/* `decide` is called with the files locked: it must not call the store. */
static enum snap_status memory_update(struct snap_store *store, const char *name, uint64_t limit,
                                      snap_store_decide *decide, void *arg, bool *exclusive,
                                      struct snap_error *err)
{
    struct memory_store *memory = as_memory(store);
    struct snap_buffer content = SNAP_BUFFER_INIT;
    bool write = false;
    enum snap_status status = SNAP_OK;
    (void)exclusive;
    pthread_mutex_lock(&memory->lock);
    const struct memory_file *file = find_file(memory, name);
    if (file != NULL && file->content.size > limit)
        status = snap_error_set(err, SNAP_CORRUPT, "%s: has more than %llu bytes", name,
                                (unsigned long long)limit);
    if (status == SNAP_OK)
        status = decide(arg, file != NULL ? &file->content : NULL, &content, &write, err);
    if (status == SNAP_OK && write)
        status = put_locked(memory, name, &content, SNAP_PUT_REPLACE, err);
    pthread_mutex_unlock(&memory->lock);
    snap_buffer_release(&content);
    return status;
}

static enum snap_status memory_open(struct snap_store *store, const char *name, int *fd,
                                    struct snap_error *err)
{
    struct memory_store *memory = as_memory(store);
    enum snap_status status = SNAP_OK;
    int opened = memfd_create("snap-store", MFD_CLOEXEC);
    if (opened < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making a file in memory", name);
    pthread_mutex_lock(&memory->lock);
    const struct memory_file *file = find_file(memory, name);
    if (file == NULL)
        status = not_there(name, err);
    else
        status = snap_file_pwrite(opened, file->content.data, file->content.size, 0, name, err);
    pthread_mutex_unlock(&memory->lock);
    if (status == SNAP_OK)
        *fd = opened;
    else
        close(opened); /* given up */
    return status;
}

static enum snap_status memory_exists(struct snap_store *store, const char *name, bool *exists,
                                      struct snap_error *err)
{
    struct memory_store *memory = as_memory(store);
    (void)err;
    pthread_mutex_lock(&memory->lock);
    *exists = find_file(memory, name) != NULL;
    pthread_mutex_unlock(&memory->lock);
    return SNAP_OK;
}

static enum snap_status memory_remove(struct snap_store *store, const char *name,
                                      struct snap_error *err)
{
    struct memory_store *memory = as_memory(store);
    enum snap_status status = SNAP_OK;
    pthread_mutex_lock(&memory->lock);
    struct memory_file *file = find_file(memory, name);
    if (file == NULL) {
        status = not_there(name, err);
    } else {
        size_t place = (size_t)(file - memory->files);
        free(file->name);
        snap_buffer_release(&file->content);
        memory->count--;
        memmove(file, file + 1, (memory->count - place) * sizeof *file);
    }
    pthread_mutex_unlock(&memory->lock);
    return status;
}

/* The part of a file's name behind `folder`, NULL when it lies elsewhere. */
static const char *name_in(const char *name, const char *folder)
{
    size_t length = strlen(folder);
    if (length > 0) {
        if (strncmp(name, folder, length) != 0 || name[length] != '/')
            return NULL;
        name += length + 1;
    }
    return strchr(name, '/') == NULL ? name : NULL;
}

static enum snap_status memory_list(struct snap_store *store, const char *folder,
                                    enum snap_status (*visit)(void *arg, const char *name,
                                                              uint64_t size,
                                                              struct snap_error *err),
                                    void *arg, struct snap_error *err)
{
    struct memory_store *memory = as_memory(store);
    enum snap_status status = SNAP_OK;
    size_t count = 0;
    pthread_mutex_lock(&memory->lock);
    /* A copy, so that `visit` may call the store. */
    char **names = calloc(memory->count + 1, sizeof *names);
    uint64_t *sizes = calloc(memory->count + 1, sizeof *sizes);
    for (size_t i = 0; i < memory->count && names != NULL && sizes != NULL; i++) {
        const char *name = name_in(memory->files[i].name, folder);
        if (name == NULL)
            continue;
        sizes[count] = memory->files[i].content.size;
        names[count] = strdup(name);
        if (names[count++] == NULL)
            break;
    }
    pthread_mutex_unlock(&memory->lock);
    if (names == NULL || sizes == NULL || (count > 0 && names[count - 1] == NULL))
        status = out_of_memory(folder, err);
    for (size_t i = 0; i < count && status == SNAP_OK; i++)
        status = visit(arg, names[i], sizes[i], err);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    free(sizes);
    return status;
}

static enum snap_status memory_lock(struct snap_store *store, const char *name,
                                    struct snap_store_lock **lock, struct snap_error *err)
{
    struct memory_store *memory = as_memory(store);
    enum snap_status status = SNAP_OK;
    struct snap_store_lock *made = malloc(sizeof *made);
    char *copy = strdup(name);
    pthread_mutex_lock(&memory->lock);
    struct memory_file *file = made != NULL && copy != NULL ? make_file(memory, name) : NULL;
    if (file == NULL)
        status = out_of_memory(name, err);
    else if (file->locked)
        status = snap_error_set(err, SNAP_BUSY, "%s: another holds its lock", name);
    else
        file->locked = true;
    pthread_mutex_unlock(&memory->lock);
    if (status != SNAP_OK) {
        free(copy);
        free(made);
        return status;
    }
    made->name = copy;
    *lock = made;
    return SNAP_OK;
}

static void memory_unlock(struct snap_store *store, struct snap_store_lock *lock)
{
    struct memory_store *memory = as_memory(store);
    pthread_mutex_lock(&memory->lock);
    struct memory_file *file = find_file(memory, lock->name);
    if (file != NULL)
        file->locked = false;
    pthread_mutex_unlock(&memory->lock);
    free(lock->name);
    free(lock);
}

static const char *memory_path(const struct snap_store *store)
{
    (void)store;
    return NULL;
}

static void memory_close(struct snap_store *store)
{
    struct memory_store *memory = as_memory(store);
    for (size_t i = 0; i < memory->count; i++) {
        free(memory->files[i].name);
        snap_buffer_release(&memory->files[i].content);
    }
    free(memory->files);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static const struct snap_store_ops memory_ops = {
    .kind = "memory",
    .put = memory_put,
    .append = memory_append,
    .sync = memory_sync,
    .update = memory_update,
    .open = memory_open,
    .exists = memory_exists,
    .remove = memory_remove,
    .list = memory_list,
    .lock = memory_lock,
    .unlock = memory_unlock,
    .path = memory_path,
    .close = memory_close,
};

enum snap_status snap_store_memory_open(struct snap_store **store, struct snap_error *err)
{
    struct memory_store *made = calloc(1, sizeof *made);
    if (made == NULL)
        return out_of_memory("store in memory", err);
    made->store.ops = &memory_ops;
    pthread_mutex_init(&made->lock, NULL);
    *store = &made->store;
    return SNAP_OK;
}
