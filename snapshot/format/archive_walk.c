/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/segment.h"
#include "format/archive_object.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/json_guard.h"
#include "format/limits.h"
#include "format/listing.h"
#include "format/member_name.h"
#include "format/tar_layout.h"
#include "format/volumes.h"

/* Where the walk is. */
struct walk {
    struct snap_archive *archive;
    const struct snap_archive_file *file; /* the archive's own, or a volume */
    const char *last;                     /* its last member */
    uint64_t offset; /* of the next header */
    size_t next;     /* the next member that the manifest lists */
    /* What the last header said. */
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    uint64_t size;
    bool at_end; /* the last block read was zeros */
};

static bool is_zero(const unsigned char *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static enum snap_status refuse(const struct walk *walk, const char *member, const char *fault,
                               struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "%s: member %s: %s (byte %" PRIu64 ")",
                          walk->file->source.what, member, fault, walk->offset);
}

/* Read the header at walk->offset and check it, its content's place and its padding. `expected`
 * names the member that should be there, NULL when only the end can. */
static enum snap_status read_header(struct walk *walk, const char *expected,
                                    struct snap_error *err)
{
    const struct snap_archive_file *file = walk->file;
    unsigned char block[SNAP_TAR_BLOCK_BYTES];
    bool exact = false;
    if (file->size - walk->offset < SNAP_TAR_END_BYTES)
        return refuse(walk, expected != NULL ? expected : walk->last,
                      walk->offset == 0  ? "the file ends before it: truncated, or no snap archive"
                      : expected != NULL ? "the file ends before it: truncated"
                                         : "the end of the archive after it is missing: truncated",
                      err);
    enum snap_status status =
        snap_source_read(&file->source, block, sizeof block, walk->offset, err);
    if (status != SNAP_OK)
        return status;
    walk->at_end = is_zero(block, sizeof block);
    if (walk->at_end)
        return SNAP_OK;
    status = snap_tar_header_parse(block, walk->name, &walk->size, &exact, err);
    if (status != SNAP_OK)
        return status;
    if (!exact)
        return refuse(walk, expected != NULL ? expected : walk->last,
                      walk->offset == 0
                          ? "its tar header is not at the beginning: damaged, or no snap archive"
                      : expected != NULL
                          ? "the tar header here is not the one that a name and size give"
                          : "what follows it is neither a member nor the end of the archive",
                      err);
    uint64_t left = file->size - walk->offset - SNAP_TAR_END_BYTES;
    if (snap_tar_member_bytes(walk->size) > left)
        return refuse(walk, walk->name, "the file ends inside it: truncated, or a wrong size", err);
    uint32_t padding = snap_tar_padding(walk->size);
    status = snap_source_read(&file->source, block, padding,
                              walk->offset + SNAP_TAR_BLOCK_BYTES + walk->size, err);
    if (status == SNAP_OK && !is_zero(block, padding))
        return refuse(walk, walk->name, "the padding after its content is not zero", err);
    return status;
}

static void step_over(struct walk *walk)
{
    walk->offset += snap_tar_member_bytes(walk->size);
}

/* README and manifest.json, whose place every version of the format keeps. */
static enum snap_status read_head(struct walk *walk, struct snap_member head[2],
                                  struct snap_error *err)
{
    static const char *const names[2] = { "README", "manifest.json" };
    static const uint64_t limits[2] = { SNAP_MAX_README_BYTES, SNAP_MAX_MANIFEST_BYTES };
    for (int i = 0; i < 2; i++) {
        enum snap_status status = read_header(walk, names[i], err);
        if (status != SNAP_OK)
            return status;
        if (walk->at_end || strcmp(walk->name, names[i]) != 0)
            return refuse(walk, names[i], "is not where it must be: this is no snap archive", err);
        if (walk->size > limits[i])
            return refuse(walk, names[i], "is larger than allowed", err);
        head[i].name = names[i];
        head[i].data_size = walk->size;
        head[i].data_offset = walk->offset + SNAP_TAR_BLOCK_BYTES;
        step_over(walk);
    }
    return SNAP_OK;
}

