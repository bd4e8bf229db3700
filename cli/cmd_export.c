/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/import.h>

#include "command.h"
#include "target.h"

struct export_arguments {
    const char *target;
    const char *stream;
    const char *root;
    const char *form;
    const char *output;
    struct cmd_number shard;
    struct cmd_number numpy;
};

static enum snap_status read_options(const struct export_arguments *given,
                                     struct snap_export_options *options, struct snap_error *err)
{
    if (given->shard.is_set && given->shard.value > 999)
        return snap_error_set(err, SNAP_INVALID, "--shard: %" PRIu64 " is past 999",
                              given->shard.value);
    if (given->numpy.is_set && (given->numpy.value < 1 || given->numpy.value > 2))
        return snap_error_set(err, SNAP_INVALID, "--numpy: %" PRIu64 " is neither 1 nor 2",
                              given->numpy.value);
    options->stream = given->stream;
    options->root = given->root;
    if (given->shard.is_set)
        options->shard = (int)given->shard.value;
    if (given->numpy.is_set)
        options->numpy = (int)given->numpy.value;
    return snap_export_form_parse(given->form, &options->form, err);
}

/* The lines of a text. */
static json_t *lines_value(const char *text)
{
    json_t *lines = json_array();

    while (text && *text) {
        size_t length = strcspn(text, "\n");
        char line[1200];
        snprintf(line, sizeof line, "%.*s", (int)(length < 1100 ? length : 1100), text);
        json_array_append_new(lines, cmd_json_text(line));
        text += length + (text[length] == '\n');
    }
    return lines;
}

static void print_left_out(const char *text)
{
    json_t *lines = lines_value(text);
    const json_t *line;
    size_t i;

    json_array_foreach(lines, i, line)
        cmd_print_field("left out", "%s", json_string_value(line));
    json_decref(lines);
}

static enum snap_status export(const void *arguments, struct cmd_report *report,
                               struct snap_error *err)
{
    const struct export_arguments *given = arguments;
    struct snap_export_options options = SNAP_EXPORT_OPTIONS_INIT;
    struct snap_archive *archive = NULL;
    char *left_out = NULL;
    char path[PATH_MAX];
    enum cmd_target kind;
    enum snap_status status = read_options(given, &options, err);

    if (status == SNAP_OK)
        status = cmd_target_find(given->target, CMD_TARGET_ANY_ARCHIVE, &kind, err);
    if (status == SNAP_OK)
        status = cmd_target_open(given->target, kind, path, &archive, err);
    if (status == SNAP_OK)
        status = snap_export(archive, &options, given->output, &left_out, err);
    if (status == SNAP_OK && report->json) {
        status = cmd_report_set(report,
                                json_pack("{s:o, s:o, s:o, s:s}", "archive", cmd_json_text(path),
                                          "file", cmd_json_text(given->output), "left_out",
                                          lines_value(left_out), "form", given->form),
                                err);
    } else if (status == SNAP_OK) {
        cmd_print_field("archive", "%s", path);
        cmd_print_field("file", "%s", given->output);
        print_left_out(left_out);
    }
    free(left_out);
    snap_archive_close(archive);
    return status;
}

#define AT(member) offsetof(struct export_arguments, member)

static const struct cmd_option options[] = {
    { "to", "FORM", CMD_OPTION_TEXT, AT(form), true,
      "pickle or numpy-pickle (a stream, as its library hands it out), accelerate or hf-trainer "
      "(all random states), torch, safetensors, npz or npy" },
    { "output", "FILE", CMD_OPTION_TEXT, AT(output), true, "the file to write" },
    { "stream", "NAME", CMD_OPTION_TEXT, AT(stream), false, "the stream to write" },
    { "tensors", "ROOT", CMD_OPTION_TEXT, AT(root), false, "the root to write" },
    { "shard", "N", CMD_OPTION_NUMBER, AT(shard), false,
      "accelerate and hf-trainer: the random states of shard N" },
    { "numpy", "1|2", CMD_OPTION_NUMBER, AT(numpy), false,
      "write arrays as NumPy 1 or 2 does; by default so that both read them, read only" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN|ARCHIVE", AT(target), true },
    { .name = NULL },
};

const struct cmd_command cmd_export = {
    .name = "export",
    .summary = "an archive's streams and tensors for other tools",
    .description = "Write a stream, all random states, or a root of tensors as a file that NumPy, "
                   "PyTorch, Accelerate, the HF Trainer or safetensors load. What the form cannot "
                   "hold is told.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct export_arguments),
    .run = export,
};
