/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/ranges.h"
#include "digest/sha256.h"
#include "format/archive_fill.h"
#include "format/archive_object.h"
#include "format/archive_read.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/listing.h"
#include "format/member_name.h"
#include "format/readme.h"

/* An archive is opened again when it was replaced between opening it and its volumes. */
#define REPLACED_ATTEMPTS 8

static enum snap_status out_of_memory(const struct snap_archive *archive, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
}

/* The member of a kind that there is once; the manifest has been checked for it. */
static struct snap_member *only_member(const struct snap_archive *archive,
                                       enum snap_member_kind kind)
{
    size_t i = 0;
    while (archive->members[i].kind != kind)
        i++;
    return &archive->members[i];
}

/* Another version: supported only to say so. That SHA256SUMS stands by README and manifest.json
 * says that this is no damage. */
static enum snap_status refuse_foreign(struct snap_archive *archive,
                                       const struct snap_member *listing, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    unsigned char listed[SNAP_DIGEST_BYTES];
    unsigned char found[SNAP_DIGEST_BYTES];
    json_t *document = NULL;
    bool intact = false;
    enum snap_status status = SNAP_OK;
    if (listing->name != NULL && listing->data_size <= SNAP_MAX_LISTING_BYTES) {
        status = snap_archive_load(archive, listing, &text, err);
        if (status == SNAP_OK)
            status = snap_sha256(archive->manifest_text.data, archive->manifest_text.size, found,
                                 err);
        if (status != SNAP_OK)
            goto out;
        intact = snap_listing_find(text.data, text.size, "manifest.json", listed) &&
                 memcmp(listed, found, sizeof found) == 0;
    }
    if (!intact) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: member manifest.json: is of a format not known here, and "
                                "SHA256SUMS does not list it",
                                archive->label);
        goto out;
    }
    status = snap_json_decode(archive->manifest_text.data, archive->manifest_text.size,
                              "manifest.json", &document, err);
    if (status == SNAP_OK)
        status = snap_json_field_format(document, "snap-archive-1", archive->label, err);
out:
    json_decref(document);
    snap_buffer_release(&text);
    return status;
}

