/* SPDX-License-Identifier: Apache-2.0 */
/* An archive without the members that another one has, or that are not to be given away, and whole
 * again. */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <snapstate/keep.h>

#include "folder/archive_put.h"
#include "folder/thin.h"
#include "format/archive_fill.h"
#include "format/member_name.h"

/* The folder of a path, in new memory, and its last part. */
static char *split(const char *path, const char **leaf)
{
    const char *slash = strrchr(path, '/');
    *leaf = slash == NULL ? path : slash + 1;
    return slash == NULL   ? strdup(".")
           : slash == path ? strdup("/")
                           : strndup(path, (size_t)(slash - path));
}

/* To `output`, which must not be there, or in place. */
static enum snap_status rewrite(const char *path, const char *output,
                                struct snap_archive_plan *plan, uint64_t volume_size,
                                struct snap_pool *pool, struct snap_error *left_over,
                                struct snap_error *err)
{
    const struct snap_archive_put_options options = {
        .put = {.mode = output != NULL ? SNAP_PUT_CREATE : SNAP_PUT_REPLACE, .pool = pool},
        .volume_size = volume_size,
        .left_over = left_over};
    return snap_archive_put_at(output != NULL ? output : path, plan, &options, err);
}

/* ---- what is withheld ---- */

struct choice {
    const struct snap_thin_options *options;
    struct snap_archive *base;
};

static bool is_in(const struct snap_archive *base, const struct snap_member *member)
{
    const struct snap_member *there = snap_archive_find(base, member->name);
    return there != NULL && !there->withheld && there->data_size == member->data_size &&
           memcmp(there->sha256, member->sha256, SNAP_DIGEST_BYTES) == 0;
}

bool snap_thin_withholds(const struct snap_archive *base, const struct snap_member *member)
{
    if (member->kind != SNAP_MEMBER_TENSOR)
        return false;
    if (is_in(base, member))
        return true;
    /* Under another name: a tensor that was renamed, or is another's copy. */
    for (size_t i = 0; i < snap_archive_member_count(base); i++) {
        const struct snap_member *there = snap_archive_member(base, i);
        if (!there->withheld && there->data_size == member->data_size &&
            memcmp(there->sha256, member->sha256, SNAP_DIGEST_BYTES) == 0)
            return true;
    }
    return false;
}

static bool is_dropped(const char *drop, const struct snap_member *member)
{
    size_t length = strlen(drop);
    const char *name = member->name;
    if (member->kind == SNAP_MEMBER_TENSOR)
        name += strlen("tensors/");
    else if (member->kind != SNAP_MEMBER_STREAM && member->kind != SNAP_MEMBER_EXTRA)
        return false;
    return strncmp(name, drop, length) == 0 && name[length] == '/';
}

static bool withhold(const void *arg, const struct snap_member *member)
{
    const struct choice *choice = arg;
    return choice->base != NULL ? snap_thin_withholds(choice->base, member)
                                : is_dropped(choice->options->drop, member);
}

/* ---- thin ---- */

static bool same_folder(const char *left, const char *right)
{
    const char *leaf;
    char *a = split(left, &leaf);
    char *b = split(right, &leaf);
    struct stat one;
    struct stat other;
    bool same = a != NULL && b != NULL && stat(a, &one) == 0 && stat(b, &other) == 0 &&
                one.st_dev == other.st_dev && one.st_ino == other.st_ino;
    free(a);
    free(b);
    return same;
}

static enum snap_status check_options(const char *path, const struct snap_thin_options *options,
                                      struct snap_error *err)
{
    if (path == NULL || options == NULL || options->size_bytes != sizeof *options)
        return snap_error_set(err, SNAP_INVALID,
                              "thin: no path, or options that are not SNAP_THIN_OPTIONS_INIT");
    if ((options->base == NULL) == (options->drop == NULL))
        return snap_error_set(err, SNAP_INVALID,
                              "thin: either a base or what is to be dropped must be named");
    if (options->drop != NULL && options->output == NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "thin: what is dropped is gone for good, so that a file to write to "
                              "must be named, and the archive stays");
    if (options->base != NULL && options->output == NULL && !same_folder(path, options->base))
        return snap_error_set(err, SNAP_INVALID,
                              "thin: the base is in another folder, where nobody would look for "
                              "what is withheld; name a file to write to");
    return SNAP_OK;
}

static enum snap_status open_base(const struct snap_archive *archive, const char *path,
                                  struct choice *choice, struct snap_error *err)
{
    enum snap_status status = snap_archive_open_alone(path, &choice->base, err);
    if (status == SNAP_OK &&
        strcmp(snap_archive_snapshot_hash(choice->base), snap_archive_snapshot_hash(archive)) == 0)
        status = snap_error_set(err, SNAP_INVALID,
                                "thin: %s is the same archive: it can be no base of itself", path);
    /* What is left to it must be there. */
    if (status == SNAP_OK)
        status = snap_archive_check(choice->base, choice->options->pool, err);
    return status;
}

