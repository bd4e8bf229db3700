/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hex.h"
#include "digest/sha256.h"
#include "folder/run_folder.h"
#include "format/json_canonical.h"
#include "format/volumes.h"
#include "ledger/ledger_line.h"
#include "verify/publication_internal.h"
#include "verify/verify_listing.h"

struct work {
    const struct snap_publication_options *options;
    struct snap_publication_names names; /* empty unless anonymous */
    struct snap_store *store;            /* the run */
    struct snap_ledger *ledger;
    uint64_t *steps; /* of its snapshots, ascending */
    size_t count;
    struct snap_store *given;  /* the new folder */
    int dirfd;                 /* of it */
    struct snap_buffer listed; /* lines of SHA256SUMS */
    struct snap_publication made;
};

/* ---- files of the new folder ---- */

static enum snap_status list_file(struct work *work, const char *name, struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    char hex[2 * SNAP_DIGEST_BYTES + 1];
    enum snap_status status = snap_listed_digest(work->dirfd, name, digest, err);
    if (status != SNAP_OK)
        return status;
    snap_hex_encode(digest, sizeof digest, hex);
    return snap_buffer_appendf(&work->listed, err, "%s  %s\n", hex, name);
}

static enum snap_status write_file(struct work *work, const char *name, const void *data,
                                   size_t size, struct snap_error *err)
{
    int fd;
    enum snap_status status =
        snap_file_open(work->dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0666, &fd, err);
    if (status != SNAP_OK)
        return status;
    status = snap_file_write(fd, data, size, name, err);
    if (status == SNAP_OK)
        status = snap_file_sync(fd, name, err);
    if (status != SNAP_OK) {
        close(fd); /* the first error is the one to tell */
        return status;
    }
    return snap_file_close(fd, name, err);
}

/* A text that goes out: it names nobody, is written, and listed. */
static enum snap_status give_text(struct work *work, const char *name, const void *data,
                                  size_t size, struct snap_error *err)
{
    enum snap_status status =
        snap_publication_names_check(&work->names, name, data, size, err);
    if (status == SNAP_OK)
        status = write_file(work, name, data, size, err);
    return status == SNAP_OK ? list_file(work, name, err) : status;
}

static enum snap_status make_folder(const struct work *work, const char *name,
                                    struct snap_error *err)
{
    if (mkdirat(work->dirfd, name, 0777) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making the folder", name);
    return SNAP_OK;
}

/* ---- one snapshot ---- */

static enum snap_status give_member(struct work *work, const struct snap_archive *archive,
                                    const char *folder, const char *name, struct snap_error *err)
{
    const struct snap_member *member = snap_archive_find(archive, name);
    char path[128];
    void *data = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    enum snap_status status = snap_archive_read_alloc(archive, member, SIZE_MAX, &data, err);
    if (status == SNAP_OK)
        status = give_text(work, path, data, (size_t)member->data_size, err);
    free(data);
    return status;
}

static enum snap_status give_listing(struct work *work, const struct snap_archive *archive,
                                     uint64_t step, struct snap_error *err)
{
    char folder[64];
    snprintf(folder, sizeof folder, "listings/step-%010" PRIu64, step);
    enum snap_status status = make_folder(work, folder, err);
    if (status == SNAP_OK)
        status = give_member(work, archive, folder, "SHA256SUMS", err);
    if (status == SNAP_OK)
        status = give_member(work, archive, folder, "STATE", err);
    if (status == SNAP_OK)
        status = give_member(work, archive, folder, "manifest.json", err);
    work->made.listings += status == SNAP_OK;
    return status;
}

/* What is always in an archive, or decides the next step: the names are looked for in it. Its
 * ledger lines are in the ledger, too. */
static enum snap_status check_documents(const struct work *work, const struct snap_archive *archive,
                                        const char *name, struct snap_error *err)
{
    static const char *const documents[] = { "state.json", "data.json" };
    char where[128];
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < sizeof documents / sizeof documents[0]; i++) {
        const char *text = snap_archive_json(archive, documents[i]);
        snprintf(where, sizeof where, "%s of %s", documents[i], name);
        status = snap_publication_names_check(&work->names, where, text, strlen(text), err);
    }
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        void *data = NULL;
        if (member->kind != SNAP_MEMBER_EXTRA || !member->in_state || member->withheld ||
            !work->options->anonymous)
            continue;
        snprintf(where, sizeof where, "%.60s of %s", member->name, name);
        status = snap_archive_read_alloc(archive, member, SIZE_MAX, &data, err);
        if (status == SNAP_OK)
            status = snap_publication_names_check(&work->names, where, data,
                                                  (size_t)member->data_size, err);
        free(data);
    }
    return status;
}

