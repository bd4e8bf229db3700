/* SPDX-License-Identifier: Apache-2.0 */
/* What env.json of two archives says otherwise: versions, device, variables. It decides nothing by
 * what is promised, is hashed into no state, and is often the cause where a promise ends. */
#include "config.h"

#include <stdlib.h>

#include "diff/diff_internal.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "ledger/json_differences.h"

static enum snap_status read_environment(const struct snap_archive *archive, json_t **value,
                                         struct snap_error *err)
{
    const struct snap_member *member = snap_archive_find(archive, "env.json");
    if (member == NULL || member->withheld)
        return SNAP_OK;
    char *text = malloc((size_t)member->data_size + 1);
    if (text == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "compare: out of memory");
    enum snap_status status = snap_archive_read(archive, member, text, err);
    if (status == SNAP_OK)
        status = snap_json_decode(text, (size_t)member->data_size, "env.json", value, err);
    free(text);
    return status;
}

struct list {
    json_t *array;
    enum snap_status status;
    struct snap_error *err;
};

static void add_path(void *arg, const char *path, const json_t *left, const json_t *right)
{
    struct list *list = arg;
    char left_text[160];
    char right_text[160];
    if (list->status != SNAP_OK)
        return;
    snap_json_value_text(left, left_text, sizeof left_text);
    snap_json_value_text(right, right_text, sizeof right_text);
    list->status = snap_json_append(
        list->array,
        json_pack("{s:s, s:s, s:s}", "left", left_text, "name", path, "right", right_text),
        list->err);
}

enum snap_status snap_diff_environments(const struct snap_archive *left,
                                        const struct snap_archive *right, json_t **differences,
                                        struct snap_error *err)
{
    json_t *a = NULL;
    json_t *b = NULL;
    struct list list = { json_array(), SNAP_OK, err };
    if (list.array == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "compare: out of memory");
    list.status = read_environment(left, &a, err);
    if (list.status == SNAP_OK)
        list.status = read_environment(right, &b, err);
    if (list.status == SNAP_OK && a != NULL && b != NULL)
        snap_json_differences(a, b, add_path, &list);
    json_decref(a);
    json_decref(b);
    if (list.status != SNAP_OK) {
        json_decref(list.array);
        return list.status;
    }
    *differences = list.array;
    return SNAP_OK;
}
