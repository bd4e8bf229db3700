/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <snapstate/archive.h>

#include "command.h"
#include "target.h"
#include "tree_text.h"

struct show_arguments {
    const char *target;
};

/* The four documents that say all but the bytes of tensors and streams. */
struct documents {
    json_t *manifest;
    json_t *state;
    json_t *data;
    json_t *environment; /* null when withheld */
};

static enum snap_status read_documents(const struct snap_archive *archive,
                                       struct documents *documents, struct snap_error *err)
{
    const char *environment = snap_archive_json(archive, "env.json");

    documents->manifest = cmd_json_parse(snap_archive_json(archive, "manifest.json"));
    documents->state = cmd_json_parse(snap_archive_json(archive, "state.json"));
    documents->data = cmd_json_parse(snap_archive_json(archive, "data.json"));
    documents->environment = environment ? cmd_json_parse(environment) : json_null();
    if (!documents->manifest || !documents->state || !documents->data || !documents->environment)
        return snap_error_set(err, SNAP_NO_MEMORY, "the archive: no memory to show it");
    return SNAP_OK;
}

static void release_documents(struct documents *documents)
{
    json_decref(documents->manifest);
    json_decref(documents->state);
    json_decref(documents->data);
    json_decref(documents->environment);
}

/* Integers past 2^53 are strings. */
static void print_number(const char *label, const json_t *value)
{
    if (json_is_string(value))
        cmd_print_field(label, "%s", json_string_value(value));
    else
        cmd_print_field(label, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

static void print_data(const json_t *data)
{
    const json_t *files = json_object_get(data, "files"), *order = json_object_get(data, "order");
    size_t i;
    json_t *file;

    print_number("epoch", json_object_get(data, "epoch"));
    print_number("position", json_object_get(data, "position"));
    if (json_is_object(order))
        print_number("  of", json_object_get(order, "samples"));
    json_array_foreach(files, i, file)
        cmd_print_field(i ? "" : "data", "%-12s  %s",
                        json_string_value(json_object_get(file, "name")),
                        json_string_value(json_object_get(file, "sha256")));
}

static void print_streams(const struct snap_archive *archive)
{
    size_t count = snap_archive_member_count(archive);
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        const char *name = member->name + strlen("rng/"), *kind;
        if (member->kind != SNAP_MEMBER_STREAM)
            continue;
        kind = snap_archive_stream_kind(archive, name);
        cmd_print_field(first ? "streams" : "", "%-12s  %s", name, kind ? kind : "unknown");
        first = false;
    }
}

static void print_extras(const struct snap_archive *archive)
{
    size_t count = snap_archive_member_count(archive);
    char size[CMD_SIZE_TEXT_BYTES];
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->kind != SNAP_MEMBER_EXTRA)
            continue;
        cmd_print_field(first ? "extras" : "", "%-12s  %s%s", member->name + strlen("extra/"),
                        cmd_size_text(member->data_size, size),
                        member->in_state ? "" : ", not part of the state");
        first = false;
    }
}

static void print_coverage(const json_t *coverage)
{
    const json_t *captured = json_object_get(coverage, "captured");
    const json_t *missing = json_object_get(coverage, "not_captured");
    size_t i;
    json_t *entry;

    json_array_foreach(captured, i, entry)
        cmd_print_field(i ? "" : "captured", "%s", json_string_value(entry));
    json_array_foreach(missing, i, entry)
        cmd_print_field(i ? "" : "not captured", "%s: %s",
                        json_string_value(json_object_get(entry, "name")),
                        json_string_value(json_object_get(entry, "reason")));
    if (json_array_size(missing) == 0)
        cmd_print_field("not captured", "nothing that is known of");
}

/* How many files beside the archive's own. */
static size_t volume_count(const struct snap_archive *archive)
{
    return snap_archive_file_count(archive) - 1;
}

static void print_volumes(const struct snap_archive *archive)
{
    char text[CMD_SIZE_TEXT_BYTES];
    uint64_t size;
    bool present;

    for (size_t i = 0; i < volume_count(archive); i++) {
        const char *name = snap_archive_file(archive, i, &size, &present);
        cmd_print_field(i ? "" : "volumes", "%s  %s", name,
                        present ? cmd_size_text(size, text) : "is not there");
    }
}

