/* SPDX-License-Identifier: Apache-2.0 */
/* The volumes of an archive that is open. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "format/archive_object.h"
#include "format/archive_read.h"
#include "format/volumes.h"

static enum snap_status out_of_memory(const struct snap_archive *archive, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
}

/* "FOLDER/NAME" in new memory, FOLDER that of the archive; NULL: memory is out. */
static char *beside(const struct snap_archive *archive, const char *name)
{
    const char *slash = strrchr(archive->label, '/');
    size_t folder = slash == NULL ? 0 : (size_t)(slash + 1 - archive->label);
    size_t bytes = folder + strlen(name) + 1;
    char *path = malloc(bytes);
    if (path != NULL)
        snprintf(path, bytes, "%.*s%s", (int)folder, archive->label, name);
    return path;
}

/* Open the file; one that is not there leaves fd at -1. */
static enum snap_status open_volume(const struct snap_archive *archive,
                                    struct snap_archive_volume *volume, struct snap_error *err)
{
    struct snap_archive_file *file = &volume->file;
    struct stat info;
    if (archive->file.source.ranges != NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: is cut into volumes, which are read from a folder alone: "
                              "pack it into one file, or push it, which does",
                              archive->label);
    volume->label = beside(archive, volume->name);
    if (volume->label == NULL)
        return out_of_memory(archive, err);
    file->source.what = volume->label;
    int fd;
    enum snap_status status =
        snap_file_open(AT_FDCWD, volume->label, O_RDONLY | O_NONBLOCK, 0, &fd, err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status != SNAP_OK)
        return status;
    file->source.fd = fd;
    if (fstat(fd, &info) != 0)
        return snap_error_set(err, SNAP_IO, "%s: looking at it failed", volume->label);
    if (!S_ISREG(info.st_mode))
        return snap_error_set(err, SNAP_IO, "%s: is not a regular file", volume->label);
    file->size = (uint64_t)info.st_size;
    return SNAP_OK;
}

/* The members that the document gives to volume `index`, into `places`, which has room for all:
 * tensors that are not in the archive's own file, each after those before it. */
static enum snap_status take_members(struct snap_archive *archive, size_t index, size_t *next,
                                     size_t *places, struct snap_error *err)
{
    const json_t *members = snap_volumes_members(archive->volumes_document, index);
    for (size_t i = 0; i < json_array_size(members); i++) {
        const char *name = json_string_value(json_array_get(members, i));
        const json_t *place = json_object_get(archive->places, name);
        size_t at = place != NULL ? (size_t)json_integer_value(place) : 0;
        if (place == NULL || at < *next || archive->members[at].kind != SNAP_MEMBER_TENSOR ||
            !archive->members[at].withheld)
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: member " SNAP_VOLUMES_MEMBER ": %s: \"%.100s\" is no tensor "
                                  "that is to be there, in this order",
                                  archive->label, archive->volumes[index].name, name);
        archive->members[at].volume = archive->volumes[index].name;
        archive->volume_of[at] = (uint16_t)(index + 1);
        places[i] = at;
        *next = at + 1;
    }
    return SNAP_OK;
}

enum snap_status snap_archive_volumes_open(struct snap_archive *archive, struct snap_error *err)
{
    size_t count = snap_volumes_count(archive->volumes_document);
    size_t next = 0;
    enum snap_status status = SNAP_OK;
    archive->volume_of = calloc(archive->member_count, sizeof *archive->volume_of);
    archive->volumes = calloc(count + 1, sizeof *archive->volumes);
    size_t *places = calloc(archive->member_count, sizeof *places);
    if (archive->volume_of == NULL || archive->volumes == NULL || places == NULL)
        status = out_of_memory(archive, err);
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        struct snap_archive_volume *volume = &archive->volumes[i];
        volume->name = snap_volumes_file(archive->volumes_document, i);
        volume->file.source.fd = -1;
        archive->volume_count++;
        status = take_members(archive, i, &next, places, err);
        if (status == SNAP_OK)
            status = open_volume(archive, volume, err);
        if (status == SNAP_OK && volume->file.source.fd >= 0)
            status = snap_archive_walk_volume(
                archive, &volume->file, places,
                json_array_size(snap_volumes_members(archive->volumes_document, i)), err);
    }
    for (size_t i = 0; status == SNAP_OK && i < archive->member_count; i++)
        archive->withheld_count += archive->members[i].withheld;
    free(places);
    return status;
}

void snap_archive_volumes_close(struct snap_archive *archive)
{
    for (size_t i = 0; i < archive->volume_count; i++) {
        if (archive->volumes[i].file.source.fd >= 0)
            close(archive->volumes[i].file.source.fd); /* only read: nothing can be lost */
        free(archive->volumes[i].label);
    }
    free(archive->volumes);
    free(archive->volume_of);
}

bool snap_archive_was_replaced(const struct snap_archive *archive)
{
    struct stat opened;
    struct stat named;
    bool missing = false;
    for (size_t i = 0; i < archive->volume_count; i++)
        missing = missing || archive->volumes[i].file.source.fd < 0;
    return missing && fstat(archive->file.source.fd, &opened) == 0 &&
           stat(archive->label, &named) == 0 &&
           (opened.st_ino != named.st_ino || opened.st_dev != named.st_dev);
}

const struct snap_archive_file *snap_archive_file_of(const struct snap_archive *archive,
                                                     const struct snap_member *member)
{
    size_t volume = archive->volume_of[member - archive->members];
    return volume == 0 ? &archive->file : &archive->volumes[volume - 1].file;
}

size_t snap_archive_volume_count(const struct snap_archive *archive)
{
    return archive->volume_count;
}

const char *snap_archive_volume(const struct snap_archive *archive, size_t index, bool *present)
{
    if (index >= archive->volume_count)
        return NULL;
    if (present != NULL)
        *present = archive->volumes[index].file.source.fd >= 0;
    return archive->volumes[index].name;
}

size_t snap_archive_file_count(const struct snap_archive *archive)
{
    return archive->volume_count + 1;
}

const char *snap_archive_file(const struct snap_archive *archive, size_t index, uint64_t *size,
                              bool *present)
{
    if (index > archive->volume_count)
        return NULL;
    const struct snap_archive_file *file =
        index == archive->volume_count ? &archive->file : &archive->volumes[index].file;
    const char *slash = strrchr(file->source.what, '/');
    if (size != NULL)
        *size = file->size;
    if (present != NULL)
        *present = file->source.fd >= 0 || file->source.ranges != NULL;
    return slash == NULL ? file->source.what : slash + 1;
}

uint64_t snap_archive_largest_volume(const struct snap_archive *archive)
{
    uint64_t largest = 0;
    for (size_t i = 0; i < archive->volume_count; i++)
        if (archive->volumes[i].file.size > largest)
            largest = archive->volumes[i].file.size;
    return largest;
}

bool snap_archive_volumes_fit(const struct snap_archive *archive, uint64_t volume_size)
{
    for (size_t i = 0; i < archive->volume_count; i++)
        if (archive->volumes[i].file.size > volume_size &&
            json_array_size(snap_volumes_members(archive->volumes_document, i)) > 1)
            return false;
    return true;
}