/* The manifest's text. Whatever it lists has a line in SHA256SUMS, which is in what follows. */
static enum snap_status load_manifest(const struct walk *walk, const struct snap_member *member,
                                      struct snap_error *err)
{
    const uint64_t left = walk->archive->file.size - walk->offset;
    struct snap_json_bounds bounds;
    snap_manifest_bounds(left / SNAP_LISTING_LINE_BYTES(1), &bounds);
    return snap_archive_load_text(walk->archive, member, &bounds, &walk->archive->manifest_text,
                                  err);
}

/* Fill `members` from the manifest: nothing is known to be present yet. */
static enum snap_status list_members(struct snap_archive *archive, struct snap_error *err)
{
    const struct snap_manifest *manifest = &archive->manifest;
    archive->member_count = manifest->member_count + 1;
    archive->members = calloc(archive->member_count, sizeof *archive->members);
    archive->places = json_object();
    if (archive->members == NULL || archive->places == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    for (size_t i = 0; i < archive->member_count; i++) {
        struct snap_member *member = &archive->members[i];
        member->size_bytes = sizeof *member;
        member->withheld = true;
        if (i == 1) { /* which does not list itself */
            member->name = "manifest.json";
            member->kind = SNAP_MEMBER_MANIFEST;
        } else {
            const struct snap_manifest_member *listed = &manifest->members[i < 1 ? i : i - 1];
            member->name = listed->name;
            member->kind = listed->kind;
            member->data_size = listed->size;
            member->in_state = listed->in_state;
        }
        if (json_object_set_new(archive->places, member->name, json_integer((json_int_t)i)) != 0)
            return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    }
    return SNAP_OK;
}

static void place_member(struct snap_archive *archive, size_t index, uint64_t data_offset)
{
    archive->members[index].withheld = false;
    archive->members[index].data_offset = data_offset;
}

/* The header just read must be that of the next member listed, or of a later one when those between
 * may be withheld. */
static enum snap_status match_member(struct walk *walk, struct snap_error *err)
{
    struct snap_archive *archive = walk->archive;
    const char *first = archive->members[walk->next].name;
    const json_t *place = json_object_get(archive->places, walk->name);
    size_t found = place != NULL ? (size_t)json_integer_value(place) : 0;
    if (place == NULL || found < walk->next)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: member %s: manifest.json does not list it here, but %s (byte "
                              "%" PRIu64 ")",
                              archive->label, walk->name, first, walk->offset);
    for (; walk->next < found; walk->next++)
        if (!snap_member_may_be_withheld(archive->members[walk->next].kind))
            return refuse(walk, archive->members[walk->next].name,
                          "is missing, and such a member is never withheld", err);
    if (walk->size != archive->members[found].data_size)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: member %s: its tar header says %" PRIu64
                              " bytes, manifest.json %" PRIu64,
                              archive->label, walk->name, walk->size,
                              archive->members[found].data_size);
    place_member(archive, found, walk->offset + SNAP_TAR_BLOCK_BYTES);
    walk->next = found + 1;
    return SNAP_OK;
}

/* After the zeros that end the walk. */
static enum snap_status check_end(const struct walk *walk, struct snap_error *err)
{
    const struct snap_archive_file *file = walk->file;
    unsigned char end[SNAP_TAR_END_BYTES];
    enum snap_status status =
        snap_source_read(&file->source, end, sizeof end, walk->offset, err);
    if (status != SNAP_OK)
        return status;
    if (file->size - walk->offset != sizeof end || !is_zero(end, sizeof end))
        return refuse(walk, walk->last,
                      "after it the file must end with two blocks of zeros, and nothing else", err);
    return SNAP_OK;
}

/* Of ranges, whose every read is a request: when nothing is withheld, places follow from sizes.
 * What is read is compared with its digest; the headers are when all is (archive_check.c).
 * False: the size is not that of all members. */
