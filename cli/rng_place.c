/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rng.h"
#include "target.h"

/* Bytes of a state file: what the format allows a stream. */
#define MOST_STATE_BYTES (UINT64_C(1) << 30)
/* The magic word of a tar file. */
#define TAR_MAGIC_AT 257
#define TAR_MAGIC "ustar"

/* Names for a message: "a, b or c". */
#define NAMES_BYTES 300
static void add_name(char names[NAMES_BYTES], const char *name)
{
    size_t used = strlen(names);

    snprintf(names + used, NAMES_BYTES - used, "%s%s", used ? ", " : "", name);
}

/* ---- what there is ---- */

static bool is_tar(const char *path)
{
    char start[TAR_MAGIC_AT + sizeof TAR_MAGIC - 1];
    FILE *file = fopen(path, "rbe");
    bool is;

    if (file == NULL)
        return false;
    is = fread(start, 1, sizeof start, file) == sizeof start &&
         memcmp(start + TAR_MAGIC_AT, TAR_MAGIC, sizeof TAR_MAGIC - 1) == 0;
    fclose(file); /* it was only read */
    return is;
}

enum snap_status cmd_rng_place_open(const char *path, struct cmd_rng_place *place,
                                    struct snap_error *err)
{
    struct cmd_rng_place found = { .path = path };
    enum cmd_target kind = CMD_TARGET_ARCHIVE;
    enum snap_status status = SNAP_OK;
    struct stat st;

    if (stat(path, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return snap_error_set(err, SNAP_NOT_FOUND,
                                  "%s: no such file or folder; an archive, a run or a state is "
                                  "wanted", path);
        return snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", path);
    }
    if (S_ISDIR(st.st_mode))
        status = cmd_target_find(path, CMD_TARGET_RUN, &kind, err);
    if (status == SNAP_OK && (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && is_tar(path))))
        status = cmd_target_open(path, kind, found.opened, &found.archive, err);
    if (status == SNAP_OK)
        *place = found;
    return status;
}

void cmd_rng_place_close(struct cmd_rng_place *place)
{
    snap_archive_close(place->archive);
    place->archive = NULL;
}

const char *cmd_rng_place_name(const struct cmd_rng_place *place, size_t index)
{
    size_t count = place->archive ? snap_archive_member_count(place->archive) : 0;

    for (size_t i = 0; i < count; i++) {
        const struct snap_member *member = snap_archive_member(place->archive, i);
        if (member->kind == SNAP_MEMBER_STREAM && index-- == 0)
            return member->name + strlen("rng/");
    }
    return NULL;
}

enum snap_status cmd_rng_new(const char *kind, struct snap_stream **stream, struct snap_error *err)
{
    char names[NAMES_BYTES] = "";
    const char *name;

    for (size_t i = 0; (name = snap_stream_kind_at(i)) != NULL; i++) {
        if (strcmp(name, kind) == 0)
            return snap_stream_new(kind, stream, err);
        add_name(names, name);
    }
    return snap_error_set(err, SNAP_INVALID, "'%.64s': no such kind; there are: %s", kind, names);
}

/* ---- a state from bytes ---- */

/* `bytes` in any form of a kind; false when they are a state in none of them. */
static bool import_any(struct snap_stream *stream, const void *bytes, size_t size)
{
    const struct snap_form_info *form;

    for (size_t i = 0; (form = snap_stream_form_at(snap_stream_kind(stream), i)) != NULL; i++)
        if (snap_stream_import(stream, form->name, bytes, size, NULL) == SNAP_OK)
            return true;
    return false;
}

static enum snap_status as_kind(const char *kind, const char *form, const void *bytes, size_t size,
                                struct snap_stream **stream, struct snap_error *err)
{
    struct snap_stream *made = NULL;
    enum snap_status status = cmd_rng_new(kind, &made, err);

    if (status != SNAP_OK)
        return status;
    if (form)
        status = snap_stream_import(made, form, bytes, size, err);
    else if (!import_any(made, bytes, size))
        /* For the reason. */
        status = snap_stream_decode(made, bytes, size, err);
    if (status == SNAP_OK)
        *stream = made;
    else
        snap_stream_free(made);
    return status;
}

/* Are the bytes exactly what the member of such a stream is? */
static bool is_member(struct snap_stream *stream, const void *bytes, size_t size)
{
    void *again = NULL;
    size_t again_size = 0;
    bool same = snap_stream_decode(stream, bytes, size, NULL) == SNAP_OK &&
                snap_stream_encode(stream, &again, &again_size, NULL) == SNAP_OK &&
                again_size == size && memcmp(again, bytes, size) == 0;

    free(again);
    return same;
}

/* How a kind may be meant: by a form that is named, by its member, by any form. */
static bool fits(struct snap_stream *stream, const char *form, bool members_only,
                 const void *bytes, size_t size)
{
    if (form)
        return snap_stream_import(stream, form, bytes, size, NULL) == SNAP_OK;
    return members_only ? is_member(stream, bytes, size) : import_any(stream, bytes, size);
}

/* Ask every kind, but the one that takes any bytes; *found is the first that they fit, of *count,
 * whose names are in `names`. */
static enum snap_status ask_kinds(const char *form, bool members_only, const void *bytes,
                                  size_t size, struct snap_stream **found, size_t *count,
                                  char names[NAMES_BYTES], struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    const char *kind;

    for (size_t i = 0; status == SNAP_OK && (kind = snap_stream_kind_at(i)) != NULL; i++) {
        struct snap_stream *one = NULL;
        if (strcmp(kind, "opaque") == 0)
            continue;
        status = snap_stream_new(kind, &one, err);
        if (status == SNAP_OK && fits(one, form, members_only, bytes, size)) {
            add_name(names, kind);
            if ((*count)++ == 0) {
                *found = one;
                one = NULL;
            }
        }
        snap_stream_free(one);
    }
    return status;
}

