/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/array.h"
#include "format/archive_fill.h"
#include "format/archive_object.h"
#include "format/member_name.h"

#define SUFFIX ".snap.tar"

bool snap_archive_is_stub(const struct snap_archive *archive)
{
    size_t withheld = 0;
    for (size_t i = 0; i < archive->member_count; i++) {
        const struct snap_member *member = &archive->members[i];
        if (member->kind == SNAP_MEMBER_LEDGER || !snap_member_may_be_withheld(member->kind))
            continue;
        if (!member->withheld)
            return false;
        withheld++;
    }
    return withheld > 0;
}

size_t snap_archive_absent_count(const struct snap_archive *archive)
{
    size_t count = 0;
    for (size_t i = 0; i < archive->member_count; i++)
        count += snap_member_is_absent(&archive->members[i]);
    return count;
}

/* ---- what another archive has ---- */

/* A digest, and who has it; sorted by digest. */
struct entry {
    const struct snap_member *member;
};

static int compare_entries(const void *left, const void *right)
{
    const struct snap_member *a = ((const struct entry *)left)->member;
    const struct snap_member *b = ((const struct entry *)right)->member;
    int order = memcmp(a->sha256, b->sha256, SNAP_DIGEST_BYTES);
    if (order == 0 && a->data_size != b->data_size)
        order = a->data_size < b->data_size ? -1 : 1;
    return order;
}

/* The members in the file of `other`, by digest; NULL: memory is out. */
static struct entry *make_index(const struct snap_archive *other, size_t *count)
{
    struct entry *entries = calloc(other->member_count, sizeof *entries);
    *count = 0;
    for (size_t i = 0; entries != NULL && i < other->member_count; i++)
        if (!other->members[i].withheld)
            entries[(*count)++].member = &other->members[i];
    if (entries != NULL)
        qsort(entries, *count, sizeof *entries, compare_entries);
    return entries;
}

/* How many more can be read now. Without memory for an index none is found. */
static size_t take_from(struct snap_archive *archive, struct snap_archive *other)
{
    size_t count;
    size_t taken = 0;
    struct entry *entries = make_index(other, &count);
    for (size_t i = 0; entries != NULL && i < archive->member_count; i++) {
        struct snap_member *member = &archive->members[i];
        const struct entry wanted = {member};
        if (!snap_member_is_absent(member))
            continue;
        const struct entry *found =
            bsearch(&wanted, entries, count, sizeof *entries, compare_entries);
        if (found == NULL)
            continue;
        archive->filled[i] = (struct snap_archive_filling) {other, found->member};
        member->elsewhere = true;
        taken++;
    }
    free(entries);
    return taken;
}

static bool get_fillings(struct snap_archive *archive)
{
    if (archive->filled == NULL)
        archive->filled = calloc(archive->member_count, sizeof *archive->filled);
    return archive->filled != NULL;
}

void snap_archive_fill_from(struct snap_archive *archive, struct snap_archive *other)
{
    if (archive->withheld_count > 0 && get_fillings(archive))
        take_from(archive, other);
}

/* ---- the files beside it ---- */

struct names {
    char **items;
    size_t count;
};

static int descending(const void *left, const void *right)
{
    return strcmp(*(char *const *)right, *(char *const *)left);
}

/* Names end in the suffix, and are not `own`; the last first. */
static enum snap_status list_siblings(const char *folder, const char *own, struct names *names,
                                      struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    const struct dirent *entry;
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return SNAP_OK; /* nothing can be found there */
    while (status == SNAP_OK && names->count < SNAP_MAX_SIBLINGS &&
           (entry = readdir(stream)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || length <= strlen(SUFFIX) ||
            strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) != 0 ||
            strcmp(entry->d_name, own) == 0)
            continue;
        char **items = snap_array_grow(names->items, names->count, sizeof *items);
        char *copy = strdup(entry->d_name);
        if (items != NULL)
            names->items = items;
        if (items == NULL || copy == NULL) {
            free(copy);
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: listing: out of memory", folder);
        } else {
            names->items[names->count++] = copy;
        }
    }
    closedir(stream);
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, descending);
    return status;
}

void snap_siblings_release(struct snap_siblings *siblings)
{
    for (size_t i = 0; i < siblings->count; i++)
        free(siblings->paths[i]);
    free(siblings->paths);
    *siblings = (struct snap_siblings) {NULL, 0};
}

/* "FOLDER/NAME" in new memory, or NULL. */
static char *join(const char *folder, const char *name)
{
    size_t length = strlen(folder) + strlen(name) + 2;
    char *path = malloc(length);
    if (path != NULL)
        snprintf(path, length, "%s/%s", folder, name);
    return path;
}

