/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <snapstate/archive.h>

#include "command.h"
#include "run_files.h"
#include "target.h"

struct prove_arguments {
    const char *archive;
    const char *member;
    const char *output;
    bool state;
};

/* Folders in the member's name, inside `dir`. */
static enum snap_status make_folders(const char *dir, const char *name, struct snap_error *err)
{
    char path[PATH_MAX], part[PATH_MAX];
    const char *slash = name;
    enum snap_status status = SNAP_OK;

    while (status == SNAP_OK && (slash = strchr(slash, '/')) != NULL) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
        status = cmd_path_join(dir, part, path, err);
        if (status == SNAP_OK && mkdir(path, 0777) != 0 && errno != EEXIST)
            status = snap_error_set_os(err, SNAP_IO, errno, "%s: making the folder", path);
        slash++;
    }
    return status;
}

/* Write a member, its digest compared, as a new file of `dir`. */
static enum snap_status write_member(const struct snap_archive *archive,
                                     const struct snap_member *member, const char *dir,
                                     struct snap_error *err)
{
    char path[PATH_MAX];
    void *data = malloc(member->data_size ? (size_t)member->data_size : 1);
    FILE *file = NULL;
    enum snap_status status = SNAP_OK;

    if (data == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its %" PRIu64 " bytes",
                              member->name, member->data_size);
    status = snap_archive_read(archive, member, data, err);
    if (status == SNAP_OK)
        status = cmd_path_join(dir, member->name, path, err);
    if (status == SNAP_OK)
        status = make_folders(dir, member->name, err);
    if (status == SNAP_OK) {
        file = fopen(path, "wxe");
        if (file == NULL)
            status = snap_error_set_os(err, SNAP_IO, errno, "%s: making it", path);
    }
    if (status == SNAP_OK && fwrite(data, 1, (size_t)member->data_size, file) != member->data_size)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: writing it", path);
    if (file && fclose(file) != 0 && status == SNAP_OK)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: writing it", path);
    free(data);
    return status;
}

/* The listing that goes with the member. */
static enum snap_status find_members(const struct prove_arguments *given,
                                     const struct snap_archive *archive,
                                     const struct snap_member **member,
                                     const struct snap_member **listing, struct snap_error *err)
{
    *member = snap_archive_find(archive, given->member);
    *listing = snap_archive_find(archive, given->state ? "STATE" : "SHA256SUMS");
    if (*member == NULL)
        return snap_error_set(err, SNAP_NOT_FOUND, "%s: it has no member %s", given->archive,
                              given->member);
    if ((*member)->kind == SNAP_MEMBER_LISTING)
        return snap_error_set(err, SNAP_INVALID,
                              "SHA256SUMS: the snapshot hash is its own SHA-256: nothing is to be "
                              "proven");
    if (given->state && !(*member)->in_state)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: it is not in STATE, and a state hash says nothing of it",
                              given->member);
    return SNAP_OK;
}

static void print_result(const struct prove_arguments *given, const struct snap_member *listing,
                         const char *hash)
{
    cmd_print_field("folder", "%s", given->output);
    cmd_print_field("holds", "%s and %s", listing->name, given->member);
    cmd_print_field("proves", "that %s belongs to", given->member);
    cmd_print_field("", "%s", hash);
    cmd_print_field("check", "cd %s && sha256sum %s && sha256sum -c --ignore-missing %s",
                    given->output, listing->name, listing->name);
    cmd_print_field("", "the first line is the hash, the second says OK");
}

static enum snap_status prove(const void *arguments, struct cmd_report *report,
                              struct snap_error *err)
{
    const struct prove_arguments *given = arguments;
    struct snap_archive *archive = NULL;
    const struct snap_member *member, *listing;
    const char *hash;
    enum cmd_target kind;
    enum snap_status status = cmd_target_find(given->archive, CMD_TARGET_ARCHIVE, &kind, err);

    if (status == SNAP_OK)
        status = snap_archive_open(given->archive, &archive, err);
    if (status == SNAP_OK)
        status = find_members(given, archive, &member, &listing, err);
    if (status == SNAP_OK && mkdir(given->output, 0777) != 0)
        status = snap_error_set_os(err, errno == EEXIST ? SNAP_INVALID : SNAP_IO, errno,
                                   "%s: making the folder, which must be new", given->output);
    if (status == SNAP_OK)
        status = write_member(archive, listing, given->output, err);
    if (status == SNAP_OK && member != listing)
        status = write_member(archive, member, given->output, err);
    if (status != SNAP_OK)
        goto out;
    hash = given->state ? snap_archive_state_hash(archive) : snap_archive_snapshot_hash(archive);
    if (report->json)
        status = cmd_report_set(report,
                                json_pack("{s:o, s:s, s:s, s:s}", "folder",
                                          cmd_json_text(given->output), "hash", hash, "listing",
                                          listing->name, "member", member->name),
                                err);
    else
        print_result(given, listing, hash);
out:
    snap_archive_close(archive);
    return status;
}

#define AT(member) offsetof(struct prove_arguments, member)

static const struct cmd_option options[] = {
    { "output", "DIR", CMD_OPTION_TEXT, AT(output), true, "the folder to make, also -o" },
    { "state", NULL, CMD_OPTION_FLAG, AT(state), false,
      "prove it for the state hash, by the shorter listing STATE" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "ARCHIVE", AT(archive), true },
    { "MEMBER", AT(member), true },
    { .name = NULL },
};

const struct cmd_command cmd_prove = {
    .name = "prove",
    .summary = "the smallest evidence that a member belongs to a hash",
    .description = "Write the listing whose SHA-256 is the snapshot hash, and the member: who has "
                   "these two can check with sha256sum that the member is part of that snapshot, "
                   "without the rest of it.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct prove_arguments),
    .run = prove,
};