static enum snap_status find_kind(const char *path, const char *form, const void *bytes,
                                  size_t size, struct snap_stream **stream, struct snap_error *err)
{
    struct snap_stream *found = NULL;
    char names[NAMES_BYTES] = "";
    size_t count = 0;
    enum snap_status status = ask_kinds(form, true, bytes, size, &found, &count, names, err);

    if (status == SNAP_OK && count == 0 && form == NULL)
        status = ask_kinds(form, false, bytes, size, &found, &count, names, err);
    if (status == SNAP_OK && count == 0)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: a state of no kind that is known, in none of its forms; with "
                                "--kind the reason is told, and 'snap import' takes it out of a "
                                "pickle or a file of torch.save", path);
    if (status == SNAP_OK && count > 1)
        status = snap_error_set(err, SNAP_INVALID,
                                "%s: its %zu bytes may be a state of several kinds: %s; name one "
                                "with --kind", path, size, names);
    if (status == SNAP_OK)
        *stream = found;
    else
        snap_stream_free(found);
    return status;
}

/* A file or a pipe, to its end. *bytes is malloc'd. */
static enum snap_status read_file(const char *path, void **bytes, size_t *size,
                                  struct snap_error *err)
{
    FILE *file = fopen(path, "rbe");
    enum snap_status status = SNAP_OK;
    unsigned char *data = NULL;
    size_t used = 0, room = 0;

    if (file == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: opening it", path);
    while (status == SNAP_OK && !feof(file)) {
        if (used == room) {
            unsigned char *more = realloc(data, room = room ? 2 * room : 8192);
            if (more == NULL) {
                status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory to read it", path);
                break;
            }
            data = more;
        }
        used += fread(data + used, 1, room - used, file);
        if (ferror(file))
            status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading it", path);
        else if (used > MOST_STATE_BYTES)
            status = snap_error_set(err, SNAP_INVALID, "%s: it is larger than any state", path);
    }
    fclose(file); /* it was only read */
    if (status == SNAP_OK) {
        *bytes = data;
        *size = used;
    } else {
        free(data);
    }
    return status;
}

static enum snap_status file_state(const char *path, const char *kind, const char *form,
                                   struct snap_stream **stream, struct snap_error *err)
{
    void *bytes = NULL;
    size_t size = 0;
    enum snap_status status = read_file(path, &bytes, &size, err);

    if (status == SNAP_OK)
        status = kind ? as_kind(kind, form, bytes, size, stream, err)
                      : find_kind(path, form, bytes, size, stream, err);
    free(bytes);
    return status;
}

/* ---- a state from an archive ---- */

/* The name that is meant: the one given, or the only one there is. */
static enum snap_status choose(const struct cmd_rng_place *place, const char *given,
                               const char **name, struct snap_error *err)
{
    char names[NAMES_BYTES] = "";
    const char *one, *first = cmd_rng_place_name(place, 0);

    for (size_t i = 0; (one = cmd_rng_place_name(place, i)) != NULL; i++) {
        if (given && strcmp(one, given) == 0) {
            *name = one;
            return SNAP_OK;
        }
        add_name(names, one);
    }
    if (first == NULL)
        return snap_error_set(err, SNAP_NOT_FOUND, "%s: it has no stream", place->opened);
    if (given)
        return snap_error_set(err, SNAP_NOT_FOUND, "%s: no stream '%.64s', but %s", place->opened,
                              given, names);
    if (cmd_rng_place_name(place, 1))
        return snap_error_set(err, SNAP_INVALID, "%s: name one of its streams with --stream: %s",
                              place->opened, names);
    *name = first;
    return SNAP_OK;
}

static enum snap_status archive_state(const struct cmd_rng_place *place, const char *given,
                                      const char *kind, const char *form,
                                      struct snap_stream **stream, struct snap_error *err)
{
    const char *name = NULL;
    char member_name[128];
    const struct snap_member *member;
    void *bytes = NULL;
    enum snap_status status = choose(place, given, &name, err);

    if (status != SNAP_OK)
        return status;
    if (kind == NULL)
        kind = snap_archive_stream_kind(place->archive, name);
    snprintf(member_name, sizeof member_name, "rng/%s", name);
    member = snap_archive_find(place->archive, member_name);
    if (kind == NULL || member == NULL)
        return snap_error_set(err, SNAP_CORRUPT, "%s: %s: it has no kind, or no member",
                              place->opened, member_name);
    bytes = malloc(member->data_size + 1);
    if (bytes == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory to read it", member_name);
    status = snap_archive_read(place->archive, member, bytes, err);
    if (status == SNAP_OK)
        status = as_kind(kind, form ? form : "member", bytes, member->data_size, stream, err);
    free(bytes);
    return status;
}

enum snap_status cmd_rng_place_state(const struct cmd_rng_place *place, const char *name,
                                     const char *kind, const char *form,
                                     struct snap_stream **stream, struct snap_error *err)
{
    if (place->archive)
        return archive_state(place, name, kind, form, stream, err);
    if (name)
        return snap_error_set(err, SNAP_INVALID,
                              "--stream: %s is a state, and no archive with streams", place->path);
    return file_state(place->path, kind, form, stream, err);
}

enum snap_status cmd_rng_state(const struct cmd_rng_arguments *given, const char *path,
                               struct snap_stream **stream, struct snap_error *err)
{
    struct cmd_rng_place place;
    enum snap_status status = cmd_rng_place_open(path, &place, err);

    if (status != SNAP_OK)
        return status;
    status = cmd_rng_place_state(&place, given->stream, given->kind, given->form, stream, err);
    cmd_rng_place_close(&place);
    return status;
}