enum snap_status snap_siblings_list(const char *path, struct snap_siblings *siblings,
                                    struct snap_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *own = slash == NULL ? path : slash + 1;
    struct names names = {NULL, 0};
    struct snap_siblings made = {NULL, 0};
    size_t before = 0;
    char *folder = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));
    enum snap_status status = SNAP_OK;
    if (folder == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", path);
    if (status == SNAP_OK)
        status = list_siblings(folder, own, &names, err);
    while (before < names.count && strcmp(names.items[before], own) > 0)
        before++;
    made.paths = calloc(names.count + 1, sizeof *made.paths);
    if (status == SNAP_OK && made.paths == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", path);
    /* Those before its own name, then those after. */
    for (size_t i = 0; status == SNAP_OK && i < names.count; i++) {
        size_t at = i + before < names.count ? i + before : i + before - names.count;
        made.paths[made.count] = join(folder, names.items[at]);
        if (made.paths[made.count] == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", path);
        else
            made.count++;
    }
    for (size_t i = 0; i < names.count; i++)
        free(names.items[i]);
    free(names.items);
    free(folder);
    if (status == SNAP_OK)
        *siblings = made;
    else
        snap_siblings_release(&made);
    return status;
}

/* Keep the sibling when it has something. */
static enum snap_status try_sibling(struct snap_archive *archive, const char *path,
                                    struct snap_error *err)
{
    struct snap_archive *other = NULL;
    enum snap_status status = snap_archive_open_alone(path, &other, NULL);
    if (status != SNAP_OK)
        return status == SNAP_NO_MEMORY
                   ? snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label)
                   : SNAP_OK;
    if (take_from(archive, other) == 0) {
        snap_archive_close(other);
        return SNAP_OK;
    }
    struct snap_archive **fillers =
        snap_array_grow(archive->fillers, archive->filler_count, sizeof *fillers);
    if (fillers != NULL)
        archive->fillers = fillers;
    const char **names =
        snap_array_grow(archive->filler_names, archive->filler_count, sizeof *names);
    if (names != NULL)
        archive->filler_names = names;
    if (fillers == NULL || names == NULL) {
        snap_archive_unfill(archive, other);
        snap_archive_close(other);
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    }
    archive->filler_names[archive->filler_count] = strrchr(other->label, '/') + 1;
    archive->fillers[archive->filler_count++] = other;
    return SNAP_OK;
}

void snap_archive_unfill(struct snap_archive *archive, const struct snap_archive *other)
{
    for (size_t i = 0; archive->filled != NULL && i < archive->member_count; i++)
        if (archive->filled[i].archive == other && other != NULL) {
            archive->filled[i].archive = NULL;
            archive->members[i].elsewhere = false;
        }
}

enum snap_status snap_archive_fill(struct snap_archive *archive, struct snap_error *err)
{
    struct snap_siblings siblings = {NULL, 0};
    if (archive->withheld_count == 0 || snap_archive_is_stub(archive))
        return SNAP_OK;
    if (!get_fillings(archive))
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    enum snap_status status = snap_siblings_list(archive->label, &siblings, err);
    for (size_t i = 0; status == SNAP_OK && i < siblings.count; i++) {
        if (snap_archive_absent_count(archive) == 0)
            break;
        status = try_sibling(archive, siblings.paths[i], err);
    }
    snap_siblings_release(&siblings);
    return status;
}

enum snap_status snap_archive_fill_and_give(struct snap_archive *made,
                                            struct snap_archive **archive,
                                            struct snap_error *err)
{
    enum snap_status status = snap_archive_fill(made, err);
    if (status == SNAP_OK)
        *archive = made;
    else
        snap_archive_close(made);
    return status;
}

const struct snap_source *snap_archive_source(const struct snap_archive *archive,
                                              const struct snap_member *member)
{
    return &snap_archive_file_of(archive, member)->source;
}

const char *const *snap_archive_filled_by(const struct snap_archive *archive, size_t *count)
{
    *count = archive->filler_count;
    return archive->filler_names;
}

/* ---- again ---- */

enum snap_status
snap_archive_again(const struct snap_archive *archive,
                   bool (*withhold)(const void *arg, const struct snap_member *member),
                   const void *arg, struct snap_archive_plan **plan, struct snap_error *err)
{
    struct snap_manifest manifest = archive->manifest;
    size_t count = 0;
    struct snap_write_member *members = calloc(archive->member_count, sizeof *members);
    if (members == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    manifest.members = NULL;
    manifest.member_count = 0;
    for (size_t i = 0; i < archive->member_count; i++) {
        const struct snap_member *member = &archive->members[i];
        const struct snap_member *content = member;
        const struct snap_archive *holder = archive;
        if (member->kind == SNAP_MEMBER_README || member->kind == SNAP_MEMBER_MANIFEST ||
            member->kind == SNAP_MEMBER_STATE_LISTING || member->kind == SNAP_MEMBER_LISTING)
            continue;
        if (member->elsewhere) {
            holder = archive->filled[i].archive;
            content = archive->filled[i].member;
        }
        struct snap_write_member *made = &members[count++];
        *made = (struct snap_write_member) {.name = member->name,
                                            .size = member->data_size,
                                            .in_state = member->in_state,
                                            .digest_known = true};
        memcpy(made->sha256, member->sha256, SNAP_DIGEST_BYTES);
        made->withheld = snap_member_is_absent(member) ||
                         (withhold != NULL && snap_member_may_be_withheld(member->kind) &&
                          withhold(arg, member));
        if (!made->withheld) {
            made->source = snap_archive_source(holder, content);
            made->source_offset = content->data_offset;
        }
    }
    enum snap_status status = snap_archive_plan_new(&manifest, members, count, plan, err);
    if (status == SNAP_OK)
        snap_archive_plan_expect(*plan, archive->snapshot_hash);
    free(members);
    return status;
}