/* Read SHA256SUMS: a line for each member before it. */
static enum snap_status read_listing(struct snap_archive *archive, struct snap_error *err)
{
    size_t count = archive->member_count - 1;
    struct snap_member *last = &archive->members[count];
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_listing_line *lines = calloc(count, sizeof *lines);
    enum snap_status status = lines != NULL ? SNAP_OK : out_of_memory(archive, err);
    if (status == SNAP_OK)
        status = snap_archive_load(archive, last, &text, err);
    if (status == SNAP_OK)
        status = snap_sha256(text.data, text.size, last->sha256, err);
    if (status != SNAP_OK)
        goto out;
    for (size_t i = 0; i < count; i++)
        lines[i].name = archive->members[i].name;
    status = snap_listing_decode(text.data, text.size, "member SHA256SUMS", lines, count, &cause);
    if (status != SNAP_OK) {
        status = snap_error_set(err, status, "%s: %s", archive->label, cause.text);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(archive->members[i].sha256, lines[i].sha256, SNAP_DIGEST_BYTES);
    snap_hash_text("snap1", last->sha256, archive->snapshot_hash);
out:
    free(lines);
    snap_buffer_release(&text);
    return status;
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(((const struct snap_listing_line *)left)->name,
                  ((const struct snap_listing_line *)right)->name);
}

/* Read STATE, whose lines must say what SHA256SUMS says. */
static enum snap_status read_state_listing(struct snap_archive *archive, struct snap_error *err)
{
    const struct snap_member *member = only_member(archive, SNAP_MEMBER_STATE_LISTING);
    size_t count = 0;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_listing_line *lines = calloc(archive->member_count, sizeof *lines);
    enum snap_status status = lines != NULL ? SNAP_OK : out_of_memory(archive, err);
    if (status == SNAP_OK)
        status = snap_archive_load(archive, member, &text, err);
    if (status != SNAP_OK)
        goto out;
    for (size_t i = 0; i < archive->member_count; i++)
        if (archive->members[i].in_state)
            lines[count++].name = archive->members[i].name;
    qsort(lines, count, sizeof *lines, compare_lines);
    status = snap_listing_decode(text.data, text.size, "member STATE", lines, count, &cause);
    if (status != SNAP_OK) {
        status = snap_error_set(err, status, "%s: %s", archive->label, cause.text);
        goto out;
    }
    for (size_t i = 0; i < count && status == SNAP_OK; i++)
        if (memcmp(lines[i].sha256, snap_archive_find(archive, lines[i].name)->sha256,
                   SNAP_DIGEST_BYTES) != 0)
            status = snap_error_set(err, SNAP_CORRUPT,
                                    "%s: member %s: STATE and SHA256SUMS list different digests",
                                    archive->label, lines[i].name);
    snap_hash_text("state1", member->sha256, archive->state_hash);
out:
    free(lines);
    snap_buffer_release(&text);
    return status;
}

/* Read a document that is needed at once, and compare its digest. Withheld: `out` stays empty. */
static enum snap_status read_document(struct snap_archive *archive, enum snap_member_kind kind,
                                      struct snap_buffer *out, struct snap_error *err)
{
    const struct snap_member *member = only_member(archive, kind);
    return member->withheld ? SNAP_OK : snap_archive_read_text(archive, member, out, err);
}

/* The same for a member that is no document, or was read already. */
static enum snap_status read_checked(struct snap_archive *archive, enum snap_member_kind kind,
                                     struct snap_buffer *out, struct snap_error *err)
{
    const struct snap_member *member = only_member(archive, kind);
    unsigned char sha256[SNAP_DIGEST_BYTES];
    if (member->withheld)
        return SNAP_OK;
    enum snap_status status = SNAP_OK;
    if (out->data == NULL)
        status = snap_archive_load(archive, member, out, err);
    if (status == SNAP_OK)
        status = snap_sha256(out->data, out->size, sha256, err);
    if (status == SNAP_OK && memcmp(sha256, member->sha256, sizeof sha256) != 0)
        status = snap_archive_digest_differs(archive->label, member->name, err);
    return status;
}

static enum snap_status check_readme(struct snap_archive *archive, struct snap_error *err)
{
    const char *expected = snap_readme_text();
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = read_checked(archive, SNAP_MEMBER_README, &text, err);
    if (status == SNAP_OK &&
        (text.size != strlen(expected) || memcmp(text.data, expected, text.size) != 0))
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: member README: is not the text of snap-archive-1",
                                archive->label);
    snap_buffer_release(&text);
    return status;
}

/* Add the archive's name to the text of a decoder, which knows only the member. */
static enum snap_status in_archive(const struct snap_archive *archive, enum snap_status status,
                                   const struct snap_error *cause, struct snap_error *err)
{
    if (status != SNAP_OK)
        snap_error_set(err, status, "%s: member %s", archive->label, cause->text);
    return status;
}

static enum snap_status read_documents(struct snap_archive *archive, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    json_t *environment = NULL;
    enum snap_status status =
        read_checked(archive, SNAP_MEMBER_MANIFEST, &archive->manifest_text, err);
    if (status == SNAP_OK)
        status = read_document(archive, SNAP_MEMBER_STATE_JSON, &archive->state_text, err);
    if (status == SNAP_OK)
        status = read_document(archive, SNAP_MEMBER_DATA, &archive->data_text, err);
    if (status == SNAP_OK)
        status = read_document(archive, SNAP_MEMBER_ENVIRONMENT, &archive->environment_text, err);
    if (status != SNAP_OK)
        return status;
    status = snap_state_doc_decode(archive->state_text.data, archive->state_text.size,
                                   &archive->state, &cause);
    if (status == SNAP_OK)
        status = snap_data_doc_decode(archive->data_text.data, archive->data_text.size,
                                      &archive->data, &cause);
    if (status == SNAP_OK && archive->environment_text.data != NULL)
        status = snap_json_decode(archive->environment_text.data, archive->environment_text.size,
                                  "env.json", &environment, &cause);
    json_decref(environment);
    return in_archive(archive, status, &cause, err);
}

