/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <snapstate/store.h>

#include "command.h"
#include "member_text.h"
#include "run_files.h"
#include "target.h"

struct list_arguments {
    const char *target;
};

/* ---- an archive: its members ---- */

static json_t *member_value(const struct snap_member *member)
{
    char digest[CMD_DIGEST_TEXT_BYTES];

    return json_pack("{s:b, s:s, s:s, s:s, s:o, s:o, s:b}", "in_state", member->in_state, "kind",
                     cmd_member_kind(member->kind), "name", member->name, "sha256",
                     cmd_digest_text(member->sha256, digest), "size",
                     cmd_json_uint(member->data_size), "volume",
                     member->volume ? json_string(member->volume) : json_null(), "withheld",
                     member->withheld);
}

static enum snap_status list_members(const char *path, struct cmd_report *report,
                                     struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    enum snap_status status = snap_archive_open(path, &archive, err);
    size_t count;
    json_t *members;

    if (status != SNAP_OK)
        return status;
    count = snap_archive_member_count(archive);
    if (report->json) {
        members = json_array();
        for (size_t i = 0; i < count; i++)
            if (json_array_append_new(members, member_value(snap_archive_member(archive, i))))
                status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its list", path);
        if (status == SNAP_OK)
            status = cmd_report_set(report,
                                    json_pack("{s:s, s:O, s:o}", "kind", "archive", "members",
                                              members, "target", cmd_json_text(path)),
                                    err);
        json_decref(members);
    } else {
        cmd_print_line("%14s  %-13s  %-8s  %s", "bytes", "kind", "", "member");
        for (size_t i = 0; i < count; i++) {
            const struct snap_member *member = snap_archive_member(archive, i);
            cmd_print_line("%14" PRIu64 "  %-13s  %-8s  %s%s%s", member->data_size,
                           cmd_member_kind(member->kind),
                           member->withheld ? "withheld" : member->in_state ? "state" : "",
                           member->name, member->volume ? "  in " : "",
                           member->volume ? member->volume : "");
        }
    }
    snap_archive_close(archive);
    return status;
}

/* ---- a run: its snapshots and capsules ---- */

struct row {
    const struct cmd_snapshot_file *file;
    struct snap_archive *archive; /* NULL: it cannot be opened, and `problem` says why */
    uint64_t size_bytes;
    bool is_latest;
    struct snap_error problem;
};

static enum snap_status open_row(const char *dir, struct row *row)
{
    char path[PATH_MAX];
    struct stat st;
    enum snap_status status = cmd_path_join(dir, row->file->name, path, &row->problem);

    if (status == SNAP_OK && stat(path, &st) == 0)
        row->size_bytes = (uint64_t)st.st_size;
    if (status == SNAP_OK)
        status = snap_archive_open(path, &row->archive, &row->problem);
    if (status == SNAP_OK) { /* with its volumes */
        uint64_t size;
        row->size_bytes = 0;
        for (size_t i = 0; snap_archive_file(row->archive, i, &size, NULL); i++)
            row->size_bytes += size;
    }
    /* A capsule is named by the step that failed after its own. */
    if (status == SNAP_OK &&
        snap_archive_step(row->archive) + row->file->capsule != row->file->step) {
        status = snap_error_set(&row->problem, SNAP_CORRUPT, "%s: it holds step %" PRIu64, path,
                                snap_archive_step(row->archive));
        snap_archive_close(row->archive);
        row->archive = NULL;
    }
    return status;
}

