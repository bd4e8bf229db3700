/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/import.h>

#include "command.h"

struct import_arguments {
    struct cmd_list files;
    const char *output;
    const char *as;
};

/* "NAME=FILE" or "FILE". What stands before the first '=' is a name when it can be one, and when
 * there is no file of that whole name: Lightning's are called epoch=3-step=40.ckpt. `name` has
 * room for 65 bytes. */
static const char *split_name(const char *argument, char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : 0;

    name[0] = '\0';
    if (length == 0 || length > 64 || strspn(argument, letters) == 0 ||
        strcspn(argument, "/") < length || equals[1] == '\0' || access(argument, F_OK) == 0)
        return argument;
    memcpy(name, argument, length);
    name[length] = '\0';
    return equals + 1;
}

static enum snap_status add_file(struct snap_import *import, const char *argument, const char *as,
                                 struct snap_error *err)
{
    struct snap_import_file file = SNAP_IMPORT_FILE_INIT;
    char name[65];

    file.path = split_name(argument, name);
    file.name = name[0] ? name : NULL;
    file.as = as;
    return snap_import_add(import, &file, err);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* An integer, or the decimal string of one past 2^53. */
static uint64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) ? strtoull(json_string_value(value), NULL, 10)
                                 : (uint64_t)json_integer_value(value);
}

static void print_found(const json_t *found)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(found, "files"), i, item)
        cmd_print_field("file", "%s: %s, %s", text_of(item, "path"), text_of(item, "format"),
                        text_of(item, "layout"));
    json_array_foreach(json_object_get(found, "roots"), i, item) {
        char size[CMD_SIZE_TEXT_BYTES];
        uint64_t tensors = number_of(item, "tensors");
        cmd_print_field("root", "%s: %" PRIu64 " tensor%s, %s", text_of(item, "name"), tensors,
                        cmd_plural(tensors), cmd_size_text(number_of(item, "bytes"), size));
    }
    json_array_foreach(json_object_get(found, "streams"), i, item)
        cmd_print_field("stream", "%s: %s", text_of(item, "name"), text_of(item, "kind"));
    json_array_foreach(json_object_get(found, "not_captured"), i, item)
        cmd_print_field("not taken", "%s: %s", text_of(item, "name"), text_of(item, "reason"));
    cmd_print_field("step", "%" PRIu64, number_of(found, "step"));
}

/* What was found, with the archive's path and hash. */
static enum snap_status report_found(const struct import_arguments *given, json_t *found,
                                     const char *hash, struct cmd_report *report,
                                     struct snap_error *err)
{
    if (!report->json) {
        print_found(found);
        cmd_print_field("snapshot", "%s", hash);
        return SNAP_OK;
    }
    if (json_object_set_new(found, "archive", cmd_json_text(given->output)) != 0 ||
        json_object_set_new(found, "snapshot_hash", json_string(hash)) != 0)
        return cmd_report_set(report, NULL, err);
    return cmd_report_set(report, json_incref(found), err);
}

static enum snap_status import(const void *arguments, struct cmd_report *report,
                               struct snap_error *err)
{
    const struct import_arguments *given = arguments;
    struct snap_import *made = NULL;
    char hash[SNAP_HASH_TEXT_BYTES];
    char *text = NULL;
    json_t *found = NULL;
    enum snap_status status = snap_import_new(&made, err);

    for (size_t i = 0; status == SNAP_OK && i < given->files.count; i++)
        status = add_file(made, given->files.items[i], given->as, err);
    if (status == SNAP_OK)
        status = snap_import_json(made, &text, err);
    if (status == SNAP_OK && (found = cmd_json_parse(text)) == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "what was found: no memory for it");
    if (status == SNAP_OK)
        status = snap_import_save(made, given->output, hash, err);
    if (status == SNAP_OK)
        status = report_found(given, found, hash, report, err);
    json_decref(found);
    free(text);
    snap_import_free(made);
    return status;
}

#define AT(member) offsetof(struct import_arguments, member)

static const struct cmd_option options[] = {
    { "output", "ARCHIVE", CMD_OPTION_TEXT, AT(output), true,
      "the archive to write, where nothing may be yet" },
    { "as", "KIND", CMD_OPTION_TEXT, AT(as), false,
      "what the files are: accelerate, hf-trainer, composer, lightning, megatron, checkpoint, "
      "state-dict, stream, or a kind of stream such as torch_cuda; found out by default" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "[NAME=]FILE...", AT(files), true },
    { .name = NULL },
};

const struct cmd_command cmd_import = {
    .name = "import",
    .summary = "tensors and streams of other tools into an archive",
    .description = "Read files that other libraries wrote - torch.save, pickles of random states, "
                   "safetensors, .npy and .npz - and write what is in them as an archive. Nothing "
                   "of a file is executed: a pickle that asks for more than data is refused. What "
                   "is seen and cannot be taken is told, and stands in the coverage statement. "
                   "NAME is what the file's root or stream is called.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct import_arguments),
    .run = import,
};
