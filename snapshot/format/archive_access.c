/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ranges.h"
#include "digest/sha256.h"
#include "format/archive_object.h"
#include "format/archive_read.h"
#include "format/member_name.h"

void snap_archive_close(struct snap_archive *archive)
{
    if (archive == NULL)
        return;
    for (size_t i = 0; i < archive->filler_count; i++)
        snap_archive_close(archive->fillers[i]);
    free(archive->fillers);
    free(archive->filler_names);
    free(archive->filled);
    snap_archive_volumes_close(archive);
    if (archive->file.source.ranges != NULL)
        snap_ranges_close(archive->file.source.ranges);
    else
        close(archive->file.source.fd); /* only read: nothing can be lost */
    snap_buffer_release(&archive->binding_text);
    snap_buffer_release(&archive->training_text);
    snap_buffer_release(&archive->environment_text);
    snap_buffer_release(&archive->data_text);
    snap_buffer_release(&archive->state_text);
    snap_buffer_release(&archive->manifest_text);
    free(archive->storage_first);
    json_decref(archive->volumes_document);
    snap_data_doc_release(&archive->data);
    snap_state_doc_release(&archive->state);
    json_decref(archive->places);
    free(archive->members);
    snap_manifest_release(&archive->manifest);
    free(archive->label);
    free(archive);
}

enum snap_status snap_archive_load(const struct snap_archive *archive,
                                   const struct snap_member *member, struct snap_buffer *out,
                                   struct snap_error *err)
{
    enum snap_status status = snap_buffer_reserve(out, (size_t)member->data_size, err);
    if (status == SNAP_OK)
        status = snap_source_read(&archive->file.source, out->data, (size_t)member->data_size,
                                  member->data_offset, err);
    if (status != SNAP_OK)
        return status;
    out->size = (size_t)member->data_size;
    out->data[out->size] = '\0';
    return SNAP_OK;
}

enum snap_status snap_archive_digest_differs(const char *label, const char *member,
                                             struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT,
                          "%s: member %s: its content does not have the digest that SHA256SUMS "
                          "lists",
                          label, member);
}

enum snap_status snap_archive_read(const struct snap_archive *archive,
                                   const struct snap_member *member, void *buffer,
                                   struct snap_error *err)
{
    unsigned char sha256[SNAP_DIGEST_BYTES];
    if (member->elsewhere) {
        const struct snap_archive_filling *filling = &archive->filled[member - archive->members];
        return snap_archive_read(filling->archive, filling->member, buffer, err);
    }
    if (member->withheld && member->volume != NULL)
        return snap_error_set(err, SNAP_ABSENT, "%s: member %s: its volume %s is not there",
                              archive->label, member->name, member->volume);
    if (member->withheld)
        return snap_error_set(err, SNAP_ABSENT, "%s: member %s: is withheld", archive->label,
                              member->name);
    const struct snap_archive_file *file = snap_archive_file_of(archive, member);
    enum snap_status status = snap_source_read(&file->source, buffer, (size_t)member->data_size,
                                               member->data_offset, err);
    if (status == SNAP_OK)
        status = snap_sha256(buffer, (size_t)member->data_size, sha256, err);
    if (status == SNAP_OK && memcmp(sha256, member->sha256, sizeof sha256) != 0)
        status = snap_archive_digest_differs(file->source.what, member->name, err);
    return status;
}

enum snap_status snap_archive_read_alloc(const struct snap_archive *archive,
                                         const struct snap_member *member, size_t limit,
                                         void **data, struct snap_error *err)
{
    if (member->data_size > limit)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: member %s: is larger than the %zu bytes allowed", archive->label,
                              member->name, limit);
    if (member->kind == SNAP_MEMBER_LEDGER) {
        struct snap_buffer text = SNAP_BUFFER_INIT;
        enum snap_status read = snap_archive_read_text(archive, member, &text, err);
        if (read == SNAP_OK)
            *data = snap_buffer_steal(&text, NULL);
        snap_buffer_release(&text);
        return read;
    }
    unsigned char *bytes = malloc((size_t)member->data_size + 1);
    if (bytes == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: member %s: out of memory", archive->label,
                              member->name);
    enum snap_status status = snap_archive_read(archive, member, bytes, err);
    if (status != SNAP_OK) {
        free(bytes);
        return status;
    }
    bytes[member->data_size] = '\0';
    *data = bytes;
    return SNAP_OK;
}

enum snap_status snap_archive_storage_members(const struct snap_archive *archive, size_t index,
                                              size_t *first, size_t *count,
                                              struct snap_error *err)
{
    if (index >= archive->state.storage_count)
        return snap_error_set(err, SNAP_INVALID, "%s: storage %zu: there are %zu", archive->label,
                              index, archive->state.storage_count);
    *first = archive->storage_first[index];
    *count = snap_storage_part_count(archive->state.storages[index].size);
    return SNAP_OK;
}