static void print_row(const struct row *row)
{
    char size[CMD_SIZE_TEXT_BYTES];
    size_t withheld;

    if (row->archive == NULL) {
        cmd_print_line("%10" PRIu64 "  %-8s  %10s  %s", row->file->step,
                       row->file->capsule ? "capsule" : "snapshot",
                       cmd_size_text(row->size_bytes, size), "damaged");
        return;
    }
    withheld = snap_archive_withheld_count(row->archive);
    if (withheld)
        cmd_print_line("%10" PRIu64 "  %-8s  %10s  %s  %s(%zu withheld)", row->file->step,
                       snap_archive_kind(row->archive), cmd_size_text(row->size_bytes, size),
                       snap_archive_snapshot_hash(row->archive), row->is_latest ? "latest " : "",
                       withheld);
    else
        cmd_print_line("%10" PRIu64 "  %-8s  %10s  %s%s", row->file->step,
                       snap_archive_kind(row->archive), cmd_size_text(row->size_bytes, size),
                       snap_archive_snapshot_hash(row->archive),
                       row->is_latest ? "  latest" : "");
}

static json_t *row_value(const struct row *row)
{
    const struct snap_archive *archive = row->archive;

    return json_pack(
        "{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "bytes", cmd_json_uint(row->size_bytes),
        "file", row->file->name, "kind", row->file->capsule ? "capsule" : "snapshot", "problem",
        archive ? json_null() : cmd_json_text(row->problem.text), "run_hash",
        archive ? json_string(snap_archive_run_hash(archive)) : json_null(), "snapshot_hash",
        archive ? json_string(snap_archive_snapshot_hash(archive)) : json_null(), "state_hash",
        archive ? json_string(snap_archive_state_hash(archive)) : json_null(), "step",
        cmd_json_uint(row->file->step), "withheld",
        archive ? cmd_json_uint(snap_archive_withheld_count(archive)) : json_null());
}

static enum snap_status list_files(const char *dir, const struct cmd_snapshot_file *files,
                                   size_t count, const struct cmd_latest *latest, json_t *rows,
                                   struct snap_error *err)
{
    enum snap_status first = SNAP_OK;

    for (size_t i = 0; i < count; i++) {
        struct row row = { .file = &files[i], .problem = SNAP_ERROR_INIT };
        enum snap_status status = open_row(dir, &row);
        row.is_latest = latest && strcmp(files[i].name, latest->file) == 0;
        if (status != SNAP_OK && first == SNAP_OK) {
            first = status;
            *err = row.problem;
        }
        if (rows == NULL)
            print_row(&row);
        else if (json_array_append_new(rows, row_value(&row)))
            first = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its list", dir);
        snap_archive_close(row.archive);
    }
    return first;
}

/* Every file is listed, before the first that is damaged, or a useless `latest`, is complained
 * of. */
static enum snap_status list_run(const char *dir, struct cmd_report *report,
                                 struct snap_error *err)
{
    struct snap_error latest_error = SNAP_ERROR_INIT;
    struct cmd_snapshot_file *files = NULL;
    struct cmd_latest latest;
    json_t *rows = NULL;
    size_t count = 0;
    enum snap_status latest_status, status = cmd_run_files(dir, &files, &count, err);

