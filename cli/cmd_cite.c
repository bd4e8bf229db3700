/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/archive.h>

#include "command.h"
#include "run_files.h"
#include "target.h"

struct cite_arguments {
    const char *run;
};

/* What is printed, with the documents it is taken from. */
struct citation {
    struct snap_archive *archive; /* owned, like all here */
    char path[PATH_MAX];
    json_t *manifest;
    json_t *data;
    json_t *state;
    uint64_t snapshots; /* on the way back by parents, this one counted */
    bool at_genesis;    /* the way ends there, and not at a snapshot that is gone */
};

static void release(struct citation *citation)
{
    json_decref(citation->manifest);
    json_decref(citation->data);
    json_decref(citation->state);
    snap_archive_close(citation->archive);
}

/* Open the snapshot of that hash, which lies below `*below` in the list; that is its place then.
 * NULL: it is not there. A parent mostly is the one right before. */
static struct snap_archive *open_parent(const char *run, const struct cmd_snapshot_file *files,
                                        size_t *below, const char *hash)
{
    for (size_t i = *below; i-- > 0;) {
        struct snap_archive *archive = NULL;
        char path[PATH_MAX];
        if (files[i].capsule || cmd_path_join(run, files[i].name, path, NULL) != SNAP_OK ||
            snap_archive_open(path, &archive, NULL) != SNAP_OK)
            continue;
        if (strcmp(snap_archive_snapshot_hash(archive), hash) == 0) {
            *below = i;
            return archive;
        }
        snap_archive_close(archive);
    }
    return NULL;
}

static enum snap_status walk(const char *run, struct citation *citation, struct snap_error *err)
{
    struct cmd_snapshot_file *files = NULL;
    struct snap_archive *at = NULL;
    size_t below = 0; /* at first, how many there are */
    const char *parent = snap_archive_parent(citation->archive);
    enum snap_status status = cmd_run_files(run, &files, &below, err);

    citation->snapshots = 1;
    while (status == SNAP_OK && parent) {
        struct snap_archive *before = open_parent(run, files, &below, parent);
        if (before == NULL)
            break;
        snap_archive_close(at);
        at = before;
        parent = snap_archive_parent(at);
        citation->snapshots++;
    }
    citation->at_genesis = parent == NULL;
    snap_archive_close(at);
    free(files);
    return status;
}

static enum snap_status read_citation(const char *run, struct citation *citation,
                                      struct snap_error *err)
{
    enum cmd_target kind;
    enum snap_status status = cmd_target_find(run, CMD_TARGET_RUN, &kind, err);

