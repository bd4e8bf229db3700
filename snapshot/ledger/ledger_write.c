/* SPDX-License-Identifier: Apache-2.0 */
/* Making the lines of a ledger, and the file that they are added to. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/file.h"
#include "digest/chain.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "ledger/ledger_line.h"

static enum snap_status link_document(const char *tag, const unsigned char *before,
                                      const json_t *document, unsigned char *after,
                                      struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status;

    status = snap_json_encode(document, &text, err);
    if (status == SNAP_OK && before == NULL)
        status = snap_chain_first(tag, text.data, text.size, after, err);
    else if (status == SNAP_OK)
        status = snap_chain_next(before, text.data, text.size, after, err);
    snap_buffer_release(&text);
    return status;
}

enum snap_status snap_ledger_line_heads(json_t *document, const struct snap_chain_heads *before,
                                        struct snap_chain_heads *after, struct snap_error *err)
{
    struct snap_chain_heads heads;
    enum snap_status status;

    json_object_del(document, "chain");
    json_object_del(document, "host_chain");
    status = link_document(SNAP_CHAIN_LEDGER, before == NULL ? NULL : before->run, document,
                           heads.run, err);
    if (status != SNAP_OK)
        return status;
    status = link_document(SNAP_CHAIN_HOST, before == NULL ? NULL : before->host,
                           json_object_get(document, "host"), heads.host, err);
    if (status != SNAP_OK)
        return status;
    *after = heads;
    return SNAP_OK;
}

static enum snap_status encode(const struct snap_chain_heads *before, json_t *host, json_t *floats,
                               struct snap_chain_heads *after, struct snap_buffer *line,
                               struct snap_error *err)
{
    json_t *document = json_object();
    struct snap_chain_heads heads;
    size_t size = line->size;
    enum snap_status status;

    status = snap_json_set(document, "host", json_incref(host), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "float", json_incref(floats), err);
    if (status == SNAP_OK && before == NULL)
        status = snap_json_set(document, "format", json_string(SNAP_LEDGER_FORMAT), err);
    if (status == SNAP_OK)
        status = snap_ledger_line_heads(document, before, &heads, err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "chain", snap_json_digest(NULL, heads.run), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "host_chain", snap_json_digest(NULL, heads.host), err);
    if (status == SNAP_OK)
        status = snap_json_encode(document, line, err);
    if (status == SNAP_OK && line->size - size > SNAP_MAX_LEDGER_LINE_BYTES) {
        status = snap_error_set(err, SNAP_INVALID,
                                "ledger: make a line: it has %zu bytes, more "
                                "than the %u that a line may have",
                                line->size - size, SNAP_MAX_LEDGER_LINE_BYTES);
        line->size = size;
        line->data[size] = '\0';
    }
    if (status == SNAP_OK)
        *after = heads;
    json_decref(document);
    return status;
}

enum snap_status snap_ledger_genesis_encode(json_t *host, json_t *floats,
                                            struct snap_chain_heads *heads,
                                            struct snap_buffer *line, struct snap_error *err)
{
    return encode(NULL, host, floats, heads, line, err);
}

enum snap_status snap_ledger_step_encode(const struct snap_chain_heads *before, json_t *host,
                                         json_t *floats, struct snap_chain_heads *after,
                                         struct snap_buffer *line, struct snap_error *err)
{
    return encode(before, host, floats, after, line, err);
}

enum snap_status snap_ledger_file_open(struct snap_ledger_file *file, int dirfd, const char *label,
                                       uint64_t size, uint64_t past, struct snap_error *err)
{
    enum snap_status status;
    off_t end;
    int fd;

    status = snap_file_open(dirfd, SNAP_LEDGER_FILE, O_RDWR | O_APPEND | O_CREAT, 0666, &fd, err);
    if (status != SNAP_OK)
        return status;
    end = lseek(fd, 0, SEEK_END);
    if (end < 0 || (uint64_t)end < size) {
        status = snap_error_set(err, SNAP_IO, "%s: open: the file became shorter while it was read",
                                label);
    } else if ((uint64_t)end - size > past) {
        status = snap_error_set(err, SNAP_IO, "%s: open: the file became longer while it was read",
                                label);
    }
    /* The name of a new file must be durable before a snapshot speaks of its lines. */
    if (status == SNAP_OK)
        status = snap_folder_sync(dirfd, label, err);
    if (status != SNAP_OK) {
        close(fd); /* nothing was written through it */
        return status;
    }
    file->fd = fd;
    file->size = size;
    file->label = label;
    file->past = (uint64_t)end > size;
    atomic_store(&file->broken, false);
    return SNAP_OK;
}

enum snap_status snap_ledger_file_cut(struct snap_ledger_file *file, struct snap_error *err)
{
    if (file->past && ftruncate(file->fd, (off_t)file->size) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: cut off what is after its lines",
                                 file->label);
    file->past = false;
    return SNAP_OK;
}

/* May the file be written or synced? */
static enum snap_status check_whole(const struct snap_ledger_file *file, const char *action,
                                    struct snap_error *err)
{
    if (!atomic_load(&file->broken))
        return SNAP_OK;
    return snap_error_set(err, SNAP_IO,
                          "%s: %s: an fsync of it failed before, and lines may be lost: open the "
                          "run again",
                          file->label, action);
}

enum snap_status snap_ledger_file_append(struct snap_ledger_file *file, const void *line,
                                         size_t size_bytes, struct snap_error *err)
{
    ssize_t written;
    int os_error = ENOSPC; /* what a short write to a regular file means */

    enum snap_status status = check_whole(file, "add a line", err);
    if (status == SNAP_OK)
        status = snap_ledger_file_cut(file, err);
    if (status != SNAP_OK)
        return status;
    do {
        written = write(file->fd, line, size_bytes);
    } while (written < 0 && errno == EINTR);
    if (written >= 0 && (size_t)written == size_bytes) {
        file->size += size_bytes;
        return SNAP_OK;
    }
    if (written < 0)
        os_error = errno;
    file->past = true;
    if (snap_ledger_file_cut(file, NULL) != SNAP_OK) {
        return snap_error_set_os(err, SNAP_IO, os_error,
                                 "%s: add a line (a torn line is left, and "
                                 "goes before the next is added)",
                                 file->label);
    }
    return snap_error_set_os(err, SNAP_IO, os_error, "%s: add a line", file->label);
}

enum snap_status snap_ledger_file_flush(struct snap_ledger_file *file, struct snap_error *err)
{
    enum snap_status status = check_whole(file, "make it durable", err);
    if (status != SNAP_OK)
        return status;
    status = snap_file_sync(file->fd, file->label, err);
    if (status != SNAP_OK)
        atomic_store(&file->broken, true);
    return status;
}

enum snap_status snap_ledger_file_sync(struct snap_ledger_file *file, struct snap_error *err)
{
    enum snap_status status = check_whole(file, "make it durable", err);
    if (status == SNAP_OK)
        status = snap_ledger_file_cut(file, err);
    if (status == SNAP_OK)
        status = snap_ledger_file_flush(file, err);
    return status;
}

enum snap_status snap_ledger_file_close(struct snap_ledger_file *file, struct snap_error *err)
{
    int fd = file->fd;

    file->fd = -1;
    return fd < 0 ? SNAP_OK : snap_file_close(fd, file->label, err);
}