static bool place_listed(const struct walk *walk)
{
    struct snap_archive *archive = walk->archive;
    uint64_t offset = walk->offset;
    uint64_t end = archive->file.size - SNAP_TAR_END_BYTES;
    for (size_t i = walk->next; i < archive->member_count; i++) {
        if (offset > end || snap_tar_member_bytes(archive->members[i].data_size) > end - offset)
            return false;
        offset += snap_tar_member_bytes(archive->members[i].data_size);
    }
    if (offset != end)
        return false;
    offset = walk->offset;
    for (size_t i = walk->next; i < archive->member_count; i++) {
        place_member(archive, i, offset + SNAP_TAR_BLOCK_BYTES);
        offset += snap_tar_member_bytes(archive->members[i].data_size);
    }
    archive->headers_unread = true;
    return true;
}

/* Bytes of a volumes.json that names each tensor once; it may have no more. */
static uint64_t most_volumes_bytes(const struct snap_archive *archive)
{
    /* {"format":"snap-volumes-1","volumes":[]}, and {"file":"...","members":[]}, for each. */
    uint64_t most = 64 + SNAP_MAX_VOLUMES * (uint64_t)(SNAP_VOLUME_NAME_BYTES + 32);
    for (size_t i = 0; i < archive->member_count; i++)
        if (archive->members[i].kind == SNAP_MEMBER_TENSOR)
            most += strlen(archive->members[i].name) + 3;
    return most < SNAP_MAX_VOLUMES_JSON_BYTES ? most : SNAP_MAX_VOLUMES_JSON_BYTES;
}

/* volumes.json, which the manifest does not list: read it. */
static enum snap_status read_volumes(struct walk *walk, struct snap_error *err)
{
    static const struct snap_json_bounds bounds = { .string_bytes = SNAP_MAX_VOLUMES_STRING_BYTES,
                                                    .keys = SNAP_MAX_VOLUMES_KEYS,
                                                    .containers = SNAP_MAX_VOLUMES_CONTAINERS };
    struct snap_archive *archive = walk->archive;
    const struct snap_member member = { .name = SNAP_VOLUMES_MEMBER,
                                        .data_size = walk->size,
                                        .data_offset = walk->offset + SNAP_TAR_BLOCK_BYTES };
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    if (walk->size > most_volumes_bytes(archive))
        return refuse(walk, walk->name, "is larger than one that names each tensor once", err);
    enum snap_status status = snap_archive_load_text(archive, &member, &bounds, &text, err);
    if (status == SNAP_OK) {
        status = snap_volumes_decode(text.data, text.size, &archive->volumes_document, &cause);
        if (status != SNAP_OK)
            snap_error_set(err, status, "%s: member %s", archive->label, cause.text);
    }
    snap_buffer_release(&text);
    step_over(walk);
    return status;
}

/* The members behind the manifest, as it lists them. */
static enum snap_status walk_listed(struct walk *walk, struct snap_error *err)
{
    struct snap_archive *archive = walk->archive;
    const uint64_t first = walk->offset;
    for (;;) {
        const char *expected =
            walk->next < archive->member_count ? archive->members[walk->next].name : NULL;
        enum snap_status status = read_header(walk, expected, err);
        if (status != SNAP_OK)
            return status;
        if (walk->offset == first && !walk->at_end &&
            strcmp(walk->name, SNAP_VOLUMES_MEMBER) == 0) {
            status = read_volumes(walk, err);
            if (status != SNAP_OK)
                return status;
            continue;
        }
        if (walk->at_end && expected != NULL)
            return refuse(walk, expected, "zeros stand where its tar header must be", err);
        if (walk->at_end)
            break;
        if (expected == NULL)
            return refuse(walk, walk->name, "stands after SHA256SUMS, the last", err);
        status = match_member(walk, err);
        if (status != SNAP_OK)
            return status;
        step_over(walk);
    }
    return check_end(walk, err);
}