    if (status == SNAP_OK)
        status = cmd_target_open(run, kind, citation->path, &citation->archive, err);
    if (status == SNAP_OK)
        status = walk(run, citation, err);
    if (status != SNAP_OK)
        return status;
    citation->manifest = cmd_json_parse(snap_archive_json(citation->archive, "manifest.json"));
    citation->data = cmd_json_parse(snap_archive_json(citation->archive, "data.json"));
    citation->state = cmd_json_parse(snap_archive_json(citation->archive, "state.json"));
    if (!citation->manifest || !citation->data || !citation->state)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its documents", run);
    return SNAP_OK;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static json_t *coverage_of(const struct citation *citation, const char *key)
{
    return json_object_get(json_object_get(citation->manifest, "coverage"), key);
}

/* The line for a paper. \seqsplit (package seqsplit) breaks a hash anywhere. */
static char *latex_line(const struct citation *citation)
{
    char *line = NULL;

    if (asprintf(&line,
                 "Training run \\texttt{\\seqsplit{%s}}, step %" PRIu64
                 ", snapshot \\texttt{\\seqsplit{%s}} (profile \\texttt{%s}).",
                 snap_archive_run_hash(citation->archive), snap_archive_step(citation->archive),
                 snap_archive_snapshot_hash(citation->archive),
                 snap_archive_profile(citation->archive)) < 0)
        return NULL;
    return line;
}

static void print_coverage(const struct citation *citation)
{
    size_t index;
    json_t *item;

    json_array_foreach(coverage_of(citation, "captured"), index, item)
        cmd_print_field(index ? "" : "covers", "%s", json_string_value(item));
    json_array_foreach(coverage_of(citation, "not_captured"), index, item)
        cmd_print_field(index ? "" : "not", "%s: %s", text_of(item, "name"),
                        text_of(item, "reason"));
    json_array_foreach(json_object_get(citation->data, "files"), index, item)
        cmd_print_field(index ? "" : "data", "%s sha256:%s", text_of(item, "name"),
                        text_of(item, "sha256"));
}

static void print_citation(const struct citation *citation, const char *latex)
{
    const struct snap_archive *archive = citation->archive;
    const char *parent = snap_archive_parent(archive);
    char *binding = json_dumps(json_object_get(citation->state, "binding"),
                               JSON_COMPACT | JSON_SORT_KEYS);

    cmd_print_field("step", "%" PRIu64, snap_archive_step(archive));
    cmd_print_field("run hash", "%s", snap_archive_run_hash(archive));
    cmd_print_field("", "config, seeds, data, and the record of each step up to this one");
    cmd_print_field("snapshot", "%s", snap_archive_snapshot_hash(archive));
    cmd_print_field("", "the archive, and by its parents all before it");
    cmd_print_field("state hash", "%s", snap_archive_state_hash(archive));
    cmd_print_field("", "what decides the next step");
    cmd_print_field("profile", "%s", snap_archive_profile(archive));
    cmd_print_field("binding", "%s",
                    binding && strcmp(binding, "{}") ? binding : "none: the same on every machine");
    print_coverage(citation);
    cmd_print_field("parent", "%s", parent ? parent : "none");
    cmd_print_field("", "%" PRIu64 " snapshot%s here, %s", citation->snapshots,
                    cmd_plural(citation->snapshots),
                    citation->at_genesis ? "back to the genesis"
                                         : "and the way to the genesis has a gap");
    cmd_print_field("LaTeX", "%s", latex);
    free(binding);
}

static json_t *citation_value(const struct citation *citation, const char *latex)
{
    const struct snap_archive *archive = citation->archive;

    return json_pack(
        "{s:o, s:b, s:O, s:O, s:O, s:s, s:o, s:s, s:s, s:s, s:o, s:s, s:o}", "archive",
        cmd_json_text(citation->path), "at_genesis", citation->at_genesis, "binding",
        json_object_get(citation->state, "binding"), "coverage",
        json_object_get(citation->manifest, "coverage"), "data",
        json_object_get(citation->data, "files"), "latex", latex, "parent",
        cmd_json_text(snap_archive_parent(archive)), "profile", snap_archive_profile(archive),
        "run_hash", snap_archive_run_hash(archive), "snapshot_hash",
        snap_archive_snapshot_hash(archive), "snapshots", cmd_json_uint(citation->snapshots),
        "state_hash", snap_archive_state_hash(archive), "step",
        cmd_json_uint(snap_archive_step(archive)));
}

static enum snap_status cite(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct cite_arguments *given = arguments;
    struct citation citation = { .archive = NULL };
    char *latex = NULL;
    enum snap_status status = read_citation(given->run, &citation, err);

    if (status == SNAP_OK) {
        latex = latex_line(&citation);
        if (latex == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for a line", given->run);
    }
    if (status == SNAP_OK && report->json)
        status = cmd_report_set(report, citation_value(&citation, latex), err);
    else if (status == SNAP_OK)
        print_citation(&citation, latex);
    free(latex);
    release(&citation);
    return status;
}

static const struct cmd_option options[] = {
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN", offsetof(struct cite_arguments, run), true },
    { .name = NULL },
};

const struct cmd_command cmd_cite = {
    .name = "cite",
    .summary = "print what a paper prints: hashes, what they cover, a LaTeX line",
    .description = "Print run hash and snapshot hash of a run's latest snapshot, what they cover "
                   "(config, data, streams, roots, and what is known not to be captured), and a "
                   "line for a paper. 'snap publish' makes the folder that goes with it.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct cite_arguments),
    .run = cite,
};