/* Every storage and stream of state.json is a member, and every member of theirs is one of them. */
static enum snap_status match_state(struct snap_archive *archive, struct snap_error *err)
{
    const struct snap_state_doc *state = &archive->state;
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    size_t matched = 0;
    archive->storage_first = calloc(state->storage_count + 1, sizeof *archive->storage_first);
    if (archive->storage_first == NULL)
        return out_of_memory(archive, err);
    for (size_t i = 0; i < state->storage_count; i++) {
        size_t parts = snap_storage_part_count(state->storages[i].size);
        for (size_t part = 0; part < parts; part++) {
            snap_storage_part_name(state->storages[i].member, parts, part, name);
            const struct snap_member *member = snap_archive_find(archive, name);
            if (member == NULL ||
                member->data_size != snap_storage_part_bytes(state->storages[i].size, part))
                return snap_error_set(err, SNAP_CORRUPT,
                                      "%s: member %s: manifest.json does not list it, or not with "
                                      "the size that state.json says",
                                      archive->label, name);
            if (part == 0)
                archive->storage_first[i] = (size_t)(member - archive->members);
            matched++;
        }
    }
    for (size_t i = 0; i < state->stream_count; i++) {
        snprintf(name, sizeof name, "rng/%.96s", state->streams[i].name);
        if (snap_archive_find(archive, name) == NULL)
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: member %s: state.json names it, manifest.json does not",
                                  archive->label, name);
        matched++;
    }
    for (size_t i = 0; i < archive->member_count; i++)
        if (archive->members[i].kind == SNAP_MEMBER_TENSOR ||
            archive->members[i].kind == SNAP_MEMBER_STREAM)
            matched--;
    if (matched != 0)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: member manifest.json: lists tensors or streams that state.json "
                              "does not name",
                              archive->label);
    return SNAP_OK;
}

static enum snap_status make_texts(struct snap_archive *archive, struct snap_error *err)
{
    if (archive->manifest.has_parent)
        snap_hash_text("snap1", archive->manifest.parent, archive->parent);
    snap_hash_text("run1", archive->manifest.after.run, archive->run_hash);
    enum snap_status status = snap_json_encode(archive->state.binding, &archive->binding_text, err);
    if (status == SNAP_OK && archive->state.training != NULL)
        status = snap_json_encode(archive->state.training, &archive->training_text, err);
    return status;
}

/* A regular file or ranges, and the size. */
static enum snap_status look_at_file(struct snap_archive *archive, struct snap_error *err)
{
    struct snap_archive_file *file = &archive->file;
    struct stat info;
    if (file->source.ranges != NULL) {
        file->size = file->source.ranges->size_bytes;
        return SNAP_OK;
    }
    if (fstat(file->source.fd, &info) != 0)
        return snap_error_set(err, SNAP_IO, "%s: looking at it failed", archive->label);
    if (!S_ISREG(info.st_mode))
        return snap_error_set(err, SNAP_IO, "%s: is not a regular file", archive->label);
    file->size = (uint64_t)info.st_size;
    return SNAP_OK;
}

static enum snap_status open_file(struct snap_archive *archive, struct snap_error *err)
{
    struct snap_member listing = { .size_bytes = sizeof listing };
    bool foreign = false;
    enum snap_status status = look_at_file(archive, err);
    if (status == SNAP_OK)
        status = snap_archive_walk(archive, &foreign, &listing, err);
    if (status == SNAP_OK && foreign)
        return refuse_foreign(archive, &listing, err);
    if (status == SNAP_OK)
        status = snap_archive_volumes_open(archive, err);
    if (status == SNAP_OK)
        status = read_listing(archive, err);
    if (status == SNAP_OK)
        status = check_readme(archive, err);
    if (status == SNAP_OK) {
        struct snap_buffer text = SNAP_BUFFER_INIT;
        status = read_checked(archive, SNAP_MEMBER_STATE_LISTING, &text, err);
        snap_buffer_release(&text);
    }
    if (status == SNAP_OK)
        status = read_documents(archive, err);
    if (status == SNAP_OK)
        status = read_state_listing(archive, err);
    if (status == SNAP_OK)
        status = match_state(archive, err);
    if (status == SNAP_OK)
        status = make_texts(archive, err);
    return status;
}

