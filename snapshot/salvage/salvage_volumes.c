/* SPDX-License-Identifier: Apache-2.0 */
/* The volumes of an archive that is being rescued. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/array.h"
#include "core/file.h"
#include "format/volumes.h"
#include "salvage/salvage_pieces.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "salvage: out of memory");
}

static void volume_free(struct snap_salvage_volume *volume)
{
    if (volume->file.fd >= 0)
        close(volume->file.fd); /* only read: nothing can be lost */
    snap_scan_release(&volume->scan);
    free(volume->path);
    free(volume);
}

void snap_salvage_volumes_release(struct snap_salvage_job *job)
{
    for (size_t i = 0; i < job->volume_count; i++)
        volume_free(job->volumes[i]);
    free(job->volumes);
}

/* Look through one; `path` is consumed. What cannot be opened is lost. */
static enum snap_status take_volume(struct snap_salvage_job *job, char *path,
                                    struct snap_error *err)
{
    struct snap_salvage_volume *volume = calloc(1, sizeof *volume);
    struct snap_salvage_volume **grown =
        snap_array_grow(job->volumes, job->volume_count, sizeof *job->volumes);
    int fd;
    if (grown != NULL)
        job->volumes = grown;
    if (volume == NULL || grown == NULL) {
        free(volume);
        free(path);
        return no_memory(err);
    }
    volume->path = path;
    volume->file = (struct snap_source){ .fd = -1, .what = path };
    job->volumes[job->volume_count++] = volume;
    if (snap_file_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, &fd, NULL) != SNAP_OK)
        return SNAP_OK;
    volume->file.fd = fd;
    enum snap_status status = snap_scan_members(fd, path, &volume->scan, err);
    return status == SNAP_OK ? snap_salvage_here(job, &volume->file, &volume->scan, err) : status;
}

enum snap_status snap_salvage_volumes(struct snap_salvage_job *job, struct snap_error *err)
{
    const char *slash = strrchr(job->path, '/');
    int before = slash == NULL ? 0 : (int)(slash + 1 - job->path);
    char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    char own[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    char *folder = NULL;
    struct dirent **entries = NULL;
    unsigned number;
    enum snap_status status = SNAP_OK;
    if (!snap_volume_stem(job->path + before, stem))
        return SNAP_OK;
    if (asprintf(&folder, "%.*s", before, job->path) < 0)
        return no_memory(err);
    int count = scandir(before > 0 ? folder : ".", &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char *path = NULL;
        if (status == SNAP_OK && snap_volume_name_parse(name, own, &number) &&
            strcmp(own, stem) == 0)
            status = asprintf(&path, "%s%s", folder, name) < 0 ? no_memory(err)
                                                               : take_volume(job, path, err);
        free(entries[i]);
    }
    free(entries);
    free(folder);
    return status;
}