/* The members of a version that is not known: SHA256SUMS is the last in every version. */
static enum snap_status walk_foreign(struct walk *walk, struct snap_member *listing,
                                     struct snap_error *err)
{
    for (size_t count = 2; count < SNAP_MAX_MEMBERS; count++) {
        enum snap_status status = read_header(walk, "SHA256SUMS", err);
        if (status != SNAP_OK)
            return status;
        if (walk->at_end)
            return check_end(walk, err);
        listing->name = strcmp(walk->name, "SHA256SUMS") == 0 ? "SHA256SUMS" : NULL;
        listing->data_size = walk->size;
        listing->data_offset = walk->offset + SNAP_TAR_BLOCK_BYTES;
        step_over(walk);
    }
    return refuse(walk, "SHA256SUMS", "more members stand before it than allowed", err);
}

enum snap_status snap_archive_walk(struct snap_archive *archive, bool *foreign,
                                   struct snap_member *listing, struct snap_error *err)
{
    struct walk walk = { .archive = archive, .file = &archive->file, .last = "SHA256SUMS" };
    struct snap_member head[2] = { { .size_bytes = sizeof head[0] } };
    json_t *document = NULL;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = read_head(&walk, head, err);
    if (status == SNAP_OK)
        status = load_manifest(&walk, &head[1], err);
    if (status != SNAP_OK)
        return status;
    status = snap_json_decode(archive->manifest_text.data, archive->manifest_text.size,
                              "manifest.json", &document, &cause);
    if (status == SNAP_OK)
        status = snap_manifest_decode(document, &archive->manifest, &cause);
    json_decref(document);
    *foreign = status == SNAP_UNSUPPORTED;
    if (*foreign)
        return walk_foreign(&walk, listing, err);
    if (status != SNAP_OK)
        return snap_error_set(err, status, "%s: member %s", archive->label, cause.text);
    status = list_members(archive, err);
    if (status != SNAP_OK)
        return status;
    if (archive->members[0].data_size != head[0].data_size)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: member README: its size is not the one in manifest.json",
                              archive->label);
    archive->members[1].data_size = head[1].data_size;
    place_member(archive, 0, head[0].data_offset);
    place_member(archive, 1, head[1].data_offset);
    walk.next = 2;
    if (archive->file.source.ranges != NULL && place_listed(&walk))
        return SNAP_OK;
    return walk_listed(&walk, err);
}

enum snap_status snap_archive_walk_volume(struct snap_archive *archive,
                                          const struct snap_archive_file *file,
                                          const size_t *members, size_t count,
                                          struct snap_error *err)
{
    struct walk walk = { .archive = archive,
                         .file = file,
                         .last = archive->members[members[count - 1]].name };
    for (size_t i = 0; i < count; i++) {
        struct snap_member *member = &archive->members[members[i]];
        enum snap_status status = read_header(&walk, member->name, err);
        if (status != SNAP_OK)
            return status;
        if (walk.at_end)
            return refuse(&walk, member->name, "zeros stand where its tar header must be", err);
        if (strcmp(walk.name, member->name) != 0)
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: member %s: stands where " SNAP_VOLUMES_MEMBER
                                  " of %s has %s: this is another volume, or damaged",
                                  file->source.what, walk.name, archive->label, member->name);
        if (walk.size != member->data_size)
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: member %s: its tar header says %" PRIu64
                                  " bytes, manifest.json of %s %" PRIu64,
                                  file->source.what, walk.name, walk.size, archive->label,
                                  member->data_size);
        place_member(archive, members[i], walk.offset + SNAP_TAR_BLOCK_BYTES);
        step_over(&walk);
    }
    enum snap_status status = read_header(&walk, NULL, err);
    if (status == SNAP_OK && !walk.at_end)
        return refuse(&walk, walk.name, "stands after the last of the volume", err);
    return status == SNAP_OK ? check_end(&walk, err) : status;
}
