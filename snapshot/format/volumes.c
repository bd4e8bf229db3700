/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/member_name.h"
#include "format/tar_layout.h"
#include "format/volumes.h"

#define FORMAT "snap-volumes-1"
#define ARCHIVE_SUFFIX ".snap.tar"
#define MARK ".vol-"
#define SUFFIX ".tar"
#define DIGITS 4

_Static_assert(SNAP_VOLUME_NAME_BYTES ==
                   SNAP_MAX_VOLUME_STEM_BYTES + sizeof MARK + DIGITS + sizeof SUFFIX - 1,
               "the name of a volume and a NUL");

bool snap_volume_stem(const char *file, char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1])
{
    size_t length = strlen(file);
    const size_t suffix = strlen(ARCHIVE_SUFFIX);
    if (length > suffix && strcmp(file + length - suffix, ARCHIVE_SUFFIX) == 0)
        length -= suffix;
    if (length > SNAP_MAX_VOLUME_STEM_BYTES || !snap_name_is_word(file, length))
        return false;
    memcpy(stem, file, length);
    stem[length] = '\0';
    return true;
}

void snap_volume_name(const char *stem, unsigned number, char name[SNAP_VOLUME_NAME_BYTES])
{
    snprintf(name, SNAP_VOLUME_NAME_BYTES, "%.*s" MARK "%04u" SUFFIX, SNAP_MAX_VOLUME_STEM_BYTES,
             stem, number % (SNAP_MAX_VOLUME_NUMBER + 1));
}

bool snap_volume_name_parse(const char *file, char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1],
                            unsigned *number)
{
    const size_t tail = strlen(MARK) + DIGITS + strlen(SUFFIX);
    size_t length = strlen(file);
    unsigned value = 0;
    if (length <= tail || length - tail > SNAP_MAX_VOLUME_STEM_BYTES)
        return false;
    const char *mark = file + length - tail;
    const char *digits = mark + strlen(MARK);
    if (strncmp(mark, MARK, strlen(MARK)) != 0 || strspn(digits, "0123456789") != DIGITS ||
        strcmp(digits + DIGITS, SUFFIX) != 0 || !snap_name_is_word(file, (size_t)(mark - file)))
        return false;
    for (size_t i = 0; i < DIGITS; i++)
        value = value * 10 + (unsigned)(digits[i] - '0');
    if (value == 0)
        return false;
    memcpy(stem, file, length - tail);
    stem[length - tail] = '\0';
    *number = value;
    return true;
}

bool snap_volume_fill(struct snap_volume_filling *filling, uint64_t member_bytes)
{
    uint64_t bytes = snap_tar_member_bytes(member_bytes);
    bool begins = filling->count == 0 || filling->size + bytes > filling->volume_size;
    if (begins) {
        filling->size = SNAP_TAR_END_BYTES;
        filling->count++;
    }
    filling->size += bytes;
    return begins;
}

/* The name of volume `index`, which must go on from the one before. */
static enum snap_status check_file(const char *file, size_t index,
                                   char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1], unsigned *number,
                                   struct snap_error *err)
{
    char own[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    unsigned found = 0;
    if (!snap_volume_name_parse(file, own, &found))
        return snap_error_set(err, SNAP_CORRUPT,
                              SNAP_VOLUMES_MEMBER ": \"%.100s\" is no name of a volume", file);
    if (index > 0 && (strcmp(own, stem) != 0 || found != *number + 1))
        return snap_error_set(err, SNAP_CORRUPT,
                              SNAP_VOLUMES_MEMBER ": \"%.100s\" does not follow the volume before",
                              file);
    memcpy(stem, own, sizeof own);
    *number = found;
    return SNAP_OK;
}

static enum snap_status check_members(const json_t *members, const char *file,
                                      struct snap_error *err)
{
    bool legal = json_array_size(members) > 0;
    for (size_t i = 0; legal && i < json_array_size(members); i++)
        legal = json_is_string(json_array_get(members, i));
    if (!legal)
        return snap_error_set(err, SNAP_CORRUPT,
                              SNAP_VOLUMES_MEMBER ": %s: members are not a list of names", file);
    return SNAP_OK;
}

enum snap_status snap_volumes_decode(const void *data, size_t size_bytes, json_t **document,
                                     struct snap_error *err)
{
    char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    unsigned number = 0;
    json_t *made = NULL;
    const json_t *volumes = NULL;
    enum snap_status status =
        snap_json_decode(data, size_bytes, SNAP_VOLUMES_MEMBER, &made, err);
    if (status == SNAP_OK)
        status = snap_json_field_format(made, FORMAT, SNAP_VOLUMES_MEMBER, err);
    if (status == SNAP_OK)
        status = snap_json_check_keys(made, "format volumes", SNAP_VOLUMES_MEMBER, err);
    if (status == SNAP_OK)
        status = snap_json_field(made, "volumes", JSON_ARRAY, SNAP_VOLUMES_MEMBER, &volumes, err);
    if (status == SNAP_OK && (json_array_size(volumes) == 0 ||
                              json_array_size(volumes) > SNAP_MAX_VOLUMES))
        status = snap_error_set(err, SNAP_CORRUPT,
                                SNAP_VOLUMES_MEMBER ": %zu volumes: there are 1 to %u",
                                json_array_size(volumes), SNAP_MAX_VOLUMES);
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(volumes); i++) {
        const json_t *volume = json_array_get(volumes, i);
        const json_t *members = NULL;
        const char *file = NULL;
        status = snap_json_check_keys(volume, "file members", SNAP_VOLUMES_MEMBER, err);
        if (status == SNAP_OK)
            status = snap_json_field_string(volume, "file", SNAP_VOLUMES_MEMBER, &file, err);
        if (status == SNAP_OK)
            status = check_file(file, i, stem, &number, err);
        if (status == SNAP_OK)
            status =
                snap_json_field(volume, "members", JSON_ARRAY, SNAP_VOLUMES_MEMBER, &members, err);
        if (status == SNAP_OK)
            status = check_members(members, file, err);
    }
    if (status == SNAP_OK)
        *document = made;
    else
        json_decref(made);
    return status;
}

json_t *snap_volumes_new(void)
{
    return json_pack("{s:s, s:[]}", "format", FORMAT, "volumes");
}

enum snap_status snap_volumes_add(json_t *document, const char *file, json_t *members,
                                  struct snap_error *err)
{
    json_t *volume = members == NULL ? NULL : json_pack("{s:s, s:o}", "file", file, "members",
                                                        members);
    return snap_json_append(json_object_get(document, "volumes"), volume, err);
}

size_t snap_volumes_count(const json_t *document)
{
    return json_array_size(json_object_get(document, "volumes"));
}

static const json_t *volume_at(const json_t *document, size_t index)
{
    return json_array_get(json_object_get(document, "volumes"), index);
}

const char *snap_volumes_file(const json_t *document, size_t index)
{
    return json_string_value(json_object_get(volume_at(document, index), "file"));
}

const json_t *snap_volumes_members(const json_t *document, size_t index)
{
    return json_object_get(volume_at(document, index), "members");
}

bool snap_volumes_has(const json_t *document, const char *file)
{
    for (size_t i = 0; i < snap_volumes_count(document); i++)
        if (strcmp(snap_volumes_file(document, i), file) == 0)
            return true;
    return false;
}