static enum snap_status thin(const char *path, struct snap_archive *archive,
                             const struct choice *choice, size_t *withheld, uint64_t *bytes,
                             struct snap_error *err)
{
    const struct snap_thin_options *options = choice->options;
    struct snap_archive_plan *plan = NULL;
    size_t count = 0;
    uint64_t size = 0;
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->withheld || !withhold(choice, member))
            continue;
        count++;
        size += member->data_size;
    }
    if (count == 0)
        return snap_error_set(err, SNAP_NOT_FOUND, "%s: thin: no member of it %s", path,
                              options->base != NULL ? "is in the base" : "is dropped by that name");
    enum snap_status status = snap_archive_again(archive, withhold, choice, &plan, err);
    if (status == SNAP_OK)
        status = rewrite(path, options->output, plan, snap_archive_largest_volume(archive),
                         options->pool, options->left_over, err);
    snap_archive_plan_free(plan);
    if (status == SNAP_OK && withheld != NULL)
        *withheld = count;
    if (status == SNAP_OK && bytes != NULL)
        *bytes = size;
    return status;
}

enum snap_status snap_thin(const char *path, const struct snap_thin_options *options,
                           size_t *withheld, uint64_t *bytes, struct snap_error *err)
{
    struct choice choice = {options, NULL};
    struct snap_archive *archive = NULL;
    enum snap_status status = check_options(path, options, err);
    if (status == SNAP_OK)
        status = snap_archive_open(path, &archive, err);
    if (status == SNAP_OK && options->base != NULL)
        status = open_base(archive, options->base, &choice, err);
    if (status == SNAP_OK)
        status = thin(path, archive, &choice, withheld, bytes, err);
    snap_archive_close(choice.base);
    snap_archive_close(archive);
    return status;
}

/* ---- pack ---- */

static enum snap_status check_absent(const struct snap_archive *archive, const char *path,
                                     struct snap_error *err)
{
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (snap_member_is_absent(member) && member->volume != NULL)
            return snap_error_set(err, SNAP_ABSENT,
                                  "%s: pack: member %s: its volume %s is not there, and nobody "
                                  "else has it (%zu members are absent)",
                                  path, member->name, member->volume,
                                  snap_archive_absent_count(archive));
        if (snap_member_is_absent(member))
            return snap_error_set(err, SNAP_ABSENT,
                                  "%s: pack: member %s: nobody has it (%zu members are absent)",
                                  path, member->name, snap_archive_absent_count(archive));
    }
    return SNAP_OK;
}

/* Is the archive cut as it would be now? */
static bool is_cut_so(const struct snap_archive *archive, size_t needed, uint64_t volume_size)
{
    return snap_archive_volume_count(archive) == needed &&
           snap_archive_volumes_fit(archive, volume_size);
}

enum snap_status snap_pack(const char *path, const struct snap_pack_options *options, size_t *taken,
                           size_t *volumes, struct snap_error *err)
{
    struct snap_pack_options none = SNAP_PACK_OPTIONS_INIT;
    struct snap_archive *archive = NULL;
    struct snap_archive *base = NULL;
    struct snap_archive_plan *plan = NULL;
    if (options == NULL)
        options = &none;
    if (path == NULL || options->size_bytes != sizeof *options)
        return snap_error_set(err, SNAP_INVALID,
                              "pack: no path, or options that are not SNAP_PACK_OPTIONS_INIT");
    enum snap_status status = snap_archive_open_alone(path, &archive, err);
    if (status == SNAP_OK && options->base != NULL)
        status = snap_archive_open_alone(options->base, &base, err);
    if (status == SNAP_OK && base != NULL)
        snap_archive_fill_from(archive, base);
    if (status == SNAP_OK)
        status = snap_archive_fill(archive, err);
    if (status == SNAP_OK)
        status = check_absent(archive, path, err);
    size_t withheld = status == SNAP_OK ? snap_archive_withheld_count(archive) : 0;
    size_t needed = 0;
    if (status == SNAP_OK)
        status = snap_archive_again(archive, NULL, NULL, &plan, err);
    if (status == SNAP_OK)
        needed = snap_archive_plan_volumes_needed(plan, options->volume_size);
    if (status == SNAP_OK && (withheld > 0 || options->output != NULL ||
                              !is_cut_so(archive, needed, options->volume_size)))
        status = rewrite(path, options->output, plan, options->volume_size, options->pool,
                         options->left_over, err);
    if (status == SNAP_OK && volumes != NULL)
        *volumes = needed;
    if (status == SNAP_OK && taken != NULL)
        *taken = withheld;
    snap_archive_plan_free(plan);
    snap_archive_close(archive);
    snap_archive_close(base);
    return status;
}