/* A root that is nowhere is a mistake in the name, and would go out. */
static enum snap_status check_withhold(const struct work *work, const struct snap_archive *archive,
                                       const char *name, struct snap_error *err)
{
    size_t found = work->options->withhold == NULL;
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        found += member->kind == SNAP_MEMBER_TENSOR &&
                 snap_publication_withholds(work->options, member);
    }
    if (found == 0)
        return snap_error_set(err, SNAP_INVALID,
                              "publish: %s has no tensors of \"%s\" to withhold", name,
                              work->options->withhold);
    return SNAP_OK;
}

static enum snap_status give_archive(struct work *work, const struct snap_archive *archive,
                                     const char *name, struct snap_error *err)
{
    struct snap_archive_plan *plan = NULL;
    enum snap_status status = check_documents(work, archive, name, err);
    if (status == SNAP_OK)
        status = check_withhold(work, archive, name, err);
    if (status == SNAP_OK)
        status = snap_publication_copy(archive, work->given, name, work->options,
                                       &work->made.withheld, &plan, err);
    if (status == SNAP_OK)
        status = list_file(work, name, err);
    work->made.volumes = status == SNAP_OK ? snap_archive_plan_volume_count(plan) : 0;
    for (size_t i = 0; status == SNAP_OK && i < work->made.volumes; i++) {
        struct snap_content content;
        char volume[SNAP_VOLUME_NAME_BYTES + sizeof "snapshots/"];
        snprintf(volume, sizeof volume, "snapshots/%s",
                 snap_archive_plan_volume(plan, i, &content));
        status = list_file(work, volume, err);
    }
    snap_archive_plan_free(plan);
    work->made.archives += status == SNAP_OK;
    return status;
}

/* Which are given: the last, and others evenly before it. */
static bool is_chosen(const struct work *work, size_t index)
{
    uint64_t wanted = work->options->snapshots;
    uint64_t count = work->count;
    if (wanted == 0 || wanted >= count || index + 1 == count)
        return true;
    /* Index i is the k-th from the end when it is count - 1 - floor(k count / wanted). */
    uint64_t back = count - 1 - index;
    uint64_t k = (back * wanted + count - 1) / count;
    return k < wanted && k * count / wanted == back;
}

static enum snap_status give_snapshot(struct work *work, size_t index, struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    snap_snapshot_name("snapshots", work->steps[index], name);
    enum snap_status status = snap_run_open_archive(work->store, name, &archive, err);
    if (status == SNAP_OK)
        status = give_listing(work, archive, work->steps[index], err);
    if (status == SNAP_OK && is_chosen(work, index))
        status = give_archive(work, archive, name, err);
    if (status == SNAP_OK && index + 1 == work->count) {
        struct snap_publication *made = &work->made;
        made->step = work->steps[index];
        snprintf(made->run_hash, sizeof made->run_hash, "%s", snap_archive_run_hash(archive));
        snprintf(made->snapshot_hash, sizeof made->snapshot_hash, "%s",
                 snap_archive_snapshot_hash(archive));
        snprintf(made->state_hash, sizeof made->state_hash, "%s", snap_archive_state_hash(archive));
    }
    snap_archive_close(archive);
    return status;
}

/* ---- ledger, config, latest ---- */

static enum snap_status give_ledger(struct work *work, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    size_t last, size;
    enum snap_status status = SNAP_OK;
    if (!snap_ledger_find(work->ledger, work->made.step, &last))
        return snap_error_set(err, SNAP_CORRUPT,
                              "publish: the ledger ends before the last snapshot, of step %" PRIu64,
                              work->made.step);
    for (size_t i = 0; status == SNAP_OK && i <= last; i++) {
        const char *line = snap_ledger_line(work->ledger, i, &size);
        status = snap_buffer_append(&text, line, size, err);
    }
    if (status == SNAP_OK)
        status = give_text(work, SNAP_LEDGER_FILE, text.data, text.size, err);
    snap_buffer_release(&text);
    return status;
}

static enum snap_status give_document(struct work *work, const char *name, json_t *document,
                                      struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = snap_json_encode(document, &text, err);
    json_decref(document);
    if (status == SNAP_OK)
        status = give_text(work, name, text.data, text.size, err);
    snap_buffer_release(&text);
    return status;
}

/* The part that decides bits. The other says where files are, and on whose machine. */
static enum snap_status give_config(struct work *work, struct snap_error *err)
{
    json_t *genesis = NULL;
    enum snap_status status = snap_ledger_document(work->ledger, 0, &genesis, err);
    json_t *training = json_object_get(json_object_get(genesis, "host"), "training");
    if (status == SNAP_OK)
        status = give_document(work, "config.json",
                               json_pack("{s:{}, s:O}", "running", "training", training), err);
    json_decref(genesis);
    return status;
}