/* NULL: memory is out. */
static json_t *volumes_value(const struct snap_archive *archive)
{
    json_t *volumes = json_array();
    uint64_t size;
    bool present;

    for (size_t i = 0; i < volume_count(archive); i++) {
        const char *name = snap_archive_file(archive, i, &size, &present);
        if (json_array_append_new(volumes, json_pack("{s:o, s:s, s:b}", "bytes",
                                                     cmd_json_uint(size), "file", name, "present",
                                                     present))) {
            json_decref(volumes);
            return NULL;
        }
    }
    return volumes;
}

static enum snap_status print_archive(const char *path, const struct snap_archive *archive,
                                      const struct documents *documents, struct snap_error *err)
{
    const char *parent = snap_archive_parent(archive), *binding = snap_archive_binding(archive);
    char *failure;

    cmd_print_field("archive", "%s", path);
    cmd_print_field("kind", "%s of run %s, after step %" PRIu64, snap_archive_kind(archive),
                    snap_archive_run_id(archive), snap_archive_step(archive));
    cmd_print_field("run hash", "%s", snap_archive_run_hash(archive));
    cmd_print_field("state hash", "%s", snap_archive_state_hash(archive));
    cmd_print_field("snapshot", "%s", snap_archive_snapshot_hash(archive));
    cmd_print_field("parent", "%s", parent ? parent : "none");
    cmd_print_field("profile", "%s", snap_archive_profile(archive));
    if (binding) /* one line of JSON */
        cmd_print_field("binding", "%.*s", (int)strcspn(binding, "\n"), binding);
    failure = json_dumps(json_object_get(documents->manifest, "failure"),
                         JSON_COMPACT | JSON_SORT_KEYS);
    if (failure)
        cmd_print_field("failure", "%s", failure);
    free(failure);
    cmd_print_field("withheld", "%zu member%s", snap_archive_withheld_count(archive),
                    cmd_plural(snap_archive_withheld_count(archive)));
    print_volumes(archive);
    print_data(documents->data);
    print_streams(archive);
    print_extras(archive);
    print_coverage(json_object_get(documents->manifest, "coverage"));
    cmd_print_line("tree");
    return cmd_print_tree(archive, err);
}

static enum snap_status show(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct show_arguments *given = arguments;
    struct documents documents = { .manifest = NULL };
    struct snap_archive *archive = NULL;
    char path[PATH_MAX];
    enum cmd_target kind;
    enum snap_status status =
        cmd_target_find(given->target, CMD_TARGET_ANY_ARCHIVE, &kind, err);

    if (status == SNAP_OK)
        status = cmd_target_open(given->target, kind, path, &archive, err);
    if (status == SNAP_OK)
        status = read_documents(archive, &documents, err);
    if (status != SNAP_OK)
        goto out;
    if (report->json)
        status = cmd_report_set(
            report,
            json_pack("{s:o, s:O, s:O, s:O, s:s, s:s, s:O, s:s, s:o, s:o}", "archive",
                      cmd_json_text(path), "data", documents.data, "environment",
                      documents.environment, "manifest", documents.manifest, "run_hash",
                      snap_archive_run_hash(archive), "snapshot_hash",
                      snap_archive_snapshot_hash(archive), "state", documents.state, "state_hash",
                      snap_archive_state_hash(archive), "volumes", volumes_value(archive),
                      "withheld", cmd_json_uint(snap_archive_withheld_count(archive))),
            err);
    else
        status = print_archive(path, archive, &documents, err);
out:
    release_documents(&documents);
    snap_archive_close(archive);
    return status;
}

static const struct cmd_option options[] = {
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN|ARCHIVE", offsetof(struct show_arguments, target), true },
    { .name = NULL },
};

const struct cmd_command cmd_show = {
    .name = "show",
    .summary = "show what an archive holds",
    .description = "Show an archive, or a run's latest snapshot: hashes, place in the data, "
                   "streams, what is covered and what is known to be missing, and the tree with "
                   "the shape of every tensor.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct show_arguments),
    .run = show,
};