/* An archive of which nothing is known yet, over one of `fd` and `ranges`, which is consumed in any
 * case. */
static struct snap_archive *archive_new(int fd, struct snap_ranges *ranges, const char *label,
                                        struct snap_error *err)
{
    struct snap_archive *made = calloc(1, sizeof *made);
    if (made == NULL || (made->label = strdup(label)) == NULL) {
        free(made);
        if (ranges != NULL)
            snap_ranges_close(ranges);
        else
            close(fd); /* only read: nothing can be lost */
        snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", label);
        return NULL;
    }
    made->file.source = (struct snap_source){ .fd = fd, .what = made->label, .ranges = ranges };
    return made;
}

static enum snap_status open_once(int fd, struct snap_ranges *ranges, const char *label,
                                  struct snap_archive **archive, struct snap_error *err)
{
    struct snap_archive *made = archive_new(fd, ranges, label, err);
    if (made == NULL)
        return SNAP_NO_MEMORY;
    enum snap_status status = open_file(made, err);
    if (status == SNAP_OK)
        *archive = made;
    else
        snap_archive_close(made);
    return status;
}

enum snap_status snap_archive_volumes_of(int fd, const char *label, json_t **document,
                                         struct snap_error *err)
{
    struct snap_member listing = { .size_bytes = sizeof listing };
    bool foreign = false;
    struct snap_archive *made = archive_new(fd, NULL, label, err);
    if (made == NULL)
        return SNAP_NO_MEMORY;
    enum snap_status status = look_at_file(made, err);
    if (status == SNAP_OK)
        status = snap_archive_walk(made, &foreign, &listing, err);
    if (status == SNAP_OK && foreign)
        status = snap_error_set(err, SNAP_UNSUPPORTED, "%s: is of another format", label);
    if (status == SNAP_OK)
        *document = json_incref(made->volumes_document);
    snap_archive_close(made);
    return status;
}

/* Not to hang on a pipe. */
static enum snap_status open_path(const char *path, int *fd, struct snap_error *err)
{
    return snap_file_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, fd, err);
}

enum snap_status snap_archive_open_fd(int fd, const char *label, struct snap_archive **archive,
                                      struct snap_error *err)
{
    struct snap_archive *made = NULL;
    enum snap_status status = open_once(fd, NULL, label, &made, err);
    for (int i = 0; i < REPLACED_ATTEMPTS && status == SNAP_OK; i++) {
        int again;
        if (!snap_archive_was_replaced(made) || open_path(label, &again, NULL) != SNAP_OK)
            break;
        snap_archive_close(made);
        made = NULL;
        status = open_once(again, NULL, label, &made, err);
    }
    if (status == SNAP_OK)
        *archive = made;
    return status;
}

enum snap_status snap_archive_open_ranges(struct snap_ranges *ranges, const char *label,
                                          struct snap_archive **archive, struct snap_error *err)
{
    return open_once(-1, ranges, label, archive, err);
}

enum snap_status snap_archive_open_alone(const char *path, struct snap_archive **archive,
                                         struct snap_error *err)
{
    int fd;
    enum snap_status status = open_path(path, &fd, err);
    if (status == SNAP_NOT_FOUND) {
        if (err != NULL)
            err->status = SNAP_IO;
        return SNAP_IO;
    }
    if (status != SNAP_OK)
        return status;
    return snap_archive_open_fd(fd, path, archive, err);
}

enum snap_status snap_archive_open_path(const char *path, struct snap_archive **archive,
                                        struct snap_error *err)
{
    struct snap_archive *made = NULL;
    enum snap_status status = snap_archive_open_alone(path, &made, err);
    return status == SNAP_OK ? snap_archive_fill_and_give(made, archive, err) : status;
}