enum snap_status snap_archive_read_storage(const struct snap_archive *archive, size_t index,
                                           void *buffer, struct snap_error *err)
{
    size_t first = 0;
    size_t count = 0;
    unsigned char *out = buffer;
    enum snap_status status = snap_archive_storage_members(archive, index, &first, &count, err);
    /* The parts of a storage stand one after the other: no name sorts between them. */
    for (size_t i = 0; i < count && status == SNAP_OK; i++) {
        const struct snap_member *member = &archive->members[first + i];
        status = snap_archive_read(archive, member, out, err);
        if (member->data_size > 0) /* a storage of no bytes may have no buffer */
            out += member->data_size;
    }
    return status;
}

size_t snap_archive_member_count(const struct snap_archive *archive)
{
    return archive->member_count;
}

const struct snap_member *snap_archive_member(const struct snap_archive *archive, size_t index)
{
    return index < archive->member_count ? &archive->members[index] : NULL;
}

const struct snap_member *snap_archive_find(const struct snap_archive *archive, const char *name)
{
    const json_t *place = json_object_get(archive->places, name);
    return place != NULL ? &archive->members[json_integer_value(place)] : NULL;
}

size_t snap_archive_withheld_count(const struct snap_archive *archive)
{
    return archive->withheld_count;
}

const struct snap_manifest *snap_archive_manifest(const struct snap_archive *archive)
{
    return &archive->manifest;
}

const struct snap_state_doc *snap_archive_state_doc(const struct snap_archive *archive)
{
    return &archive->state;
}

const struct snap_data_doc *snap_archive_data_doc(const struct snap_archive *archive)
{
    return &archive->data;
}

const char *snap_archive_kind(const struct snap_archive *archive)
{
    return archive->manifest.capsule ? "capsule" : "snapshot";
}

const char *snap_archive_run_id(const struct snap_archive *archive)
{
    return archive->manifest.run_id;
}

uint64_t snap_archive_step(const struct snap_archive *archive)
{
    return archive->manifest.step;
}

const char *snap_archive_parent(const struct snap_archive *archive)
{
    return archive->manifest.has_parent ? archive->parent : NULL;
}

const char *snap_archive_profile(const struct snap_archive *archive)
{
    return archive->state.profile;
}

const char *snap_archive_snapshot_hash(const struct snap_archive *archive)
{
    return archive->snapshot_hash;
}

const char *snap_archive_state_hash(const struct snap_archive *archive)
{
    return archive->state_hash;
}

const char *snap_archive_run_hash(const struct snap_archive *archive)
{
    return archive->run_hash;
}

const char *snap_archive_json(const struct snap_archive *archive, const char *name)
{
    const struct {
        const char *name;
        const struct snap_buffer *text;
    } documents[] = {
        { "manifest.json", &archive->manifest_text },
        { "state.json", &archive->state_text },
        { "data.json", &archive->data_text },
        { "env.json", &archive->environment_text },
    };
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++)
        if (strcmp(documents[i].name, name) == 0)
            return (const char *)documents[i].text->data;
    return NULL;
}

const char *snap_archive_training(const struct snap_archive *archive)
{
    return (const char *)archive->training_text.data;
}

const char *snap_archive_binding(const struct snap_archive *archive)
{
    return (const char *)archive->binding_text.data;
}

size_t snap_archive_root_count(const struct snap_archive *archive)
{
    return archive->state.root_count;
}

const char *snap_archive_root_name(const struct snap_archive *archive, size_t index)
{
    return index < archive->state.root_count ? archive->state.roots[index].name : NULL;
}

const struct snap_node *snap_archive_root(const struct snap_archive *archive, size_t index)
{
    return index < archive->state.root_count ? archive->state.roots[index].node : NULL;
}

size_t snap_archive_storage_count(const struct snap_archive *archive)
{
    return archive->state.storage_count;
}

const char *snap_archive_storage_name(const struct snap_archive *archive, size_t index,
                                      uint64_t *size)
{
    if (index >= archive->state.storage_count)
        return NULL;
    if (size != NULL)
        *size = archive->state.storages[index].size;
    return archive->state.storages[index].member;
}

const char *snap_archive_stream_kind(const struct snap_archive *archive, const char *name)
{
    for (size_t i = 0; i < archive->state.stream_count; i++)
        if (strcmp(archive->state.streams[i].name, name) == 0)
            return archive->state.streams[i].kind;
    return NULL;
}
