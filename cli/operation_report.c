/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "operation_report.h"

/* "(32, 10)" */
static void shape_text(const struct trn_operation *operation, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "(");

    for (unsigned i = 0; i < operation->rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%" PRIu64, i ? ", " : "",
                               operation->shape[i]);
    if (at < size)
        snprintf(text + at, size - at, ")");
}

/* "forward conv1", "forward conv1, shard 2" */
static void place_text(const struct trn_operation *operation, char *text, size_t size)
{
    int length = snprintf(text, size, "%s%s%s", operation->phase, operation->name[0] ? " " : "",
                          operation->name);

    if (operation->shard > 0 && length > 0 && (size_t)length < size)
        snprintf(text + length, size - (size_t)length, ", shard %u", operation->shard);
}

static void print_line(const struct trn_operation *operation, enum trn_recorded recorded)
{
    char shape[120], place[180], made[64], bad[80] = "";

    shape_text(operation, shape, sizeof shape);
    place_text(operation, place, sizeof place);
    snprintf(made, sizeof made, "%s of %s", operation->output, operation->op);
    if (operation->nonfinite)
        snprintf(bad, sizeof bad, "  %" PRIu64 " NOT FINITE, from element %" PRIu64,
                 operation->nonfinite, operation->first_nonfinite);
    cmd_print_line("%4" PRIu64 "  %-22s %-28s %-18s %10.3g to %-10.3g %02x%02x%02x%02x%s%s",
                   operation->index, place, made, shape, operation->least, operation->largest,
                   operation->sha256[0], operation->sha256[1], operation->sha256[2],
                   operation->sha256[3], bad,
                   recorded == TRN_RECORDED_OTHER ? "  NOT AS RECORDED" : "");
}

json_t *cmd_json_operation(const struct trn_operation *operation)
{
    char digest[2 * SNAP_DIGEST_BYTES + 1];
    json_t *shape = json_array();

    for (size_t i = 0; i < SNAP_DIGEST_BYTES; i++)
        snprintf(digest + 2 * i, 3, "%02x", operation->sha256[i]);
    for (unsigned i = 0; i < operation->rank; i++)
        json_array_append_new(shape, cmd_json_uint(operation->shape[i]));
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "dtype",
        operation->dtype, "first_nonfinite",
        operation->nonfinite ? cmd_json_uint(operation->first_nonfinite) : json_null(), "index",
        cmd_json_uint(operation->index), "largest", cmd_json_f64(operation->largest), "least",
        cmd_json_f64(operation->least), "name", cmd_json_text(operation->name), "nonfinite",
        cmd_json_uint(operation->nonfinite), "op", cmd_json_text(operation->op), "output",
        cmd_json_text(operation->output), "phase", cmd_json_text(operation->phase), "sha256",
        digest, "shape", shape, "shard", cmd_json_uint(operation->shard));
}

void cmd_tell_operation(void *arg, const struct trn_operation *operation,
                        enum trn_recorded recorded)
{
    static const char *const names[] = { "nothing", "equal", "other" };
    struct cmd_operations *operations = arg;
    json_t *value;

    if (!operations->json) {
        print_line(operation, recorded);
        return;
    }
    value = cmd_json_operation(operation);
    json_object_set_new(value, "recorded", json_string(names[recorded]));
    if (json_array_append_new(operations->list, value)) {
        json_decref(operations->list);
        operations->list = NULL;
    }
}

void cmd_print_operation_field(const char *label, const struct trn_operation *operation)
{
    char shape[120], place[180], bad[80] = "";

    shape_text(operation, shape, sizeof shape);
    place_text(operation, place, sizeof place);
    if (operation->nonfinite)
        snprintf(bad, sizeof bad, ", %" PRIu64 " not finite, from element %" PRIu64,
                 operation->nonfinite, operation->first_nonfinite);
    cmd_print_field(label, "operation %" PRIu64 ", %s: %s of %s %s%s", operation->index, place,
                    operation->output, operation->op, shape, bad);
}