static enum snap_status give_rest(struct work *work, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    snap_snapshot_name("snapshots", work->made.step, name);
    enum snap_status status = give_ledger(work, err);
    if (status == SNAP_OK)
        status = give_config(work, err);
    if (status == SNAP_OK)
        status = give_document(work, "latest",
                               json_pack("{s:s, s:s}", "file", name, "snapshot",
                                         work->made.snapshot_hash),
                               err);
    if (status == SNAP_OK)
        status = snap_publication_check_text(&work->made, work->options, &text, err);
    if (status == SNAP_OK)
        status = give_text(work, "CHECK.md", text.data, text.size, err);
    if (status == SNAP_OK)
        status = write_file(work, "SHA256SUMS", work->listed.data, work->listed.size, err);
    snap_buffer_release(&text);
    return status;
}

/* ---- the whole ---- */

/* *made: the folder was not there. */
static enum snap_status open_new(const char *dir, int *dirfd, bool *made, struct snap_error *err)
{
    struct dirent **entries = NULL;
    *made = mkdir(dir, 0777) == 0;
    if (!*made && errno != EEXIST)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making the folder", dir);
    int count = scandir(dir, &entries, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    if (count < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: reading the folder", dir);
    if (count > 2) /* . and .. */
        return snap_error_set(err, SNAP_INVALID,
                              "%s: is not empty; publish into a folder that is new", dir);
    return snap_file_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, dirfd, err);
}

/* Empty a folder of a publication: folders are two deep. What cannot be removed stays. `dirfd` is
 * closed. */
static void empty_folder(int dirfd, int deeper)
{
    DIR *stream = fdopendir(dirfd);
    const struct dirent *entry;
    if (stream == NULL) {
        close(dirfd); /* only read from */
        return;
    }
    while ((entry = readdir(stream)) != NULL) {
        const char *name = entry->d_name;
        int folder = -1;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(dirfd, name, 0) == 0)
            continue;
        if (deeper > 0)
            folder = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder >= 0)
            empty_folder(folder, deeper - 1);
        unlinkat(dirfd, name, AT_REMOVEDIR); /* else it stays */
    }
    closedir(stream); /* only read from */
}

void snap_publication_remove(const char *dir, bool folder_stays)
{
    int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd >= 0)
        empty_folder(dirfd, 2);
    if (!folder_stays)
        rmdir(dir); /* else it stays */
}

static enum snap_status open_run(struct work *work, const char *run, struct snap_error *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/" SNAP_LEDGER_FILE, run) >= (int)sizeof path)
        return snap_error_set(err, SNAP_INVALID, "%.100s...: the path is too long", run);
    enum snap_status status = snap_store_dir_open(run, false, &work->store, err);
    if (status == SNAP_OK)
        status = snap_snapshots_list(work->store, &work->steps, &work->count, err);
    if (status == SNAP_OK && work->count == 0)
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s: the run has no snapshot to publish", run);
    if (status == SNAP_OK)
        status = snap_ledger_open(path, &work->ledger, NULL, err);
    return status;
}

enum snap_status snap_publication_write(const char *run, const char *dir,
                                        const struct snap_publication_options *options,
                                        struct snap_publication *publication,
                                        struct snap_error *err)
{
    struct work work = { .options = options, .dirfd = -1, .made = SNAP_PUBLICATION_INIT };
    if (run == NULL || dir == NULL || options == NULL || publication == NULL ||
        options->size_bytes != sizeof *options || publication->size_bytes != sizeof *publication)
        return snap_error_set(err, SNAP_INVALID,
                              "publish: no folders, or options that are not "
                              "SNAP_PUBLICATION_OPTIONS_INIT");
    if (options->anonymous)
        snap_publication_names_find(&work.names);
    bool made = false;
    enum snap_status status = open_run(&work, run, err);
    if (status == SNAP_OK)
        status = open_new(dir, &work.dirfd, &made, err);
    if (status == SNAP_OK)
        status = snap_store_dir_open(dir, false, &work.given, err);
    if (status == SNAP_OK)
        status = make_folder(&work, "listings", err);
    if (status == SNAP_OK)
        status = make_folder(&work, "snapshots", err);
    for (size_t i = 0; status == SNAP_OK && i < work.count; i++)
        status = give_snapshot(&work, i, err);
    if (status == SNAP_OK)
        status = give_rest(&work, err);
    if (status == SNAP_OK)
        status = snap_folder_sync(work.dirfd, dir, err);
    if (status == SNAP_OK)
        *publication = work.made;
    if (work.dirfd >= 0 && status != SNAP_OK)
        empty_folder(work.dirfd, 2);
    else if (work.dirfd >= 0)
        close(work.dirfd); /* its files were synced and closed */
    if (made && status != SNAP_OK)
        rmdir(dir); /* else it stays, empty */
    snap_buffer_release(&work.listed);
    free(work.steps);
    snap_ledger_free(work.ledger);
    snap_store_close(work.given);
    snap_store_close(work.store);
    return status;
}