    if (status != SNAP_OK)
        return status;
    latest_status = cmd_run_latest(dir, &latest, &latest_error);
    if (report->json) {
        rows = json_array();
        if (rows == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its list", dir);
    } else if (count) {
        cmd_print_line("%10s  %-8s  %10s  %s", "step", "kind", "size", "snapshot hash");
    } else {
        cmd_print_line("no snapshot yet");
    }
    if (status != SNAP_OK) {
        free(files);
        return status;
    }
    status = list_files(dir, files, count, latest_status == SNAP_OK ? &latest : NULL, rows, err);
    if (status == SNAP_OK && latest_status != SNAP_OK && latest_status != SNAP_NOT_FOUND) {
        status = latest_status;
        *err = latest_error;
    }
    if (report->json) {
        enum snap_status told = cmd_report_set(
            report,
            json_pack("{s:s, s:o, s:O, s:o}", "kind", "run", "latest",
                      latest_status == SNAP_OK ? json_string(latest.file) : json_null(),
                      "snapshots", rows, "target", cmd_json_text(dir)),
            status == SNAP_OK ? err : NULL);
        status = status == SNAP_OK ? told : status;
    }
    json_decref(rows);
    free(files);
    return status;
}

/* ---- a store ---- */

static json_t *stored_value(const struct snap_stored *stored)
{
    return json_pack("{s:o, s:s, s:s, s:b, s:b, s:s, s:o}", "bytes", cmd_json_uint(stored->bytes),
                     "file", stored->file, "kind", stored->capsule ? "capsule" : "snapshot",
                     "latest", stored->is_latest, "partial", stored->partial, "snapshot_hash",
                     stored->snapshot_hash, "step", cmd_json_uint(stored->step));
}

static json_t *store_value(const char *target, const struct snap_stored_list *list)
{
    json_t *archives = json_array(), *uploads = json_array();
    bool failed = false;

    for (size_t i = 0; i < list->count; i++)
        failed = json_array_append_new(archives, stored_value(&list->archives[i])) || failed;
    for (size_t i = 0; i < list->upload_count; i++)
        failed = json_array_append_new(
                     uploads, json_pack("{s:o, s:o}", "bytes",
                                        cmd_json_uint(list->uploads[i].bytes), "file",
                                        cmd_json_text(list->uploads[i].file))) ||
                 failed;
    if (failed) {
        json_decref(archives);
        json_decref(uploads);
        return NULL;
    }
    if (list->uploads_unknown) {
        json_decref(uploads);
        uploads = json_null();
    }
    return json_pack("{s:o, s:s, s:o, s:o, s:o}", "archives", archives, "kind", "store", "run_id",
                     cmd_json_text(list->run_id), "target", cmd_json_text(target), "uploads",
                     uploads);
}

static void print_store(const struct snap_stored_list *list)
{
    char size[CMD_SIZE_TEXT_BYTES];

    if (list->count)
        cmd_print_line("%10s  %-8s  %10s  %s", "step", "kind", "size", "snapshot hash");
    else
        cmd_print_line("no snapshot yet");
    for (size_t i = 0; i < list->count; i++) {
        const struct snap_stored *stored = &list->archives[i];
        cmd_print_line("%10" PRIu64 "  %-8s  %10s  %s%s%s", stored->step,
                       stored->capsule ? "capsule" : "snapshot",
                       cmd_size_text(stored->bytes, size), stored->snapshot_hash,
                       stored->is_latest ? "  latest" : "",
                       stored->partial ? "  (members absent)" : "");
    }
    for (size_t i = 0; i < list->upload_count; i++)
        cmd_print_line("unfinished: %s, %s are there", list->uploads[i].file,
                       cmd_size_text(list->uploads[i].bytes, size));
    if (list->uploads_unknown)
        cmd_print_line("unfinished: not known, the server does not tell (it may be a right that is "
                       "missing)");
}

static enum snap_status list_store(const char *target, struct cmd_report *report,
                                   struct snap_error *err)
{
    struct snap_stored_list list = SNAP_STORED_LIST_INIT;
    enum snap_status status = snap_stored_list_read(target, &list, err);

    if (status != SNAP_OK)
        return status;
    if (report->json)
        status = cmd_report_set(report, store_value(target, &list), err);
    else
        print_store(&list);
    snap_stored_list_release(&list);
    return status;
}

static enum snap_status list(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct list_arguments *given = arguments;
    enum cmd_target kind;
    enum snap_status status =
        cmd_target_find(given->target, CMD_TARGET_ANY_ARCHIVE, &kind, err);

    if (status != SNAP_OK)
        return status;
    if (kind == CMD_TARGET_STORE)
        return list_store(given->target, report, err);
    return kind == CMD_TARGET_RUN ? list_run(given->target, report, err)
                                  : list_members(given->target, report, err);
}

static const struct cmd_option options[] = {
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN|ARCHIVE|STORE", offsetof(struct list_arguments, target), true },
    { .name = NULL },
};

const struct cmd_command cmd_list = {
    .name = "list",
    .summary = "list the snapshots of a run or store, or the members of an archive",
    .description = "List the snapshots and capsules of a run folder: step, size, snapshot hash, "
                   "how many members are withheld. Or of a store, with uploads that were broken "
                   "off. Or the members of an archive.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct list_arguments),
    .run = list,
};
